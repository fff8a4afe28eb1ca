"""What callers of the drawings of recurrent networks ask for, checked, and run where every op is recorded."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Set
from typing import Any

import minigrad as mg
from minigrad import backend
from minigrad.draw import options

from ..layers.path import unrolled as recording

RUN = "draw(lambda: model(x)) or draw(model, x) runs it and draws its steps; minigrad.draw(model, x) draws its modules"


def is_program(y: Any, run: str = RUN) -> bool:
    """Whether something is a function that computes what is to be drawn, and not that itself.

    Args:
        y: what the caller handed over.
        run: what to tell who handed over a module: how to run it.

    Raises:
        GraphError: it is a module, which waits for an input, or a function that takes arguments.
    """
    if isinstance(y, mg.nn.Module):
        raise mg.GraphError(f"draw: a {type(y).__name__} has computed nothing yet\n  hint: {run}")
    return options.is_program(y)


def called(model: Any, inputs: tuple[Any, ...]) -> Any:
    """A function without arguments that calls a model with ``inputs``.

    Raises:
        GraphError: it cannot be called.
    """
    if not callable(model) or isinstance(model, type):
        told = f"{model.__name__} is a class" if isinstance(model, type) else f"a {type(model).__name__} is none"
        raise mg.GraphError(
            f"draw: inputs are for a model, and {told}\n"
            "  hint: draw(model, x), or draw(y) of what was computed; all options go by name, as view=\"folded\""
        )
    return functools.partial(model, *inputs)


def computed(y: Any, run: str = RUN) -> Any:
    """What a function computes where every op is recorded; anything else as it is.

    Raises:
        GraphError: it is a module, or a function that takes arguments.
    """
    if not is_program(y, run):
        return y
    with recording():
        made = y()
    # a layer's output comes with its last state, which belongs to the same network
    return made[0] if isinstance(made, tuple) and made and isinstance(made[0], mg.Tensor) else made


def check_steps(who: str, steps: Any) -> None:
    """How many steps to draw in full.

    Raises:
        GraphError: it is no whole number from 1.
    """
    options.check_count(who, "steps", steps, "how many steps to draw in full")


def on_host(y: Any) -> Any:
    """A tensor, or an array of any device, as an array of NumPy's; anything else as it is."""
    if isinstance(y, mg.Tensor):
        return y.detach().numpy()
    return backend.of(y).to_host(y) if backend.is_array(y) else y


def listed(value: Any, expected: str) -> tuple[Any, ...]:
    """The items of a list, or of a tensor or array of one dimension.

    Raises:
        GraphError: it is something else; the message begins with what was expected.
    """
    found = on_host(value)
    unordered = isinstance(found, (str, bytes, Mapping, Set)) or not hasattr(found, "__len__")
    if unordered or getattr(found, "ndim", 1) != 1:
        raise mg.GraphError(f"{expected} {type(value).__name__} {value!r:.40}")
    return tuple(found)


def timeless() -> mg.GraphError:
    """What to tell who draws a graph in which there is no time."""
    return mg.GraphError(
        "draw: no time step is recorded in this graph\n"
        "  hint: in a loop of your own, run each step in mg.scope(step=t); for networks without time there is"
        " minigrad.draw"
    )
