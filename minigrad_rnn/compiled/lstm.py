"""The long short-term memory over a whole sequence: NumPy's matrix products, and everything else compiled."""

from __future__ import annotations

import numpy

from ..cells import LSTMRecurrence, Weights
from ..cells.unroll import Running
from .holding import held
from .norms import Normed, NormedCell
from .products import Hoisted, Product
from .sequence import Array, Gradients, Sequence, bias
from .steps import compiled, lstm, lstm_back


def run(
    x: Array,
    state: tuple[Array, Array],
    w: Weights,
    zones: tuple[Array, Array],
    recurrence: LSTMRecurrence,
    reverse: bool,
    running: Running | None,
    keep: bool,
    every: bool,
) -> tuple[Array, ...]:
    """Outputs, last h and last c, with ``every`` all c; to ``keep`` all h, what the steps keep, and the norms."""
    sequence, (h, c) = Sequence(x, reverse, running), state
    steps, hidden, gates = sequence.steps, c.shape[1], len(w.weight_hh)
    chunks = sequence.spans(w.weight_hh)
    whole = keep or every
    room = steps if whole else max((stop - start for start, stop in chunks), default=0)
    hs, kept = sequence.empty(steps + 1, hidden), sequence.empty(room + 1, gates + 2 * hidden)
    cells = kept[:, :, gates : gates + hidden]
    hs[0], cells[0], nonzero = h, c, bool(h.any())
    project = Hoisted(w.weight_ih.T, sequence.size)
    product = Product(w.weight_hh.T, sequence.size, before=w.mask_hidden)
    norms = [sequence.empty(room, n) for n in (gates + 2, gates + 2, hidden + 1)] if recurrence.layer_norm else []
    of_x, of_h, of_c = _normed(w, recurrence, norms)
    held_h, held_c = held(sequence, zones[0]), held(sequence, zones[1], gates)
    step, b = compiled(lstm, sequence.dtype), bias(w, gates, sequence.dtype)
    for start, stop in chunks:
        first = start % room
        now, ends, states = kept[first : first + stop - start + 1], sequence.ends[start:stop], hs[start : stop + 1]
        project(sequence.inputs(start, stop), now[:-1, :, :gates])
        if of_x is not None:
            of_x.many(first, now[:-1])
        for t in range(stop - start):
            p = product(states[t]) if start + t or nonzero else product.none()
            if of_h is not None:
                of_h.normalise(first + t, p)
            step(t, now, p, b, ends, states)
            if of_c is not None:
                of_c.normalise(t, first, now, ends, states)
            if held_h is not None:
                held_h.hold(t, start, states)
            if held_c is not None:
                held_c.hold(t, start, now)
        if not whole:
            cells[0] = cells[stop - start]
    last = hs[steps].copy(), cells[room if whole else 0].copy()  # views would keep all steps
    all_c = (sequence.output(cells[1:].copy(), False),) if every else ()
    return (sequence.output(hs[1:], keep), *last, *all_c, *((hs, kept, *norms) if keep else ()))


def back(
    g: tuple[Array, ...],
    x: Array,
    saved: tuple[Array, ...],
    w: Weights,
    zones: tuple[Array, Array],
    recurrence: LSTMRecurrence,
    reverse: bool,
    running: Running | None,
    needs: tuple[bool, ...],
) -> tuple[Array, Array, Array, dict[str, Array]]:
    """Gradients of x, h0, c0 and the weights by name, of what arrives at the outputs, last h, last c and all c."""
    sequence, (hs, kept, *norms) = Sequence(x, reverse, running), saved
    at_c, gates = g[2].copy(), len(w.weight_hh)
    product = Product(w.weight_hh, sequence.size, after=w.mask_hidden)
    product.result[...] = g[1]
    at_h, carry = product.result, sequence.zeros(hs.shape[2])
    of_x, of_h, of_c = _normed(w, recurrence, norms)
    held_h, held_c = held(sequence, zones[0]), held(sequence, zones[1])
    gradients, step, shown = Gradients(sequence, w, hs, needs[0]), compiled(lstm_back, sequence.dtype), of_c is not None
    for start, stop in reversed(sequence.spans(w.weight_hh)):
        then, ends, at_gates = kept[start:stop], sequence.ends[start:stop], sequence.empty(stop - start, gates)
        arriving = sequence.arriving(g[0], start, stop, writable=held_h is not None)
        at_products = at_gates if of_h is None else sequence.empty(stop - start, gates)
        at_cells = None if g[3] is None else sequence.arriving(g[3], start, stop, writable=True)
        if at_cells is not None:
            sequence.silence(at_cells, start, stop)
        for t in reversed(range(stop - start)):
            if at_cells is not None:
                numpy.add(at_c, at_cells[t], out=at_c)
            if held_h is not None:
                held_h.part_all(t, start, ends, arriving, at_h, carry)
            if held_c is not None:
                held_c.part(t, start, at_c)
            if of_c is not None:
                of_c.back(t, start, then, arriving, ends, at_h, carry, at_c)
            step(t, then, arriving, ends, shown, at_h, carry, at_c, at_gates)
            if of_h is not None:
                of_h.back(t, start, at_gates, at_products)
            if start + t or needs[1]:  # else what arrives at the state is nobody's
                product(at_products[t])
        if of_x is None:
            gradients.take(start, stop, at_gates, at_gates)
        else:
            gradients.take(start, stop, of_x.many_back(start, at_gates), at_products, (at_gates, at_gates))
    if held_h is not None:
        held_h.join(carry)
    if held_c is not None:
        held_c.join(at_c)
    found = gradients.by_name()
    if of_x is not None and of_h is not None and of_c is not None:
        found |= {"gain_ih": of_x.at_gain, "gain_hh": of_h.at_gain}
        found |= {"gain_cell": of_c.at_gain, "bias_cell": of_c.at_bias}
    return gradients.of_x(), at_h + carry, at_c, found


def _normed(
    w: Weights, recurrence: LSTMRecurrence, norms: list[Array]
) -> tuple[Normed | None, Normed | None, NormedCell | None]:
    """The normalisations of what the inputs contribute, of what the state does, and of the cell, if there are any."""
    if not norms:
        return None, None, None
    of_ih, of_hh, of_cell = norms
    carried = recurrence.layer_norm == "torch"
    return Normed(w.gain_ih, of_ih), Normed(w.gain_hh, of_hh), NormedCell(w.gain_cell, w.bias_cell, of_cell, carried)
