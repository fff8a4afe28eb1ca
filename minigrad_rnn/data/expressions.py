"""Expressions with known values, as trees."""

from __future__ import annotations

import operator

import numpy

from ..tree import Tree

OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def expressions(count: int, depth: int = 4, seed: int = 0) -> list[Tree]:
    """Expressions of one-digit numbers, calculated modulo 10, at most ``depth`` deep.

    The label of a node is its value; its children are two expressions and, between them, a leaf with the operator.

    >>> from minigrad_rnn.tree import format_tree
    >>> format_tree(expressions(1, depth=2, seed=2)[0])
    '(4 (2 2) * (7 (0 0) - (3 3)))'
    """
    rng = numpy.random.default_rng(seed)
    return [_expression(rng, depth) for _ in range(count)]


def _expression(rng: numpy.random.Generator, depth: int, root: bool = True) -> Tree:
    if depth == 0 or (not root and rng.random() < 0.3):
        digit = str(rng.integers(10))
        return Tree(digit, word=digit)
    word = str(rng.choice(list(OPERATORS)))
    left, right = (_expression(rng, depth - 1, False) for _ in range(2))
    value = OPERATORS[word](int(str(left.label)), int(str(right.label))) % 10
    return Tree(str(value), [left, Tree(word=word), right])
