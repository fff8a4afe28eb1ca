"""Largest and smallest elements, sorting, and the k largest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..backend import xp
from ..errors import ShapeError
from ..primitive import defvjp, primitive
from .reduction import Dim, axes, kept, spread
from .selection import maximum, minimum
from .shape import dim_of

if TYPE_CHECKING:
    from ..tensor import Tensor


class Ordered(NamedTuple):
    """Elements, and where along the dim they were found."""

    values: Tensor
    indices: Tensor


# ---- extremes ----------------------------------------------------------------------------------------------------


@primitive
def amax(x: Any, /, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The largest element over ``dim``; elements that tie for it share the gradient evenly.

    Raises:
        ShapeError: there is no element, so there is no largest.

    >>> import minigrad as mg
    >>> mg.tensor([[1.0, 3.0], [5.0, 2.0]]).amax(dim=1).tolist()
    [3.0, 5.0]
    """
    _need_elements(x, dim)
    return x.max(axis=axes(dim), keepdims=keepdim)


@primitive
def amin(x: Any, /, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The smallest element over ``dim``; otherwise like :func:`amax`."""
    _need_elements(x, dim)
    return x.min(axis=axes(dim), keepdims=keepdim)


def _need_elements(x: Any, dim: Any) -> None:
    if not x.size and 0 in [n for n, one in zip(x.shape, kept(x.shape, dim), strict=True) if one == 1]:
        raise ValueError(f"shape {tuple(x.shape)} has no elements over dim {dim}, and nothing has no extreme")


@primitive
def _shares(x: Any, extreme: Any, /, dim: Dim, keepdim: bool) -> Tensor:
    """The part of the gradient that each element gets: the winner 1, ties an equal part, the others 0."""
    extreme = spread(extreme, x.shape, dim, keepdim)
    wins = (x == extreme) | (xp(x).isnan(x) if x.dtype.kind == "f" else False)
    return (wins / xp(x).maximum(wins.sum(axis=axes(dim), keepdims=True), 1)).astype(x.dtype)


def _extreme_rule(g: Any, x: Any, out: Any, dim: Any, keepdim: bool) -> Any:
    return spread(g, x.shape, dim, keepdim) * _shares(x, out, dim, keepdim)


defvjp(amax, x=_extreme_rule)
defvjp(amin, x=_extreme_rule)


@primitive
def argmax(x: Any, /, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where along ``dim`` the largest element is, the first of several; without ``dim``, where in ``x`` made flat.

    >>> import minigrad as mg
    >>> mg.tensor([[1.0, 3.0], [5.0, 2.0]]).argmax(dim=1).tolist()
    [1, 0]
    """
    return xp(x).argmax(x, axis=dim, keepdims=keepdim)


@primitive
def argmin(x: Any, /, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the smallest element is; otherwise like :func:`argmax`."""
    return xp(x).argmin(x, axis=dim, keepdims=keepdim)


def max(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element.

    Args:
        x: a tensor.
        dim: left out: of all elements, as :func:`amax` has it. A dim: along it, with the places. Another tensor:
            elementwise, as :func:`minigrad.maximum` has it.
        keepdim: keep the dim with size 1.

    Returns:
        A tensor, or with a dim a named tuple ``(values, indices)``. The gradient of ``values`` goes to the element at
        ``indices``, the first of several that tie.

    >>> import minigrad as mg
    >>> values, indices = mg.tensor([[1.0, 3.0], [5.0, 5.0]]).max(dim=1)
    >>> values.tolist(), indices.tolist()
    ([3.0, 5.0], [1, 0])
    """
    if dim is None:
        return amax(x, None, keepdim)
    if hasattr(dim, "shape"):
        return maximum(x, dim)
    dim_of(x.shape or (1,), dim)
    return _at(x, argmax(x, dim, keepdim), dim)


def min(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element; otherwise like :func:`max`."""
    if dim is None:
        return amin(x, None, keepdim)
    if hasattr(dim, "shape"):
        return minimum(x, dim)
    dim_of(x.shape or (1,), dim)
    return _at(x, argmin(x, dim, keepdim), dim)


# ---- elements by their places ------------------------------------------------------------------------------------


@primitive
def _chosen(x: Any, indices: Any, /, dim: int) -> Tensor:
    """The elements at ``indices`` along ``dim``; indices without that dim choose one element each."""
    if not x.shape:
        return x.copy()
    if indices.ndim == x.ndim:
        return xp(x).take_along_axis(x, indices, dim)
    return xp(x).take_along_axis(x, xp(x).expand_dims(indices, dim), dim).reshape(indices.shape)


@primitive
def _returned(values: Any, indices: Any, /, dim: int, shape: tuple[int, ...]) -> Tensor:
    """Zeros of ``shape`` with ``values`` at ``indices``: the transpose of :func:`_chosen`.

    No index may repeat, which makes it cheaper than adding at indices that may.
    """
    if not shape:
        return values.copy()
    if indices.ndim < len(shape):
        values, indices = xp(values).expand_dims(values, dim), xp(values).expand_dims(indices, dim)
    out = xp(values).zeros(shape, dtype=values.dtype)
    xp(values).put_along_axis(out, indices, values, dim)
    return out


defvjp(_chosen, x=lambda g, indices, dim, x_shape: _returned(g, indices, dim, x_shape), indices=None)
defvjp(_returned, values=lambda g, indices, dim: _chosen(g, indices, dim), indices=None)


def _at(x: Any, indices: Any, dim: int) -> Ordered:
    return Ordered(_chosen(x, indices, dim), indices)


# ---- order -------------------------------------------------------------------------------------------------------


@primitive
def _argsort(x: Any, /, dim: int, descending: bool) -> Tensor:
    """The indices that sort ``x`` along ``dim``."""
    if not x.shape:
        dim_of((1,), dim)
        return xp(x).zeros((), dtype="int64")
    if not descending:
        return xp(x).argsort(x, axis=dim, kind="stable")
    # backwards, ascending, backwards again: so equal elements keep their order here too
    order = xp(x).argsort(xp(x).flip(x, dim), axis=dim, kind="stable")
    return x.shape[dim] - 1 - xp(x).flip(order, dim)


def argsort(x: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Tensor:  # noqa: ARG001
    """The indices that sort ``x`` along ``dim``; equal elements keep their order, and NaN counts as largest.

    ``stable`` may be ``False`` if any order of equal elements will do; they keep it all the same.
    """
    return _argsort(x, dim, descending)


def sort(x: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Ordered:  # noqa: ARG001
    """``x`` sorted along ``dim``.

    Args:
        x: a tensor.
        dim: the dim.
        descending: the largest first.
        stable: may be ``False`` if any order of equal elements will do; they keep it all the same.

    Returns:
        A named tuple ``(values, indices)``. Equal elements keep their order; NaN counts as largest.

    >>> import minigrad as mg
    >>> values, indices = mg.tensor([3.0, 1.0, 2.0]).sort()
    >>> values.tolist(), indices.tolist()
    ([1.0, 2.0, 3.0], [1, 2, 0])
    """
    dim_of(x.shape or (1,), dim)
    indices = _argsort(x, dim, descending)
    return _at(x, indices, dim)


@primitive
def _first(x: Any, /, k: int, dim: int) -> Tensor:
    """The first ``k`` along ``dim``."""
    return x[(slice(None),) * dim_of(x.shape, dim) + (slice(0, k),)] if x.shape else x.copy()


def topk(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Ordered:
    """The ``k`` largest elements along ``dim``, or the smallest.

    Args:
        x: a tensor.
        k: how many.
        dim: the dim.
        largest: whether the largest or the smallest are wanted.
        sorted: may be ``False`` if any order will do; they come in order all the same.

    Returns:
        A named tuple ``(values, indices)``, the best first, of equal ones the first first.

    Raises:
        ShapeError: there are not ``k`` elements.

    >>> import minigrad as mg
    >>> mg.tensor([3.0, 1.0, 2.0]).topk(2).values.tolist()
    [3.0, 2.0]
    """
    del sorted
    size = (x.shape or (1,))[dim_of(x.shape or (1,), dim)]
    if not 0 <= k <= size:
        raise ShapeError(f"topk: {k} elements are wanted, but dim {dim} of shape {tuple(x.shape)} has {size}")
    indices = _first(_argsort(x, dim, largest), k, dim)
    return _at(x, indices, dim)
