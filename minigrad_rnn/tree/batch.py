"""The trees of a minibatch, arranged so that all nodes of one depth are computed at once."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from typing import NamedTuple

import numpy

import minigrad as mg

from .error import TreeError
from .flat import flat
from .moves import Integers, Moves
from .tree import Label, Tree


class Level(NamedTuple):
    """The inner nodes of one depth, those with the most children first.

    Attributes:
        nodes: their numbers.
        counts: how many have a first child, how many a second, ...; missing ones are not counted.
        children: from the rows one level deeper, inner nodes and then leaves, to children slot by slot.
        inner: from children slot by slot to those rows one level deeper that are inner nodes.
    """

    nodes: Integers
    counts: tuple[int, ...]
    children: Moves
    inner: Moves


class TreeBatch:
    """Trees to be processed together.

    Nodes are numbered through all trees, in the order of :meth:`Tree.nodes`: parents before their children, children
    from left to right, one tree behind the other. That is the order of every result that has a row for each node.

    A network goes through the depths from the deepest to the roots. At each it reads the states of all children at
    once, multiplies them with its weights at once, and so on; it makes no difference in which tree a node is. As all
    children of nodes of one depth are one deeper, nothing is waited for. What has to be read where is worked out
    here, once, when it is first needed; so a batch that is used again costs nothing.

    Args:
        trees: any trees; the same one may come twice.

    Attributes:
        trees: the trees.
        sizes: the number of nodes of each.
        words: the words of all nodes that have one, in order: a network wants one input for each.
        labels: the labels of all nodes, in order.
        roots: the numbers of the roots.
        parents: for each node the number of its parent, -1 for roots.

    >>> from minigrad_rnn.tree import Tree, TreeBatch
    >>> batch = TreeBatch([Tree("S", [Tree("NP", word="It"), Tree("VP", word="works")]), Tree("UH", word="Yes")])
    >>> batch
    TreeBatch(2 trees, 4 nodes, 3 words, 2 levels)
    >>> batch.words, batch.labels, batch.roots.tolist()
    (['It', 'works', 'Yes'], ['S', 'NP', 'VP', 'UH'], [0, 3])
    """

    def __init__(self, trees: Iterable[Tree]) -> None:
        self.trees = tuple(trees)
        for i, tree in enumerate(self.trees):
            if not isinstance(tree, Tree):
                raise TreeError(f"TreeBatch: number {i} of the trees is {tree!r:.60}, not a Tree")
        arrays = [flat(tree) for tree in self.trees]
        self.sizes = [tree.size for tree in self.trees]
        starts = numpy.cumsum([0, *self.sizes])
        self.roots: Integers = starts[:-1]
        self.words: list[str] = [word for one in arrays for word in one.words]
        table = numpy.concatenate([one.table for one in arrays], 1) if arrays else numpy.empty((5, 0), numpy.int64)
        parents, self.slots, self._ranks, self.depths, has_word = table
        self.has_word = has_word.astype(bool)
        self.parents: Integers = numpy.where(parents < 0, -1, parents + numpy.repeat(self.roots, self.sizes))

    def __len__(self) -> int:
        return len(self.trees)

    @property
    def size(self) -> int:
        """The number of nodes."""
        return len(self.parents)

    @property
    def labels(self) -> list[Label]:
        """The labels of all nodes, in order."""
        return [node.label for tree in self.trees for node in tree.nodes()]

    def split(self, states: mg.Tensor) -> tuple[mg.Tensor, ...]:
        """What has a row for each node, tree by tree: ``(nodes, features)`` as a tuple of ``(size, features)``."""
        return states.split(tuple(self.sizes))

    # ---- the arrangement ----------------------------------------------------------------------------------------

    @functools.cached_property
    def _arity(self) -> Integers:
        """The number of children of each node, without those that are missing."""
        children = self.parents[self.parents >= 0]
        return numpy.bincount(children, minlength=self.size)

    @functools.cached_property
    def _order(self) -> tuple[Integers, Integers]:
        """Inner nodes by depth and by number of children; leaves by depth."""
        numbers, inner = numpy.arange(self.size), self._arity > 0
        by_level = numpy.lexsort((numbers, -self._arity, self.depths))
        return by_level[inner[by_level]], by_level[~inner[by_level]]

    @functools.cached_property
    def _counted(self) -> tuple[Integers, Integers]:
        """How many inner nodes, and how many leaves, there are at each depth."""
        depths = 1 + int(self.depths.max(initial=-1))
        inner, leaves = [numpy.bincount(self.depths[nodes], minlength=depths) for nodes in self._order]
        return inner, leaves

    @functools.cached_property
    def leaf_sizes(self) -> tuple[int, ...]:
        """The number of leaves at each depth."""
        return tuple(self._counted[1].tolist())

    @functools.cached_property
    def _rows(self) -> Integers:
        """For each node its row among those of its depth: inner nodes first."""
        rows = numpy.empty(self.size, numpy.int64)
        inner, leaves = self._counted
        for nodes, counts, before in zip(self._order, (inner, leaves), (0 * inner, inner), strict=True):
            first = numpy.cumsum(counts) - counts - before
            rows[nodes] = numpy.arange(len(nodes)) - first[self.depths[nodes]]
        return rows

    @functools.cached_property
    def levels(self) -> list[Level]:
        """The inner nodes of each depth, the roots first. The deepest nodes of all are leaves."""
        inner, leaves = self._counted
        below = (self.parents >= 0).nonzero()[0]
        order = numpy.lexsort((self._rows[self.parents[below]], self._ranks[below], self.depths[below]))
        children = _cut(below[order], (inner + leaves)[1:])
        levels = []
        for depth, (nodes, there) in enumerate(zip(_cut(self._order[0], inner), children, strict=False)):
            counts = tuple(numpy.bincount(self._ranks[there]).tolist())
            moves = Moves.taking(self._rows[there], len(there))
            onward = Moves.taking(moves.back[: int(inner[depth + 1])], len(there))
            levels.append(Level(nodes, counts, moves, onward))
        return levels

    @functools.cached_property
    def _slotted(self) -> dict[int, list[Moves]]:
        return {}

    def slotted(self, arity: int) -> list[Moves]:
        """For each level, from the rows one level deeper to ``arity`` rows for each node, zeros where none is.

        Raises:
            TreeError: a node has more children.
        """
        if arity not in self._slotted:
            widest = int(self.slots.max(initial=0))
            if widest >= arity:
                tall = self.node(int(self.parents[self.slots.argmax()]))
                raise TreeError(
                    f"{tall!r} has {len(tall.children)} children, and the network takes at most {arity}\n"
                    "  hint: tree.binarized() has at most 2; a child-sum network takes any number"
                )
            self._slotted[arity] = [self._slotted_level(level, arity) for level in self.levels]
        return self._slotted[arity]

    def _slotted_level(self, level: Level, arity: int) -> Moves:
        there = level.children.back  # the number of each row among the children, slot by slot
        forth = numpy.full(len(level.nodes) * arity, -1)
        nodes = self._children_of(level)
        places = self._rows[self.parents[nodes]] * arity + self.slots[nodes]
        forth[places] = self._rows[nodes]
        return Moves.taking(forth, len(there))

    def _children_of(self, level: Level) -> Integers:
        """The numbers of the children of a level, slot by slot."""
        depth = int(self.depths[level.nodes[0]]) + 1
        return self.by_depth[depth][level.children.forth]

    @functools.cached_property
    def by_depth(self) -> list[Integers]:
        """The numbers of the nodes of each depth, in the order of their rows."""
        inner, leaves = self._counted
        parts = zip(_cut(self._order[0], inner), _cut(self._order[1], leaves), strict=True)
        return [numpy.concatenate(pair) for pair in parts]

    def node(self, number: int) -> Tree:
        """The node of that number."""
        tree = int(numpy.searchsorted(self.roots, number, "right")) - 1
        return next(itertools.islice(self.trees[tree].nodes(), number - int(self.roots[tree]), None))

    @functools.cached_property
    def to_trees(self) -> Moves:
        """From the rows of depth 0 to the order of the trees."""
        return Moves.taking(self._rows[self.roots], len(self.roots))

    @functools.cached_property
    def to_nodes(self) -> Moves:
        """From all leaves, and the inner nodes from the deepest level to the roots, to the order of the nodes."""
        inner, leaves = self._order
        levels = _cut(inner, self._counted[0])[::-1]
        rows = numpy.concatenate([leaves, *levels])
        forth = numpy.empty(self.size, numpy.int64)
        forth[rows] = numpy.arange(self.size)
        return Moves(forth, rows)

    @functools.cached_property
    def going_down(self) -> Moves:
        """From the order of the nodes to that of a pass from the roots down: children slot by slot."""
        down = [self.by_depth[0], *map(self._children_of, self.levels)]
        return Moves.taking(numpy.concatenate(down), self.size)

    @functools.cached_property
    def inner_roots(self) -> Moves:
        """From the rows of depth 0 to those of inner nodes."""
        return Moves.taking(numpy.arange(len(self.levels[0].nodes) if self.levels else 0), len(self))

    @functools.cached_property
    def words_of_leaves(self) -> Moves:
        """From the words to the leaves."""
        return self._words_of(self._order[1])

    @functools.cached_property
    def words_of_inner(self) -> Moves | None:
        """From the words to the inner nodes, the deepest level first; ``None`` if none of them has a word."""
        inner = self._order[0]
        if not self.has_word[inner].any():
            return None
        levels = _cut(inner, self._counted[0])[::-1]
        return self._words_of(numpy.concatenate(levels))

    def _words_of(self, nodes: Integers) -> Moves:
        numbers = numpy.where(self.has_word, numpy.cumsum(self.has_word) - 1, -1)
        return Moves.taking(numbers[nodes], len(self.words))

    def __repr__(self) -> str:
        levels = 1 + int(self.depths.max(initial=-1))
        return f"TreeBatch({len(self)} trees, {self.size} nodes, {len(self.words)} words, {levels} levels)"


def _cut(values: Integers, sizes: Integers) -> list[Integers]:
    """Values in pieces of these sizes."""
    return numpy.split(values, numpy.cumsum(sizes)[:-1]) if len(sizes) else []
