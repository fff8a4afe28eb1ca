"""The simple recurrent network over a whole sequence; see :mod:`.lstm`."""

from __future__ import annotations

from typing import Any

from ..cells import RNNRecurrence, Weights
from ..cells.unroll import Running
from .products import Hoisted, Product
from .sequence import Array, Gradients, Sequence, bias
from .steps import compiled, rnn, rnn_back


def run(
    x: Array, h: Array, w: Weights, recurrence: RNNRecurrence, reverse: bool, running: Running | None, keep: bool
) -> tuple[Array, ...]:
    """Outputs and last h; and, to ``keep`` for the way back, all h."""
    sequence, relu = Sequence(x, reverse, running), recurrence.nonlinearity == "relu"
    hs = sequence.empty(sequence.steps + 1, h.shape[1])
    hs[0] = h
    project = Hoisted(w.weight_ih.T, sequence.size)
    product = Product(w.weight_hh.T, sequence.size, before=w.mask_hidden)
    step, b = compiled(rnn, sequence.dtype), bias(w, h.shape[1], sequence.dtype)
    for start, stop in sequence.chunks(h.shape[1]):
        project(sequence.x[start:stop], hs[start + 1 : stop + 1])
        ends, states = sequence.ends[start:stop], hs[start : stop + 1]
        for t in range(stop - start):
            step(t, product(states[t]), b, ends, relu, states)
    return (sequence.outputs(hs[1:]), hs[sequence.steps], *((hs,) if keep else ()))


def back(
    g: Any,
    x: Array,
    saved: tuple[Array, ...],
    w: Weights,
    recurrence: RNNRecurrence,
    reverse: bool,
    running: Running | None,
    needs_x: bool,
) -> tuple[Array, Array, dict[str, Array]]:
    """Gradients of x, h0 and the weights by name, of what arrives at the outputs and the last h."""
    sequence, relu, (hs,) = Sequence(x, reverse, running), recurrence.nonlinearity == "relu", saved
    product, (_, _, hidden) = Product(w.weight_hh, sequence.size, after=w.mask_hidden), hs.shape
    product.result[...] = g[1]
    at_h, carry = product.result, sequence.zeros(hidden)
    gradients, step = Gradients(sequence, w, hs, needs_x), compiled(rnn_back, sequence.dtype)
    for start, stop in reversed(sequence.chunks(hidden)):
        at_arguments = sequence.empty(stop - start, hidden)
        states, ends = hs[start : stop + 1], sequence.ends[start:stop]
        arriving = sequence.arriving(g[0], start, stop)
        for t in reversed(range(stop - start)):
            step(t, states, arriving, ends, relu, at_h, carry, at_arguments)
            product(at_arguments[t])
        gradients.take(start, stop, at_arguments, at_arguments)
    return gradients.of_x(), at_h + carry, gradients.by_name()
