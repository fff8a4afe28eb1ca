"""Where the arrows of the unrolled network run."""

from __future__ import annotations

from minigrad.draw.sheet import Point

from .grid import Grid
from .handing import Handing
from .network import Link, Network, Row

Path = tuple[Point, ...]


class Paths:
    """The ways between boxes: straight, beside what is between, in arcs over steps, or up to what is outside of time.

    Args:
        network: the network.
        grid: where its boxes are.
    """

    def __init__(self, network: Network, grid: Grid) -> None:
        self.network, self.grid = network, grid
        self.handing = Handing(network, grid)
        self.detours = {pair: k for clock in grid.columns for pair, k in grid.detours(clock).items()}

    def path(
        self, link: Link, row: Row, other: Row, start: Point, end: Point, folded: bool = False
    ) -> tuple[Path, bool]:
        """Where an arrow runs, ``()`` for straight from box to box (or strip), and whether it is curved."""
        size, goal = self.grid.size[row.id], self.grid.size[other.id]
        if other.clock < 0 and row.clock >= 0 and other.id not in self.grid.bridges:
            return self._to_whole(row, start, other, end), False
        if (link.tail, link.head) in self.detours:
            lane = self.detours[link.tail, link.head]
            leave, arrive = start.x + size.width / 2, end.x + goal.width / 2
            x = start.x - size.shift + self._reach(row.clock) + 14 * lane - 4
            if folded:
                leave = arrive = self._edges(row)[1]
                x = leave + 10 * lane / (max(self.detours.values()) + 1)
            return (Point(leave, start.y + 6), Point(x, start.y + 6), Point(x, end.y), Point(arrive, end.y)), False
        if link.lag and abs(link.lag) > 1:
            return self._arc(link.lag, start, end, size.height / 2), True
        if link.lag or (row.clock != other.clock and end.x > start.x):
            arrives = self.line_of(other, link.part)
            leaves = arrives if row.kind == "start" else self.line_of(row, link.part)
            if not link.lag:
                if (bridge := self.grid.bridges.get(row.id)) is not None:
                    arrives = 10 * bridge.rise
                return self.handing.path(link, row, other, start, end, (leaves, arrives)), False
            side = 1 if end.x > start.x else -1
            if self._passes(row, other):
                x = self._before(other, end.x, side)
                return (
                    Point(start.x + side * size.width / 2, start.y), Point(x, start.y), Point(x, end.y + arrives),
                    Point(end.x - side * goal.width / 2, end.y + arrives),
                ), False  # fmt: skip
            return (
                Point(start.x + side * size.width / 2, start.y + leaves),
                Point(end.x - side * goal.width / 2, end.y + arrives),
            ), False
        return (), False

    def _before(self, row: Row, x: float, side: int) -> float:
        """The middle of the space before the panel of a column."""
        columns = self.grid.columns[row.clock]
        half = (columns.panel - columns.beside) / 2
        return x - side * (half + (columns.beside if side < 0 else 0.0) + self.grid.space / 2)

    def _passes(self, row: Row, other: Row) -> bool:
        """Whether there are rows between two of the same sequence."""
        low, high = sorted((self.grid.y[row.id], self.grid.y[other.id]))
        between = (r for r in self.network.rows if r.clock == row.clock == other.clock and r.kind != "start")
        return any(low < self.grid.y[r.id] < high for r in between)

    def into_strip(self, link: Link, row: Row, other: Row, start: Point) -> Path:
        """From a step beside the strip to the strip."""
        left, right = self._edges(row)
        side = 1 if start.x < left else -1
        return (
            Point(start.x + side * self.grid.size[row.id].width / 2, start.y + self.line_of(row, link.part)),
            Point(left if side > 0 else right, self.grid.y[other.id] + self.line_of(other, link.part)),
        )

    def out_of_strip(self, link: Link, row: Row, other: Row, end: Point) -> Path:
        """From the strip to the first step behind it."""
        left, right = self._edges(row)
        side = 1 if end.x > left else -1
        return (
            Point(right if side > 0 else left, self.grid.y[row.id] + self.line_of(row, link.part)),
            Point(end.x - side * self.grid.size[other.id].width / 2, end.y + self.line_of(other, link.part)),
        )

    def _edges(self, row: Row) -> tuple[float, float]:
        left, right = self.grid.columns[row.clock].strip
        return left + 10, right - 10

    def _reach(self, clock: int) -> float:
        """How far boxes reach to the right of the middle of their column."""
        sizes = [self.grid.size[row.id] for row in self.network.rows if row.clock == clock and row.kind != "start"]
        return max(size.width / 2 + abs(size.shift) for size in sizes)

    def line_of(self, row: Row, part: str) -> float:
        """How far above the middle of its box the name of a part stands, where its arrows come and go."""
        parts = sorted(row.parts or ("h",), key=lambda name: name != "c")
        if len(parts) < 2 or part not in parts:
            return 0.0
        above = 7.5 * (len(parts) - 1) + (6.5 if row.id in self.grid.values else 0)
        return above - 15 * parts.index(part)

    def _arc(self, lag: int, start: Point, end: Point, half: float) -> Path:
        rise, side = 16 + 9 * abs(lag), 1 if lag > 0 else -1
        reach = (end.x - start.x) * 0.22
        return (
            Point(start.x + side * 9, start.y + half),
            Point(start.x + side * 9 + reach, start.y + half + rise),
            Point(end.x - side * 9 - reach, end.y + half + rise),
            Point(end.x - side * 9, end.y + half),
        )

    def _to_whole(self, row: Row, start: Point, other: Row, end: Point) -> Path:
        """From all steps up to a common line, and along it to what is outside of time."""
        size = self.grid.size[row.id]
        goal = Point(end.x - self.grid.size[other.id].width / 2, end.y)
        above = [
            r for r in self.network.rows if r.clock == row.clock and self.grid.y[r.id] > start.y and len(r.steps) > 1
        ]
        if not above:
            return Point(start.x, start.y + size.height / 2), Point(start.x, end.y), goal
        x = start.x - size.shift + self._reach(row.clock) + 9
        return Point(start.x + size.width / 2, start.y), Point(x, start.y), Point(x, end.y), goal
