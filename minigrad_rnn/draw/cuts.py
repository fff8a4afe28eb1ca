"""An arrow that no gradient passes: a gap with two bars."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

from minigrad.draw.sheet import Line, Point, Shape, Stroke, text_width
from minigrad.draw.style import OUTSIDE

GAP = 9.0  # in the arrow
BARS = Stroke(OUTSIDE, 1.8)
BEHIND = Stroke(OUTSIDE, 1.0, "dotted")  # where no gradient comes
WORD = "detach"
TIP = "cut off by detach: the values pass, gradients do not"


def severed(line: Line, id: str, high: bool = False) -> tuple[list[Line], Shape]:
    """A line with its first half in grey, a gap with two bars in the middle, and a word above it.

    Args:
        line: with a path: straight, or of four control points.
        id: for the id of the word.
        high: whether the word is above the boxes, because there is no room for it between them.
    """
    before, after = halves(line.path, line.curved)
    middle = before[-1]
    steep = GAP / 2
    tip = "\n".join(filter(None, [line.tooltip, TIP]))
    first = replace(line, path=_shorter(before), stroke=BEHIND, arrow=False, tooltip=tip)
    second = replace(line, path=_shorter(after[::-1])[::-1], tooltip=tip)
    bars = [
        Line(line.tail, line.head, (Point(x - 2, middle.y - 6), Point(x + 2, middle.y + 6)), False, BARS, False, tip)
        for x in (middle.x - steep / 2, middle.x + steep / 2)
    ]
    at = Point(middle.x, middle.y + (21 if high else 12))
    word = Shape(f"cut_{id}", at, text_width(WORD, 9) + 4, 11, (WORD,), size=9, colour=OUTSIDE, tooltip=TIP)
    return [first, second, *bars], word


def halves(path: tuple[Point, ...], curved: bool) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """A path taken apart in the middle of its last piece; a curve of four points, in its middle.

    >>> halves((Point(0, 0), Point(8, 0)), False)
    ((Point(x=0, y=0), Point(x=4.0, y=0.0)), (Point(x=4.0, y=0.0), Point(x=8, y=0)))
    """
    if not curved:
        middle = _between(path[-2], path[-1])
        return (*path[:-1], middle), (middle, path[-1])
    first, second = [path[0]], [path[-1]]
    while len(path) > 1:
        path = tuple([_between(a, b) for a, b in itertools.pairwise(path)])
        first.append(path[0])
        second.append(path[-1])
    return tuple(first), tuple(second[::-1])


def _between(a: Point, b: Point) -> Point:
    return Point((a.x + b.x) / 2, (a.y + b.y) / 2)


def _shorter(path: tuple[Point, ...]) -> tuple[Point, ...]:
    """A path without its end, as much as half of the gap."""
    a, b = path[-2:]
    whole = math.hypot(a.x - b.x, a.y - b.y)
    share = min(GAP / 2 / whole, 0.9) if whole else 0.0
    return (*path[:-1], Point(b.x + (a.x - b.x) * share, b.y + (a.y - b.y) * share))
