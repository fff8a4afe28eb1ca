"""Norms of vectors of any order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..backend import xp
from ..primitive import defvjp, primitive
from .arithmetic import abs, floating, zero
from .ordering import amax, amin
from .reduction import Dim, axes, spread, sum
from .totals import accumulator, add_up
from .variance import ratio

if TYPE_CHECKING:
    from ..tensor import Tensor


def norm(x: Any, p: float | str = 2, dim: Dim = None, keepdim: bool = False) -> Tensor:
    r"""The p-norm :math:`\left(\sum_i |x_i|^p\right)^{1/p}` of the elements over ``dim``, taken as one vector.

    The gradient is 0 at elements that are 0, also where the norm itself is 0, and is shared evenly between elements
    that tie for the largest.

    Args:
        x: a tensor.
        p: the order: any number; ``inf`` for the largest magnitude, ``-inf`` for the smallest, 0 for the number of
            elements that are not zero; ``"fro"`` is 2.
        dim: the dims to reduce.
        keepdim: keep them with size 1.

    >>> import minigrad as mg
    >>> mg.tensor([3.0, 4.0]).norm().item(), mg.tensor([3.0, -4.0]).norm(p=1).item()
    (5.0, 7.0)
    """
    p = 2.0 if p == "fro" else float(p)
    if p == 1.0:
        return sum(abs(x), dim, keepdim)
    if math.isinf(p):
        return (amax if p > 0 else amin)(abs(x), dim, keepdim)
    return _norm(x, p, dim, keepdim)


@primitive
def _norm(x: Any, /, p: float, dim: Dim = None, keepdim: bool = False) -> Tensor:
    r""":math:`\left(\sum_i |x_i|^p\right)^{1/p}`; for :math:`p = 0` the number of elements that are not 0."""
    x, axis = floating(x), axes(dim)
    if p == 0.0:
        return (x != 0).sum(axis=axis, keepdims=keepdim).astype(x.dtype)
    wide = x.astype(accumulator(x) or x.dtype, copy=False)
    if p == 2.0:
        return xp(x).sqrt(add_up(wide * wide, axis, keepdim)).astype(x.dtype, copy=False)
    if not x.size and p > 0.0:
        return x.sum(axis=axis, keepdims=keepdim)
    return _scaled_norm(wide, p, axis, keepdim).astype(x.dtype, copy=False)


def _scaled_norm(x: Any, p: float, axis: Any, keepdim: bool) -> Any:
    """The norm in units of the element that matters most, so that powers neither overflow nor vanish."""
    size = xp(x).absolute(x)
    unit = (size.max if p > 0 else size.min)(axis=axis, keepdims=True)
    decided = (unit == 0) | xp(x).isinf(unit)  # then it is the norm itself
    safe = xp(x).where(decided, xp(x).ones_like(unit), unit)
    total = add_up(_power(size / safe, p), axis, keepdims=True)
    result = xp(x).where(decided, unit, safe * _power(total, 1 / p))
    return result if keepdim else result.reshape(x.any(axis=axis).shape)


def _power(size: Any, p: float) -> Any:
    """``size ** p`` for non-negative arrays, and 0 at 0 whatever the power."""
    none = size == 0
    return xp(size).where(none, xp(size).zeros_like(size), xp(size).where(none, xp(size).ones_like(size), size) ** p)


@primitive
def _abs_power(x: Any, /, p: float) -> Tensor:
    """:math:`|x|^p`, and 0 at 0 whatever the power."""
    return _power(xp(x).absolute(x), p)


@primitive
def _signed_power(x: Any, /, p: float) -> Tensor:
    r""":math:`\mathrm{sign}(x) |x|^p`, and 0 at 0 whatever the power."""
    return xp(x).sign(x) * _power(xp(x).absolute(x), p)


def _norm_rule(g: Any, x: Any, out: Any, p: float, *how: Any) -> Any:
    if p == 0.0:
        return spread(zero(g), x.shape, *how)
    if p == 2.0:
        return spread(ratio(g, out), x.shape, *how) * x
    return spread(g, x.shape, *how) * _signed_power(ratio(x, spread(out, x.shape, *how)), p - 1.0)


defvjp(_norm, x=lambda g, x, out, p, dim, keepdim: _norm_rule(g, x, out, p, dim, keepdim))
defvjp(_abs_power, x=lambda g, x, p: g * (p * _signed_power(x, p - 1.0)) if p else zero(g))
defvjp(_signed_power, x=lambda g, x, p: g * (p * _abs_power(x, p - 1.0)) if p else zero(g))
