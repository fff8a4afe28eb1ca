"""What a layer tells of its sizes and its state, so that an encoder's can be handed to a decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import minigrad as mg

from ..cells import State
from ..layers import Bidirectional
from ..layers.stack import Stack
from ..layers.states import StateForm


class Place(NamedTuple):
    """One direction of one layer.

    Attributes:
        sizes: the parts of its state by name, and their sizes.
        carried: which of them are memory; the others only count steps, or repeat what others were.
    """

    sizes: dict[str, int]
    carried: tuple[str, ...]


class Layout:
    """How the state of a recurrent layer is made up.

    Attributes:
        rows: for each layer its directions. Where two stacks have not equally many layers, the uppermost are beside
            each other.
    """

    def __init__(self, caller: str, layer: Any) -> None:
        self.stacks = _stacks(caller, layer)
        self.paired = isinstance(layer, Bidirectional)
        self.forms = []
        depth = max(stack.num_layers for stack in self.stacks)
        self.rows: list[list[Place]] = [[] for _ in range(depth)]
        for stack in self.stacks:
            places = list(stack.places())
            kinds, sizes = [stack.recurrence_of(*place) for place in places], [stack.sizes_of(*p) for p in places]
            self.forms.append(StateForm(stack, [kind.names for kind in kinds], sizes))
            for (i, _), kind, size in zip(places, kinds, sizes, strict=True):
                named = dict(zip(kind.names, size, strict=True))
                self.rows[i + depth - stack.num_layers].append(Place(named, kind.zoned))

    @property
    def directions(self) -> int:
        """How many directions the uppermost layer has."""
        return len(self.rows[-1])

    @property
    def context_size(self) -> int:
        """Features of what :meth:`context` gives."""
        return sum(next(iter(place.sizes.values())) for place in self.rows[-1])

    def split(self, state: Any, batch: int) -> list[list[State]]:
        """The state as the layer returns it, for each layer and direction."""
        rows: list[list[State]] = [[] for _ in self.rows]
        for stack, form, given in zip(self.stacks, self.forms, state if self.paired else (state,), strict=True):
            for (i, _), parts in zip(stack.places(), form.split(given, batch, batched=True), strict=True):
                rows[i + len(rows) - stack.num_layers].append(tuple(parts))
        return rows

    def join(self, states: Sequence[State]) -> Any:
        """The state of a layer with one direction, from those of its layers."""
        return self.forms[0].join(list(states))

    def context(self, state: Any, batch: int) -> mg.Tensor:
        """The last h of the uppermost layer, both directions side by side: ``(N, context_size)``."""
        last = [parts[0] for parts in self.split(state, batch)[-1]]
        return last[0] if len(last) == 1 else mg.concat(last, -1)


def _stacks(caller: str, layer: Any) -> tuple[Stack, ...]:
    stacks: tuple[Any, ...] = (layer.fwd, layer.bwd) if isinstance(layer, Bidirectional) else (layer,)
    for stack in stacks:
        if not isinstance(stack, Stack):
            raise mg.MinigradError(
                f"{caller}: the layer must be RNN, LSTM, GRU, RecurrentLayer(cell) or Bidirectional of two of these,"
                f" not {type(stack).__name__}\n  hint: RecurrentLayer(cell) makes a layer of any cell"
            )
    return stacks


def features_of(caller: str, layer: Any) -> int:
    """How many features a layer puts out at each step."""
    sizes = []
    for stack in _stacks(caller, layer):
        if stack.wiring.merge_mode == "none" and stack.bidirectional:
            raise mg.MinigradError(f'{caller}: the layer has merge_mode="none"; one sequence of outputs is needed')
        sizes.append(stack.output_size)
    if isinstance(layer, Bidirectional) and layer.wiring.merge_mode == "none":
        raise mg.MinigradError(f'{caller}: the layer has merge="none"; one sequence of outputs is needed')
    return sum(sizes) if len(sizes) > 1 and layer.wiring.merge_mode == "concat" else sizes[0]


def run(layer: Any, x: mg.Tensor, state: Any = None, lengths: Any = None, mask: Any = None) -> tuple[mg.Tensor, Any]:
    """A layer over ``(T, N, features)``, whatever order of dims it is made for."""
    if not layer.batch_first:
        output, last = layer(x, state, lengths=lengths, mask=mask)
        return output, last
    turned = None if mask is None else mask.transpose(0, 1)
    output, last = layer(x.transpose(0, 1), state, lengths=lengths, mask=turned)
    return output.transpose(0, 1), last
