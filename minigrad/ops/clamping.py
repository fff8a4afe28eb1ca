"""Values held within bounds: a choice between what was given and the bound, so the gradient goes to what was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..backend import module_of, xp
from ..primitive import defvjp, primitive
from .selection import isfinite, where

if TYPE_CHECKING:
    from ..tensor import Tensor


@primitive(broadcasts=True)
def _clamp(x: Any, low: Any = None, high: Any = None, /) -> Tensor:
    r""":math:`\min(\max(x, low), high)`."""
    return (module_of(x) or module_of(low) or xp(high)).clip(x, low, high)


@primitive(broadcasts=True)
def _within(x: Any, low: Any = None, high: Any = None, /) -> Tensor:
    """Where x lies between the bounds or on one of them, so that clamp returns it."""
    if low is None or high is None:
        return x <= high if low is None else x >= low
    return (x >= low) & (x <= high)


@primitive(broadcasts=True)
def _below(x: Any, low: Any = None, high: Any = None, /) -> Tensor:
    """Where clamp returns the lower bound."""
    return x < low if high is None else (x < low) & (low < high)


@primitive(broadcasts=True)
def _above(x: Any, low: Any = None, high: Any = None, /) -> Tensor:
    """Where clamp returns the upper bound."""
    return x > high if low is None else (x > high) | (high < low)


defvjp(
    _clamp,
    x=lambda g, x, low, high: where(_within(x, low, high), g, 0.0),
    low=lambda g, x, low, high: where(_below(x, low, high), g, 0.0),
    high=lambda g, x, low, high: where(_above(x, low, high), g, 0.0),
)


def clamp(x: Any, min: Any = None, max: Any = None) -> Tensor:
    """``x`` with what lies below ``min`` raised to it and what lies above ``max`` lowered to it.

    The gradient passes between the bounds and on them; outside it goes to the bound, if that is a tensor.

    Args:
        x: the tensor.
        min: lower bound, a number or a tensor; ``None`` for none.
        max: upper bound; it wins where it is below ``min``.

    >>> import minigrad as mg
    >>> mg.tensor([-2.0, 0.5, 9.0]).clamp(0.0, 1.0).tolist()
    [0.0, 0.5, 1.0]
    """
    return _clamp(x, min, max)


@primitive
def nan_to_num(x: Any, /, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """``x`` with NaN and the infinities replaced by numbers; no gradient passes where something was replaced.

    Args:
        x: the tensor.
        nan: instead of NaN.
        posinf: instead of plus infinity; ``None`` for the largest finite number.
        neginf: instead of minus infinity; ``None`` for the lowest finite number.
    """
    return xp(x).nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


defvjp(nan_to_num, x=lambda g, x: where(isfinite(x), g, 0.0))
