"""A tree as arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy

from .moves import Integers
from .tree import Tree


class Flat(NamedTuple):
    """A tree as arrays: rows of parents, slots, ranks among the children that are there, depths, and has-a-word."""

    table: Integers
    words: tuple[str, ...]


def flat(tree: Tree) -> Flat:
    """A tree as arrays, made once."""
    if tree._flat is None:
        rows: list[tuple[int, int, int, int, bool]] = []
        words: list[str] = []
        todo: list[tuple[Tree, int, int, int, int]] = [(tree, -1, 0, 0, 0)]
        while todo:
            node, parent, slot, rank, depth = todo.pop()
            if node.word is not None:
                words.append(node.word)
            number = len(rows)
            rows.append((parent, slot, rank, depth, node.word is not None))
            if node.children:
                there = [pair for pair in enumerate(node.children) if pair[1] is not None]
                todo += [(child, number, k, i, depth + 1) for i, (k, child) in reversed(list(enumerate(there)))]  # type: ignore[misc]
        table = numpy.array(rows, numpy.int64).T
        object.__setattr__(tree, "_flat", Flat(table, tuple(words)))
    known: Flat = tree._flat
    return known
