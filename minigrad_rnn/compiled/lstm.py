"""The long short-term memory over a whole sequence: NumPy's matrix products, and everything else compiled."""

from __future__ import annotations

from typing import Any

import numpy

from ..cells import Weights
from ..cells.unroll import Running
from .products import Hoisted, Product
from .sequence import Array, Gradients, Sequence, bias
from .steps import compiled, lstm, lstm_back


def run(
    x: Array, h: Array, c: Array, w: Weights, reverse: bool, running: Running | None, keep: bool
) -> tuple[Array, ...]:
    """Outputs, last h and last c; and, to ``keep`` for the way back, all h and what the steps keep."""
    sequence = Sequence(x, reverse, running)
    steps, hidden, gates = sequence.steps, c.shape[1], len(w.weight_hh)
    chunks = sequence.chunks(gates)
    room = steps if keep else max((stop - start for start, stop in chunks), default=0)
    hs, kept = sequence.empty(steps + 1, hidden), sequence.empty(room + 1, gates + 2 * hidden)
    cells = kept[:, :, gates : gates + hidden]
    hs[0], cells[0] = h, c
    project = Hoisted(w.weight_ih.T, sequence.size)
    product = Product(w.weight_hh.T, sequence.size, before=w.mask_hidden)
    step, b = compiled(lstm, sequence.dtype), bias(w, gates, sequence.dtype)
    for start, stop in chunks:
        first = start % room
        now, ends, states = kept[first : first + stop - start + 1], sequence.ends[start:stop], hs[start : stop + 1]
        project(sequence.x[start:stop], now[:-1, :, :gates])
        for t in range(stop - start):
            step(t, now, product(states[t]), b, ends, states)
        if not keep:
            cells[0] = cells[stop - start]
    last = cells[room if keep else 0].copy()  # a view would keep everything
    return (sequence.outputs(hs[1:]), hs[steps], last, *((hs, kept) if keep else ()))


def back(
    g: Any, x: Array, saved: tuple[Array, ...], w: Weights, reverse: bool, running: Running | None, needs_x: bool
) -> tuple[Array, Array, Array, dict[str, Array]]:
    """Gradients of x, h0, c0 and the weights by name, of what arrives at the outputs, the last h and the last c."""
    sequence, (hs, kept) = Sequence(x, reverse, running), saved
    at_c, gates = g[2].copy(), len(w.weight_hh)
    product = Product(w.weight_hh, sequence.size, blocks=4, after=w.mask_hidden)
    product.result[...] = g[1]
    at_h, carry = product.result, numpy.zeros_like(at_c)
    gradients, step = Gradients(sequence, w, hs, needs_x), compiled(lstm_back, sequence.dtype)
    for start, stop in reversed(sequence.chunks(gates)):
        then, ends, at_gates = kept[start:stop], sequence.ends[start:stop], sequence.empty(stop - start, gates)
        arriving = sequence.arriving(g[0], start, stop)
        for t in reversed(range(stop - start)):
            step(t, then, arriving, ends, at_h, carry, at_c, at_gates)
            product(at_gates[t])
        gradients.take(start, stop, at_gates, at_gates)
    return gradients.of_x(), at_h + carry, at_c, gradients.by_name()
