"""Which dimension of a tensor is time: of the tensors between the layers, which hold all steps at once."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from minigrad.graph import Graph, GraphNode, Source

from .steps import Loop, Spot

Shape = tuple[int, ...]


class Span(NamedTuple):
    """The steps that a tensor holds, along a dimension of it; without a dimension, it belongs to a single step.

    ``loop`` is a loop whose steps these are.
    """

    axis: int | None
    steps: tuple[int, ...]
    loop: int


class Clocks:
    """Which loops go through the same steps: those of layers on top of each other, and of two directions."""

    def __init__(self, loops: Sequence[Loop]) -> None:
        self._parent = list(range(len(loops)))

    def of(self, loop: int) -> int:
        """The first of the loops that go with a loop."""
        while self._parent[loop] != loop:
            loop = self._parent[loop]
        return loop

    def join(self, a: int, b: int) -> None:
        """Two loops go through the same steps."""
        first, second = sorted((self.of(a), self.of(b)))
        self._parent[second] = first


def spans(
    graph: Graph, loops: Sequence[Loop], spots: Sequence[Spot | None], falling: Collection[int] = ()
) -> tuple[list[Span | None], Clocks, set[int]]:
    """Where time is in the tensors of a graph.

    What a loop takes apart, step by step, and what is put together from its steps has time as a dimension; from there
    it is followed back and on.

    Args:
        graph: the data.
        loops: from :func:`~minigrad_rnn.draw.steps.locate`.
        spots: likewise.
        falling: loops for which the sequence they read was turned round, and that count their steps from its end.

    Returns:
        The span of each node, ``None`` where time is no dimension of it; which loops share their steps; and which count
        them from the end of the others, because they read a sequence that was turned round for them.
    """
    found: list[Span | None] = [None] * len(graph)
    clocks, turned = Clocks(loops), set[int]()
    single: dict[tuple[int, int], Span] = {}
    for number, spot in enumerate(spots):
        if spot is not None and (span := single.get((spot.loop, spot.step))) is None:
            span = single[spot.loop, spot.step] = Span(None, (spot.step,), spot.loop)
        found[number] = None if spot is None else span
    for node in reversed(graph.nodes):
        if found[node.id] is not None:
            _back(graph, node, found, clocks, spots, falling)
    for node in graph:
        if node.kind == "op" and spots[node.id] is None:
            after, before = _forth(graph, node, found), found[node.id]
            others = [found[x.node] for x in node.inputs if isinstance(x, Source)] if node.op != "stack" else []
            for other in (before, *others) if after is not None else ():
                _compare(after, other, before, clocks, turned)
            found[node.id] = after or before
    for a, b in _met(graph, spots) if len(loops) > 1 else ():
        clocks.join(a, b)
    return found, clocks, turned


def _compare(after: Span | None, other: Span | None, before: Span | None, clocks: Clocks, turned: set[int]) -> None:
    """Two spans that meet are of the same steps, or one of them goes the other way."""
    if after is None or other is None or not _alike(after, other) or after.loop == other.loop:
        return
    if after.steps == other.steps:
        clocks.join(after.loop, other.loop)
    elif after.steps == other.steps[::-1]:
        descending = after if after.steps[0] > after.steps[-1] else other
        turned.add(other.loop if other is before else descending.loop)


def unturned(spots: Sequence[Spot | None], falling: Collection[int]) -> list[Spot | None]:
    """The spots with the steps of some loops counted from the end."""
    last: dict[int, int] = {}
    for spot in spots:
        if spot is not None:
            last[spot.loop] = max(last.get(spot.loop, 0), spot.step)
    return [
        spot._replace(step=last[spot.loop] - spot.step) if spot is not None and spot.loop in falling else spot
        for spot in spots
    ]


def _alike(a: Span, b: Span) -> bool:
    return a.axis is not None and b.axis is not None and len(a.steps) == len(b.steps)


def _met(graph: Graph, spots: Sequence[Spot | None]) -> list[tuple[int, int]]:
    """Pairs of loops of which one uses what the other made at the same step, and at no other."""
    pairs: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for node in graph:
        here = spots[node.id]
        for x in node.inputs if here is not None else ():
            if isinstance(x, Source) and (there := spots[x.node]) is not None and there.loop != here.loop:  # type: ignore[union-attr]
                pairs.setdefault((there.loop, here.loop), []).append((there.step, here.step))  # type: ignore[union-attr]
    return [loops for loops, steps in pairs.items() if all(a == b for a, b in steps)]


def _back(
    graph: Graph,
    node: GraphNode,
    found: list[Span | None],
    clocks: Clocks,
    spots: Sequence[Spot | None],
    falling: Collection[int],
) -> None:
    """Tell the inputs of a node what is known of it."""
    here = found[node.id]
    if here is None or node.kind != "op":
        return
    for position, x in enumerate(node.inputs):
        if not isinstance(x, Source) or spots[x.node] is not None:
            continue
        source = graph.nodes[x.node]
        if source.op == "unbind" and here.axis is None:
            way = -1 if here.loop in falling else 1
            span: Span | None = _taken_apart(source, x.output or 0, here, found[x.node], way)
        elif node.op == "unbind" and spots[node.id] is None and here.axis is not None:
            span = here
        elif spots[node.id] is not None or (position and (source.kind == "leaf" or node.op == "dropout")):
            continue
        else:
            span = _moved_back(node, source.shape, here)
        before = found[x.node]
        if span is not None and before is not None and _alike(before, span):
            clocks.join(before.loop, span.loop)
        found[x.node] = before or span


def _taken_apart(node: GraphNode, output: int, user: Span, before: Span | None, way: int) -> Span:
    """The span of what is taken apart into single steps, one of which goes to ``user``."""
    if before is not None:
        return before
    dim = node.params.get("dim", 0)
    rank = len(node.shape) + 1
    first = user.steps[0] - way * output
    return Span(dim % rank, tuple(range(first, first + way * len(node.shapes), way)), user.loop)


def _forth(graph: Graph, node: GraphNode, found: list[Span | None]) -> Span | None:
    """The span of what an op makes of tensors whose spans are known."""
    inputs = [(found[x.node], graph.nodes[x.node].shape, x) for x in node.inputs if isinstance(x, Source)]
    if node.op == "stack" and inputs:
        return _put_together(node, [span for span, _, _ in inputs])
    for span, shape, x in inputs:
        if span is None:
            continue
        if span.axis is None:
            return span if len(inputs) == 1 or all(s is None or s.axis is None for s, _, _ in inputs) else None
        if graph.nodes[x.node].op == "unbind":
            return Span(None, span.steps[x.output or 0 :][:1], span.loop)
        after = _moved(node, shape, span)
        if after is not None:
            return after
    return None


def _put_together(node: GraphNode, parts: list[Span | None]) -> Span | None:
    steps = [part.steps[0] for part in parts if part is not None and part.axis is None]
    loops = {part.loop for part in parts if part is not None}
    if len(steps) != len(parts) or len(loops) != 1 or len(set(steps)) != len(steps):
        return None
    return Span(node.params.get("dim", 0) % len(node.shape), tuple(steps), loops.pop())


def _moved(node: GraphNode, before: Shape, span: Span) -> Span | None:
    """Where time is after an op, if it was at ``span`` in an input of shape ``before``."""
    axis, after = span.axis or 0, node.shape
    if node.op == "unbind":
        return span if node.params.get("dim", 0) % len(before) == axis else None
    if node.op in {"transpose", "permute", "movedim", "_permute"}:
        return span._replace(axis=_order(node, len(before)).index(axis))
    if node.op == "getitem":
        return _picked(node, span)
    if node.op == "flip" and axis in [dim % len(before) for dim in _tuple(node.params.get("dims", ()))]:
        return span._replace(steps=span.steps[::-1])
    return _kept(before, after, span)


def _moved_back(node: GraphNode, before: Shape, span: Span) -> Span | None:
    """Where time is in an input of shape ``before``, if it is at ``span`` in the result."""
    if span.axis is None:
        return None
    if node.op in {"transpose", "permute", "movedim", "_permute"}:
        return span._replace(axis=_order(node, len(before))[span.axis])
    if node.op in {"getitem", "flip", "stack", "split"}:
        return None
    return _kept(node.shape, before, span)


def _kept(before: Shape, after: Shape, span: Span) -> Span | None:
    """The dimension of the same length with as many elements in front of it, counted from the front or the end."""
    axis = span.axis or 0
    length = before[axis]
    if axis < len(after) and after[axis] == length and math.prod(after[:axis]) == math.prod(before[:axis]):
        return span
    from_end = axis - len(before)
    if -from_end <= len(after) and after[from_end] == length and len(after) > len(before):
        return span._replace(axis=from_end + len(after))
    for i, size in enumerate(after):
        if size == length and math.prod(after[:i]) == math.prod(before[:axis]):
            return span._replace(axis=i)
    return None


def _order(node: GraphNode, rank: int) -> list[int]:
    """For each dimension of the result, which dimension of the input it was."""
    order = list(range(rank))
    if node.op == "transpose":
        a, b = node.params["dim0"] % rank, node.params["dim1"] % rank
        order[a], order[b] = order[b], order[a]
        return order
    if "dims" in node.params:
        return [dim % rank for dim in node.params["dims"]]
    return order


def _tuple(value: object) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,) if isinstance(value, int) else ()


def _picked(node: GraphNode, span: Span) -> Span | None:
    """What an index leaves of time: a step, some steps, or all."""
    index = node.params["index"]
    index = index if isinstance(index, tuple) else (index,)
    axis, before = span.axis or 0, 0
    if "..." in index:
        index = index[: index.index("...")]
    for i, item in enumerate(index):
        if i == axis:
            return _at(item, span, before)
        if isinstance(item, str) and ":" in item:
            before += 1
        elif not isinstance(item, int):
            return None
    return span._replace(axis=axis - (len(index) - before) if len(index) <= axis else axis)


def _at(item: object, span: Span, axis: int) -> Span | None:
    if isinstance(item, int) and not isinstance(item, bool):
        return Span(None, (span.steps[item],), span.loop)
    if isinstance(item, str) and ":" in item:
        parts = [int(part) if part else None for part in item.split(":")]
        return Span(axis, span.steps[slice(*parts)], span.loop)
    return None
