"""Inside a cell: the ops of one step, as they were recorded, labelled by gate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import minigrad as mg
from minigrad.draw.diagram import Arrow, Box, Diagram, Place, Row as Text
from minigrad.draw.ops import cut, title
from minigrad.draw.sheet import Sheet
from minigrad.graph import Graph, GraphNode, Source

from .asked import timeless
from .network import short_names
from .read import Reader
from .textbook import textbook
from .units import Key

SYMBOLS = {"sigmoid": "σ", "hardsigmoid": "hard σ", "linear": "·", "matmul": "·", "addmm": "·"}


@dataclass(frozen=True, slots=True)
class Piece:
    """An op of a cell, or what comes in or goes out.

    Attributes:
        id: the same on every run.
        kind: ``"before"`` and ``"after"``, parts of the state; ``"input"``; ``"product"``, of weights; ``"gate"``, a
            sigmoid; ``"bend"``, another nonlinearity; or ``"op"``.
        text: what is written on it.
        gate: the scope that it was recorded in: ``"forget_gate"``.
        op: the op's name.
        weights: what it is multiplied by, in words.
        tooltip: more about it.
    """

    id: str
    kind: str
    text: str
    gate: str = ""
    op: str = ""
    weights: tuple[str, ...] = ()
    tooltip: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """The pieces of a cell in topological order, and for each arrow its ends and the operand that it is."""

    name: str
    pieces: tuple[Piece, ...]
    arrows: tuple[tuple[str, str, int], ...]


def cell_picture(graph: Graph, layer: str | None = None) -> Sheet | Diagram:
    """The picture of a cell: as in textbooks for those that are in them, else laid out by Graphviz.

    Args:
        graph: the data.
        layer: the place of the layer, or the end of it; left out, the first one.
    """
    cell = read_cell(graph, layer)
    return textbook(cell) or diagram(cell)


def read_cell(graph: Graph, layer: str | None = None) -> Cell:
    """What a cell computes in its second step: in the first the state may be a constant, and so leave ops out."""
    reader = Reader(graph)
    states = [key for key in reader.made if key.kind == "state"]
    if not states:
        raise timeless()
    names = {key: ".".join((*reader.loops[key.loop].place, *key.path)) for key in states}
    chosen = [key for key in states if layer is None or names[key].endswith(layer)]
    if not chosen:
        known = ", ".join(map(repr, names.values()))
        raise mg.GraphError(f"draw: no layer {layer!r} has time steps in this graph; there are {known}")
    return _Inside(reader, chosen[0], names[chosen[0]]).cell()


class _Inside:
    """Follows the ops of one box back to what comes into it."""

    def __init__(self, reader: Reader, key: Key, name: str) -> None:
        self.reader, self.graph, self.key, self.name = reader, reader.graph, key, name
        made = reader.made[key]
        self.step = made.ran[min(1, len(made.ran) - 1)]
        self.parts = {number: part for part, number in made.parts.items()}
        self.pieces: dict[str, Piece] = {}
        self.arrows: list[tuple[str, str, int]] = []
        self.inputs: dict[tuple[object, ...], str] = {}
        leaves = [node.id for node in graph_leaves(self.graph) if node.id not in reader.data]
        shorts = short_names([self.graph.nodes[number].name or f"leaf {number}" for number in leaves])
        self.short = dict(zip(leaves, shorts, strict=True))

    def cell(self) -> Cell:
        mine = [node for node in self.graph if self._is_mine(node.id)]
        for node in mine:
            self._op(node)
        for node in mine:
            if node.name and self._is_state(node):
                id = f"after_{len([p for p in self.pieces.values() if p.kind == 'after'])}"
                self.pieces[id] = Piece(id, "after", f"{cut(node.name)}ₜ", tooltip=str(node.shape))
                self.arrows.append((f"n{node.id}", id, 0))
        return Cell(self.name, tuple(self.pieces.values()), tuple(self.arrows))

    def _is_mine(self, number: int) -> bool:
        spot = self.reader.spots[number]
        return self.reader.keys[number] == self.key and spot is not None and spot.step == self.step

    def _is_state(self, node: GraphNode) -> bool:
        return node.name in self.reader.made[self.key].parts

    def _op(self, node: GraphNode) -> None:
        id = f"n{node.id}"
        weights: list[int] = []
        for operand, x in enumerate(node.inputs):
            if not isinstance(x, Source):
                continue
            behind = self.reader._weights_behind(x.node)
            weights += behind
            for tail in () if behind else self._sources(x):
                self.arrows.append((tail, id, operand))
        spot = self.reader.spots[node.id]
        inner = spot.inner[len(self.key.path) :] if spot is not None else ()
        gate = inner[-1] if inner else ""
        self.pieces[id] = _piece(node, id, gate, [self._weight(number) for number in weights])

    def _weight(self, number: int) -> str:
        return f"{self.short[number]} {self.graph.nodes[number].shape}"

    def _sources(self, x: Source) -> Iterable[str]:
        """The pieces that an operand comes from, past all ops that only move elements."""
        todo, found = [x], dict[str, None]()
        while todo:
            source = todo.pop()
            node = self.graph.nodes[source.node]
            if self._is_mine(node.id):
                found[f"n{node.id}"] = None
            elif self.reader.keys[node.id] == self.key:
                found[self._before(node)] = None
            elif node.kind == "op" and self.reader.keys[node.id] is None:
                if weights := [
                    w for y in node.inputs if isinstance(y, Source) for w in self.reader._weights_behind(y.node)
                ]:
                    found[self._projected(node, weights)] = None
                else:
                    todo += [y for y in reversed(node.inputs) if isinstance(y, Source)]
            elif node.kind == "op" or node.id in self.reader.data:
                found[self._input(node)] = None
        return found

    def _before(self, node: GraphNode) -> str:
        part = node.name or next((p for n, p in self.parts.items() if n == node.id), "") or "h"
        id = f"before_{part}" if part.isidentifier() else f"before_{len(self.pieces)}"
        self.pieces.setdefault(id, Piece(id, "before", f"{cut(part)}ₜ₋₁", tooltip=str(node.shape)))
        return id

    def _input(self, node: GraphNode) -> str:
        key = self.reader.keys[node.id]
        known: tuple[object, ...] = (key,) if key is not None else (node.shape,)
        if known not in self.inputs:
            id = self.inputs[known] = f"input_{len(self.inputs)}"
            self.pieces[id] = Piece(id, "input", "xₜ", tooltip=str(node.shape))
        return self.inputs[known]

    def _projected(self, node: GraphNode, weights: list[int]) -> str:
        """The product of the inputs of all steps at once, which stands before the steps."""
        id = f"n{node.id}"
        if id not in self.pieces:
            sources = [
                s
                for y in node.inputs
                if isinstance(y, Source) and not self.reader._weights_behind(y.node)
                for s in self._sources(y)
            ]
            self.pieces[id] = _piece(node, id, "input", [self._weight(number) for number in weights])
            self.arrows += [(source, id, 0) for source in sources]
        return id


def graph_leaves(graph: Graph) -> list[GraphNode]:
    """The leaves that are used."""
    return [node for node in graph if node.kind == "leaf"]


def _piece(node: GraphNode, id: str, gate: str, weights: list[str]) -> Piece:
    op = node.op or ""
    if weights:
        kind = "product"
    elif op in {"sigmoid", "hardsigmoid"}:
        kind = "gate"
    else:
        kind = "bend" if op in {"tanh", "relu", "softsign", "hardtanh", "sin"} else "op"
    text = SYMBOLS.get(op) or title(node)
    if weights and op in {"linear", "matmul", "addmm"}:
        text = " + ".join(weight.partition(" ")[0] for weight in weights)
    tooltip = "\n".join([f"%{node.id} = {node.call()}", str(node.shape), *weights])
    return Piece(id, kind, text, gate, op, tuple(weights), tooltip)


ROLES = {
    "before": "state",
    "after": "state",
    "input": "input",
    "product": "parameter",
    "gate": "gate",
    "bend": "activation",
    "op": "op",
}


def diagram(cell: Cell) -> Diagram:
    """A cell laid out by Graphviz: a panel for each gate; numbers tell operands apart where their order matters."""
    ordered = {piece.id for piece in cell.pieces if piece.op in {"sub", "div", "where", "lerp", "matmul"}}
    inlets: dict[str, dict[str, None]] = {}
    for _, head, operand in cell.arrows:
        inlets.setdefault(head, {})[str(operand + 1)] = None
    boxes = []
    for piece in cell.pieces:
        panel = () if piece.kind in {"before", "after", "input"} else (Place(cell.name), Place(piece.gate))
        several = piece.id in ordered and len(inlets.get(piece.id, ())) > 1
        rows = (Text(piece.text.replace(" + ", " · x + ") if piece.kind == "product" else piece.text, "title"),)
        boxes.append(
            Box(
                piece.id,
                rows,
                ROLES[piece.kind],
                panel if piece.gate else panel[:1],
                tooltip=piece.tooltip,
                inlets=tuple(inlets[piece.id]) if several else (),
                ops=1,
            )
        )
    told = {box.id: box for box in boxes}
    arrows = [
        Arrow(tail, head, inlet=str(operand + 1) if told[head].inlets else "") for tail, head, operand in cell.arrows
    ]
    whole = Diagram(tuple(boxes), tuple(arrows))
    return replace(whole, boxes=tuple(sorted(boxes, key=_order)))


def _order(box: Box) -> int:
    """Boxes in topological order, as a diagram wants them."""
    return 0 if box.id.startswith(("before", "input")) else 2 if box.id.startswith("after") else 1
