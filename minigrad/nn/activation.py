"""Activation functions as modules, for use in :class:`Sequential`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ..ops import activation, elementary, shape
from ..tensor import Tensor
from .module import Module


class _Function(Module):
    """A function of one tensor; what the constructor was given is passed on by name."""

    function: ClassVar[Callable[..., Tensor]]

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def forward(self, x: Tensor) -> Tensor:
        """Apply the function."""
        return type(self).function(x, **self.settings)

    def extra_repr(self) -> str:
        """The settings."""
        return ", ".join(f"{name}={value!r}" for name, value in self.settings.items())


class Sigmoid(_Function):
    """:func:`minigrad.sigmoid` as a module."""

    function = staticmethod(activation.sigmoid)


class Tanh(_Function):
    """:func:`minigrad.tanh` as a module."""

    function = staticmethod(elementary.tanh)


class ReLU(_Function):
    """:func:`minigrad.relu` as a module."""

    function = staticmethod(activation.relu)


class SELU(_Function):
    """:func:`minigrad.selu` as a module."""

    function = staticmethod(activation.selu)


class SiLU(_Function):
    """:func:`minigrad.silu` as a module."""

    function = staticmethod(activation.silu)


class Softsign(_Function):
    """:func:`minigrad.softsign` as a module."""

    function = staticmethod(activation.softsign)


class Hardsigmoid(_Function):
    """:func:`minigrad.hardsigmoid` as a module."""

    function = staticmethod(activation.hardsigmoid)


class LogSigmoid(_Function):
    """:func:`minigrad.logsigmoid` as a module."""

    function = staticmethod(activation.logsigmoid)


class LeakyReLU(_Function):
    """:func:`minigrad.leaky_relu` as a module."""

    function = staticmethod(activation.leaky_relu)

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__(negative_slope=negative_slope)


class ELU(_Function):
    """:func:`minigrad.elu` as a module."""

    function = staticmethod(activation.elu)

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha=alpha)


class GELU(_Function):
    """:func:`minigrad.gelu` as a module."""

    function = staticmethod(activation.gelu)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__(approximate=approximate)


class Softplus(_Function):
    """:func:`minigrad.softplus` as a module."""

    function = staticmethod(activation.softplus)

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta, threshold=threshold)


class Hardtanh(_Function):
    """:func:`minigrad.hardtanh` as a module."""

    function = staticmethod(activation.hardtanh)

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        super().__init__(min_val=min_val, max_val=max_val)


class Softmax(_Function):
    """:func:`minigrad.softmax` as a module."""

    function = staticmethod(activation.softmax)

    def __init__(self, dim: int) -> None:
        super().__init__(dim=dim)


class LogSoftmax(_Function):
    """:func:`minigrad.log_softmax` as a module."""

    function = staticmethod(activation.log_softmax)

    def __init__(self, dim: int) -> None:
        super().__init__(dim=dim)


class Flatten(_Function):
    """:func:`minigrad.flatten`, leaving the first dimension alone."""

    function = staticmethod(shape.flatten)

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__(start_dim=start_dim, end_dim=end_dim)


class Identity(Module):
    """The input itself; whatever it is constructed with is ignored."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes anything, so that it can stand in for any layer."""

    def forward(self, x: Any) -> Any:
        """``x``."""
        return x
