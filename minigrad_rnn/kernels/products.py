"""Matrix products, cut so that BLAS is quick at them.

OpenBLAS copies both factors of a product into an order of its own before it multiplies, which pays for large factors.
In a recurrent step one factor has only as many columns as the batch has rows, and the copying takes a third of the
time. Products of up to a million multiplications are done without (``SMALL_MATRIX_OPT`` in OpenBLAS, on processors
with AVX-512), so there a step is a stack of such products. Elsewhere pieces take longer than the whole.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy
from numpy.lib import introspect

from .memory import empty

Array = Any

SMALL = 1_000_000  # multiplications of the largest product that is done without copying
LEAST = 8  # rows that such a product should have
AVX512 = ("skylakex", "cooperlake", "sapphirerapids")  # OpenBLAS's names of such processors
LARGE = 40_000_000  # multiplications that are better shared among threads, if there are several


def threads() -> int:
    """How many threads BLAS may use, as far as the environment says."""
    names = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")
    given = next((os.environ[name] for name in names if os.environ.get(name, "").isdigit()), None)
    return max(1, int(given)) if given else os.cpu_count() or 1


def shared(work: int) -> bool:
    """Whether a product of so many multiplications is better left to several threads, which share no small ones."""
    return work > LARGE and threads() > 1


@functools.cache
def small_are_quick() -> bool:
    """Whether small products are done without copying, as far as can be told: OpenBLAS for AVX-512."""
    blas = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    pinned = os.environ.get("OPENBLAS_CORETYPE", "").lower()
    if "openblas" not in blas or pinned:
        return pinned in AVX512
    (chosen,) = introspect.opt_func_info("^tanh$", "float32")["tanh"].values()
    return chosen["current"].startswith(("AVX512", "X86_V4"))


@functools.cache
def cut(rows: int, inner: int, columns: int, times: int = 1) -> int:
    """How many rows of ``rows`` a product should have to be small: a divisor, or 0 if it should be left whole.

    Args:
        rows: of the first factor, ``(rows, inner)``.
        inner: the length of the sums.
        columns: of the second factor.
        times: how many such products a step consists of.
    """
    each = max(1, inner * columns)
    if not small_are_quick() or times * rows * each <= SMALL or shared(times * rows * each):
        return 0
    most = min(rows, SMALL // each)
    return next((part for part in range(most, LEAST - 1, -1) if rows % part == 0), 0)


class Forward:
    """``weight @ h``, step by step; the result is overwritten by the next.

    With a ``mask``, ``(features, N)``, h is multiplied by it first.
    """

    def __init__(self, module: Any, weight: Array, size: int, mask: Array = None) -> None:
        rows, inner = weight.shape
        self.multiply, self.mask = module.multiply, mask
        self._masked = None if mask is None else module.empty_like(mask)
        part = cut(rows, inner, size) if module is numpy else 0
        self.matmul, self.weight = module.matmul, weight
        self.result = self._out = module.empty((rows, size), weight.dtype)
        if part:
            self.weight = weight.reshape(rows // part, part, inner)
            self._out = self.result.reshape(rows // part, part, size)

    def __call__(self, h: Array) -> Array:
        """``(rows, N)``."""
        if self.mask is not None:
            h = self.multiply(h, self.mask, out=self._masked)
        self.matmul(self.weight, h, out=self._out)
        return self.result


class Back:
    """``weight.T @ d``, step by step; with a ``mask``, ``(features, N)``, times that."""

    def __init__(self, module: Any, weight: Array, size: int, gates: int, mask: Array = None) -> None:
        rows, features = weight.shape
        self.mask = mask
        self.module, self.weight, self.shape, self._parts = module, weight.T, None, None
        if module is not numpy:
            return
        part = cut(features, rows, size)
        if part < 2 * LEAST:  # then rather a stack for each gate, and the sum of them
            part, rows = cut(features, rows // gates, size, gates), rows // gates
        if part:
            count, pieces = len(weight) // rows, features // part
            self.weight = weight.reshape(count, rows, pieces, part).transpose(0, 2, 3, 1)
            self.shape = (count, 1, rows, size)
            self._whole = (1, pieces, part, size)
            if count > 1:
                self._parts = module.empty((count, pieces, part, size), weight.dtype)
                self._terms = self._parts.reshape(count, features, size)

    def __call__(self, d: Array, out: Array) -> None:
        """Puts the product with ``(rows, N)`` into ``out``, ``(features, N)``."""
        if self.shape is None:
            self.module.matmul(self.weight, d, out=out)
        elif self._parts is None:
            self.module.matmul(self.weight, d.reshape(self.shape), out=out.reshape(self._whole))
        else:
            self.module.matmul(self.weight, d.reshape(self.shape), out=self._parts)
            self.module.add.reduce(self._terms, axis=0, out=out)
        if self.mask is not None:
            self.module.multiply(out, self.mask, out=out)


class Projection:
    """``weight @ x + bias`` for a range of steps at once."""

    def __init__(self, module: Any, weight: Array, bias: Array, size: int) -> None:
        self.module, self.weight, self.bias, self.features = module, weight, bias, weight.shape[1]
        rows = len(weight)
        # Where the batch is wide enough, one product for each step leaves the results in place.
        self.stacked = module is numpy and size >= 16
        if self.stacked:
            self.inner = self.features + (bias is not None)
            part = cut(rows, self.inner, size) or rows
            if bias is not None:  # as a column more, met by an input that is always 1
                self.weight = module.concatenate([weight, bias.reshape(-1, 1)], axis=1)
            self.weight = self.weight.reshape(rows // part, part, self.inner)

    def into(self, x: Array, out: Array) -> None:
        """For ``x`` ``(steps, N, features)`` fill in ``out``, ``(steps, rows, N)``."""
        steps, size, features = x.shape
        rows = out.shape[1]
        if not self.stacked:
            product = x.reshape(-1, features) @ self.weight.T
            if self.bias is not None:
                product += self.bias
            out[...] = product.reshape(steps, size, rows).transpose(0, 2, 1)
            return
        columns = empty(self.module, (steps, 1, self.inner, size), x.dtype)
        columns[:, 0, :features] = x.transpose(0, 2, 1)
        columns[:, 0, features:] = 1
        self.module.matmul(self.weight, columns, out=out.reshape(steps, *self.weight.shape[:2], size))
