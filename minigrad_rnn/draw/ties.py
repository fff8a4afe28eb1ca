"""The shapes of rails: aliases on the arrows, the weight in full at the left, and what ties them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from minigrad.draw.colours import Scale
from minigrad.draw.sheet import Line, Point, Shape, Stroke
from minigrad.draw.style import INK, PALETTE

from .cuts import halves
from .grid import Grid
from .names import plain
from .network import Link, Network
from .rails import HEAD, SIZE, Layout, Place, Rail, head_text, head_width, height_of
from .shades import stripes

FILL, STROKE = PALETTE["parameter"]
TIE = Stroke(STROKE, 1.4, "dotted")
THROUGH, CARRIED_ON = Stroke(), Stroke(width=1.8)  # arrows through aliases: up, and on in time
TERMS = Scale("‖term of ∂L/∂W at t‖ ÷ last step")


class Ties:
    """Puts aliases on arrows, and ties them.

    Args:
        network: the network.
        layout: its rails.
        grid: where its boxes are.
    """

    def __init__(self, network: Network, layout: Layout, grid: Grid) -> None:
        self.network, self.layout, self.grid = network, layout, grid
        self.rows = {row.id: row for row in network.rows}
        self.placed: dict[str, dict[Place, Point]] = {rail.id: {} for rail in layout.rails}
        self._rails = {id(link): rail for rail in layout.rails for link in rail.links}

    def rail(self, link: Link) -> Rail | None:
        """The rail that a link passes."""
        return self._rails.get(id(link))

    def through(self, rail: Rail, line: Line, place: Place, ends: tuple[Point, Point]) -> list[Line]:
        """An arrow taken apart by the alias on it.

        Args:
            rail: the rail.
            line: the arrow.
            place: of the alias.
            ends: the middles of the boxes that the arrow links.
        """
        if place in self.placed[rail.id]:
            return [line]
        name = self._name(rail, place)
        if rail.kind == "up":
            return self._up(rail, replace(line, stroke=THROUGH), place, ends)
        before, after = halves(line.path, line.curved)
        at, half = before[-1], rail.width / 2
        side = 1 if at.x > before[0].x else -1
        # with a number, an alias hangs a little below the arrow, away from that of the cell state
        self.placed[rail.id][place] = Point(at.x, at.y - 4) if self.layout.numbers else at
        to, on = (*before[:-1], Point(at.x - side * half, at.y)), (Point(at.x + side * half, at.y), *after[1:])
        line = replace(line, stroke=CARRIED_ON)
        return [replace(line, head=name, path=to, arrow=False), replace(line, tail=name, path=on)]

    def _name(self, rail: Rail, place: Place) -> str:
        """The id of an alias; in the strip, of the stripes if there are numbers."""
        head, step = place
        if step is None:
            return f"{rail.id}_{head}_{'strip' if rail.id in self.layout.numbers else 'folded'}"
        return f"{rail.id}_{head}_{plain(step)}"

    def _up(self, rail: Rail, line: Line, place: Place, ends: tuple[Point, Point]) -> list[Line]:
        (start, end), name, y = ends, self._name(rail, place), self._y(rail, place[0])
        if not line.path:
            share = (y - start.y) / (end.y - start.y) if end.y != start.y else 0.5
            self.placed[rail.id][place] = Point(start.x + (end.x - start.x) * share, y)
            return [replace(line, head=name, arrow=False), replace(line, tail=name)]
        x, half = line.path[1].x, height_of(bool(self.layout.numbers)) / 2
        self.placed[rail.id][place] = Point(x, y)
        return [
            replace(line, head=name, path=(*line.path[:2], Point(x, y - half)), arrow=False),
            replace(line, tail=name, path=(Point(x, y + half), *line.path[2:])),
        ]

    def _y(self, rail: Rail, head: str) -> float:
        """How high the line of a rail runs below a row."""
        return self.grid.y[head] - self.grid.size[head].height / 2 - rail.depth

    # ---- shapes ---------------------------------------------------------------------------------------------

    def shapes(self) -> Iterator[Shape]:
        """The weights in full, the aliases, and stripes for the steps that are folded."""
        for rail in self.layout.rails:
            numbers = self.layout.numbers.get(rail.id)
            if self.placed[rail.id]:
                yield self._head(rail)
                for place, at in self.placed[rail.id].items():
                    if place[1] is not None or numbers is None:
                        yield self._alias(rail, place, at)
                for head in rail.heads if numbers is not None else ():
                    yield from self._stripes(rail, head)

    def _head(self, rail: Rail) -> Shape:
        numbers = self.layout.numbers.get(rail.id)
        words, width = head_text(rail, numbers), head_width(rail, numbers)
        at = Point(self._head_edge(rail) - width / 2, self._y(rail, rail.heads[0]))
        tip = "\n".join(f"{w.name} {w.shape}" for w in (self.network.weights[number] for number in rail.weights))
        return Shape(f"{rail.id}_head", at, width, HEAD, (words,), FILL, STROKE, size=10, tooltip=tip)

    def _alias(self, rail: Rail, place: Place, at: Point) -> Shape:
        _, step = place
        numbers = self.layout.numbers.get(rail.id)
        tip = self.network.weights[rail.weights[0]].name + ("" if step is None else f", t={step}")
        fill, colour = FILL, INK
        lines: tuple[str, ...] = (rail.symbol,)
        if numbers is not None:
            ratio = numbers.ratios.get(place)
            fill, colour, _ = TERMS.shade(ratio)
            lines = (rail.symbol, TERMS.told(ratio))
            tip += f"\n‖term‖ = {numbers.norms.get(place, 0.0):.4g}"
        height = height_of(len(lines) > 1)
        return Shape(
            self._name(rail, place), at, rail.width, height, lines, fill, STROKE, "rounded", True, 1, SIZE, colour,
            tooltip=tip,
        )  # fmt: skip

    def _stripes(self, rail: Rail, head: str) -> Iterator[Shape]:
        columns, numbers = self.grid.columns[self.rows[head].clock], self.layout.numbers[rail.id]
        if not columns.folded:
            return
        left, right = columns.strip[0] + 10, columns.strip[1] - 10
        y, height = self._y(rail, head), 16.0 if rail.kind == "up" else 10.0
        name, at = self._name(rail, (head, None)), Point((left + right) / 2, y)
        yield Shape(name, at, right - left + 4, height + 4, (), FILL, STROKE, "rounded", True, 1)
        yield from stripes(name, numbers.of(head), columns.folded, (left, right), y, height, TERMS)

    # ---- lines ----------------------------------------------------------------------------------------------

    def lines(self) -> Iterator[Line]:
        """From the weight in full to the first alias, and from each to the next."""
        for rail in self.layout.rails:
            tail, x = f"{rail.id}_head", self._head_edge(rail) if self.placed[rail.id] else 0.0
            for place, at in sorted(self.placed[rail.id].items(), key=lambda item: item[1].x):
                name, y = self._name(rail, place), self._y(rail, place[0])
                below = Point(at.x, at.y - height_of(rail.id in self.layout.numbers) / 2)
                tip = f"{self.network.weights[rail.weights[0]].name}: the same at all steps"
                if at.x < x:  # above the weight in full, as where a state comes from another sequence
                    yield Line(f"{rail.id}_head", name, (Point(at.x, y + HEAD / 2), below), False, TIE, False, tip)
                    continue
                path = () if rail.kind == "up" else (Point(x, y), Point(at.x, y), below)
                yield Line(tail, name, path, False, TIE, False, tip)
                tail, x = name, at.x

    def _head_edge(self, rail: Rail) -> float:
        """Where the weight in full ends: left of the first alias, which may be before the first step."""
        clock = self.rows[rail.heads[0]].clock
        first, leftmost = self.grid.columns[clock].first, next(iter(self.grid.columns)) == clock
        before = [
            at.x - other.width / 2 - 8
            for other in self.layout.rails
            for (head, _), at in self.placed[other.id].items()
            if leftmost and self.rows[head].clock == clock and at.x < first
        ]
        return min([first - 14, *before])
