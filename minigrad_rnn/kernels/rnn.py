"""The simple recurrent network over a whole sequence, as one op with one rule."""

from __future__ import annotations

from typing import Any

import minigrad as mg

from ..cells import RNNRecurrence
from ..cells.unroll import Lengths
from .batch import Array, Batch, WeightGradients, flat
from .memory import empty
from .products import Back, Forward, Projection
from .recompute import recompute


@mg.primitive(outputs=True)
def rnn_sequence(
    x: Array,
    h0: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array = None,
    bias_hh: Array = None,
    /,
    nonlinearity: str = "tanh",
    reverse: bool = False,
    lengths: Lengths | None = None,
) -> Any:
    """A simple recurrent network over a sequence; see :class:`RNNRecurrence` for the equation.

    Args:
        x: ``(T, N, input_size)``.
        h0: the state to begin with, ``(N, hidden_size)``.
        weight_ih: see :class:`Weights` for this and the following.
        weight_hh: recurrent weights.
        bias_ih: may be ``None``.
        bias_hh: likewise.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        reverse: whether to go from the last step to the first.
        lengths: for each row its number of steps; ``None``: all T.

    Returns:
        The outputs ``(T, N, hidden_size)``, the last h, and, for the rule alone, all h.
    """
    batch = Batch(x, reverse, lengths)
    module, steps, (size, hidden) = batch.module, batch.steps, h0.shape
    bias = None if bias_ih is None else bias_ih + bias_hh
    projection, product = Projection(module, weight_ih, bias, size), Forward(module, weight_hh, size)
    hs = empty(module, (steps + 1, hidden, size), x.dtype)
    hs[0] = h0.T
    zero = module.zeros((), x.dtype)
    for start, stop in batch.blocks(hidden, 0, steps):
        projection.into(batch.x[start:stop], hs[start + 1 : stop + 1])
        for t, (before, h) in enumerate(zip(hs[start:stop], hs[start + 1 : stop + 1], strict=True), start):
            module.add(h, product(before), out=h)
            if nonlinearity == "tanh":
                module.tanh(h, out=h)
            else:
                module.maximum(h, zero, out=h)
            batch.stay(t, h, before)
    return batch.output(hs[1:]), hs[steps].T, hs


@mg.defvjp_joint(rnn_sequence)
def _rnn_back(
    g: Any,
    x: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    out: Any,
    nonlinearity: str,
    reverse: bool,
    lengths: Lengths | None,
    needs: tuple[bool, ...],
) -> tuple[Any, ...]:
    if isinstance(weight_hh, mg.Tensor):
        inputs = (x, h0, weight_ih, weight_hh, bias_ih, bias_hh)
        return recompute(RNNRecurrence(nonlinearity), g, inputs, needs, reverse, lengths)
    batch, hs = Batch(x, reverse, lengths), out[2]
    module, hidden = batch.module, h0.shape[1]
    sums, product = WeightGradients(batch, weight_ih, needs[0]), Back(module, weight_hh, batch.size, 1)
    dh = g[1].T.copy()
    for start, stop in reversed(batch.chunks(hidden)):
        states = hs[start + 1 : stop + 1]
        factors = empty(module, states.shape, states.dtype)
        if nonlinearity == "tanh":
            module.subtract(1, module.multiply(states, states, out=factors), out=factors)
        else:
            module.greater(states, 0, out=factors)
        batch.silence(factors, start, stop)
        arriving = batch.arriving(g[0], start, stop)
        steps = zip(range(stop - 1, start - 1, -1), factors[::-1], arriving[::-1], strict=True)
        for t, d, arrived in steps:
            module.add(dh, arrived, out=dh)
            module.multiply(d, dh, out=d)
            after = dh.copy() if batch.pauses[t] else dh
            product(d, dh)
            batch.stay(t, dh, after)
        columns = flat(factors)
        sums.inputs(start, stop, columns)
        sums.add("weight_hh", columns, flat(hs[start:stop]))
    dw, du = sums.total("weight_ih", weight_ih), sums.total("weight_hh", weight_hh)
    db = sums.total("bias_ih", weight_ih[:, 0])
    return batch.leaving(sums.x), dh.T, dw, du, db, db
