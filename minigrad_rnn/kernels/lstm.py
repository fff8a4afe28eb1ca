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
from .memory import empty
from .products import Back, Forward, Projection
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
    bias = None if bias_ih is None else bias_ih + bias_hh
    w, u, b = (_halved(module, rows, hidden) for rows in (weight_ih, weight_hh, bias))
    projection, step = Projection(module, w, b, size), _Step(batch, Forward(module, u, size), weight_hr)
    chunks = batch.chunks(4 * hidden) if keep else batch.blocks(4 * hidden, 0, steps)
    kept = steps if keep else max((stop - start for start, stop in chunks), default=0)
    hs = empty(module, (steps + 1, h0.shape[1], size), x.dtype)
    saved = _Saved(hs, *(empty(module, (n, rows * hidden, size), x.dtype) for n, rows in ((kept, 4), (kept + 1, 1), (kept, 1))))
    c = c0.T
    hs[0] = h0.T
    for start, stop in chunks:
        part = saved.part(start, stop, kept)
        part.cells[0] = c
        projection.into(batch.x[start:stop], part.gates)
        step.run(start, part)
        c = part.cells[-1]
    return (batch.output(hs[1:]), hs[steps].T, c.T, *(saved if keep else ()))


class _Saved(NamedTuple):
    """What the forward keeps for the rule: each ``(T, features, N)``, the states one step longer."""

    hs: Array
    gates: Array
    cells: Array
    tanhs: Array

    def part(self, start: int, stop: int, kept: int) -> _Saved:
        """A range of steps, where of all but h only ``kept`` steps are there and used again."""
        first = start % kept
        last = first + stop - start
        gates, cells, tanhs = self.gates[first:last], self.cells[first : last + 1], self.tanhs[first:last]
        return _Saved(self.hs[start : stop + 1], gates, cells, tanhs)


class _Step:
    """The loop over the steps."""

    def __init__(self, batch: Batch, product: Forward, weight_hr: Array) -> None:
        self.batch, self.product, self.weight_hr = batch, product, weight_hr

    def run(self, start: int, part: _Saved) -> None:
        """Go over the steps of a range, whose ``gates`` are the projected inputs at first."""
        batch, product, weight_hr = self.batch, self.product, self.weight_hr
        add, multiply, tanh = batch.module.add, batch.module.multiply, batch.module.tanh
        hs, gates, cells, tanhs = part
        count, hidden, size = tanhs.shape
        o, i, f, g = gates.reshape(count, 4, hidden, size).swapaxes(0, 1)
        scratch = batch.module.empty((hidden, size), gates.dtype)
        half = batch.module.full((), 0.5, gates.dtype)  # an array: a Python number is converted at every step
        views = zip(hs[:-1], hs[1:], gates, gates[:, : 3 * hidden], o, i, f, g, cells[:-1], cells[1:], tanhs, strict=True)
        for t, (h, h_new, now, sigmoids, o, i, f, g, c, c_new, tanh_c) in enumerate(views, start):
            add(now, product(h), out=now)
            tanh(now, out=now)
            multiply(sigmoids, half, out=sigmoids)
            add(sigmoids, half, out=sigmoids)
            multiply(f, c, out=c_new)
            multiply(i, g, out=scratch)
            add(c_new, scratch, out=c_new)
            tanh(c_new, out=tanh_c)
            if weight_hr is None:
                multiply(o, tanh_c, out=h_new)
            else:
                batch.module.matmul(weight_hr, multiply(o, tanh_c, out=scratch), out=h_new)
            if batch.pauses[t]:
                batch.stay(t, c_new, c)
                batch.stay(t, h_new, h)


