"""What stands between two sequences: maps from the last state of an encoder to the first of a decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .network import Network, Row


class Bridge(NamedTuple):
    """A box outside of time that only leads to the first step of a cell, and of what is beside it, maybe by others.

    Attributes:
        cell: the row of that cell.
        level: how many others there are between it and the cell.
        nth, among: which it is, from below, of so many that stand at the same place.
    """

    cell: str
    level: int
    nth: int
    among: int

    @property
    def rise(self) -> float:
        """How far it is above the middle of the cell, in boxes."""
        return self.nth - (self.among - 1) / 2


def bridges_of(network: Network) -> dict[str, Bridge]:
    """The bridges by the ids of their rows."""
    rows = {row.id: row for row in network.rows}
    heads: dict[str, list[Row]] = {}
    single = {link.tail: True for link in network.links}
    for link in network.links:
        heads.setdefault(link.tail, []).append(rows[link.head])
        single[link.tail] = single[link.tail] and len(link.pairs) == 1
    places: dict[str, tuple[str, int]] = {}
    for row in reversed(network.rows):
        if row.clock < 0 and row.kind == "op" and single.get(row.id):
            found = {_place(head, places) for head in heads[row.id]} - {("", 0)}
            if len(found) == 1 and ("", -1) not in found:
                places[row.id] = found.pop()
    together: dict[tuple[str, int], list[str]] = {}
    for row in network.rows:
        if row.id in places:
            together.setdefault(places[row.id], []).append(row.id)
    return {
        id: Bridge(*place, index, len(some)) for place, some in together.items() for index, id in enumerate(some)
    }


def _place(head: Row, places: dict[str, tuple[str, int]]) -> tuple[str, int]:
    """The cell and the level of what leads to a row: no cell to what is beside one, level -1 to anything else."""
    if head.id in places:
        cell, level = places[head.id]
        return cell, level + 1
    if head.clock < 0:
        return "", -1
    return (head.id if head.kind == "state" else ""), 0


class Bridges(dict[str, Bridge]):
    """The bridges of a network, one behind the other from right to left.

    Args:
        network: the network.
        widths: of the boxes of all rows.
        around: how much room there is beside each.
    """

    def __init__(self, network: Network, widths: Mapping[str, float], around: float) -> None:
        super().__init__(bridges_of(network))
        self.widths, self.around = widths, around
        self.clocks = {id: network.row(bridge.cell).clock for id, bridge in self.items()}

    def room(self, clock: int, nearer: int | None = None) -> float:
        """How wide those before a clock are, or those of them that are nearer to it than a level."""
        levels: dict[int, float] = {}
        for id, bridge in self.items():
            if self.clocks[id] == clock and (nearer is None or bridge.level < nearer):
                levels[bridge.level] = max(levels.get(bridge.level, 0.0), self.widths[id] + self.around)
        return sum(levels.values())

    def x(self, id: str, edge: float) -> float:
        """The middle of one; ``edge`` is where the nearest ends."""
        return edge - self.room(self.clocks[id], self[id].level) - self.widths[id] / 2
