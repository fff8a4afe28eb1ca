"""Activation functions by name, as the cells take them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import minigrad as mg
from minigrad.backend import xp

from .numbers import is_real


class Nonlinearity(NamedTuple):
    """A function, and its derivative written in terms of its value.

    That is the form in which the fused path can use it: it keeps values, not arguments. ``slope`` takes and gives raw
    arrays. It is ``None`` for a function whose value does not tell the derivative.
    """

    function: Callable[[Any], Any]
    slope: Callable[[Any], Any] | None = None


def _hard_sigmoid_onnx(x: Any) -> Any:
    return mg.clamp(0.2 * x + 0.5, 0.0, 1.0)


_SELU = 1.0507009873554805, 1.0507009873554805 * 1.6732632423543772  # its slope above 0, and minus its infimum


def _selu_slope(y: Any) -> Any:
    above, below = map(y.dtype.type, _SELU)
    return xp(y).where(y > 0, above, y + below)


NONLINEARITIES = {
    "tanh": Nonlinearity(mg.tanh, lambda y: 1 - y * y),
    "sigmoid": Nonlinearity(mg.sigmoid, lambda y: y - y * y),
    "relu": Nonlinearity(mg.relu, lambda y: (y > 0).astype(y.dtype)),
    "identity": Nonlinearity(mg.positive, lambda y: xp(y).ones_like(y)),
    "hardsigmoid": Nonlinearity(mg.hardsigmoid, lambda y: ((y > 0) & (y < 1)) / y.dtype.type(6)),
    "hardsigmoid_onnx": Nonlinearity(_hard_sigmoid_onnx, lambda y: ((y > 0) & (y < 1)) * y.dtype.type(0.2)),
    "hardtanh": Nonlinearity(mg.hardtanh, lambda y: ((y > -1) & (y < 1)).astype(y.dtype)),
    "softsign": Nonlinearity(mg.softsign, lambda y: xp(y).square(1 - xp(y).absolute(y))),
    "softplus": Nonlinearity(mg.softplus, lambda y: -xp(y).expm1(-y)),
    "elu": Nonlinearity(mg.elu, lambda y: xp(y).minimum(y, 0) + 1),
    "selu": Nonlinearity(mg.selu, _selu_slope),
    "logsigmoid": Nonlinearity(mg.logsigmoid, lambda y: -xp(y).expm1(y)),
    "leaky_relu": Nonlinearity(mg.leaky_relu, lambda y: xp(y).where(y > 0, y.dtype.type(1), y.dtype.type(0.01))),
    "silu": Nonlinearity(mg.silu),
    "gelu": Nonlinearity(mg.gelu),
}


def nonlinearity(name: str, caller: str, argument: str) -> Nonlinearity:
    """The activation of that name.

    Raises:
        MinigradError: an unknown name; it lists those that exist.
    """
    if not isinstance(name, str) or name not in NONLINEARITIES:
        known = ", ".join(f'"{known}"' for known in NONLINEARITIES)
        raise mg.MinigradError(f"{caller}: {argument} is one of {known}, not {name!r}")
    return NONLINEARITIES[name]


def clipped(x: Any, limit: float | None) -> Any:
    """``x`` cut off at ``-limit`` and ``limit``, if there is a limit."""
    return x if limit is None else mg.clamp(x, -limit, limit)


def check_clips(caller: str, **limits: float | None) -> None:
    """Refuse limits that are not positive."""
    for argument, limit in limits.items():
        if limit is not None and not (is_real(limit) and limit > 0):
            raise mg.MinigradError(f"{caller}: {argument} is a limit above 0, or None, not {limit!r}")
