"""Which leaves and constants are data, as opposed to parameters, masks and the like."""

from __future__ import annotations

from collections.abc import Sequence

from minigrad.graph import Graph, Source

from ..inspect.axes import Span
from ..inspect.steps import Spot
from .units import Key

Uses = dict[int, int]  # for each loop the only step of it


def data_of(
    graph: Graph, spots: Sequence[Spot | None], spans: Sequence[Span | None], keys: Sequence[Key | None]
) -> set[int]:
    """The leaves and constants that a network reads: sequences, and what comes to a single step only.

    A parameter comes to every step, or to none. The first states of several layers may be one tensor, which comes to
    the first step of each.
    """
    uses = _uses(graph, spots, keys)
    lengths: dict[int, set[int]] = {}
    for spot in spots:
        if spot is not None:
            lengths.setdefault(spot.loop, set()).add(spot.step)
    found = set()
    for node in graph:
        if node.kind == "op" or node.dtype == "bool" or not node.shape:
            continue
        span, mine = spans[node.id], uses.get(node.id)
        if (span is not None and span.axis is not None) or (
            mine and (node.kind == "constant" or all(len(lengths[loop]) > 1 for loop in mine))
        ):
            found.add(node.id)
    return found


def _uses(graph: Graph, spots: Sequence[Spot | None], keys: Sequence[Key | None]) -> dict[int, Uses | None]:
    """Where each node is used, past what only moves elements; ``None``: outside of steps, or at several of a loop."""
    uses: dict[int, Uses | None] = {}
    for node in reversed(graph.nodes):
        spot = spots[node.id]
        if node.kind != "op":
            continue
        if spot is not None:
            mine: Uses | None = {spot.loop: spot.step}
        else:
            mine = uses.get(node.id, {}) if keys[node.id] is None else None
        for x in node.inputs:
            if isinstance(x, Source) and spots[x.node] is None and keys[x.node] is None:
                uses[x.node] = _together(uses.get(x.node, {}), mine)
    return uses


def _together(a: Uses | None, b: Uses | None) -> Uses | None:
    if a is None or b is None:
        return None
    return {**a, **b} if all(a.get(loop, step) == step for loop, step in b.items()) else None
