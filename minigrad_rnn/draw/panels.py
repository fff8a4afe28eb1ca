"""What is behind each step of the unrolled network."""

from __future__ import annotations

from collections.abc import Iterator

from minigrad.draw.sheet import Point, Shape
from minigrad.draw.style import PANEL_FILL, PANEL_STROKE

from .grid import Grid
from .names import plain, text
from .network import Network


def panels(network: Network, grid: Grid) -> Iterator[Shape]:
    """A panel for each step that is drawn, with its number, and one for those that are folded."""
    for clock, columns in grid.columns.items():
        top, bottom = grid.top[clock] + 14, grid.bottom[clock] - 34
        starts = {step for row in network.rows if row.kind == "start" and row.clock == clock for step in row.steps}
        steps = set(network.steps(clock)) - starts
        for step, x in columns.x.items():
            if step in steps:
                middle = x + columns.beside / 2
                yield _panel(f"panel{clock}_{plain(step)}", middle, columns.panel, top, bottom)
                yield text(f"t{clock}_{plain(step)}", Point(middle, bottom + 12), f"t = {step}", 11)
        if columns.folded:
            width = columns.strip[1] - columns.strip[0]
            yield _panel(f"panel{clock}_folded", columns.middle, width, top, bottom)
            told = f"t = {columns.folded[0]} … {columns.folded[-1]}"
            yield text(f"t{clock}_folded", Point(columns.middle, bottom + 12), told, 11)


def _panel(id: str, x: float, width: float, top: float, bottom: float) -> Shape:
    at = Point(x, (top + bottom) / 2)
    return Shape(id, at, width, top - bottom, (), PANEL_FILL, PANEL_STROKE, border=1)
