"""Arithmetic: what the operators of Python do, roots and rounding.

Integers divided, inverted or rooted give the default floating dtype, as in PyTorch. Rounding is flat wherever it has a
derivative, so its gradient is zero, also on the steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from .. import backend
from ..backend import module_of, xp
from ..errors import MinigradError
from ..primitive import defvjp, primitive

if TYPE_CHECKING:
    from ..tensor import Tensor


def floating(x: Any) -> Any:
    """An array of integers or booleans in the default floating dtype; what is floating already, itself."""
    try:
        return x if x.dtype.kind == "f" else x.astype(backend.get_default_dtype())
    except AttributeError:
        return x  # a Python number


# ---- sums and products -------------------------------------------------------------------------------------------


@primitive
def neg(x: Any, /) -> Tensor:
    """:math:`-x`."""
    return -x


@primitive(broadcasts=True)
def _add(x: Any, y: Any, /) -> Tensor:
    """:math:`x + y`."""
    return x + y


@primitive(broadcasts=True)
def _sub(x: Any, y: Any, /) -> Tensor:
    """:math:`x - y`."""
    return x - y


@primitive(broadcasts=True)
def mul(x: Any, y: Any, /) -> Tensor:
    """:math:`x y`, elementwise."""
    return x * y


@primitive(broadcasts=True)
def _div(x: Any, y: Any, /) -> Tensor:
    """:math:`x / y`, elementwise."""
    return x / y


@primitive
def square(x: Any, /) -> Tensor:
    """:math:`x^2`."""
    return x * x


@primitive
def reciprocal(x: Any, /) -> Tensor:
    """:math:`1 / x`."""
    return 1.0 / x


@primitive
def sqrt(x: Any, /) -> Tensor:
    r""":math:`\sqrt{x}`. Its slope at 0 is infinite."""
    return xp(x).sqrt(floating(x))


@primitive
def rsqrt(x: Any, /) -> Tensor:
    r""":math:`1 / \sqrt{x}`."""
    return 1.0 / xp(x).sqrt(floating(x))


defvjp(neg, x=lambda g: -g)
defvjp(_add, x=lambda g: g, y=lambda g: g)
defvjp(_sub, x=lambda g: g, y=lambda g: -g)
defvjp(mul, x=lambda g, y: g * y, y=lambda g, x: g * x)
defvjp(_div, x=lambda g, y: g / y, y=lambda g, out, y: -g * out / y)
defvjp(square, x=lambda g, x: g * (2.0 * x))
defvjp(reciprocal, x=lambda g, out: -g * (out * out))
defvjp(sqrt, x=lambda g, out: g / (2.0 * out))
defvjp(rsqrt, x=lambda g, out: -0.5 * g * (out * out * out))


# ---- the same under the names of functions, with what operators cannot be told -----------------------------------


def add(x: Any, y: Any, /, *, alpha: Any = 1) -> Tensor:
    r""":math:`x + \alpha y`.

    >>> import minigrad as mg
    >>> mg.add(mg.ones(2), 3.0, alpha=2).tolist()
    [7.0, 7.0]
    """
    return _add(x, y if alpha == 1 else mul(alpha, y))


def sub(x: Any, y: Any, /, *, alpha: Any = 1) -> Tensor:
    r""":math:`x - \alpha y`."""
    return _sub(x, y if alpha == 1 else mul(alpha, y))


def div(x: Any, y: Any, /, *, rounding_mode: str | None = None) -> Tensor:
    """:math:`x / y`, elementwise, and rounded if asked.

    Args:
        x: a tensor or a number.
        y: a tensor or a number.
        rounding_mode: ``None``, ``"floor"`` (down, like ``//``) or ``"trunc"`` (towards 0). What is rounded has
            gradient 0, and stays integer for integers.

    >>> import minigrad as mg
    >>> mg.div(mg.tensor([-7, 7]), 2, rounding_mode="trunc").tolist()
    [-3, 3]
    """
    if rounding_mode is None:
        return _div(x, y)
    if rounding_mode == "floor":
        return floor_divide(x, y)
    if rounding_mode != "trunc":
        raise MinigradError(f'div: rounding_mode is None, "floor" or "trunc", not {rounding_mode!r}')
    if "f" in [numpy.result_type(getattr(v, "dtype", type(v))).kind for v in (x, y)]:
        return trunc(_div(x, y))
    return sign(x) * sign(y) * floor_divide(abs(x), abs(y))


def positive(x: Any) -> Tensor:
    """``+x``: the tensor itself."""
    return x


def lerp(start: Any, end: Any, weight: Any) -> Tensor:
    """Linear interpolation: ``start + weight * (end - start)``."""
    return start + weight * (end - start)


# ---- sign and rounding -------------------------------------------------------------------------------------------


@primitive
def zero(x: Any, /) -> Tensor:
    """Zeros like ``x``: the gradient of what is flat."""
    return xp(x).zeros_like(x)


@primitive
def abs(x: Any, /) -> Tensor:
    """:math:`|x|`. The gradient at 0 is 0."""
    return xp(x).absolute(x)


@primitive
def sign(x: Any, /) -> Tensor:
    """-1, 0 or 1. The gradient is 0 everywhere."""
    return xp(x).sign(x)


@primitive
def floor(x: Any, /) -> Tensor:
    """The next whole number below or at ``x``. The gradient is 0 everywhere."""
    return _rounded(xp(x).floor, x)


@primitive
def ceil(x: Any, /) -> Tensor:
    """The next whole number above or at ``x``. The gradient is 0 everywhere."""
    return _rounded(xp(x).ceil, x)


@primitive
def trunc(x: Any, /) -> Tensor:
    """``x`` without its fractional part, towards 0. The gradient is 0 everywhere."""
    return _rounded(xp(x).trunc, x)


@primitive
def round(x: Any, /, decimals: int = 0) -> Tensor:
    """``x`` to ``decimals`` places, halves to the even neighbour. The gradient is 0 everywhere."""
    return xp(x).around(x, decimals)


def _rounded(function: Any, x: Any) -> Any:
    """Rounding for floating arrays; whole numbers stay what they are."""
    return x.copy() if getattr(getattr(x, "dtype", None), "kind", "f") in "biu" else function(x)


@primitive(broadcasts=True)
def floor_divide(x: Any, y: Any, /) -> Tensor:
    r""":math:`\lfloor x / y \rfloor`, Python's ``//``. The gradient is 0 everywhere."""
    return x // y


@primitive(broadcasts=True)
def remainder(x: Any, y: Any, /) -> Tensor:
    r""":math:`x - y \lfloor x / y \rfloor`, Python's ``%``: has the sign of ``y``. The steps count as flat."""
    return x % y


@primitive(broadcasts=True)
def fmod(x: Any, y: Any, /) -> Tensor:
    r""":math:`x - y\,\mathrm{trunc}(x / y)`, C's ``fmod``: has the sign of ``x``. The steps count as flat."""
    return (module_of(x) or xp(y)).fmod(x, y)


def _flat(g: Any) -> Any:
    return zero(g)


defvjp(zero, x=_flat)
defvjp(abs, x=lambda g, x: g * sign(x))
defvjp(sign, x=_flat)
defvjp(floor, x=_flat)
defvjp(ceil, x=_flat)
defvjp(trunc, x=_flat)
defvjp(round, x=_flat)
defvjp(floor_divide, x=_flat, y=_flat)
defvjp(remainder, x=lambda g: g, y=lambda g, x, y: -g * (x // y))
defvjp(fmod, x=lambda g: g, y=lambda g, x, y: -g * trunc(x / y))
