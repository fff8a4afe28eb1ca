"""Variance and standard deviation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..backend import xp
from ..primitive import defvjp, primitive
from .arithmetic import floating
from .reduction import Dim, axes, count, kept, shared_out, spread
from .selection import where
from .totals import accumulator, add_up, settled

if TYPE_CHECKING:
    from ..tensor import Tensor


@primitive
def _centred(x: Any, /, dim: Dim = None) -> Tensor:
    """``x`` minus its mean over ``dim``. A projection, so it is its own transpose.

    Exactly zero where all elements are equal, because the mean is taken of the differences to one of them.
    """
    if not x.size:
        return x.copy()
    first = tuple(slice(None) if n != 1 else slice(0, 1) for n in kept(x.shape, dim))
    distance = x - x[first]
    total = add_up(distance, axes(dim), keepdims=True)
    return settled(distance - total / (x.size // total.size), x)


def _variance(x: Any, dim: Any, correction: float, keepdim: bool) -> Any:
    x = floating(x)
    deviation: Any = _centred(x.astype(accumulator(x) or x.dtype, copy=False), dim)
    total = add_up(deviation * deviation, axes(dim), keepdim)
    free = count(x.shape, dim) - correction
    if free <= 0:  # as in PyTorch: nothing is left to divide by
        return xp(x).where(total > 0, math.inf, math.nan).astype(x.dtype)
    return (total / free).astype(x.dtype, copy=False)


@primitive
def _var(x: Any, /, dim: Dim, correction: float, keepdim: bool) -> Tensor:
    r""":math:`\frac{1}{n - c} \sum_i (x_i - \bar x)^2` over ``dim``."""
    return _variance(x, dim, correction, keepdim)


@primitive
def _std(x: Any, /, dim: Dim, correction: float, keepdim: bool) -> Tensor:
    r""":math:`\sqrt{\mathrm{var}}` over ``dim``. The gradient is 0 where it is 0."""
    return xp(x).sqrt(_variance(x, dim, correction, keepdim))


def var(x: Any, dim: Any = None, correction: float = 1, keepdim: bool = False, *, unbiased: Any = None) -> Tensor:
    r""":math:`\frac{1}{n - c} \sum_i (x_i - \bar x)^2` over ``dim``.

    Args:
        x: a tensor.
        dim: the dims to reduce.
        correction: :math:`c`: 1 for the unbiased estimate from a sample, 0 for the variance of the elements.
        keepdim: keep the reduced dims with size 1.
        unbiased: the older spelling: ``True`` for a correction of 1, ``False`` for none. May stand in the place of
            ``correction``, and of ``dim``.

    >>> import minigrad as mg
    >>> mg.tensor([1.0, 2.0, 3.0]).var().item()
    1.0
    """
    return _var(x, *_corrected(dim, correction, unbiased), keepdim)


def std(x: Any, dim: Any = None, correction: float = 1, keepdim: bool = False, *, unbiased: Any = None) -> Tensor:
    r"""Standard deviation, :math:`\sqrt{\mathrm{var}}`. The gradient is 0 where it is 0. See :func:`var`."""
    return _std(x, *_corrected(dim, correction, unbiased), keepdim)


def _corrected(dim: Any, correction: float, unbiased: Any) -> tuple[Dim, float]:
    if dim is True or dim is False:
        dim, unbiased = None, dim
    return dim, correction if unbiased is None else int(unbiased)


def ratio(x: Any, y: Any) -> Any:
    """``x / y``, and 0 where ``y`` is 0."""
    return where(y == 0, 0.0, x / where(y == 0, 1.0, y))


def _var_rule(g: Any, x: Any, dim: Any, correction: float, keepdim: bool) -> Any:
    free = count(x.shape, dim) - correction
    part = shared_out(2.0 * g, free if free > 0 else math.nan)
    return spread(part, x.shape, dim, keepdim) * _centred(x, dim)


defvjp(_centred, x=lambda g, dim: _centred(g, dim))
defvjp(_var, x=_var_rule)
defvjp(
    _std,
    x=lambda g, x, out, dim, correction, keepdim: _var_rule(ratio(g, 2.0 * out), x, dim, correction, keepdim),
)
