"""A drawing as one HTML page that opens from disk, without a network: to be moved, zoomed, searched, opened and closed.

The page holds the drawing as data, each box and each arrow as a piece of DOT, and Graphviz itself, compiled to
WebAssembly (``web/graphviz.js``). When a panel is opened or closed, the page puts the pieces together and has them laid
out anew. So it looks as it does everywhere else, needs no Graphviz to be made, and holds one picture, not one for every
combination of open panels.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

from ..errors import GraphError
from .diagram import Box, Diagram, Panel
from .dot import arrow_ends, box_line, clusters, foot, head, panel_look
from .sheet import Sheet, sheet_dot
from .text import clean
from .transforms import alias_shared, dissolve_lone, group
from .whole import Whole

LARGEST = 5_000_000  # bytes of a page
ALL_OPEN = 1_000_000  # panels are not nested as deep
READABLE = 30  # boxes at the first look, if panels can be closed for that
SCRIPTS = ("layout.js", "view.js", "tell.js", "page.js")


def html_page(drawn: Whole | Diagram | Sheet, title: str = "Drawing", timeout: float = 20.0) -> str:
    """The page.

    Args:
        drawn: what to draw; of a plain diagram all panels are open at first.
        title: of the page.
        timeout: seconds that Graphviz may take in the browser.

    Raises:
        GraphError: it would be larger than 5 MB.

    >>> from minigrad.draw.diagram import Box, Row
    >>> page = html_page(Diagram((Box("n0", (Row("x", "title"),), "input"),), ()))
    >>> page.startswith("<!doctype html>"), "<script src" in page
    (True, False)
    """
    if isinstance(drawn, Sheet):
        data = _sheet_data(drawn)
    else:
        data = _diagram_data(drawn if isinstance(drawn, Whole) else Whole(drawn, depth=ALL_OPEN))
    text = json.dumps({"timeout": timeout, **data}, ensure_ascii=False, separators=(",", ":"))
    script = "\n".join(map(_file, SCRIPTS))
    parts = {
        "title": html.escape(clean(title)),
        "policy": html.escape(_policy(script)),
        "style": _file("page.css"),
        "data": text.replace("<", "\\u003c"),  # so that no text can end the script element it stands in
        "graphviz": _graphviz(),
        "script": script,
    }
    page = re.sub(r"{{(\w+)}}", lambda found: parts[found[1]], _file("page.html"))
    if (size := len(page.encode())) > LARGEST:
        raise GraphError(
            f"draw: a page of {size / 1e6:.1f} MB is more than a browser should be given ({LARGEST / 1e6:g} MB):"
            f" {len(data['boxes']):,} boxes and {len(data['arrows']):,} arrows\n"
            "  hint: draw fewer time steps, or a part of the model; Drawing(drawing.diagram).html() is a page of what"
            " the picture shows, without what is folded or collapsed in it"
        )
    return page


def _policy(script: str) -> str:
    """What the browser lets the page do: run this script and Graphviz, and fetch nothing. No text becomes a program.

    The line ends that the template puts around the script belong to it.
    """
    digest = base64.b64encode(hashlib.sha256(f"\n{script}".encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}' 'wasm-unsafe-eval' blob:; worker-src blob:;"
        " style-src 'unsafe-inline'"
    )


@cache
def _file(name: str) -> str:
    return resources.files(__package__).joinpath("web", name).read_text(encoding="utf-8")


@cache
def _graphviz() -> str:
    """The library as a plain script, which defines ``Graphviz``.

    It comes as a module, and browsers import no modules into a page that was opened from disk.
    """
    export = r"\bexport *{[^}]*?([\w$]+) as Graphviz\b[^}]*};\s*(//.*)?\s*$"
    return re.sub(export, r"self.Graphviz=\1;", _file("graphviz.js"))


def _diagram_data(whole: Whole) -> dict[str, Any]:
    diagram = whole.paint(dissolve_lone(alias_shared(whole.diagram)))
    numbers, values = clusters(diagram.boxes), whole.values()
    depth = whole.depth or _readable_depth(diagram)
    boxes = {box.id: box for box in diagram.boxes}
    return {
        "sideways": diagram.direction in ("LR", "RL"),
        "head": head(diagram),
        "foot": foot(diagram),
        "boxes": [_box(box, numbers, diagram.direction, values) for box in diagram.boxes],
        "arrows": [
            (arrow.tail, arrow.head, *arrow_ends(arrow, boxes[arrow.tail], boxes[arrow.head], diagram.direction))
            for arrow in diagram.arrows
        ],
        "panels": list(_panels(diagram, numbers, whole.paint)),
        "closed": [i for panel, i in numbers.items() if len(panel) >= depth],
    }


def _readable_depth(diagram: Diagram) -> int:
    """How deep panels may be nested and still be open, for the first look not to be of too many boxes."""
    deepest = max((len(box.panel) for box in diagram.boxes), default=0)
    for depth in range(deepest + 1, 1, -1):
        if len({box.panel[:depth] if len(box.panel) >= depth else box.id for box in diagram.boxes}) <= READABLE:
            return depth
    return 1


def _box(box: Box, numbers: dict[Panel, int], direction: str, values: Mapping[int, str]) -> dict[str, Any]:
    """What the page knows of a box: where it stands, what it looks like, and what to tell of it."""
    title = next((row.text for row in box.rows if row.look == "title"), "")
    gradient = [row.text for row in box.rows if row.look == "grad"]
    call, shape, *places = (*box.tooltip.split("\n"), "")
    told = [values[node] for node in box.nodes if node in values]
    return {
        "id": box.id,
        "panel": numbers.get(box.panel, -1),
        "dot": box_line(replace(box, tooltip=""), direction),
        "title": clean(title),
        "lines": [clean(line) for line in (call, shape, *told, *gradient, *places) if line],
    }


def _panels(
    diagram: Diagram, numbers: dict[Panel, int], paint: Callable[[Diagram], Diagram]
) -> Iterator[dict[str, Any]]:
    """Each panel: the one around it, its looks, and the box that stands for it where it is closed."""
    members: dict[Panel, list[Box]] = {panel: [] for panel in numbers}
    for box in diagram.boxes:
        for depth in range(1, len(box.panel) + 1):
            members[box.panel[:depth]].append(box)
    groups = tuple([group(panel, members[panel], f"panel{i}") for panel, i in numbers.items()])
    for (panel, i), closed in zip(numbers.items(), paint(Diagram(groups, ())).boxes, strict=True):
        rows = [row._replace(text=f"▸ {row.text}") if row.look == "title" else row for row in closed.rows]
        stands = _box(replace(closed, rows=tuple(rows)), numbers, diagram.direction, {})
        stands["lines"] += [clean(row.text) for row in closed.rows if row.look != "title"]
        stands |= {"title": clean(str(panel[-1])), "opens": i}
        yield {"around": numbers.get(panel[:-1], -1), "look": panel_look(panel), "box": stands}


def _sheet_data(sheet: Sheet) -> dict[str, Any]:
    boxes = [
        {
            "id": shape.id,
            "panel": -1,
            "title": clean(" ".join(shape.lines)),
            "lines": clean(shape.tooltip).split("\n") if shape.tooltip else [],
        }
        for shape in sheet.shapes
    ]
    arrows = [(line.tail, line.head, "", "", "") for line in sheet.lines]
    return {"dot": sheet_dot(sheet), "boxes": boxes, "arrows": arrows, "panels": [], "closed": []}
