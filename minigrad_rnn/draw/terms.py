"""The terms of shared weights' gradients, for the aliases on their rails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import minigrad as mg
from minigrad.graph import Graph, numbered

from ..inspect.terms import norm_of, terms_of
from ..inspect.times import Times, rejoined, times
from .network import Network, Row
from .rails import Place, Rail, RailNumbers


def rail_terms(loss: mg.Tensor, graph: Graph, network: Network, rails: Sequence[Rail]) -> dict[str, RailNumbers]:
    """For each rail the norms of the terms of its weight's gradient, step by step.

    Where a weight has several rails, as one that two layers share, each has the terms of its own row. What is printed
    is the norm divided by that of the last step to run; the norm of the sum is that of the whole gradient.

    Args:
        loss: what is differentiated.
        graph: ``mg.graph(loss)``.
        network: read from it.
        rails: of the network.
    """
    reading = times(rejoined(graph))
    nodes = {number: node for node, number in numbered([loss.node]).items()}  # type: ignore[list-item]
    rows = {row.id: row for row in network.rows}
    by_weight: dict[int, list[Rail]] = {}
    for rail in rails:
        by_weight.setdefault(rail.weights[0], []).append(rail)
    found: dict[str, RailNumbers] = {}
    for number, some in by_weight.items():
        heads = [rows[head] for rail in some for head in rail.heads]
        norms: dict[Place, float] = {}
        total = None
        for place, term in terms_of(loss, nodes[number], graph, reading, partial(_row_at, heads, reading)):
            total = term if total is None else total + term
            norms[place] = norm_of(term)
        found |= {rail.id: _numbers(rail, rows, norms, 0.0 if total is None else norm_of(total)) for rail in some}
    return found


def _row_at(heads: Sequence[Row], reading: Times, place: str, loop: int) -> str:
    """The row of a place: of that name, or inside, or the innermost around it; else the first.

    Where a module is used for several sequences, it is the row with the steps of the loop.
    """
    clock = reading.clocks.of(loop) if loop >= 0 else -1
    heads = [row for row in heads if row.clock == clock] or heads
    inside = [row for row in heads if place and f"{row.place}.".startswith(f"{place}.")]
    around = [row for row in heads if row.place and f"{place}.".startswith(f"{row.place}.")]
    return max(inside or around or heads[:1], key=lambda row: len(row.place)).id


def _numbers(rail: Rail, rows: Mapping[str, Row], norms: Mapping[Place, float], total: float) -> RailNumbers:
    """The norms at the aliases of a rail, divided by that at the last that ran and that a gradient reaches."""
    known: dict[Place, float] = {}
    for head in rail.heads:
        steps = {b for link in rail.links if link.head == head for _, b in link.pairs if b is not None}
        known |= {(head, step): norms.get((head, step), 0.0) for step in sorted(steps, reverse=rows[head].reverse)}
    near = next((norm for norm in reversed(list(known.values())) if norm), 1.0)
    return RailNumbers(known, {place: norm / near for place, norm in known.items()}, total)
