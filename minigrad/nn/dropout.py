"""Dropout."""

from __future__ import annotations

from ..errors import MinigradError
from ..ops.activation import dropout
from ..tensor import Tensor
from .module import Module


class Dropout(Module):
    """In training, zero each element with probability ``p`` and scale the others by ``1 / (1 - p)``.

    In evaluation the input passes unchanged.
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0.0 <= p <= 1.0:
            raise MinigradError(f"Dropout: p is a probability, from 0 to 1, not {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same shape."""
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"
