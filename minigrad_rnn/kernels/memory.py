"""Memory that is used again.

Memory fresh from the system is mapped page by page when it is first touched, which costs as much as several passes
over it, and the C library gives large blocks back as soon as they are free. A step of training asks for the same
sizes every time, so here large arrays live in buffers that go to a small store when the arrays have died.

An array owns its buffer as long as it, or any view of it, is alive, wherever it has got to: into a graph, to another
thread, to the user. Nothing has to be given back by hand, and nothing alive is ever overwritten.
"""

from __future__ import annotations

import math
import threading
import weakref
from typing import Any

import numpy

Array = Any

LEAST = 1 << 16  # bytes: below, the C library keeps the memory anyway
MOST = 1 << 28  # bytes that may lie idle
LINE = 64  # bytes of a cache line: arrays begin at one


class _Loan(weakref.ref):  # type: ignore[type-arg]
    """Tells when the array that a buffer was lent to has died."""

    __slots__ = ("buffer",)
    buffer: Any


class Store:
    """Buffers that no array uses any more, up to ``MOST`` bytes of them; the oldest go first.

    Who finds the lock taken does without the store, because a death can be noticed at any moment, even while the same
    thread is inside.
    """

    def __init__(self) -> None:
        self.idle: list[Array] = []
        self.loans: dict[int, _Loan] = {}
        self.lock = threading.Lock()

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """An array with whatever is in its memory."""
        count = math.prod(shape)
        size = count * dtype.itemsize
        if size < LEAST:
            return numpy.empty(shape, dtype)
        buffer = self._take(size)
        # A memory view in between, or views of the array would hold the buffer and not the array.
        array = numpy.frombuffer(memoryview(buffer), dtype, count, -buffer.ctypes.data % LINE)
        loan = _Loan(array, self._died)
        loan.buffer = buffer
        self.loans[id(loan)] = loan
        return array.reshape(shape)

    def _take(self, size: int) -> Array:
        """An idle buffer of the size or up to a quarter more, or a new one."""
        if self.lock.acquire(blocking=False):
            try:
                for i, buffer in enumerate(self.idle):
                    if size + LINE <= len(buffer) <= size + LINE + size // 4:
                        return self.idle.pop(i)
            finally:
                self.lock.release()
        return numpy.empty(size + LINE, numpy.uint8)

    def _died(self, loan: Any) -> None:
        del self.loans[id(loan)]
        if self.lock.acquire(blocking=False):
            try:
                self.idle.append(loan.buffer)
                while sum(map(len, self.idle)) > MOST:
                    del self.idle[0]
            finally:
                self.lock.release()


_store = Store()


def empty(module: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """``module.empty``, from the store if the memory is the host's; CuPy keeps a store of its own."""
    return _store.empty(shape, dtype) if module is numpy else module.empty(shape, dtype)
