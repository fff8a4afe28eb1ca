"""A drawing whose every place is known: shapes, texts and lines at coordinates, as plain data, and as DOT.

Where the layout follows from what is drawn, as in time from left to right and layers from the bottom up, Graphviz is
given the places and only draws. The same picture comes from every version of it, in time proportional to its size.

Coordinates are in points, 72 to an inch; y goes up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from .dot import quoted
from .style import FONT, INK, OUTSIDE


class Point(NamedTuple):
    """A place."""

    x: float
    y: float


class Stroke(NamedTuple):
    """How a line is drawn; styles are ``"solid"``, ``"dashed"``, ``"dotted"``, ``"double"`` and ``"double dashed"``."""

    colour: str = OUTSIDE
    width: float = 1.3
    style: str = "solid"


PLAIN = Stroke()


@dataclass(frozen=True, slots=True)
class Shape:
    """A box, a circle, or, without fill and stroke, a text.

    Attributes:
        id: unique on the sheet, and the same on every run.
        at: the place of its centre.
        width, height: its size.
        lines: its text.
        fill, stroke: its colours; ``""``: none.
        style: ``"rounded"``, ``"circle"`` or ``"square"``.
        dashed: whether its border is.
        border: how thick that is.
        size: of the letters.
        colour: of the letters.
        align: ``"c"``, ``"l"`` or ``"r"``.
        tooltip: what it says when the mouse is over it.
    """

    id: str
    at: Point
    width: float
    height: float
    lines: tuple[str, ...] = ()
    fill: str = ""
    stroke: str = ""
    style: str = "rounded"
    dashed: bool = False
    border: float = 1.3
    size: float = 12
    colour: str = INK
    align: str = "c"
    tooltip: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line from a shape to a shape.

    Attributes:
        tail, head: ids of the shapes.
        path: where it runs, from end to end; ``()``: straight, from border to border.
        curved: whether the path is the control points of Bézier curves (3 k + 1 of them), not corners.
        stroke: how it is drawn.
        arrow: whether it has a head.
        tooltip: what it says when the mouse is over it.
    """

    tail: str
    head: str
    path: tuple[Point, ...] = ()
    curved: bool = False
    stroke: Stroke = PLAIN
    arrow: bool = True
    tooltip: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Shapes and lines. What comes first is behind what comes later."""

    shapes: tuple[Shape, ...]
    lines: tuple[Line, ...]

    def size(self) -> tuple[float, float]:
        """Width and height in points."""
        left = min((s.at.x - s.width / 2 for s in self.shapes), default=0.0)
        right = max((s.at.x + s.width / 2 for s in self.shapes), default=0.0)
        bottom = min((s.at.y - s.height / 2 for s in self.shapes), default=0.0)
        top = max((s.at.y + s.height / 2 for s in self.shapes), default=0.0)
        return right - left, top - bottom

    def moved(self, by: Point, prefix: str = "") -> Sheet:
        """The same somewhere else, with other ids: to put it beside another one."""
        return Sheet(
            tuple([_replaced(shape, by, prefix) for shape in self.shapes]),
            tuple([_moved_line(line, by, prefix) for line in self.lines]),
        )


def text_width(text: str, size: float) -> float:
    """About how wide a text is in Helvetica, in points.

    >>> 24 < text_width("t = 10", 11) < 34
    True
    """
    return size * sum(map(_width, text))


def _width(character: str) -> float:
    """In units of the letters' size."""
    if character in "ijl.,:;'|!()[]ft·I ₁¹₍₎":
        return 0.3
    if character in "mwMW@%—⋯" or character >= "\u2e80":  # from there on, characters as wide as high
        return 0.9
    return 0.67 if "A" <= character <= "Z" else 0.54


def sheet_dot(sheet: Sheet) -> str:
    """The DOT text of a sheet: the same for the same sheet, byte for byte."""
    return "\n".join(["digraph {", _HEAD, *map(_shape, sheet.shapes), *map(_line, sheet.lines), "}"]) + "\n"


# "nop2" is the layout engine that leaves shapes where they are, and lines that know where they run
_HEAD = f"""\
  graph [layout=nop2 splines=line bgcolor=transparent pad=0.15 fontname="{FONT}"]
  node [shape=box style="filled,rounded" fixedsize=true margin=0 penwidth=1.3 fontname="{FONT}" fontsize=12\
 fontcolor="{INK}"]
  edge [color="{OUTSIDE}" penwidth=1.3 arrowsize=0.65]"""


