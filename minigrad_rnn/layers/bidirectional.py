"""Two layers as two directions."""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad import nn

from .inputs import Sequences, arranged
from .options import Wiring
from .path import Plan
from .stack import Stack, endless


class Bidirectional(nn.Module):
    """Two layers of any kind as two directions: the second reads every sequence from its end.

    Args:
        fwd: the layer that reads from the start.
        bwd: the one that reads from the end; each sequence from its own end, wherever padding or gaps are.
        merge: how the outputs are put together: ``"concat"``, ``"sum"``, ``"mul"``, ``"ave"`` or ``"none"``, a pair.

    Shape:
        - input, lengths, mask: as for the two layers, which must agree in ``batch_first``.
        - state: the pair of their states.

    >>> import minigrad as mg
    >>> from minigrad_rnn import GRU, LSTM
    >>> output, (h, (g, c)) = Bidirectional(GRU(3, 4), LSTM(3, 5))(mg.ones(7, 2, 3))
    >>> output.shape, h.shape, c.shape
    ((7, 2, 9), (1, 2, 4), (1, 2, 5))
    """

    bidirectional = True

    def __init__(self, fwd: nn.Module, bwd: nn.Module, merge: str = "concat") -> None:
        super().__init__()
        given: tuple[Any, ...] = (fwd, bwd)
        for layer in given:
            if not isinstance(layer, nn.Module):
                told = f"{layer.__name__} is the class" if isinstance(layer, type) else f"{layer!r:.40} is none"
                raise mg.MinigradError(f"Bidirectional: fwd and bwd are layers; {told}")
        self.fwd, self.bwd, self.wiring = fwd, bwd, Wiring(merge_mode=merge)
        self.wiring.check("Bidirectional")
        first = [bool(getattr(layer, "batch_first", False)) for layer in (fwd, bwd)]
        if first[0] != first[1]:
            raise mg.MinigradError(f"Bidirectional: batch_first is {first[0]} in one layer and {first[1]} in the other")
        self.batch_first = first[0]
        self.input_size = getattr(fwd, "input_size", None)
        sizes = tuple([layer.output_size for layer in (fwd, bwd) if hasattr(layer, "output_size")])
        self.output_size = self.wiring.sizes("Bidirectional", sizes)[0] if len(sizes) == 2 else None

    def forward(
        self, input: Any, hx: Any = None, *, lengths: Any = None, mask: Any = None, return_all_states: bool = False
    ) -> tuple[Any, ...]:
        """Run over sequences, in both directions; see :meth:`~minigrad_rnn.LSTM.forward`."""
        sequences = arranged("Bidirectional", input, self.input_size, self.batch_first, lengths, mask)
        starts = (None, None) if hx is None else hx
        if not isinstance(starts, (tuple, list)) or len(starts) != 2:
            raise mg.ShapeError("Bidirectional: the state is a pair: that of the first layer and that of the second")
        ways = zip((self.fwd, self.bwd), starts, (False, True), strict=True)
        outputs, *states = zip(*[self._read(*way, sequences, return_all_states) for way in ways], strict=True)
        merged = [sequences.back(output) for output in self.wiring.merged(list(outputs))]
        return merged[0] if len(merged) == 1 else tuple(merged), *states

    def _read(self, layer: Any, start: Any, reverse: bool, sequences: Sequences, every: bool) -> tuple[Any, ...]:
        """The outputs of a layer, ``(T, N, features)``, its last state and, if asked for, those of every step."""
        batched, turned = sequences.batched, reverse and not isinstance(layer, Stack)  # others know one direction only
        way = slice(None, None, -1) if turned else slice(None)
        options: dict[str, Any] = {"reverse": True} if reverse and not turned else {}
        if sequences.running is not None:
            options["mask"] = self._given(sequences.running[way], batched)
        if every:
            options["return_all_states"] = True
        output, *states = layer(self._given(sequences.x[way] if turned else sequences.x, batched), start, **options)
        output = self._taken(layer, output, batched)
        if not turned:
            return output, *states
        time = -3 if batched and not self.batch_first else -2
        return output[way], states[0], *(_turned(all_states, time) for all_states in states[1:])

    def plan(self) -> list[Plan]:
        """Which path each layer takes in each direction, and why; see :meth:`~minigrad_rnn.LSTM.plan`."""
        plans = []
        for name, layer in {"fwd": self.fwd, "bwd": self.bwd}.items():
            if isinstance(layer, (Stack, Bidirectional)):
                plans += [plan._replace(part=f"{name}.{plan.part}") for plan in layer.plan()]
            else:
                plans.append(Plan(name, "unrolled", f"{type(layer).__name__} computes as it likes"))
        return plans

    def step(self, x: mg.Tensor, state: Any = None) -> Any:  # noqa: ARG002
        """Refuse: the second direction begins at the end of a sequence."""
        raise endless("Bidirectional")

    def _given(self, x: Any, batched: bool) -> Any:
        """What is ``(T, N, ...)`` as the layers take it."""
        if not batched:
            return x[:, 0]
        return x.swapaxes(0, 1) if self.batch_first else x

    def _taken(self, layer: nn.Module, output: Any, batched: bool) -> mg.Tensor:
        """The output of a layer as ``(T, N, ...)``."""
        if not isinstance(output, mg.Tensor):
            raise mg.MinigradError(
                f"Bidirectional: the output of {type(layer).__name__} is a {type(output).__name__}, not one tensor\n"
                '  hint: merge_mode="none", or merge="none", leaves two outputs; merge them in some other way'
            )
        if not batched:
            return output.unsqueeze(1)
        return output.swapaxes(0, 1) if self.batch_first else output

    def extra_repr(self) -> str:
        """How the outputs are put together."""
        return ", ".join(self.wiring.changed())


def _turned(states: Any, dim: int) -> Any:
    """States of every step, the last first."""
    return states.flip(dim) if isinstance(states, mg.Tensor) else tuple([_turned(part, dim) for part in states])
