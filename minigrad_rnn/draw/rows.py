"""Which row of the drawing each op belongs to: a cell, a module beside it, or an op on whole sequences."""

from __future__ import annotations

from minigrad.graph import Graph, GraphNode, Source

from ..inspect.axes import Span
from ..inspect.steps import Loop, Path, Spot
from ..inspect.times import Times
from .units import Cells, Key

# ops that only move elements, with which a reader of the network has no business
MOVES = frozenset({
    "unbind", "stack", "concat", "getitem", "select_rows", "index_select", "split", "reshape", "flatten", "unflatten",
    "squeeze", "unsqueeze", "transpose", "permute", "movedim", "broadcast_to", "cast", "clone", "placed", "flip",
    "dropout", "to_device", "detach", "passed_over",
})  # fmt: skip


MASKING = frozenset({"mul", "where"})


Rows = list["Key | None"]  # by node; None: it is drawn nowhere, arrows pass through it


def rows(graph: Graph, times: Times, reaches: list[bool]) -> Rows:
    """The row of each node: ``None`` for leaves, constants and what only moves elements."""
    loops, spots, spans = times.loops, times.spots, times.spans
    keys: Rows = [None] * len(graph)
    cells = Cells(graph, loops, spots, reaches)
    layers = {loop.place for loop in loops if loop.is_layer}
    depths = _Depths(loops, spots)
    for number, node in enumerate(graph.nodes):
        spot = spots[number]
        key = None
        op = node.op
        moved = (
            op is None
            or (op in MOVES and (op != "concat" or _aligned(node, spot is not None, spans[number])))
            or (op in MASKING and _masks(graph, node, spots, layers))
        )
        if not moved and spot is not None:
            key = cells.key_of(node, spot)
        elif not moved:
            path = tuple([name for name, _ in node.places if name])
            if not _absorbed(path, layers):
                span = spans[number]
                key = Key("whole", -1, path, 0, span is not None, -1 if span is None else times.clocks.of(span.loop))
        keys[number] = depths.enter(node, key)
    return keys


_CELL: tuple[Key | None, int] = (None, 0)  # inside a step, what is before a cell does not count


class _Depths:
    """How often the path to a node changes its row: no row may be both before and behind another one.

    The steps of a loop are as deep as what comes to any of them; inside a step, what is before it does not count.
    """

    def __init__(self, loops: list[Loop], spots: list[Spot | None]) -> None:
        self.spots = spots
        self.loops = [0] * len(loops)
        self.known: dict[int, tuple[Key | None, int]] = {}

    def enter(self, node: GraphNode, key: Key | None) -> Key | None:
        """The key with its depth, for what is no cell."""
        spots, number = self.spots, node.id
        spot = spots[number]
        if spot is not None:
            self._deepen(node, spot.loop)
        if spot is not None and key is not None and key.kind == "state":
            self.known[number] = _CELL
            return key
        below = [found for x in node.inputs if isinstance(x, Source) and (found := self._below(x.node, spot))]
        depth = max([d + (key is not None and other != key) for other, d in below], default=0)
        if below or key is not None:
            self.known[node.id] = (key or below[0][0], depth)
        return None if key is None else key._replace(depth=depth)

    def _deepen(self, node: GraphNode, loop: int) -> None:
        """The steps of a loop are as deep as what comes to any of them from outside."""
        for x in node.inputs:
            if x.__class__ is Source:
                there = self.spots[x.node]
                if there is None and x.node in self.known:
                    self.loops[loop] = max(self.loops[loop], self.known[x.node][1] + 1)
                elif there is not None and there.loop != loop:
                    self.loops[loop] = max(self.loops[loop], self.loops[there.loop])

    def _below(self, number: int, here: Spot | None) -> tuple[Key | None, int] | None:
        there = self.spots[number]
        if there is None:
            return self.known.get(number) if here is None else None
        if here is None:
            return None, self.loops[there.loop] + 1
        return self.known.get(number) if (there.loop, there.step) == (here.loop, here.step) else None


def _aligned(node: GraphNode, in_step: bool, span: Span | None) -> bool:
    """Whether a concat only moves elements. Two sequences side by side are worth a box: two directions, made one."""
    if in_step or span is None or span.axis is None:
        return True
    sources = {x.node for x in node.inputs if isinstance(x, Source)}
    dim = node.params.get("dim", 0)
    return len(sources) == 1 or (dim + len(node.shape) if dim < 0 else dim) == span.axis


def _masks(graph: Graph, node: GraphNode, spots: list[Spot | None], layers: set[Path]) -> bool:
    """Whether it is a mask on a weight, on what comes from the step before, on a sequence, or on a layer's output."""
    if node.op == "where" and spots[node.id] is None:
        mask, _, other = node.inputs
        shape = graph.nodes[mask.node].shape if isinstance(mask, Source) else ()
        return shape[-1:] == (1,) and len(shape) == len(node.shape) and not isinstance(other, Source)
    sources = [x for x in node.inputs if isinstance(x, Source)]
    kinds = [graph.nodes[x.node].kind for x in sources]
    if len(sources) != 2 or "constant" not in kinds:
        return False
    other = sources[1 - kinds.index("constant")].node
    here, there = spots[node.id], spots[other]
    if kinds[1 - kinds.index("constant")] == "leaf":
        return graph.nodes[other].shape == node.shape
    if here is not None:
        return there is not None and there.loop == here.loop and there.step != here.step
    return tuple([name for name, _ in node.places if name]) in {layer[:-1] for layer in layers}


def _absorbed(path: Path, layers: set[Path]) -> bool:
    """Whether it is part of how a layer runs its cell: its weights are told at the arrows into the cell."""
    return any(path[: len(layer)] == layer for layer in layers)
