"""Where everything stands when time goes from left to right and layers from the bottom up."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from minigrad.draw.sheet import Point, text_width

from .bridges import Bridges
from .looks import labels
from .network import Link, Network, Row

GAP = 33.0  # between the boxes of two rows
FIRST, LAST = 3, 2  # steps that are drawn at the ends of a sequence that is too long
STRIP = 150.0  # width of what stands for the steps between
SPACE = 32.0  # between two panels
CIRCLE = 22.0
BRIDGE = 38.0  # beside what stands between two sequences


@dataclass(frozen=True, slots=True)
class Size:
    """Of the boxes of a row; ``shift`` is how far they stand beside the middle of the column."""

    width: float
    height: float
    shift: float = 0.0


@dataclass
class Columns:
    """The columns of one clock: where each step that is drawn stands, and which are folded into a strip."""

    x: dict[int, float] = field(default_factory=dict)
    folded: tuple[int, ...] = ()
    strip: tuple[float, float] = (0.0, 0.0)
    left: float = 0.0  # edges of all that is drawn, with the states before the first step
    right: float = 0.0
    first: float = 0.0  # edges of the panels of the steps
    last: float = 0.0
    panel: float = 0.0  # width of the panels
    beside: float = 0.0  # as much of it, at the right, is for lines that pass by boxes

    @property
    def middle(self) -> float:
        """Of the strip."""
        return sum(self.strip) / 2


def loops_of(network: Network, row: str) -> list[Link]:
    """What a row hands on to itself: the cell first, as it is drawn above, and one step before several."""
    found = [link for link in network.links if link.tail == link.head == row and link.lag]
    return sorted(found, key=lambda link: (abs(link.lag or 0), link.part != "c"))


class Grid:
    """Columns, heights and sizes.

    Args:
        network: what is to be drawn.
        limit: how many steps are drawn in full; longer sequences are folded.
        values: ids of the rows in whose boxes a number is printed.
        loops: whether there must be room at the side of a box for the loops of the folded network.
        strip: the width of the strip.
        room: how much there must be below the boxes of a row, by the id of the row, for the weights.
        margins: how much there must be at the left of the first step, by clock.
        more: how much wider than else the space between two steps is.
    """

    def __init__(
        self,
        network: Network,
        limit: int,
        values: Collection[str] = (),
        loops: bool = False,
        strip: float = STRIP,
        room: Mapping[str, float] | None = None,
        margins: Mapping[int, float] | None = None,
        more: float = 0.0,
    ) -> None:
        self.network, self.limit, self.values, self.loops = network, limit, values, loops
        self.room, self.space = room or {}, SPACE + more
        self.size = {row.id: self._size(row) for row in network.rows}
        self.y: dict[str, float] = {}
        self.columns: dict[int, Columns] = {}
        self.top: dict[int, float] = {}
        self.bottom: dict[int, float] = {}
        starts = {link.tail: link.head for link in network.links if network.row(link.tail).kind == "start"}
        self.bridges = Bridges(network, {id: size.width for id, size in self.size.items()}, BRIDGE)
        self.homes = self._homes()
        self._heights(starts)
        left = 0.0
        for clock in self._clocks():
            left += self.bridges.room(clock)
            self.columns[clock] = self._columns(clock, left, strip, (margins or {}).get(clock, 0.0))
            beside = [self.size[row].width + 14 for row, home in self.homes.items() if home == clock]
            left = self.columns[clock].right + SPACE + 14 + max(beside, default=0.0)

    def _size(self, row: Row) -> Size:
        last = row.steps[-1] if row.steps else None
        lines = labels(row, last)
        if row.title in {"+", "×", "−"} and row.kind == "op":
            return Size(CIRCLE, CIRCLE)
        wide = max(text_width(line, 12) for line in lines) + 16
        number = 34.0 if row.id in self.values else 0.0
        height = 25.0 + 15 * (len(lines) - 1) + (13 if number else 0)
        if self.loops:
            height = max(height, 24.0 * len(loops_of(self.network, row.id)))
        width = max(40.0, wide, number + 10)
        lane = (
            0 if row.kind == "start" else -1 if row.place.endswith(".fwd") else 1 if row.place.endswith(".bwd") else 0
        )
        both = {other.place for other in self.network.rows if other.place[:-3] == row.place[:-3]}
        return Size(width, height, lane * (width / 2 + 1) if len(both) > 1 and lane else 0.0)

    def _heights(self, starts: Mapping[str, str]) -> None:
        """Rows on top of each other, in order; those of different clocks begin at the same height."""
        level: dict[int, float] = {}
        for row in self.network.rows:
            if row.kind == "start" or row.clock < 0:
                continue
            half = self.size[row.id].height / 2
            y = level[row.clock] + half + self.room.get(row.id, 0.0) if row.clock in level else 0.0
            self.y[row.id] = y
            self.bottom.setdefault(row.clock, y - half)
            self.top[row.clock] = y + half
            level[row.clock] = y + half + GAP + self._arcs(row)
        for start, head in starts.items():
            self.y[start] = self.y[head]
        lowest = max(self.top.values(), default=0.0) + 40
        ceilings: dict[int | None, float] = {}
        for row in self.network.rows:
            if row.id in self.bridges:
                bridge = self.bridges[row.id]
                self.y[row.id] = self.y[bridge.cell] + (self.size[row.id].height + 8) * bridge.rise
            elif row.clock < 0:
                home = self.homes.get(row.id)
                highest = ceilings.get(home, lowest) if home is not None else max(ceilings.values(), default=lowest)
                self.y[row.id] = highest
                ceilings[home] = highest + self.size[row.id].height + GAP

    def _homes(self) -> dict[str, int]:
        """For what is outside of time, and made of one of several sequences, which one it is."""
        clocks, found = set(self._clocks()), {}
        rows = {row.id: row for row in self.network.rows}
        for row in self.network.rows:
            tails = {rows[link.tail].clock for link in self.network.links if link.head == row.id}
            if row.id not in self.bridges and row.clock < 0 and len(tails) == 1 and len(clocks) > 1 and tails <= clocks:
                found[row.id] = tails.pop()
        return found

    def _arcs(self, row: Row) -> float:
        """Room above a row for arrows that jump over steps."""
        lags = [abs(link.lag or 0) for link in self.network.links if link.tail == link.head == row.id]
        longest = max(lags, default=0)
        return 6.0 * longest if longest > 1 else 0.0

    def _clocks(self) -> list[int]:
        """The clocks from left to right: what starts another one comes before it."""
        clocks = list(dict.fromkeys(row.clock for row in self.network.rows if row.clock >= 0))
        return sorted(clocks)

    def _columns(self, clock: int, left: float, strip: float, margin: float) -> Columns:
        rows = [row for row in self.network.rows if row.clock == clock]
        drawn = [row for row in rows if row.kind != "start"]
        sizes = [self.size[row.id] for row in drawn]
        beside = 14.0 * max(self.detours(clock).values(), default=0)
        panel = max(max(s.width + 2 * abs(s.shift) for s in sizes) + 24, 56.0) + beside
        steps = sorted({step for row in drawn for step in row.steps})
        folded = tuple(steps[FIRST:-LAST]) if len(steps) > self.limit else ()
        columns = Columns(folded=folded, left=left, panel=panel, beside=beside)
        starts = [(row.steps[0], self.size[row.id].width) for row in rows if row.kind == "start"]
        for step, width in starts:
            if step < steps[0]:
                columns.x[step] = left + width / 2
                columns.first = max(columns.first, left + width + self.space)
        edge = max(columns.first, left)
        first = columns.first = max(edge, left + margin)
        columns.x = {step: x + first - edge for step, x in columns.x.items()}
        edge = first
        for step in steps:
            if folded and step == folded[0]:
                columns.strip = (edge, edge + strip)
                edge += strip + self.space
            elif not folded or step < folded[0] or step > folded[-1]:
                columns.x[step] = edge + (panel - beside) / 2
                edge += panel + self.space
        columns.last = columns.right = edge - self.space
        for step, width in starts:
            if step > steps[-1]:
                columns.x[step] = columns.last + self.space + width / 2
                columns.right = max(columns.right, columns.last + self.space + width)
        return columns

    def detours(self, clock: int) -> dict[tuple[str, str], int]:
        """Pairs of rows, not neighbours, linked at the same step: lines between them run beside what is between.

        The number is that of the lane, from 1: ranges that overlap have lanes of their own.
        """
        order = [row.id for row in self.network.rows if row.clock == clock and row.kind != "start"]
        found: dict[tuple[int, int], None] = {}
        for link in self.network.links:
            if link.lag == 0 and link.tail in order and link.head in order:
                a, b = order.index(link.tail), order.index(link.head)
                if any(not self._clear(link.tail, link.head, other) for other in order[a + 1 : b]):
                    found[a, b] = None
        lanes: dict[tuple[str, str], int] = {}
        ends: list[int] = []  # of each lane, where the last range in it ends
        for a, b in sorted(found):
            lane = next((k for k, end in enumerate(ends) if end <= a), len(ends))
            ends[lane : lane + 1] = [b]
            lanes[order[a], order[b]] = lane + 1
        return lanes

    def _clear(self, tail: str, head: str, other: str) -> bool:
        """Whether a straight line from box to box passes beside another one."""
        a, b, c = self.size[tail], self.size[head], self.size[other]
        if not self.y or (a.shift == b.shift == c.shift):
            return False
        share = (self.y[other] - self.y[tail]) / (self.y[head] - self.y[tail])
        middle = a.shift + (b.shift - a.shift) * share
        slope = abs((b.shift - a.shift) / (self.y[head] - self.y[tail])) * c.height / 2
        return abs(middle - c.shift) - slope > c.width / 2

    def at(self, row: Row, step: int | None) -> Point | None:
        """The middle of a box; ``None`` if its step is folded."""
        if row.id in self.bridges:
            left = self.columns[self.bridges.clocks[row.id]].left
            return Point(self.bridges.x(row.id, left - BRIDGE), self.y[row.id])
        if row.clock < 0 or step is None:
            home = self.homes.get(row.id)
            right = max((columns.last for clock, columns in self.columns.items() if home in {None, clock}), default=0.0)
            return Point(right + SPACE + self.size[row.id].width / 2, self.y[row.id])
        x = self.columns[row.clock].x.get(step)
        return None if x is None else Point(x + self.size[row.id].shift, self.y[row.id])

    def boxes(self, row: Row) -> Iterator[tuple[int | None, Point]]:
        """The steps of a row that are drawn, and where."""
        for step in row.steps or (None,):
            at = self.at(row, step)
            if at is not None:
                yield step, at
