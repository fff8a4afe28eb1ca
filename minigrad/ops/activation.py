"""Activation functions, softmax and dropout.

Sigmoid, ReLU, softmax and their like are primitives with rules from their outputs: recurrent networks call them at
every step. What is rarer is composed of others.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .. import backend
from ..backend import xp
from ..errors import MinigradError, check_probability
from ..node import Handle
from ..primitive import defvjp, primitive
from .arithmetic import abs, floating
from .conversion import in_dtype
from .elementary import erf, exp, expm1, tanh
from .reduction import sum
from .selection import where
from .shape import dim_of
from .totals import add_up

if TYPE_CHECKING:
    from ..tensor import Tensor


@primitive
def sigmoid(x: Any, /) -> Tensor:
    r""":math:`\sigma(x) = 1 / (1 + e^{-x})`, right in every digit at both ends."""
    return backend.of(x).sigmoid(x)


@primitive
def relu(x: Any, /) -> Tensor:
    r""":math:`\max(x, 0)`. The gradient at 0 is 0."""
    return xp(x).maximum(x, 0)


defvjp(sigmoid, x=lambda g, out: g * (out - out * out))
defvjp(relu, x=lambda g, out: g * (out > 0))


@primitive
def leaky_relu(x: Any, /, negative_slope: float = 0.01) -> Tensor:
    """``x`` where positive, elsewhere ``negative_slope * x``. The gradient at 0 is ``negative_slope``."""
    return xp(x).where(x > 0, x, x * negative_slope)


@primitive
def elu(x: Any, /, alpha: float = 1.0) -> Tensor:
    r""":math:`x` where positive, elsewhere :math:`\alpha (e^x - 1)`. The gradient at 0 is :math:`\alpha`."""
    return xp(x).where(x > 0, x, xp(x).expm1(xp(x).minimum(x, 0)) * alpha)


@primitive
def softplus(x: Any, /, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    r""":math:`\ln(1 + e^{\beta x}) / \beta`, and :math:`x` itself where :math:`\beta x` exceeds ``threshold``."""
    return xp(x).where(x * beta > threshold, x, xp(x).logaddexp(floating(x) * beta, 0.0) / beta)


@primitive
def hardtanh(x: Any, /, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """``x`` cut off at ``min_val`` and ``max_val``. The gradient at the bounds is 0."""
    return xp(x).clip(x, min_val, max_val)


@primitive
def logsigmoid(x: Any, /) -> Tensor:
    r""":math:`\ln \sigma(x)`, exact also where :math:`\sigma(x)` rounds to 0."""
    return -xp(x).logaddexp(-floating(x), 0.0)


defvjp(leaky_relu, x=lambda g, x, negative_slope: where(x > 0, g, g * negative_slope))
defvjp(elu, x=lambda g, x, out, alpha: where(x > 0, g, g * (out + alpha)))
defvjp(softplus, x=lambda g, x, out, beta, threshold: where(x * beta > threshold, g, -g * expm1(out * -beta)))
defvjp(hardtanh, x=lambda g, x, min_val, max_val: where((x > min_val) & (x < max_val), g, 0.0))
defvjp(logsigmoid, x=lambda g, out: -g * expm1(out))  # 1 - sigma(x), with all its digits


def selu(x: Any) -> Tensor:
    """ELU scaled so that deep networks keep mean 0 and variance 1 (Klambauer et al. 2017). At 0, its left slope."""
    return elu(x, alpha=1.6732632423543772) * 1.0507009873554805


def gelu(x: Any, approximate: str = "none") -> Tensor:
    r""":math:`x \Phi(x)` with the normal distribution function :math:`\Phi` (Hendrycks and Gimpel 2016).

    Args:
        x: the tensor.
        approximate: ``"none"``, or ``"tanh"`` for :math:`\Phi(x) \approx \sigma(2\sqrt{2/\pi}(x + 0.044715 x^3))`.
    """
    if approximate == "tanh":
        return x * (0.5 * tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * x * x))) + 0.5)
    if approximate != "none":
        raise MinigradError(f'gelu: approximate is "none" or "tanh", not {approximate!r}')
    return x * (0.5 * erf(x * math.sqrt(0.5)) + 0.5)


def silu(x: Any) -> Tensor:
    r""":math:`x \sigma(x)`, also called swish."""
    return x * sigmoid(x)


def softsign(x: Any) -> Tensor:
    r""":math:`x / (1 + |x|)`."""
    return x / (abs(x) + 1.0)


def hardsigmoid(x: Any) -> Tensor:
    r""":math:`x / 6 + 1/2` cut off at 0 and 1. The gradient at :math:`\pm 3` is 0."""
    return hardtanh(x / 6.0 + 0.5, min_val=0.0, max_val=1.0)


# ---- softmax -----------------------------------------------------------------------------------------------------


@primitive
def _softmax(x: Any, /, dim: int) -> Tensor:
    r""":math:`e^{x_i} / \sum_j e^{x_j}` along ``dim``."""
    if not x.size:
        return _nothing(x, dim)
    e = xp(x).exp(floating(x) - x.max(axis=dim, keepdims=True))
    e /= add_up(e, dim, keepdims=True)
    return e


@primitive
def _log_softmax(x: Any, /, dim: int) -> Tensor:
    r""":math:`x_i - \ln \sum_j e^{x_j}` along ``dim``."""
    if not x.size:
        return _nothing(x, dim)
    shifted = floating(x - x.max(axis=dim, keepdims=True))
    shifted -= xp(x).log(add_up(xp(x).exp(shifted), dim, keepdims=True))
    return shifted


def softmax(x: Any, dim: int, *, dtype: Any = None) -> Tensor:
    r""":math:`e^{x_i} / \sum_j e^{x_j}` along ``dim``, shifted by the maximum so that nothing overflows.

    >>> import minigrad as mg
    >>> mg.zeros(1, 4).softmax(dim=1).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    return _softmax(x if dtype is None else in_dtype(x, dtype), dim)


