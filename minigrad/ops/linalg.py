"""Products of vectors, matrices and batches of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..errors import ShapeError
from ..primitive import defvjp, primitive
from .shape import squeeze, unsqueeze

if TYPE_CHECKING:
    from ..tensor import Tensor


@primitive
def matmul(x: Any, y: Any, /) -> Tensor:
    r""":math:`xy`, the product of matrices: ``x @ y``.

    ====================  ====================  ====================
    x                     y                     result
    ====================  ====================  ====================
    ``(m, k)``            ``(k, n)``            ``(m, n)``
    ``(k,)``              ``(k, n)``            ``(n,)``
    ``(m, k)``            ``(k,)``              ``(m,)``
    ``(k,)``              ``(k,)``              ``()``
    ``(*b, m, k)``        ``(*c, k, n)``        ``(*d, m, n)``
    ====================  ====================  ====================

    where the dims ``b`` and ``c`` in front, of batches, are broadcast to ``d``.

    Raises:
        ShapeError: the inner sizes differ, or an argument is a number (use ``*``).

    >>> import minigrad as mg
    >>> (mg.ones(2, 3) @ mg.ones(3)).tolist()
    [3.0, 3.0]
    """
    try:
        if x.ndim > 2 and y.ndim == 2:  # one large product, not a small one per batch
            return (rows(x) @ y).reshape(*x.shape[:-1], y.shape[-1])
        return x @ y
    except (AttributeError, ValueError):  # a number has no ndim
        raise ValueError(_misfit(getattr(x, "shape", ()), getattr(y, "shape", ()))) from None


def _misfit(x: tuple[int, ...], y: tuple[int, ...]) -> str:
    """Why two shapes cannot be multiplied."""
    if not x or not y:
        return "a number is not a matrix; to scale by it use *"
    if x[-1] != y[-2 if len(y) > 1 else -1]:
        which = "second-to-last" if len(y) > 1 else "only"
        return f"the last size of x is {x[-1]} and the {which} size of y is {y[-2:][0]}: they must be equal"
    return f"the batches {x[:-2]} and {y[:-2]} cannot be broadcast against each other"


def rows(x: Any) -> Any:
    """An array as a matrix: all dims but the last made one."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


@primitive(views=True)
def mT(x: Any, /) -> Tensor:  # noqa: N802 - PyTorch's name
    """Every matrix of the batch transposed: the last two dims exchanged."""
    return x.swapaxes(-1, -2)


@primitive
def _row_product(x: Any, y: Any, /) -> Tensor:
    r""":math:`\sum_i x_i y_i^T` over all rows of ``x`` and ``y``: the gradient of a matrix that met a batch."""
    return x.T @ y if x.ndim == 2 else rows(x).T @ rows(y)


def _matmul_x(g: Any, y: Any) -> Any:
    if y.ndim == 2:  # matrices, first and without detours: the hot path of recurrent networks
        return g @ y.T
    if y.ndim == 1:
        return unsqueeze(g, -1) * y
    if g.ndim >= y.ndim:
        return matmul(g, mT(y))
    return squeeze(matmul(y, unsqueeze(g, -1)), -1)  # x was a vector


def _matmul_y(g: Any, x: Any, y_shape: tuple[int, ...]) -> Any:
    if x.ndim == 2 and g.ndim == 2:
        return x.T @ g
    if x.ndim == 1:
        return unsqueeze(x, -1) * unsqueeze(g, -2) if len(y_shape) > 1 else g * x
    if len(y_shape) == 1:
        return squeeze(_row_product(x, unsqueeze(g, -1)), -1)
    if len(y_shape) == 2:
        return _row_product(x, g)
    return mT(x) * g if x.shape[-2] == 1 else matmul(mT(x), g)  # of one row each: BLAS would be asked for every matrix


defvjp(matmul, x=_matmul_x, y=_matmul_y)
defvjp(mT, x=lambda g: mT(g))
defvjp(_row_product, x=lambda g, y: matmul(y, mT(g)), y=lambda g, x: matmul(x, g))


