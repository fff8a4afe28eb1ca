"""The folded network: a box for each row, an arrow for each link, and ■ where an arrow takes a step of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from minigrad.draw.ops import cut
from minigrad.draw.sheet import Line, Point, Shape, Sheet, text_width
from minigrad.draw.style import OUTSIDE, PALETTE

from .crossing import Crossings
from .cuts import severed
from .grid import CIRCLE, GAP, Grid, loops_of
from .legend import legend
from .looks import ROLES, Looks, labels
from .names import aligned, short_place
from .network import Link, Network, Row

REACH = 46.0  # how far a loop goes to the side


class _Turn(NamedTuple):
    """Of a loop: how high it leaves and arrives, how far to the right it turns, and how high its mark is there."""

    top: float
    low: float
    far: float
    mark: float


def folded(network: Network, looks: Looks, with_legend: bool = True) -> Sheet:
    """The sheet of a folded network: the ids of its boxes are those of the rows."""
    return _Folded(network, looks).sheet(with_legend)


class _Folded:
    def __init__(self, network: Network, looks: Looks) -> None:
        self.network, self.looks = network, looks
        self.rows = {row.id: row for row in network.rows if row.kind != "start"}
        self.grid = Grid(network, 1, loops=True)
        self.detours = {clock: self.grid.detours(clock) for clock in self.grid.columns}
        self.places = [row.place for row in network.rows]
        lanes = {clock: max(pairs.values(), default=0) for clock, pairs in self.detours.items()}
        self.crossings = Crossings(network, self.grid, lanes)
        self.left: dict[int, float] = {}
        x = 0.0
        for clock in self.grid.columns:
            before, after = self._beside(clock)
            self.left[clock] = x + (before + 46 if self.left else 0.0)
            x = self.left[clock] + after

    def _beside(self, clock: int) -> tuple[float, float]:
        """How much room the columns of a clock need at the left and at the right of their middle."""
        mine = [row for row in self.rows.values() if row.clock == clock]
        half = max(self.grid.size[row.id].width / 2 + abs(self.grid.size[row.id].shift) for row in mine)
        lanes = 14 * max(self.detours[clock].values(), default=0)
        names = max(text_width(short_place(row.place, self.places), 10) for row in mine) + 10
        texts = [
            text_width(self._words(link), 10) + REACH + 24
            for link in self.network.links
            if link.lag and link.tail in self.rows and self.rows[link.tail].clock == clock
        ]
        after = half + max(texts, default=0.0)
        if self.crossings.names_beside(clock):
            return half + self.crossings.room(clock), after + self.crossings.names_width(clock)
        return half + lanes + names, after

    def at(self, row: Row) -> Point:
        """The middle of a box; what is outside of time stands above what leads to it."""
        if (bridge := self.grid.bridges.get(row.id)) is not None:
            return self.crossings.bridge(row, self._edge(self.rows[bridge.cell]))
        if row.clock < 0:
            tails = [
                self.left[self.rows[link.tail].clock]
                for link in self.network.links
                if link.head == row.id and link.tail in self.rows and self.rows[link.tail].clock >= 0
            ]
            return Point(sum(tails) / len(tails) if tails else 0.0, self.grid.y[row.id])
        return Point(self.left[row.clock] + self.grid.size[row.id].shift, self.grid.y[row.id])

    def sheet(self, with_legend: bool) -> Sheet:
        shapes = [*self._names(), *[self._box(row) for row in self.rows.values()]]
        lines: list[Line] = []
        for link in self.network.links:
            if link.tail in self.rows and link.head in self.rows:
                more, texts = self._arrow(link)
                lines += more
                shapes += texts
        if with_legend:
            right = max(shape.at.x + shape.width / 2 for shape in shapes)
            ys = [shape.at.y for shape in shapes]
            more_shapes, swatches = legend(self.looks, self.rows, Point(right + 30, (max(ys) + min(ys)) / 2))
            shapes, lines = [*shapes, *more_shapes], [*lines, *swatches]
        return Sheet(tuple(shapes), tuple(lines))

    def _names(self) -> Iterator[Shape]:
        for row in self.rows.values():
            if self.crossings.names_beside(row.clock):
                yield from self._name_beside(row)
                continue
            name = short_place(row.place, self.places) if row.id not in self.grid.bridges else ""
            size = self.grid.size[row.id]
            if name and size.width != CIRCLE:
                width = text_width(name, 10) + 8
                lanes = 14 * max(self.detours.get(row.clock, {}).values(), default=0)
                edge = self.at(row).x - size.shift - self._half(row.clock) - lanes
                edge -= 34 if self.left.get(row.clock, 0.0) else 0  # where the state of another loop comes in
                at = Point(edge - 10 - width / 2, self.at(row).y)
                yield Shape(f"{row.id}_name", at, width, 14, (name,), size=10, colour=OUTSIDE, align="r")

    def _name_beside(self, row: Row) -> Iterator[Shape]:
        """The name of a row at the right of all boxes and loops of its sequence."""
        name = short_place(row.place, self.places)
        if name and self.grid.size[row.id].width != CIRCLE:
            after = self._beside(row.clock)[1] - self.crossings.names_width(row.clock)
            yield aligned(f"{row.id}_name", Point(self.left[row.clock] + after + 10, self.at(row).y), name, 10, "l")

    def _edge(self, row: Row) -> float:
        """Where the boxes of the sequence of a row begin."""
        row = self.rows[self.grid.bridges[row.id].cell] if row.id in self.grid.bridges else row
        return self.left[row.clock] - self._half(row.clock)

    def _half(self, clock: int) -> float:
        sizes = [self.grid.size[row.id] for row in self.rows.values() if row.clock == clock]
        return max(size.width / 2 + abs(size.shift) for size in sizes)

    def _box(self, row: Row) -> Shape:
        size, (fill, stroke) = self.grid.size[row.id], PALETTE[ROLES[row.kind]]
        style = "circle" if size.width == CIRCLE else "rounded"
        lines = labels(row, None, "ₜ" if row.steps else "")
        steps = f"{len(row.steps)} steps" if len(row.steps) > 1 else ""
        tip = "\n".join(filter(None, [row.place, str(row.shape), steps]))
        return Shape(row.id, self.at(row), size.width, size.height, lines, fill, stroke, style, tooltip=tip)

    def _arrow(self, link: Link) -> tuple[list[Line], list[Shape]]:
        tail, head = self.rows[link.tail], self.rows[link.head]
        stroke, tip = self.looks.of(link), self.looks.tooltip(link)
        ids = link.tail, link.head
        start, end = self.at(tail), self.at(head)
        size, goal = self.grid.size[tail.id], self.grid.size[head.id]
        if link.lag:
            return self._loop(link)
        lane = self.detours.get(tail.clock, {}).get(ids)
        if lane is not None:
            x = start.x - size.shift - self._half(tail.clock) - 14 * lane + 4
            beside = (
                Point(start.x - size.width / 2, start.y),
                Point(x, start.y),
                Point(x, end.y),
                Point(end.x - goal.width / 2, end.y),
            )
            return [Line(*ids, beside, False, stroke, True, tip)], []
        if (tail.clock != head.clock and tail.clock >= 0 and head.clock >= 0) or {*ids} & {*self.grid.bridges}:
            line = Line(*ids, self.crossings.path(link, self.at, self._edge(head)), False, stroke, True, tip)
            return _severed(line, link.part in {"", "c"} or len(tail.parts) < 2) if link.cuts else ([line], [])
        return [Line(*ids, (), False, stroke, True, tip)], []

    def _words(self, link: Link) -> str:
        """What is written at a loop."""
        weights = [self.network.weights[w] for w in link.weights]
        matrix = next((w.short for w in weights if len(w.shape) > 1), weights[0].short if weights else "")
        several = len(loops_of(self.network, link.tail)) > 1
        steps = abs(link.lag or 1)
        words = [link.part if several else "", f"{steps} step{'s' * (steps > 1)}", matrix]
        return "  ".join(filter(None, map(cut, words)))

    def _turn(self, tail: Row, head: Row) -> _Turn:
        """How a loop from a row to another one runs: past the loops of both, and what is between."""
        y, sizes = self.grid.y, self.grid.size
        looped = {link.tail for link in self.network.links if link.tail == link.head}
        side = 1 if y[tail.id] > y[head.id] else -1
        top, low = (
            y[row.id] - way * (sizes[row.id].height / 2 - 3 if row.id in looped else 0.0)
            for row, way in ((tail, side), (head, -side))
        )
        ends = sorted((y[tail.id], y[head.id]))
        between = [row for row in self.rows.values() if row.clock == tail.clock and ends[0] < y[row.id] < ends[1]]
        widest = max(sizes[row.id].width / 2 + abs(sizes[row.id].shift) for row in (tail, head, *between))
        inside = not between or any(row.id in looped for row in between)  # of their loops, whose words are outside
        gap = y[tail.id] - side * (sizes[tail.id].height + GAP) / 2
        reach = widest + (REACH / 2 if inside else REACH)
        return _Turn(top, low, self.left[tail.clock] + reach, gap if between else (top + low) / 2)

    def _loop(self, link: Link) -> tuple[list[Line], list[Shape]]:
        """A loop at the right of a box, with the mark of a delay and the number of steps."""
        tail, head = self.rows[link.tail], self.rows[link.head]
        stroke, tip = self.looks.of(link), self.looks.tooltip(link)
        loops = loops_of(self.network, link.tail)
        k = loops.index(link) if link in loops else 0
        start, end = self.at(tail), self.at(head)
        half, goal = self.grid.size[tail.id].width / 2, self.grid.size[head.id].width / 2
        middle = start.y + (max(len(loops), 1) - 1) * 11.5 - 23 * k
        edge, far = start.x + half, max(start.x, end.x) + half + REACH
        top, low, far, y = _Turn(middle + 4.5, middle - 4.5, far, middle)
        id = f"{link.tail}_delay{k}", f"{link.tail}_step{k}"
        if link.tail != link.head:
            top, low, far, y = self._turn(tail, head)
            id = f"{link.tail}_{link.head}_delay", f"{link.tail}_{link.head}_step"
        path = (
            Point(edge, top),
            Point(edge + 18, top + 6),
            Point(far, top + 4),
            Point(far, y),
            Point(far, low - 4),
            Point(edge + 18, low - 6),
            Point(end.x + goal, low),
        )
        words = self._words(link)
        width = text_width(words, 10) + 10
        at = Point(far + 8 + width / 2, y)
        colour, delay = stroke.colour, f"a delay: {words}"
        mark = Shape(id[0], Point(far, y), 7, 7, (), colour, colour, "square", border=0, tooltip=delay)
        text = Shape(id[1], at, width, 13, (words,), size=10, colour=colour, align="l")
        return [Line(link.tail, link.head, path, True, stroke, True, tip)], [mark, text]


def _severed(line: Line, told: bool) -> tuple[list[Line], list[Shape]]:
    """A line with corners, cut in its third piece from the end."""
    (first, second, *bars), word = severed(replace(line, path=line.path[:3], arrow=False), f"{line.tail}_{line.head}")
    return [first, replace(second, path=(*second.path, *line.path[3:]), arrow=True), *bars], [word] * told
