"""Cells as textbooks draw them: the places of the pieces of an LSTM, a GRU and a simple recurrent cell.

The places are given, the pieces are those that were recorded. A cell with other ops, because of an option or because it
is one's own, has no place here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from minigrad.draw.sheet import Line, Point, Shape, Sheet, Stroke, text_width
from minigrad.draw.style import OUTSIDE, PALETTE, PANEL_FILL, PANEL_STROKE

if TYPE_CHECKING:
    from .cell import Cell, Piece

Name = tuple[str, str, int]  # gate, op, and the how-manieth of these

HIGHWAY = Stroke(PALETTE["state"].stroke, 3.2)


class Plan(NamedTuple):
    """Where the pieces of a cell stand, how some of the lines between them run, and what is written beside them.

    Pieces go by gate, op and number; what comes in and goes out by its text.
    """

    places: Mapping[Name | str, tuple[float, float]]
    paths: Mapping[tuple[Name | str, Name | str], tuple[tuple[float, float], ...]]
    forks: tuple[tuple[float, float], ...]
    highway: tuple[Name | str, ...]
    words: tuple[tuple[float, float, str], ...]
    panel: tuple[float, float, float, float]
    letters: Mapping[str, str]


BOX = -1.0  # as the x of the last place of a path: up to the left edge of the box

H0, C0, X, H1, C1 = "hₜ₋₁", "cₜ₋₁", "xₜ", "hₜ", "cₜ"
READ: Name = ("input", "linear", 0)
BACK: Name = ("", "linear", 0)
SUM: Name = ("", "add", 0)

_F, _I, _G, _O = (("forget_gate", "sigmoid", 0), ("input_gate", "sigmoid", 0), ("candidate", "tanh", 0),
                  ("output_gate", "sigmoid", 0))  # fmt: skip
_KEEP, _WRITE, _CELL = ("cell", "mul", 0), ("cell", "mul", 1), ("cell", "add", 0)
_BEND, _OUT = ("", "tanh", 0), ("", "mul", 0)

LSTM = Plan(
    places={
        C0: (0, 250), H0: (0, 40), X: (178, -88), BACK: (100, 40), READ: (178, -26), SUM: (178, 40), _F: (240, 112),
        _I: (312, 112), _G: (384, 112), _O: (466, 112), _KEEP: (240, 250), _WRITE: (348, 184), _CELL: (348, 250),
        _BEND: (540, 190), _OUT: (540, 112), H1: (640, 40), C1: (640, 250),
    },
    paths={
        (SUM, _F): ((240, 40), (240, 99)), (SUM, _I): ((312, 40), (312, 99)), (SUM, _G): ((384, 40), (384, 99)),
        (SUM, _O): ((466, 40), (466, 99)), (_CELL, _BEND): ((540, 250), (540, 203)), (_OUT, H1): ((540, 40), (BOX, 40)),
        (_I, _WRITE): ((312, 150), (348, 150), (348, 173)), (_G, _WRITE): ((384, 150), (348, 150), (348, 173)),
    },
    forks=((240, 40), (312, 40), (384, 40), (540, 250)),
    highway=(C0, _KEEP, _CELL, C1),
    words=((262, 190, "forget"), (374, 220, "write"), (562, 152, "show"), (320, 27, "split into four"),
           (445, 262, "cell state: the gradient's highway")),
    panel=(46, -56, 590, 278),
    letters={"forget_gate": "f", "input_gate": "i", "candidate": "g", "output_gate": "o"},
)  # fmt: skip

_BENT: Name = ("", "tanh", 0)

RNN = Plan(
    places={
        H0: (0, 60), X: (200, -60), BACK: (110, 60), READ: (200, 0), SUM: (200, 60), _BENT: (280, 60), H1: (390, 60),
    },
    paths={},
    forks=(),
    highway=(),
    words=(),
    panel=(46, -28, 334, 96),
    letters={},
)  # fmt: skip

_R, _Z, _N = ("reset_gate", "sigmoid", 0), ("update_gate", "sigmoid", 0), ("candidate", "tanh", 0)
_GATES, _RESET, _NEW = SUM, ("candidate", "mul", 0), ("candidate", "add", 0)
_LESS, _SHARE, _MIX = ("", "sub", 0), ("", "mul", 0), ("", "add", 1)

GRU = Plan(
    places={
        H0: (0, 220), X: (125, -92), BACK: (125, 135), READ: (125, -30), _GATES: (215, 40), _R: (300, 80),
        _Z: (540, 80), _RESET: (300, 135), _NEW: (370, 135), _N: (450, 135), _LESS: (450, 220),
        _SHARE: (540, 220), _MIX: (610, 220), H1: (710, 220),
    },
    paths={
        (H0, BACK): ((58, 220), (58, 135), (BOX, 135)), (BACK, _GATES): ((125, 40), (202, 40)),
        (READ, _GATES): ((215, -30), (215, 27)), (READ, _NEW): ((370, -30), (370, 122)),
        (_GATES, _R): ((255, 40), (255, 80), (BOX, 80)), (_GATES, _Z): ((540, 40), (540, 67)),
        (_N, _MIX): ((610, 135), (610, 207)),
    },
    forks=((58, 220), (215, -30), (255, 40)),
    highway=(),
    words=((332, 104, "reset"), (562, 150, "update"), (412, 160, "candidate"), (530, 244, "n + z × (h − n)")),
    panel=(46, -58, 660, 258),
    letters={"reset_gate": "r", "update_gate": "z", "candidate": "n"},
)  # fmt: skip


def textbook(cell: Cell) -> Sheet | None:
    """The sheet of a cell, if it has a place in textbooks."""
    names = _names(cell)
    for plan in (LSTM, GRU, RNN):
        if set(names.values()) == set(plan.places):
            return _drawn(cell, names, plan)
    return None


def _names(cell: Cell) -> dict[str, Name | str]:
    """What plans call the pieces."""
    count: dict[tuple[str, str], int] = {}
    names: dict[str, Name | str] = {}
    for piece in cell.pieces:
        if piece.kind in {"before", "after", "input"}:
            names[piece.id] = piece.text
        else:
            number = count[piece.gate, piece.op] = count.get((piece.gate, piece.op), -1) + 1
            names[piece.id] = (piece.gate, piece.op, number)
    return names


def _drawn(cell: Cell, names: dict[str, Name | str], plan: Plan) -> Sheet:
    left, bottom, right, top = plan.panel
    shapes = [
        Shape("cell", Point((left + right) / 2, (top + bottom) / 2), right - left, top - bottom, (), PANEL_FILL,
              PANEL_STROKE, border=1)
    ]  # fmt: skip
    words = (*plan.words, (left + 12 + text_width(cell.name, 11) / 2, top + 11, cell.name))
    for k, (x, y, text) in enumerate(words):
        shapes.append(Shape(f"word{k}", Point(x, y), text_width(text, 10) + 8, 14, (text,), size=10, colour=OUTSIDE))
    drawn = {piece.id: _shape(piece, Point(*plan.places[names[piece.id]]), plan) for piece in cell.pieces}
    pairs = dict.fromkeys((tail, head) for tail, head, _ in cell.arrows)
    lines = [_line(drawn[tail], drawn[head], (names[tail], names[head]), plan) for tail, head in pairs]
    forks = [
        Shape(f"fork{k}", Point(*place), 5, 5, (), OUTSIDE, OUTSIDE, "circle", border=0)
        for k, place in enumerate(plan.forks)
    ]
    return Sheet((*shapes, *drawn.values(), *forks), tuple(lines))


def _shape(piece: Piece, at: Point, plan: Plan) -> Shape:
    if piece.kind == "op":
        fill, stroke = PALETTE["view"]
        return Shape(piece.id, at, 25, 25, (piece.text,), fill, stroke, "circle", tooltip=piece.tooltip)
    role = {"product": "parameter", "gate": "gate", "bend": "input", "input": "input"}.get(piece.kind, "state")
    letter = plan.letters.get(piece.gate, "")
    text = piece.text if piece.kind != "product" else _short(piece.text)
    label = f"{text}  {letter}" if letter and piece.kind in {"gate", "bend"} else text
    fill, stroke = PALETTE[role]
    size = 10.0 if piece.kind == "product" else 12.0
    width = max(42.0, text_width(label, size) + 16)
    return Shape(piece.id, at, width, 26, (label,), fill, stroke, size=size, tooltip=piece.tooltip)


def _short(text: str) -> str:
    """The matrix of a product, and that something is added."""
    matrix, _, rest = text.partition(" + ")
    return matrix.rpartition(".")[2] + (" + b" if rest else "")


def _line(tail: Shape, head: Shape, names: tuple[Name | str, Name | str], plan: Plan) -> Line:
    on_way = names[0] in plan.highway and names[1] in plan.highway
    stroke = HIGHWAY if on_way else Stroke()
    places = plan.paths.get(names, ())
    if not places:
        return Line(tail.id, head.id, stroke=stroke)
    path = [Point(head.at.x - head.width / 2 if x == BOX else x, y) for x, y in places]
    return Line(tail.id, head.id, (_border(tail, path[0]), *path), False, stroke)


def _border(shape: Shape, toward: Point) -> Point:
    """The place at the border of a shape from which a line starts, straight up, down or to a side."""
    x, y = toward.x - shape.at.x, toward.y - shape.at.y
    if abs(x) >= abs(y):
        return Point(shape.at.x + (shape.width / 2 if x > 0 else -shape.width / 2), shape.at.y)
    return Point(shape.at.x, shape.at.y + (shape.height / 2 if y > 0 else -shape.height / 2))
