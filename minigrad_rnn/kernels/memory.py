"""Memory that is used again.

Memory fresh from the system is mapped page by page when it is first touched, which costs as much as several passes
over it, and the C library gives large blocks back as soon as they are free. A step of training asks for the same
sizes every time, so here large arrays live in buffers that go to a small store when the arrays have died.

An array owns its buffer as long as it, or any view of it, is alive, wherever it has got to: into a graph, to another
thread, to the user. Nothing has to be given back by hand, and nothing alive is ever overwritten.
"""

from __future__ import annotations

import collections
import math
import threading
from typing import Any

import numpy

Array = Any

LEAST = 1 << 16  # bytes: below, the C library keeps the memory anyway
MOST = 1 << 29  # bytes that may lie idle
LINE = 64  # bytes of a cache line: arrays begin at one


class _Buffer(numpy.ndarray[Any, Any]):
    """Bytes of the store. A class of its own, because NumPy passes over plain arrays in what a view says it is of."""


class _Lent(numpy.ndarray[Any, Any]):
    """An array in a buffer, which goes back to the store when this and all views of it have died.

    If that fails, as when an interrupt comes in between, the buffer is freed like any other memory.
    """

    __slots__ = ("store",)
    store: Store

    def __del__(self) -> None:
        if hasattr(self, "store"):  # a copy of it, or a part, has none
            self.store.take_back(self.base)


class Store:
    """Buffers that no array uses any more, up to ``MOST`` bytes of them; sizes not in use for the longest go first.

    Who finds the lock taken does without the store, because a death can be noticed at any moment, even while the same
    thread is inside. An interrupt, which may come after any call, finds ``with`` giving it back; between a call of
    ``acquire`` and a ``try`` it would not.

    Attributes:
        idle: the buffers by their size; the size that was last in use comes last.
        total: bytes in all of them.
    """

    def __init__(self) -> None:
        self.idle: collections.OrderedDict[int, list[Array]] = collections.OrderedDict()
        self.total = 0
        self.lock = threading.Lock()

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """An array with whatever is in its memory."""
        size = math.prod(shape) * dtype.itemsize
        if size < LEAST:
            return numpy.empty(shape, dtype)
        lent = _Lent(shape, dtype, self._take(_room(size)))
        lent.store = self
        return lent.view(numpy.ndarray)

    def _take(self, room: int) -> Array:
        """An idle buffer, or a new one."""
        if not self.lock.locked():
            with self.lock:
                if buffers := self.idle.get(room):
                    self.idle.move_to_end(room)
                    self.total -= room
                    return buffers.pop()
        buffer = _Buffer(room + LINE, numpy.uint8)
        first = -buffer.ctypes.data % LINE
        return buffer[first : first + room]

    def take_back(self, buffer: Array) -> None:
        """Keep a buffer whose array has died."""
        room = len(buffer)
        if room > MOST or self.lock.locked():
            return
        with self.lock:
            buffers = self.idle.setdefault(room, [])
            self.idle.move_to_end(room)
            self.total += room
            buffers.append(buffer)
            while self.total > MOST:
                self._drop()

    def _drop(self) -> None:
        """Free a buffer of the size that was not in use for the longest."""
        room, buffers = next(iter(self.idle.items()))
        if buffers:
            self.total -= room
            buffers.pop()
        else:
            del self.idle[room]


def _room(size: int) -> int:
    """So many bytes, or up to an eighth more: there are eight sizes of buffers from one power of two to the next."""
    step = 1 << (size.bit_length() - 4)
    return -(-size // step) * step


_store = Store()


def empty(module: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """``module.empty``, from the store if the memory is the host's; CuPy keeps a store of its own."""
    return _store.empty(shape, dtype) if module is numpy else module.empty(shape, dtype)
