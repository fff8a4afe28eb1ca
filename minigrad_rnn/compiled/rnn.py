"""The simple recurrent network over a whole sequence; see :mod:`.lstm`."""

from __future__ import annotations

from typing import Any

import numpy

from ..cells import RNNRecurrence, Weights
from ..cells.unroll import Running
from .holding import held
from .norms import Normed
from .products import Hoisted, Product
from .sequence import Array, Gradients, Sequence, bias
from .steps import compiled, rnn, rnn_back


def run(
    x: Array,
    h: Array,
    w: Weights,
    zone: Array,
    recurrence: RNNRecurrence,
    reverse: bool,
    running: Running | None,
    keep: bool,
) -> tuple[Array, ...]:
    """Outputs and last h; and, to ``keep`` for the way back, all h and the norms."""
    sequence, relu = Sequence(x, reverse, running), recurrence.nonlinearity == "relu"
    steps, hidden = sequence.steps, h.shape[1]
    chunks = sequence.spans(w.weight_hh)
    room = steps if keep else max((stop - start for start, stop in chunks), default=0)
    hs = sequence.empty(steps + 1, hidden)
    hs[0], nonzero = h, bool(h.any())
    project = Hoisted(w.weight_ih.T, sequence.size)
    product = Product(w.weight_hh.T, sequence.size, before=w.mask_hidden)
    norms = [sequence.empty(room, hidden + 2)] if recurrence.layer_norm else []
    of_both, held_h = _normed(w, norms), held(sequence, zone)
    step, b = compiled(rnn, sequence.dtype), bias(w, hidden, sequence.dtype)
    nothing = None if of_both is None else sequence.zeros(hidden)
    for start, stop in chunks:
        first, ends, states = start % room, sequence.ends[start:stop], hs[start : stop + 1]
        project(sequence.inputs(start, stop), states[1:])
        for t in range(stop - start):
            p = product(states[t]) if start + t or nonzero else product.none()
            if of_both is not None:
                numpy.add(states[t + 1], p, out=states[t + 1])
                of_both.normalise(first + t, states[t + 1])
                p = nothing
            step(t, p, b, ends, relu, states)
            if held_h is not None:
                held_h.hold(t, start, states)
    last = hs[steps].copy()  # a view would keep all steps
    return (sequence.output(hs[1:], keep), last, *((hs, *norms) if keep else ()))


def back(
    g: Any,
    x: Array,
    saved: tuple[Array, ...],
    w: Weights,
    zone: Array,
    recurrence: RNNRecurrence,
    reverse: bool,
    running: Running | None,
    needs: tuple[bool, ...],
) -> tuple[Array, Array, dict[str, Array]]:
    """Gradients of x, h0 and the weights by name, of what arrives at the outputs and the last h."""
    sequence, relu, (hs, *norms) = Sequence(x, reverse, running), recurrence.nonlinearity == "relu", saved
    product, hidden = Product(w.weight_hh, sequence.size, after=w.mask_hidden), hs.shape[2]
    product.result[...] = g[1]
    at_h, carry = product.result, sequence.zeros(hidden)
    of_both, held_h = _normed(w, norms), held(sequence, zone)
    gradients, step = Gradients(sequence, w, hs, needs[0]), compiled(rnn_back, sequence.dtype)
    for start, stop in reversed(sequence.spans(w.weight_hh)):
        states, ends = hs[start : stop + 1], sequence.ends[start:stop]
        at_arguments = sequence.empty(stop - start, hidden)
        arriving = sequence.arriving(g[0], start, stop, writable=held_h is not None)
        at_products = at_arguments if of_both is None else sequence.empty(stop - start, hidden)
        for t in reversed(range(stop - start)):
            if held_h is not None:
                held_h.part_all(t, start, ends, arriving, at_h, carry)
            step(t, states, arriving, ends, relu, at_h, carry, at_arguments)
            if of_both is not None:
                of_both.back(t, start, at_arguments, at_products)
            if start + t or needs[1]:  # else what arrives at the state is nobody's
                product(at_products[t])
        gradients.take(start, stop, at_products, at_products, (at_arguments, at_arguments))
    if held_h is not None:
        held_h.join(carry)
    found = gradients.by_name()
    return gradients.of_x(), at_h + carry, found if of_both is None else found | {"gain_hh": of_both.at_gain}


def _normed(w: Weights, norms: list[Array]) -> Normed | None:
    """The normalisation of what inputs and state contribute together, if there is one."""
    return Normed(w.gain_hh, *norms) if norms else None
