"""The unrolled network: time from left to right, layers from the bottom up, a box for each cell at each step."""

from __future__ import annotations

from collections.abc import Iterator

from minigrad.draw.colours import Scale
from minigrad.draw.sheet import Point, Shape, Sheet, text_width

from .arrows import Arrows
from .boxes import Boxes, Values
from .grid import Grid
from .legend import legend
from .looks import Looks
from .names import aligned, row_names
from .network import Network
from .panels import panels
from .rails import Layout
from .shades import RELATIVE, scale
from .ties import TERMS, Ties

IDLE = "grey: no element there, as after the end of a sequence"
CUT = "∕∕  cut by detach: values pass, gradients do not"


def unrolled(
    network: Network,
    looks: Looks,
    limit: int = 12,
    values: Values | None = None,
    names: bool = True,
    loops: bool = False,
    colours: Scale = RELATIVE,
    rails: Layout | None = None,
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
        colours: what the numbers mean as colours.
        rails: of the weights; left out, these are told apart by colours.
    """
    rails = rails or Layout()
    grid = Grid(
        network, limit, frozenset(values or ()), loops, room=rails.room, margins=rails.margins, more=rails.space
    )
    boxes, ties = Boxes(network, grid, values or {}, colours), Ties(network, rails, grid)
    arrows = Arrows(network, looks, grid, boxes, ties)
    shapes = [*panels(network, grid), *(row_names(network, grid) if names else ())]
    for row in network.rows:
        shapes += boxes.of(row)
    lines = [line for link in network.links for line in arrows.of(link)]
    shapes += [*ties.shapes(), *arrows.told()]
    lines += ties.lines()
    right = max(shape.at.x + shape.width / 2 for shape in shapes)
    left = min(columns.first for columns in grid.columns.values())
    top, bottom = max(grid.top.values()), min(grid.bottom.values())
    notes = list(_notes(network, Point(left, bottom - (62 if len(grid.columns) > 1 else 46))))
    if values or rails.numbers:
        shapes += scale(Point(left, bottom - (82 if notes else 66)), colours if values else TERMS)
    shapes += notes
    open_links = [link for link in network.links if ties.rail(link) is None]
    more, swatches = legend(
        looks, {row.id: row for row in network.rows}, Point(right + 30, (top + bottom) / 2), looks.legend(open_links)
    )
    first = () if rails.rails else _first_names(network, looks, grid)
    return Sheet((*shapes, *first, *more), (*lines, *swatches))


def _notes(network: Network, at: Point) -> Iterator[Shape]:
    """What grey boxes and gaps in arrows mean."""
    words = [IDLE] * any(row.idle for row in network.rows) + [CUT] * any(link.cuts for link in network.links)
    if words:
        yield aligned("notes", at, "      ".join(words), 10, "l")


def _first_names(network: Network, looks: Looks, grid: Grid) -> Iterator[Shape]:
    """Short names of weights beside the first of their arrows."""
    seen, rows = set(), {row.id: row for row in network.rows}
    for link in sorted(network.links, key=lambda link: min((a for a, _ in link.pairs if a is not None), default=0)):
        if not link.weights or not link.pairs:
            continue
        stroke, weight = looks.of(link), network.weights[link.weights[0]]
        row, other = rows[link.tail], rows[link.head]
        a, b = min(link.pairs, key=lambda pair: pair[0] if pair[0] is not None else 0)
        start, end = grid.at(row, a), grid.at(other, b)
        if start is None or end is None or len(weight.short) > 7 or stroke in seen or (link.lag or 0) > 1:
            continue
        seen.add(stroke)
        width = text_width(weight.short, 9) + 4
        middle = Point((start.x + end.x) / 2, (start.y + end.y) / 2)
        at = Point(middle.x, middle.y + 8) if link.lag else Point(middle.x + width / 2 + 4, middle.y)
        yield Shape(f"w{link.weights[0]}_{row.id}", at, width, 11, (weight.short,), size=9, colour=stroke.colour)
