"""Nonlinearities in a kernel: in place on what they are functions of, once for each step."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from ..cells.nonlinearity import NONLINEARITIES

Array = Any
Squash = Callable[[Array], None]


def scale_of(name: str) -> float:
    r"""What the argument must be multiplied by beforehand, which costs nothing in the weights.

    :math:`\sigma(a) = \tanh(a/2)/2 + 1/2`, so a sigmoid takes half its argument; all others take it whole.
    """
    return 0.5 if name == "sigmoid" else 1.0


def squash(
    module: Any, name: str, dtype: Any, limit: float | None = None, within: Array | None = None, whole: bool = False
) -> Squash:
    """The nonlinearity of that name, to be called with the arguments of one step after the other.

    Args:
        module: the array module.
        name: see :data:`~minigrad_rnn.cells.NONLINEARITIES`.
        dtype: of the arguments.
        limit: where the arguments are cut off before, or ``None``.
        within: filled with whether they were not, a boolean array for each step; from its first one again when they are
            used up; ``None`` if nobody asks.
        whole: whether the arguments are what the nonlinearity is of, and not a multiple of it, see :func:`scale_of`.
    """
    function, scale = _in_place(module, name, dtype), scale_of(name)
    if whole and scale != 1:
        scale, function = 1.0, _scaled(module, function, module.full((), scale, dtype))
    if limit is None:
        return function
    bound = module.full((), limit * scale, dtype)
    places = itertools.repeat(None) if within is None else itertools.cycle(within)

    def clipped(a: Array) -> None:
        if (place := next(places)) is not None:
            module.less_equal(module.absolute(a), bound, out=place)
        function(module.clip(a, -bound, bound, out=a))

    return clipped


def slope(name: str) -> Callable[[Array], Array]:
    """The derivative of the nonlinearity of that name, from its value; ``NotImplementedError`` if that is not known."""
    found = NONLINEARITIES[name].slope
    if found is None:
        raise NotImplementedError(name)
    return found


def _scaled(module: Any, function: Squash, scale: Array) -> Squash:
    return lambda a: function(module.multiply(a, scale, out=a))


def _in_place(module: Any, name: str, dtype: Any) -> Squash:
    half, zero = module.full((), 0.5, dtype), module.zeros((), dtype)  # a Python number is converted at every step
    tanh, multiply, add, maximum = module.tanh, module.multiply, module.add, module.maximum
    function = NONLINEARITIES[name].function

    def sigmoid(a: Array) -> None:
        tanh(a, out=a)
        multiply(a, half, out=a)
        add(a, half, out=a)

    def other(a: Array) -> None:
        a[...] = function(a)

    quick = {"tanh": lambda a: tanh(a, out=a), "sigmoid": sigmoid, "relu": lambda a: maximum(a, zero, out=a)}
    return quick.get(name, other)
