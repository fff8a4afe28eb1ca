r"""The long short-term memory over a whole sequence, as one op with one rule.

Inside, gates are in the order o, i, f, g: sigmoids side by side, and side by side the three that the cell's gradient
goes into. :math:`\sigma(a) = \tanh(a/2)/2 + 1/2`, so one hyperbolic tangent serves all four; the half of the argument
is in a copy of the weights.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import minigrad as mg
from minigrad.backend import xp

from ..cells import LSTMRecurrence
from ..cells.unroll import Lengths
from .batch import Array, Batch, WeightGradients, flat
from .recompute import recompute


@mg.primitive(outputs=True)
def lstm_sequence(
    x: Array,
    h0: Array,
    c0: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array = None,
    bias_hh: Array = None,
    weight_hr: Array = None,
    /,
    reverse: bool = False,
    lengths: Lengths | None = None,
    keep: bool = True,
) -> Any:
    """A long short-term memory over a sequence; see :class:`LSTMRecurrence` for the equations.

    Args:
        x: ``(T, N, input_size)``.
        h0: the state to begin with, ``(N, features)``.
        c0: its other part, ``(N, hidden_size)``.
        weight_ih: see :class:`Weights` for this and the following.
        weight_hh: recurrent weights.
        bias_ih: may be ``None``.
        bias_hh: likewise.
        weight_hr: likewise.
        reverse: whether to go from the last step to the first.
        lengths: for each row its number of steps; ``None``: all T.
        keep: whether to keep what the rule needs. Without, memory does not grow with T beyond that of the outputs.

    Returns:
        The outputs ``(T, N, features)``, the last h and c, and, for the rule alone: all h, the gates, all c, and the
        hyperbolic tangents of c.
    """
    batch = Batch(x, reverse, lengths)
    module, steps, (size, hidden) = batch.module, batch.steps, c0.shape
    bias = None if bias_ih is None else (bias_ih + bias_hh).reshape(-1, 1)
    w, u, b = (_halved(module, rows, hidden) for rows in (weight_ih, weight_hh, bias))
    kept = steps if keep else 1
    hs = module.empty((steps + 1, h0.shape[1], size), x.dtype)
    cells = module.empty((kept + 1, hidden, size), x.dtype)
    gates = module.empty((kept, 4 * hidden, size), x.dtype)
    tanhs = module.empty((kept, hidden, size), x.dtype)
    scratch = module.empty((hidden, size), x.dtype)
    hs[0], cells[0] = h0.T, c0.T
    half = module.full((), 0.5, x.dtype)  # an array: a Python number is converted at every step
    for start, stop in batch.chunks(4 * hidden):
        for t, projected in enumerate(batch.project(w, b, start, stop), start):
            now, c, before = gates[t % kept], cells[(t + 1) % (kept + 1)], cells[t % (kept + 1)]
            h, tanh_c, sigmoids = hs[t + 1], tanhs[t % kept], now[: 3 * hidden]
            o, i, f = sigmoids.reshape(3, hidden, size)
            module.matmul(u, hs[t], out=now)
            module.add(now, projected, out=now)
            module.tanh(now, out=now)
            module.multiply(sigmoids, half, out=sigmoids)
            module.add(sigmoids, half, out=sigmoids)
            module.multiply(f, before, out=c)
            module.multiply(i, now[3 * hidden :], out=scratch)
            module.add(c, scratch, out=c)
            module.tanh(c, out=tanh_c)
            if weight_hr is None:
                module.multiply(o, tanh_c, out=h)
            else:
                module.matmul(weight_hr, module.multiply(o, tanh_c, out=scratch), out=h)
            batch.stay(t, c, before)
            batch.stay(t, h, hs[t])
    last = (hs[steps].T, cells[steps % (kept + 1)].T)
    return (batch.output(hs[1:]), *last, *((hs, gates, cells, tanhs) if keep else ()))


def _halved(module: Any, rows: Array, hidden: int) -> Array:
    """Rows of the gates i, f, g, o in the order o, i, f, g, with half the arguments of the sigmoids."""
    if rows is None:
        return None
    moved = module.concatenate([rows[3 * hidden :], rows[: 3 * hidden]])
    moved[: 3 * hidden] *= 0.5
    return moved


@mg.defvjp_joint(lstm_sequence)
def _lstm_back(
    g: Any,
    x: Any,
    h0: Any,
    c0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    weight_hr: Any,
    out: Any,
    reverse: bool,
    lengths: Lengths | None,
    needs: tuple[bool, ...],
) -> tuple[Any, ...]:
    if isinstance(weight_hh, mg.Tensor):
        inputs = (x, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr)
        return recompute(LSTMRecurrence(), g, inputs, needs, reverse, lengths)
    saved = _Saved(*out[3:])
    if weight_hr is None:
        return _back(g, Batch(x, reverse, lengths), saved, weight_ih, weight_hh, None, needs[0])
    return _back(g, Batch(x, reverse, lengths), saved, weight_ih, weight_hh, _Projection(weight_hr, saved), needs[0])


class _Saved(NamedTuple):
    """What the forward keeps for the rule: each ``(T, features, N)``, the states one step longer."""

    hs: Array
    gates: Array
    cells: Array
    tanhs: Array


def _back(
    g: Any,
    batch: Batch,
    saved: _Saved,
    weight_ih: Array,
    weight_hh: Array,
    projection: _Projection | None,
    needs_x: bool,
) -> tuple[Any, ...]:
    """Gradients of all inputs. What does not depend on the recurrence is computed for a chunk of steps at once."""
    hidden = saved.tanhs.shape[1]
    run = _Run(batch, saved, weight_hh, projection, g)
    sums = WeightGradients(batch, weight_ih, needs_x)
    for start, stop in reversed(batch.chunks(4 * hidden)):
        gradients = batch.module.empty_like(saved.gates[start:stop])
        for first, end in reversed(batch.blocks(4 * hidden, start, stop)):
            run.back(first, end, gradients[first - start : end - start])
        columns = flat(gradients, hidden)
        sums.inputs(start, stop, columns)
        sums.add("weight_hh", columns @ flat(saved.hs[start:stop]).T)
    dw, du = sums.total("weight_ih", weight_ih), sums.total("weight_hh", weight_hh)
    db = sums.total("bias_ih", weight_ih[:, 0])
    dr = None if projection is None else projection.gradient(batch)
    return batch.leaving(sums.x), run.dh.T, run.dc.T, dw, du, db, db, dr


class _Run:
    """The loop back over the steps; holds the gradients of h and c where it has got to."""

    def __init__(self, batch: Batch, saved: _Saved, weight_hh: Array, projection: _Projection | None, g: Any) -> None:
        hidden = saved.tanhs.shape[1]
        self.batch, self.saved, self.projection = batch, saved, projection
        self.weight = batch.module.concatenate([weight_hh[3 * hidden :], weight_hh[: 3 * hidden]]).T
        self.arriving, self.dh, self.dc = batch.arriving(g[0]), g[1].T.copy(), g[2].T.copy()

    def back(self, start: int, stop: int, gradients: Array) -> None:
        """Go back over a range of steps and fill in the gradients of their gates' arguments."""
        batch, module, dh, dc = self.batch, self.batch.module, self.dh, self.dc
        hidden, size = dc.shape
        into_c, forget = _factors(batch, self.saved, start, stop, gradients)
        scratch = module.empty_like(dc)
        for t in range(stop - 1, start - 1, -1):
            d = gradients[t - start]
            for_o, for_c = d[:hidden], d[hidden:].reshape(3, hidden, size)
            module.add(dh, self.arriving[t], out=dh)
            dy = dh if self.projection is None else self.projection.through(t, dh)
            module.multiply(dy, into_c[t - start], out=scratch)
            module.add(dc, scratch, out=dc)
            module.multiply(for_o, dy, out=for_o)
            module.multiply(for_c, dc, out=for_c)
            module.multiply(dc, forget[t - start], out=dc)
            after = dh.copy() if batch.pauses[t] else dh
            module.matmul(self.weight, d, out=dh)
            batch.stay(t, dh, after)


