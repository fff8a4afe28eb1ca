"""What reads a sequence: an embedding, if its elements are numbers, and a recurrent layer."""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad import nn


class Reader(nn.Module):
    """An embedding, or none, and a recurrent layer with time in the first dim."""

    def __init__(self, layer: Any, embedding: nn.Module | None) -> None:
        super().__init__()
        if layer.batch_first:
            raise mg.MinigradError(f"{type(layer).__name__}: batch_first=False is expected here: time comes first")
        if layer.bidirectional and layer.wiring.merge_mode == "none":
            raise mg.MinigradError(
                f"{type(layer).__name__}: the outputs of the two directions must be put together"
                '\n  hint: merge_mode="concat" puts them side by side'
            )
        self.embedding, self.layer = embedding, layer

    @property
    def side_by_side(self) -> bool:
        """Whether outputs are those of two directions, one behind the other."""
        return bool(self.layer.bidirectional and self.layer.wiring.merge_mode == "concat")

    def forward(self, x: mg.Tensor, lengths: Any) -> tuple[mg.Tensor, Any]:
        """The outputs ``(T, N, output_size)``, and the lengths, which are all T if none are given."""
        vectors = x if self.embedding is None else self.embedding(x)
        outputs = self.layer(vectors, lengths=lengths)[0]
        return outputs, [x.shape[0]] * x.shape[1] if lengths is None else lengths
