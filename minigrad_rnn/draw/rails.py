"""Shared weights as rails: a small alias at each step where a weight is used, and a dotted line that ties them.

Which links have a rail, and where it runs. The weight itself stands at the left end, in full.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import minigrad as mg
from minigrad.draw.sheet import text_width

from .looks import Looks
from .network import Link, Network, uses

SIZE = 9.0  # of the letters in an alias
HEIGHT, NUMBER = 15.0, 11.0  # of an alias, and as much more with a number
HEAD = 17.0  # the height of the weight in full
LONGEST = 8  # characters in an alias


Place = tuple[str, "int | None"]  # of an alias: the row that the weight leads to, and the step; None: in the strip


@dataclass(frozen=True)
class Rail:
    """One weight on its way into one row, or into those of several runs of a layer, one after the other.

    Attributes:
        id: the same on every run.
        kind: ``"up"`` (to a row from one below, at the same step) or ``"back"`` (to a row from its step before).
        heads: the rows, from left to right.
        links: the links that carry the weight there.
        weights: the matrix, or what there is instead, and all that is added.
        symbol: what the aliases say.
        text: what the weight in full says.
        depth: how far its line is below the boxes of the rows.
    """

    id: str
    kind: str
    heads: tuple[str, ...]
    links: tuple[Link, ...]
    weights: tuple[int, ...]
    symbol: str
    text: str
    depth: float

    @property
    def width(self) -> float:
        """Of an alias."""
        return max(text_width(self.symbol, SIZE) + 8, 24.0)


@dataclass(frozen=True)
class RailNumbers:
    """The terms of a weight's gradient on a rail: their norms, those in relation to the last, and that of the sum."""

    norms: Mapping[Place, float]
    ratios: Mapping[Place, float]
    total: float

    def of(self, head: str) -> dict[int, float]:
        """The ratios of the aliases that lead to a row, by step."""
        return {step: ratio for (row, step), ratio in self.ratios.items() if row == head and step is not None}


@dataclass(frozen=True)
class Layout:
    """All rails, and the room that they need.

    Attributes:
        rails: from the bottom up.
        numbers: of the aliases, by the id of the rail; none: they are of the colour of a parameter.
        room: how much is needed below the boxes of each row.
        margins: how much is needed at the left of the first step, by clock.
        space: how much more is needed between two steps.
    """

    rails: tuple[Rail, ...] = ()
    numbers: Mapping[str, RailNumbers] = field(default_factory=dict)
    room: Mapping[str, float] = field(default_factory=dict)
    margins: Mapping[int, float] = field(default_factory=dict)
    space: float = 0.0


def on_rails(weights: str | None, color_by: Any, view: str) -> bool:
    """Whether weights are drawn as rails, by the options of ``draw``.

    Raises:
        GraphError: the options do not go together.
    """
    terms = isinstance(color_by, str) and color_by == "terms"
    if weights is not None and not (isinstance(weights, str) and weights in ("color", "rail")):
        raise mg.GraphError(f'draw: weights is "color" or "rail", not {weights!r}')
    if weights == "rail" and view != "unrolled":
        raise mg.GraphError(f'draw: weights="rail" is for the view "unrolled", not for {view!r}')
    if weights == "color" and terms:
        raise mg.GraphError('draw: color_by="terms" gives colours to the aliases of weights: it needs weights="rail"')
    return weights == "rail" or terms


def rails_of(network: Network, looks: Looks, numbered: bool = False) -> tuple[Rail, ...]:
    """The rails of a network: one for each weight and row that uses it.

    Links between sequences, such as attention, and those across several steps have none: they keep their colours.
    """
    found: list[Rail] = []
    depth: dict[str, float] = {}
    for kind, groups in _groups(network, looks):
        links = [link for some in groups.values() for link in some]
        lasting = [link for link in links if network.row(link.tail).kind != "start"] or links
        longest = max(lasting, key=lambda link: len(link.weights))
        height = _band(kind, numbered)
        below = max(depth.get(head, 16.0 if kind == "up" else 2.0) for head in groups)
        depth.update(dict.fromkeys(groups, below + height))
        found.append(
            Rail(
                f"rail{len(found)}",
                kind,
                tuple(groups),
                tuple(links),
                longest.weights,
                symbol(network.weights[looks.key(longest)[0]].name),
                f"{looks.named(longest.weights)}  ×{uses(links):,}",
                below + height / 2,
            )
        )
    return tuple(found)


