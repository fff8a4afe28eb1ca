"""``mg.draw.diff(a, b)``: what changed from one graph to another, drawn in one picture."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from ..errors import GraphError
from ..graph import Graph, graph
from .colours import QUIET, Shade
from .compare import Change, Difference, compare
from .diagram import Arrow, Box, Diagram, KeyItem, Row
from .drawing import Drawing
from .measure import computed
from .ops import cut, op_diagram
from .options import check_options, is_count
from .style import GREEN, INK, PALETTE, VERMILION
from .transforms import dissolve_lone

LOOKS = {
    "new": Shade(PALETTE["state"].fill, INK, GREEN),
    "gone": Shade(PALETTE["loss"].fill, INK, VERMILION),
    "changed": Shade(PALETTE["product"].fill, INK, PALETTE["product"].stroke),
    "same": QUIET,
}
CONTEXT = 2  # arrows around what changed that are drawn of a graph which is too large to be drawn whole


class DiffDrawing(Drawing):
    """The drawing of a difference.

    Attributes:
        difference: the same as data; ``print(drawing.difference)`` lists what changed.
    """

    def __init__(self, diagram: Diagram, difference: Difference, timeout: float = 20.0) -> None:
        super().__init__(diagram, timeout)
        self.difference = difference


def diff(
    a: Any,
    b: Any,
    *,
    direction: str = "LR",
    context: int | None = None,
    max_nodes: int | None = 150,
    timeout: float = 20.0,
) -> DiffDrawing:
    """Draw what changed from the graph of ``a`` to that of ``b``.

    What is new is green, what is gone is red and dashed, what changed is orange and says from what to what; what is the
    same is grey. Ops are the same if they stand at the same place of the model, at the same time step, in the same
    order: so it is worth comparing two versions of one program.

    Args:
        a: a tensor, a list of tensors, a graph, or a function without arguments that computes one of these.
        b: the same, after the change.
        direction: where the arrows point: ``"LR"``, ``"TB"``, ``"RL"`` or ``"BT"``.
        context: draw only what changed and what is at most so many arrows away; ``None`` draws everything, as long as
            it is no more than ``max_nodes``.
        max_nodes: refuse to draw more boxes than this; ``None`` draws whatever it is.
        timeout: seconds that the program ``dot`` may take.

    Raises:
        GraphError: one of the two has no graph, or too much changed.

    >>> import minigrad as mg
    >>> x = mg.ones(2, 3, requires_grad=True)
    >>> picture = mg.draw.diff((x * 2).tanh(), (x * 3).relu())
    >>> picture
    <drawing: 3 boxes, 2 arrows>
    >>> [change.told for change in picture.difference.changes if change.status == "changed"]
    [('× 2 → × 3',), ('tanh → relu',)]
    """
    check_options("draw.diff", direction, max_nodes)
    if context is not None and not is_count(context, least=0):
        raise GraphError(f"draw.diff: context is how many arrows around a change to draw, from 0, not {context!r}")
    graphs = [y if isinstance(y := computed(x), Graph) else graph(y) for x in (a, b)]
    difference = compare(*graphs)
    if context is None and max_nodes is not None and len(difference.changes) > max_nodes:
        context = CONTEXT
    diagram = diff_diagram(difference, direction, context)
    if max_nodes is not None and len(diagram.boxes) > max_nodes:
        raise GraphError(
            f"draw.diff: {len(diagram.boxes):,} boxes around what changed are more than anyone can read"
            f" (max_nodes={max_nodes})\n"
            "  hint: context=0 draws only what changed; minigrad.draw.compare(mg.graph(a), mg.graph(b)) lists it;"
            " max_nodes=None draws it all the same"
        )
    return DiffDrawing(diagram, difference, timeout)


def diff_diagram(difference: Difference, direction: str = "LR", context: int | None = None) -> Diagram:
    """The diagram of a difference: both graphs in one. What is gone keeps its number, after an ``o`` for old."""
    old, new = (op_diagram(g, ("shape", "params", "scope")) for g in (difference.old, difference.new))
    boxes = [_box(c, old.boxes[c.old or 0] if c.new is None else new.boxes[c.new]) for c in difference.changes]
    arrows = list(_arrows(difference, old, new))
    if context is not None:
        ends = {box.id for box in boxes if not box.ops}
        near = _near([_id(c) for c in difference.changes if c.status != "same"], arrows, ends, context)
        boxes = [box for box in boxes if box.id in near]
        arrows = [arrow for arrow in arrows if arrow.tail in near and arrow.head in near]
    inlets: dict[str, set[str]] = {}
    for arrow in arrows:
        inlets.setdefault(arrow.head, set()).update([arrow.inlet] * bool(arrow.inlet))
    boxes = [replace(box, inlets=_inlets(box, inlets.get(box.id, set()))) for box in boxes]
    return dissolve_lone(Diagram(tuple(boxes), tuple(arrows), direction, tuple(_key(difference, len(boxes)))))


def _id(change: Change) -> str:
    return f"o{change.old}" if change.new is None else f"n{change.new}"


def _box(change: Change, box: Box) -> Box:
    rows = (*box.rows, *[Row(cut(text), "number") for text in change.told])
    border = 1 if change.status == "same" else 2
    tooltip = "\n".join([f"{change.status}: {box.tooltip}", *change.told])
    dashed = change.status == "gone"
    return replace(
        box, id=_id(change), rows=rows, shade=LOOKS[change.status], border=border, dashed=dashed, tooltip=tooltip
    )


def _inlets(box: Box, more: set[str]) -> tuple[str, ...]:
    """A place for each arrow, those of before the change too."""
    return tuple(sorted({*box.inlets, *more}, key=int))


def _arrows(difference: Difference, old: Diagram, new: Diagram) -> Iterator[Arrow]:
    """The arrows of the new graph, then those of the old one that are gone."""
    fresh, gone = set(difference.edges("new")), set(difference.edges("gone"))
    for arrow, edge in zip(new.arrows, difference.new.edges, strict=True):
        yield replace(arrow, look="new" if edge in fresh else "quiet")
    ids = {f"n{change.old}": _id(change) for change in difference.changes}
    for arrow, edge in zip(old.arrows, difference.old.edges, strict=True):
        if edge in gone:
            yield replace(arrow, tail=ids[arrow.tail], head=ids[arrow.head], look="gone")


def _near(changed: Collection[str], arrows: Collection[Arrow], ends: Collection[str], distance: int) -> set[str]:
    """The boxes at most so many arrows away from one that changed, or that an arrow which changed touches.

    A weight is an end: what else uses it is not near.
    """
    near = {*changed, *(end for arrow in arrows if arrow.look != "quiet" for end in (arrow.tail, arrow.head))}
    for _ in range(distance):
        inner = near.difference(ends)
        found = {x for arrow in arrows if arrow.tail in inner or arrow.head in inner for x in (arrow.tail, arrow.head)}
        if found <= near:
            break
        near |= found
    return near


def _key(difference: Difference, drawn: int) -> Iterator[KeyItem]:
    for status, look in LOOKS.items():
        if count := difference.count(status):
            yield KeyItem(f"{status}: {count}", (look,), dashed=status == "gone")
    if drawn < len(difference.changes):
        yield KeyItem(f"not drawn: {len(difference.changes) - drawn:,} far from any change")
