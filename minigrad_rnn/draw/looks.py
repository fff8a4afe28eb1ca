"""How the links of a network look: a colour and a line style for each weight, at all steps and in all views."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from minigrad.draw.ops import cut
from minigrad.draw.sheet import Stroke
from minigrad.draw.style import PALETTE

from .network import Link, Network, Row, Weight, uses

# no more than four hues, which colour-blind readers can tell apart; further weights differ in the style of the line
READ, BACK, UP, OUT = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
STYLES = ("solid", "dashed", "dotted", "double", "double dashed")
PLAIN = Stroke()
SPREAD = Stroke(PLAIN.colour, 1.0)  # from each of many steps to each of many others
CARRIED = Stroke(PALETTE["state"].stroke, 2.8)  # a state that goes on without being multiplied


class Entry(NamedTuple):
    """A line of the legend: a stroke (``None``: it belongs to a row, in whose colours it is shown) and a text."""

    stroke: Stroke | None
    text: str
    short: str
    row: str


class Looks:
    """The strokes of the links, and the legend."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._rows = {row.id: row for row in network.rows}
        self._strokes: dict[tuple[int, ...], Stroke] = {}
        self._entries: dict[tuple[int, ...], Entry] = {}
        self._used: dict[str, int] = {}
        tails = ((link, self._rows[link.tail].kind) for link in network.links if link.weights)
        self._read = {self.key(link) for link, kind in tails if kind == "input" and not link.lag}
        self._read -= {self.key(link) for link in network.links if link.lag and link.tail == link.head}
        height = {row.id: i for i, row in enumerate(network.rows)}
        ordered = sorted(network.links, key=lambda link: (height[link.head], not link.lag, height[link.tail]))
        for link in ordered:
            if link.weights and self._rows[link.tail].kind != "start":
                self._enter(link)
        for link in ordered:
            if link.weights:
                self._enter(link)

    def _enter(self, link: Link) -> None:
        key = self.key(link)
        if key in self._strokes:
            return
        hue = self._hue(link)
        count = self._used[hue] = self._used.get(hue, 0) + 1
        width = 2.0 if hue == BACK else 1.5
        self._strokes[key] = Stroke(hue, width, STYLES[(count - 1) % len(STYLES)])

    def key(self, link: Link) -> tuple[int, ...]:
        """The matrices among the weights: what is the same matrix looks the same."""
        matrices = tuple([w for w in link.weights if len(self.network.weights[w].shape) > 1])
        return matrices or link.weights

    def _hue(self, link: Link) -> str:
        head = self._rows[link.head]
        if self.key(link) in self._read:  # even if something that is fed back is read together with it
            return READ
        if link.lag:
            return BACK
        return OUT if head.kind in {"output", "loss"} else UP

    def of(self, link: Link) -> Stroke:
        """The stroke of a link."""
        if link.weights:
            return self._strokes[self.key(link)]
        tail, head = self._rows[link.tail], self._rows[link.head]
        if link.spread:
            return SPREAD
        carried = (link.lag or tail.clock != head.clock) and head.kind == "state" and tail.kind in {"state", "start"}
        if carried:
            return CARRIED
        return PLAIN

    def tooltip(self, link: Link) -> str:
        """What a link is multiplied by, in full."""
        return "\n".join(f"{w.name} {w.shape}" for w in (self.network.weights[number] for number in link.weights))

    def legend(self, links: Iterable[Link] | None = None) -> list[Entry]:
        """A line for each group of weights of some links, or of all, in order from the bottom row up."""
        users: dict[tuple[int, ...], list[Link]] = {}
        shown: dict[tuple[int, ...], Link] = {}
        for link in self.network.links if links is None else links:
            if link.weights:
                key = self.key(link)
                users.setdefault(key, []).append(link)
                if key not in shown or len(link.weights) > len(shown[key].weights):
                    shown[key] = link
        height = {row.id: i for i, row in enumerate(self.network.rows)}
        entries = [
            (height[link.head] - 0.5 * (not link.lag), self._entry(key, link, uses(users[key])))
            for key, link in shown.items()
        ]
        entries += [
            (height[row.id] - 0.25, Entry(None, f"{self.named(row.weights)}  ×{max(len(row.steps), 1):,}", "", row.id))
            for row in self.network.rows
            if row.weights
        ]
        carried = {link.part: link for link in self.network.links if link.lag and self.of(link) == CARRIED}
        entries += [
            (height[link.head] - 0.6, Entry(CARRIED, f"{part}, carried on without a weight".strip(" ,"), "", ""))
            for part, link in carried.items()
        ]
        return [entry for _, entry in sorted(entries, key=lambda item: item[0])]

    def _entry(self, key: tuple[int, ...], link: Link, count: int) -> Entry:
        short = self.network.weights[key[0]].short
        return Entry(self._strokes[key], f"{self.named(link.weights)}  ×{count:,}", short, link.head)

    def named(self, weights: Iterable[int]) -> str:
        """The matrices with their shapes, and what is added to their products."""
        told = [self.network.weights[number] for number in weights]
        matrices = [w for w in told if len(w.shape) > 1] or told
        names = [f"{cut(w.short)} {_shape(w)}" for w in matrices[:2]] + ["…"] * (len(matrices) > 2)
        others = [w for w in told if w not in matrices]
        if not others:
            return ", ".join(names)
        return ", ".join(names) + (" + bias" if all("bias" in w.name for w in others) else f" + {len(others)} vectors")


def _shape(weight: Weight) -> str:
    return f"({', '.join(map(str, weight.shape))})" if len(weight.shape) != 1 else f"({weight.shape[0]},)"


SUBSCRIPTS = str.maketrans("-0123456789", "₋₀₁₂₃₄₅₆₇₈₉")


def labels(row: Row, step: int | None, t: str = "") -> tuple[str, ...]:
    """What a box says: the name of the state, input or output with the step as an index."""
    index = t or ("" if step is None else str(step).translate(SUBSCRIPTS))
    arrow = ("→", "←")[row.reverse] if _directed(row) else ""
    if row.kind in {"state", "start"}:
        parts = sorted(row.parts or ("h",), key=lambda part: part != "c")  # the cell above, as it is drawn everywhere
        return tuple([f"{arrow}{cut(part) or 'h'}{index}" for part in parts])
    if row.kind == "loss":
        return (
            f"ℓ{index}" if row.steps and row.title != "L" else f"L = {row.title}" if row.title.endswith("ₜ") else "L",
        )
    if row.kind == "output":
        return (f"ŷ{index}",)
    if row.kind == "input":
        return (f"{row.title if len(row.title) < 4 and not row.place else 'x'}{index}",)
    return (cut(row.title),)


def _directed(row: Row) -> bool:
    return row.place.endswith((".fwd", ".bwd")) or row.reverse


ROLES = {"state": "state", "start": "start", "input": "input", "output": "result", "loss": "loss", "op": "op"}
