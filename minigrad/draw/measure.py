"""A number for each node of a graph, for ``color_by=``: norms, times, sizes, or whatever a caller thinks of."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeVar

import numpy

from .. import backend
from ..context import observe
from ..errors import GraphError
from ..graph import Graph, graph, numbered
from ..inspect import gradient_flow
from ..inspect.observer import Observer
from ..node import Handle, Node
from ..op import Event
from .colours import Scale, fitting
from .given import looked_up, numbers_of
from .options import is_program
from .results import flaws, norm, results

T = TypeVar("T")

NAMES = ("gradient", "value", "time", "bytes", "nan")
RUNS = 5  # of a program that is timed: of each op the quickest counts, which others did not disturb


@dataclass(frozen=True)
class Numbers:
    """Numbers of nodes, and how they become colours.

    Attributes:
        graph: the graph.
        values: the number of each node that has one, by the node's own number.
        scale: their colours.
        adds: whether the number of a box that stands for several nodes is their sum; else it is that of the last.
        told: what is written in the place of some numbers.
        backward: whether they are about gradients because there was nothing to tell about values.
    """

    graph: Graph
    values: Mapping[int, float]
    scale: Scale
    adds: bool = False
    told: Mapping[int, str] = field(default_factory=dict)
    backward: bool = False

    def of(self, nodes: Sequence[int]) -> float | None:
        """The number of a box that stands for these nodes: one that is not finite counts before all others."""
        found = [self.values[node] for node in sorted(nodes) if node in self.values]
        broken = next((number for number in found if not math.isfinite(number)), None)
        return broken if broken is not None else None if not found else sum(found) if self.adds else found[-1]


def measure(y: Any, color_by: Any) -> Numbers:
    """The graph of ``y``, and a number for each of its nodes.

    Args:
        y: a tensor, a list of tensors, a graph, or a function without arguments that computes one of these.
        color_by: ``"gradient"``, the norm of the gradient of ``y`` by each result; ``"value"``, the norm of each
            result; ``"time"``, the seconds of each op, for which ``y`` is a function (it is called several times);
            ``"bytes"``, the size of each result; ``"nan"``, what is not finite, of values or else of gradients; a
            function of a :class:`~minigrad.graph.GraphNode` that gives a number or ``None``; or numbers by the node's
            number, its name, or its place in the model.

    Raises:
        GraphError: ``color_by`` is something else, or these numbers cannot be had.
    """
    if isinstance(color_by, str):
        if color_by not in NAMES:
            raise GraphError(f"draw: color_by is one of {', '.join(NAMES)}, a function or a mapping; not {color_by!r}")
        return _MEASURES[color_by](y)
    if not callable(color_by) and not isinstance(color_by, Mapping):
        raise GraphError(
            f"draw: color_by is one of {', '.join(NAMES)}, a function of a node, or a mapping from nodes to numbers;"
            f" not {type(color_by).__name__}"
        )
    y = computed(y)
    data = y if isinstance(y, Graph) else graph(y, grads=True)
    values = numbers_of(data, color_by) if callable(color_by) else looked_up(data, color_by)
    words = getattr(color_by, "__name__", "")
    return Numbers(data, values, fitting("" if words == "<lambda>" else words.replace("_", " "), values.values()))


def computed(y: Any) -> Any:
    """What a function computes; anything else as it is.

    Raises:
        GraphError: it is a module, which waits for an input, or a function that takes arguments.
    """
    return y() if is_program(y) else y


# ---- the measures that have names ----------------------------------------------------------------------------------


def _gradient(y: Any) -> Numbers:
    y = computed(y)
    scale = Scale("‖∂L/∂y‖")
    if isinstance(y, Graph):
        found = {node.id: node.grad_norm for node in y if node.grad_norm is not None}
        if not found:
            raise GraphError(
                "draw: the data of this graph holds no gradients\n"
                "  hint: hand over the tensor itself, or make the data after backward with mg.graph(y, grads=True)"
            )
        return Numbers(y, found, scale)
    flow = gradient_flow(y)
    return Numbers(flow.graph, flow.norms, scale)


def _value(y: Any) -> Numbers:
    _, data, norms = told_of(y, "color_by='value'", norm)
    return Numbers(data, norms, Scale("‖y‖"))


def _bytes(y: Any) -> Numbers:
    y = computed(y)
    data = y if isinstance(y, Graph) else graph(y)
    sizes = {node.id: float(node.bytes) for node in data}
    return Numbers(data, sizes, fitting("bytes computed", sizes.values(), "B"), adds=True)


def _nan(y: Any) -> Numbers:
    """What is not finite among the values; if all are finite, among the gradients, where there can be any."""
    y, data, found = told_of(y, "color_by='nan'", flaws)
    values, told = {}, {}
    for number, (nan, infinite, size) in found.items():
        values[number] = math.nan if nan else math.inf if infinite else 1.0
        told[number] = _share("NaN", nan, size) or _share("inf", infinite, size)
    if not any(told.values()) and isinstance(y, Handle) and y._data.size == 1:
        with contextlib.suppress(GraphError), numpy.errstate(all="ignore"):  # freed: there are no gradients any more
            norms = gradient_flow(y).norms
            if not all(map(math.isfinite, norms.values())):
                words = {i: "NaN" if math.isnan(x) else "inf" for i, x in norms.items() if not math.isfinite(x)}
                return Numbers(data, norms, Scale("gradient not finite", "finite"), told=words, backward=True)
    return Numbers(data, values, Scale("not finite", "finite"), told=told)


def _time(y: Any) -> Numbers:
    if not is_program(y):
        raise GraphError(
            f"draw: times are measured while the ops run, so color_by='time' takes a function, not {_kind(y)}\n"
            "  hint: draw(lambda: loss(model(x)), color_by='time')"
        )
    best: list[tuple[str, float]] = []
    for _ in range(RUNS):
        with _Clock() as clock:
            made = y()
        same = [name for name, _ in best] == [event.op.name for event, _ in clock.laps]
        pairs = zip(best, clock.laps, strict=True) if same else ()
        quickest = [min(before, now) for (_, before), (_, now) in pairs] or [now for _, now in clock.laps]
        best = [(event.op.name, t) for (event, _), t in zip(clock.laps, quickest, strict=True)]
    seconds = {event.node: t for (event, _), (_, t) in zip(clock.laps, best, strict=True) if event.node is not None}
    data, ids = _numbered(made)
    values = {number: seconds[node] for node, number in ids.items() if node in seconds}
    return Numbers(data, values, fitting("time", values.values(), "s"), adds=True)


class _Clock(Observer):
    """The seconds from each op to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.laps: list[tuple[Event, float]] = []
        self._last = 0.0

    def __enter__(self) -> Any:
        super().__enter__()
        self._last = perf_counter()
        return self

    def see(self, event: Event) -> None:
        """Note the time since the op before, with the work that a GPU still had to do for it."""
        if event.phase == "forward":
            if event.arrays:  # an op with several outputs may have none
                backend.of(event.arrays[0]).synchronize()
            self.laps.append((event._replace(arrays=()), perf_counter() - self._last))
        self._last = perf_counter()


