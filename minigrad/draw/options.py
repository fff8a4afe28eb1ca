"""What callers ask for, checked: who made a mistake is told what was expected."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

from ..errors import GraphError, MinigradError
from ..graph import Graph
from ..nn import Module
from ..node import Handle

DIRECTIONS = ("LR", "TB", "RL", "BT")
LONGEST = 86_400  # seconds that a drawing may take: a day; operating systems count no longer than some weeks


def check_options(who: str, direction: Any, max_nodes: Any) -> None:
    """What all drawings of graphs are asked for.

    Raises:
        GraphError: ``direction`` is no direction, or ``max_nodes`` neither a number of boxes nor ``None``.
    """
    if direction not in DIRECTIONS:
        raise GraphError(f"{who}: direction is one of {', '.join(DIRECTIONS)}, not {direction!r}")
    if max_nodes is not None and not is_count(max_nodes):
        raise GraphError(f"{who}: max_nodes is how many boxes are readable, from 1, or None; not {max_nodes!r}")


def is_count(value: Any, least: int = 1) -> bool:
    """Whether something is a whole number, and not below the least.

    >>> is_count(3), is_count(0), is_count(True), is_count(2.0)
    (True, False, False, False)
    """
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= least


def check_count(who: str, name: str, value: Any, told: str, least: int = 1) -> None:
    """A whole number that must be given.

    Raises:
        GraphError: it is something else; the message says what it is for.
    """
    if not is_count(value, least):
        raise GraphError(f"{who}: {name} is {told}, from {least}, not {value!r}")


def as_number(value: Any, expected: str) -> float:
    """A float of whatever can be one.

    Raises:
        GraphError: it cannot; the message begins with what was expected.
    """
    if hasattr(value, "__float__"):
        with contextlib.suppress(TypeError, ValueError, OverflowError, MinigradError):
            return float(value)
    raise GraphError(f"{expected} {type(value).__name__} {value!r:.40}")


def check_timeout(timeout: Any) -> None:
    """How long Graphviz may take.

    Raises:
        GraphError: it is no number of seconds above 0, or more than a day.
    """
    known = not isinstance(timeout, bool) and isinstance(timeout, Real) and math.isfinite(timeout)
    if not known or not 0 < timeout <= LONGEST:
        raise GraphError(
            f"draw: timeout is how many seconds Graphviz may take, above 0 and up to {LONGEST:,}; not {timeout!r}"
        )


def is_program(y: Any) -> bool:
    """Whether something is a function that computes what is to be drawn, and not that itself.

    Raises:
        GraphError: it is a module, which waits for an input, or a function that takes arguments.
    """
    if isinstance(y, Module):
        raise idle(y)
    if not callable(y) or isinstance(y, (Handle, Graph)):
        return False
    if misfit := cannot_take(y):
        name = getattr(y, "__name__", type(y).__name__)
        raise GraphError(
            f"draw: a function without arguments is expected, and {name} cannot be called so: {misfit}\n"
            "  hint: lambda: loss(model(x)) is one"
        )
    return True


def idle(module: Module) -> GraphError:
    """What to tell who draws a module without an input."""
    return GraphError(
        f"draw: this {type(module).__name__} has computed nothing yet\n"
        "  hint: draw(model, x) runs it on x and draws its modules; x may be a tuple of arguments, or a dictionary of"
        " keyword arguments; draw(model(x)) draws the ops"
    )


def cannot_take(function: Callable[..., Any], *args: Any) -> str:
    """Why a function cannot be called with these arguments, as far as its signature tells; ``""`` if it can.

    >>> cannot_take(lambda: 1), cannot_take(lambda x: x)
    ('', "missing a required argument: 'x'")
    """
    try:
        inspect.signature(function).bind(*args)
    except TypeError as error:
        return str(error)
    except ValueError:  # some functions written in C have no signature
        pass
    return ""
