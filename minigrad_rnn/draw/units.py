"""What a step is made of: cells, and other modules beside them."""

from __future__ import annotations

from typing import NamedTuple

from minigrad.graph import Graph, GraphNode, Source

from ..inspect.steps import Loop, Path, Spot, handed_on, stepped_layers

WEIGHTS = ("weights",)  # the scope of what an attention gives its memory, which is no state, though it has a name


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


class Cells:
    """Which ops of a step make up its cell, or its cells, and which are other modules beside them."""

    def __init__(self, graph: Graph, loops: list[Loop], spots: list[Spot | None], reaches: list[bool]) -> None:
        self.layers, self.reaches = [loop.is_layer for loop in loops], reaches
        self.places, self.stepped = [loop.place for loop in loops], stepped_layers(graph)
        self._layers_at: dict[tuple[int, Path], Path] = {}
        handed = reaches if all(self.layers) else handed_on(graph, spots)
        carried: dict[int, set[str]] = {}
        named: dict[int, set[str]] = {}
        for node in graph:
            if node.name and (spot := spots[node.id]) is not None and spot.inner[-1:] != WEIGHTS:
                (carried if handed[node.id] else named).setdefault(spot.loop, set()).add(node.name)
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
            spot = spots[node.id] if node.name else None
            if node.name and spot is not None and self.is_state(node, spot) and not self.layer_at(spot):
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
        """Whether an op gives a part of a state."""
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
        """The row of an op."""
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
            if layer or gate or spot.inner[:1] == prefix:
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


def continues(loops: list[Loop], row: Key | int, key: Key) -> bool:
    """Whether a row is the same cell as another one, maybe in another run.

    The states of all layers come in one tensor.
    """
    if isinstance(row, int) or row.kind != key.kind or row.loop < 0 or key.loop < 0:
        return True
    return (loops[row.loop].place, row.path) == (loops[key.loop].place, key.path)
