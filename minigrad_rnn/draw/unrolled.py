"""The unrolled network: time from left to right, layers from the bottom up, a box for each cell at each step."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from minigrad.draw.colours import shade
from minigrad.draw.ops import cut
from minigrad.draw.sheet import Line, Point, Shape, Sheet, Stroke, text_width
from minigrad.draw.style import INK, OUTSIDE, PALETTE, PANEL_FILL, PANEL_STROKE

from .grid import CIRCLE, Grid
from .looks import ROLES, Looks, labels
from .network import Link, Network, Row
from .shades import RELATIVE, scale, stripes, told

Values = Mapping[str, Mapping[int, float]]  # of each row, of each step


def unrolled(
    network: Network,
    looks: Looks,
    limit: int = 12,
    values: Values | None = None,
    names: bool = True,
    loops: bool = False,
) -> Sheet:
    """The sheet of an unrolled network.

    Args:
        network: the network.
        looks: the strokes of its links.
        limit: how many steps are drawn in full; of a longer sequence, the first three and the last two, and between
            them a strip.
        values: a number for each step of some rows, by the id of the row: it is printed, and gives the colour.
        names: whether to write at the left where in the model the rows are.
        loops: whether boxes are as high as in the folded network, beside which it is drawn.
    """
    return _Unrolled(network, looks, Grid(network, limit, bool(values), loops), values or {}).sheet(names)


class _Unrolled:
    def __init__(self, network: Network, looks: Looks, grid: Grid, values: Values) -> None:
        self.network, self.looks, self.grid, self.values = network, looks, grid, values
        self.rows = {row.id: row for row in network.rows}
        self.detours = {pair: k for clock in self.grid.columns for pair, k in self.grid.detours(clock).items()}

    def sheet(self, names: bool = True) -> Sheet:
        shapes = [*self._panels(), *(self._row_names() if names else ())]
        for row in self.network.rows:
            shapes += self._strip(row)
            shapes += [self._box(row, step, at) for step, at in self.grid.boxes(row)]
        lines = [line for link in self.network.links for line in self._arrows(link)]
        right = max(shape.at.x + shape.width / 2 for shape in shapes)
        top, bottom = max(self.grid.top.values()), min(self.grid.bottom.values())
        if self.values:
            shapes += scale(Point(min(columns.first for columns in self.grid.columns.values()), bottom - 66), RELATIVE)
        more, swatches = legend(self.looks, self.rows, Point(right + 30, (top + bottom) / 2))
        return Sheet((*shapes, *self._first_names(), *more), (*lines, *swatches))

    # ---- shapes ---------------------------------------------------------------------------------------------

    def _panels(self) -> Iterator[Shape]:
        """What is behind each step."""
        for clock, columns in self.grid.columns.items():
            top, bottom = self.grid.top[clock] + 14, self.grid.bottom[clock] - 34
            height, y = top - bottom, (top + bottom) / 2
            steps = set(self.network.steps(clock)) - {
                s for r in self.network.rows if r.kind == "start" for s in r.steps
            }
            for step, x in columns.x.items():
                if step in steps:
                    yield Shape(
                        f"panel{clock}_{_plain(step)}",
                        Point(x + columns.beside / 2, y),
                        columns.panel,
                        height,
                        (),
                        PANEL_FILL,
                        PANEL_STROKE,
                        border=1,
                    )
                    yield _text(
                        f"t{clock}_{_plain(step)}", Point(x + columns.beside / 2, bottom + 12), f"t = {step}", 11
                    )
            if columns.folded:
                width = columns.strip[1] - columns.strip[0]
                yield Shape(
                    f"panel{clock}_folded",
                    Point(columns.middle, y),
                    width,
                    height,
                    (),
                    PANEL_FILL,
                    PANEL_STROKE,
                    border=1,
                )
                first, last = columns.folded[0], columns.folded[-1]
                told = f"t = {first} … {last}"
                yield _text(f"t{clock}_folded", Point(columns.middle, bottom + 12), told, 11)

    def _row_names(self) -> Iterator[Shape]:
        """At the left, where in the model each row is; below, if there are several loops over time."""
        places = [row.place for row in self.network.rows]
        if len(self.grid.columns) > 1:
            yield from self._captions(places)
            return
        (columns,) = self.grid.columns.values()
        for row in self.network.rows:
            name = short_place(row.place, places)
            if name and row.kind != "start" and self.grid.size[row.id].width != CIRCLE:
                width = text_width(name, 10) + 8
                at = Point(columns.left - 10 - width / 2, self.grid.y[row.id])
                yield Shape(f"{row.id}_name", at, width, 14, (name,), size=10, colour=OUTSIDE, align="r")

    def _captions(self, places: list[str]) -> Iterator[Shape]:
        for clock, columns in self.grid.columns.items():
            names = [short_place(row.place, places) for row in self.network.rows if row.clock == clock and row.parts]
            name = ".".join(_shared([name.split(".") for name in names]))
            if name:
                width = text_width(name, 11) + 8
                at = Point(columns.first + width / 2, self.grid.bottom[clock] - 46)
                yield Shape(f"caption{clock}", at, width, 14, (name,), size=11, colour=OUTSIDE, align="l")

    def _box(self, row: Row, step: int | None, at: Point) -> Shape:
        size, (fill, stroke) = self.grid.size[row.id], PALETTE[ROLES[row.kind]]
        if row.kind == "start" and row.title == "parameter":
            fill, stroke = PALETTE["parameter"]
        colour, lines = INK, labels(row, step)
        value = self.values.get(row.id, {}).get(step) if step is not None else None
        if row.id in self.values:
            shaded = shade(value)
            fill, colour, stroke = shaded.fill, shaded.text, shaded.stroke
            lines = (*lines, told(value))
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

    def _strip(self, row: Row) -> Iterator[Shape]:
        """The steps of a row that are folded."""
        if row.clock < 0 or not (columns := self.grid.columns[row.clock]).folded or len(row.steps) <= 1:
            return
        size, y = self.grid.size[row.id], self.grid.y[row.id]
        left, right = columns.strip[0] + 10, columns.strip[1] - 10
        fill, stroke = PALETTE[ROLES[row.kind]]
        height = min(size.height, 40.0)
        count = len(columns.folded)
        tip = f"{row.place or row.title}: {count} steps, t={columns.folded[0]} to {columns.folded[-1]}"
        known = self.values.get(row.id)
        dots = () if known else ("⋯",)
        yield Shape(
            f"{row.id}_folded",
            Point((left + right) / 2, y),
            right - left,
            height,
            dots,
            "#FFFFFF" if known else fill,
            stroke,
            tooltip=tip,
        )
        if known:
            yield from stripes(row.id, known, columns.folded, (left + 2, right - 2), y, height - 6)

    # ---- lines ----------------------------------------------------------------------------------------------

    def _arrows(self, link: Link) -> Iterator[Line]:
        """The arrows of a link that are drawn; one in the middle of the strip for all that are folded there."""
        tail, head = self.rows[link.tail], self.rows[link.head]
        stroke, tip = self.looks.of(link), self.looks.tooltip(link)
        if self.values and link.lag:
            tip = tip or "carried on"
        folded = False
        for a, b in link.pairs:
            start, end = self.grid.at(tail, a), self.grid.at(head, b)
            if start is not None and end is not None:
                yield self._arrow(link, (tail, a, start), (head, b, end), stroke, tip)
            elif link.lag and abs(link.lag) == 1:
                yield from self._to_strip(link, (tail, start, a), (head, end, b), stroke, tip)
            elif not link.lag and start is None and (b is None or end is None) and not folded:
                folded = True
                columns = self.grid.columns[tail.clock]
                middle = Point(columns.middle, self.grid.y[tail.id])
                yield self._arrow(
                    link,
                    (tail, a, middle),
                    (head, b, end or Point(columns.middle, self.grid.y[head.id])),
                    stroke,
                    tip,
                    True,
                )

    def _arrow(
        self,
        link: Link,
        tail: tuple[Row, int | None, Point],
        head: tuple[Row, int | None, Point],
        stroke: Stroke,
        tip: str,
        folded: bool = False,
    ) -> Line:
        (row, a, start), (other, b, end) = tail, head
        ids = (
            f"{row.id}_folded" if folded else box_id(row, a),
            f"{other.id}_folded" if folded and b is not None else box_id(other, b),
        )
        path, curved = self._path(link, row, other, start, end)
        last = not (other.clock < 0 and row.steps and a != self._last(row) and len(row.steps) > 1)
        return Line(*ids, path, curved, stroke, last, tip)

    def _last(self, row: Row) -> int:
        return row.steps[-1]

    def _path(self, link: Link, row: Row, other: Row, start: Point, end: Point) -> tuple[tuple[Point, ...], bool]:
        """Where an arrow runs; ``()`` for straight from box to box."""
        size, goal = self.grid.size[row.id], self.grid.size[other.id]
        if other.clock < 0 and row.clock >= 0:
            return self._to_whole(row, start, other, end), False
        if (link.tail, link.head) in self.detours:
            x = start.x - size.shift + self._reach(row.clock) + 14 * self.detours[link.tail, link.head] - 4
            return (
                Point(start.x + size.width / 2, start.y + 6),
                Point(x, start.y + 6),
                Point(x, end.y),
                Point(end.x + goal.width / 2, end.y),
            ), False
        if link.lag and abs(link.lag) > 1:
            return self._arc(link.lag, start, end, size.height / 2), True
        if link.lag or (row.clock != other.clock and end.x > start.x):
            arrives = self._line_of(other, link.part)
            leaves = arrives if row.kind == "start" else self._line_of(row, link.part)
            side = 1 if end.x > start.x else -1
            return (
                Point(start.x + side * size.width / 2, start.y + leaves),
                Point(end.x - side * goal.width / 2, end.y + arrives),
            ), False
        return (), False

    def _reach(self, clock: int) -> float:
        """How far boxes reach to the right of the middle of their column."""
        sizes = [self.grid.size[row.id] for row in self.network.rows if row.clock == clock and row.kind != "start"]
        return max(size.width / 2 + abs(size.shift) for size in sizes)

    def _line_of(self, row: Row, part: str) -> float:
        """How far above the middle of its box the name of a part stands, where its arrows come and go."""
        parts = sorted(row.parts or ("h",), key=lambda name: name != "c")
        if len(parts) < 2 or part not in parts:
            return 0.0
        above = 7.5 * (len(parts) - 1) + (6.5 if row.id in self.values else 0)
        return above - 15 * parts.index(part)

    def _arc(self, lag: int, start: Point, end: Point, half: float) -> tuple[Point, ...]:
        rise, side = 16 + 9 * abs(lag), 1 if lag > 0 else -1
        reach = (end.x - start.x) * 0.22
        return (
            Point(start.x + side * 9, start.y + half),
            Point(start.x + side * 9 + reach, start.y + half + rise),
            Point(end.x - side * 9 - reach, end.y + half + rise),
            Point(end.x - side * 9, end.y + half),
        )

    def _to_whole(self, row: Row, start: Point, other: Row, end: Point) -> tuple[Point, ...]:
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

    def _to_strip(
        self,
        link: Link,
        tail: tuple[Row, Point | None, int | None],
        head: tuple[Row, Point | None, int | None],
        stroke: Stroke,
        tip: str,
    ) -> Iterator[Line]:
        """From the last step before the strip to the strip, and from there to the first step behind."""
        (row, start, a), (other, end, b) = tail, head
        strip = self.grid.columns[row.clock].strip
        edges = strip[0] + 10, strip[1] - 10
        if start is not None:
            side = 1 if start.x < edges[0] else -1
            up = Point(start.x + side * self.grid.size[row.id].width / 2, start.y + self._line_of(row, link.part))
            goal = Point(edges[0 if side > 0 else 1], self.grid.y[other.id] + self._line_of(other, link.part))
            yield Line(box_id(row, a), f"{other.id}_folded", (up, goal), False, stroke, True, tip)
        elif end is not None:
            side = 1 if end.x > edges[0] else -1
            up = Point(edges[1 if side > 0 else 0], self.grid.y[row.id] + self._line_of(row, link.part))
            goal = Point(end.x - side * self.grid.size[other.id].width / 2, end.y + self._line_of(other, link.part))
            yield Line(f"{row.id}_folded", box_id(other, b), (up, goal), False, stroke, True, tip)

    def _first_names(self) -> Iterator[Shape]:
        """Short names of weights beside the first of their arrows."""
        seen = set()
        for link in sorted(
            self.network.links, key=lambda link: min((a for a, _ in link.pairs if a is not None), default=0)
        ):
            if not link.weights or not link.pairs:
                continue
            stroke, weight = self.looks.of(link), self.network.weights[link.weights[0]]
            row, other = self.rows[link.tail], self.rows[link.head]
            a, b = min(link.pairs, key=lambda pair: pair[0] if pair[0] is not None else 0)
            start, end = self.grid.at(row, a), self.grid.at(other, b)
            if start is None or end is None or len(weight.short) > 7 or stroke in seen or (link.lag or 0) > 1:
                continue
            seen.add(stroke)
            width = text_width(weight.short, 9) + 4
            middle = Point((start.x + end.x) / 2, (start.y + end.y) / 2)
            at = Point(middle.x, middle.y + 8) if link.lag else Point(middle.x + width / 2 + 4, middle.y)
            yield Shape(f"w{link.weights[0]}_{row.id}", at, width, 11, (weight.short,), size=9, colour=stroke.colour)


# ---- what other views use too --------------------------------------------------------------------------------------


def legend(looks: Looks, rows: Mapping[str, Row], at: Point) -> tuple[list[Shape], list[Line]]:
    """Which line is which weight, the uppermost row first; ``at`` is the middle of the left edge."""
    entries = looks.legend()[::-1]
    if not entries:
        return [], []
    widest = max(text_width(entry.text, 10.5) for entry in entries) + 16
    top = at.y + 10 * len(entries)
    heading = "weights, the same at all steps"
    wide = text_width(heading, 10.5) + 16
    shapes = [
        Shape("legend", Point(at.x + wide / 2, top + 8), wide, 14, (heading,), size=10.5, colour=OUTSIDE, align="l")
    ]
    lines = []
    for i, entry in enumerate(entries):
        y = top - 14 - 20 * i
        name = f"legend{i}"
        shapes.append(
            Shape(
                name, Point(at.x + 44 + widest / 2, y), widest, 14, (entry.text,), size=10.5, colour=OUTSIDE, align="l"
            )
        )
        if entry.stroke is not None:
            path = (Point(at.x, y), Point(at.x + 36, y))
            lines.append(Line("legend", name, path, False, entry.stroke))
        else:
            shapes.append(_swatch(rows[entry.row], Point(at.x + 18, y), i))
    return shapes, lines


def _swatch(row: Row, at: Point, number: int) -> Shape:
    fill, stroke = PALETTE[ROLES[row.kind]]
    return Shape(f"swatch{number}", at, 22, 13, (), fill, stroke, border=1)


def box_id(row: Row, step: int | None) -> str:
    """The id of a box of the unrolled network; in the folded one it is that of the row."""
    return f"{row.id}_all" if step is None else f"{row.id}_{_plain(step)}"


def _plain(step: int) -> str:
    return str(step) if step >= 0 else f"m{-step}"


def _shared(pieces: list[list[str]]) -> list[str]:
    """The pieces at the beginning that all have in common."""
    return [same[0] for same in itertools.takewhile(lambda some: len(set(some)) == 1, zip(*pieces, strict=False))]


def short_place(place: str, places: list[str]) -> str:
    """A place without the name of the model around all of them, and no longer than there is room for."""
    roots = {other.partition(".")[0] for other in places if other}
    if len(roots) == 1 and "." in place and all("." in other for other in places if other):
        return cut(place.partition(".")[2])
    return cut(place)


def _text(id: str, at: Point, text: str, size: float) -> Shape:
    return Shape(id, at, text_width(text, size) + 8, size + 4, (text,), size=size, colour=OUTSIDE)
