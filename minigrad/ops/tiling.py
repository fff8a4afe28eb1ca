"""Longer, wrapped and mirrored: the same elements repeated, padded, rolled and flipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from .. import backend
from ..backend import xp
from ..errors import ShapeError
from ..node import Handle
from ..primitive import defvjp, primitive
from .broadcast import expand, sum_to
from .gathering import index_select
from .shape import dim_of, flatten, reshape, sizes_of, unsqueeze

if TYPE_CHECKING:
    from ..tensor import Tensor


# ---- repeated ----------------------------------------------------------------------------------------------------


@primitive(moves=True)
def _tile(x: Any, /, repeats: tuple[int, ...]) -> Tensor:
    """``x`` laid ``repeats[i]`` times behind itself along each dim ``i``."""
    return xp(x).tile(x, repeats)


def _untile(g: Any, x_shape: tuple[int, ...], repeats: tuple[int, ...]) -> Any:
    """The sum of the copies that a tiling made: each dim is split into copies and places, and the copies summed."""
    shape = (1,) * (len(repeats) - len(x_shape)) + x_shape
    apart = [n for pair in zip(repeats, shape, strict=True) for n in pair]
    summed = sum_to(reshape(g, apart), tuple(n for size in shape for n in (1, size)))
    return reshape(summed, x_shape)


defvjp(_tile, x=_untile)


def repeat(x: Any, *sizes: Any, repeats: Any = None) -> Tensor:
    """``x`` laid ``sizes[i]`` times behind itself along each dim; numbers too many make new dims in front.

    The numbers may be given as one tuple too, or by the keyword ``repeats``.
    Called ``tile`` by NumPy; what NumPy calls ``repeat`` is :func:`repeat_interleave`.

    >>> import minigrad as mg
    >>> mg.tensor([1, 2]).repeat(2, 2).tolist()
    [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    repeats = sizes_of(sizes, repeats)
    if len(repeats) < len(x.shape):
        raise ShapeError(f"repeat: {repeats} has fewer numbers than {tuple(x.shape)} has dims; tile fills up with ones")
    return _tile(x, repeats)


def tile(x: Any, *sizes: Any, dims: Any = None) -> Tensor:
    """Like :func:`repeat`, with ones put in front where there are fewer numbers than dims of ``x``."""
    repeats = sizes_of(sizes, dims)
    return _tile(x, (1,) * (len(x.shape) - len(repeats)) + repeats)


def repeat_interleave(x: Any, repeats: Any, dim: int | None = None) -> Tensor:
    """Each slice of ``x`` along ``dim`` repeated on the spot.

    Args:
        x: a tensor.
        repeats: how often: a number, or one integer for each slice.
        dim: the dim; left out, ``x`` is flattened first.

    >>> import minigrad as mg
    >>> mg.tensor([1, 2]).repeat_interleave(2).tolist()
    [1, 1, 2, 2]
    >>> mg.tensor([1, 2]).repeat_interleave([1, 3]).tolist()
    [1, 2, 2, 2]
    """
    if dim is None:
        x, dim = flatten(x), 0
    shape, dim = x.shape, dim_of(x.shape, dim)
    if isinstance(repeats, int):
        if repeats < 0:
            raise ShapeError(f"repeat_interleave: a slice cannot be repeated {repeats} times")
        copies = expand(unsqueeze(x, dim + 1), *shape[: dim + 1], repeats, *shape[dim + 1 :])
        return reshape(copies, *shape[:dim], shape[dim] * repeats, *shape[dim + 1 :])
    array = repeats._data if isinstance(repeats, Handle) else numpy.asarray(repeats)
    array = backend.of(array).to_host(array)
    if array.size not in (1, shape[dim]):
        raise ShapeError(f"repeat_interleave: {array.size} repeats for the {shape[dim]} slices of dim {dim} of {shape}")
    if array.dtype.kind not in "iu" or (array < 0).any():
        raise ShapeError(f"repeat_interleave: repeats are integers from 0 on, not {array.tolist()!r:.60}")
    return index_select(x, dim, numpy.repeat(numpy.arange(shape[dim]), array.reshape(-1)))


# ---- padded ------------------------------------------------------------------------------------------------------


@primitive
def _pad(x: Any, /, pad: tuple[int, ...], value: float = 0.0) -> Tensor:
    """``x`` with ``value`` around it, or with the rim cut off where a number of ``pad`` is negative."""
    shape, inner, kept = list(x.shape), [slice(None)] * x.ndim, [slice(None)] * x.ndim
    for i, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        d = x.ndim - 1 - i
        size = shape[d]
        shape[d] = size + before + after
        if size + min(before, 0) + min(after, 0) < 0:
            raise ValueError(f"pad {pad} cuts more off dim {d} of {tuple(x.shape)} than there is")
        inner[d] = slice(max(before, 0), shape[d] - max(after, 0))
        kept[d] = slice(max(-before, 0), size - max(-after, 0))
    out = xp(x).full(tuple(shape), value, dtype=x.dtype)
    out[tuple(inner)] = x[tuple(kept)]
    return out


defvjp(_pad, x=lambda g, pad: _pad(g, tuple(-n for n in pad)))  # padding with zeros and cutting undo each other


def pad(x: Any, pad: tuple[int, ...], mode: str = "constant", value: float = 0.0) -> Tensor:
    """``x`` made larger at its rim.

    Args:
        x: a tensor.
        pad: how much before and after, in pairs, **from the last dim on**: ``(left, right, top, bottom, ...)``.
            Negative numbers cut off (with mode ``"constant"``).
        mode: ``"constant"``, or ``"reflect"``, ``"replicate"``, ``"circular"``.
        value: what stands in the rim with mode ``"constant"``.

    Raises:
        ShapeError: an odd number of numbers, or more pairs than dims.

    >>> import minigrad as mg
    >>> mg.tensor([[1, 2]]).pad((1, 0, 0, 1), value=9).tolist()
    [[9, 1, 2], [9, 9, 9]]
    """
    pad = tuple(pad)
    if len(pad) % 2 or len(pad) > 2 * len(x.shape):
        raise ShapeError(f"pad: {pad} must be pairs (before, after), at most one for each dim of {tuple(x.shape)}")
    if mode == "constant" or not any(pad):
        return _pad(x, pad, value)
    numpy_mode: Any = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}.get(mode)
    if numpy_mode is None:
        raise ShapeError(f'pad: no mode {mode!r}; there are "constant", "reflect", "replicate" and "circular"')
    for i, pair in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        dim = len(x.shape) - 1 - i
        if min(pair) < 0 or x.shape[dim] <= (max(pair) if mode == "reflect" else 0):
            raise ShapeError(f"pad: {pair} is no rim for dim {dim} of {tuple(x.shape)} with mode {mode!r}")
        x = index_select(x, dim, numpy.pad(numpy.arange(x.shape[dim]), pair, numpy_mode))
    return x


