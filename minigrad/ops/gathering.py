"""Elements chosen, and written, by an array of indices along one dim.

Each of these is :func:`~minigrad.ops.indexing.getitem` or :func:`~minigrad.ops.indexing.index_put` with an index
worked out for the purpose. Negative indices count from the end, except in :func:`embedding`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from .. import backend
from ..backend import xp
from ..errors import DtypeError, ShapeError
from ..primitive import defvjp, primitive
from .broadcast import broadcast_to
from .indexing import _getitem, _index_put, place_into_zeros, plain_index
from .selection import where
from .shape import dim_of, reshape

if TYPE_CHECKING:
    from ..tensor import Tensor


def _along(x: Any, dim: int, index: Any, sizes: tuple[int, ...]) -> tuple[Any, ...]:
    """The index that is ``index`` in dim ``dim``, and in every other dim counts from 0 to its size in ``sizes``."""
    if len(index.shape) != len(x.shape):
        raise ShapeError(f"the index of shape {tuple(index.shape)} needs as many dims as the tensor {tuple(x.shape)}")
    ndim = len(x.shape)
    dim = dim_of(x.shape, dim)
    counts = (xp(index).arange(n).reshape([-1 if i == d else 1 for i in range(ndim)]) for d, n in enumerate(sizes))
    return tuple(index if d == dim else count for d, count in enumerate(counts))


def _checked(name: str, x: Any, dim: int, index: Any, op: Any, *args: Any) -> Tensor:
    """``op(*args)``, which reads or writes ``x`` where ``index`` says; if it fails, in words about ``index``."""
    try:
        result: Tensor = op(*args)
        return result
    except (TypeError, ValueError, IndexError):
        _find_fault(name, x.shape, dim_of(x.shape, dim), index)
        raise


def _find_fault(name: str, shape: tuple[int, ...], dim: int, index: Any) -> None:
    if index.dtype.kind not in "iu":
        raise DtypeError(f"{name}: an index is made of integers, not {index.dtype}") from None
    worst = [int(n) for n in (index.min(), index.max()) if not -shape[dim] <= n < shape[dim]] if index.size else []
    if worst:
        has = f"dim {dim} of shape {tuple(shape)} has indices {-shape[dim]} to {shape[dim] - 1}"
        raise ShapeError(f"{name}: there is no index {worst[0]}: {has}") from None
    if len(index.shape) == len(shape) and any(index.shape[d] > n for d, n in enumerate(shape) if d != dim):
        larger = f"the index {tuple(index.shape)} is larger than the tensor {tuple(shape)}"
        raise ShapeError(f"{name}: {larger} in another dim than dim {dim}") from None


# ---- along a dim, element by element -----------------------------------------------------------------------------


def gather(x: Any, dim: int, index: Any) -> Tensor:
    """``out[i][j][k] = x[index[i][j][k]][j][k]`` for ``dim=0``, and so on for the other dims.

    Args:
        x: a tensor.
        dim: the dim that ``index`` counts in.
        index: integers, of as many dims as ``x``; in the others at most of its size.

    >>> import minigrad as mg
    >>> mg.tensor([[1, 2], [3, 4]]).gather(1, [[0], [1]]).tolist()
    [[1], [4]]
    """
    index = plain_index(x, index)
    return _checked("gather", x, dim, index, _getitem, x, _along(x, dim, index, index.shape))


def take_along_dim(x: Any, indices: Any, dim: int | None = None) -> Tensor:
    """Like :func:`gather`, with ``x`` and ``indices`` broadcast against each other; flat if ``dim`` is left out.

    >>> import minigrad as mg
    >>> x = mg.tensor([[30, 10, 20]])
    >>> x.take_along_dim([[1, 2, 0]], dim=1).tolist()
    [[10, 20, 30]]
    """
    indices = plain_index(x, indices)
    if dim is None:
        return _getitem(reshape(x, -1), indices.reshape(-1))
    return _checked("take_along_dim", x, dim, indices, _getitem, x, _along(x, dim, indices, x.shape))


def scatter(x: Any, dim: int, index: Any, src: Any = None, *, value: Any = None) -> Tensor:
    """A copy of ``x`` with ``out[index[i][j]][j] = src[i][j]`` for ``dim=0``, and so on: :func:`gather` backwards.

    Args:
        x: a tensor.
        dim: the dim that ``index`` counts in.
        index: integers, of as many dims as ``x``. Where one is repeated, one of the values wins.
        src: a number, or a tensor at least as large as ``index``.
        value: a number, in the place of ``src``.

    >>> import minigrad as mg
    >>> mg.zeros(2, 3).scatter(1, [[2], [0]], 1.0).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    index = plain_index(x, index)
    if src is None and value is None:
        raise DtypeError("scatter: needs src, a tensor or a number, or value, a number")
    values, place = src if value is None else value, _along(x, dim, index, index.shape)
    return _checked("scatter", x, dim, index, _index_put, x, _part(values, index.shape), place, False)


