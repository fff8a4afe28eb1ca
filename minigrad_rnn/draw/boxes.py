"""The boxes of the unrolled network: cells, inputs, outputs and losses at each step, and the strip for folded ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from minigrad.draw.colours import Scale
from minigrad.draw.sheet import Point, Shape
from minigrad.draw.style import INK, OUTSIDE, PALETTE

from .grid import CIRCLE, Grid
from .looks import ROLES, labels
from .names import box_id
from .network import Network, Row
from .shades import stripes

Values = Mapping[str, Mapping[int, float]]  # of each row, of each step
IDLE_FILL, IDLE_STROKE, IDLE_INK = "#E4E4E4", "#B0B0B0", OUTSIDE  # where no sequence has an element


class Boxes:
    """The shapes of rows.

    Args:
        network: the network.
        grid: where its boxes are.
        values: a number for each step of some rows.
        colours: what the numbers mean as colours.
    """

    def __init__(self, network: Network, grid: Grid, values: Values, colours: Scale) -> None:
        self.network, self.grid, self.values, self.colours = network, grid, values, colours
        self._clocks: dict[int, dict[int, tuple[int, int]]] = {}
        for row in network.rows:
            if row.kind == "state":
                self._clocks.setdefault(row.clock, {}).update(row.idle)

    def idle(self, row: Row, step: int | None) -> tuple[int, int] | None:
        """Of a step where some of the sequences have no element: how many have one, and how many there are."""
        if step is None or row.kind in {"start", "loss"}:
            return None
        return (row.idle if row.kind == "state" else self._clocks.get(row.clock, {})).get(step)

    def silent(self, row: Row, step: int | None) -> bool:
        """Whether no sequence has an element at a step."""
        idle = self.idle(row, step)
        return idle is not None and not idle[0]

    def of(self, row: Row) -> Iterator[Shape]:
        """All shapes of a row, from left to right, and the strip."""
        yield from self._strip(row)
        for step, at in self.grid.boxes(row):
            box, idle = self._box(row, step, at), self.idle(row, step)
            if idle is None:
                yield box
            else:
                yield from self._partly(box, *idle)

    def _box(self, row: Row, step: int | None, at: Point) -> Shape:
        size, (fill, stroke) = self.grid.size[row.id], PALETTE[ROLES[row.kind]]
        if row.kind == "start" and row.title == "parameter":
            fill, stroke = PALETTE["parameter"]
        colour, lines = INK, labels(row, step)
        value = self.values.get(row.id, {}).get(step) if step is not None else None
        if row.id in self.values:
            shaded = self.colours.shade(value)
            fill, colour, stroke = shaded.fill, shaded.text, shaded.stroke
            lines = (*lines, self.colours.told(value))
        style = "circle" if size.width == CIRCLE else "rounded"
        return Shape(
            box_id(row, step),
            at,
            size.width,
            size.height,
            lines,
            fill,
            stroke,
            style,
            row.kind == "start",
            size=12 if len(lines) == 1 else 11,
            colour=colour,
            tooltip=self._tooltip(row, step),
        )

    def _tooltip(self, row: Row, step: int | None) -> str:
        lines = [row.place + (f"/t={step}" if step is not None else "")] if row.place else []
        if row.kind == "start":
            lines = [f"the state before the first step{', a parameter' if row.title else ''}"]
        lines.append(str(row.shape))
        if row.ops > 1:
            lines.append(f"{row.ops} ops")
        return "\n".join(lines)

    def _partly(self, box: Shape, running: int, total: int) -> Iterator[Shape]:
        """A box that is grey where no sequence has an element, and paler where some have none, with a bar of how many.

        A colour that is a number stays.
        """
        box = replace(box, tooltip=f"{box.tooltip}\n{running} of {total} sequences")
        if box.id.rpartition("_")[0] in self.values:
            yield box
        elif not running:
            yield replace(box, fill=IDLE_FILL, stroke=IDLE_STROKE, colour=IDLE_INK)
        else:
            yield replace(box, fill=_blended(box.fill, IDLE_FILL, 1 - running / total))
            width = box.width - 16
            left, y = box.at.x - width / 2, box.at.y - box.height / 2 + 4.5
            share = width * running / total
            yield _bar(f"{box.id}_run", left, share, y, box.stroke, box.tooltip)
            yield _bar(f"{box.id}_idle", left + share, width - share, y, "#FFFFFF", box.tooltip)

    def _strip(self, row: Row) -> Iterator[Shape]:
        """The steps of a row that are folded."""
        if row.clock < 0 or not (columns := self.grid.columns[row.clock]).folded or len(row.steps) <= 1:
            return
        y, (fill, stroke) = self.grid.y[row.id], PALETTE[ROLES[row.kind]]
        left, right = columns.strip[0] + 10, columns.strip[1] - 10
        height = min(self.grid.size[row.id].height, 40.0)
        tip = f"{row.place or row.title}: {len(columns.folded)} steps, t={columns.folded[0]} to {columns.folded[-1]}"
        known = self.values.get(row.id)
        at, width = Point((left + right) / 2, y), right - left
        dots, fill = ((), "#FFFFFF") if known else (("⋯",), fill)
        yield Shape(f"{row.id}_folded", at, width, height, dots, fill, stroke, tooltip=tip)
        if known:
            edges = left + 2, right - 2
            yield from stripes(row.id, known, columns.folded, edges, y, height - 6, self.colours)


def _bar(id: str, left: float, width: float, y: float, fill: str, tooltip: str) -> Shape:
    return Shape(id, Point(left + width / 2, y), width, 2.6, (), fill, fill, "square", border=0, tooltip=tooltip)


def _blended(fill: str, other: str, share: float) -> str:
    """A colour on the way to another one."""
    pairs = [(int(fill[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in pairs)
