"""Where the nodes of a tree stand: from left to right, nothing over anything else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..tree import Tree

SPACE = 14.0  # between what stands side by side


@dataclass
class TreeNode:
    """A node, where it stands, and its parent's number."""

    tree: Tree
    depth: int
    parent: int
    slot: int
    x: float = 0.0


def walk(tree: Tree) -> Iterator[TreeNode]:
    """The nodes in the order of :meth:`Tree.nodes`."""
    count = itertools.count()
    todo = [(tree, 0, -1, 0)]
    while todo:
        node, depth, parent, slot = todo.pop()
        number = next(count)
        yield TreeNode(node, depth, parent, slot)
        there = [(child, depth + 1, number, k) for k, child in enumerate(node.children) if child is not None]
        todo += reversed(there)


class Places:
    """Gives every node its ``x``.

    What is below a node has a span of its own, and the node stands inside it, above the middle of its children; so
    no two spans overlap, and no arrow crosses another. In a dependency tree, where words have positions, a node stands
    above its own word.

    Args:
        nodes: parents before their children.
        widths: of their boxes.
        columns: of what a node is together with its word below it.
    """

    def __init__(self, nodes: Sequence[TreeNode], widths: Sequence[float], columns: Sequence[float]) -> None:
        self.nodes, self.widths, self.columns = nodes, widths, columns
        self.below: dict[int, list[int]] = {}

    def find(self) -> None:
        """Give every node its place from left to right."""
        own = [k for k, node in enumerate(self.nodes) if node.tree.word is not None]
        if all(self.nodes[k].tree.position is not None for k in own):
            own.sort(key=lambda k: self.nodes[k].tree.position or 0)
            edge = 0.0
            for k in own:
                self.nodes[k].x = edge + self.columns[k] / 2
                edge += self.columns[k] + SPACE
            self._above(set(own), [(0.0, edge)] * len(self.nodes))
            return
        widths, spans = self._spans(), list[tuple[float, float]]()
        edges = {-1: 0.0}  # how far the span of a node is filled already
        for k, node in enumerate(self.nodes):
            left = edges[node.parent]
            spans.append((left, left + widths[k]))
            edges[node.parent] = left + widths[k] + SPACE
            edges[k] = left + (widths[k] - self._inside(k, widths)) / 2
            if k in own or node.tree.is_leaf:
                node.x = left + widths[k] / 2 if node.tree.is_leaf else edges[k] + self.columns[k] / 2
                edges[k] += self.columns[k] + SPACE
        self._above(set(own), spans)

    def _above(self, placed: set[int], spans: Sequence[tuple[float, float]]) -> None:
        """Put the nodes without a word above the middle of their children, but inside their spans."""
        children: dict[int, list[float]] = {}
        for k in reversed(range(len(self.nodes))):
            node, (left, right), half = self.nodes[k], spans[k], self.widths[k] / 2
            if k not in placed and k in children:
                middle = (min(children[k]) + max(children[k])) / 2
                node.x = max(left + half, min(right - half, middle))
            children.setdefault(node.parent, []).append(node.x)

    def _spans(self) -> list[float]:
        """How wide each node is with all that is below it."""
        widths = [0.0] * len(self.nodes)
        for k in reversed(range(len(self.nodes))):  # children before their parents
            self.below.setdefault(self.nodes[k].parent, []).append(k)
            widths[k] = max(self.columns[k], self._inside(k, widths))
        return widths

    def _inside(self, k: int, widths: Sequence[float]) -> float:
        """How wide what is below a node is, with its own word if it has children too."""
        parts = [widths[child] for child in self.below.get(k, ())]
        if parts and self.nodes[k].tree.word is not None:
            parts.append(self.columns[k])
        return sum(parts) + SPACE * (len(parts) - 1) if parts else self.columns[k]