def _shape(shape: Shape) -> str:
    attributes = [
        f'pos="{_number(shape.at.x)},{_number(shape.at.y)}"',
        f"width={_number(shape.width / 72)} height={_number(shape.height / 72)}",
        f"label={_label(shape)}",
    ]
    if not shape.fill and not shape.stroke:
        attributes.append("shape=plaintext style=solid")
    else:
        style = ["filled"] if shape.fill else []
        style += ["rounded"] if shape.style == "rounded" else []
        style += ["dashed"] if shape.dashed else []
        if style != ["filled", "rounded"]:
            attributes.append(f'style="{",".join(style) or "solid"}"')
        attributes += ["shape=circle"] if shape.style == "circle" else []
        attributes += [f'fillcolor="{shape.fill}"'] if shape.fill else []
        attributes.append(f'color="{shape.stroke or "transparent"}"')
        attributes += [f"penwidth={_number(shape.border)}"] if shape.border != 1.3 else []
    attributes += [f"fontsize={_number(shape.size)}"] if shape.size != 12 else []
    attributes += [f'fontcolor="{shape.colour}"'] if shape.colour != INK else []
    attributes.append(f"tooltip={quoted(shape.tooltip or ' ')}")
    return f"  {shape.id} [{' '.join(attributes)}]"


def _label(shape: Shape) -> str:
    if shape.align == "c" or not any(shape.lines):  # an empty line set to the left makes Graphviz crash
        return quoted("\n".join(shape.lines))
    ends = f"\\{shape.align}"
    return f'"{"".join(quoted(line)[1:-1] + ends for line in shape.lines)}"'


def _line(line: Line) -> str:
    stroke, plain = line.stroke, PLAIN
    attributes = [f'pos="{_path(line)}"'] if line.path else []
    double, style = stroke.style.startswith("double"), stroke.style.removeprefix("double").strip() or "solid"
    colour = f"{stroke.colour}:invis:{stroke.colour}" if double else stroke.colour
    attributes += [f'color="{colour}"'] if colour != plain.colour else []
    attributes += (
        [f"penwidth={_number(min(stroke.width, 1.3) if double else stroke.width)}"]
        if (stroke.width != plain.width)
        else []
    )
    attributes += [f"style={style}"] if style != plain.style else []
    attributes += [] if line.arrow else ["dir=none"]
    attributes.append(f"tooltip={quoted(line.tooltip or ' ')}")
    return f"  {line.tail} -> {line.head} [{' '.join(attributes)}]"


def _path(line: Line) -> str:
    points = list(line.path) if line.curved else _rounded(line.path)
    tip = ""
    if line.arrow:
        end = points[-1]
        tip = f"e,{_number(end.x)},{_number(end.y)} "
        points[-1] = _short_of(end, points[-2], HEAD)
    return tip + " ".join(f"{_number(point.x)},{_number(point.y)}" for point in points)


HEAD = 6.5  # length of an arrow's head
RADIUS = 7.0  # of the corners of a line


def _rounded(path: tuple[Point, ...]) -> list[Point]:
    """Straight pieces with rounded corners, as control points of Bézier curves."""
    points = [path[0]]
    for before, corner, after in zip(path, path[1:], path[2:], strict=False):
        start, end = _short_of(corner, before, RADIUS), _short_of(corner, after, RADIUS)
        points += [*_straight(points[-1], start), start, corner, corner, end]
    return [*points, *_straight(points[-1], path[-1]), path[-1]]


def _straight(a: Point, b: Point) -> tuple[Point, Point]:
    """The control points between the ends of a straight piece."""
    return Point(a.x + (b.x - a.x) / 3, a.y + (b.y - a.y) / 3), Point(b.x - (b.x - a.x) / 3, b.y - (b.y - a.y) / 3)


def _short_of(end: Point, start: Point, length: float) -> Point:
    """The place that far from the end on the way to the start, but no further than half of it."""
    whole = math.hypot(start.x - end.x, start.y - end.y)
    share = min(length / whole, 0.5) if whole else 0.0
    return Point(end.x + (start.x - end.x) * share, end.y + (start.y - end.y) * share)


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") if value % 1 else str(int(value))


def _replaced(shape: Shape, by: Point, prefix: str) -> Shape:
    at = Point(shape.at.x + by.x, shape.at.y + by.y)
    return Shape(
        prefix + shape.id,
        at,
        shape.width,
        shape.height,
        shape.lines,
        shape.fill,
        shape.stroke,
        shape.style,
        shape.dashed,
        shape.border,
        shape.size,
        shape.colour,
        shape.align,
        shape.tooltip,
    )


def _moved_line(line: Line, by: Point, prefix: str) -> Line:
    path = tuple([Point(point.x + by.x, point.y + by.y) for point in line.path])
    return Line(prefix + line.tail, prefix + line.head, path, line.curved, line.stroke, line.arrow, line.tooltip)
