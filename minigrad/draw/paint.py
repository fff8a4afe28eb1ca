"""Numbers onto a diagram: each box in the colour of its number, and the way that a NaN took."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import replace

from ..graph import Graph
from .colours import BROKEN, QUIET
from .diagram import Arrow, Box, Diagram, KeyItem, Row
from .key import scale_key
from .measure import Numbers
from .trail import Trail, find_trail, find_trail_back


def painted(diagram: Diagram, numbers: Numbers) -> Diagram:
    """The diagram with a number in each box, and the box in its colour; what the colours mean stands below.

    Boxes without a number are dashed. If the numbers tell what is finite, this is the picture of a NaN: all is
    quiet but what is not finite, the first of these ops, and the arrows from there to the output; or, of gradients, to
    the leaves.
    """
    boxes = tuple([_painted(box, numbers) for box in diagram.boxes])
    unknown = KeyItem("no number", (QUIET,), dashed=True)
    none = (unknown,) if any(numbers.of(box.nodes) is None for box in boxes) else ()
    if numbers.scale.kind != "finite":
        return replace(diagram, boxes=boxes, key=(scale_key(numbers.scale), *none, *diagram.key))
    trail = (find_trail_back if numbers.backward else find_trail)(numbers.graph, numbers.values)
    boxes = tuple([_marked(box, trail) for box in boxes])
    arrows = _on_trail(diagram.arrows, boxes, trail, "bad back" if numbers.backward else "bad")
    bad = sum(not math.isfinite(number) for box in boxes if (number := numbers.of(box.nodes)) is not None)
    words = f"{numbers.scale.words}: {bad} of {len(boxes)}" if bad else "everything is finite"
    key = KeyItem(f"{words}{_told(numbers.graph, trail)}", (BROKEN,) if bad else ())
    return replace(diagram, boxes=boxes, arrows=arrows, key=(key, *none, *diagram.key))


def _painted(box: Box, numbers: Numbers) -> Box:
    number = numbers.of(box.nodes)
    rows = tuple(row for row in box.rows if row.look != "grad" and row.text != "no grad yet")
    texts = [numbers.told[node] for node in box.nodes if numbers.told.get(node)]
    if numbers.scale.kind != "finite" and number is not None:
        texts.append(numbers.scale.told(number))
    rows += tuple([Row(text, "number") for text in texts[-1:]])
    shade = QUIET if number is None else numbers.scale.shade(number)
    border = 2 if number is not None and not math.isfinite(number) else 1
    return replace(box, rows=rows, shade=shade, border=border, dashed=number is None)


# ---- the way of a NaN ----------------------------------------------------------------------------------------------


def _marked(box: Box, trail: Trail) -> Box:
    """The first box with a thick border; of gradients, the one that sent them."""
    first = trail.first if trail.culprit is None else trail.culprit
    if first not in box.nodes:
        return box
    shade = box.shade and box.shade._replace(stroke=BROKEN.stroke)
    return replace(box, rows=(Row("first", "caption"), *box.rows), shade=shade, border=5, dashed=False)


def _on_trail(arrows: Iterable[Arrow], boxes: Collection[Box], trail: Trail, look: str) -> tuple[Arrow, ...]:
    """The arrows of the trail red and thick, the others quiet."""
    homes: dict[int, list[str]] = {}  # a weight that several steps share stands in each of them
    for box in boxes:
        for node in box.nodes:
            homes.setdefault(node, []).append(box.id)
    ways = {(a, b) for edge in trail.edges for a in homes.get(edge.source, ()) for b in homes.get(edge.target, ())}
    if trail.culprit is not None and trail.first is not None:
        ways |= {(a, b) for a in homes.get(trail.first, ()) for b in homes.get(trail.culprit, ())}
    looks = [look if (arrow.tail, arrow.head) in ways else "quiet" for arrow in arrows]
    return tuple([replace(arrow, look=look) for arrow, look in zip(arrows, looks, strict=True)])


def _told(graph: Graph, trail: Trail) -> str:
    if trail.first is None:
        return ""
    node = graph.nodes[trail.first if trail.culprit is None else trail.culprit]
    where = "".join([f" at {node.where}" if node.where else "", f" in {node.scope}" if node.scope else ""])
    what = "" if trail.culprit is None else "what is sent back by "
    return f", first: {what}{node.op or node.name or node.kind}{where}"