def _groups(network: Network, looks: Looks) -> list[tuple[str, dict[str, list[Link]]]]:
    """The links of each rail by the rows that they lead to; nearest to the row is what comes back to it.

    The same weight in runs with clocks of their own, as in windows of a long sequence, is one rail.
    """
    order = {row.id: i for i, row in enumerate(network.rows)}
    single: dict[tuple[str, tuple[int, ...], str, str], list[Link]] = {}
    for link in sorted(network.links, key=lambda link: (order[link.head], not link.lag, order[link.tail])):
        kind = _kind(network, link) if link.weights else ""
        if kind and network.row(link.tail).kind != "start":
            single.setdefault((kind, looks.key(link), link.head, link.tail if kind == "up" else ""), []).append(link)
    for link in network.links:  # what the first state is multiplied by is what comes back later, and maybe more
        if link.weights and network.row(link.tail).kind == "start":
            back = [key for key in single if key[0] == "back" and key[2] == link.head and {*key[1]} <= {*link.weights}]
            single.setdefault(back[0] if back else ("back", looks.key(link), link.head, ""), []).insert(0, link)
    met: Counter[tuple[object, ...]] = Counter()
    joined: dict[tuple[str, tuple[int, ...], int], dict[str, list[Link]]] = {}
    for (kind, key, head, _), links in single.items():
        clock = network.row(head).clock
        met[kind, key, clock] += 1
        joined.setdefault((kind, key, met[kind, key, clock]), {})[head] = links
    ordered = sorted(joined, key=lambda group: (order[next(iter(joined[group]))], group[0] != "back"))
    return [(group[0], joined[group]) for group in ordered]


def _kind(network: Network, link: Link) -> str:
    """Which kind of rail a link can pass; ``""``: none."""
    tail, head = network.row(link.tail), network.row(link.head)
    if link.lag is not None and tail.clock == head.clock:
        return "up" if not link.lag else "back" if abs(link.lag) == 1 else ""
    handed = tail.kind in {"state", "start"} and head.kind == "state" and len(link.pairs) == 1
    return "back" if handed and tail.clock >= 0 else ""


def laid_out(
    network: Network, rails: Sequence[Rail], numbers: Mapping[str, RailNumbers] | None = None
) -> Layout:
    """The room that rails need."""
    numbers = numbers or {}
    room: dict[str, float] = {}
    margins: dict[int, float] = {}
    for rail in rails:
        clock = network.row(rail.heads[0]).clock
        margins[clock] = max(margins.get(clock, 0.0), head_width(rail, numbers.get(rail.id)) + 24)
        for head in rail.heads:
            room[head] = max(room.get(head, 0.0), rail.depth + _band(rail.kind, bool(numbers)) / 2 - 8)
    between = max((rail.width for rail in rails if rail.kind == "back"), default=0.0)
    return Layout(tuple(rails), numbers, room, margins, between / 2)


def _band(kind: str, numbered: bool) -> float:
    """How high a rail is, with the room around it."""
    return HEAD + 3 if kind == "back" else height_of(numbered) + 6


def height_of(numbered: bool) -> float:
    """Of an alias."""
    return HEIGHT + NUMBER * numbered


def head_width(rail: Rail, numbers: RailNumbers | None) -> float:
    """Of the weight in full."""
    return text_width(head_text(rail, numbers), 10) + 14


def head_text(rail: Rail, numbers: RailNumbers | None) -> str:
    """What the weight in full says: its name, its shape, how often it is used, the norm of its gradient."""
    return rail.text if numbers is None else f"{rail.text}   ‖Σ‖ = {numbers.total:.2g}"


def symbol(name: str) -> str:
    """A weight's name in few letters.

    >>> [symbol(name) for name in ("lm.rnn.weight_hh_l0_reverse", "lm.out.weight", "cells.0.weight_ih", "W_xh")]
    ['W_hh', 'W_out', 'W_ih', 'W_xh']
    """
    *around, last = [piece for piece in name.split(".") if not piece.isdigit()] or [name]
    last = re.sub(r"_l\d+(_reverse)?$", "", last)
    if last in {"weight", "bias"} and around:
        last = f"{last}_{around[-1]}"
    short = re.sub(r"^weight", "W", re.sub(r"^bias", "b", last))
    return short if len(short) <= LONGEST else short[: LONGEST - 1] + "…"
