"""What makes a diagram more readable: functions from diagram to diagram."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from .diagram import Arrow, Box, Diagram, Panel, Row
from .ops import cut

FIRST, LAST = 3, 2  # the steps of a long loop that are drawn
FAR = 8  # ranks that an arrow may jump over
MANY = 4  # inlets of a box, fed from one and the same, that become one


def collapse(diagram: Diagram, depth: int) -> Diagram:
    """Draw each panel at nesting level ``depth`` as one box; arrows inside it go, arrows side by side become one."""
    members: dict[Panel, list[Box]] = {}
    for box in diagram.boxes:
        if len(box.panel) >= depth:
            members.setdefault(box.panel[:depth], []).append(box)
    groups = {panel: group(panel, boxes, f"{boxes[0].id}g") for panel, boxes in members.items() if len(boxes) > 1}
    return merged(diagram, {box.id: groups[panel] for panel in groups for box in members[panel]})


def merged(diagram: Diagram, into: Mapping[str, Box]) -> Diagram:
    """Draw one box in the place of several, given for each of these by its id."""
    moved = {id: box.id for id, box in into.items()}
    boxes: dict[str, Box] = {}
    for box in diagram.boxes:
        shown = into.get(box.id, box)
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
    diagram = replace(diagram, boxes=tuple(boxes.values()), arrows=tuple(arrows.values()))
    return _bundled(_bundled(diagram, set(moved.values()), "inlet"), set(moved.values()), "outlet")


def _bundled(diagram: Diagram, others: set[str], port: str) -> Diagram:
    """Draw one arrow where many inlets (or outlets) of a box lead to one of the others, as from a loop to a stack.

    The inlets become one too: ``4…58``.
    """
    near, far = ("head", "tail") if port == "inlet" else ("tail", "head")
    ports: dict[tuple[str, str], list[str]] = {}
    for arrow in diagram.arrows:
        if getattr(arrow, far) in others and getattr(arrow, port):
            ports.setdefault((getattr(arrow, near), getattr(arrow, far)), []).append(getattr(arrow, port))
    joint: dict[tuple[str, str], str] = {}  # by box and port
    for (box_id, _), names in ports.items():
        if len(set(names)) >= MANY:
            joint |= {(box_id, name): f"{names[0]}…{names[-1]}" for name in names}
    if not joint:
        return diagram
    arrows: dict[Arrow | int, Arrow] = {}
    for number, arrow in enumerate(diagram.arrows):
        name = joint.get((getattr(arrow, near), getattr(arrow, port)))
        new = replace(arrow, tooltip="", **{port: name}) if name else arrow
        arrows.setdefault(new if name else number, new)
    boxes = []
    for box in diagram.boxes:
        kept = dict.fromkeys(joint.get((box.id, name), name) for name in getattr(box, f"{port}s"))
        boxes.append(replace(box, **{f"{port}s": tuple(kept)}))  # type: ignore[arg-type]
    return replace(diagram, boxes=tuple(boxes), arrows=tuple(arrows.values()))


def group(panel: Panel, boxes: list[Box], id: str) -> Box:
    """The box that stands for all boxes of a panel."""
    ops = sum(box.ops for box in boxes)
    parameters = len({box.id.partition("_")[0] for box in boxes if box.role == "parameter"})  # an alias counts as none
    note = panel[-1].note
    rows = [Row(cut(str(panel[-1])), "title"), Row(note or f"{ops} op{'s' * (ops != 1)}", "muted")]
    if parameters and not note:
        rows.append(Row(f"{parameters} parameter{'s' * (parameters != 1)}", "muted"))
    nodes = tuple(dict.fromkeys([node for box in boxes for node in box.nodes]))
    tip = "/".join(map(str, panel))
    return Box(id, tuple(rows), "group", panel[:-1], tooltip=tip, ops=ops, nodes=nodes)


def fold_time(diagram: Diagram) -> Diagram:
    """Draw the first three and the last two steps of every long loop, and one box for those between, if they are alike.

    Of loops inside a step only the outermost one is looked at.
    """
    into: dict[str, Box] = {}
    for around, steps in _loops(diagram).items():
        places = list(steps)
        looks = _looks(diagram, steps)
        for start, end in _runs([looks[place] for place in places], FIRST, len(places) - LAST):
            boxes = [box for place in places[start:end] for box in steps[place]]
            label = f"t = {places[start][-1].step} … {places[end - 1][-1].step}"
            whole = group(places[start], boxes, f"{boxes[0].id}f")
            rows = (Row(label, "title"), Row(f"× {end - start} steps", "plain"), *whole.rows[1:])
            into |= dict.fromkeys([box.id for box in boxes], replace(whole, rows=rows, panel=around, tooltip=label))
    return merged(diagram, into) if into else diagram


def _loops(diagram: Diagram) -> dict[Panel, dict[Panel, list[Box]]]:
    """The boxes of each step of each loop, steps by first appearance; of loops in loops only the outermost one."""
    loops: dict[Panel, dict[Panel, list[Box]]] = {}
    for box in diagram.boxes:
        if step := _step(box.panel):
            loops.setdefault(step[:-1], {}).setdefault(step, []).append(box)
    return loops


def _looks(diagram: Diagram, steps: Mapping[Panel, list[Box]]) -> dict[Panel, object]:
    """What a reader sees of each step: steps that look alike have the same."""
    at = {box.id: (step, i) for step, boxes in steps.items() for i, box in enumerate(boxes)}
    arrows: dict[Panel, list[tuple[int, int, str]]] = {step: [] for step in steps}
    for arrow in diagram.arrows:
        tail, head = at.get(arrow.tail), at.get(arrow.head)
        if tail is not None and head is not None and tail[0] == head[0]:
            arrows[tail[0]].append((tail[1], head[1], arrow.inlet))
    return {
        step: (tuple([(box.panel[len(step) :], box.role, _look(box)) for box in boxes]), tuple(arrows[step]))
        for step, boxes in steps.items()
    }


def _look(box: Box) -> tuple[str, ...]:
    """The texts of a box without what differs from step to step: names, indices and gradients."""
    texts = [row.text for row in box.rows if row.look == "muted" or (row.look == "title" and box.ops)]
    return tuple([re.sub(r"\d+", "#", text) if text.startswith(("[", "index=")) else text for text in texts])


def _runs(values: list[object], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where equal values stand side by side, between two places."""
    while start < end:
        after = start + 1
        while after < end and values[after] == values[start]:
            after += 1
        if after - start > 1:
            yield start, after
        start = after


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
        arrows.append(replace(arrow, tail=stand_in[box.id, step].id) if (box.id, step) in stand_in else arrow)
    boxes = [b for box in diagram.boxes for b in (*before.get(box.id, ()), box) if b is not box or box.id not in used]
    return replace(diagram, boxes=tuple(boxes), arrows=tuple(arrows))


