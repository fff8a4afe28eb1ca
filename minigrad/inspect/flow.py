"""How the gradient grows or shrinks on its way back: through the layers, and through time."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .. import backend
from ..context import no_grad, observe
from ..edges import Slots
from ..engine import propagate
from ..errors import GraphError
from ..graph import Graph, align, graph, numbered
from ..node import Freed, Handle, Node, location
from ..op import Event
from .place import place

BAR = 24  # characters of the longest bar


class FlowRow(NamedTuple):
    """One place of the model at one time step.

    Attributes:
        scope: the place, without time steps.
        step: the time step, or ``None``.
        ops: how many ops there a gradient reached.
        norm: of the gradient that arrived at the output of the last op made there: what the place as a whole is told.
        largest: the largest norm at any of its ops.
    """

    scope: str
    step: int | None
    ops: int
    norm: float
    largest: float


@dataclass(frozen=True)
class GradientFlow:
    r"""The gradients of one backward pass, as norms. Made by :func:`gradient_flow`.

    Attributes:
        graph: the graph, as data.
        norms: for the number of each node that a gradient reached, the Euclidean norm :math:`\|\partial L/\partial y\|`
            of the gradient of its output.
        parameters: for each parameter of the model that was given, by name, the norm of its gradient; ``None`` where
            no gradient arrived: nothing that it computed is part of the graph. Frozen parameters are left out.
    """

    graph: Graph
    norms: dict[int, float]
    parameters: dict[str, float | None] = field(default_factory=dict)

    def rows(self) -> list[FlowRow]:
        """Ops grouped by place and time step, in the order in which they first ran."""
        groups: dict[tuple[str, int | None], list[float]] = {}
        for node in self.graph:
            if node.kind == "op" and node.id in self.norms:
                step = next((step for _, step in reversed(node.places) if step is not None), None)
                groups.setdefault((place(node.places), step), []).append(self.norms[node.id])
        return [FlowRow(*key, len(norms), norms[-1], max(norms)) for key, norms in groups.items()]

    def leaves(self) -> dict[str, float]:
        """The norms at the leaves, by name; a leaf without one goes by its number, ``%3``."""
        reached = (node for node in self.graph if node.kind == "leaf" and node.id in self.norms)
        return {node.name or f"%{node.id}": self.norms[node.id] for node in reached}

    def outside(self) -> list[str]:
        """Names of the parameters that no gradient reached."""
        return [name for name, norm in self.parameters.items() if norm is None]

    def to_text(self) -> str:
        """A table with a bar for the logarithm of each norm, then the leaves, and what is outside the graph."""
        rows = self.rows()
        norms = [row.norm for row in rows]
        table = [("place", "t", "ops", "‖g‖", "largest", "log ‖g‖")]
        for row in rows:
            step = "" if row.step is None else str(row.step)
            numbers = (str(row.ops), f"{row.norm:.3g}", f"{row.largest:.3g}")
            table.append((row.scope or "-", step, *numbers, log_bar(row.norm, norms)))
        leaves = [("leaf", "‖g‖"), *((name, f"{norm:.3g}") for name, norm in self.leaves().items())]
        text = align(table, right=(1, 2, 3, 4)) + "\n\n" + align(leaves, right=(1,))
        outside = self.outside()
        return text + (f"\n\noutside the graph: {', '.join(outside)}" if outside else "")

    __str__ = to_text


def log_bar(value: float, among: Collection[float], width: int = BAR) -> str:
    """A bar for a number, as long as its logarithm stands between those of the smallest and the largest ``among``.

    >>> [log_bar(x, [0.01, 0.1, 1.0], width=5) for x in (0.01, 0.1, 1.0, 0.0)]
    ['█', '███', '█████', '0']
    """
    if not math.isfinite(value):
        return "not finite"
    if value == 0:
        return "0"
    logs = [math.log10(x) for x in among if 0 < x < math.inf]
    low, high = min(logs), max(logs)
    share = (math.log10(value) - low) / (high - low) if high > low else 1.0
    return "█" * (1 + round(share * (width - 1)))


def gradient_flow(loss: Any, gradient: Any = None, model: Any = None) -> GradientFlow:
    """Run a backward pass, and report the size of the gradient wherever it came by.

    Nothing is accumulated, and the graph can be used again.

    Args:
        loss: a tensor.
        gradient: of the shape of ``loss``; may be left out for a tensor of one element, where it is 1.
        model: a module whose parameters are looked for, to tell which of them are outside the graph.

    Raises:
        GraphError: nothing recorded ``loss``, its graph was freed by a backward, or ``gradient`` is missing.
        TypeError: ``model`` is no module.

    >>> import minigrad as mg
    >>> h = mg.ones(1, requires_grad=True)
    >>> for t in range(3):
    ...     with mg.scope("rnn", step=t):
    ...         h = h * 0.5
    >>> [(row.step, row.norm) for row in gradient_flow(h).rows()]
    [(0, 0.25), (1, 0.5), (2, 1.0)]
    """
    data = graph(loss)
    if not isinstance(loss, Handle) or loss._node is None:
        raise GraphError("gradient_flow() takes one tensor")
    if isinstance(loss._node.edges, Freed):
        raise _freed(loss._node.edges)
    if gradient is None and loss._data.size != 1:
        raise GraphError(
            f"gradient_flow: a tensor of shape {tuple(loss._data.shape)} needs a gradient of that shape\n"
            "  hint: a loss is one number, y.sum() or y.mean()"
        )
    start = gradient._data if isinstance(gradient, Handle) else gradient
    xp = backend.xp(loss._data)
    start = xp.ones_like(loss._data) if start is None else xp.broadcast_to(xp.asarray(start), loss._data.shape)
    ids = numbered([loss._node])
    parameters = _parameters(model)
    norms: dict[int, float] = {}

    def note(event: Event) -> None:
        if event.phase == "backward" and event.node in ids:
            norms[ids[event.node]] = _norm(event.arrays[0])

    with no_grad(), observe(note):
        reached, _ = propagate({loss._node: start}, retain_graph=True)
    norms.update({ids[leaf]: _norm(g) for leaf, g in reached.items()})
    return GradientFlow(data, norms, {name: norms.get(ids.get(node, -1)) for name, node in parameters.items()})


def _parameters(model: Any) -> dict[str, Node]:
    """The nodes of the parameters that ask for a gradient."""
    if model is None:
        return {}
    if not hasattr(model, "named_parameters"):
        raise TypeError(f"gradient_flow: model is a module, not {type(model).__name__}")
    return {name: parameter._node for name, parameter in model.named_parameters() if parameter.requires_grad}


def _freed(by: Freed) -> GraphError:
    return GraphError(
        f"gradient_flow: the graph was freed by the backward at {location(by.code, by.lasti)}\n"
        "  hint: call gradient_flow before backward(), which it does not disturb, or give backward retain_graph=True"
    )


def _norm(gradient: Any) -> float:
    return math.sqrt(sum(float((g * g).sum()) for g in _arrays(gradient)))


def _arrays(gradient: Any) -> Iterator[Any]:
    """A gradient as arrays of a type that does not overflow when squared: one, or one for each output it reached."""
    for array in gradient._arrived.values() if isinstance(gradient, Slots) else (gradient,):
        yield array.astype("float64")
