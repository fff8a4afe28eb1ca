"""The recurrent product of a step, batch-major.

``h @ weight`` is quick where the weight lies as it is read, with the sums along its columns, and where OpenBLAS need
not copy it at every step, see :mod:`minigrad_rnn.kernels.products`: so it is laid out once for a sequence, cut into
pieces that are small enough.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy

from ..kernels.memory import empty
from ..kernels.products import SMALL, shared, small_are_quick

Array = Any

LEAST = 32  # columns that a piece should have: two registers
WIDE = 100  # columns that it should have at most, because wide ones take twice as long to copy
FEW = 1 << 16  # elements of a weight that is multiplied in small pieces even for many steps at once
MANY = 1 << 18  # elements of a gradient of a weight that is computed whole if it has more
DEEP = 720  # rows that are summed over in a small piece of the gradient of a weight, at most


@functools.cache
def _pieces(columns: int, inner: int, size: int) -> tuple[int, int]:
    """Into how many parts the sums of a product should be cut, and how many columns a piece should have.

    No columns: it should be left whole. Pieces are quickest with multiples of 16 columns, of 8 next.
    """
    work = columns * inner * size
    if small_are_quick() and work > SMALL and not shared(work):
        for blocks in [n for n in (1, 2, 4, 8, 16, 32) if inner % n == 0]:
            most = min(WIDE, SMALL // (inner // blocks * size))
            widths = [n for n in range(most, LEAST - 1, -1) if columns % n == 0]
            if widths:
                return blocks, min(widths, key=lambda n: (n % 16 > 0) + (n % 8 > 0))
    return 1, 0


class Product:
    """``h @ weight`` for ``h`` ``(N, inner)``, and times a mask, step by step.

    Args:
        weight: ``(inner, columns)``.
        size: N.
        before: what h is multiplied by first, ``(N, inner)``, or ``None``.
        after: what the product is multiplied by, ``(N, columns)``, or ``None``.
    """

    def __init__(self, weight: Array, size: int, before: Array = None, after: Array = None) -> None:
        inner, columns = weight.shape
        if size == 1:  # a mask for one row may as well be in the weight
            weight = weight if before is None else weight * before.T
            weight = weight if after is None else weight * after
            before = after = None
        self.before, self.after = before, after
        self.result = numpy.empty((size, columns), weight.dtype)
        self._masked = None if before is None else numpy.empty_like(before)
        self._pieces = self._terms = None
        blocks, width = _pieces(columns, inner, size)
        if not width:
            self._weight = numpy.ascontiguousarray(weight)
            return
        pieces, inner = columns // width, inner // blocks
        self._weight = _readable(weight.reshape(blocks, inner, pieces, width).swapaxes(1, 2))
        terms = self.result[None]
        if blocks > 1:
            self._terms = terms = numpy.empty((blocks, size, columns), weight.dtype)
        self._blocks = (size, blocks, inner)
        self._pieces = terms.reshape(blocks, size, pieces, width).swapaxes(1, 2)

    def __call__(self, h: Array) -> Array:
        """``(N, columns)``; the next call overwrites it."""
        if self.before is not None:
            h = numpy.multiply(h, self.before, out=self._masked)
        if self._pieces is None:
            h.dot(self._weight, self.result)
        elif self._terms is None:
            numpy.matmul(h, self._weight, out=self._pieces)
        else:
            numpy.matmul(h.reshape(self._blocks).swapaxes(0, 1)[:, None], self._weight, out=self._pieces)
            numpy.add.reduce(self._terms, axis=0, out=self.result)
        if self.after is not None:
            numpy.multiply(self.result, self.after, out=self.result)
        return self.result

    def none(self) -> Array:
        """The same for zeros: a state that begins with nothing needs no product.

        Not even with weights that are not finite, where a product would be NaN.
        """
        self.result[...] = 0
        return self.result


class Hoisted:
    """``x @ weight`` for many steps ``(steps, N, inner)`` at once: one product, or small ones where that is quicker."""

    def __init__(self, weight: Array, size: int) -> None:
        self.weight, self.pieces = weight, None
        inner, columns = weight.shape
        blocks, width = _pieces(columns, inner, size) if weight.size <= FEW else (1, 0)
        if width and blocks == 1:
            self.pieces = _readable(weight.reshape(inner, columns // width, width).swapaxes(0, 1))

    def __call__(self, x: Array, out: Array) -> None:
        """Put the products into ``out``, ``(steps, N, columns)``."""
        if self.pieces is None or shared(x.size * out.shape[2]):
            numpy.matmul(rows_of(x), self.weight, out=rows_of(out))
        else:
            pieces, _, width = self.pieces.shape
            numpy.matmul(x[:, None], self.pieces, out=out.reshape(*out.shape[:2], pieces, width).swapaxes(1, 2))


def _readable(pieces: Array) -> Array:
    """Pieces of a weight with their columns side by side in memory: copied only if they are not.

    Or if rows are so far apart that the cache has the same few places for all of them.
    """
    if pieces.strides[-1] == pieces.itemsize and pieces.strides[-2] % 1024:
        return pieces
    copy = empty(numpy, pieces.shape, pieces.dtype)
    copy[...] = pieces
    return copy


def rows_of(steps: Array) -> Array:
    """``(steps, N, columns)`` as ``(steps * N, columns)``."""
    count, size, columns = steps.shape
    return steps.reshape(count * size, columns)


def gradient(gates: Array, others: Array) -> Array:
    """``gates.T @ others``: one product, or small ones where that is quicker."""
    (count, height), width = gates.shape, others.shape[1]
    out = empty(numpy, (height, width), gates.dtype)
    down, across = square(height, width)
    if not across or not 1 < count <= DEEP or shared(count * height * width):
        return numpy.matmul(gates.T, others, out=out)
    left = gates.reshape(count, height // down, 1, down).transpose(1, 2, 3, 0)
    right = others.reshape(count, width // across, across).swapaxes(0, 1)
    numpy.matmul(left, right, out=out.reshape(height // down, down, width // across, across).swapaxes(1, 2))
    return out


@functools.cache
def square(height: int, width: int) -> tuple[int, int]:
    """How high and how wide the pieces of a gradient should be; zeros if it should be left whole."""
    across = next((n for n in (32, 40) if width % n == 0), 0) if small_are_quick() else 0
    return (32, across) if across and height % 32 == 0 and height * width <= MANY else (0, 0)
