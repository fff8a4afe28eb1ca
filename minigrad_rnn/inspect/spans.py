"""Which dimension of a tensor is time: of the tensors between the layers, which hold all steps at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from minigrad.graph import Graph, GraphNode, Source

from .axes import Span, moved, moved_back
from .steps import Loop, Spot


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
        loops: from :func:`~minigrad_rnn.inspect.steps.locate`.
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
    lengths = _lengths(spots)
    users: dict[int, list[tuple[int, Span]]] = {}
    for node in reversed(graph.nodes):
        for span in _taken_apart(node, users.pop(node.id, ()), lengths, falling):
            _tell(node.id, span, found, clocks)
        if found[node.id] is not None:
            _back(graph, node, found, clocks, spots, users)
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


def _lengths(spots: Sequence[Spot | None]) -> dict[int, int]:
    """How many steps each loop has."""
    steps: dict[int, set[int]] = {}
    for spot in spots:
        if spot is not None:
            steps.setdefault(spot.loop, set()).add(spot.step)
    return {loop: len(some) for loop, some in steps.items()}


def _tell(number: int, span: Span, found: list[Span | None], clocks: Clocks) -> None:
    """Note what is known of a node; if something is already, both are of the same steps."""
    before = found[number]
    if before is not None and _alike(before, span):
        clocks.join(before.loop, span.loop)
    found[number] = before or span


def _back(
    graph: Graph,
    node: GraphNode,
    found: list[Span | None],
    clocks: Clocks,
    spots: Sequence[Spot | None],
    users: dict[int, list[tuple[int, Span]]],
) -> None:
    """Tell the inputs of a node what is known of it; of what is taken apart, ``users`` keeps who gets which part."""
    here = found[node.id]
    if here is None or node.kind != "op":
        return
    for position, x in enumerate(node.inputs):
        if not isinstance(x, Source) or spots[x.node] is not None:
            continue
        source = graph.nodes[x.node]
        span: Span | None = None
        if source.op == "unbind" and here.axis is None:
            users.setdefault(source.id, []).append((x.output or 0, here))
        elif node.op == "unbind" and spots[node.id] is None and here.axis is not None:
            span = here
        elif spots[node.id] is None and not (position and (source.kind == "leaf" or node.op == "dropout")):
            span = moved_back(node, source.shape, here)
        if span is not None:
            _tell(x.node, span, found, clocks)


def _taken_apart(
    node: GraphNode, users: Iterable[tuple[int, Span]], lengths: Mapping[int, int], falling: Collection[int]
) -> Iterator[Span]:
    """The spans of what is taken apart, for each loop that gets a part at every step.

    The states of several layers in one tensor are no sequence: all of them go to the first step.
    """
    loops: dict[int, dict[int, int]] = {}
    for output, span in users:
        loops.setdefault(span.loop, {})[span.steps[0]] = output
    for loop, outputs in loops.items():
        if len(outputs) > 1 or lengths[loop] == len(node.shapes) == 1:
            step, output = next(iter(outputs.items()))
            way = -1 if loop in falling else 1
            first = step - way * output
            steps = tuple(range(first, first + way * len(node.shapes), way))
            yield Span(node.params.get("dim", 0) % (len(node.shape) + 1), steps, loop)


def _forth(graph: Graph, node: GraphNode, found: list[Span | None]) -> Span | None:
    """The span of what an op makes of tensors whose spans are known."""
    sources = [x for x in node.inputs if isinstance(x, Source)]
    if node.op == "reshape":
        sources = [_before_reshapes(graph, x, found) for x in sources]
    inputs = [(found[x.node], graph.nodes[x.node].shape, x) for x in sources]
    if node.op == "stack" and inputs:
        return _put_together(node, [span for span, _, _ in inputs])
    if node.op == "concat" and (joined := _joined(node, [span for span, _, _ in inputs])) is not None:
        return joined
    for span, shape, x in inputs:
        if span is None:
            continue
        if span.axis is None:
            return span if len(inputs) == 1 or all(s is None or s.axis is None for s, _, _ in inputs) else None
        if graph.nodes[x.node].op == "unbind":
            return Span(None, span.steps[x.output or 0 :][:1], span.loop)
        after = moved(node, shape, span)
        if after is not None:
            return after
    return None


def _before_reshapes(graph: Graph, x: Source, found: list[Span | None]) -> Source:
    """What was made flat, and takes its shape again."""
    while found[x.node] is None and graph.nodes[x.node].op == "reshape":
        (x,) = (y for y in graph.nodes[x.node].inputs if isinstance(y, Source))
    return x


def _put_together(node: GraphNode, parts: list[Span | None]) -> Span | None:
    steps = [part.steps[0] for part in parts if part is not None and part.axis is None]
    loops = {part.loop for part in parts if part is not None}
    if len(steps) != len(parts) or len(loops) != 1 or len(set(steps)) != len(steps):
        return None
    return Span(node.params.get("dim", 0) % len(node.shape), tuple(steps), loops.pop())


def _joined(node: GraphNode, parts: list[Span | None]) -> Span | None:
    """Sequences one after the other: those at the ends are known, and what is between them follows."""
    dim = node.params.get("dim", 0) % len(node.shape)
    first, last = (parts[0], parts[-1]) if len(parts) > 1 else (None, None)
    if first is None or last is None or first.loop != last.loop or not (first.axis == last.axis == dim):
        return None
    way = 1 if last.steps[-1] >= first.steps[0] else -1
    steps = tuple(range(first.steps[0], last.steps[-1] + way, way))
    fits = steps[: len(first.steps)] == first.steps and steps[-len(last.steps) :] == last.steps
    return Span(dim, steps, first.loop) if fits and len(steps) == node.shape[dim] else None
