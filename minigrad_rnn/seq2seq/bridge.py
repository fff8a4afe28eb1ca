"""The bridge: the encoder's last state becomes the decoder's first."""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad import nn

from ..cells import State
from ..layers.options import MERGE_MODES, Wiring
from .states import Layout, Place

KINDS = ("copy", "linear", "tanh", "zeros")


class Bridge(nn.Module):
    r"""Makes a state for the decoder from that of the encoder, whatever layers the two have.

    - ``"copy"``: each part of the state from that of the same name (Sutskever et al. 2014); parts that the encoder
      does not have are zeros. Two directions are merged. The sizes must agree.
    - ``"linear"``: :math:`s = W v + b` for each layer and part, :math:`v` being all parts and directions of the
      encoder's layer side by side.
    - ``"tanh"``: the same with a tanh around it (Bahdanau et al. 2015, A.2.2), which suits h; the other parts, such
      as an LSTM's cell, are without.
    - ``"zeros"``: nothing is handed over; the decoder begins as it always does.

    Layers are matched from the top: of a deeper encoder the lowest layers are left out, and in a deeper decoder the
    encoder's uppermost layer serves all the layers left over. Parts that only count steps begin at zero.

    Args:
        kind: one of these.
        source: the encoder's layer.
        target: the decoder's.
        merge: how ``"copy"`` merges two directions: ``"concat"``, ``"sum"``, ``"mul"`` or ``"ave"``.

    Shape:
        - state: what ``source`` returns as its last state.
        - result: a state that ``target`` takes; ``None`` for ``"zeros"``.

    Raises:
        MinigradError: no such kind or merge; a decoder with two directions.
        ShapeError: sizes that ``"copy"`` cannot copy.

    >>> import minigrad as mg
    >>> from minigrad_rnn import GRU, LSTM
    >>> encoder, decoder = GRU(3, 4, bidirectional=True), LSTM(3, 5, num_layers=2)
    >>> _, state = encoder(mg.ones(7, 2, 3))
    >>> h, c = Bridge("linear", encoder, decoder)(state, batch=2)
    >>> h.shape, c.shape
    ((2, 2, 5), (2, 2, 5))
    """

    def __init__(self, kind: str, source: nn.Module, target: nn.Module, merge: str = "concat") -> None:
        if kind not in KINDS:
            raise mg.MinigradError(f"Bridge: the kind is one of {_listed(KINDS)}, not {kind!r}")
        if merge not in MERGE_MODES or merge == "none":
            raise mg.MinigradError(f"Bridge: merge is one of {_listed(MERGE_MODES[:-1])}, not {merge!r}")
        self.kind, self.wiring = kind, Wiring(merge_mode=merge)
        self._given, self._wanted = Layout("Bridge", source), Layout("Bridge", target)
        if self._wanted.directions > 1:
            raise mg.MinigradError("Bridge: a decoder writes from the start; its layer cannot have two directions")
        self.maps: dict[str, nn.Linear] = {}
        for layer, (place,) in enumerate(self._wanted.rows if kind != "zeros" else []):
            if kind == "copy":
                self._check_sizes(layer, place)
            else:
                inputs = sum(given.sizes[name] for given in self._below(layer) for name in given.carried)
                self.maps |= {f"{name}_l{layer}": nn.Linear(inputs, place.sizes[name]) for name in place.carried}

    def forward(self, state: Any, batch: int) -> Any:
        """The decoder's state for a batch of that size."""
        if self.kind == "zeros":
            return None
        rows = self._given.split(state, batch)
        layers = range(len(self._wanted.rows))
        return self._wanted.join([self._begun(layer, rows[self._row(layer)]) for layer in layers])

    def _row(self, layer: int) -> int:
        """Which of the encoder's layers serves one of the decoder's."""
        ours, theirs = len(self._wanted.rows), len(self._given.rows)
        return min(layer + max(theirs - ours, 0), theirs - 1)

    def _below(self, layer: int) -> list[Place]:
        return self._given.rows[self._row(layer)]

    def _begun(self, layer: int, given: list[State]) -> State:
        (place,), sources = self._wanted.rows[layer], self._below(layer)
        named = [dict(zip(source.sizes, parts, strict=True)) for source, parts in zip(sources, given, strict=True)]
        like = given[0][0]
        seen = None
        if self.kind != "copy":
            seen = mg.concat(
                [parts[name] for source, parts in zip(sources, named, strict=True) for name in source.carried], -1
            )
        after = []
        for name, size in place.sizes.items():
            if name not in place.carried:
                after.append(mg.zeros(len(like), size, dtype=like.dtype, device=like.device))
            elif seen is not None:
                mapped = self.maps[f"{name}_l{layer}"](seen)
                after.append(mapped.tanh() if self.kind == "tanh" and name == place.carried[0] else mapped)
            else:
                after.append(self._copied([parts[name] for parts in named if name in parts], size, like))
        return tuple(after)

    def _copied(self, parts: list[mg.Tensor], size: int, like: mg.Tensor) -> mg.Tensor:
        if not parts:
            return mg.zeros(len(like), size, dtype=like.dtype, device=like.device)
        return self.wiring.merged(parts)[0] if len(parts) == 2 else parts[0]

    def _check_sizes(self, layer: int, place: Place) -> None:
        for name in place.carried:
            sizes = [given.sizes[name] for given in self._below(layer) if name in given.sizes]
            merged = sum(sizes) if self.wiring.merge_mode == "concat" else max(sizes, default=0)
            if sizes and (merged != place.sizes[name] or (merged != sum(sizes) and len(set(sizes)) > 1)):
                raise mg.ShapeError(
                    f"Bridge: layer {layer} of the decoder has {place.sizes[name]} features of {name}, but"
                    f" {' and '.join(map(str, sizes))} are to be copied (merge={self.wiring.merge_mode!r})\n"
                    '  hint: Bridge("linear", ...) learns a map between any sizes; merge="sum" or "ave" keeps the size'
                    " of one direction"
                )

    def extra_repr(self) -> str:
        """The kind, and the merge where it is not as by default."""
        return ", ".join([repr(self.kind), *self.wiring.changed()])


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)
