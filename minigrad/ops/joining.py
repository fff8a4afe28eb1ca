"""Tensors put together, and one taken apart: each the gradient of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..backend import xp
from ..errors import DtypeError, ShapeError
from ..primitive import defvjp, defvjp_joint, primitive
from .shape import dim_of, reshape

if TYPE_CHECKING:
    from ..tensor import Tensor


# ---- together ----------------------------------------------------------------------------------------------------


@primitive(moves=True)
def _concat(*xs: Any, dim: int) -> Tensor:
    """``xs`` one behind the other along ``dim``."""
    shapes = [x.shape for x in xs]  # a list has none: NumPy would take it, and the rule would not
    try:
        return xp(xs[0]).concatenate(xs, dim)
    except ValueError:
        raise _misfit(shapes, dim) from None


def concat(tensors: Any, dim: int = 0) -> Tensor:
    """Tensors one behind the other along a dim they have; their other sizes must agree.

    Raises:
        ShapeError: the tensor that does not fit, and in which dim.

    >>> import minigrad as mg
    >>> mg.concat([mg.ones(2, 1), mg.zeros(2, 2)], dim=1).tolist()
    [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    tensors = tuple(tensors)
    if not tensors:
        raise ShapeError("concat: there is nothing to join: the sequence of tensors is empty")
    try:
        return _concat(*tensors, dim=dim)
    except Exception as error:  # noqa: BLE001 - whatever it is, it goes on from here
        raise _stranger("concat", tensors) or error from None


cat = concat


def _misfit(shapes: list[tuple[int, ...]], dim: int) -> ValueError:
    """What is wrong with shapes that do not go together along ``dim``."""
    first = shapes[0]
    if not first:
        return ValueError("tensors without dims cannot be joined along one; stack makes a new dim")
    along = dim_of(first, dim)
    for i, shape in enumerate(shapes):
        if len(shape) != len(first):
            return ValueError(f"tensor {i} has {len(shape)} dims {tuple(shape)}, tensor 0 has {len(first)} {first}")
        for d, (n, m) in enumerate(zip(shape, first, strict=True)):
            if d != along and n != m:
                return ValueError(f"tensor {i} has size {n} in dim {d}, tensor 0 has {m}; only dim {along} may differ")
    return ValueError(f"shapes {shapes} do not go together along dim {dim}")  # pragma: no cover - what else?


@primitive(moves=True)
def _stack(*xs: Any, dim: int) -> Tensor:
    """``xs`` side by side along a new dim ``dim``."""
    shape = xs[0].shape
    for i, x in enumerate(xs):
        if x.shape != shape:
            raise ValueError(f"tensor {i} has shape {tuple(x.shape)}, tensor 0 has {tuple(shape)}: they must be equal")
    dim = dim_of((*shape, 1), dim)
    if dim == len(shape):
        return xp(xs[0]).concatenate([x[..., None] for x in xs], dim)
    # joining along the dim that will follow and then splitting it off needs no view of each tensor
    return xp(xs[0]).concatenate(xs, dim).reshape(*shape[:dim], len(xs), *shape[dim:])


def stack(tensors: Any, dim: int = 0) -> Tensor:
    """Tensors of one shape side by side along a new dim.

    Raises:
        ShapeError: a tensor of another shape than the first.

    >>> import minigrad as mg
    >>> mg.stack([mg.zeros(2), mg.ones(2)], dim=1).tolist()
    [[0.0, 1.0], [0.0, 1.0]]
    """
    tensors = tuple(tensors)
    if not tensors:
        raise ShapeError("stack: there is nothing to join: the sequence of tensors is empty")
    try:
        return _stack(*tensors, dim=dim)
    except Exception as error:  # noqa: BLE001 - whatever it is, it goes on from here
        raise _stranger("stack", tensors) or error from None


def _stranger(name: str, tensors: tuple[Any, ...]) -> DtypeError | None:
    """What to say if there is something among the tensors that is none."""
    for i, x in enumerate(tensors):
        if not hasattr(x, "shape"):
            said = f"{name}: joins tensors, but number {i} of the sequence is {type(x).__name__} {x!r:.60}"
            return DtypeError(f"{said}\n  hint: make it one with mg.tensor(...)")
    return None


def vstack(tensors: Any) -> Tensor:
    """Tensors on top of each other: joined along dim 0, numbers and vectors taken as rows."""
    return concat([x if len(x.shape) > 1 else reshape(x, 1, -1) for x in tensors], dim=0)


def hstack(tensors: Any) -> Tensor:
    """Tensors beside each other: vectors joined along dim 0, all others along dim 1."""
    tensors = [x if x.shape else reshape(x, 1) for x in tensors]
    return concat(tensors, dim=0 if tensors and len(tensors[0].shape) == 1 else 1)


# ---- apart -------------------------------------------------------------------------------------------------------
#
# Ops with several outputs, because their whole backward is then one concatenation. For the four gates of an LSTM
# cell, 32 x 512, splitting takes 9 us and 40 with its backward; four slices take 14, and 50 with theirs, which fills
# four tensors with zeros and adds them up. At 64 x 2048 it is 69 against 126.


@primitive(outputs=True, views=True)
def _split(x: Any, /, sizes: tuple[int, ...], dim: int) -> tuple[Tensor, ...]:
    """``x`` cut along ``dim`` into pieces of these sizes: views."""
    head = (slice(None),) * dim
    pieces, start = [], 0
    for size in sizes:
        end = start + size
        pieces.append(x[(*head, slice(start, end))])
        start = end
    return tuple(pieces)


def split(x: Any, split_size: int | tuple[int, ...], dim: int = 0) -> tuple[Tensor, ...]:
    """``x`` cut along ``dim`` into pieces of one size (the last may be smaller), or of the sizes listed: views.

    Raises:
        ShapeError: the sizes do not add up to that of ``x``.

    >>> import minigrad as mg
    >>> [piece.tolist() for piece in mg.arange(5).split(2)]
    [[0, 1], [2, 3], [4]]
    >>> [piece.tolist() for piece in mg.arange(5).split([1, 4])]
    [[0], [1, 2, 3, 4]]
    """
    dim = dim_of(x.shape, dim)
    total = x.shape[dim]
    if isinstance(split_size, int):
        if split_size < 1:
            raise ShapeError(f"split: pieces of size {split_size} never add up; the size must be positive")
        count = max(1, -(-total // split_size))
        sizes = (split_size,) * (count - 1) + (total - split_size * (count - 1),)
    else:
        sizes = tuple(split_size)
    if sum(sizes) != total or min(sizes, default=0) < 0:
        raise ShapeError(f"split: sizes {sizes} add up to {sum(sizes)}, but dim {dim} of {tuple(x.shape)} is {total}")
    result: tuple[Tensor, ...] = _split(x, sizes, dim)
    return result


def chunk(x: Any, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """``x`` cut along ``dim`` into at most ``chunks`` pieces of one size (the last may be smaller): views.

    >>> import minigrad as mg
    >>> [piece.tolist() for piece in mg.arange(5).chunk(2)]
    [[0, 1, 2], [3, 4]]
    """
    if chunks < 1:
        raise ShapeError(f"chunk: a tensor cannot be cut into {chunks} pieces")
    size = x.shape[dim_of(x.shape, dim)]
    return split(x, -(-size // chunks), dim) if size else split(x, (0,) * chunks, dim)


@primitive(outputs=True, views=True)
def unbind(x: Any, /, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices of ``x`` along ``dim``, which they no longer have: views.

    A loop over time steps reads ``for x_t in x.unbind():``. It costs the backward pass one stacking, where a loop
    over ``x[t]`` makes it fill and add a whole tensor for each step.

    >>> import minigrad as mg
    >>> [row.tolist() for row in mg.eye(2).unbind()]
    [[1.0, 0.0], [0.0, 1.0]]
    """
    dim = dim_of(x.shape, dim)
    if dim == 0 and x.ndim > 1:
        return tuple(x)
    head = (slice(None),) * dim
    return tuple([x[(*head, i, ...)] for i in range(x.shape[dim])])


defvjp(_split, x=lambda g, dim: _concat(*g, dim=dim))
defvjp(unbind, x=lambda g, dim: _stack(*g, dim=dim % (len(g.shape[0]) + 1)))


@defvjp_joint(_concat)
def _split_back(g: Any, xs_shape: tuple[tuple[int, ...], ...], dim: int) -> tuple[Any, ...]:
    dim = dim % len(g.shape)
    return _split(g, tuple(shape[dim] for shape in xs_shape), dim)


@defvjp_joint(_stack)
def _unbind_back(g: Any, dim: int) -> tuple[Any, ...]:
    return unbind(g, dim)
