"""Which row of the drawing each op belongs to: a cell, a module beside it, or an op on whole sequences."""

from __future__ import annotations

from typing import NamedTuple

from minigrad.graph import Graph, GraphNode, Source

from ..inspect.axes import Span
from ..inspect.steps import Loop, Path, Spot, stepped_layers
from ..inspect.times import Times

# ops that only move elements, with which a reader of the network has no business
MOVES = frozenset({
    "unbind", "stack", "concat", "getitem", "select_rows", "index_select", "split", "reshape", "flatten", "unflatten",
    "squeeze", "unsqueeze", "transpose", "permute", "movedim", "broadcast_to", "cast", "clone", "placed", "flip",
    "dropout", "to_device", "detach", "passed_over",
})  # fmt: skip


MASKING = frozenset({"mul", "where"})


class Key(NamedTuple):
    """What tells rows apart. ``kind`` is ``"state"``, ``"beside"`` (in a step, but no cell) or ``"whole"``.

    Whole sequences have the clock of the loop whose steps are theirs.
    """

    kind: str
    loop: int
    path: Path
    depth: int = 0
    timed: bool = True
    clock: int = -1


Rows = list["Key | None"]  # by node; None: it is drawn nowhere, arrows pass through it


def rows(graph: Graph, times: Times, reaches: list[bool]) -> Rows:
    """The row of each node: ``None`` for leaves, constants and what only moves elements."""
    loops, spots, spans = times.loops, times.spots, times.spans
    keys: Rows = [None] * len(graph)
    cells = _Cells(graph, loops, spots, reaches)
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
        if spot is not None and key is not None and key.kind == "state":
            for x in node.inputs:
                if x.__class__ is Source and spots[x.node] is None and x.node in self.known:
                    self.loops[spot.loop] = max(self.loops[spot.loop], self.known[x.node][1] + 1)
            self.known[number] = _CELL
            return key
        below = [found for x in node.inputs if isinstance(x, Source) and (found := self._below(x.node, spot))]
        depth = max([d + (key is not None and other != key) for other, d in below], default=0)
        if below or key is not None:
            self.known[node.id] = (key or below[0][0], depth)
        return None if key is None else key._replace(depth=depth)

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


WEIGHTS = ("weights",)  # the scope of what an attention gives its memory, which is no state, though it has a name


