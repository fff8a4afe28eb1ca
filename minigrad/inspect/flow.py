"""How the gradient grows or shrinks on its way back: through the layers, and through time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from .. import backend
from ..context import no_grad, observe
from ..edges import Slots
from ..engine import propagate
from ..errors import GraphError
from ..graph import Graph, align, graph, numbered
from ..node import Handle
from ..op import Event

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
    """

    graph: Graph
    norms: dict[int, float]

    def rows(self) -> list[FlowRow]:
        """Ops grouped by place and time step, in the order in which they first ran."""
        groups: dict[tuple[str, int | None], list[float]] = {}
        for node in self.graph:
            if node.kind == "op" and node.id in self.norms:
                scope = ".".join(name for name, _ in node.places if name).replace(".[", "[")
                step = next((step for _, step in reversed(node.places) if step is not None), None)
                groups.setdefault((scope, step), []).append(self.norms[node.id])
        return [FlowRow(*key, len(norms), norms[-1], max(norms)) for key, norms in groups.items()]

    def leaves(self) -> dict[str, float]:
        """The norms at the leaves, by name; a leaf without one goes by its number, ``%3``."""
        reached = (node for node in self.graph if node.kind == "leaf" and node.id in self.norms)
        return {node.name or f"%{node.id}": self.norms[node.id] for node in reached}

    def to_text(self) -> str:
        """A table with a bar for the logarithm of each norm, then the leaves."""
        rows = self.rows()
        logs = [math.log10(row.norm) for row in rows if 0 < row.norm < math.inf]
        table = [("place", "t", "ops", "‖g‖", "largest", "log ‖g‖")]
        for row in rows:
            step = "" if row.step is None else str(row.step)
            bar = _bar(row.norm, min(logs, default=0.0), max(logs, default=0.0))
            table.append((row.scope or "-", step, str(row.ops), f"{row.norm:.3g}", f"{row.largest:.3g}", bar))
        leaves = [("leaf", "‖g‖"), *((name, f"{norm:.3g}") for name, norm in self.leaves().items())]
        return align(table, right=(1, 2, 3, 4)) + "\n\n" + align(leaves, right=(1,))

    __str__ = to_text


def _bar(norm: float, low: float, high: float) -> str:
    if not math.isfinite(norm):
        return "not finite"
    if norm == 0:
        return "0"
    share = (math.log10(norm) - low) / (high - low) if high > low else 1.0
    return "█" * (1 + round(share * (BAR - 1)))


def gradient_flow(loss: Any, gradient: Any = None) -> GradientFlow:
    """Run a backward pass, and report the size of the gradient wherever it came by.

    Nothing is accumulated, and the graph can be used again.

    Args:
        loss: a tensor.
        gradient: of the shape of ``loss``; may be left out for a tensor of one element, where it is 1.

    Raises:
        GraphError: nothing recorded ``loss``, its graph was freed by a backward, or ``gradient`` is missing.

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
    if gradient is None and loss._data.size != 1:
        raise GraphError(f"gradient_flow: a tensor of shape {tuple(loss._data.shape)} needs a gradient of that shape")
    start = gradient._data if isinstance(gradient, Handle) else gradient
    xp = backend.xp(loss._data)
    start = xp.ones_like(loss._data) if start is None else xp.broadcast_to(xp.asarray(start), loss._data.shape)
    ids = numbered([loss._node])
    norms: dict[int, float] = {}

    def note(event: Event) -> None:
        if event.phase == "backward" and event.node in ids:
            norms[ids[event.node]] = _norm(event.arrays[0])

    with no_grad(), observe(note):
        reached, _ = propagate({loss._node: start}, retain_graph=True)
    norms.update({ids[leaf]: _norm(g) for leaf, g in reached.items()})
    return GradientFlow(data, norms)


def _norm(gradient: Any) -> float:
    return math.sqrt(sum(float((g * g).sum()) for g in _arrays(gradient)))


def _arrays(gradient: Any) -> Iterator[Any]:
    """A gradient as arrays of a type that does not overflow when squared: one, or one for each output it reached."""
    for array in gradient._arrived.values() if isinstance(gradient, Slots) else (gradient,):
        yield array.astype("float64")
