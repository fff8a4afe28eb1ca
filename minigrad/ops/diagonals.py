"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..backend import xp
from ..errors import ShapeError
from ..primitive import defvjp, primitive

if TYPE_CHECKING:
    from ..tensor import Tensor


@primitive
def tril(x: Any, /, diagonal: int = 0) -> Tensor:
    """The lower triangle of a matrix, or of each matrix in a batch; zeros above diagonal number ``diagonal``.

    >>> import minigrad as mg
    >>> mg.ones(2, 2).tril().tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    _need_matrix(x)
    return xp(x).tril(x, diagonal)


@primitive
def triu(x: Any, /, diagonal: int = 0) -> Tensor:
    """The upper triangle of a matrix, or of each matrix in a batch; zeros below diagonal number ``diagonal``.

    >>> import minigrad as mg
    >>> mg.ones(2, 2).triu(1).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    _need_matrix(x)
    return xp(x).triu(x, diagonal)


def _need_matrix(x: Any) -> None:
    if x.ndim < 2:
        raise ValueError(f"a matrix is needed, or a batch of them; shape {tuple(x.shape)} has fewer than 2 dims")


@primitive(views=True)
def diagonal(x: Any, /, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of the matrices in dims ``dim1`` and ``dim2``, as the last dim: a view.

    Args:
        x: a tensor of at least 2 dims.
        offset: how far above (positive) or below (negative) the main diagonal.
        dim1: the dim of the rows.
        dim2: the dim of the columns.

    >>> import minigrad as mg
    >>> mg.arange(4).reshape(2, 2).diagonal().tolist()
    [0, 3]
    """
    return xp(x).diagonal(x, offset, dim1, dim2)


@primitive
def _diagonal_into(values: Any, /, offset: int, dim1: int, dim2: int, shape: tuple[int, ...]) -> Tensor:
    """Zeros of ``shape`` with ``values`` on a diagonal: the transpose of :func:`diagonal`."""
    module = xp(values)
    out = module.zeros(shape, dtype=values.dtype)
    row = module.arange(values.shape[-1])
    module.moveaxis(out, (dim1, dim2), (-2, -1))[..., row + max(-offset, 0), row + max(offset, 0)] = values
    return out


_diagonal = diagonal  # the argument of `diag` hides the name


def diag(x: Any, diagonal: int = 0) -> Tensor:
    """A vector as the diagonal of a matrix of zeros, or the diagonal of a matrix as a vector.

    Raises:
        ShapeError: ``x`` is neither.

    >>> import minigrad as mg
    >>> mg.tensor([1, 2]).diag().tolist()
    [[1, 0], [0, 2]]
    """
    if len(x.shape) == 1:
        size = x.shape[0] + abs(diagonal)
        return _diagonal_into(x, diagonal, 0, 1, (size, size))
    if len(x.shape) != 2:
        raise ShapeError(f"diag: takes a vector or a matrix, not shape {tuple(x.shape)}; see diagonal for batches")
    return _diagonal(x, diagonal)


defvjp(tril, x=lambda g, diagonal: tril(g, diagonal))
defvjp(triu, x=lambda g, diagonal: triu(g, diagonal))
defvjp(diagonal, x=lambda g, offset, dim1, dim2, x_shape: _diagonal_into(g, offset, dim1, dim2, x_shape))
defvjp(_diagonal_into, values=lambda g, offset, dim1, dim2: diagonal(g, offset, dim1, dim2))
