"""Adding up many numbers without losing any.

Two things go wrong with a plain sum. In float16 it leaves the range, or stands still where a number is less than half
a unit in the last place of the sum: 0.1 added to 256 is 256. And along any dim but the innermost NumPy adds rows one
behind the other, so that in float32 the error grows with their number: 5 % after five million rows. So float16 is
added up in float32, and long sums are made of sums of blocks.
"""

from __future__ import annotations

from typing import Any

from .. import backend

_ACCUMULATORS = {backend.float16: backend.float32, backend.uint8: backend.int64}
ROWS = 4096  # added one behind the other, so many numbers lose no more than the last digits of float32
_BLOCK = 1024  # as quick as one plain sum, whatever the size of a row; smaller blocks cost 5 % and more


def accumulator(x: Any) -> Any:
    """The dtype to add up in where NumPy's choice will not do, else ``None``."""
    return _ACCUMULATORS.get(x.dtype)


def settled(result: Any, x: Any) -> Any:
    """What was added up of ``x``, in its own dtype again if that is floating."""
    return result if result.dtype is x.dtype or x.dtype.kind != "f" else result.astype(x.dtype, copy=False)


def add_up(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """``x.sum(axis, keepdims=keepdims)`` of an array, in the dtype of its accumulator and without loss.

    >>> import numpy
    >>> float(add_up(numpy.full((70_000, 2), 1.0, "float16"), axis=0)[0])
    70000.0
    """
    wide = _ACCUMULATORS.get(x.dtype)
    if x.size <= ROWS or x.dtype.kind != "f":
        return x.sum(axis=axis, dtype=wide, keepdims=keepdims)
    return x.sum(axis=axis, dtype=wide, keepdims=keepdims) if _plain(x, axis) else _in_blocks(x, axis, keepdims, wide)


def _dims(x: Any, axis: Any) -> tuple[int, ...]:
    """The dims of an axis argument; those that do not exist are left for the sum itself to complain about."""
    given = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple([d + x.ndim if d < 0 else d for d in given])


def _plain(x: Any, axis: Any) -> bool:
    """Whether a plain sum will do: few rows, or numbers that lie side by side, which NumPy adds in pairs of pairs."""
    dims = _dims(x, axis)
    if len(set(dims)) < len(dims) or not set(dims) <= set(range(x.ndim)):
        return True  # and it fails
    if len(dims) == x.ndim:
        return bool(x.flags.c_contiguous or x.flags.f_contiguous)
    rows = 1
    for d in dims:
        rows *= x.shape[d]
    return rows <= ROWS


def _in_blocks(x: Any, axis: Any, keepdims: bool, wide: Any) -> Any:
    dims = _dims(x, axis)
    for d in sorted(dims, reverse=True):
        side_by_side = x.strides[d] == x.itemsize
        while x.shape[d] > ROWS and not side_by_side:
            x = _sums_of_blocks(x, d, wide)
        x = x.sum(axis=d, dtype=wide, keepdims=True)
    return x if keepdims else x.reshape([n for d, n in enumerate(x.shape) if d not in dims])


def _sums_of_blocks(x: Any, d: int, wide: Any) -> Any:
    """``x`` with every so many neighbours along dim ``d`` made one; what is left over goes with the last of them."""
    blocks, rest = divmod(x.shape[d], _BLOCK)
    head = (slice(None),) * d
    whole = x[(*head, slice(blocks * _BLOCK))].reshape(*x.shape[:d], blocks, _BLOCK, *x.shape[d + 1 :])
    sums = whole.sum(axis=d + 1, dtype=wide)
    if rest:
        sums[(*head, slice(-1, None))] += x[(*head, slice(-rest, None))].sum(axis=d, dtype=wide, keepdims=True)
    return sums
