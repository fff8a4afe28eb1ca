"""A diagram as DOT, the language of Graphviz."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from .diagram import Arrow, Box, Diagram, Panel, Row
from .key import key_label
from .ops import cut
from .style import ARROWS, FONT, GRADIENT, INK, LABELS, MUTED, OUTSIDE, PALETTE, PANEL_FILL, PANEL_STROKE
from .text import clean

_HEAD = f"""\
  graph [bgcolor=transparent fontname="{FONT}" fontsize=11 fontcolor="{OUTSIDE}" pad=0.15 nodesep=0.22 ranksep=0.38]
  node [shape=plain fontname="{FONT}" fontsize=11 fontcolor="{INK}"]
  edge [fontname="{FONT}" fontsize=9 fontcolor="{OUTSIDE}" color="{OUTSIDE}" penwidth=1.2 arrowsize=0.6]
"""

_SIDES = {"LR": "we", "RL": "ew", "TB": "ns", "BT": "sn"}  # where arrows come in, and where they go out

HARD = 2000  # layout cost from which Graphviz is told to try less hard

_LOOKS = {
    "title": '<font point-size="13"><b>{}</b></font>',
    "plain": "{}",
    "muted": f'<font point-size="10" color="{MUTED}">{{}}</font>',
    "grad": f'<font point-size="10" color="{GRADIENT}">{{}}</font>',
    "hidden": '<font point-size="10" color="transparent">{}</font>',
    "number": '<font point-size="11"><b>{}</b></font>',
    "port": f'<font point-size="8" color="{MUTED}">{{}}</font>',
    "caption": f'<font point-size="9" color="{MUTED}"><i>{{}}</i></font>',
}


def to_dot(diagram: Diagram) -> str:
    """The DOT text of a diagram: the same for the same diagram, byte for byte."""
    boxes = {box.id: box for box in diagram.boxes}
    ends = [arrow_ends(arrow, boxes[arrow.tail], boxes[arrow.head], diagram.direction) for arrow in diagram.arrows]
    lines = [head(diagram), *_inside((), diagram.boxes, clusters(diagram.boxes), diagram.direction)]
    lines += [f"  {start} -> {end}{look}" for start, end, look in ends]
    return "\n".join([*lines, *foot(diagram), "}"]) + "\n"


def head(diagram: Diagram) -> str:
    """What stands before the first box."""
    lines = ["digraph {", f"  rankdir={diagram.direction}"]
    if diagram.layout_cost() > HARD:
        lines.append("  nslimit=2; nslimit1=2; mclimit=0.1")
    return "\n".join([*lines, _HEAD.rstrip("\n")])


def foot(diagram: Diagram) -> list[str]:
    """What stands after the last arrow: the key. Any earlier, and every panel would have it."""
    return [f"  labelloc=b label={key_label(diagram.key)}"] if diagram.key else []


def clusters(boxes: Iterable[Box]) -> dict[Panel, int]:
    """A number for every panel, by first appearance; a panel comes after the one around it."""
    numbers: dict[Panel, int] = {}
    for box in boxes:
        for depth in range(1, len(box.panel) + 1):
            numbers.setdefault(box.panel[:depth], len(numbers))
    return numbers


def _inside(page: Panel, boxes: tuple[Box, ...], numbers: dict[Panel, int], direction: str) -> Iterator[str]:
    """What stands in a panel: its own boxes, then the panels in it. Nesting is as deep as scopes are nested."""
    members: dict[Panel, list[Box]] = {}
    for box in boxes:
        members.setdefault(box.panel, []).append(box)
    children: dict[Panel, list[Panel]] = {}
    for panel in numbers:
        children.setdefault(panel[:-1], []).append(panel)
    todo: list[tuple[Panel, bool]] = [(page, False)]
    while todo:
        panel, leaving = todo.pop()
        indent = "  " * (len(panel) + 1)
        if leaving:
            yield f"{indent[2:]}}}"
            continue
        if panel:
            yield f"{indent[2:]}subgraph cluster_{numbers[panel]} {{"
            yield f"{indent}{panel_look(panel)}"
            todo.append((panel, True))
        yield from (f"{indent}{box_line(box, direction)}" for box in members.get(panel, ()))
        todo += [(child, False) for child in reversed(children.get(panel, []))]


def panel_look(panel: Panel) -> str:
    """What a panel is called and looks like."""
    label = quoted(name := cut(str(panel[-1])))
    if panel[-1].note:
        rows = (Row(name, "title"), Row(panel[-1].note, "muted"))
        text = _table(f"<tr><td>{_text(row, OUTSIDE)}</td></tr>" for row in rows)
        label = f"<{text}>".replace("<td>", '<td align="left">')
    return (
        f"label={label} labeljust=l style=rounded penwidth=1 margin=10"
        f' bgcolor="{PANEL_FILL}" color="{PANEL_STROKE}" tooltip={quoted("/".join(map(str, panel)))}'
    )


def box_line(box: Box, direction: str) -> str:
    """A box, as one line."""
    sides = _SIDES[direction]
    fill, ink, stroke = box.shade or (PALETTE[box.role].fill, "", PALETTE[box.role].stroke)
    style = "rounded,dashed" if box.dashed else "rounded"
    look = f'border="{box.border}" cellborder="0" cellspacing="0" cellpadding="2" style="{style}"'
    look += f' bgcolor="{fill}" color="{stroke}"'
    text = _table(f"<tr><td>{_text(row, ink)}</td></tr>" for row in box.rows)
    parts = [_ports(box.inlets, "i", sides, ink), text, _ports(box.outlets, "o", sides, ink)]
    if sides[0] in "es":  # arrows come in at the right or at the bottom
        parts.reverse()
    if sides in ("we", "ew"):
        body = f"<tr>{''.join(f'<td>{part}</td>' for part in parts if part)}</tr>"
    else:
        body = "".join(f"<tr><td>{part}</td></tr>" for part in parts if part)
    return f"{box.id} [label=<<table {look}>{body}</table>> tooltip={quoted(box.tooltip)}]"


def _table(rows: Iterable[str]) -> str:
    return f'<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{"".join(rows)}</table>'


def _ports(labels: tuple[str, ...], kind: str, sides: str, ink: str) -> str:
    """The strip of small numbers at an edge of a box, each of them a place for an arrow."""
    cells = [f'<td port="{kind}{label}">{_inked("port", html.escape(label), ink)}</td>' for label in labels]
    if not cells:
        return ""
    rows = cells if sides in ("we", "ew") else ["".join(cells)]
    return _table(f"<tr>{row}</tr>" for row in rows)


def _text(row: Row, ink: str) -> str:
    text = html.escape(clean(row.text)).replace("\n", " ").replace("\\", "\\\\")  # else \\N is the name of the box
    return _inked(row.look, f"&#160;{text}&#160;", ink)


def _inked(look: str, text: str, ink: str) -> str:
    """A text in its look; in a box with colours of its own, all texts have one."""
    if not ink or look == "hidden":
        return _LOOKS[look].format(text)
    return f'<font color="{ink}">{re.sub(" color=.[^ >]*", "", _LOOKS[look]).format(text)}</font>'


def arrow_ends(arrow: Arrow, tail: Box, head: Box, direction: str) -> tuple[str, str, str]:
    """Where an arrow starts, where it ends, and its attributes."""
    sides = _SIDES[direction]
    start = f"{arrow.tail}:o{arrow.outlet}:{sides[1]}" if arrow.outlet else arrow.tail
    end = f"{arrow.head}:i{arrow.inlet}:{sides[0]}" if arrow.inlet else arrow.head
    attributes = [f"tooltip={quoted(arrow.tooltip)}"] if arrow.tooltip else []
    if tail.ops and tail.panel != head.panel:  # leaves room, before a panel's first op, for the leaves it uses
        attributes.append("minlen=2")
    if arrow.look:
        look = ARROWS[arrow.look]
        attributes.append(f'color="{look.colour}" penwidth={look.width:g}')
        attributes += [f"style={look.style}"] if look.style != "solid" else []
        attributes += [f"dir={look.dir}"] if look.dir != "forward" else []
    if arrow.label:
        attributes.append(f'label={quoted(f" {arrow.label} ")} fontcolor="{LABELS.get(arrow.look, OUTSIDE)}"')
    return start, end, f" [{' '.join(attributes)}]" if attributes else ""


def quoted(text: str) -> str:
    r"""A text as a DOT string that is shown as it is: quotes, backslashes, entities and line ends are escaped.

    >>> print(quoted('say "hi" \\N &amp;'))
    "say \"hi\" \\N &amp;amp;"
    """
    text = html.escape(clean(text), quote=False).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'
