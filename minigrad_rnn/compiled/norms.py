r"""Layer normalisation of the rows of a matrix in place, compiled; see :mod:`.steps` for the conventions.

:math:`y = g \odot n` with :math:`n = s (a - \bar a)` and :math:`s = 1/\sqrt{\overline{(a - \bar a)^2} + \epsilon}`.
Where rows have two parts that are normalised apart from each other, ``first`` columns are one and the others the
other. Back: with :math:`\delta` what arrives at n, :math:`s (\delta - \bar\delta - n \, \overline{\delta n})`.
"""

from __future__ import annotations

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
        normal: what the way back needs, ``(steps, N, columns)``; filled in on the way forward.
        scale: likewise, ``(steps, N, 2)``.
        first: columns that are normalised together, the others being so apart from them; 0: all are.

    Attributes:
        at_gain: the gradient of the gain, summed up on the way back.
    """

    def __init__(self, gain: Array, normal: Array, scale: Array, first: int = 0) -> None:
        self.gain, self.normal, self.scale = numpy.ascontiguousarray(gain), normal, scale
        self.first, self.at_gain = first or len(gain), numpy.zeros_like(self.gain)
        self._forward, self._back = compiled(normalise, gain.dtype), compiled(normalise_back, gain.dtype)

    def __call__(self, t: int, start: int, a: Array) -> None:
        """Normalise at step ``t`` of those from ``start`` on, ``(N, at least columns)``, in place."""
        self._forward(start + t, a, self.first, self.gain, self.normal, self.scale)

    def many(self, start: int, a: Array) -> None:
        """Likewise at all steps from ``start`` on, ``(steps, N, at least columns)``."""
        here = slice(start, start + len(a))
        self._forward(0, rows_of(a), self.first, self.gain, _as_one(self.normal[here]), _as_one(self.scale[here]))

    def back(self, t: int, start: int, at_y: Array, out: Array) -> None:
        """From what arrives behind to what arrives before, at one step of ``(steps, N, columns)``."""
        self._back(t, start, at_y, self.first, self.gain, self.normal, self.scale, out, self.at_gain)

    def many_back(self, start: int, at_y: Array) -> Array:
        """Likewise at all of them."""
        here, out = slice(start, start + len(at_y)), numpy.empty_like(at_y)
        saved = _as_one(self.normal[here]), _as_one(self.scale[here])
        self._back(0, 0, _as_one(at_y), self.first, self.gain, *saved, _as_one(out), self.at_gain)
        return out


def _as_one(steps: Array) -> Array:
    """The rows of several steps as those of one."""
    return rows_of(steps)[None]


class NormedCell:
    """The normalisation of the cell; see :class:`Normed`. ``carried``: what comes out is the cell that goes on."""

    def __init__(self, gain: Array, bias: Array, normal: Array, scale: Array, carried: bool) -> None:
        self.gain, self.bias = numpy.ascontiguousarray(gain), numpy.ascontiguousarray(bias)
        self.normal, self.scale, self.carried = normal, scale, carried
        self.at_gain, self.at_bias = numpy.zeros_like(self.gain), numpy.zeros_like(self.gain)
        self._forward, self._back = compiled(cell, gain.dtype), compiled(cell_back, gain.dtype)

    def __call__(self, t: int, start: int, kept: Array, over: Array, hs: Array) -> None:
        """After step ``t`` of those from ``start`` on."""
        saved = self.gain, self.bias, self.normal, self.scale
        self._forward(t, start, kept, over, self.carried, *saved, hs)

    def back(
        self, t: int, start: int, kept: Array, arriving: Array, over: Array, at_h: Array, carry: Array, at_c: Array
    ) -> None:
        """Before step ``t`` back."""
        saved = self.gain, self.normal, self.scale
        sums = self.at_gain, self.at_bias
        self._back(t, start, kept, arriving, over, self.carried, *saved, at_h, carry, at_c, *sums)


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


def normalise(t: int, a: NewState, first: int, gain: Row, normal: NewSteps, scale: NewSteps) -> None:
    """Make y of as many columns of ``a`` as n has; fills in n, and s of each part, of step ``t``."""
    _, rows, columns = normal.shape
    for row in range(rows):
        for part in range(1 if first == columns else 2):
            start, stop = (0, first) if part == 0 else (first, columns)
            values, n, g = a[row, start:stop], normal[t, row, start:stop], gain[start:stop]
            mean, s = _statistics(values)
            scale[t, row, part] = s
            for u in range(values.size):
                n[u] = s * (values[u] - mean)
                values[u] = g[u] * n[u]


def normalise_back(
    t: int,
    offset: int,
    at_y: Steps,
    first: int,
    gain: Row,
    normal: Steps,
    scale: Steps,
    at_a: NewSteps,
    at_gain: NewRow,
) -> None:
    """Fills in what arrives at ``a``, and adds to what arrives at the gain. Saved steps are ``offset`` further on."""
    _, rows, columns = at_y.shape
    zero = at_y.dtype.type(0)
    for row in range(rows):
        for part in range(1 if first == columns else 2):
            start, stop = (0, first) if part == 0 else (first, columns)
            y, a, g = at_y[t, row, start:stop], at_a[t, row, start:stop], gain[start:stop]
            n, s, of_gain = normal[offset + t, row, start:stop], scale[offset + t, row, part], at_gain[start:stop]
            total, along = zero, zero
            for u in range(y.size):
                of_gain[u] += y[u] * n[u]
                total += y[u] * g[u]
                along += y[u] * g[u] * n[u]
            mean, share = total / at_y.dtype.type(y.size), along / at_y.dtype.type(y.size)
            for u in range(y.size):
                a[u] = s * (y[u] * g[u] - mean - n[u] * share)


def cell(
    t: int,
    offset: int,
    kept: NewSteps,
    over: Flags,
    carried: bool,
    gain: Row,
    bias: Row,
    normal: NewSteps,
    scale: NewSteps,
    hs: NewSteps,
) -> None:
    """After a step of the LSTM: normalise the new cell, and make h anew. ``carried``: the result is the cell itself."""
    _, rows, hidden = hs.shape
    for row in range(rows):
        at, n, h = kept[t, row], normal[offset + t, row], hs[t + 1, row]
        c, o, seen = kept[t + 1, row, 4 * hidden : 5 * hidden], at[3 * hidden : 4 * hidden], at[5 * hidden :]
        if over[t, row]:
            continue
        mean, s = _statistics(c)
        scale[offset + t, row, 0] = s
        for u in range(hidden):
            n[u] = s * (c[u] - mean)
            y = gain[u] * n[u] + bias[u]
            seen[u] = tanh(y)
            h[u] = o[u] * seen[u]
            if carried:
                c[u] = y


def cell_back(
    t: int,
    offset: int,
    kept: Steps,
    arriving: Steps,
    over: Flags,
    carried: bool,
    gain: Row,
    normal: Steps,
    scale: Steps,
    at_h: State,
    carry: State,
    at_c: NewState,
    at_gain: NewRow,
    at_bias: NewRow,
) -> None:
    """Before a step back of the LSTM: make of what arrives at the cell in its forms what arrives at f c + i g."""
    rows, hidden = carry.shape
    zero, one = kept.dtype.type(0), kept.dtype.type(1)
    for row in range(rows):
        at, n, d_c = kept[t, row], normal[offset + t, row], at_c[row]
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
        s = scale[offset + t, row, 0]
        for u in range(hidden):
            y = (d_h[u] + straight[u] + d_out[u]) * o[u] * (one - seen[u] * seen[u]) + (d_c[u] if carried else zero)
            d_c[u] = s * (y * gain[u] - mean - n[u] * share) + (zero if carried else d_c[u])