_MEASURES: dict[str, Callable[[Any], Numbers]] = {
    "gradient": _gradient, "value": _value, "time": _time, "bytes": _bytes, "nan": _nan,
}  # fmt: skip


# ---- what there is to tell of results ------------------------------------------------------------------------------


def told_of(y: Any, wish: str, tell: Callable[[Any], T]) -> tuple[Any, Graph, dict[int, T]]:
    """What a function computes, its graph, and what is to be told of the result of each node.

    Of a function's ops it is told while they run; of other results as far as they are found again.

    Args:
        y: a tensor, a list of tensors, or a function that computes one of these.
        wish: the option that asks for it.
        tell: what is to be told of an array, or of a tuple of arrays.

    Raises:
        GraphError: ``y`` is the data of a graph, or a leaf was changed since.
    """
    if isinstance(y, Graph):
        raise GraphError(
            f"draw: the data of a graph holds no values, which {wish} needs\n"
            "  hint: hand over the tensor itself, or a function that computes it"
        )
    seen: dict[Node | None, T] = {}

    def see(event: Event) -> None:
        if event.phase == "forward":
            seen[event.node] = tell(event.arrays)

    with observe(see):
        y = computed(y)
    data, ids = _numbered(y)
    found = {ids[node]: told for node, told in seen.items() if node in ids}
    arrays = results([y] if isinstance(y, Handle) else y)
    found.update((number, tell(array)) for number, array in arrays if array is not None and number not in found)
    return y, data, found


def _numbered(y: Any) -> tuple[Graph, dict[Node, int]]:
    """The data of a graph, and the numbers of its nodes there."""
    data = graph(y)
    roots = [y] if isinstance(y, Handle) else y
    return data, numbered([root._node for root in roots if root._node is not None])


def _share(what: str, count: int, size: int) -> str:
    if not count:
        return ""
    return f"{what} ({count:,} of {size:,})" if count < size else what if size == 1 else f"all {what}"


def _kind(y: Any) -> str:
    return "the data of a graph" if isinstance(y, Graph) else f"a {type(y).__name__}"