# ---- moved -------------------------------------------------------------------------------------------------------


@primitive(views=True)
def _flip(x: Any, /, dims: tuple[int, ...]) -> Tensor:
    """``x`` backwards along ``dims``: a view."""
    return xp(x).flip(x, dims)


def flip(x: Any, *along: Any, dims: Any = None) -> Tensor:
    """``x`` backwards along some dims, given as numbers, as one tuple, or by the keyword ``dims``.

    >>> import minigrad as mg
    >>> mg.arange(3).flip(0).tolist()
    [2, 1, 0]
    """
    return _flip(x, tuple([dim_of(x.shape, d) for d in sizes_of(along, dims)]))


@primitive(moves=True)
def roll(x: Any, /, shifts: int | tuple[int, ...], dims: int | tuple[int, ...] | None = None) -> Tensor:
    """``x`` moved by ``shifts`` places along ``dims``; what leaves at one end enters at the other.

    Without ``dims`` the elements are taken as one row, whatever the shape.

    >>> import minigrad as mg
    >>> mg.arange(4).roll(1).tolist()
    [3, 0, 1, 2]
    """
    return xp(x).roll(x, shifts, dims)


def _opposite(shifts: int | tuple[int, ...]) -> int | tuple[int, ...]:
    return -shifts if isinstance(shifts, int) else tuple(-n for n in shifts)


defvjp(_flip, x=lambda g, dims: _flip(g, dims))
defvjp(roll, x=lambda g, shifts, dims: roll(g, _opposite(shifts), dims))
