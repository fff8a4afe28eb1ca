"""From a graph to a network: rows over time, and what links them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from minigrad.graph import Graph, GraphNode, Source

from .inputs import data_of
from .rows import Key, rows
from .spans import spans, unturned
from .steps import Path, locate, reaching


class Origin(NamedTuple):
    """Where a value comes from.

    Attributes:
        row: a row, or the number of a leaf or constant.
        part: which part of a state.
        weights: what it was multiplied by on the way.
        step: from which step; ``None``: from those that the value spans.
    """

    row: Key | int
    part: str
    weights: tuple[int, ...] = ()
    step: int | None = None


Shares = tuple[tuple[int, tuple[Origin, ...]], ...]  # along the last dimension: how many elements come from where
Signature = tuple[Path, "str | None", int, int]  # in a step: which op, the how-manieth of its kind, which operand


@dataclass
class Made:
    """A row in the making: for each step (``None``: outside of time) the last node, and how many there are."""

    nodes: dict[int | None, int] = field(default_factory=dict)
    ops: dict[int | None, int] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)  # name of a part of the state -> a node
    weights: dict[int, None] = field(default_factory=dict)
    ran: list[int] = field(default_factory=list)  # the steps in the order in which they ran
    met: list[tuple[Path, str | None]] = field(default_factory=list)  # the ops so far of the step that is being read
    same: dict[tuple[str, int, int | None], Shares] = field(default_factory=dict)


@dataclass
class Arrows:
    """A link in the making: the steps of tail and head of each arrow, and the weights."""

    pairs: dict[tuple[int | None, int | None], None] = field(default_factory=dict)
    weights: dict[int, None] = field(default_factory=dict)


class Loose(NamedTuple):
    """A leaf or constant that comes to a single step: an input, or the state to begin with."""

    number: int
    head: Key
    step: int
    signature: Signature
    weights: tuple[int, ...]


LinkKey = tuple["Key | int", Key, str, "int | None"]


class Reader:
    """Goes through the nodes of a graph once, in topological order, and notes rows and links."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.loops, self.spots = locate(graph)
        self.reaches = reaching(graph, self.spots)
        self.spans, self.clocks, turned = spans(graph, self.loops, self.spots)
        if turned:
            clocks = {self.clocks.of(loop) for loop in turned}
            falling = [loop for loop in range(len(self.loops)) if self.clocks.of(loop) in clocks]
            self.spots = unturned(self.spots, falling)
            self.spans, self.clocks, _ = spans(graph, self.loops, self.spots, falling)
        self.keys = rows(graph, self.loops, self.spots, self.reaches, self.spans)
        self.data = data_of(graph, self.spots, self.spans, self.keys)
        self.made: dict[Key, Made] = {}
        self.arrows: dict[LinkKey, Arrows] = {}
        self.loose: list[Loose] = []
        self.carried: dict[Key, dict[Signature, str]] = {}  # which operand is which part of the state before
        self.shares: list[Shares] = []
        self._behind: dict[int, list[int]] = {}
        for node in graph:
            self.shares.append(self._read(node))

    def _read(self, node: GraphNode) -> Shares:
        key = self.keys[node.id]
        if node.kind != "op":
            return ((_width(node), (Origin(node.id, ""),)),) if node.id in self.data else ()
        if key is None:
            return self._moved(node)
        made, step = self._note(node, key)
        keys, spots, carrying = self.keys, self.spots, False
        weights: list[int] = []
        for x in node.inputs:
            if x.__class__ is Source and keys[x.node] is None:
                weights += self._weights_behind(x.node)
        for operand, x in enumerate(node.inputs):
            if x.__class__ is not Source or not (shares := self.shares[x.node]):
                continue
            origins = shares[0][1]
            if len(shares) == len(origins) == 1 and step is not None:
                (origin,) = origins
                if origin.step == step and origin.row == key:
                    continue  # it comes from inside the box
            there = None if step is None else spots[x.node]
            if keys[x.node] != key or (there is not None and there.step != step):
                carrying = self._arrive(node, key, x, operand, weights) or carrying
        if weights and not carrying:
            made.weights.update(dict.fromkeys(weights))
        part = ""
        if (node.name or node.op == "where") and key.kind == "state" and (part := self._part(node, key)):
            made.parts.setdefault(part, node.id)
        width = _width(node)
        if (own := made.same.get((part, width, step))) is None:
            own = made.same[part, width, step] = ((width, (Origin(key, part, (), step),)),)
        return own

    def _part(self, node: GraphNode, key: Key) -> str:
        """The name of a state; where rows without an element keep theirs, it is the same part all the same."""
        if node.name or node.op != "where":
            return node.name or ""
        inputs = [
            origin for x in node.inputs if isinstance(x, Source) for _, some in self.shares[x.node] for origin in some
        ]
        return next((origin.part for origin in inputs if origin.row == key and origin.part), "")

    def _note(self, node: GraphNode, key: Key) -> tuple[Made, int | None]:
        """Enter a node into its row."""
        if (made := self.made.get(key)) is None:
            made = self.made[key] = Made()
        spot, span = self.spots[node.id], self.spans[node.id]
        if spot is None:
            for step in (None,) if span is None else span.steps:
                made.nodes[step] = node.id
            made.ops[None] = made.ops.get(None, 0) + 1
            return made, None
        step = spot.step
        if step not in made.nodes:
            made.ran.append(step)
            made.met.clear()
        made.nodes[step] = node.id
        made.ops[step] = made.ops.get(step, 0) + 1
        made.met.append((spot.inner, node.op))
        return made, step

    def _weights_behind(self, number: int) -> list[int]:
        """The parameter that a node is, or those of which it is made by moving elements."""
        if number in self._behind:
            return self._behind[number]
        todo, found = [number], self._behind.setdefault(number, [])
        while todo:
            node = self.graph.nodes[todo.pop()]
            if node.kind == "leaf" and node.id not in self.data:
                found.append(node.id)
            elif node.kind == "op" and self.keys[node.id] is None and not self.shares[node.id]:
                todo += [x.node for x in reversed(node.inputs) if isinstance(x, Source)]
        return found

    # ---- values that pass through ---------------------------------------------------------------------------

    def _moved(self, node: GraphNode) -> Shares:
        """What is behind an op that no box is drawn for."""
        inputs = [x for x in node.inputs if isinstance(x, Source)]
        parts = [shares for x in inputs if (shares := self._seen(x, self.spots[node.id] is not None))]
        last = len(node.shape) - 1
        if node.op == "concat" and node.params.get("dim", 0) in (-1, last) and len(parts) == len(inputs):
            return tuple([share for shares in parts for share in shares])
        if node.op == "getitem" and parts and (cut := _last_slice(node)) is not None:
            return _cut(parts[0], cut)
        if len(inputs) == 1 and self.spots[node.id] is not None and parts and len(parts[0]) == 1:
            return ((_width(node), parts[0][0][1]),)
        weights = [w for x in inputs for w in self._weights_behind(x.node)]
        origins = [origin for shares in parts for _, some in shares for origin in some]
        span = self.spans[node.id]
        if span is not None and span.axis is not None:  # from every step what belongs there
            origins = [origin._replace(step=None) for origin in origins]
        met = dict.fromkeys(origin._replace(weights=(*origin.weights, *weights)) for origin in origins)
        return ((_width(node), tuple(met)),) if met else ()

    def _seen(self, x: Source, single: bool) -> Shares:
        """What an input holds, with the step if it is one."""
        shares, steps = self.shares[x.node], self._steps(x)
        if steps is None or len(steps) != 1 or not single:
            return shares
        return tuple(
            [(n, tuple([o if o.step is not None else o._replace(step=steps[0]) for o in some])) for n, some in shares]
        )

    def _steps(self, x: Source) -> tuple[int, ...] | None:
        """The steps of what an input holds, if it has any."""
        span = self.spans[x.node]
        if span is None or (span.axis is None and self.spots[x.node] is not None and self.keys[x.node] is None):
            return None
        if self.graph.nodes[x.node].op == "unbind" and span.axis is not None and x.output is not None:
            return span.steps[x.output : x.output + 1]
        return span.steps

    # ---- values that arrive ---------------------------------------------------------------------------------

    def _arrive(self, node: GraphNode, key: Key, x: Source, operand: int, weights: list[int]) -> bool:
        """Draw the arrows of what comes to a box from outside; whether they carry the weights of the op."""
        spot, span = self.spots[node.id], self.spans[node.id]
        heads = (spot.step,) if spot is not None else (None,) if span is None else span.steps
        shares, arrived = self.shares[x.node], False
        met = [origin for _, some in shares for origin in some]
        for origin in met if len(met) == 1 else dict.fromkeys(met):
            if origin.step is not None and origin.row == key and heads == (origin.step,):
                continue  # it comes from inside the box, past an op that only moves elements
            arrived = True
            tails = (origin.step,) if origin.step is not None else self._steps(x)
            every = (*origin.weights, *weights)
            if tails is None and isinstance(origin.row, int):
                if spot is not None:
                    self.loose.append(Loose(origin.row, key, spot.step, self._signature(node, key, operand), every))
                continue
            if tails is None:
                tails = tuple(self.made[origin.row].nodes)  # type: ignore[index, arg-type]
            second = spot is not None and origin.row == key and self.made[key].ran[1:] == [spot.step]
            self._link(origin, key, tails, heads, every, self._signature(node, key, operand) if second else None)
        return arrived

    def _signature(self, node: GraphNode, key: Key, operand: int) -> Signature:
        spot = self.spots[node.id]
        inner = spot.inner if spot is not None else ()
        return inner, node.op, self.made[key].met.count((inner, node.op)), operand

    def _link(
        self,
        origin: Origin,
        key: Key,
        tails: tuple[int | None, ...],
        heads: tuple[int | None, ...],
        weights: Iterable[int],
        signature: Signature | None,
    ) -> None:
        pairs = (
            list(zip(tails, heads, strict=True))
            if len(tails) == len(heads)
            else [(tail, head) for tail in tails for head in heads]
        )
        inside = origin.row == key
        same = inside or self.clock(origin.row) == self.clock(key)
        for pair in pairs:
            tail, head = pair
            if inside and tail == head:
                continue
            lag = head - tail if same and tail is not None and head is not None else None
            name = (origin.row, key, origin.part, lag)
            if (arrows := self.arrows.get(name)) is None:
                arrows = self.arrows[name] = Arrows()
            arrows.pairs[pair] = None
            for weight in weights:
                arrows.weights[weight] = None
            if signature is not None:
                self.carried.setdefault(key, {})[signature] = origin.part

    def clock(self, row: Key | int) -> int:
        """The clock of a row; -1 for one outside of time."""
        if isinstance(row, int):
            span = self.spans[row]
            return -1 if span is None else self.clocks.of(span.loop)
        if row.loop >= 0:
            return self.clocks.of(row.loop)
        span = self.spans[next(iter(self.made[row].nodes.values()))]
        return -1 if span is None else self.clocks.of(span.loop)


def _width(node: GraphNode) -> int:
    shape = node.shapes[0]
    return shape[-1] if shape else 1


def _last_slice(node: GraphNode) -> slice | None:
    """The slice that an index takes of the last dimension, if that is all it does."""
    index = node.params["index"]
    if isinstance(index, tuple) and len(index) == 2 and index[0] == "..." and isinstance(index[1], str):
        parts = [int(part) if part else None for part in index[1].split(":")]
        return slice(*parts) if len(parts) == 2 else None
    return None


def _cut(shares: Shares, cut: slice) -> Shares:
    """The shares within a slice of the last dimension."""
    total = sum(width for width, _ in shares)
    start, stop, _ = cut.indices(total)
    left, kept = 0, []
    for width, origins in shares:
        here = min(stop, left + width) - max(start, left)
        if here > 0:
            kept.append((here, origins))
        left += width
    return tuple(kept)