def _factors(batch: Batch, saved: _Saved, start: int, stop: int, factors: Array) -> tuple[Array, Array]:
    """For a range of steps, what gradients are multiplied by on their way.

    Fills ``factors`` with those from h to the argument of o and from c to those of i, f and g; returns those from h
    to c and from c a step back.
    """
    hidden = saved.tanhs.shape[1]
    gates, tanhs, before = saved.gates[start:stop], saved.tanhs[start:stop], saved.cells[start:stop]
    sigmoids, g = gates[:, : 3 * hidden], gates[:, 3 * hidden :]
    batch.module.subtract(sigmoids, sigmoids * sigmoids, out=factors[:, : 3 * hidden])
    for k, other in enumerate((tanhs, g, before)):
        part = factors[:, k * hidden : (k + 1) * hidden]
        part *= other
    i = gates[:, hidden : 2 * hidden]
    batch.module.subtract(i, i * g * g, out=factors[:, 3 * hidden :])
    o, forget = gates[:, :hidden], gates[:, 2 * hidden : 3 * hidden]
    into_c = o - o * tanhs * tanhs
    batch.silence(factors, start, stop)
    return batch.still(into_c, start, stop), batch.still(forget, start, stop, 1.0)


class _Projection:
    """The way back through ``h = W_hr (o * tanh(c))``."""

    def __init__(self, weight_hr: Array, saved: _Saved) -> None:
        self.back, self.saved = weight_hr.T, saved
        self.arrived = xp(weight_hr).empty_like(saved.hs[1:])

    def through(self, t: int, dh: Array) -> Array:
        """The gradient of what is projected, from that of h."""
        self.arrived[t] = dh
        return self.back @ dh

    def gradient(self, batch: Batch) -> Array:
        """The gradient of ``W_hr``."""
        arrived = batch.still(self.arrived, 0, batch.steps)
        return flat(arrived) @ flat(self.saved.gates[:, : self.back.shape[0]] * self.saved.tanhs).T
