"""``mg.draw.backward(loss)``: the backward pass, step by step, on one picture of the graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from .. import backend
from ..context import no_grad, observe
from ..edges import Slots
from ..engine import propagate
from ..errors import GraphError
from ..graph import Edge, Graph, graph, numbered
from ..node import Freed, Handle, Node, location
from ..op import Event
from .colours import told
from .diagram import Box, Diagram, KeyItem, Row
from .measure import computed
from .ops import op_diagram
from .options import check_options
from .results import norm
from .stepping import DONE, LIT, WAITING, Stepped
from .transforms import alias_shared, dissolve_lone


class Visit(NamedTuple):
    """A node that the backward pass comes to.

    Attributes:
        node: its number.
        gradient: what has arrived there: the norm of the gradient, or, of a single number, the gradient itself.
        alone: whether it is a single number.
    """

    node: int
    gradient: float
    alone: bool

    def __str__(self) -> str:
        return f"{'g' if self.alone else '‖g‖'} {told(self.gradient)}"


@dataclass(frozen=True)
class BackwardPass:
    """A backward pass as plain data. Made by :func:`backward_pass`.

    Attributes:
        graph: the graph.
        visits: the nodes in the order in which the engine comes to them; a leaf right after the last op that sends
            something to it.
        sent: what goes along an edge, against its direction: the norm, or the number.
    """

    graph: Graph
    visits: tuple[Visit, ...]
    sent: Mapping[Edge, float]


def backward(
    y: Any, *, gradient: Any = None, direction: str = "LR", max_nodes: int | None = 150, timeout: float = 20.0
) -> Stepped:
    """Draw how backward goes through the graph of ``y``, one node after the other.

    The SVG moves by itself, without a script: nodes light up in the order in which the engine comes to them, and the
    number at each arrow is the norm of the gradient that goes along it, or of a single number the gradient itself. Who
    asks for reduced motion sees the end of it, and so does who prints it. ``frames()`` gives a drawing for each step.

    Args:
        y: a tensor, or a function without arguments that computes it.
        gradient: of the shape of ``y``; may be left out for a tensor of one element, where it is 1.
        direction: where the arrows of the forward pass point: ``"LR"``, ``"TB"``, ``"RL"`` or ``"BT"``.
        max_nodes: refuse to draw more boxes than this; ``None`` draws whatever it is.
        timeout: seconds that the program ``dot`` may take to lay it out.

    Raises:
        GraphError: nothing recorded ``y``, its graph was freed by a backward, ``gradient`` is missing, or it is too
            large.

    >>> import minigrad as mg
    >>> x = mg.ones(3, requires_grad=True)
    >>> picture = mg.draw.backward((x * x).sum())
    >>> picture
    <drawing: 3 boxes, 3 arrows, 3 steps>
    >>> len(picture.frames())  # before the first step, and after each
    4
    """
    check_options("draw.backward", direction, max_nodes)
    run = backward_pass(computed(y), gradient)
    if max_nodes is not None and len(run.graph) > max_nodes:
        raise GraphError(
            f"draw.backward: {len(run.graph):,} boxes are more than anyone can follow (max_nodes={max_nodes})\n"
            "  hint: compute it for fewer time steps; minigrad_rnn.draw.backward draws a recurrent network with a box"
            " for each cell; max_nodes=None draws it all the same"
        )
    diagram, steps = stepped_diagram(run, direction)
    return Stepped(diagram, steps, timeout)


def stepped_diagram(run: BackwardPass, direction: str = "LR") -> tuple[Diagram, dict[str, int]]:
    """The diagram at the end of a pass, and for each box that it comes to the number of the step, from 1."""
    diagram = alias_shared(op_diagram(run.graph, ("shape", "params", "scope"), direction))
    arrows = []
    for arrow, edge in zip(diagram.arrows, run.graph.edges, strict=True):
        number = run.sent.get(edge)
        arrows.append(replace(arrow, look="quiet" if number is None else "gradient", label=_number(number)))
    visits = {visit.node: (step, visit) for step, visit in enumerate(run.visits, 1)}
    boxes = tuple([_visited(box, visits) for box in diagram.boxes])
    steps = {box.id: visits[node][0] for box in diagram.boxes for node in box.nodes if node in visits}
    key = (
        KeyItem("waiting", (WAITING,)),
        KeyItem("now", (LIT,)),
        KeyItem("has its gradient", (DONE,)),
        KeyItem("at the arrows: the norm of the gradient, or of one number the gradient itself"),
    )
    return dissolve_lone(replace(diagram, boxes=boxes, arrows=tuple(arrows), key=key)), steps


def _visited(box: Box, visits: Mapping[int, tuple[int, Visit]]) -> Box:
    rows = [Row(str(visits[node][1]), "grad") for node in box.nodes if node in visits]
    return replace(box, rows=(*box.rows, *rows), border=2)


def _number(value: float | None) -> str:
    return "" if value is None else told(value).replace("-", "−")


# ---- the pass ------------------------------------------------------------------------------------------------------


def backward_pass(y: Any, gradient: Any = None) -> BackwardPass:
    """Run backward from ``y`` and note where it comes by. Nothing is accumulated, and the graph can be used again.

    Raises:
        GraphError: nothing recorded ``y``, its graph was freed by a backward, or ``gradient`` is missing.

    >>> import minigrad as mg
    >>> x = mg.tensor(3.0, requires_grad=True)
    >>> run = backward_pass(x * x * 2)
    >>> [run.graph.nodes[visit.node].call() for visit in run.visits]
    ['mul(%1, 2)', 'mul(%0, %0)', 'leaf']
    >>> [(edge.source, edge.target, number) for edge, number in run.sent.items()]
    [(1, 2, 2.0), (0, 1, 6.0), (0, 1, 6.0)]
    """
    data = graph(y)
    if not isinstance(y, Handle) or y._node is None:
        raise GraphError(f"draw.backward takes one tensor, or a function that computes it, not a {type(y).__name__}")
    if isinstance(y._node.edges, Freed):
        raise GraphError(
            f"draw.backward: the graph was freed by the backward at {location(y._node.edges.code, y._node.edges.lasti)}"
            "\n  hint: draw before backward(), which it does not disturb, or give backward retain_graph=True"
        )
    watch = _Watch(data, numbered([y._node]))
    with no_grad(), observe(watch):
        leaves, _ = propagate({y._node: _start(y, gradient)}, retain_graph=True)
    return BackwardPass(data, tuple(watch.ordered(leaves)), watch.sent)


def _start(y: Handle, gradient: Any) -> Any:
    """What arrives at ``y`` itself."""
    xp, shape = backend.xp(y._data), tuple(y._data.shape)
    if gradient is None and y._data.size != 1:
        raise GraphError(
            f"draw.backward: a tensor of shape {shape} needs a gradient of that shape\n"
            "  hint: a loss is one number, y.sum() or y.mean(); or hand over gradient="
        )
    given = gradient._data if isinstance(gradient, Handle) else gradient
    try:
        return xp.ones_like(y._data) if given is None else xp.broadcast_to(xp.asarray(given, y._data.dtype), shape)
    except (TypeError, ValueError):
        what = f"of shape {tuple(given.shape)}" if hasattr(given, "shape") else f"{gradient!r:.60}"
        raise GraphError(f"draw.backward: gradient is a tensor or array of shape {shape}, not {what}") from None


class _Watch:
    """Notes what an observer is told of a pass."""

    def __init__(self, data: Graph, ids: Mapping[Node, int]) -> None:
        self.ids = ids
        self.visits: list[tuple[Node, Visit]] = []
        self.sent: dict[Edge, float] = {}
        self.last: dict[Node, Node] = {}  # of each leaf, the op that sent the last part of its gradient
        self._edges: dict[int, dict[int, Edge]] = {}
        for edge in data.edges:
            self._edges.setdefault(edge.target, {})[edge.operand] = edge
        self._free: list[int] = []  # inputs of the op whose rules run that nothing was sent to yet

    def __call__(self, event: Event) -> None:
        node = event.node
        if node is None or node not in self.ids:  # an op with several outputs collects what comes to each of them first
            return
        if event.phase == "backward":
            self.visits.append((node, _visit(self.ids[node], event.arrays[0])))
            self._free = list(range(len(node.inputs)))
        elif event.phase == "rule" and event.arrays[0] is not None:
            operand = next(i for i in self._free if node.inputs[i] is event.source)
            self._free.remove(operand)
            self.sent[self._edges[self.ids[node]][operand]] = _size(event.arrays[0])
            if event.source is not None and event.source.op is None:
                self.last[event.source] = node

    def ordered(self, leaves: Mapping[Node, Any]) -> Iterator[Visit]:
        """The ops as they were visited, and each leaf when its gradient was complete."""
        done: dict[Node, list[Node]] = {}
        for leaf, node in self.last.items():
            done.setdefault(node, []).append(leaf)
        for node, visit in self.visits:
            yield visit
            yield from (_visit(self.ids[leaf], leaves[leaf]) for leaf in done.get(node, ()))
        if not self.visits:  # y is a leaf itself
            yield from (_visit(self.ids[leaf], g) for leaf, g in leaves.items())


def _visit(number: int, gradient: Any) -> Visit:
    alone = not isinstance(gradient, Slots) and gradient.size == 1
    return Visit(number, _size(gradient), alone)


def _size(gradient: Any) -> float:
    """The norm, or of a single number the number."""
    arrays = tuple(gradient._arrived.values()) if isinstance(gradient, Slots) else (gradient,)
    return float(arrays[0].reshape(())) if len(arrays) == 1 and arrays[0].size == 1 else norm(arrays)
