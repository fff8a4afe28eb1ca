"""Where the arrows run by which one sequence hands its last state to another."""

from __future__ import annotations

from minigrad.draw.sheet import Point

from .grid import Grid
from .network import Link, Network, Row

LANE = 6.0  # between two of them
CLOSE = 24.0  # heights that differ by less are one


class Handing:
    """The ways from the last step of a cell to the first of another one, or to what stands between the two.

    Args:
        network: the network.
        grid: where its boxes are.
    """

    def __init__(self, network: Network, grid: Grid) -> None:
        self.network, self.grid = network, grid

    def path(
        self, link: Link, row: Row, other: Row, start: Point, end: Point, heights: tuple[float, float]
    ) -> tuple[Point, ...]:
        """Where an arrow runs, which leaves and arrives so far above the middles of its boxes."""
        size, goal = self.grid.size[row.id], self.grid.size[other.id]
        leaves, arrives = heights
        arrival = Point(end.x - goal.width / 2, end.y + arrives)
        bridge = self.grid.bridges.get(other.id)
        lane = bridge.nth if bridge is not None else self._lane(row, link.part)
        if row.clock >= 0 and any(at.x > start.x for _, at in self.grid.boxes(row)):
            x = start.x + size.width / 2 - 9 - LANE * lane
            y = start.y - size.height / 2 - 9 - LANE * lane
            between = self._between(row, lane, y < arrival.y)
            return (
                Point(x, start.y - size.height / 2), Point(x, y), Point(between, y), Point(between, arrival.y), arrival
            )  # fmt: skip
        exit = Point(start.x + size.width / 2, start.y + leaves)
        if row.clock < 0 or abs(exit.y - arrival.y) < CLOSE:
            return exit, arrival
        between = self._between(row, lane, exit.y < arrival.y)
        return exit, Point(between, exit.y), Point(between, arrival.y), arrival

    def _between(self, row: Row, lane: int, rises: bool) -> float:
        """Where lines go up or down between the sequences: the uppermost last if they go down."""
        return self.grid.columns[row.clock].right + 12 + LANE * (lane if rises else 2 - lane)

    def _lane(self, row: Row, part: str) -> int:
        """The uppermost part of a state comes first."""
        parts = sorted(row.parts, key=lambda name: name != "c")
        return parts.index(part) if part in parts else 0