def alias_far(diagram: Diagram) -> Diagram:
    """Draw a leaf or a constant again, as a small alias, where it is used far from its first use."""
    fed = {arrow.head for arrow in diagram.arrows}
    return _near(diagram, {box.id for box in diagram.boxes if box.id not in fed}, _alias)


def tunnel(diagram: Diagram) -> Diagram:
    """Cut arrows that lead far across the drawing: what goes to #1 at one end comes from #1 at the other."""
    near = _near(diagram, {box.id for box in diagram.boxes if box.ops}, _mouth)
    exits: dict[str, list[str]] = {}
    for box in near.boxes:
        tail, mouth, number = box.id.partition("_t")
        if mouth:
            exits.setdefault(tail, []).append(f"#{number}")
    boxes = [
        replace(box, rows=(*box.rows, Row(f"→ {' '.join(exits[box.id])}", "muted"))) if box.id in exits else box
        for box in near.boxes
    ]
    return replace(near, boxes=tuple(boxes))


def _alias(box: Box, number: int, panel: Panel, outlet: str) -> Box:  # noqa: ARG001
    return replace(box, id=f"{box.id}_a{number}", rows=box.rows[:1], dashed=True, panel=panel)


def _mouth(box: Box, number: int, panel: Panel, outlet: str) -> Box:
    rows = (Row(f"#{number} →"), Row(box.rows[0].text + f"[{outlet}]" * bool(outlet), "muted"))
    return Box(f"{box.id}_t{number}", rows, "view", panel, tooltip=box.tooltip, dashed=True, nodes=box.nodes)


def _near(diagram: Diagram, wanted: set[str], stand_in: Callable[[Box, int, Panel, str], Box]) -> Diagram:
    """Let far arrows from the wanted boxes start at a stand-in close to where they end."""
    rank, by_id = diagram.ranks(), {box.id: box for box in diagram.boxes}
    first: dict[str, int] = {}
    for arrow in diagram.arrows:
        first[arrow.tail] = min(first.get(arrow.tail, rank[arrow.head]), rank[arrow.head])
    made: dict[tuple[str, int, Panel, str], Box] = {}
    before: dict[str, list[Box]] = {}
    arrows = []
    for arrow in diagram.arrows:
        jump = rank[arrow.head] - (rank[arrow.tail] if by_id[arrow.tail].ops else first[arrow.tail])
        if arrow.tail in wanted and jump > FAR:
            panel = by_id[arrow.head].panel
            key = (arrow.tail, rank[arrow.head] // FAR, panel, arrow.outlet)
            if key not in made:
                made[key] = stand_in(by_id[arrow.tail], len(made) + 1, panel, arrow.outlet)
                before.setdefault(arrow.head, []).append(made[key])
            arrows.append(replace(arrow, tail=made[key].id, outlet=""))
        else:
            arrows.append(arrow)
    boxes = [b for box in diagram.boxes for b in (*before.get(box.id, ()), box)]
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
    caption = Row(cut(str(box.panel[-1])), "caption")
    return replace(box, rows=(caption, *box.rows), panel=box.panel[:-1])
