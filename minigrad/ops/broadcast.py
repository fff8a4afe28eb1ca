"""Broadcasting and its inverse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..backend import xp
from ..errors import ShapeError
from ..primitive import defvjp, primitive
from .shape import sizes_of
from .totals import ROWS, add_up, settled

if TYPE_CHECKING:
    from ..tensor import Tensor


@primitive(views=True)
def broadcast_to(x: Any, /, shape: tuple[int, ...]) -> Tensor:
    """``x`` repeated to ``shape`` by the rules of broadcasting, without copying."""
    return xp(x).broadcast_to(x, shape)


@primitive
def sum_to(x: Any, /, shape: tuple[int, ...]) -> Tensor:
    """``x`` summed down to ``shape``: what undoes broadcasting in a gradient."""
    extra = x.ndim - len(shape)
    if x.shape[extra:] == shape:
        if extra == 1 and x.shape[0] <= ROWS and x.itemsize > 2:  # the gradient of a bias
            return x.sum(axis=0)
        return settled(add_up(x, 0 if extra == 1 else tuple(range(extra))), x)
    axes = tuple(i for i, size in enumerate(x.shape) if i < extra or (shape[i - extra] == 1 and size != 1))
    return settled(add_up(x, axes, keepdims=True), x).reshape(shape)


def expand(x: Any, *sizes: Any, size: Any = None) -> Tensor:
    """``x`` repeated along its dims of size 1, and along new ones in front, without copying.

    Args:
        x: a tensor.
        sizes: the sizes of the result, as numbers or one tuple; -1 leaves a dim of ``x`` as it is.
        size: the same by keyword.

    >>> import minigrad as mg
    >>> mg.tensor([[1], [2]]).expand(-1, 3).tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    shape = sizes_of(sizes, size)
    if -1 in shape:
        extra = len(shape) - len(x.shape)
        if -1 in shape[: max(extra, 0)]:
            raise ShapeError(f"expand: -1 in {shape} stands for a dim that {tuple(x.shape)} does not have")
        shape = tuple(x.shape[i - extra] if n == -1 else n for i, n in enumerate(shape))
    return broadcast_to(x, shape)


def expand_as(x: Any, other: Any) -> Tensor:
    """``x`` broadcast to the shape of ``other``."""
    return broadcast_to(x, tuple(other.shape))


defvjp(broadcast_to, x=lambda g, x_shape: sum_to(g, x_shape))
defvjp(sum_to, x=lambda g, x_shape: broadcast_to(g, x_shape))