def log_softmax(x: Any, dim: int, *, dtype: Any = None) -> Tensor:
    r""":math:`x_i - \ln \sum_j e^{x_j}` along ``dim``: the logarithm of softmax, exact where that rounds to 0."""
    return _log_softmax(x if dtype is None else in_dtype(x, dtype), dim)


def _nothing(x: Any, dim: int) -> Any:
    """Softmax of an empty array: nothing has a maximum, but ``dim`` must exist all the same."""
    dim_of(x.shape, dim)
    return floating(x).copy()


defvjp(_softmax, x=lambda g, out, dim: out * (g - sum(g * out, dim, keepdim=True)))
defvjp(_log_softmax, x=lambda g, out, dim: g - exp(out) * sum(g, dim, keepdim=True))  # type: ignore[has-type]


# ---- dropout -----------------------------------------------------------------------------------------------------


@primitive(broadcasts=True)
def _dropout(x: Any, keep: Any, /) -> Tensor:
    """``x`` times a mask of zeros and of the factor that keeps the mean."""
    return x * keep


defvjp(_dropout, x=lambda g, keep: g * keep, keep=None)


def dropout(x: Any, p: float = 0.5, training: bool = True) -> Tensor:
    """Zero each element with probability ``p`` and scale the others by ``1 / (1 - p)`` (Srivastava et al. 2014).

    Args:
        x: the tensor.
        p: from 0 to 1.
        training: when false, or when ``p`` is 0, ``x`` itself is returned.

    Raises:
        MinigradError: ``p`` is not a probability.
    """
    check_probability("dropout: p", p)
    if not training or p == 0.0:
        return x
    array = x._data if isinstance(x, Handle) else x
    dtype = floating(array[:0] if array.shape else array).dtype
    return _dropout(x, backend.of(array).dropout_mask(array.shape, p, dtype))
