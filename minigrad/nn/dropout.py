"""Dropout."""

from __future__ import annotations

from ..errors import check_probability
from ..ops.activation import dropout
from ..tensor import Tensor
from .module import Module


class Dropout(Module):
    """In training, zero each element with probability ``p`` and scale the others by ``1 / (1 - p)``.

    In evaluation the input passes unchanged.
    """

    def __init__(self, p: float = 0.5) -> None:
        check_probability("Dropout: p", p)
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same shape."""
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"
