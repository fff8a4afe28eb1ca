"""A strict stand-in for CuPy, for machines without a GPU: it computes with NumPy and refuses what CuPy refuses.

* Its ``ndarray`` is no NumPy array: NumPy will not take it, and it will not take NumPy's. Results without
  dimensions are arrays too.
* It offers the functions, methods and arguments that CuPy has, and no others (``cupy_names.json``).
* It has two devices. What is computed must live on the current one.
* It counts what costs time on a GPU: ``traffic.syncs`` (the host waited for the device: a value, or a shape that
  depends on values, was asked for), ``traffic.uploads`` (something was copied to the device) and
  ``traffic.launches`` (universal functions, products and kernels of one's own that ran).

It is stricter than CuPy in one thing: NumPy's functions do not reach the arrays at all, although CuPy answers some.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy

SCATTER_ADD = {"int32", "uint32", "uint64", "float16", "float32", "float64"}  # what the hardware adds atomically


@dataclass
class Traffic:
    """What went between host and device."""

    syncs: int = 0
    uploads: int = 0
    launches: int = 0

    @contextlib.contextmanager
    def counted(self) -> Iterator[Traffic]:
        """The counts of what runs inside."""
        before = Traffic(self.syncs, self.uploads, self.launches)
        inside = Traffic()
        try:
            yield inside
        finally:
            inside.syncs, inside.uploads = self.syncs - before.syncs, self.uploads - before.uploads
            inside.launches = self.launches - before.launches


traffic = Traffic()


class Device:
    """A device: a context in which it is the current one."""

    count = 2
    current: ClassVar[list[int]] = [0]

    def __init__(self, device: int | None = None) -> None:
        self.id = self.current[-1] if device is None else device
        if not 0 <= self.id < self.count:
            raise RuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    def __enter__(self) -> Device:
        self.current.append(self.id)
        return self

    def __exit__(self, *exc: object) -> None:
        self.current.pop()

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"


class ndarray:
    """An array on a device. Most methods and the operators are added in ``module.py``, from the list of CuPy's."""

    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: numpy.ndarray[Any, Any], device: int | None = None) -> None:
        if host.dtype.kind not in "?biufc":
            raise ValueError(f"Unsupported dtype {host.dtype}")
        self._host = host
        self.device = Device(device)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Use `.get()`.")

    def __array_function__(self, function: Any, *rest: Any) -> Any:
        raise TypeError(f"numpy.{function.__name__} was called on an array of a device")

    @property
    def flags(self) -> Any:
        flags = self._host.flags
        return SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous, owndata=flags.owndata)

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> Any:
        traffic.syncs += 1
        return self._host.copy()

    def item(self) -> Any:
        traffic.syncs += 1
        return self._host.item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __bool__(self) -> bool:
        return bool(self.get())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __repr__(self) -> str:
        return repr(self.get())

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Iterator[ndarray]:
        if not self._host.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> ndarray:
        return wrap(self._host[_index(index, self)])

    def __setitem__(self, index: Any, value: Any) -> None:
        self._host[_index(index, self)] = operand(value)

    def scatter_add(self, slices: Any, value: Any) -> None:
        if self._host.dtype.name not in SCATTER_ADD:
            raise TypeError(f"scatter_add only supports {', '.join(sorted(SCATTER_ADD))} as data type")
        numpy.add.at(self._host, _index(slices, self), operand(value))


# ---- in and out of the wrapping ----------------------------------------------------------------------------------


def wrap(value: Any) -> Any:
    if isinstance(value, (numpy.ndarray, numpy.generic)):
        return ndarray(numpy.asarray(value))
    return type(value)(map(wrap, value)) if type(value) in (tuple, list) else value


def operand(value: Any) -> Any:
    """A value that takes part in a computation: an array on the current device, or a number."""
    if isinstance(value, ndarray):
        if value.device.id != Device.current[-1]:
            raise ValueError(
                "Array device must be same as the current device: "
                f"array device = {value.device.id} while current = {Device.current[-1]}"
            )
        return value._host
    if isinstance(value, (bool, int, float, complex, numpy.generic)):
        return value
    raise TypeError(f"Unsupported type {type(value)}")


def argument(value: Any) -> Any:
    """An argument that may also be a name, a dtype, a tuple of numbers, a list of arrays, but no NumPy array."""
    if isinstance(value, (ndarray, numpy.ndarray)):
        return operand(value)
    return type(value)(map(argument, value)) if type(value) in (tuple, list) else value


def _index(index: Any, array: ndarray) -> Any:
    """An index for NumPy. CuPy takes lists and NumPy arrays here, and copies them to the device."""
    operand(array)
    if isinstance(index, tuple):
        return tuple(_index(part, array) for part in index)
    if isinstance(index, (list, numpy.ndarray)):
        traffic.uploads += 1
        index = numpy.asarray(index, dtype=None if numpy.size(index) else numpy.int32)
    index = operand(index) if isinstance(index, ndarray) else index
    traffic.syncs += isinstance(index, (bool, numpy.bool_)) or getattr(index, "dtype", None) == numpy.bool_
    return index
