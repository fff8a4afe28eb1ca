"""Lines from all steps of one sequence to all steps of another, as attention draws on them: one line for all together.

It runs above the boxes that it comes from, goes down between the sequences, runs below the boxes that it leads to, and
up into each of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from minigrad.draw.sheet import Line, Point, Stroke

from .grid import Grid
from .names import box_id
from .network import Link, Network, Row

ABOVE, BELOW = 22.0, 16.0  # how far from the boxes
CLOSE = 9.0  # below what stands right above the numbers of the steps
LANE = 6.0  # between two of them
STRAIGHT = 8.0  # heights that differ by less are made the same


class Stop(NamedTuple):
    """A box, or the strip for several: its id, one of its steps, and where the line leaves or arrives."""

    id: str
    step: int
    path: tuple[Point, ...]


@dataclass(frozen=True)
class Bus:
    """Where a line runs: above the boxes that it comes from, down between the sequences, and below the others."""

    above: float
    between: float
    below: float
    nth: int  # of those from the same boxes


class Buses:
    """The lines of links that are spread over all steps; those to the same row run together.

    Args:
        network: the network.
        grid: where its boxes are.
    """

    def __init__(self, network: Network, grid: Grid) -> None:
        self.network, self.grid = network, grid
        self.rows = {row.id: row for row in network.rows}
        self._together: dict[tuple[object, ...], list[Link]] = {}
        for link in network.links:
            if link.spread:
                self._together.setdefault(self._key(link), []).append(link)

    def _key(self, link: Link) -> tuple[object, ...]:
        return link.head, self.rows[link.tail].clock, link.weights

    def lines(self, link: Link, strokes: Callable[[int | None, int | None], Stroke], tip: str) -> Iterator[Line]:
        """The lines of a link.

        Args:
            link: is spread.
            strokes: gives the stroke of a line, from a step, or to one.
            tip: what the link is multiplied by.
        """
        together = self._together[self._key(link)]
        bus, tail, head = self._bus(together), self.rows[link.tail], self.rows[link.head]
        starts = list(self._stops(tail, {a for a, _ in link.pairs if a is not None}, bus))
        ends = list(self._stops(head, {b for _, b in link.pairs if b is not None}, bus, into=True))
        steps = len({a for a, _ in link.pairs})
        tip = "\n".join(filter(None, [tip, f"all {steps} steps" if steps > 1 else f"step {starts[0].step}"]))
        turn = 1 if ends[0].path[0].x >= bus.between else -1
        starts, ends = starts[::turn], ends[::turn]
        for start, after in itertools.pairwise(starts):
            path = (*start.path, Point(after.path[-1].x, bus.above))
            yield Line(start.id, ends[0].id, path, False, strokes(start.step, None), False, tip)
        first = link is together[0]
        way = (Point(bus.between, bus.above), Point(bus.between, bus.below)) if bus.above != bus.below else ()
        path = (*starts[-1].path, *way, *ends[0].path) if first else (*starts[-1].path, Point(bus.between, bus.above))
        yield Line(starts[-1].id, ends[0].id, path, False, strokes(starts[-1].step, None), first, tip)
        for before, end in itertools.pairwise(ends) if first else ():
            path = (Point(before.path[0].x, bus.below), *end.path)
            yield Line(starts[-1].id, end.id, path, False, strokes(None, end.step), True, tip)

    def _bus(self, together: Sequence[Link]) -> Bus:
        """Where the lines to a row run."""
        link = together[0]
        tail, head, columns = self.rows[link.tail], self.rows[link.head], self.grid.columns
        lane = list(self._together).index(self._key(link))
        order = list(columns)
        a, b = order.index(tail.clock), order.index(head.clock)
        over = order[a:b] if a < b else order[b : a + 1]
        above = max(self.grid.top[clock] for clock in over) + ABOVE + LANE * lane
        below = self.grid.y[head.id] - self.grid.size[head.id].height / 2 - self.grid.room.get(head.id, 0.0)
        lowest = self.grid.y[head.id] - self.grid.size[head.id].height / 2 <= self.grid.bottom[head.clock]
        below -= (CLOSE if lowest else BELOW) + LANE * self._ordinal(link)
        between = columns[head.clock].left - 12 - LANE * lane
        if 0 < above - below < STRAIGHT:
            below = above
        alike = [key for key, links in self._together.items() if any(other.tail == tail.id for other in links)]
        return Bus(max(above, below), between, below, alike.index(self._key(link)))

    def _ordinal(self, link: Link) -> int:
        """The how-manieth it is of those to a row."""
        return [key for key in self._together if key[0] == link.head].index(self._key(link))

    def _stops(self, row: Row, steps: set[int], bus: Bus, into: bool = False) -> Iterator[Stop]:
        """The boxes of a row that the line touches, from left to right, with the path from them, or ``into`` them."""
        columns, folded = self.grid.columns[row.clock], False
        for step in sorted(steps):
            at = self.grid.at(row, step)
            if at is not None:
                yield Stop(box_id(row, step), step, self._in(row, at, bus) if into else self._out(row, at, bus))
            elif not folded and step in columns.folded:
                folded = True
                at = Point(columns.middle, self.grid.y[row.id])
                path = self._in(row, at, bus, True) if into else self._out(row, at, bus, True)
                yield Stop(f"{row.id}_folded", step, path)

    def _in(self, row: Row, at: Point, bus: Bus, strip: bool = False) -> tuple[Point, ...]:
        size = self.grid.size[row.id]
        x = at.x - (0 if strip else size.width / 2 - 11)
        height = min(size.height, 40.0) if strip else size.height
        return Point(x, bus.below), Point(x, at.y - height / 2)

    def _out(self, row: Row, at: Point, bus: Bus, strip: bool = False) -> tuple[Point, ...]:
        size = self.grid.size[row.id]
        if not any(self._over(row, other) for other in self.network.rows):
            x = at.x + LANE * bus.nth
            return Point(x, at.y + (min(size.height, 40.0) if strip else size.height) / 2), Point(x, bus.above)
        columns = self.grid.columns[row.clock]
        x = columns.strip[1] - 4 if strip else at.x - size.shift + self._reach(row.clock) + 8
        edge = columns.strip[1] - 10 if strip else at.x + size.width / 2
        y = at.y + (0.0 if len(row.parts) > 1 else 6.0)
        return Point(edge, y), Point(x, y), Point(x, bus.above)

    def _over(self, row: Row, other: Row) -> bool:
        return other.clock == row.clock and other.kind != "start" and self.grid.y[other.id] > self.grid.y[row.id]

    def _reach(self, clock: int) -> float:
        """How far boxes, and lines that pass by them, reach to the right of the middle of their column."""
        sizes = [self.grid.size[row.id] for row in self.network.rows if row.clock == clock and row.kind != "start"]
        return max(size.width / 2 + abs(size.shift) for size in sizes) + self.grid.columns[clock].beside
