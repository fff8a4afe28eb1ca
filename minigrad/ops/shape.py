"""The same elements under another shape or in another order of dimensions: views wherever memory allows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..errors import ShapeError
from ..primitive import defvjp, primitive

if TYPE_CHECKING:
    from ..tensor import Tensor


def sizes_of(sizes: tuple[Any, ...], named: Any = None) -> tuple[int, ...]:
    """Sizes given as numbers or as one sequence of numbers, or else by keyword, as a tuple."""
    if named is not None:
        if sizes:
            raise TypeError(f"sizes are given twice: {sizes}, and {named} by keyword")
        sizes = (named,)
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes


def dim_of(shape: tuple[int, ...], dim: int) -> int:
    """A dim counted from the front or, if negative, from the back, as its number from the front.

    Raises:
        ShapeError: ``shape`` has no such dim.
    """
    ndim = len(shape)
    if not -ndim <= dim < ndim:
        has = f"dims {-ndim} to {ndim - 1}" if ndim else "no dims"
        raise ShapeError(f"there is no dim {dim}: a tensor of shape {tuple(shape)} has {has}")
    return dim + ndim if dim < 0 else dim


# ---- another shape -----------------------------------------------------------------------------------------------


@primitive(views=True)
def _reshape(x: Any, /, shape: tuple[int, ...]) -> Tensor:
    """The elements of ``x``, in order, under ``shape``: a view of it where that is possible, else a copy."""
    try:
        return x.reshape(shape)
    except ValueError:
        known = math.prod(n for n in shape if n != -1)
        wanted = f"a multiple of {known} elements" if -1 in shape else f"{known} elements"
        raise ValueError(f"shape {tuple(x.shape)} has {x.size} elements, shape {shape} takes {wanted}") from None


def reshape(x: Any, *sizes: Any, shape: Any = None) -> Tensor:
    """The elements of ``x``, in order, under another shape: a view of ``x`` where that is possible, else a copy.

    Args:
        x: a tensor.
        sizes: the new sizes, as numbers or one tuple; one of them may be -1 and is then worked out.
        shape: the same by keyword.

    Raises:
        ShapeError: the numbers of elements differ.

    >>> import minigrad as mg
    >>> mg.arange(6).reshape(2, -1).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    return _reshape(x, sizes_of(sizes, shape))


view = reshape


@primitive(views=True)
def flatten(x: Any, /, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dims from ``start_dim`` to ``end_dim``, both included, made one.

    >>> import minigrad as mg
    >>> mg.zeros(2, 3, 4).flatten(1).shape
    (2, 12)
    """
    if not x.shape:
        return x.reshape(1)
    start, end = dim_of(x.shape, start_dim), dim_of(x.shape, end_dim)
    if start > end:
        raise ShapeError(f"flatten: start_dim {start_dim} lies behind end_dim {end_dim} in shape {tuple(x.shape)}")
    return x.reshape(*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])


def unflatten(x: Any, dim: int, sizes: tuple[int, ...]) -> Tensor:
    """One dim made several: the inverse of :func:`flatten`. One of ``sizes`` may be -1.

    >>> import minigrad as mg
    >>> mg.zeros(2, 12).unflatten(1, (3, -1)).shape
    (2, 3, 4)
    """
    dim = dim_of(x.shape, dim)
    known = math.prod(n for n in sizes if n != -1)
    sizes = tuple(x.shape[dim] // known if n == -1 and known else n for n in sizes)
    return _reshape(x, (*x.shape[:dim], *sizes, *x.shape[dim + 1 :]))


@primitive(views=True)
def squeeze(x: Any, /, dim: int | tuple[int, ...] | None = None) -> Tensor:
    """Without the dims of size 1: all of them, or those among ``dim``.

    >>> import minigrad as mg
    >>> mg.zeros(1, 3, 1).squeeze().shape, mg.zeros(1, 3, 1).squeeze(-1).shape
    ((3,), (1, 3))
    """
    if dim is None:
        return x.reshape([n for n in x.shape if n != 1])
    dims = {dim_of(x.shape, d) for d in ((dim,) if isinstance(dim, int) else dim)}
    return x.reshape([n for i, n in enumerate(x.shape) if n != 1 or i not in dims])


@primitive(views=True)
def unsqueeze(x: Any, /, dim: int) -> Tensor:
    """With a new dim of size 1, which becomes dim ``dim`` of the result.

    >>> import minigrad as mg
    >>> mg.zeros(3).unsqueeze(0).shape, mg.zeros(3).unsqueeze(-1).shape
    ((1, 3), (3, 1))
    """
    return x[(slice(None),) * dim_of((*x.shape, 1), dim) + (None,)]


defvjp(_reshape, x=lambda g, x_shape: _reshape(g, x_shape))
defvjp(flatten, x=lambda g, x_shape: _reshape(g, x_shape))
defvjp(squeeze, x=lambda g, x_shape: _reshape(g, x_shape))
defvjp(unsqueeze, x=lambda g, x_shape: _reshape(g, x_shape))


# ---- another order of dims ---------------------------------------------------------------------------------------


@primitive(views=True)
def transpose(x: Any, /, dim0: int, dim1: int) -> Tensor:
    """``x`` with two of its dims exchanged: a view.

    >>> import minigrad as mg
    >>> mg.zeros(2, 3, 4).transpose(0, -1).shape
    (4, 3, 2)
    """
    return x.swapaxes(dim0, dim1)


swapaxes = transpose


@primitive(views=True)
def _permute(x: Any, /, dims: tuple[int, ...]) -> Tensor:
    """``x`` with its dims in the order ``dims``: a view."""
    return x.transpose(dims)


def permute(x: Any, *order: Any, dims: Any = None) -> Tensor:
    """``x`` with its dims in another order: dim ``i`` of the result is dim ``order[i]`` of ``x``. A view.

    The order is given as numbers, as one tuple, or by the keyword ``dims``.

    >>> import minigrad as mg
    >>> mg.zeros(2, 3, 4).permute(2, 0, 1).shape
    (4, 2, 3)
    """
    return _permute(x, sizes_of(order, dims))


def _back(dims: tuple[int, ...]) -> tuple[int, ...]:
    """The order of dims that undoes the order ``dims``."""
    order = [0] * len(dims)
    for i, dim in enumerate(dims):
        order[dim] = i  # a negative dim counts from the back of the list too
    return tuple(order)


def movedim(x: Any, source: int | tuple[int, ...], destination: int | tuple[int, ...]) -> Tensor:
    """``x`` with the dims ``source`` moved to the places ``destination``; the others keep their order.

    >>> import minigrad as mg
    >>> mg.zeros(2, 3, 4).movedim(0, -1).shape
    (3, 4, 2)
    """
    sources = [dim_of(x.shape, d) for d in ((source,) if isinstance(source, int) else source)]
    places = [dim_of(x.shape, d) for d in ((destination,) if isinstance(destination, int) else destination)]
    if len(sources) != len(places) or len(set(sources)) != len(sources) or len(set(places)) != len(places):
        raise ShapeError(f"movedim: {source} cannot go to {destination}: each dim to a place of its own, please")
    moved = dict(zip(places, sources, strict=True))
    rest = (d for d in range(len(x.shape)) if d not in sources)
    return _permute(x, tuple(moved[i] if i in moved else next(rest) for i in range(len(x.shape))))


defvjp(transpose, x=lambda g, dim0, dim1: transpose(g, dim0, dim1))
defvjp(_permute, x=lambda g, dims: _permute(g, _back(dims)))
