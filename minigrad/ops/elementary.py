"""Elementary functions: powers, exponentials and logarithms, trigonometric and hyperbolic functions.

Of integers and booleans they are computed in the default floating dtype, as in PyTorch. Rules use the output wherever
that is cheaper or safer than the input, and sums of squares go through ``hypot``, which does not overflow.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .. import backend
from ..backend import module_of, xp
from ..errors import DtypeError
from ..primitive import defvjp, primitive
from .arithmetic import floating, sqrt, zero
from .selection import where

if TYPE_CHECKING:
    from ..tensor import Tensor


# ---- powers ------------------------------------------------------------------------------------------------------


@primitive(broadcasts=True)
def pow(x: Any, y: Any, /) -> Tensor:
    r""":math:`x^y`, elementwise; base and exponent may be numbers or tensors.

    :math:`x^0 = 1` and its gradient is 0, also at :math:`x = 0`. With respect to the exponent the gradient at
    :math:`x = 0` is 0 for :math:`y \ge 0`; for negative bases it is NaN, as is a negative base to a broken power.
    """
    try:
        return x**y
    except ValueError as error:
        if "negative integer" not in str(error):
            raise
        raise DtypeError(f"pow: {error}\n  hint: make the base floating first, x.float() ** y") from None


def _pow_x(g: Any, x: Any, y: Any) -> Any:
    if isinstance(y, (int, float)):
        return g * (y * x ** (y - 1)) if y else zero(g)
    return g * (y * where((x == 0) & (y == 0), 1.0, x) ** (y - 1))


def _pow_y(g: Any, x: Any, y: Any, out: Any) -> Any:
    if isinstance(x, (int, float)):
        if x == 0:
            return where(y == 0, 0.0, -g * out)
        return g * (out * (math.log(x) if x > 0 else math.nan))
    flat = (x == 0) & (y >= 0)
    return where(flat, 0.0, g * (where(flat, 0.0, out) * log(where(flat, 1.0, x))))


@primitive(broadcasts=True)
def hypot(x: Any, y: Any, /) -> Tensor:
    r""":math:`\sqrt{x^2 + y^2}` without overflow. The gradient at the origin is 0."""
    return (module_of(x) or xp(y)).hypot(floating(x), floating(y))


defvjp(pow, x=_pow_x, y=_pow_y)
defvjp(
    hypot,
    x=lambda g, x, out: g * (x / where(out == 0, 1.0, out)),
    y=lambda g, y, out: g * (y / where(out == 0, 1.0, out)),
)


# ---- exponentials and logarithms -----------------------------------------------------------------------------------


@primitive
def exp(x: Any, /) -> Tensor:
    """:math:`e^x`."""
    return xp(x).exp(floating(x))


@primitive
def expm1(x: Any, /) -> Tensor:
    """:math:`e^x - 1`, exact for small :math:`x`."""
    return xp(x).expm1(floating(x))


@primitive
def log(x: Any, /) -> Tensor:
    r""":math:`\ln x`."""
    return xp(x).log(floating(x))


@primitive
def log1p(x: Any, /) -> Tensor:
    r""":math:`\ln(1 + x)`, exact for small :math:`x`."""
    return xp(x).log1p(floating(x))


@primitive
def log2(x: Any, /) -> Tensor:
    r""":math:`\log_2 x`."""
    return xp(x).log2(floating(x))


@primitive
def log10(x: Any, /) -> Tensor:
    r""":math:`\log_{10} x`."""
    return xp(x).log10(floating(x))


@primitive(broadcasts=True)
def logaddexp(x: Any, y: Any, /) -> Tensor:
    r""":math:`\ln(e^x + e^y)` without overflow.

    Where both are :math:`-\infty` the gradients are 0, and a half each where both are :math:`\infty`.
    """
    return (module_of(x) or xp(y)).logaddexp(floating(x), floating(y))


@primitive(broadcasts=True)
def _gap(x: Any, y: Any, /) -> Tensor:
    """:math:`x - y`, and 0 between equal infinities."""
    module = module_of(x) or xp(y)
    same = module.equal(x, y)
    return module.where(same, 0, x) - module.where(same, 0, y)


def _share(g: Any, x: Any, y: Any, out: Any) -> Any:
    # sigma(x - y) by way of its logarithm. Not e^(x - out): where x is large, out cannot tell x from x + ln 2
    return where(out == -math.inf, 0.0, g * exp(-logaddexp(_gap(y, x), 0.0)))


@primitive
def erf(x: Any, /) -> Tensor:
    r"""The error function: :math:`\tfrac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt`."""
    return backend.of(x).erf(floating(x))


defvjp(exp, x=lambda g, out: g * out)
defvjp(expm1, x=lambda g, out: g * (out + 1.0))
defvjp(log, x=lambda g, x: g / x)
defvjp(log1p, x=lambda g, x: g / (x + 1.0))
defvjp(log2, x=lambda g, x: g / (x * math.log(2.0)))
defvjp(log10, x=lambda g, x: g / (x * math.log(10.0)))
defvjp(_gap, x=lambda g: g, y=lambda g: -g)
defvjp(logaddexp, x=_share, y=lambda g, x, y, out: _share(g, y, x, out))
defvjp(erf, x=lambda g, x: g * (2.0 / math.sqrt(math.pi) * exp(-x * x)))


# ---- trigonometric and hyperbolic --------------------------------------------------------------------------------


@primitive
def sin(x: Any, /) -> Tensor:
    r""":math:`\sin x`."""
    return xp(x).sin(floating(x))


@primitive
def cos(x: Any, /) -> Tensor:
    r""":math:`\cos x`."""
    return xp(x).cos(floating(x))


@primitive
def tan(x: Any, /) -> Tensor:
    r""":math:`\tan x`."""
    return xp(x).tan(floating(x))


@primitive
def asin(x: Any, /) -> Tensor:
    r""":math:`\arcsin x`."""
    return xp(x).arcsin(floating(x))


@primitive
def acos(x: Any, /) -> Tensor:
    r""":math:`\arccos x`."""
    return xp(x).arccos(floating(x))


@primitive
def atan(x: Any, /) -> Tensor:
    r""":math:`\arctan x`."""
    return xp(x).arctan(floating(x))


@primitive
def sinh(x: Any, /) -> Tensor:
    r""":math:`\sinh x`."""
    return xp(x).sinh(floating(x))


@primitive
def cosh(x: Any, /) -> Tensor:
    r""":math:`\cosh x`."""
    return xp(x).cosh(floating(x))


@primitive
def tanh(x: Any, /) -> Tensor:
    r""":math:`\tanh x`."""
    return xp(x).tanh(floating(x))


@primitive
def asinh(x: Any, /) -> Tensor:
    r""":math:`\operatorname{arsinh} x`."""
    return xp(x).arcsinh(floating(x))


@primitive
def acosh(x: Any, /) -> Tensor:
    r""":math:`\operatorname{arcosh} x`."""
    return xp(x).arccosh(floating(x))


@primitive
def atanh(x: Any, /) -> Tensor:
    r""":math:`\operatorname{artanh} x`."""
    return xp(x).arctanh(floating(x))


@primitive(broadcasts=True)
def atan2(y: Any, x: Any, /) -> Tensor:
    """The angle of the point :math:`(x, y)`, from the positive first axis. The gradient at the origin is 0."""
    return (module_of(y) or xp(x)).arctan2(floating(y), floating(x))


def _atan2(g: Any, side: Any, y: Any, x: Any) -> Any:
    r = hypot(x, y)
    r = where(r == 0, 1.0, r)
    return g * (side / r / r)


defvjp(sin, x=lambda g, x: g * cos(x))
defvjp(cos, x=lambda g, x: -g * sin(x))
defvjp(tan, x=lambda g, out: g * (1.0 + out * out))
defvjp(asin, x=lambda g, x: g / sqrt((1.0 - x) * (1.0 + x)))
defvjp(acos, x=lambda g, x: -g / sqrt((1.0 - x) * (1.0 + x)))
defvjp(atan, x=lambda g, x: g / hypot(x, 1.0) / hypot(x, 1.0))
defvjp(sinh, x=lambda g, x: g * cosh(x))
defvjp(cosh, x=lambda g, x: g * sinh(x))
defvjp(tanh, x=lambda g, out: g - g * (out * out))
defvjp(asinh, x=lambda g, x: g / hypot(x, 1.0))
defvjp(acosh, x=lambda g, x: g / (sqrt(x - 1.0) * sqrt(x + 1.0)))  # type: ignore[has-type]
defvjp(atanh, x=lambda g, x: g / ((1.0 - x) * (1.0 + x)))
defvjp(atan2, y=lambda g, y, x: _atan2(g, x, y, x), x=lambda g, y, x: _atan2(g, -y, y, x))
