"""What makes a diagram more readable: functions from diagram to diagram."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from .diagram import Arrow, Box, Diagram, Panel, Row


def collapse(diagram: Diagram, depth: int) -> Diagram:
    """Draw each panel at nesting level ``depth`` as one box; arrows inside it go, arrows side by side become one."""
    members: dict[Panel, list[Box]] = {}
    for box in diagram.boxes:
        if len(box.panel) >= depth:
            members.setdefault(box.panel[:depth], []).append(box)
    groups = {panel: _group(panel, boxes) for panel, boxes in members.items() if len(boxes) > 1}
    moved = {box.id: group.id for panel, group in groups.items() for box in members[panel]}
    boxes: dict[str, Box] = {}
    for box in diagram.boxes:
        shown = groups[box.panel[:depth]] if box.id in moved else box
        boxes.setdefault(shown.id, shown)
    arrows: dict[Arrow | int, Arrow] = {}
    for number, arrow in enumerate(diagram.arrows):
        tail, head = moved.get(arrow.tail, arrow.tail), moved.get(arrow.head, arrow.head)
        if (tail, head) == (arrow.tail, arrow.head):
            arrows[number] = arrow  # all arrows between boxes that stay are drawn: x * x has two
        elif tail != head:
            outlet, inlet = "" if arrow.tail in moved else arrow.outlet, "" if arrow.head in moved else arrow.inlet
            new = Arrow(tail, head, outlet, inlet)
            arrows.setdefault(new, new)
    return replace(diagram, boxes=tuple(boxes.values()), arrows=tuple(arrows.values()))


def _group(panel: Panel, boxes: list[Box]) -> Box:
    ops = sum(box.ops for box in boxes)
    parameters = sum(box.role == "parameter" for box in boxes)
    rows = [Row(str(panel[-1]), "title"), Row(f"{ops} op{'s' * (ops != 1)}", "muted")]
    if parameters:
        rows.append(Row(f"{parameters} parameter{'s' * (parameters != 1)}", "muted"))
    return Box(f"{boxes[0].id}g", tuple(rows), "group", panel[:-1], tooltip="/".join(map(str, panel)), ops=ops)


def alias_shared(diagram: Diagram) -> Diagram:
    """Draw a parameter that several time steps share once in full, and as a small alias in every further step.

    Otherwise a weight's arrows cross the whole drawing, and Graphviz takes minutes to lay them out.
    """
    by_id = {box.id: box for box in diagram.boxes}
    stand_in: dict[tuple[str, Panel], Box] = {}  # for a parameter in a step
    before: dict[str, list[Box]] = {}  # boxes to be put before the first box that uses them, which keeps steps alike
    used: Counter[str] = Counter()
    arrows = []
    for arrow in diagram.arrows:
        box, step = by_id[arrow.tail], _step(by_id[arrow.head].panel)
        shared = box.role == "parameter" and step and _step(box.panel) != step
        if shared and (box.id, step) not in stand_in:
            alias = replace(box, id=f"{box.id}_{used[box.id]}", rows=box.rows[:1], dashed=True)
            stand_in[box.id, step] = replace(alias if used[box.id] else box, panel=step)
            before.setdefault(arrow.head, []).append(stand_in[box.id, step])
            used[box.id] += 1
        arrows.append(replace(arrow, tail=stand_in.get((box.id, step), box).id))
    boxes = [b for box in diagram.boxes for b in (*before.get(box.id, ()), box) if b is not box or box.id not in used]
    return replace(diagram, boxes=tuple(boxes), arrows=tuple(arrows))


def _step(panel: Panel) -> Panel:
    """The outermost time step that a panel lies in, with what is around it; ``()`` if it lies in none."""
    return next((panel[: i + 1] for i, place in enumerate(panel) if place.step is not None), ())


def dissolve_lone(diagram: Diagram) -> Diagram:
    """Where a named panel holds a single box and nothing else, write its name into the box instead."""
    while True:
        inside = Counter(box.panel[:depth] for box in diagram.boxes for depth in range(1, len(box.panel) + 1))
        boxes = tuple(_captioned(box) if _alone(box, inside) else box for box in diagram.boxes)
        if boxes == diagram.boxes:
            return diagram
        diagram = replace(diagram, boxes=boxes)


def _alone(box: Box, inside: Counter[Panel]) -> bool:
    return bool(box.panel) and inside[box.panel] == 1 and box.panel[-1].step is None


def _captioned(box: Box) -> Box:
    caption = Row(str(box.panel[-1]), "caption")
    return replace(box, rows=(caption, *box.rows), panel=box.panel[:-1])
