"""Edges that are more than one rule and one gradient: of ops with a joint rule, and of ops with several outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from . import backend
from .node import Freed, Handle, Node
from .op import Op, Rule


class Joint:
    """The edges of a call with one rule for all inputs.

    In each pass over them the rule runs once, when the first of its parts is asked for; nothing of it is kept for the
    next pass.
    """

    __slots__ = ("kept", "rule", "sources")

    def __init__(self, rule: Rule, kept: tuple[Any, ...], sources: Sequence[tuple[Node, int]]) -> None:
        self.rule, self.kept, self.sources = rule, kept, sources

    def __iter__(self) -> Iterator[tuple[Node, Rule, Any]]:
        parts: list[Any] = []
        return iter([(node, self._part, (i, parts)) for node, i in self.sources])

    def _part(self, g: Any, position: int, parts: list[Any]) -> Any:
        if not parts:
            parts += self.rule(g, *self.kept)
        return parts[position]


class Slots:
    """The cotangent of an op with several outputs: what has arrived for each of them, zeros for the rest."""

    __slots__ = ("_arrived", "dtype", "shape")

    def __init__(self, arrived: dict[int, Any], shape: Any, dtype: Any) -> None:
        self._arrived, self.shape, self.dtype = arrived, shape, dtype

    def __getitem__(self, i: int) -> Any:
        if not -len(self.shape) <= i < len(self.shape):
            raise IndexError(i)
        i %= len(self.shape)
        if i in self._arrived:
            return self._arrived[i]
        like = next(iter(self._arrived.values()))
        return backend.xp(like._data if isinstance(like, Handle) else like).zeros(self.shape[i], dtype=self.dtype[i])

    def __len__(self) -> int:
        return len(self.shape)

    def __contains__(self, i: int) -> bool:
        """Whether anything has arrived for an output: ``g[i]`` would be zeros otherwise."""
        return i in self._arrived

    def __add__(self, other: Slots) -> Slots:
        merged = Slots(dict(self._arrived), self.shape, self.dtype)
        merged += other
        return merged

    def __iadd__(self, other: Slots) -> Slots:
        """In place: an op of thousands of outputs would otherwise be copied for each of them."""
        for i, g in other._arrived.items():
            self._arrived[i] = self._arrived[i] + g if i in self._arrived else g
        return self


def kept_by_rules(edges: Any) -> list[tuple[Rule, tuple[Any, ...]]]:
    """Each rule that a node's edges would run with what it keeps: none where a backward pass has freed them."""
    if isinstance(edges, Freed):
        return []
    return [(edges.rule, edges.kept)] if isinstance(edges, Joint) else [(rule, kept) for _, rule, kept in edges]


def slot(g: Any, index: int, node: Node) -> Slots:
    """The rule of one output of an op with several: its cotangent goes into its slot of the op's."""
    return Slots({index: g}, node.shape, node.dtype)


def output(x: Any, /, index: int) -> Any:
    """Output number ``index`` of an op that has several."""
    return x[index]


OUTPUT = Op(output, views=True)
