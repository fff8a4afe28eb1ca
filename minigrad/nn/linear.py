"""The affine layer."""

from __future__ import annotations

import math
from typing import Any

from ..creation import zeros
from ..ops.linalg import linear
from ..tensor import Tensor
from . import init
from .module import Module, Parameter


class Linear(Module):
    r""":math:`y = x W^T + b` on the last dimension.

    Args:
        in_features: size of the last dimension of the input.
        out_features: size of the last dimension of the output.
        bias: whether there is a :math:`b`.
        device, dtype: of the parameters.

    Attributes:
        weight: ``(out_features, in_features)``, uniform within :math:`\pm 1/\sqrt{\text{in\_features}}` at first.
        bias: ``(out_features,)``, likewise, or ``None``.

    >>> import minigrad as mg
    >>> mg.nn.Linear(3, 4)(mg.ones(5, 2, 3)).shape
    (5, 2, 4)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(zeros(out_features, in_features, device=device, dtype=dtype))
        self.bias = Parameter(zeros(out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1.0 / math.sqrt(max(1, self.in_features))
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Any) -> Tensor:
        """``(*, in_features)`` to ``(*, out_features)``."""
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes."""
        bias = "" if self.bias is not None else ", bias=False"
        return f"in_features={self.in_features}, out_features={self.out_features}{bias}"