def scatter_add(x: Any, dim: int, index: Any, src: Any) -> Tensor:
    """A copy of ``x`` with ``src`` added at the places where :func:`scatter` would write it.

    >>> import minigrad as mg
    >>> mg.zeros(3).scatter_add(0, [0, 0, 2], mg.ones(3)).tolist()
    [2.0, 0.0, 1.0]
    """
    index = plain_index(x, index)
    place = _along(x, dim, index, index.shape)
    return _checked("scatter_add", x, dim, index, _index_put, x, _part(src, index.shape), place, True)


def _part(src: Any, shape: tuple[int, ...]) -> Any:
    """The corner of ``src`` that an index of this shape covers."""
    if getattr(src, "shape", shape) == shape:
        return src
    if len(src.shape) != len(shape) or any(n < m for n, m in zip(src.shape, shape, strict=True)):
        raise ShapeError(f"scatter: src {tuple(src.shape)} must be at least as large as the index {tuple(shape)}")
    return _getitem(src, tuple(slice(n) for n in shape))


# ---- along a dim, slice by slice ---------------------------------------------------------------------------------


def _slices(x: Any, dim: int, index: Any) -> tuple[Any, ...]:
    """The index of whole slices along ``dim``."""
    return (*(slice(None),) * dim_of(x.shape, dim), plain_index(x, index))


def index_select(x: Any, dim: int, index: Any) -> Tensor:
    """The slices of ``x`` along ``dim`` that a vector of integers names.

    >>> import minigrad as mg
    >>> mg.eye(3).index_select(0, [2, 0]).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    place = _slices(x, dim, index)
    return _checked("index_select", x, dim, place[-1], _getitem, x, place)


def index_add(x: Any, dim: int, index: Any, source: Any, alpha: Any = 1) -> Tensor:
    """A copy of ``x`` with the slices of ``alpha * source`` added to those that a vector of integers names.

    >>> import minigrad as mg
    >>> mg.zeros(2, 2).index_add(0, [1, 1], mg.ones(2, 2)).tolist()
    [[0.0, 0.0], [2.0, 2.0]]
    """
    place = _slices(x, dim, index)
    values = source if alpha == 1 else source * alpha
    return _checked("index_add", x, dim, place[-1], _index_put, x, values, place, True)


def masked_select(x: Any, mask: Any) -> Tensor:
    """The elements of ``x`` where ``mask`` is true, in order, as a vector. The two are broadcast."""
    mask = plain_index(x, mask)
    try:
        shape = numpy.broadcast_shapes(x.shape, mask.shape)
    except ValueError:
        raise ShapeError(f"masked_select: mask {tuple(mask.shape)} does not broadcast with {tuple(x.shape)}") from None
    return _getitem(broadcast_to(x, shape), broadcast_to(mask, shape))


# ---- rows of a table ---------------------------------------------------------------------------------------------


@primitive
def _embedding(weight: Any, /, indices: Any, padding_idx: int | None) -> Tensor:  # noqa: ARG001 (for the rule)
    """The rows of ``weight`` that ``indices`` names. The row ``padding_idx`` gets no gradient."""
    on_host = backend.of(weight).kind == "cpu"  # elsewhere, looking at the indices would mean waiting for the device
    try:
        if on_host and indices.size and indices.min() < 0:
            raise IndexError
        return weight.take(indices, 0) if weight.flags.c_contiguous else weight[indices]
    except IndexError:
        rows = len(weight)
        worst = indices.min() if indices.min() < 0 else indices.max()
        raise IndexError(f"index {worst} names no row: the table has {rows} rows, 0 to {rows - 1}") from None


def _embedding_back(g: Any, weight_shape: tuple[int, ...], indices: Any, padding_idx: int | None) -> Any:
    if padding_idx is not None:
        g = where((indices != padding_idx)[..., None], g, 0.0)
    return place_into_zeros(g, indices, weight_shape)


defvjp(_embedding, weight=_embedding_back)


def embedding(input: Any, weight: Any, padding_idx: int | None = None) -> Tensor:
    """The rows of a table by their numbers: ``out[...] = weight[input[...]]``.

    Args:
        input: integers of any shape, 0 to ``V - 1``.
        weight: the table, ``(V, D)``.
        padding_idx: the number of a row that stands for padding and gets no gradient.

    Returns:
        A tensor of shape ``(*input.shape, D)``.

    Raises:
        ShapeError: an index that names no row; negative ones name none. (On a GPU this goes unnoticed.)

    >>> import minigrad as mg
    >>> mg.embedding([[1, 0]], mg.tensor([[1, 2], [3, 4]])).tolist()
    [[[3, 4], [1, 2]]]
    """
    if padding_idx is not None and padding_idx < 0:
        padding_idx += weight.shape[0]
    return _embedding(weight, plain_index(weight, input), padding_idx)
