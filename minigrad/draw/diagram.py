"""A diagram as plain data: boxes with rows of text, arrows between them, nested panels around them.

It knows nothing of tensors on one side and nothing of Graphviz on the other. What changes a diagram is a function
from diagram to diagram (:mod:`minigrad.draw.transforms`); what writes one down is in :mod:`minigrad.draw.dot`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Place(NamedTuple):
    """One level of the model: a name, or a time step."""

    name: str
    step: int | None = None

    def __str__(self) -> str:
        return self.name if self.step is None else f"t = {self.step}"


Panel = tuple[Place, ...]  # the path of a panel, outermost first; () is the page


class Row(NamedTuple):
    """A line in a box. ``look`` is ``"title"``, ``"plain"``, ``"muted"``, ``"grad"`` or ``"caption"``."""

    text: str
    look: str = "plain"


@dataclass(frozen=True, slots=True)
class Box:
    """A box.

    Attributes:
        id: unique in the diagram, and the same on every run.
        rows: what it says.
        role: what it is, which decides its colours: a key of :data:`minigrad.draw.style.PALETTE`.
        panel: where it stands.
        inlets, outlets: labels of the places at its edges where arrows come in and go out, if they must be told apart.
        tooltip: what it says when the mouse is over it.
        dashed: whether its border is.
        ops: how many ops it stands for.
    """

    id: str
    rows: tuple[Row, ...]
    role: str
    panel: Panel = ()
    inlets: tuple[str, ...] = ()
    outlets: tuple[str, ...] = ()
    tooltip: str = ""
    dashed: bool = False
    ops: int = 0


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from a box to a box: if given, from an outlet of the one, to an inlet of the other."""

    tail: str
    head: str
    outlet: str = ""
    inlet: str = ""
    tooltip: str = ""


@dataclass(frozen=True, slots=True)
class Diagram:
    """Boxes in topological order, and arrows.

    ``direction`` is where the arrows point: ``"LR"``, ``"TB"``, ``"RL"`` or ``"BT"``.
    """

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    direction: str = "LR"

    def layout_cost(self) -> int:
        """How much work the arrows will be for Graphviz: the ranks they jump over, summed.

        Its running time grows with this, not with the number of boxes: 1,000 cost it 0.1 s, 9,000 some 5 s, 20,000
        more than a minute. A box without incoming arrows stands right before the first box that it points to.
        """
        heads: dict[str, list[str]] = {box.id: [] for box in self.boxes}
        fed: set[str] = set()
        for arrow in self.arrows:
            heads[arrow.tail].append(arrow.head)
            fed.add(arrow.head)
        rank = dict.fromkeys(heads, 0)
        for box in self.boxes:
            for head in heads[box.id]:
                rank[head] = max(rank[head], rank[box.id] + 1)
        for box in self.boxes:
            if box.id not in fed and heads[box.id]:
                rank[box.id] = min(rank[head] for head in heads[box.id]) - 1
        return sum(max(rank[head] - rank[tail] - 1, 0) for tail in heads for head in heads[tail])


def common(panels: Iterable[Panel]) -> Panel:
    """The innermost panel that all of these lie in.

    >>> common([(Place("rnn"), Place("", 0)), (Place("rnn"), Place("", 1))])
    (Place(name='rnn', step=None),)
    """
    first, *others = panels
    depth = len(first)
    for other in others:
        depth = min(depth, len(other))
        depth = next((i for i in range(depth) if first[i] != other[i]), depth)
    return first[:depth]
