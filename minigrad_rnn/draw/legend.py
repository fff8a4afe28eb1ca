"""The legend: which line is which weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minigrad.draw.sheet import Line, Point, Shape, text_width
from minigrad.draw.style import OUTSIDE, PALETTE

from .looks import ROLES, Entry, Looks
from .network import Row

HEADING = "weights, the same at all steps"
SIZE = 10.5


def legend(
    looks: Looks, rows: Mapping[str, Row], at: Point, entries: Sequence[Entry] | None = None
) -> tuple[list[Shape], list[Line]]:
    """Which line is which weight, the uppermost row first; ``at`` is the middle of the left edge."""
    entries = (looks.legend() if entries is None else entries)[::-1]
    if not entries:
        return [], []
    widest = max(text_width(entry.text, SIZE) for entry in entries) + 16
    top = at.y + 10 * len(entries)
    wide = text_width(HEADING, SIZE) + 16
    shapes = [_words("legend", Point(at.x, top + 8), HEADING, wide)]
    lines = []
    for i, entry in enumerate(entries):
        y, name = top - 14 - 20 * i, f"legend{i}"
        shapes.append(_words(name, Point(at.x + 44, y), entry.text, widest))
        if entry.stroke is not None:
            path = (Point(at.x, y), Point(at.x + 36, y))
            lines.append(Line("legend", name, path, False, entry.stroke))
        else:
            shapes.append(_swatch(rows[entry.row], Point(at.x + 18, y), i))
    return shapes, lines


def _words(id: str, edge: Point, words: str, width: float) -> Shape:
    return Shape(
        id, Point(edge.x + width / 2, edge.y), width, 14, (words,), size=SIZE, colour=OUTSIDE, align="l"
    )


def _swatch(row: Row, at: Point, number: int) -> Shape:
    fill, stroke = PALETTE[ROLES[row.kind]]
    return Shape(f"swatch{number}", at, 22, 13, (), fill, stroke, border=1)
