"""A diagram as plain data: boxes with rows of text, arrows between them, nested panels around them.

It knows nothing of tensors on one side and nothing of Graphviz on the other. What changes a diagram is a function
from diagram to diagram (:mod:`minigrad.draw.transforms`); what writes one down is in :mod:`minigrad.draw.dot`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from .colours import Shade


class Place(NamedTuple):
    """One level of the model: a name, or a time step; ``note`` is written below it."""

    name: str
    step: int | None = None
    note: str = ""

    def __str__(self) -> str:
        return self.name if self.step is None else f"t = {self.step}"


Panel = tuple[Place, ...]  # the path of a panel, outermost first; () is the page


class Row(NamedTuple):
    """A line in a box.

    ``look`` is ``"title"``, ``"plain"``, ``"muted"``, ``"grad"``, ``"number"``, ``"caption"``, or ``"hidden"``, which
    is room for a text that is not there yet.
    """

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
        nodes: the numbers of the nodes of the graph that it stands for.
        shade: its colours, if they do not follow from its role.
        border: how thick that is.
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
    nodes: tuple[int, ...] = ()
    shade: Shade | None = None
    border: int = 1


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from a box to a box: if given, from an outlet of the one, to an inlet of the other.

    ``look`` is a key of :data:`minigrad.draw.style.ARROWS`; ``label`` is written beside it.
    """

    tail: str
    head: str
    outlet: str = ""
    inlet: str = ""
    tooltip: str = ""
    look: str = ""
    label: str = ""


class KeyItem(NamedTuple):
    """An entry of the key below a diagram: words, with a swatch, or a bar of colours and the numbers along it."""

    text: str
    shades: tuple[Shade, ...] = ()
    marks: tuple[str, ...] = ()
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Diagram:
    """Boxes in topological order, and arrows.

    ``direction`` is where the arrows point: ``"LR"``, ``"TB"``, ``"RL"`` or ``"BT"``. ``key`` says, below it, what its
    colours mean.
    """

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    direction: str = "LR"
    key: tuple[KeyItem, ...] = ()

    def ranks(self) -> dict[str, int]:
        """How many arrows lead to each box, by the longest way; a box without any stands before what it points to."""
        place = {box.id: i for i, box in enumerate(self.boxes)}
        heads: dict[str, list[str]] = {box.id: [] for box in self.boxes}
        fed = {arrow.head for arrow in self.arrows}
        for arrow in self.arrows:
            if place[arrow.tail] < place[arrow.head] or arrow.tail not in fed:  # others close a loop, and lead back
                heads[arrow.tail].append(arrow.head)
        rank = dict.fromkeys(heads, 0)
        for id, ahead in heads.items():
            for head in ahead:
                rank[head] = max(rank[head], rank[id] + 1)
        for id, ahead in heads.items():
            if id not in fed and ahead:
                rank[id] = min(rank[head] for head in ahead) - 1
        return rank

    def layout_cost(self) -> int:
        """How much work the arrows will be for Graphviz: the ranks they jump over, summed.

        Its running time grows with this, not with the number of boxes: 1,000 cost it 0.1 s, 9,000 some 5 s, 20,000
        more than a minute.
        """
        rank = self.ranks()
        return sum(max(rank[arrow.head] - rank[arrow.tail] - 1, 0) for arrow in self.arrows)


def common(panels: Iterable[Panel]) -> Panel:
    """The innermost panel that all of these lie in.

    >>> common([(Place("rnn"), Place("", 0)), (Place("rnn"), Place("", 1))]) == (Place("rnn"),)
    True
    """
    first, *others = panels
    depth = len(first)
    for other in others:
        depth = min(depth, len(other))
        depth = next((i for i in range(depth) if first[i] != other[i]), depth)
    return first[:depth]
