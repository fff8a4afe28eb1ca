"""The gated recurrent unit over a whole sequence, its reset gate behind the product; see :mod:`.lstm`."""

from __future__ import annotations

from typing import Any

import numpy

from ..cells import GRURecurrence, Weights
from ..cells.unroll import Running
from .products import Hoisted, Product
from .sequence import Array, Gradients, Sequence, bias
from .steps import compiled, gru, gru_back


def run(
    x: Array, h: Array, w: Weights, recurrence: GRURecurrence, reverse: bool, running: Running | None, keep: bool
) -> tuple[Array, ...]:
    """Outputs and last h; and, to ``keep`` for the way back, all h and what the steps keep."""
    sequence, keeps = Sequence(x, reverse, running), recurrence.update_gate == "keep"
    steps, hidden, gates = sequence.steps, h.shape[1], len(w.weight_hh)
    chunks = sequence.chunks(gates)
    room = steps if keep else max((stop - start for start, stop in chunks), default=0)
    hs, kept = sequence.empty(steps + 1, hidden), sequence.empty(room, gates + hidden)
    hs[0] = h
    project = Hoisted(w.weight_ih.T, sequence.size)
    product = Product(w.weight_hh.T, sequence.size, before=w.mask_hidden)
    step, b = compiled(gru, sequence.dtype), bias(w, gates, sequence.dtype)
    inside = numpy.zeros(hidden, sequence.dtype)
    if w.bias_ih is not None:  # that of q is inside the reset gate
        b[2 * hidden :], inside = w.bias_ih[2 * hidden :], w.bias_hh[2 * hidden :]
    for start, stop in chunks:
        first = start % room
        now, ends, states = kept[first : first + stop - start], sequence.ends[start:stop], hs[start : stop + 1]
        project(sequence.x[start:stop], now[:, :, :gates])
        for t in range(stop - start):
            step(t, now, product(states[t]), b, inside, ends, keeps, states)
    return (sequence.outputs(hs[1:]), hs[steps], *((hs, kept) if keep else ()))


def back(
    g: Any,
    x: Array,
    saved: tuple[Array, ...],
    w: Weights,
    recurrence: GRURecurrence,
    reverse: bool,
    running: Running | None,
    needs_x: bool,
) -> tuple[Array, Array, dict[str, Array]]:
    """Gradients of x, h0 and the weights by name, of what arrives at the outputs and the last h."""
    sequence, keeps = Sequence(x, reverse, running), recurrence.update_gate == "keep"
    hs, kept = saved
    gates, hidden = w.weight_hh.shape
    product = Product(w.weight_hh, sequence.size, blocks=3, after=w.mask_hidden)
    product.result[...] = g[1]
    at_h, carry = product.result, sequence.zeros(hidden)
    gradients, step = Gradients(sequence, w, hs, needs_x), compiled(gru_back, sequence.dtype)
    for start, stop in reversed(sequence.chunks(gates)):
        here, ends, arriving = slice(start, stop), sequence.ends[start:stop], sequence.arriving(g[0], start, stop)
        then, states = kept[here], hs[here]
        at_gates, at_products = sequence.empty(stop - start, gates), sequence.empty(stop - start, gates)
        for t in reversed(range(stop - start)):
            step(t, then, states, arriving, ends, keeps, at_h, carry, at_gates, at_products)
            product(at_products[t])
        gradients.take(start, stop, at_gates, at_products)
    return gradients.of_x(), at_h + carry, gradients.by_name()
