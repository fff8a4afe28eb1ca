"""Where the arrows of the folded network run from one sequence to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from minigrad.draw.sheet import Point, text_width

from .grid import Grid
from .names import short_place
from .network import Link, Network, Row

ABOVE, BELOW = 15.0, 14.0  # above the boxes that arrows come from, below those that they lead to
LANE = 7.0
CHANNEL = 26.0  # left of the boxes, where the states of other sequences come in


class Crossings:
    """The lanes between the boxes of one sequence and those of the next.

    Where more comes in than states, that is, where a decoder attends or a bridge stands before it, the names of the
    rows are at the right of the boxes, out of the way.

    Args:
        network: the network.
        grid: the heights of its boxes.
        lanes: how many lines pass by boxes of a sequence, by clock.
    """

    def __init__(self, network: Network, grid: Grid, lanes: Mapping[int, int]) -> None:
        self.network, self.grid, self.lanes = network, grid, lanes
        self.rows = {row.id: row for row in network.rows}
        self.spread: dict[int, list[tuple[object, ...]]] = {}  # what is spread over the steps of a clock, one by one
        for link in network.links:
            if link.spread:
                some = self.spread.setdefault(self.rows[link.head].clock, [])
                if self._key(link) not in some:
                    some.append(self._key(link))

    def names_beside(self, clock: int) -> bool:
        """Whether the names are at the right."""
        return clock in self.spread or clock in self.grid.bridges.clocks.values()

    def names_width(self, clock: int) -> float:
        """How wide the names of the rows of a clock are."""
        places = [row.place for row in self.network.rows]
        mine = [row.place for row in self.network.rows if row.clock == clock and row.kind != "start"]
        return max(text_width(short_place(place, places), 10) for place in mine) + 18

    def room(self, clock: int) -> float:
        """How much room there must be at the left of the boxes of a clock whose names are at the right."""
        return self._lanes_of(clock) + LANE * len(self.spread.get(clock, ())) + self.grid.bridges.room(clock)

    def _lanes_of(self, clock: int) -> float:
        return 14.0 * self.lanes.get(clock, 0) + CHANNEL + 10

    def bridge(self, row: Row, left: float) -> Point:
        """The middle of a bridge; ``left`` is where the boxes that it leads to begin."""
        clock = self.grid.bridges.clocks[row.id]
        edge = left - self._lanes_of(clock) - LANE * len(self.spread.get(clock, ()))
        return Point(self.grid.bridges.x(row.id, edge), self.grid.y[row.id])

    def path(self, link: Link, at: Callable[[Row], Point], left: float) -> tuple[Point, ...]:
        """Where an arrow runs; ``left`` is where the boxes of the sequence that it leads to begin."""
        tail, head = self.rows[link.tail], self.rows[link.head]
        start, end, size, goal = at(tail), at(head), self.grid.size[tail.id], self.grid.size[head.id]
        if tail.id in self.grid.bridges:
            rise = 10 * self.grid.bridges[tail.id].rise
            to = Point(end.x - goal.width / 2, end.y + (rise if head.kind == "state" else 0.0))
            return Point(start.x + size.width / 2, start.y), to
        k = self._part(tail, link.part)
        if link.spread:
            out, lane = Point(start.x, start.y + size.height / 2), self.spread[head.clock].index(self._key(link))
            above, x = out.y + ABOVE - 5 + 5 * lane, left - self._lanes_of(head.clock) - LANE * lane
            into = Point(end.x - goal.width / 2 + 11, end.y - goal.height / 2)
            below = into.y - BELOW
            return out, Point(out.x, above), Point(x, above), Point(x, below), Point(into.x, below), into
        out = Point(start.x + 8 + LANE * k, start.y + size.height / 2)
        above, y = out.y + 22 - LANE * k, end.y + 5 - 10 * k
        x = end.x - goal.width / 2 - CHANNEL - 14.0 * self.lanes.get(head.clock, 0) + LANE * k
        if (bridge := self.grid.bridges.get(head.id)) is not None:
            above, x, y = out.y + 22 - LANE * bridge.nth, end.x - goal.width / 2 - 18 + 6 * bridge.nth, end.y
        return out, Point(out.x, above), Point(x, above), Point(x, y), Point(end.x - goal.width / 2, y)

    def _key(self, link: Link) -> tuple[object, ...]:
        return link.head, self.rows[link.tail].clock, link.weights

    def _part(self, tail: Row, part: str) -> int:
        parts = sorted(tail.parts or ("",), key=lambda name: name != "c")
        return parts.index(part) if part in tail.parts else 0
