"""Broadcasting and its inverse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..backend import xp
from ..primitive import primitive, vjp

if TYPE_CHECKING:
    from ..tensor import Tensor


@primitive
def broadcast_to(x: Any, /, shape: tuple[int, ...]) -> Tensor:
    """``x`` repeated to ``shape`` by the rules of broadcasting, without copying."""
    return xp(x).broadcast_to(x, shape)


@primitive
def sum_to(x: Any, /, shape: tuple[int, ...]) -> Tensor:
    """``x`` summed down to ``shape``: what undoes broadcasting in a gradient."""
    extra = len(x.shape) - len(shape)
    axes = tuple(i for i, size in enumerate(x.shape) if i < extra or (shape[i - extra] == 1 and size != 1))
    summed = x.sum(axis=axes, keepdims=True)
    return summed.reshape(shape)


vjp(broadcast_to, x=lambda g, x_shape: sum_to(g, x_shape))
vjp(sum_to, x=lambda g, x_shape: broadcast_to(g, x_shape))
