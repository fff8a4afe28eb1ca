"""What is called how in the unrolled network: ids of shapes, and the names of rows at its left."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from minigrad.draw.ops import cut
from minigrad.draw.sheet import Point, Shape, text_width
from minigrad.draw.style import OUTSIDE

from .grid import CIRCLE, Grid
from .network import Network, Row


def box_id(row: Row, step: int | None) -> str:
    """The id of a box of the unrolled network; in the folded one it is that of the row."""
    return f"{row.id}_all" if step is None else f"{row.id}_{plain(step)}"


def plain(step: int) -> str:
    """A step as part of an id."""
    return str(step) if step >= 0 else f"m{-step}"


def text(id: str, at: Point, words: str, size: float, colour: str = OUTSIDE) -> Shape:
    """Words on the page, without a box."""
    return Shape(id, at, text_width(words, size) + 8, size + 4, (words,), size=size, colour=colour)


def aligned(id: str, edge: Point, words: str, size: float, align: str) -> Shape:
    """Words on the page that begin (``"l"``) or end (``"r"``) at an edge."""
    width = text_width(words, size) + 8
    at = Point(edge.x + (width / 2 if align == "l" else -width / 2), edge.y)
    return Shape(id, at, width, 14, (words,), size=size, colour=OUTSIDE, align=align)


def row_names(network: Network, grid: Grid) -> Iterator[Shape]:
    """At the left, where in the model each row is; below, if there are several loops over time."""
    places = [row.place for row in network.rows]
    if len(grid.columns) > 1:
        yield from _captions(network, grid, places)
        return
    (columns,) = grid.columns.values()
    for row in network.rows:
        name = short_place(row.place, places)
        if name and row.kind != "start" and grid.size[row.id].width != CIRCLE:
            yield aligned(f"{row.id}_name", Point(columns.left - 10, grid.y[row.id]), name, 10, "r")


def _captions(network: Network, grid: Grid, places: Sequence[str]) -> Iterator[Shape]:
    for clock, columns in grid.columns.items():
        names = [short_place(row.place, places) for row in network.rows if row.clock == clock and row.parts]
        name = ".".join(_shared([name.split(".") for name in names]))
        if name:
            yield aligned(f"caption{clock}", Point(columns.first, grid.bottom[clock] - 46), name, 11, "l")


def short_place(place: str, places: Sequence[str]) -> str:
    """A place without the name of the model around all of them, and no longer than there is room for."""
    roots = {other.partition(".")[0] for other in places if other}
    if len(roots) == 1 and "." in place and all("." in other for other in places if other):
        return cut(place.partition(".")[2])
    return cut(place)


def _shared(pieces: list[list[str]]) -> list[str]:
    """The pieces at the beginning that all have in common."""
    return [same[0] for same in itertools.takewhile(lambda some: len(set(some)) == 1, zip(*pieces, strict=False))]