def _halved(module: Any, rows: Array, hidden: int) -> Array:
    """Rows of the gates i, f, g, o in the order o, i, f, g, with half the arguments of the sigmoids."""
    if rows is None:
        return None
    moved, half = empty(module, rows.shape, rows.dtype), module.full((), 0.5, rows.dtype)
    module.multiply(rows[3 * hidden :], half, out=moved[:hidden])
    module.multiply(rows[: 2 * hidden], half, out=moved[hidden : 3 * hidden])
    moved[3 * hidden :] = rows[2 * hidden : 3 * hidden]
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
        columns = empty(batch.module, (4 * hidden, stop - start, batch.size), saved.gates.dtype)
        for first, end in reversed(batch.blocks(4 * hidden, start, stop)):
            flat(run.back(first, end), hidden, out=columns[:, first - start : end - start])
        sums.inputs(start, stop, columns)
        sums.add("weight_hh", columns, flat(saved.hs[start:stop]))
    dw, du = sums.total("weight_ih", weight_ih), sums.total("weight_hh", weight_hh)
    db = sums.total("bias_ih", weight_ih[:, 0])
    dr = None if projection is None else projection.gradient(batch)
    return batch.leaving(sums.x), run.dh.T, run.dc.T, dw, du, db, db, dr


class _Run:
    """The loop back over the steps; holds the gradients of h and c where it has got to."""

    def __init__(self, batch: Batch, saved: _Saved, weight_hh: Array, projection: _Projection | None, g: Any) -> None:
        hidden = saved.tanhs.shape[1]
        self.batch, self.saved, self.projection = batch, saved, projection
        weight = batch.module.concatenate([weight_hh[3 * hidden :], weight_hh[: 3 * hidden]])
        self.product = Back(batch.module, weight, batch.size, 4)
        self.g, self.dh, self.dc = g[0], g[1].T.copy(), g[2].T.copy()

    def back(self, start: int, stop: int) -> Array:
        """Go back over a range of steps; gives the gradients of their gates' arguments, ``(steps, rows, N)``."""
        batch, dh, dc = self.batch, self.dh, self.dc
        add, multiply = batch.module.add, batch.module.multiply
        hidden, size = dc.shape
        gradients, into_c, forget = _factors(batch, self.saved, start, stop)
        for_o, for_c = gradients[:, :hidden], gradients[:, hidden:].reshape(len(gradients), 3, hidden, size)
        arriving, scratch = batch.arriving(self.g, start, stop), batch.module.empty_like(dc)
        views = (view[::-1] for view in (gradients, for_o, for_c, into_c, forget, arriving))
        for t, d, for_o, for_c, into_c, forget, arriving in zip(range(stop - 1, start - 1, -1), *views, strict=True):
            add(dh, arriving, out=dh)
            dy = dh if self.projection is None else self.projection.through(t, dh)
            multiply(dy, into_c, out=scratch)
            add(dc, scratch, out=dc)
            multiply(for_o, dy, out=for_o)
            multiply(for_c, dc, out=for_c)
            multiply(dc, forget, out=dc)
            after = dh.copy() if batch.pauses[t] else dh
            self.product(d, dh)
            batch.stay(t, dh, after)
        return gradients


def _factors(batch: Batch, saved: _Saved, start: int, stop: int) -> tuple[Array, Array, Array]:
    """For a range of steps, what gradients are multiplied by on their way.

    Those from h to the argument of o and from c to those of i, f and g, in blocks of rows; those from h to c; and
    those from c a step back.
    """
    module, hidden = batch.module, saved.tanhs.shape[1]
    gates, tanhs, before = saved.gates[start:stop], saved.tanhs[start:stop], saved.cells[start:stop]
    o, i, f, g = (gates[:, k * hidden : (k + 1) * hidden] for k in range(4))
    factors = empty(module, gates.shape, gates.dtype)
    to_o, to_i, to_f, to_g = (factors[:, k * hidden : (k + 1) * hidden] for k in range(4))
    into_c, scratch = empty(module, tanhs.shape, gates.dtype), empty(module, tanhs.shape, gates.dtype)
    for gate, other, to_gate, to_other in ((o, tanhs, to_o, into_c), (i, g, to_i, to_g), (f, before, to_f, None)):
        product = module.multiply(gate, other, out=scratch)
        module.subtract(product, module.multiply(product, gate, out=to_gate), out=to_gate)
        if to_other is not None:
            module.subtract(gate, module.multiply(product, other, out=to_other), out=to_other)
    batch.silence(factors, start, stop)
    batch.silence(into_c, start, stop)
    return factors, into_c, batch.still(f, start, stop, 1.0)


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
        sums = WeightGradients(batch, self.back, False)
        sums.add("weight_hr", flat(arrived), flat(self.saved.gates[:, : self.back.shape[0]] * self.saved.tanhs))
        return sums.total("weight_hr", self.back.T)
