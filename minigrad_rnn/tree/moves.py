"""The ops that carry states from level to level: rows taken from where they are to where they are needed.

In a tree every node is the child of one parent. So no row is ever needed in two places, and going there and coming
back, forward and backward, is reading rows by their numbers: nothing has to be added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

import minigrad as mg
from minigrad.backend import xp

Integers = numpy.ndarray[Any, numpy.dtype[numpy.int64]]


class Moves:
    """Where rows go.

    Attributes:
        forth: for each row of the result, the row it comes from; -1: from none, it is zeros.
        back: for each row of the source, the row it goes to; -1: to none.
    """

    __slots__ = ("_on", "back", "forth")

    def __init__(self, forth: Integers, back: Integers) -> None:
        self.forth, self.back = forth, back
        self._on: dict[Any, tuple[Any, ...]] = {}

    @classmethod
    def taking(cls, forth: Integers, count: int) -> Moves:
        """Rows by number, or -1, out of ``count``."""
        back = numpy.full(count, -1)
        there = forth >= 0
        back[forth[there]] = there.nonzero()[0]
        return cls(forth, back)

    def on(self, like: Any) -> tuple[Any, ...]:
        """What :func:`_carry` needs, in arrays on the device of an array; made once."""
        module = xp(like)
        key = (module, getattr(like, "device", None))
        if key not in self._on:
            places: list[Any] = []
            for side in (self.forth, self.back):
                gaps = (side < 0).nonzero()[0]
                places += [module.asarray(side), module.asarray(gaps) if len(gaps) else None]
            self._on[key] = tuple(places)
        return self._on[key]

    def __repr__(self) -> str:
        return f"Moves({len(self.back)} rows to {len(self.forth)})"


@mg.primitive
def carry_rows(*rows: Any, moves: Moves, forth: bool = True) -> mg.Tensor:
    """The ``rows`` of all inputs, one below the other, where ``moves`` says, or from there back."""
    module = xp(rows[0])
    places = moves.on(rows[0])
    index, gaps = places[:2] if forth else places[2:]
    whole = module.concatenate(rows) if len(rows) > 1 else rows[0]
    if not len(whole):
        whole = module.zeros((1, *whole.shape[1:]), whole.dtype)
        index = module.zeros_like(index)
    out: Any = whole.take(index, 0)
    if gaps is not None:
        out[gaps] = 0
    moved: mg.Tensor = out
    return moved


@mg.defvjp_joint(carry_rows)
def _carry_back(g: Any, rows_shape: Any, moves: Moves, forth: bool) -> Any:
    whole = carry_rows(g, moves=moves, forth=not forth)
    if len(rows_shape) == 1:
        return (whole,)
    return mg.split(whole, tuple([shape[0] for shape in rows_shape]))


def carry(rows: Sequence[mg.Tensor], moves: Moves) -> mg.Tensor:
    """Rows of several tensors, as if they stood one below the other, taken to where ``moves`` says."""
    return carry_rows(*rows, moves=moves)


# ---- parents and children ----------------------------------------------------------------------------------------
#
# Children stand slot by slot: first children of all parents, then second children of all that have one, ... Parents
# stand in the order of how many children they have, the most first; so those of a slot are always the first so many.


@mg.primitive
def add_children(x: Any, /, counts: tuple[int, ...]) -> mg.Tensor:
    """For each parent the sum over its children."""
    out: mg.Tensor = x[: counts[0]].copy()
    start = counts[0]
    for count in counts[1:]:
        out[:count] += x[start : start + count]
        start += count
    return out


@mg.primitive
def to_children(x: Any, /, counts: tuple[int, ...]) -> mg.Tensor:
    """For each child what stands at its parent."""
    out: mg.Tensor = xp(x).concatenate([x[:count] for count in counts])
    return out


mg.defvjp(add_children, x=lambda g, counts: to_children(g, counts))
mg.defvjp(to_children, x=lambda g, counts: add_children(g, counts))


def total(x: mg.Tensor, counts: tuple[int, ...]) -> mg.Tensor:
    """For each parent the sum over its children, who stand slot by slot: ``counts`` tells how many in each."""
    return x if len(counts) == 1 else add_children(x, counts)


def spread(x: mg.Tensor, counts: tuple[int, ...]) -> mg.Tensor:
    """For each child what stands at its parent."""
    return x if len(counts) == 1 else to_children(x, counts)
