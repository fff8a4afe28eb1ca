"""The simple recurrent network over a whole sequence, as one op with one rule."""

from __future__ import annotations

from typing import Any

import minigrad as mg

from ..cells import RNNRecurrence
from ..cells.unroll import Lengths
from .batch import Array, Batch, WeightGradients, flat
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
    bias = None if bias_ih is None else (bias_ih + bias_hh).reshape(-1, 1)
    hs = module.empty((steps + 1, hidden, size), x.dtype)
    hs[0] = h0.T
    for start, stop in batch.chunks(hidden):
        for t, projected in enumerate(batch.project(weight_ih, bias, start, stop), start):
            h = module.matmul(weight_hh, hs[t], out=hs[t + 1])
            h += projected
            if nonlinearity == "tanh":
                module.tanh(h, out=h)
            else:
                module.maximum(h, 0, out=h)
            batch.stay(t, h, hs[t])
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
    sums = WeightGradients(batch, weight_ih, needs[0])
    arriving, dh = batch.arriving(g[0]), g[1].T
    scratch = module.empty((hidden, batch.size), x.dtype)
    for start, stop in reversed(batch.chunks(hidden)):
        states = hs[start + 1 : stop + 1]
        factors = 1 - states * states if nonlinearity == "tanh" else (states > 0).astype(states.dtype)
        factors = batch.still(factors, start, stop)
        for t in range(stop - 1, start - 1, -1):
            after = module.add(dh, arriving[t], out=scratch)
            d = factors[t - start]
            d *= after
            dh = weight_hh.T @ d
            batch.stay(t, dh, after)
        columns = flat(factors)
        sums.inputs(start, stop, columns)
        sums.add("weight_hh", columns @ flat(hs[start:stop]).T)
    dw, du = sums.total("weight_ih", weight_ih), sums.total("weight_hh", weight_hh)
    db = sums.total("bias_ih", weight_ih[:, 0])
    return batch.leaving(sums.x), dh.T, dw, du, db, db
