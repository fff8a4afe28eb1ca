"""Making tensors: from data, filled, spaced, random."""

from __future__ import annotations

from typing import Any

import numpy

from . import backend
from .call import wrap
from .context import current
from .errors import DtypeError
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


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of shape ``size``, given as numbers or as one tuple."""
    return full(_size(size), 0.0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of shape ``size``, given as numbers or as one tuple."""
    return full(_size(size), 1.0, dtype=dtype, device=device, requires_grad=requires_grad)


def full(size: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``fill_value`` everywhere, of shape ``size``."""
    if dtype is None:
        kind = type(fill_value)
        dtype = kind if kind in (bool, int) else backend.get_default_dtype()
    xp = backend.on(_device(device)).module
    with _placed(device):
        return _finish(xp.full(_size((size,)), fill_value, dtype=dtype), requires_grad)


def arange(
    start: Any, end: Any = None, step: Any = 1, dtype: Any = None, device: Any = None, requires_grad: bool = False
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


def rand(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform random numbers in [0, 1)."""
    dtype = dtype if dtype is not None else backend.get_default_dtype()
    with _placed(device):
        return _finish(backend.on(_device(device)).random(_size(size), dtype), requires_grad)


def randn(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Standard normal random numbers."""
    dtype = dtype if dtype is not None else backend.get_default_dtype()
    with _placed(device):
        return _finish(backend.on(_device(device)).standard_normal(_size(size), dtype), requires_grad)


def randint(low: int, high: int, size: Any, device: Any = None) -> Tensor:
    """Random integers from ``low`` up to but without ``high``, int64."""
    uniform = rand(*size, dtype=backend.float64, device=device).data
    return _finish((uniform * (high - low)).astype(backend.int64) + low, False)


def randperm(n: int, device: Any = None) -> Tensor:
    """A random order of ``0 .. n-1``, int64."""
    return _finish(rand(n, dtype=backend.float64, device=device).data.argsort(), False)


def zeros_like(x: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the shape, dtype and device of ``x``."""
    return full_like(x, 0, dtype, requires_grad)


def ones_like(x: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of the shape, dtype and device of ``x``."""
    return full_like(x, 1, dtype, requires_grad)


def full_like(x: Any, fill_value: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """``fill_value`` everywhere, of the shape, dtype and device of ``x``."""
    return full(x.shape, fill_value, dtype if dtype is not None else x.dtype, _device_of(x), requires_grad)


def rand_like(x: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform random numbers in [0, 1) of the shape, dtype and device of ``x``."""
    dtype = dtype if dtype is not None else x.dtype
    return rand(*x.shape, dtype=dtype, device=_device_of(x), requires_grad=requires_grad)


def randn_like(x: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Standard normal random numbers of the shape, dtype and device of ``x``."""
    dtype = dtype if dtype is not None else x.dtype
    return randn(*x.shape, dtype=dtype, device=_device_of(x), requires_grad=requires_grad)


def _device(device: Any) -> str:
    return current().device if device is None else str(device)


def _device_of(x: Any) -> str:
    array = x.data if isinstance(x, Tensor) else x
    return backend.of(array).device_of(array)


def _placed(device: Any) -> Any:
    return backend.on(_device(device)).active(backend.device(_device(device)).index)


def _size(size: tuple[Any, ...]) -> tuple[int, ...]:
    if len(size) == 1 and not isinstance(size[0], (int, numpy.integer)):
        size = tuple(size[0])
    return tuple(int(n) for n in size)


def _plain(data: Any) -> Any:
    """Nested lists with the tensors in them replaced by their values."""
    if isinstance(data, Tensor):
        return data.numpy()
    return [_plain(value) for value in data] if isinstance(data, (list, tuple)) else data


def _finish(array: Any, requires_grad: bool) -> Tensor:
    result: Tensor = wrap(array)
    result.requires_grad = requires_grad
    return result
