"""Elements chosen by index, and written by index without changing what was there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from .. import backend
from ..backend import xp
from ..node import Handle
from ..primitive import defvjp, primitive
from .broadcast import sum_to
from .selection import where
from .shape import _reshape

if TYPE_CHECKING:
    from ..tensor import Tensor


# ---- what an index is made of ------------------------------------------------------------------------------------


def plain_index(x: Any, index: Any) -> Any:
    """An index with every list, array and tensor in it as an array of its own, on the device of ``x``.

    Arrays and tensors are copied, because the caller may fill his with other numbers before the backward pass.
    """
    if isinstance(index, tuple):
        return tuple(plain_index(x, part) for part in index)
    if isinstance(index, Handle):
        array = backend.move(index._data, backend.of(_array(x)).device_of(_array(x)))
        return array.copy() if array is index._data else array
    if isinstance(index, list):
        array = numpy.asarray(index)
        return xp(_array(x)).asarray(array if array.size else array.astype(backend.int64))
    if getattr(index, "shape", None):
        return xp(_array(x)).asarray(index).copy()
    return index


def _array(x: Any) -> Any:
    return x._data if isinstance(x, Handle) else x


def _wide(x: Any) -> Any:
    """The dtype to add up in where an index may repeat."""
    return backend.float32 if x.dtype == backend.float16 else x.dtype


def _repeats(index: Any) -> bool:
    """Whether an index could name an element twice: only integer arrays can."""
    if isinstance(index, tuple):
        return any(map(_repeats, index))
    return getattr(index, "shape", ()) != () and index.dtype.kind in "iu"


# ---- reading -----------------------------------------------------------------------------------------------------


@primitive(views=True)
def _getitem(x: Any, /, index: Any) -> Tensor:
    """The elements of ``x`` at ``index``."""
    out = x[index]
    return out if out.shape else xp(x).asarray(out)


@primitive
def place_into_zeros(values: Any, /, index: Any, shape: tuple[int, ...]) -> Tensor:
    """Zeros of ``shape`` with ``values`` added at ``index``: the transpose of :func:`getitem`."""
    if not _repeats(index):
        out = xp(values).zeros(shape, dtype=values.dtype)
        out[index] = values
        return out
    out = xp(values).zeros(shape, dtype=_wide(values))
    backend.of(values).scatter_add(out, index, values.astype(out.dtype, copy=False))
    return out.astype(values.dtype, copy=False)


defvjp(_getitem, x=lambda g, index, x_shape: place_into_zeros(g, index, x_shape))
defvjp(place_into_zeros, values=lambda g, index: _getitem(g, index))


def getitem(x: Any, index: Any) -> Tensor:
    """``x[index]``: a view for a basic index, a copy for one with lists, arrays, tensors or masks in it.

    Args:
        x: a tensor.
        index: everything that NumPy indexes with, or a tuple of such: integers, slices (steps may be negative),
            ``None``, ``...``, integer arrays (lists, tensors), boolean masks. Indices may repeat: the gradients of
            all copies are added.

    Raises:
        ShapeError: an index out of range, too many of them, or index arrays that do not broadcast.

    >>> import minigrad as mg
    >>> x = mg.arange(6).reshape(2, 3)
    >>> x[1, ::2].tolist(), x[:, [0, 0]].tolist(), x[x > 3].tolist()
    ([3, 5], [[0, 0], [3, 3]], [4, 5])
    """
    if index.__class__ is int or index.__class__ is slice:
        return _getitem(x, index)
    return _getitem(x, plain_index(x, index))


# ---- writing, which here means: a changed copy -------------------------------------------------------------------


@primitive
def _index_put(x: Any, values: Any, /, index: Any, accumulate: bool) -> Tensor:
    """A copy of ``x`` with ``values`` written, or added, at ``index``."""
    if accumulate and _repeats(index):
        out = x.astype(_wide(x))
        backend.of(x).scatter_add(out, index, xp(x).asarray(values, dtype=out.dtype))
        return out.astype(x.dtype, copy=False)
    out = x.copy()
    if accumulate:
        out[index] += values
    else:
        out[index] = values
    return out


@primitive
def _survives(x: Any, /, index: Any) -> Tensor:
    """For each element of ``x[index]``, whether a write there would last: of repeated indices only one wins."""
    order = xp(x).arange(x[index].size).reshape(x[index].shape)
    owner = xp(x).zeros(x.shape, dtype=order.dtype)
    owner[index] = order
    return owner[index] == order


def _put_back_x(g: Any, index: Any, accumulate: bool) -> Any:
    return g if accumulate else _index_put(g, 0.0, index, False)


def _put_back_values(g: Any, values_shape: tuple[int, ...], index: Any, accumulate: bool) -> Any:
    taken = _getitem(g, index)
    if not accumulate and _repeats(index):
        taken = where(_survives(g, index), taken, 0.0)
    surplus = len(values_shape) - len(taken.shape)  # dims of size 1 that assignment tolerates in front
    return taken if surplus <= 0 else _reshape(sum_to(taken, values_shape[surplus:]), values_shape)


defvjp(_index_put, x=_put_back_x, values=_put_back_values)


def index_put(x: Any, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """A copy of ``x`` with ``values`` at ``indices``: ``y = x; y[indices] = values`` without changing ``x``.

    Args:
        x: a tensor.
        indices: as in :func:`getitem`.
        values: a tensor or number that broadcasts to the shape of ``x[indices]``.
        accumulate: add ``values`` to what is there instead of replacing it, as often as an index is repeated.
            Without it one of the values of a repeated index wins (on the CPU the last), and it alone gets a gradient.

    Raises:
        ShapeError: an index out of range, or values that do not broadcast.

    >>> import minigrad as mg
    >>> mg.zeros(3).at[[0, 0, 2]].add(1).tolist()
    [2.0, 0.0, 1.0]
    """
    return _index_put(x, values, plain_index(x, indices), accumulate)


class At:
    """``x.at``: what ``x.at[index].set(values)`` and ``x.at[index].add(values)`` start from."""

    __slots__ = ("_x",)

    def __init__(self, x: Any) -> None:
        self._x = x

    def __getitem__(self, index: Any) -> Place:
        return Place(self._x, index)


class Place:
    """Elements of a tensor, by index, about to be replaced in a copy of it."""

    __slots__ = ("_index", "_x")

    def __init__(self, x: Any, index: Any) -> None:
        self._x, self._index = x, index

    def set(self, values: Any) -> Tensor:
        """A copy of the tensor with ``values`` here. See :func:`index_put`."""
        return index_put(self._x, self._index, values)

    def add(self, values: Any) -> Tensor:
        """A copy of the tensor with ``values`` added here, as often as an index is repeated."""
        return index_put(self._x, self._index, values, accumulate=True)
