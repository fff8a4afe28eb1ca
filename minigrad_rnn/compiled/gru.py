"""The gated recurrent unit over a whole sequence, its reset gate behind the product; see :mod:`.lstm`."""

from __future__ import annotations

from typing import Any

import numpy

from ..cells import GRURecurrence, Weights
from ..cells.unroll import Running
from .holding import held
from .norms import Normed
from .products import Hoisted, Product
from .sequence import Array, Gradients, Sequence, bias
from .steps import compiled, gru, gru_back


def run(
    x: Array,
    h: Array,
    w: Weights,
    zone: Array,
    recurrence: GRURecurrence,
    reverse: bool,
    running: Running | None,
    keep: bool,
) -> tuple[Array, ...]:
    """Outputs and last h; and, to ``keep`` for the way back, all h, what the steps keep, and the norms."""
    sequence, keeps = Sequence(x, reverse, running), recurrence.update_gate == "keep"
    steps, hidden, gates = sequence.steps, h.shape[1], len(w.weight_hh)
    chunks = sequence.spans(w.weight_hh)
    room = steps if keep else max((stop - start for start, stop in chunks), default=0)
    hs, kept = sequence.empty(steps + 1, hidden), sequence.empty(room, gates + hidden)
    hs[0], nonzero = h, bool(h.any())
    project = Hoisted(w.weight_ih.T, sequence.size)
    product = Product(w.weight_hh.T, sequence.size, before=w.mask_hidden)
    norms = [sequence.empty(room, gates + 2) for _ in range(2)] if recurrence.layer_norm else []
    of_x, of_h = _normed(w, norms)
    held_h = held(sequence, zone)
    step, b = compiled(gru, sequence.dtype), bias(w, gates, sequence.dtype)
    inside = numpy.zeros(hidden, sequence.dtype)
    if w.bias_ih is not None:  # that of q is inside the reset gate
        b[2 * hidden :], inside[:] = w.bias_ih[2 * hidden :], w.bias_hh[2 * hidden :]
    for start, stop in chunks:
        first = start % room
        now, ends, states = kept[first : first + stop - start], sequence.ends[start:stop], hs[start : stop + 1]
        project(sequence.inputs(start, stop), now[:, :, :gates])
        if of_x is not None:
            of_x.many(first, now)
        for t in range(stop - start):
            p = product(states[t]) if start + t or nonzero else product.none()
            if of_h is not None:
                of_h.normalise(first + t, p)
            step(t, now, p, b, inside, ends, keeps, states)
            if held_h is not None:
                held_h.hold(t, start, states)
    last = hs[steps].copy()  # a view would keep all steps
    return (sequence.output(hs[1:], keep), last, *((hs, kept, *norms) if keep else ()))


def back(
    g: Any,
    x: Array,
    saved: tuple[Array, ...],
    w: Weights,
    zone: Array,
    recurrence: GRURecurrence,
    reverse: bool,
    running: Running | None,
    needs: tuple[bool, ...],
) -> tuple[Array, Array, dict[str, Array]]:
    """Gradients of x, h0 and the weights by name, of what arrives at the outputs and the last h."""
    sequence, keeps = Sequence(x, reverse, running), recurrence.update_gate == "keep"
    hs, kept, *norms = saved
    gates, hidden = w.weight_hh.shape
    product = Product(w.weight_hh, sequence.size, after=w.mask_hidden)
    product.result[...] = g[1]
    at_h, carry = product.result, sequence.zeros(hidden)
    (of_x, of_h), held_h = _normed(w, norms), held(sequence, zone)
    gradients, step = Gradients(sequence, w, hs, needs[0]), compiled(gru_back, sequence.dtype)
    for start, stop in reversed(sequence.spans(w.weight_hh)):
        then, states, ends = kept[start:stop], hs[start:stop], sequence.ends[start:stop]
        arriving = sequence.arriving(g[0], start, stop, writable=held_h is not None)
        at_gates, at_hh = sequence.empty(stop - start, gates), sequence.empty(stop - start, gates)
        at_products = at_hh if of_h is None else sequence.empty(stop - start, gates)
        for t in reversed(range(stop - start)):
            if held_h is not None:
                held_h.part_all(t, start, ends, arriving, at_h, carry)
            step(t, then, states, arriving, ends, keeps, at_h, carry, at_gates, at_hh)
            if of_h is not None:
                of_h.back(t, start, at_hh, at_products)
            if start + t or needs[1]:  # else what arrives at the state is nobody's
                product(at_products[t])
        if of_x is None:
            gradients.take(start, stop, at_gates, at_products)
        else:
            gradients.take(start, stop, of_x.many_back(start, at_gates), at_products, (at_gates, at_hh))
    if held_h is not None:
        held_h.join(carry)
    found = gradients.by_name()
    if of_x is not None and of_h is not None:
        found |= {"gain_ih": of_x.at_gain, "gain_hh": of_h.at_gain}
    return gradients.of_x(), at_h + carry, found


def _normed(w: Weights, norms: list[Array]) -> tuple[Normed | None, Normed | None]:
    """The normalisations of what the inputs contribute and of what the state does: r and z, and apart from them n."""
    if not norms:
        return None, None
    first = len(w.gain_ih) // 3 * 2
    of_ih, of_hh = norms
    return Normed(w.gain_ih, of_ih, first), Normed(w.gain_hh, of_hh, first)
