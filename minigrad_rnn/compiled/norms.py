r"""Layer normalisation of the rows of a matrix in place, compiled; see :mod:`.steps` for the conventions.

:math:`y = g \odot n` with :math:`n = s (a - \bar a)` and :math:`s = 1/\sqrt{\overline{(a - \bar a)^2} + \epsilon}`.
Where rows have two parts that are normalised apart from each other, ``first`` columns are one and the others the
other. Back: with :math:`\delta` what arrives at n, :math:`s (\delta - \bar\delta - n \, \overline{\delta n})`; so n is
saved of every row, and behind it s of each part.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy
from numba.extending import register_jitable

from ..cells.norm import EPS
from .activations import tanh
from .products import Array, rows_of
from .steps import OPTIONS, Flags, NewRow, NewState, NewSteps, Row, State, Steps, compiled


class Normed:
    """The normalisation of what the inputs or the state contribute.

    Args:
        gain: ``(columns,)``.
        saved: what the way back needs, ``(steps, N, columns + 2)``; filled in on the way forward.
        first: columns that are normalised together, the others being so apart from them; 0: all are.

    Attributes:
        at_gain: the gradient of the gain, summed up on the way back.
        normalise, back: the functions below, with what is always the same filled in.
    """

    def __init__(self, gain: Array, saved: Array, first: int = 0) -> None:
        gain, first = numpy.ascontiguousarray(gain), first or len(gain)
        self.at_gain, self._saved = numpy.zeros(gain.shape, gain.dtype), saved
        self._forward = functools.partial(compiled(normalise, gain.dtype), first, gain)
        self._back = functools.partial(compiled(normalise_back, gain.dtype), first, gain, self.at_gain)
        self.normalise, self.back = functools.partial(self._forward, saved), functools.partial(self._back, saved)

    def many(self, start: int, a: Array) -> None:
        """Normalise at all steps from ``start`` on, ``(steps, N, at least columns)``, in place."""
        self._forward(_as_one(self._saved[start : start + len(a)]), 0, rows_of(a))

    def many_back(self, start: int, at_y: Array) -> Array:
        """From what arrives behind to what arrives before, at all of them."""
        out = numpy.empty(at_y.shape, at_y.dtype)
        self._back(_as_one(self._saved[start : start + len(at_y)]), 0, 0, _as_one(at_y), _as_one(out))
        return out


def _as_one(steps: Array) -> Array:
    """The rows of several steps as those of one."""
    return rows_of(steps)[None]


class NormedCell:
    """The normalisation of the cell; see :class:`Normed`. ``carried``: what comes out is the cell that goes on."""

    def __init__(self, gain: Array, bias: Array, saved: Array, carried: bool) -> None:
        gain, bias = numpy.ascontiguousarray(gain), numpy.ascontiguousarray(bias)
        self.at_gain, self.at_bias = (numpy.zeros(gain.shape, gain.dtype) for _ in range(2))
        self.normalise = functools.partial(compiled(cell, gain.dtype), carried, gain, bias, saved)
        self.back = functools.partial(
            compiled(cell_back, gain.dtype), carried, gain, self.at_gain, self.at_bias, saved
        )


@register_jitable(**OPTIONS)
def _statistics(values: Row) -> tuple[Any, Any]:
    """The mean of a row, and s."""
    total, squares = values.dtype.type(0), values.dtype.type(0)
    for u in range(values.size):
        total += values[u]
    mean = total / values.dtype.type(values.size)
    for u in range(values.size):
        squares += (values[u] - mean) * (values[u] - mean)
    return mean, values.dtype.type(1 / math.sqrt(squares / values.size + EPS))


def normalise(first: int, gain: Row, saved: NewSteps, t: int, a: NewState) -> None:
    """Make y of as many columns of ``a`` as there are gains; fills in what is saved of step ``t``."""
    columns = gain.size
    for row in range(saved.shape[1]):
        for part in range(1 if first == columns else 2):
            start, stop = (0, first) if part == 0 else (first, columns)
            values, n, g = a[row, start:stop], saved[t, row, start:stop], gain[start:stop]
            mean, s = _statistics(values)
            saved[t, row, columns + part] = s
            for u in range(values.size):
                n[u] = s * (values[u] - mean)
                values[u] = g[u] * n[u]


def normalise_back(
    first: int, gain: Row, at_gain: NewRow, saved: Steps, t: int, offset: int, at_y: Steps, at_a: NewSteps
) -> None:
    """Fills in what arrives at ``a``, and adds to what arrives at the gain. Saved steps are ``offset`` further on."""
    _, rows, columns = at_y.shape
    zero = at_y.dtype.type(0)
    for row in range(rows):
        for part in range(1 if first == columns else 2):
            start, stop = (0, first) if part == 0 else (first, columns)
            y, a, g = at_y[t, row, start:stop], at_a[t, row, start:stop], gain[start:stop]
            n, of_gain = saved[offset + t, row, start:stop], at_gain[start:stop]
            s = saved[offset + t, row, columns + part]
            total, along = zero, zero
            for u in range(y.size):
                of_gain[u] += y[u] * n[u]
                total += y[u] * g[u]
                along += y[u] * g[u] * n[u]
            mean, share = total / at_y.dtype.type(y.size), along / at_y.dtype.type(y.size)
            for u in range(y.size):
                a[u] = s * (y[u] * g[u] - mean - n[u] * share)


def cell(
    carried: bool,
    gain: Row,
    bias: Row,
    saved: NewSteps,
    t: int,
    offset: int,
    kept: NewSteps,
    over: Flags,
    hs: NewSteps,
) -> None:
    """After a step of the LSTM: normalise the new cell, and make h anew. ``carried``: the result is the cell itself."""
    _, rows, hidden = hs.shape
    for row in range(rows):
        at, n, h = kept[t, row], saved[offset + t, row], hs[t + 1, row]
        c, o, seen = kept[t + 1, row, 4 * hidden : 5 * hidden], at[3 * hidden : 4 * hidden], at[5 * hidden :]
        if over[t, row]:
            continue
        mean, s = _statistics(c)
        n[hidden] = s
        for u in range(hidden):
            n[u] = s * (c[u] - mean)
            y = gain[u] * n[u] + bias[u]
            seen[u] = tanh(y)
            h[u] = o[u] * seen[u]
            if carried:
                c[u] = y


def cell_back(
    carried: bool,
    gain: Row,
    at_gain: NewRow,
    at_bias: NewRow,
    saved: Steps,
    t: int,
    offset: int,
    kept: Steps,
    arriving: Steps,
    over: Flags,
    at_h: State,
    carry: State,
    at_c: NewState,
) -> None:
    """Before a step back of the LSTM: make of what arrives at the cell in its forms what arrives at f c + i g."""
    rows, hidden = carry.shape
    zero, one = kept.dtype.type(0), kept.dtype.type(1)
    for row in range(rows):
        at, n, d_c = kept[t, row], saved[offset + t, row], at_c[row]
        d_h, straight, d_out = at_h[row], carry[row], arriving[t, row]
        o, seen = at[3 * hidden : 4 * hidden], at[5 * hidden :]
        if over[t, row]:
            continue
        total, along = zero, zero
        for u in range(hidden):
            y = (d_h[u] + straight[u] + d_out[u]) * o[u] * (one - seen[u] * seen[u]) + (d_c[u] if carried else zero)
            at_gain[u] += y * n[u]
            at_bias[u] += y
            total += y * gain[u]
            along += y * gain[u] * n[u]
        mean, share = total / kept.dtype.type(hidden), along / kept.dtype.type(hidden)
        s = n[hidden]
        for u in range(hidden):
            y = (d_h[u] + straight[u] + d_out[u]) * o[u] * (one - seen[u] * seen[u]) + (d_c[u] if carried else zero)
            d_c[u] = s * (y * gain[u] - mean - n[u] * share) + (zero if carried else d_c[u])