class _Cells:
    """Which ops of a step make up its cell, or its cells, and which are other modules beside them."""

    def __init__(self, graph: Graph, loops: list[Loop], spots: list[Spot | None], reaches: list[bool]) -> None:
        self.layers, self.reaches = [loop.is_layer for loop in loops], reaches
        self.places, self.stepped = [loop.place for loop in loops], stepped_layers(graph)
        self._layers_at: dict[tuple[int, Path], Path] = {}
        carried: dict[int, set[str]] = {}
        named: dict[int, set[str]] = {}
        for node in graph:
            if node.name and (spot := spots[node.id]) is not None and spot.inner[-1:] != WEIGHTS:
                (carried if reaches[node.id] else named).setdefault(spot.loop, set()).add(node.name)
        self.names = {**named, **carried}  # a single step carries nothing: what has a name must be the state
        unnamed = any(loop not in self.names for loop in range(len(loops)))
        self.carries = _carries(graph, spots) if unnamed else set()
        self.level = self._levels(graph, spots)
        self.feeds: list[Path | None] = [None] * len(graph)
        self.from_state = [False] * len(graph)
        self.prefix: dict[tuple[int, Path], Path] = {}
        self._known: dict[tuple[object, ...], Key] = {}
        self._trace(graph, spots)

    def _levels(self, graph: Graph, spots: list[Spot | None]) -> dict[int, int]:
        """For each loop how many names inside its steps it takes to tell its cells apart: 0 if there is one."""
        met: dict[int, dict[tuple[int, str], list[Path]]] = {}
        for node in graph:
            if node.name and (spot := spots[node.id]) is not None and self.is_state(node, spot) and not self.layer_at(spot):
                met.setdefault(spot.loop, {}).setdefault((spot.step, node.name), []).append(spot.inner)
        levels = {}
        for loop, groups in met.items():
            several = next((paths for paths in groups.values() if len(paths) > 1), [()])
            deepest = max(map(len, several))
            fitting = (d for d in range(deepest + 1) if len({path[:d] for path in several}) == len(several))
            levels[loop] = next(fitting, 0)
        return levels

    def layer_at(self, spot: Spot) -> Path:
        """The way inside a step to the layer that runs a step of its own there, if any does."""
        if not self.stepped:
            return ()
        known = self._layers_at.get((spot.loop, spot.inner))
        if known is None:
            place, inner = self.places[spot.loop], spot.inner
            parts = (inner[: n + 1] for n in range(len(inner)) if (*place, *inner[: n + 1]) in self.stepped)
            known = self._layers_at[spot.loop, inner] = next(parts, ())
        return known

    def is_state(self, node: GraphNode, spot: Spot) -> bool:
        names = self.names.get(spot.loop)
        if names:
            return node.name in names
        return self.reaches[node.id] or (spot.loop, spot.inner, node.op, node.shape) in self.carries

    def _trace(self, graph: Graph, spots: list[Spot | None]) -> None:
        feeds, from_state = self.feeds, self.from_state
        for number in range(len(spots) - 1, -1, -1):
            here = spots[number]
            if here is None:
                continue
            node = graph.nodes[number]
            if self.is_state(node, here):
                unit = feeds[number] = self.layer_at(here) or here.inner[: self.level.get(here.loop, 0)]
                known = self.prefix.get((here.loop, unit))
                if known != here.inner:
                    self.prefix[here.loop, unit] = here.inner if known is None else _common(known, here.inner)
            for x in node.inputs if feeds[number] is not None else ():
                there = spots[x.node] if x.__class__ is Source else None
                if there is not None and there.step == here.step and there.loop == here.loop:
                    feeds[x.node] = feeds[number]
        for number, here in enumerate(spots):
            if here is None:
                continue
            for x in graph.nodes[number].inputs:
                there = spots[x.node] if x.__class__ is Source else None
                if there is not None and there.loop == here.loop and (there.step != here.step or from_state[x.node]):
                    from_state[number] = True
                    break

    def key_of(self, node: GraphNode, spot: Spot) -> Key:
        number = node.id
        told = (spot.loop, spot.inner, self.feeds[number], self.from_state[number], node.op == "where" and number)
        if (key := self._known.get(told)) is None:
            key = self._known[told] = self._key(node, spot)
        return key

    def _key(self, node: GraphNode, spot: Spot) -> Key:
        loop, layer = spot.loop, self.layers[spot.loop]
        if at := self.layer_at(spot):
            return Key("state", loop, at)
        unit = self.feeds[node.id]
        if unit and (*self.places[loop], *unit) in self.stepped:
            return Key("beside", loop, spot.inner[:1])
        inside = spot.inner[: self.level.get(loop, 0)]
        if (loop, inside) in self.prefix and inside:
            return Key("state", loop, inside)
        if unit is not None:
            prefix = self.prefix[loop, unit][:1]
            gate = bool(spot.inner) and _is_gate(spot.inner[0]) and self.from_state[node.id]
            if layer or gate or not spot.inner or spot.inner[:1] == prefix:
                return Key("state", loop, unit or self._cell(loop))
        elif node.op == "where" and (layer or self.reaches[node.id]) and (loop, ()) in self.prefix:
            return Key("state", loop, self._cell(loop))
        return Key("beside", loop, spot.inner[:1])

    def _cell(self, loop: int) -> Path:
        """The module that is the only cell of a loop of one's own; a layer goes by its own name."""
        return () if self.layers[loop] else self.prefix[loop, ()][:1]


def _is_gate(scope: str) -> bool:
    """Whether a scope is part of a cell that is written out in a loop, by its name."""
    return scope.endswith("gate") or scope in {"candidate", "cell", "transition", "input"}


def _carries(graph: Graph, spots: list[Spot | None]) -> set[tuple[object, ...]]:
    """What kinds of ops hand something on to the next step: in the last step, they are the state too."""
    found: set[tuple[object, ...]] = set()
    for node in graph:
        here = spots[node.id]
        for x in node.inputs if here is not None else ():
            there = spots[x.node] if isinstance(x, Source) else None
            if here is not None and there is not None and there.loop == here.loop and there.step != here.step:
                source = graph.nodes[x.node]
                found.add((there.loop, there.inner, source.op, source.shape))
    return found


def _common(a: Path, b: Path) -> Path:
    n = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return a[:n]