@primitive
def linear(x: Any, weight: Any, bias: Any = None, /) -> Tensor:
    r""":math:`x W^T + b`.

    Args:
        x: ``(*, in)`` with any dims in front, also none.
        weight: ``(out, in)``.
        bias: ``(out,)``, or ``None``.

    Returns:
        ``(*, out)``.

    >>> import minigrad as mg
    >>> mg.linear(mg.ones(2), mg.ones(3, 2), mg.tensor([0.0, 1.0, 2.0])).tolist()
    [2.0, 3.0, 4.0]
    """
    if weight.ndim != 2:
        raise ValueError(f"weight must have dims (out, in), not {weight.shape}")
    try:
        out = matmul(x, weight.T)
        if bias is not None:
            out += bias
    except ValueError:
        raise ValueError(_linear_misfit(x.shape, weight.shape, getattr(bias, "shape", ()))) from None
    return out


def _linear_misfit(x: tuple[int, ...], weight: tuple[int, ...], bias: tuple[int, ...]) -> str:
    """Why these shapes do not go together."""
    if not x or x[-1] != weight[1]:
        return f"the last size of x is {x[-1] if x else 'missing'}, and weight (out, in) takes {weight[1]}"
    return f"bias must have shape ({weight[0]},) for weight (out, in) = {weight}, not {bias}"


defvjp(
    linear,
    x=lambda g, weight: matmul(g, weight),
    weight=lambda g, x: _row_product(g, x),
    bias=lambda g: g,
)


@primitive
def outer(x: Any, y: Any, /) -> Tensor:
    """:math:`x y^T` of two vectors.

    >>> import minigrad as mg
    >>> mg.outer(mg.tensor([1, 2]), mg.tensor([3, 4])).tolist()
    [[3, 4], [6, 8]]
    """
    if x.ndim != 1 or y.ndim != 1:
        raise ValueError("takes two vectors")
    return x[:, None] * y


defvjp(outer, x=lambda g, y: matmul(g, y), y=lambda g, x: matmul(x, g))


# ---- PyTorch's names for special cases ---------------------------------------------------------------------------


def _need(op: str, *wanted: tuple[str, Any, int]) -> None:
    for name, x, ndim in wanted:
        if len(x.shape) != ndim:
            raise ShapeError(f"{op}: {name} must have {ndim} dims, not shape {tuple(x.shape)}; see matmul")


def dot(x: Any, y: Any) -> Tensor:
    """:math:`x^T y` of two vectors."""
    _need("dot", ("x", x, 1), ("y", y, 1))
    return matmul(x, y)


def mv(x: Any, vec: Any) -> Tensor:
    """A matrix times a vector."""
    _need("mv", ("x", x, 2), ("vec", vec, 1))
    return matmul(x, vec)


def mm(x: Any, mat2: Any) -> Tensor:
    """A matrix times a matrix."""
    _need("mm", ("x", x, 2), ("mat2", mat2, 2))
    return matmul(x, mat2)


def bmm(x: Any, mat2: Any) -> Tensor:
    """A batch of matrices ``(b, m, k)`` times another ``(b, k, n)``."""
    _need("bmm", ("x", x, 3), ("mat2", mat2, 3))
    return matmul(x, mat2)


def addmm(input: Any, mat1: Any, mat2: Any, beta: float = 1, alpha: float = 1) -> Tensor:
    r""":math:`\beta\,\mathrm{input} + \alpha\, \mathrm{mat1}\, \mathrm{mat2}`.

    With ``beta=0`` the input is not looked at, so that NaN in it does no harm.

    >>> import minigrad as mg
    >>> mg.addmm(mg.ones(2), mg.eye(2), mg.eye(2), alpha=3).tolist()
    [[4.0, 1.0], [1.0, 4.0]]
    """
    product = mm(mat1, mat2)
    product = product if alpha == 1 else product * alpha
    if beta == 0:
        return product
    return (input if beta == 1 else input * beta) + product
