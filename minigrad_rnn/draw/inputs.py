"""Which leaves and constants are data, as opposed to parameters, masks and the like."""

from __future__ import annotations

from collections.abc import Sequence

from minigrad.graph import Graph, Source

from ..inspect.axes import Span
from ..inspect.steps import Spot
from .rows import Key

Use = tuple[int, int]  # a loop and a step


def data_of(
    graph: Graph, spots: Sequence[Spot | None], spans: Sequence[Span | None], keys: Sequence[Key | None]
) -> set[int]:
    """The leaves and constants that a network reads: sequences, and what comes to a single step only.

    A parameter comes to every step, or to none.
    """
    uses: dict[int, set[Use | None]] = {}
    for node in reversed(graph.nodes):
        spot = spots[node.id]
        if node.kind != "op":
            continue
        if spot is None and keys[node.id] is None:
            mine = uses.get(node.id, set())
        else:
            mine = {None if spot is None else (spot.loop, spot.step)}
        for x in node.inputs:
            if isinstance(x, Source) and spots[x.node] is None and keys[x.node] is None:
                uses.setdefault(x.node, set()).update(list(mine)[:2])
    lengths: dict[int, set[int]] = {}
    for spot in spots:
        if spot is not None:
            lengths.setdefault(spot.loop, set()).add(spot.step)
    found = set()
    for node in graph:
        if node.kind == "op" or node.dtype == "bool" or not node.shape:
            continue
        span, mine = spans[node.id], uses.get(node.id, set())
        if (span is not None and span.axis is not None) or (
            len(mine) == 1
            and (use := next(iter(mine))) is not None
            and (node.kind == "constant" or len(lengths[use[0]]) > 1)
        ):
            found.add(node.id)
    return found
