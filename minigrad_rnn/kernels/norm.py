r"""Normalisation over the rows of feature-major arrays, forward and backward.

What is normalised is mostly a product :math:`W h`. Its mean over the rows is the mean row of W times h, so with the
mean row taken off W beforehand nothing has a mean any more, neither here nor, on the way back, behind
:math:`W^\top`: what remains for each step is one scale for each column. Sums over rows are products with ones, which
are quicker than reductions.
"""

from __future__ import annotations

import functools
from typing import Any

from minigrad.backend import xp

from ..cells.norm import EPS
from .memory import empty

Array = Any

WIDE = 400  # elements that rows should have for a multiplication to be quick


def centred(weight: Array, blocks: tuple[int, ...] = (1,), out: Array = None) -> Array:
    """A weight without the mean of its rows, apart for each of the ``blocks`` (shares of the rows).

    The gradient of the weight is that of the centred one, centred.
    """
    module = xp(weight)
    out = empty(module, weight.shape, weight.dtype) if out is None else out
    for rows in shares(len(weight), blocks):
        part = weight[rows]
        mean = module.full((1, len(part)), 1 / len(part), weight.dtype)
        module.subtract(part, mean @ part, out=out[rows])
    return out


def shares(rows: int, blocks: tuple[int, ...]) -> list[slice]:
    """The rows of each block."""
    each, slices, first = rows // sum(blocks), [], 0
    for block in blocks:
        slices.append(slice(first, first + each * block))
        first += each * block
    return slices


@functools.cache
def _together(rows: int, columns: int) -> int:
    """How many rows to take for one: a divisor of their number that makes no more than ``WIDE`` elements."""
    return max(n for n in range(1, rows + 1) if rows % n == 0 and (n == 1 or n * columns <= WIDE))


class Norm:
    r"""Scales columns that have no mean, :math:`y = s a` with :math:`s = 1/\sqrt{\overline{a^2} + \epsilon}`.

    The rows are dealt with in units of equally many, the smallest into which the blocks divide; units of one block
    have the same scales.

    Args:
        module: the array module.
        shape: of what is normalised, ``(rows, columns)`` or ``(steps, rows, columns)``.
        gain: what y is multiplied by afterwards, ``(rows, columns)``, all columns alike.
        blocks: in which shares the rows are normalised, apart from each other, by numbers of units.
    """

    def __init__(self, module: Any, shape: tuple[int, ...], gain: Array, blocks: tuple[int, ...] = (1,)) -> None:
        *lead, rows, columns = shape
        units, dtype = sum(blocks), gain.dtype
        self.module, self.gain, self.mean = module, gain, module.zeros((units, rows), dtype)
        for block, of_block in zip(shares(units, blocks), shares(rows, blocks), strict=True):
            self.mean[block, of_block] = 1 / (of_block.stop - of_block.start)
        self.gained_mean = self.mean * gain[:, 0] if columns else self.mean
        self.eps, self.one = module.full((), EPS, dtype), module.ones((), dtype)
        self.scratch, self.means = empty(module, shape, dtype), module.empty((*lead, units, columns), dtype)
        each = rows // units
        fold = _together(each, columns)
        self.folded = (*lead, units, each // fold, fold * columns)
        self.wide = module.empty((*lead, units, fold, columns), dtype)

    def __call__(self, a: Array, out: Array, scale: Array) -> None:
        """Put the normalised ``a`` into ``out`` (which may be ``a``), and the scales into ``(..., units, columns)``."""
        module = self.module
        module.multiply(a, a, out=self.scratch)
        module.matmul(self.mean, self.scratch, out=scale)
        module.add(scale, self.eps, out=scale)
        module.sqrt(scale, out=scale)
        module.divide(self.one, scale, out=scale)
        self._times(a, scale, out)

    def back(self, g: Array, normal: Array, scale: Array, out: Array, at_gain: Array) -> None:
        r"""From the gradient of y times the gain, that of ``a``, into ``out`` (which may be ``g``).

        With :math:`\delta` the gradient of y: :math:`s (\delta - y \, \overline{\delta y})`. To ``at_gain``, ``(rows,
        columns)``, is added what, summed over the columns, is the gradient of the gain.
        """
        module = self.module
        products = module.multiply(g, normal, out=self.scratch)
        module.add(at_gain, products if products.ndim == 2 else products.sum(0), out=at_gain)
        module.matmul(self.gained_mean, products, out=self.means)
        self._times(normal, self.means, self.scratch)
        module.multiply(g, self.gain, out=out)
        module.subtract(out, self.scratch, out=out)
        self._times(out, scale, out)

    def _times(self, a: Array, scales: Array, out: Array) -> None:
        """Multiply every row of a unit by the same: several rows as one, because short ones are slow."""
        self.wide[...] = scales[..., None, :]
        wide = self.wide.reshape(*self.folded[:-2], 1, self.folded[-1])
        self.module.multiply(a.reshape(self.folded), wide, out=out.reshape(self.folded))


class CentringNorm(Norm):
    """A norm that takes the mean off itself."""

    def __call__(self, a: Array, out: Array, scale: Array) -> None:
        """See :class:`Norm`."""
        self.module.matmul(self.mean, a, out=self.means)
        self.module.subtract(a, self.means, out=out)
        super().__call__(out, out, scale)

    def back(self, g: Array, normal: Array, scale: Array, out: Array, at_gain: Array) -> None:
        """See :class:`Norm`."""
        super().back(g, normal, scale, out, at_gain)
        self.module.matmul(self.mean, out, out=self.means)
        self.module.subtract(out, self.means, out=out)
