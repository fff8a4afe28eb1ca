"""The state of a stack, in the form in which the user sees it."""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad import nn

from ..cells import State
from ..cells.cell import check_state


class StateForm:
    """How the states of all layers and directions stand together.

    Where all have the same parts of the same sizes, each part is one tensor ``(layers * directions, N, size)``, as in
    PyTorch. Where they differ, the state is a tuple with the state of each layer and direction, of parts ``(N, size)``.
    A state of one part is that part, not a tuple of one.

    Args:
        owner: whose state it is, for errors.
        names: the names of the parts, for each layer and direction.
        sizes: their sizes.
    """

    def __init__(self, owner: nn.Module, names: list[tuple[str, ...]], sizes: list[tuple[int, ...]]) -> None:
        self.owner, self.names, self.sizes = owner, names, sizes
        self.uniform = len(set(sizes)) == 1 and len(set(names)) == 1

    def split(self, state: Any, batch: int, batched: bool) -> list[State]:
        """The state of each layer and direction, ``(N, size)``, from the user's."""
        count = len(self.sizes)
        if self.uniform:
            names, shapes = self.names[0], [_shape((count,), batch, batched, size) for size in self.sizes[0]]
            parts = self._checked(state, names, shapes)
            return list(zip(*[_apart(part, batched) for part in parts], strict=True))
        if not isinstance(state, (tuple, list)) or len(state) != count:
            raise mg.ShapeError(
                f"{type(self.owner).__name__}: the state is a tuple of {count}, one for each layer and direction, since"
                " their sizes differ"
            )
        states = []
        for given, names, sizes in zip(state, self.names, self.sizes, strict=True):
            parts = self._checked(given, names, [_shape((), batch, batched, size) for size in sizes])
            states.append(tuple([part if batched else _known(part.unsqueeze(0), part) for part in parts]))
        return states

    def join(self, states: list[State], batched: bool = True) -> Any:
        """The user's state, from that of each layer and direction."""
        if not batched:
            states = [tuple([part.squeeze(0) for part in state]) for state in states]
        if self.uniform:
            return _alone(tuple([_stacked(part) for part in zip(*states, strict=True)]))
        return tuple(map(_alone, states))

    def _checked(self, state: Any, names: tuple[str, ...], shapes: list[tuple[int, ...]]) -> Any:
        parts = (state,) if len(names) == 1 and isinstance(state, mg.Tensor) else state
        check_state(self.owner, parts, names, shapes)
        return parts


def _stacked(parts: State) -> mg.Tensor:
    return mg.stack(parts) if len(parts) > 1 else parts[0].unsqueeze(0)


def _shape(first: tuple[int, ...], batch: int, batched: bool, size: int) -> tuple[int, ...]:
    return (*first, batch, size) if batched else (*first, size)


def _apart(part: mg.Tensor, batched: bool) -> list[mg.Tensor]:
    """A part of the state, layer by layer."""
    return [_known(row, part) for row in (part if batched else part.unsqueeze(1)).unbind()]


def _known(row: mg.Tensor, part: mg.Tensor) -> mg.Tensor:
    """A row of a part; if that was detached from a run before, drawings know where the row comes from."""
    mg.inspect.part_of(row, part)
    return row


def _alone(parts: State) -> Any:
    return parts[0] if len(parts) == 1 else parts
