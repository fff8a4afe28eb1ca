"""A matrix that is used at every level, with all that backward has to say to it said at once.

Each level multiplies some rows by the same matrix. Its gradient is the sum over levels of products, and a product of
few rows is slow: mostly it fills and adds up whole matrices. So what arrives is collected, and multiplied when
nothing can arrive any more, all rows at once. Beside the matrix its transpose is laid out, because the product with it
is up to ten times as quick where rows are few.
"""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad.backend import xp

Array = Any


class Pending:
    r"""The gradient :math:`\sum_l G_l^T X_l` of a matrix, as the pairs :math:`(G_l, X_l)`.

    It has of an array what the backward pass looks at: shape, dtype and addition.
    """

    __slots__ = ("dtype", "pairs", "shape")

    def __init__(self, pairs: list[tuple[Array, Array]]) -> None:
        g, x = pairs[0]
        self.pairs, self.shape, self.dtype = pairs, (g.shape[-1], x.shape[-1]), g.dtype

    def __add__(self, other: Pending) -> Pending:
        return Pending(self.pairs + other.pairs)

    def __iadd__(self, other: Pending) -> Pending:
        self.pairs += other.pairs
        return self

    def total(self) -> Array:
        """The sum, as one product."""
        g, x = [xp(side[0]).vstack(side) for side in zip(*self.pairs, strict=True)]
        return g.T @ x

    def __getattr__(self, name: str) -> Any:
        """Whoever looks at gradients on their way, to report their size, sees an array."""
        return getattr(self.total(), name)


@mg.primitive(outputs=True, views=True)
def _laid_out(weight: Array, /) -> Any:
    """The matrix, and its transpose in the order of its rows."""
    return weight[...], xp(weight).ascontiguousarray(weight.T)


@mg.primitive
def _level_product(
    x: Array, weight: Array, transposed: Array, bias: Array = None, /  # noqa: ARG001 - the weight is for the rule
) -> mg.Tensor:
    """``x @ weight.T + bias``."""
    out: mg.Tensor = x @ transposed
    if bias is not None:
        out += bias
    return out


mg.defvjp(_laid_out, weight=lambda g: g[0].total() if isinstance(g[0], Pending) else g[0])
mg.defvjp(
    _level_product,
    x=lambda g, weight: mg.matmul(g, weight),
    weight=lambda g, x: _product(g, x) if isinstance(g, mg.Tensor) else Pending([(g, x)]),
    transposed=None,
    bias=lambda g: g,
)


def _product(g: mg.Tensor, x: mg.Tensor) -> Any:
    """The gradient of one level, recorded."""
    return mg.outer(g, x) if g.ndim == 1 else g.T @ x



class Shared:
    """A matrix ``(out, in)`` for the rows of all levels: ``shared(x, b)`` is ``x @ weight.T + b``, ``(rows, out)``."""

    __slots__ = ("_transposed", "_weight")

    def __init__(self, weight: mg.Tensor) -> None:
        self._weight, self._transposed = _laid_out(weight)

    def __call__(self, x: mg.Tensor, bias: Any = None) -> mg.Tensor:
        """``x @ weight.T + bias``, also of a single row ``(in,)``."""
        product: mg.Tensor = _level_product(x, self._weight, self._transposed, bias)
        return product
