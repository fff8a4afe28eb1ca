"""Reductions: many elements made one.

All take ``dim`` (one dim, a tuple of dims, negative ones counted from the back, ``None`` or ``()`` for all) and
``keepdim`` (leave the reduced dims in the result, with size 1). Where there is a ``dtype``, the elements are brought
to it first. The gradient of each is its result's gradient, spread back over what was reduced, times a factor for each
element.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..backend import float16, xp
from ..primitive import defvjp, primitive
from .arithmetic import floating
from .conversion import in_dtype
from .shape import dim_of
from .totals import add_up, settled

if TYPE_CHECKING:
    from ..tensor import Tensor

Dim = int | tuple[int, ...] | None


def axes(dim: Any) -> Any:
    """``dim`` as NumPy's ``axis``: PyTorch takes lists too, and an empty one for all dims."""
    return (tuple(dim) or None) if isinstance(dim, (tuple, list)) else dim


def kept(shape: tuple[int, ...], dim: Any) -> tuple[int, ...]:
    """``shape`` with size 1 in the reduced dims."""
    axis = axes(dim)
    if axis is None:
        return (1,) * len(shape)
    if not shape:
        return ()  # a tensor without dims may be reduced over dim 0 or -1
    sizes = list(shape)
    for d in axis if isinstance(axis, tuple) else (axis,):
        sizes[dim_of(shape, d)] = 1
    return tuple(sizes)


def count(shape: tuple[int, ...], dim: Any) -> int:
    """How many elements of ``shape`` are made one."""
    return math.prod(n for n, one in zip(shape, kept(shape, dim), strict=True) if one == 1)


def shared_out(g: Any, n: float) -> Any:
    """``g / n``, in two steps where ``n`` is more than float16 can hold and the quotient is not."""
    if n > 65504 and g.dtype == float16:
        return g / math.sqrt(n) / math.sqrt(n)
    return g / n


_SMALL = 4096  # elements that NumPy fills in less time (1 µs) than it makes a broadcast view (3 µs)


@primitive
def spread(x: Any, /, shape: tuple[int, ...], dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The transpose of :func:`sum`: ``x``, a reduction of ``shape`` over ``dim``, repeated over what was reduced.

    >>> import numpy
    >>> spread(numpy.array([1, 2]), (2, 3), dim=1).tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    if not keepdim and dim is not None:
        x = x.reshape(kept(shape, dim))
    if math.prod(shape) > _SMALL:
        return xp(x).broadcast_to(x, shape)
    out = xp(x).empty(shape, dtype=x.dtype)
    out[...] = x
    return out


# ---- sums --------------------------------------------------------------------------------------------------------


@primitive
def _sum(x: Any, /, dim: Dim = None, keepdim: bool = False) -> Tensor:
    r""":math:`\sum_i x_i` over ``dim``."""
    return settled(add_up(x, axes(dim), keepdim), x)


@primitive
def _mean(x: Any, /, dim: Dim = None, keepdim: bool = False) -> Tensor:
    r""":math:`\frac1n \sum_i x_i` over ``dim``."""
    total = add_up(x, axes(dim), keepdim)
    return settled(total / (x.size // (total.size or 1) or math.nan), x)


defvjp(spread, x=lambda g, dim, keepdim: _sum(g, dim, keepdim))
defvjp(_sum, x=lambda g, x_shape, dim, keepdim: spread(g, x_shape, dim, keepdim))
defvjp(
    _mean,
    x=lambda g, x_shape, dim, keepdim: spread(shared_out(g, count(x_shape, dim) or 1), x_shape, dim, keepdim),
)


def sum(x: Any, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    r""":math:`\sum_i x_i` over ``dim``; integers and booleans give int64, nothing at all gives 0.

    >>> import minigrad as mg
    >>> mg.ones(2, 3).sum(dim=0).tolist()
    [2.0, 2.0, 2.0]
    """
    return _sum(x if dtype is None else in_dtype(x, dtype), dim, keepdim)


def mean(x: Any, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    r""":math:`\frac1n \sum_i x_i` over ``dim``; NaN of nothing at all. Integers give the default floating dtype.

    >>> import minigrad as mg
    >>> mg.tensor([[1.0, 3.0], [5.0, 7.0]]).mean(dim=-1).tolist()
    [2.0, 6.0]
    """
    return _mean(x if dtype is None else in_dtype(x, dtype), dim, keepdim)


# ---- logarithm of a sum of exponentials --------------------------------------------------------------------------


@primitive
def logsumexp(x: Any, /, dim: Dim = None, keepdim: bool = False) -> Tensor:
    r""":math:`\ln \sum_i e^{x_i}` over ``dim``, shifted by the maximum so that nothing overflows.

    Where all elements are :math:`-\infty` so is the result, and the gradient is 0.

    >>> import minigrad as mg
    >>> mg.tensor([1000.0, -1000.0]).logsumexp(dim=0).item()
    1000.0
    """
    x, axis = floating(x), axes(dim)
    if not x.size:
        return x.sum(axis=axis, keepdims=keepdim) - math.inf
    top = x.max(axis=axis, keepdims=True)
    total = add_up(xp(x).exp(x - _finite(top)), axis, keepdim)
    # the largest element adds exactly 1, so a smaller total means that the maximum is -inf
    return settled(xp(x).log(xp(x).maximum(total, 1)) + top.reshape(total.shape), x)


@primitive(broadcasts=True)
def _exp_below(x: Any, top: Any, /) -> Tensor:
    r""":math:`e^{x - t}` for :math:`x \le t`: 0 where both are :math:`-\infty`, 1 where both are :math:`\infty`."""
    return xp(x).exp(xp(x).minimum(x - _finite(top), 0))


def _finite(x: Any) -> Any:
    largest = xp(x).finfo(x.dtype).max
    return xp(x).clip(x, -largest, largest)


defvjp(_exp_below, x=lambda g, out: g * out, top=lambda g, out: -(g * out))
defvjp(
    logsumexp,
    x=lambda g, x, out, dim, keepdim: (
        spread(g, x.shape, dim, keepdim) * _exp_below(x, spread(out, x.shape, dim, keepdim))  # type: ignore[has-type]
    ),
)


# ---- truth -------------------------------------------------------------------------------------------------------


@primitive
def all(x: Any, /, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether every element over ``dim`` is true (numbers: not zero); true of nothing at all."""
    return x.all(axis=axes(dim), keepdims=keepdim)


@primitive
def any(x: Any, /, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether some element over ``dim`` is true (numbers: not zero); false of nothing at all."""
    return x.any(axis=axes(dim), keepdims=keepdim)


@primitive
def count_nonzero(x: Any, /, dim: Dim = None) -> Tensor:
    """The number of elements over ``dim`` that are not zero, int64."""
    return (x != 0).sum(axis=axes(dim))
