"""What the fused kernels share: how a sequence goes in and comes out, and products over many steps at once.

Inside a kernel everything is *feature-major*: a state is ``(features, N)``, and a step is ``W @ h``. BLAS is about
twice as quick at that as at ``h @ W.T`` with the rows of a batch in front, because the batch is the small dimension.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy

from minigrad.backend import xp

from ..cells.unroll import Running
from .memory import empty

Array = Any

CHUNK = 1 << 18  # elements of gates that go into one hoisted product, so that it does not fill the memory
LEAST = 1024  # columns that such a product should at least have
BLOCK = 1 << 16  # elements of gates whose factors are computed together, so that they are in the cache when used
DEVICE = 1 << 24  # elements for both on a GPU, to which every range costs launches


class Batch:
    """The inputs of a kernel, in the order in which they are processed.

    Attributes:
        module: the array module.
        x: ``(T, N, features)``, with whatever stands where rows are over; see :meth:`inputs`.
        steps, size: T and N.
        over: booleans ``(T, 1, N)``, true where a row is over, or ``None`` where none ever is.
    """

    def __init__(self, x: Array, reverse: bool, running: Running | None) -> None:
        self.module, self.reverse = xp(x), reverse
        self.x = self.ordered(x)
        self.steps, self.size = x.shape[:2]
        self.over: Array = None
        self._over: Running | None = None
        if running is not None and not running.all():
            self._over = self.ordered(~running)
            self.over = self.module.asarray(numpy.ascontiguousarray(self._over[:, None, :]))

    @functools.cached_property
    def pauses(self) -> list[bool]:
        """For each step, whether any row is over."""
        return [False] * self.steps if self._over is None else [bool(row.any()) for row in self._over]

    def ordered(self, steps: Array) -> Array:
        """Steps of the user in the order in which they are processed, or the other way round."""
        return steps[::-1] if self.reverse else steps

    def inputs(self, start: int, stop: int) -> Array:
        """A range of steps of ``x``, with zeros where rows are over."""
        x = self.x[start:stop]
        if self._over is None or not self._over[start:stop].any():
            return x
        return self.module.where(self.over[start:stop].transpose(0, 2, 1), self.module.zeros((), x.dtype), x)

    def chunks(self, rows: int, least: int = 0) -> list[tuple[int, int]]:
        """Ranges of steps whose ``rows`` gates fit into a chunk, of at least ``LEAST`` columns, or ``least``."""
        width = self._width(rows, CHUNK)
        return ranges(0, self.steps, max(width, max(LEAST, least) // max(1, self.size)))

    def blocks(self, rows: int, start: int, stop: int) -> list[tuple[int, int]]:
        """Ranges of steps, within a chunk, whose ``rows`` gates fit into a block."""
        return ranges(start, stop, self._width(rows, BLOCK))

    def _width(self, rows: int, most: int) -> int:
        """How many steps have ``most`` elements in ``rows``, or on a GPU ``DEVICE``."""
        width: int = (most if self.module is numpy else DEVICE) // max(1, rows * self.size)
        return width

    def output(self, states: Array, kept: bool) -> Array:
        """States ``(T, features, N)`` as outputs ``(T, N, features)``, with zeros where rows are over.

        A view, and the zeros are put into the states themselves, unless these are ``kept`` and any row is over.
        """
        if kept:
            states = self.still(states, 0, self.steps)
        else:
            self.silence(states, 0, self.steps)
        return self.ordered(states).transpose(0, 2, 1)

    def arriving(self, g: Array, start: int, stop: int) -> Array:
        """A gradient of the outputs, of a range of steps in order of processing, as ``(steps, features, N)``.

        Zeros where rows are over.
        """
        g = self.ordered(g)[start:stop].transpose(0, 2, 1)
        arriving = empty(self.module, g.shape, g.dtype)
        arriving[...] = g
        self.silence(arriving, start, stop)
        return arriving

    def leaving(self, dx: Array | None) -> Array | None:
        """A gradient of ``x``, if there is one, in the order of its steps."""
        return None if dx is None else self.ordered(dx)

    def stay(self, t: int, after: Array, before: Array) -> None:
        """Where rows are over at step ``t``, make ``after`` what was ``before``."""
        if self.pauses[t]:
            self.module.copyto(after, before, where=self.over[t])

    def silence(self, steps: Array, start: int, stop: int) -> None:
        """Put zeros into a range of steps, ``(steps, features, N)``, where rows are over."""
        if any(self.pauses[start:stop]):
            self.module.copyto(steps, self.module.zeros((), steps.dtype), where=self.over[start:stop])

    def still(self, factors: Array, start: int, stop: int, value: float = 0.0) -> Array:
        """``factors`` of a range of steps, with ``value`` where rows are over."""
        if not any(self.pauses[start:stop]):
            return factors
        return self.module.where(self.over[start:stop], self.module.full((), value, factors.dtype), factors)


def ranges(start: int, stop: int, most: int) -> list[tuple[int, int]]:
    """What is from ``start`` to ``stop``, in as few ranges of at most so many as will do, nearly alike.

    The last may be shorter than the others, which are of one width: so they can use the same memory.
    """
    count = max(1, -(-(stop - start) // max(1, most)))
    width = max(1, -(-(stop - start) // count))
    return [(first, min(first + width, stop)) for first in range(start, stop, width)]


def flat(steps: Array, last: int = 0) -> Array:
    """``(T, features, N)`` as ``(features, T, N)``, to be multiplied over all steps at once.

    The first ``last`` features are moved behind the others.
    """
    count, features, size = steps.shape
    out = empty(xp(steps), (features, count, size), steps.dtype)
    turned = steps.transpose(1, 0, 2)
    out[: features - last], out[features - last :] = turned[last:], turned[:last]
    return out


def by_block(steps: Array, hidden: int) -> Array:
    """``(T, blocks * hidden, N)`` as ``(blocks, T, hidden, N)``, a view."""
    count, rows, size = steps.shape
    return steps.reshape(count, rows // hidden, hidden, size).swapaxes(0, 1)


def first_last(rows: Array, hidden: int) -> Array:
    """Rows with the first block of ``hidden`` behind the others."""
    return xp(rows).concatenate([rows[hidden:], rows[:hidden]])


def feature_major(mask: Array) -> Array:
    """A mask ``(N, features)`` turned around, or ``None``."""
    return None if mask is None else xp(mask).ascontiguousarray(mask.T)


def total(columns: Array) -> Array:
    """The sum of the columns of a matrix, as a product with ones: quicker than a reduction along rows."""
    return columns @ xp(columns).ones(columns.shape[1], columns.dtype)


class WeightGradients:
    """Sums the gradients of the weights over chunks of steps, and computes those of the inputs."""

    def __init__(self, batch: Batch, weight_ih: Array, needs_x: bool) -> None:
        self.batch, self.weight_ih = batch, weight_ih
        self.sums: dict[str, Array] = {}
        self.x = empty(batch.module, batch.x.shape, batch.x.dtype) if needs_x else None

    def add(self, name: str, gates: Array, others: Array) -> None:
        """Add to one of the sums the product of what is at the gates and what they were computed from.

        Both are ``(rows, steps, N)`` or ``(rows, steps * N)``.
        """
        gates, others = gates.reshape(len(gates), -1), others.reshape(len(others), -1)
        product = empty(self.batch.module, (len(gates), len(others)), gates.dtype)
        self.batch.module.matmul(gates, others.T, out=product)
        if name in self.sums:
            self.sums[name] += product
        else:
            self.sums[name] = product

    def states(self, gates: Array, states: Array, mask: Array = None, name: str = "weight_hh") -> None:
        """Take in what arrives at the recurrent products of a range of steps, of states ``(steps, features, N)``.

        If a mask of variational dropout is given, ``(features, N)``, these saw the states times it.
        """
        columns = flat(states)
        if mask is not None:
            columns *= mask[:, None]
        self.add(name, gates, columns)

    def add_bias(self, name: str, gates: Array) -> None:
        """Add to one of the sums what is at the gates."""
        part = total(gates.reshape(len(gates), -1))
        self.sums[name] = self.sums[name] + part if name in self.sums else part

    def inputs(self, start: int, stop: int, gates: Array, biased: bool = True) -> None:
        """Take in what arrives at the projected inputs of a range of steps, ``(rows, steps, N)``.

        With ``biased``, at the bias too.
        """
        columns = self.batch.inputs(start, stop).reshape(-1, self.batch.x.shape[2])
        gates = gates.reshape(len(gates), -1)
        self.add("weight_ih", gates, columns.T)
        if biased:
            self.add_bias("bias_ih", gates)
        if self.x is not None:
            self.batch.module.matmul(gates.T, self.weight_ih, out=self.x[start:stop].reshape(columns.shape))

    def total(self, name: str, like: Array) -> Array:
        """One of the sums; without a step, zeros."""
        return self.sums[name] if name in self.sums else self.batch.module.zeros_like(like)
