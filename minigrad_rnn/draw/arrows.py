"""The arrows of the unrolled network."""

from __future__ import annotations

from collections.abc import Iterator

from minigrad.draw.sheet import Line, Point, Shape, Stroke

from .boxes import Boxes
from .buses import Buses
from .cuts import severed
from .grid import Grid
from .looks import Looks
from .names import box_id
from .network import Link, Network, Pair, Row
from .paths import Paths
from .rails import Place, Rail
from .ties import CARRIED_ON, Ties

QUIET = Stroke(Stroke().colour + "80", 1.0)  # to and from what no sequence has an element at


class Arrows:
    """The lines of links.

    Args:
        network: the network.
        looks: the strokes of its links.
        grid: where its boxes are.
        boxes: tell which steps are idle.
        ties: put aliases of weights on the arrows.
    """

    def __init__(self, network: Network, looks: Looks, grid: Grid, boxes: Boxes, ties: Ties) -> None:
        self.network, self.looks, self.grid, self.boxes, self.ties = network, looks, grid, boxes, ties
        self.paths, self.buses = Paths(network, grid), Buses(network, grid)
        self.rows = {row.id: row for row in network.rows}
        self.words: list[Shape] = []  # at the cuts

    def of(self, link: Link) -> Iterator[Line]:
        """The arrows of a link that are drawn; one in the middle of the strip for all that are folded there."""
        tail, head = self.rows[link.tail], self.rows[link.head]
        stroke, tip = self.looks.of(link), self.looks.tooltip(link)
        if self.grid.values and link.lag:
            tip = tip or "carried on"
        if link.spread:
            yield from self.buses.lines(link, lambda a, b: self._faded(stroke, (a, b), tail, head), tip)
            return
        folded, rail, cuts = False, self.ties.rail(link), frozenset(link.cuts)
        for pair in link.pairs:
            a, b = pair
            start, end = self.grid.at(tail, a), self.grid.at(head, b)
            if start is not None and end is not None:
                line = self._arrow(link, (tail, a, start), (head, b, end), self._faded(stroke, pair, tail, head), tip)
                yield from self._marked(line, rail, (head.id, b), (start, end), pair in cuts)
            elif link.lag and abs(link.lag) == 1:
                yield from self._at_strip(link, (tail, a, start), (head, b, end), stroke, tip)
            elif not link.lag and start is None and (b is None or end is None) and not folded:
                folded = True
                columns = self.grid.columns[tail.clock]
                ends = Point(columns.middle, self.grid.y[tail.id]), Point(columns.middle, self.grid.y[head.id])
                line = self._arrow(link, (tail, a, ends[0]), (head, b, end or ends[1]), stroke, tip, True)
                yield from self._marked(line, rail, (head.id, None), (ends[0], end or ends[1]), False)

    def _marked(
        self, line: Line, rail: Rail | None, place: Place, ends: tuple[Point, Point], cut: bool
    ) -> list[Line]:
        """An arrow with the alias of its weight, and with its cut."""
        lines = [line] if rail is None else self.ties.through(rail, line, place, ends)
        if cut and lines[0].path:
            first, word = severed(lines[0], f"{line.tail}_{line.head}", high=rail is not None)
            lines = [*first, *lines[1:]]
            self.words.append(word)
        return lines

    def _faded(self, stroke: Stroke, pair: Pair, tail: Row, head: Row) -> Stroke:
        silent = self.boxes.silent(tail, pair[0]) or self.boxes.silent(head, pair[1])
        return QUIET._replace(style=stroke.style) if silent else stroke

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
        path, curved = self.paths.path(link, row, other, start, end, folded)
        last = not (other.clock < 0 and row.steps and a != row.steps[-1] and len(row.steps) > 1)
        return Line(*ids, path, curved, stroke, last, tip)

    def _at_strip(
        self,
        link: Link,
        tail: tuple[Row, int | None, Point | None],
        head: tuple[Row, int | None, Point | None],
        stroke: Stroke,
        tip: str,
    ) -> Iterator[Line]:
        """From the last step before the strip to the strip, and from there to the first step behind."""
        (row, a, start), (other, b, end) = tail, head
        if start is not None:
            path = self.paths.into_strip(link, row, other, start)
            stroke = stroke if self.ties.rail(link) is None else CARRIED_ON
            yield Line(box_id(row, a), f"{other.id}_folded", path, False, stroke, True, tip)
        elif end is not None:
            path = self.paths.out_of_strip(link, row, other, end)
            line = Line(f"{row.id}_folded", box_id(other, b), path, False, stroke, True, tip)
            yield from self._marked(line, self.ties.rail(link), (other.id, b), (path[0], end), False)

    def told(self) -> list[Shape]:
        """The words at the cuts, where several arrows from box to box are cut only the uppermost."""
        highest: dict[str, Shape] = {}
        for word in self.words:
            known = highest.get(word.id)
            if known is None or word.at.y > known.at.y:
                highest[word.id] = word
        return list(highest.values())
