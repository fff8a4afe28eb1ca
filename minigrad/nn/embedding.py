"""Embedding: a table of vectors, looked up by number."""

from __future__ import annotations

from typing import Any

from ..creation import zeros
from ..errors import ShapeError
from ..ops.gathering import embedding
from ..tensor import Tensor
from . import init
from .module import Module, Parameter


class Embedding(Module):
    """Row ``i`` of a table for each index ``i``.

    Args:
        num_embeddings: number of rows.
        embedding_dim: size of each.
        padding_idx: a row that stands for padding: zeros at first, and it never gets a gradient.
        device, dtype: of the table.

    Attributes:
        weight: ``(num_embeddings, embedding_dim)``, standard normal at first.

    >>> import minigrad as mg
    >>> mg.nn.Embedding(10, 3)(mg.tensor([[1, 2], [4, 0]])).shape
    (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = _row(padding_idx, num_embeddings)
        self.weight = Parameter(zeros(num_embeddings, embedding_dim, device=device, dtype=dtype))
        self.reset_parameters()

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None) -> Embedding:
        """An embedding with a copy of the rows of ``embeddings``; frozen unless told otherwise."""
        weight = Parameter(embeddings, requires_grad=not freeze)
        if weight.ndim != 2:
            raise ShapeError(f"Embedding: a table of rows is needed, this one has shape {weight.shape}")
        result = cls(0, weight.shape[1])
        result.num_embeddings, result.padding_idx = weight.shape[0], _row(padding_idx, weight.shape[0])
        result.weight = weight
        return result

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            table = self.weight.data
            table[self.padding_idx] = 0
            self.weight.data = table

    def forward(self, indices: Any) -> Tensor:
        """Integers of any shape to ``(*, embedding_dim)``."""
        return embedding(indices, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """Sizes."""
        padding = f", padding_idx={self.padding_idx}" if self.padding_idx is not None else ""
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


def _row(padding_idx: int | None, rows: int) -> int | None:
    """The index of the padding row, counted from the front."""
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise ShapeError(f"Embedding: padding_idx {padding_idx} is not one of the {rows} rows")
    return padding_idx % rows
