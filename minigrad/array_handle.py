"""What a tensor shares with any array in a Python session: its shape, its values, its behaviour as a value."""

from __future__ import annotations

from typing import Any

import numpy

from . import backend
from .errors import MinigradError
from .node import Handle

NumpyArray = numpy.ndarray[Any, Any]


class ArrayHandle(Handle):
    """A handle that can be looked at: everything about a tensor that needs neither a graph nor an op."""

    __slots__ = ()

    __array_ufunc__ = None  # NumPy operands leave the operator to the tensor: array * tensor is a tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the dimensions."""
        shape: tuple[int, ...] = self._data.shape
        return shape

    @property
    def dtype(self) -> numpy.dtype[Any]:
        """Type of the elements."""
        dtype: numpy.dtype[Any] = self._data.dtype
        return dtype

    @property
    def device(self) -> backend.device:
        """Where the array lives."""
        return backend.device(backend.of(self._data).device_of(self._data))

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self._data.shape)

    def dim(self) -> int:
        """Number of dimensions."""
        return len(self._data.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension."""
        return self.shape if dim is None else self.shape[dim]

    def numel(self) -> int:
        """Number of elements."""
        return int(self._data.size)

    def numpy(self) -> NumpyArray:
        """The values as a NumPy array: no copy on the host (so read-only for a result), a copy from a device."""
        return backend.of(self._data).to_host(self._data)

    def item(self) -> Any:
        """The value of a tensor of one element, as a Python number."""
        if self._data.size != 1:
            raise MinigradError(f"item() is for tensors of one element; this one has shape {self.shape}")
        return self._data.item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self.numpy().tolist()

    @property
    def name(self) -> str | None:
        """A name for errors and drawings. Assignable."""
        node = self._node or self._constant
        return node.name if node is not None else None

    @name.setter
    def name(self, name: str | None) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"a name is a string, not {type(name).__name__}")
        (self._node or self.constant()).ensure_extra().name = name

    # ---- as a value of Python and NumPy ---------------------------------------------------------------------

    def __repr__(self) -> str:
        values = numpy.array2string(self.numpy(), separator=", ", prefix="tensor(", threshold=200, edgeitems=3)
        notes = [f"shape={self.shape}", f"dtype={self.dtype}", f"device={self.device}"]
        if self.name:
            notes.append(f"name={self.name!r}")
        if self._node is not None:
            notes.append(f"op={self._node.op.name}" if self._node.op is not None else "requires_grad=True")
        separator = ",\n       " if "\n" in values else ", "
        return f"tensor({values}{separator}{', '.join(notes)})"

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __contains__(self, value: Any) -> bool:
        return bool((self._data == (value._data if isinstance(value, Handle) else value)).any())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self._data.dtype.kind not in "iu":
            raise TypeError(f"only integer tensors of one element can be an index, not {self.dtype}")
        return int(self.item())

    def __bool__(self) -> bool:
        if self._data.size != 1:
            raise MinigradError(
                f"the truth of a tensor of shape {self.shape} is no single answer: use .any() or .all()"
            )
        return bool(self._data.item())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NumpyArray:
        if backend.of(self._data).kind != "cpu":
            raise MinigradError("a tensor on a GPU is not turned into a NumPy array unasked: use x.numpy()")
        return numpy.array(self._data, dtype=dtype, copy=copy)

    def __dlpack__(self, **kwargs: Any) -> Any:
        array = self._data if backend.is_writable(self._data) else self._data.copy()
        return array.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        return self._data.__dlpack_device__()
