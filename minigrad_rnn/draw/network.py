"""A recurrent network as plain data: rows of boxes over time, and what links the rows.

Read from a graph by :func:`minigrad_rnn.draw.assemble.read`, it keeps neither nodes nor arrays alive. Each row is
one box per time step, or a single box outside of time; each link stands for the arrows between two rows at all steps.
So the folded network is as good as drawn: a box for each row, an arrow for each link.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Pair = tuple["int | None", "int | None"]  # the steps of the tail and of the head of an arrow; None: outside of time


class Weight(NamedTuple):
    """A parameter: the number of its node in the graph, its name, as much of it as tells it apart, and its shape."""

    node: int
    name: str
    short: str
    shape: tuple[int, ...]


def short_names(names: Sequence[str]) -> list[str]:
    """The ends of the names, as long as it takes to tell them apart.

    >>> short_names(["lm.out.weight", "lm.rnn.weight_hh_l0", "cells.0.weight_hh.1"])
    ['out.weight', 'weight_hh_l0', 'weight_hh.1']
    >>> short_names(["s.encoder.weight_hh_l0", "s.decoder.weight_hh_l0"])
    ['encoder.weight_hh_l0', 'decoder.weight_hh_l0']
    """
    pieces = [name.split(".") for name in names]
    lengths = [_needed(piece) for piece in pieces]
    while True:
        shorts = [".".join(piece[-length:]) for piece, length in zip(pieces, lengths, strict=True)]
        counts = Counter(shorts)
        longer = [
            min(n + (counts[short] > 1 or short[:1].isdigit()), len(p))
            for short, n, p in zip(shorts, lengths, pieces, strict=True)
        ]
        if longer == lengths:
            return shorts
        lengths = longer


def _needed(pieces: list[str]) -> int:
    """How many pieces say anything: ``weight`` alone does not."""
    length = 1
    while length < len(pieces) and (pieces[-length].isdigit() or pieces[-length] in {"weight", "bias"}):
        length += 1
    return length


@dataclass(frozen=True, slots=True)
class Row:
    """Boxes of one kind, one for each step.

    Attributes:
        id: the same on every run.
        kind: ``"input"``, ``"state"`` (a cell), ``"start"`` (a state to begin with), ``"op"`` (between layers, above
            them, or beside), ``"output"`` or ``"loss"``.
        place: where in the model it is computed: ``lstm.layer0``.
        title: what it computes, if it is no cell.
        parts: names of the parts of the state of a cell.
        clock: rows whose steps are the same steps share a clock.
        steps: at which steps there is a box, ascending; none: there is a single box, outside of time.
        reverse: whether the state goes from the last step to the first.
        shape: of what it puts out at one step.
        ops: how many ops a box stands for.
        weights: parameters that no link carries.
        nodes: for each step (or alone) the number of the node in the graph that the row puts out.
        idle: where some of the sequences have no element: how many have one, and how many there are.
    """

    id: str
    kind: str
    place: str
    title: str
    parts: tuple[str, ...]
    clock: int
    steps: tuple[int, ...]
    reverse: bool
    shape: tuple[int, ...]
    ops: int
    weights: tuple[int, ...]
    nodes: tuple[int, ...]
    idle: Mapping[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """Arrows from a row to a row.

    Attributes:
        tail, head: ids of the rows.
        part: which part of a state goes there, if there are several.
        weights: parameters that it is multiplied by there, or that are added.
        lag: by how many steps the head is later than the tail; ``None`` if the two have no step in common.
        pairs: the steps of tail and head of each arrow.
        cuts: those of them that no gradient passes, because what goes there was detached.
    """

    tail: str
    head: str
    part: str
    weights: tuple[int, ...]
    lag: int | None
    pairs: tuple[Pair, ...]
    cuts: tuple[Pair, ...] = ()

    @property
    def spread(self) -> bool:
        """Whether it joins steps of a sequence with several of another one, as attention does."""
        return self.lag is None and len(self.pairs) > 1 and all(None not in pair for pair in self.pairs)


def uses(links: Iterable[Link]) -> int:
    """How often what all of them are multiplied by is used; several that come to one box are put together first."""
    return len({(link.head, head) for link in links for _, head in link.pairs})


@dataclass(frozen=True, slots=True)
class Network:
    """Rows from the bottom up, links, and the parameters by the number of their nodes."""

    rows: tuple[Row, ...]
    links: tuple[Link, ...]
    weights: dict[int, Weight]

    def row(self, id: str) -> Row:
        """The row of that id."""
        return next(row for row in self.rows if row.id == id)

    def steps(self, clock: int) -> tuple[int, ...]:
        """The steps of a clock, ascending."""
        return tuple(sorted({step for row in self.rows if row.clock == clock for step in row.steps}))
