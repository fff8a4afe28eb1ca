"""What the equations of nodes and of levels are written with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import minigrad as mg

from .batch import Level
from .moves import carry, spread, total

State = tuple[mg.Tensor, ...]


class Below(NamedTuple):
    """The states one level deeper, for the nodes of a level.

    Attributes:
        level: the nodes.
        rows: for each part of the state, the tensors whose rows one below the other are those states.
        slots: how the rows go to a fixed number of children for each node, if the network has such a number.
    """

    level: Level
    rows: tuple[list[mg.Tensor], ...]
    slots: Any = None

    def children(self, part: int) -> mg.Tensor:
        """A part of the states of the children, slot by slot, ``(children, features)``."""
        return carry(self.rows[part], self.level.children)

    def side_by_side(self, part: int) -> mg.Tensor:
        """A part of the states of the children of each node, ``(nodes, N * features)``, zeros where there is none."""
        rows = carry(self.rows[part], self.slots)
        return rows.reshape(len(self.level.nodes), -1)

    def total(self, x: mg.Tensor) -> mg.Tensor:
        """Sums over the children of each node."""
        return total(x, self.level.counts)

    def spread(self, x: mg.Tensor) -> mg.Tensor:
        """For each child what its parent has."""
        return spread(x, self.level.counts)


def on_word(x: mg.Tensor | None, weight: mg.Tensor, bias: mg.Tensor | None) -> mg.Tensor:
    """What a word contributes at its node; without one, the bias alone."""
    if x is not None:
        with mg.scope("input"):
            return mg.linear(x, weight, bias)
    return mg.zeros(weight.shape[0], dtype=weight.dtype, device=weight.device) if bias is None else bias


def plus(x: mg.Tensor, y: mg.Tensor | None) -> mg.Tensor:
    """``x + y``, or ``x`` if there is nothing to add."""
    return x if y is None else x + y


def added(parts: Sequence[mg.Tensor]) -> Any:
    """Their sum; ``None`` if there are none."""
    together = parts[0] if parts else None
    for part in parts[1:]:
        together = together + part
    return together


def beside(children: Sequence[State | None], arity: int) -> mg.Tensor | None:
    """The outputs of a node's children side by side, zeros where one is missing; ``None`` if all are."""
    there = {k: state[0] for k, state in enumerate(children) if state is not None}
    if not there:
        return None
    nothing = mg.zeros_like(next(iter(there.values())))
    return mg.concat([there.get(k, nothing) for k in range(arity)])
