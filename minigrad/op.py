"""What an op is, as data: its forward, its rules, and the names of everything they take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from .node import Node

Rule = Callable[..., Any]


class Op:
    """A declared op: forward, rules, and the names of its inputs and parameters.

    Attributes:
        name: as in the registry and on drawings.
        forward: the function on arrays.
        inputs: names of the array arguments; a single one for an op that takes any number of arrays.
        variadic: whether it takes any number of arrays.
        defaults: parameters and their default values (``inspect.Parameter.empty`` where one must be given).
        rules: for each input its rule, or ``None`` where the op is not differentiable in it.
        joint: one rule for all inputs, returning a tuple, or ``None``.
        fresh: whether what the joint rule returns is in memory of its own.
        keeps: for each rule, what it keeps, by name.
        getters: for each rule, what picks these values out of those of a call.
        mixing: for each input, whether it must agree in dtype with the others.
        broadcasts: whether inputs of different shapes are broadcast.
        simple: one or two inputs and no parameters.
        outputs: whether the forward returns a tuple of arrays.
        views: whether the output may share memory with the first input.
        moves: whether the output has no numbers but those of the inputs, elsewhere; so has that of every op with views.
    """

    def __init__(
        self,
        forward: Callable[..., Any],
        *,
        outputs: bool = False,
        broadcasts: bool = False,
        views: bool = False,
        moves: bool = False,
    ) -> None:
        self.name = forward.__name__.strip("_")
        self.forward = forward
        self.doc = inspect.getdoc(forward) or ""
        arguments = inspect.signature(forward).parameters.values()
        arrays = [a for a in arguments if a.kind in (a.POSITIONAL_ONLY, a.VAR_POSITIONAL)]
        self.inputs = [a.name for a in arrays]
        if not arrays:
            example = f"def {self.name}(x, /, dim)"
            raise ValueError(f"{self.name} has no array arguments: they stand before a slash, {example}")
        self.optional = [a.default is None for a in arrays]
        self.variadic = any(a.kind is a.VAR_POSITIONAL for a in arrays)
        self.defaults = {a.name: a.default for a in arguments if a not in arrays}
        self.required = [name for name, default in self.defaults.items() if default is inspect.Parameter.empty]
        self.outputs, self.broadcasts, self.views, self.moves = outputs, broadcasts, views, moves or views
        self.rules: list[Rule | None] = [None] * len(self.inputs)
        self.joint: Rule | None = None
        self.fresh = False
        self.keeps: dict[Rule, tuple[str, ...]] = {}
        self.mixing = [True] * len(self.inputs)
        self.simple = not (self.defaults or self.variadic or outputs or any(self.optional)) and len(self.inputs) < 3
        self.getters: list[Callable[..., tuple[Any, ...]]] = [_shapes_of] * len(self.inputs)
        self.module = forward.__module__

    def values(self) -> list[str]:
        """The values of a call by name, in the order in which getters take them: inputs, output, parameters."""
        return [*self.inputs, "out", *self.defaults]

    def declare(self, rule: Rule) -> Callable[..., tuple[Any, ...]]:
        """Note what a rule keeps, by the names of its arguments; returns what picks it out of a call's values.

        The picker is compiled, ``lambda x, out, dim: (dim, shape_of(x))``: it runs at every call of the op, and this
        is the quickest that Python has.
        """
        self.keeps[rule] = names = tuple(inspect.signature(rule).parameters)[1:]
        values = [*self.values(), "needs"] if self.joint is rule else self.values()
        shapes = {f"{name}_shape": f"{'shapes' if self.variadic else 'shape'}_of({name})" for name in self.inputs}
        for name in names:
            if name not in values and name not in shapes:
                known = ", ".join([*values, *shapes])
                raise ValueError(f"a rule of {self.name} asks for {name!r}; it can have {known}")
        picked = "".join(shapes.get(name, name) + ", " for name in names)
        namespace = {"shape_of": _shape_of, "shapes_of": _shapes_of}
        picker: Callable[..., tuple[Any, ...]] = eval(  # noqa: S307 - made of the names of the op's own arguments
            f"lambda {', '.join(values)}: ({picked})", namespace
        )
        return picker

    def kept_inputs(self, node: Node, kept: Iterable[tuple[Rule, tuple[Any, ...]]]) -> Iterator[tuple[Any, Any]]:
        """The inputs of a call whose arrays its rules keep, each with the array."""
        for rule, values in kept:
            if rule not in self.keeps:  # of one output of several, which keeps no arrays
                continue
            for name, value in zip(self.keeps[rule], values, strict=True):
                if name in self.inputs and self.variadic:
                    yield from zip(node.inputs, value, strict=True)
                elif name in self.inputs:
                    yield node.inputs[self.inputs.index(name)], value

    def __repr__(self) -> str:
        return f"<op {self.name}({', '.join([*self.inputs, *self.defaults])})>"


def _shape_of(x: Any) -> tuple[int, ...]:
    return getattr(x, "shape", ())


def _shapes_of(xs: tuple[Any, ...]) -> tuple[tuple[int, ...], ...]:
    return tuple([getattr(x, "shape", ()) for x in xs])


REGISTRY: dict[str, Op] = {}  # every op by name, in order of declaration


class Event(NamedTuple):
    """What an observer sees.

    ``phase`` is ``"forward"``: an op ran, and ``arrays`` are its outputs; ``"backward"``: ``arrays`` holds the gradient
    that arrived at the op's output, its rules run next; or ``"rule"``: one of its rules ran, and ``arrays`` holds the
    gradient (or ``None``) that it sends to the node ``source``. With ``create_graph`` these are tensors, and for an op
    with several outputs what arrives are :class:`Slots`. ``node`` is ``None`` when nothing is recorded.
    """

    phase: str
    op: Op
    node: Node | None
    arrays: tuple[Any, ...]
    source: Node | None = None
