"""Making tensors: from data, filled, spaced, random."""

from __future__ import annotations

import operator
from typing import Any

import numpy

from . import backend
from .call import wrap
from .context import current
from .errors import DtypeError, ShapeError, check_probability
from .ops.shape import sizes_of
from .tensor import Tensor


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of ``data``.

    Args:
        data: a number, nested lists, an array or a tensor.
        dtype: type of the elements; left out, arrays and tensors keep theirs, Python floats become the default
            dtype (float32), integers int64 and booleans bool.
        device: where to put it: ``"cpu"``, ``"cuda"``, ``"cuda:1"``; left out, where an array lives, or else the
            default device.
        requires_grad: whether gradients are computed for it.

    >>> import minigrad as mg
    >>> mg.tensor([[1, 2], [3, 4.5]])
    tensor([[1. , 2. ],
            [3. , 4.5]],
           shape=(2, 2), dtype=float32, device=cpu)
    """
    if isinstance(data, Tensor):
        data = data.data
    if backend.is_array(data):
        array = data if device is None else backend.move(data, device)
        array = array.astype(dtype if dtype is not None else data.dtype, copy=array is data)  # always a copy, and one
        return _finish(array, requires_grad)
    if isinstance(data, (list, tuple)):
        data = _plain(data)
    try:
        array = numpy.array(data, dtype=dtype)
    except ValueError as error:
        raise DtypeError(f"this data does not make a rectangular array of numbers: {error}") from None
    if array.dtype.kind not in "biuf":
        raise DtypeError(f"a tensor holds numbers or booleans, not {array.dtype} ({data!r:.60})")
    if dtype is None and array.dtype.kind == "f" and not isinstance(data, numpy.generic):
        array = array.astype(backend.get_default_dtype())
    return _finish(backend.move(array, _device(device)), requires_grad)


def from_numpy(array: numpy.ndarray[Any, Any]) -> Tensor:
    """A tensor that shares the memory of a NumPy array: what is written to one shows in the other."""
    if not isinstance(array, numpy.ndarray):
        raise DtypeError(f"from_numpy takes a NumPy array, not {type(array).__name__}; see mg.tensor")
    result: Tensor = wrap(array)
    return result


def zeros(
    *sizes: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Zeros of a shape given as numbers, as one tuple, or by the keyword ``size``."""
    return _filled(_size(sizes, size), 0.0, dtype, device, requires_grad)


