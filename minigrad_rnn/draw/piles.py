"""Tensors that hold the states of several layers, or directions, one behind the other: each keeps where it is from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from minigrad.graph import GraphNode, Source

from ..inspect.axes import Span
from .making import Shares

KEEPING = frozenset({"detach", "clone", "cast", "placed", "to_device"})  # moves that leave a pile as it is


class Piles:
    """What such tensors are made of.

    Args:
        spans: where time is; what is a sequence is no pile.
    """

    def __init__(self, spans: Sequence[Span | None]) -> None:
        self.spans = spans
        self._parts: dict[int, tuple[Shares, ...]] = {}

    def enter(self, node: GraphNode, seen: Callable[[Source], Shares]) -> None:
        """Note what a node piles up, hands on, or takes apart; ``seen`` tells what its inputs hold."""
        sources = [x for x in node.inputs if isinstance(x, Source)]
        if node.op in {"stack", "unsqueeze"}:
            span = self.spans[node.id]
            if node.params.get("dim", 0) == 0 and (span is None or span.axis is None):
                self._parts[node.id] = tuple(map(seen, sources))
        elif sources and (parts := self._parts.get(sources[0].node)) is not None:
            if node.op == "unbind" and node.params.get("dim", 0) == 0:
                self._parts[node.id] = parts
            elif node.op in KEEPING:
                self._parts[node.id] = tuple([_cut(part) for part in parts]) if node.op == "detach" else parts

    def output(self, x: Source) -> Shares | None:
        """What one output of a pile taken apart holds; ``None`` for anything else."""
        parts = None if x.output is None else self._parts.get(x.node)
        return None if parts is None or x.output is None else parts[x.output]

    def picked(self, node: GraphNode) -> Shares | None:
        """What an index takes from a pile, if that is one part."""
        (x,) = (x for x in node.inputs if isinstance(x, Source))
        index, parts = node.params["index"], self._parts.get(x.node)
        first = index[0] if isinstance(index, tuple) and index else index
        return parts[first] if parts is not None and type(first) is int else None


def _cut(shares: Shares) -> Shares:
    return tuple([(width, tuple([origin._replace(cut=True) for origin in some])) for width, some in shares])
