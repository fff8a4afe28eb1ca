"""The way that something which is not finite took through a graph: from where it came in to where it ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ..graph import Edge, Graph


@dataclass(frozen=True)
class Trail:
    """Where something that is not finite came into a graph, and its way from there.

    Attributes:
        first: the number of the node; ``None`` if everything is finite.
        edges: between nodes that are not finite, on the ways from there: of values to an output (none if it reaches
            no output), of gradients to the leaves.
        culprit: of gradients, the number of the op that sent it although what had arrived there was finite.
    """

    first: int | None
    edges: tuple[Edge, ...]
    culprit: int | None = None


def find_trail(graph: Graph, values: Mapping[int, float]) -> Trail:
    """The trail of the first node that is not finite, among those that reach an output if there are any.

    What is meant to be infinite, as a mask is before a softmax, makes no output bad, so that it is passed over where
    something else does.
    """
    bad = {number for number, value in values.items() if not math.isfinite(value)}
    edges = [edge for edge in graph.edges if edge.source in bad and edge.target in bad]
    leads = {output.node for output in graph.outputs} & bad  # to an output, all the way through bad ones
    for edge in reversed(edges):
        if edge.target in leads:
            leads.add(edge.source)
    first = min(leads or bad, default=None)
    follows = {first}
    way = []
    for edge in edges:
        if edge.source in follows:
            follows.add(edge.target)
            way += [edge] if edge.target in leads else []
    return Trail(first, tuple(way))


def find_trail_back(graph: Graph, norms: Mapping[int, float]) -> Trail:
    """The same of gradients: from the node where backward comes by first, against the arrows."""
    bad = {number for number, norm in norms.items() if not math.isfinite(norm)}
    first = max(bad, default=None)
    senders = [edge.target for edge in graph.edges if edge.source == first and edge.target in norms]
    follows = {first}
    way = []
    for edge in reversed(graph.edges):
        if edge.target in follows and edge.source in bad:
            follows.add(edge.source)
            way.append(edge)
    return Trail(first, tuple(way), max(senders, default=None))
