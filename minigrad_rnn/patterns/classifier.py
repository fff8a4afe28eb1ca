"""Many to one: one answer for a whole sequence."""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad import nn

from .pooling import Pooling
from .reading import Reader


class Classifier(nn.Module):
    """Which class a sequence belongs to: a recurrent layer reads it, and of its outputs one vector is made.

    Args:
        layer: any layer of :mod:`minigrad_rnn`, with time in the first dim.
        classes: how many classes there are.
        embedding: what makes vectors of the elements of a sequence, such as :class:`minigrad.nn.Embedding`; left out,
            they are vectors.
        pooling: how one vector is made of the outputs, see :class:`Pooling`.
        dropout: probability with which a feature of that vector is dropped in training.

    Shape:
        - input: ``(T, N)`` numbers, or without an embedding ``(T, N, features)``; N lengths, or none if all are T.
        - output: logits ``(N, classes)``.

    >>> from minigrad_rnn import GRU
    >>> model = Classifier(GRU(8, 16), 3, embedding=nn.Embedding(10, 8))
    >>> model(mg.tensor([[1, 2], [3, 0]]), [2, 1]).shape
    (2, 3)
    """

    def __init__(
        self,
        layer: Any,
        classes: int,
        *,
        embedding: nn.Module | None = None,
        pooling: str = "last",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.reader = Reader(layer, embedding)
        self.pooling = Pooling(layer.output_size, pooling, bidirectional=self.reader.side_by_side)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(layer.output_size, classes))

    def forward(self, x: mg.Tensor, lengths: Any = None) -> mg.Tensor:
        """Logits of the classes."""
        outputs, lengths = self.reader(x, lengths)
        logits: mg.Tensor = self.head(self.pooling(outputs, lengths))
        return logits