def ones(
    *sizes: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Ones of a shape given as numbers, as one tuple, or by the keyword ``size``."""
    return _filled(_size(sizes, size), 1.0, dtype, device, requires_grad)


def full(size: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The number ``fill_value`` everywhere, of shape ``size``."""
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    if isinstance(fill_value, (list, tuple)) or getattr(fill_value, "shape", None):
        raise ShapeError(f"full: fill_value is one number, not {fill_value!r:.60}\n  hint: expand() repeats a tensor")
    kind = type(fill_value)
    dtype = kind if dtype is None and kind in (bool, int) else dtype
    return _filled(_size((size,)), fill_value, dtype, device, requires_grad)


def arange(
    start: Any = 0, end: Any = None, step: Any = 1, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``start, start + step, ...`` up to but without ``end``; ``arange(end)`` starts at 0."""
    start, end = (0, start) if end is None else (start, end)
    if dtype is None:
        floating = any(isinstance(v, float) for v in (start, end, step))
        dtype = backend.get_default_dtype() if floating else backend.int64
    return tensor(numpy.arange(start, end, step, dtype=dtype), device=_device(device), requires_grad=requires_grad)


def linspace(
    start: float, end: float, steps: int, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``steps`` evenly spaced numbers from ``start`` to ``end``, both included."""
    values = numpy.linspace(start, end, steps, dtype=dtype if dtype is not None else backend.get_default_dtype())
    return tensor(values, device=_device(device), requires_grad=requires_grad)


def eye(n: int, m: int | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The identity: ``n`` rows, ``m`` columns (``n`` if left out)."""
    values = numpy.eye(n, m, dtype=dtype if dtype is not None else backend.get_default_dtype())
    return tensor(values, device=_device(device), requires_grad=requires_grad)


def rand(
    *sizes: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Uniform random numbers in [0, 1), of a shape given as numbers, as one tuple, or by the keyword ``size``."""
    dtype = dtype if dtype is not None else backend.get_default_dtype()
    used, placed = backend.place(_device(device))
    with placed:
        return _finish(used.random(_size(sizes, size), dtype), requires_grad)


def randn(
    *sizes: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Standard normal random numbers, of a shape given as numbers, as one tuple, or by the keyword ``size``."""
    dtype = dtype if dtype is not None else backend.get_default_dtype()
    used, placed = backend.place(_device(device))
    with placed:
        return _finish(used.standard_normal(_size(sizes, size), dtype), requires_grad)


def dropout_mask(*sizes: Any, p: float = 0.5, size: Any = None, dtype: Any = None, device: Any = None) -> Tensor:
    """What :func:`dropout` multiplies by: 0 with probability ``p``, elsewhere 1 / (1 - p).

    To drop the same elements more than once: in every step of a sequence (Gal and Ghahramani 2016), say.

    Args:
        sizes: the shape, as numbers or as one tuple.
        p: from 0 to 1.
        size: the shape, by name.
        dtype: a dtype of floating-point numbers.
        device: where it should be.

    Raises:
        MinigradError: ``p`` is not a probability.
        DtypeError: the dtype has no fractions.

    >>> import minigrad as mg
    >>> mask = mg.dropout_mask(3, 1, p=0.5)
    >>> set(mask.flatten().tolist()) <= {0.0, 2.0}
    True
    """
    check_probability("dropout_mask: p", p)
    dtype = numpy.dtype(dtype if dtype is not None else backend.get_default_dtype())
    if dtype.kind != "f":
        raise DtypeError(f"dropout_mask: {dtype} has no fractions such as 1 / (1 - p)\n  hint: dtype=mg.float32")
    used, placed = backend.place(_device(device))
    with placed:
        return _finish(used.dropout_mask(_size(sizes, size), p, dtype), False)


def randint(low: Any = 0, high: Any = None, size: Any = None, device: Any = None) -> Tensor:
    """Random integers from ``low`` up to but without ``high``, int64; ``randint(high, size)`` starts at 0.

    >>> import minigrad as mg
    >>> mg.randint(5, (2, 3)).shape, mg.randint(7, 8, size=(2,)).tolist()
    ((2, 3), [7, 7])
    """
    if size is None:
        high, size = None, high
    low, high = (0, low) if high is None else (low, high)
    if size is None or not low < high:
        raise ShapeError(f"randint: takes (low, high, size) with low below high, not ({low}, {high}, {size})")
    uniform = rand(size=size, dtype=backend.float64, device=device).data
    return _finish((uniform * (high - low)).astype(backend.int64) + low, False)


def randperm(n: int, device: Any = None) -> Tensor:
    """A random order of ``0 .. n-1``, int64."""
    return _finish(rand(n, dtype=backend.float64, device=device).data.argsort(), False)


def zeros_like(x: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Tensor:
    """Zeros of the shape of ``x``, and of its dtype and device unless told others."""
    return full_like(x, 0, dtype, requires_grad, device)


def ones_like(x: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Tensor:
    """Ones of the shape of ``x``, and of its dtype and device unless told others."""
    return full_like(x, 1, dtype, requires_grad, device)


def full_like(
    x: Any, fill_value: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None
) -> Tensor:
    """``fill_value`` everywhere, of the shape of ``x``, and of its dtype and device unless told others."""
    return full(x.shape, fill_value, dtype if dtype is not None else x.dtype, device or _device_of(x), requires_grad)


def rand_like(x: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Tensor:
    """Uniform random numbers in [0, 1) of the shape of ``x``, and of its dtype and device unless told others."""
    dtype = dtype if dtype is not None else x.dtype
    return rand(*x.shape, dtype=dtype, device=device or _device_of(x), requires_grad=requires_grad)


def randn_like(x: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Tensor:
    """Standard normal random numbers of the shape of ``x``, and of its dtype and device unless told others."""
    dtype = dtype if dtype is not None else x.dtype
    return randn(*x.shape, dtype=dtype, device=device or _device_of(x), requires_grad=requires_grad)


def _device(device: Any) -> str:
    return current().device if device is None else str(device)


def _device_of(x: Any) -> str:
    array = x.data if isinstance(x, Tensor) else x
    return backend.of(array).device_of(array)


def _filled(shape: tuple[int, ...], value: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    dtype = backend.get_default_dtype() if dtype is None else dtype
    used, placed = backend.place(_device(device))
    with placed:
        array = used.module.empty(shape, dtype=dtype)
        array.fill(value)  # as full does, with a third of its overhead
        return _finish(array, requires_grad)


def _size(size: tuple[Any, ...], named: Any = None) -> tuple[int, ...]:
    given: tuple[Any, ...] = sizes_of(size, named)
    try:
        if len(given) == 1 and not isinstance(given[0], (int, numpy.integer)):
            given = tuple(given[0])  # another sequence
        shape = tuple(map(operator.index, given))
    except TypeError:
        raise ShapeError(f"a shape is made of whole numbers, not {given!r:.60}") from None
    if min(shape, default=0) < 0:
        raise ShapeError(f"there is no shape {shape}: sizes are numbers from 0 on")
    return shape


def _plain(data: Any) -> Any:
    """Nested lists with the tensors in them replaced by their values."""
    if isinstance(data, Tensor):
        return data.numpy()
    return [_plain(value) for value in data] if isinstance(data, (list, tuple)) else data


def _finish(array: Any, requires_grad: bool) -> Tensor:
    result: Tensor = wrap(array)
    if requires_grad:
        result.requires_grad = True
    return result
