r"""Normalisation over the rows of feature-major arrays, forward and backward.

What is normalised is mostly a product :math:`W h`. Its mean over the rows is the mean row of W times h, so with the
mean row taken off W beforehand nothing has a mean any more, neither here nor, on the way back, behind
:math:`W^\top`: what remains for each step is one scale for each column. Sums over rows are products with ones, which
are quicker than reductions.
"""

from __future__ import annotations

from typing import Any

from minigrad.backend import xp

from ..cells.norm import EPS
from .memory import empty

Array = Any


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


class Norm:
    r"""Scales columns that have no mean, :math:`y = s a` with :math:`s = 1/\sqrt{\overline{a^2} + \epsilon}`.

    Args:
        module: the array module.
        shape: of what is normalised, ``(rows, columns)`` or ``(steps, rows, columns)``.
        gain: what y is multiplied by afterwards, ``(rows, columns)``, all columns alike.
    """

    def __init__(self, module: Any, shape: tuple[int, ...], gain: Array) -> None:
        rows, dtype = shape[-2], gain.dtype
        self.module, self.gain = module, gain
        self.mean = module.full((1, rows), 1 / rows, dtype)
        self.gained_mean = self.mean * gain[:, 0]
        self.eps, self.one = module.full((), EPS, dtype), module.ones((), dtype)
        self.scratch, self.products = empty(module, shape, dtype), empty(module, shape, dtype)
        self.means = module.empty((*shape[:-2], 1, shape[-1]), dtype)

    def __call__(self, a: Array, out: Array, scale: Array) -> None:
        """Put the normalised ``a`` into ``out`` (which may be ``a``), and the scale into ``(..., 1, columns)``."""
        module = self.module
        module.multiply(a, a, out=self.scratch)
        module.matmul(self.mean, self.scratch, out=scale)
        module.add(scale, self.eps, out=scale)
        module.sqrt(scale, out=scale)
        module.divide(self.one, scale, out=scale)
        module.multiply(a, scale, out=out)

    def back(self, g: Array, normal: Array, scale: Array, out: Array) -> Array:
        r"""From the gradient of what the gain g gave, that of ``a``, into ``out`` (which may be ``g``).

        With :math:`\delta = g \odot` the gradient: :math:`s (\delta - y \, \overline{\delta y})`.

        Returns:
            The gradient times y, of which the sum over the columns is that of the gain; overwritten by the next call.
        """
        module = self.module
        at_gain = module.multiply(g, normal, out=self.products)
        module.matmul(self.gained_mean, at_gain, out=self.means)
        module.multiply(normal, self.means, out=self.scratch)
        module.multiply(g, self.gain, out=out)
        module.subtract(out, self.scratch, out=out)
        module.multiply(out, scale, out=out)
        return at_gain


class CentringNorm(Norm):
    """A norm that takes the mean off itself."""

    def __call__(self, a: Array, out: Array, scale: Array) -> None:
        """See :class:`Norm`."""
        self.module.matmul(self.mean, a, out=self.means)
        self.module.subtract(a, self.means, out=out)
        super().__call__(out, out, scale)

    def back(self, g: Array, normal: Array, scale: Array, out: Array) -> Array:
        """See :class:`Norm`."""
        at_gain = super().back(g, normal, scale, out)
        self.module.matmul(self.mean, out, out=self.means)
        self.module.subtract(out, self.means, out=out)
        return at_gain
