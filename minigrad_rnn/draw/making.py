"""A network in the making: where values come from, and what is noted of rows and links while a graph is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from minigrad.graph import GraphNode

from ..inspect.steps import Path
from .network import Pair
from .units import Key


class Origin(NamedTuple):
    """Where a value comes from.

    Attributes:
        row: a row, or the number of a leaf or constant.
        part: which part of a state.
        weights: what it was multiplied by on the way.
        step: from which step; ``None``: from those that the value spans.
        cut: whether ``detach`` is on the way, which gradients do not pass.
    """

    row: Key | int
    part: str
    weights: tuple[int, ...] = ()
    step: int | None = None
    cut: bool = False


Shares = tuple[tuple[int, tuple[Origin, ...]], ...]  # along the last dimension: how many elements come from where
Signature = tuple[Path, "str | None", int, int]  # in a step: which op, the how-manieth of its kind, which operand


@dataclass
class Made:
    """A row in the making: for each step (``None``: outside of time) the last node, and how many there are."""

    nodes: dict[int | None, int] = field(default_factory=dict)
    ops: dict[int | None, int] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)  # name of a part of the state -> a node
    weights: dict[int, None] = field(default_factory=dict)
    ran: list[int] = field(default_factory=list)  # the steps in the order in which they ran
    met: list[tuple[Path, str | None]] = field(default_factory=list)  # the ops so far of the step that is being read
    same: dict[tuple[str, int, int | None], Shares] = field(default_factory=dict)
    idle: dict[int, tuple[int, int]] = field(default_factory=dict)  # steps where some of the sequences have no element


@dataclass
class Bundle:
    """A link in the making: the steps of tail and head of each arrow, and the weights."""

    pairs: dict[Pair, None] = field(default_factory=dict)
    weights: dict[int, None] = field(default_factory=dict)
    cuts: dict[Pair, None] = field(default_factory=dict)

    def enter(self, pairs: Iterable[Pair], weights: Iterable[int], cut: bool = False) -> None:
        """More arrows, and what the values are multiplied by."""
        for pair in pairs:
            self.pairs[pair] = None
            if cut:
                self.cuts[pair] = None
        for weight in weights:
            self.weights[weight] = None


class Loose(NamedTuple):
    """A leaf or constant that comes to a single step: an input, or the state to begin with."""

    number: int
    head: Key
    step: int
    signature: Signature
    weights: tuple[int, ...]


# of links between sequences what tells them apart: whether they come from all steps, the weights, in the end the steps;
# None: all that leads from row to row over as many steps is one link
Apart = tuple[bool, tuple[object, ...]] | None
LinkKey = tuple["Key | int", Key, str, "int | None", Apart]


def width_of(node: GraphNode) -> int:
    """The size of the last dimension."""
    shape = node.shapes[0]
    return shape[-1] if shape else 1


def last_slice(node: GraphNode) -> slice | None:
    """The slice that an index takes of the last dimension, if that is all it does."""
    index = node.params["index"]
    if isinstance(index, tuple) and len(index) == 2 and index[0] == "..." and isinstance(index[1], str):
        parts = [int(part) if part else None for part in index[1].split(":")]
        return slice(*parts) if len(parts) == 2 else None
    return None


def cut_out(shares: Shares, cut: slice) -> Shares:
    """The shares within a slice of the last dimension."""
    total = sum(width for width, _ in shares)
    start, stop, _ = cut.indices(total)
    left, kept = 0, []
    for width, origins in shares:
        here = min(stop, left + width) - max(start, left)
        if here > 0:
            kept.append((here, origins))
        left += width
    return tuple(kept)


def paired(tails: Sequence[int | None], heads: Sequence[int | None]) -> list[Pair]:
    """The arrows from steps to steps: one by one if there are as many, else from each to each."""
    if len(tails) == len(heads):
        return list(zip(tails, heads, strict=True))
    return [(tail, head) for tail in tails for head in heads]
