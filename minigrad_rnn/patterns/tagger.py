"""Many to many, side by side: an answer for each element of a sequence."""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad import nn

from .reading import Reader


class Tagger(nn.Module):
    """Which class each element of a sequence belongs to.

    With a layer of two directions an answer knows what comes later too, as far as the sequence goes.

    Args:
        layer: any layer of :mod:`minigrad_rnn`, with time in the first dim.
        classes: how many classes there are.
        embedding: what makes vectors of the elements of a sequence, such as :class:`minigrad.nn.Embedding`; left out,
            they are vectors.
        dropout: probability with which a feature of an output is dropped in training.

    Shape:
        - input: ``(T, N)`` numbers, or without an embedding ``(T, N, features)``; N lengths, or none if all are T.
        - output: logits ``(T, N, classes)``.

    >>> from minigrad_rnn import LSTM
    >>> model = Tagger(LSTM(8, 16, bidirectional=True), 3, embedding=nn.Embedding(10, 8))
    >>> model(mg.tensor([[1, 2], [3, 0]]), [2, 1]).shape
    (2, 2, 3)
    """

    def __init__(
        self, layer: Any, classes: int, *, embedding: nn.Module | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.reader = Reader(layer, embedding)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(layer.output_size, classes))

    def forward(self, x: mg.Tensor, lengths: Any = None) -> mg.Tensor:
        """Logits of the classes at each step; those at padding mean nothing, but are finite."""
        outputs, _ = self.reader(x, lengths)
        logits: mg.Tensor = self.head(outputs)
        return logits
