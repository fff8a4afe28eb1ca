"""The only file that knows NumPy from CuPy.

Everything else asks an array for its module, ``xp(x).tanh(x)``, and uses what NumPy and CuPy spell alike. What they
do not spell alike is a method of :class:`Backend`: copies between host and device, scatter-add, random numbers,
waiting for the device.

CuPy is never imported unasked: an array that is a CuPy array proves that it is imported already, and only
``to("cuda")`` and its like import it. Importing CuPy works without a GPU, so having imported it proves nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import sys
from types import ModuleType
from typing import Any

import numpy

from .errors import DeviceError, DtypeError

Array = Any


class Backend:
    """NumPy on the host, and the interface of the other backends.

    Attributes:
        module: the array module: what ``xp(array)`` returns.
        generator: the random generator of this backend; :func:`manual_seed` sets it anew.
    """

    kind = "cpu"

    def __init__(self, module: Any = numpy) -> None:
        self.module = module
        self.generator: Any = module.random.default_rng()

    @property
    def array_type(self) -> type[Any]:
        """The class of this backend's arrays."""
        kind: type[Any] = self.module.ndarray
        return kind

    def device_of(self, array: Array) -> str:
        """``"cpu"`` or ``"cuda:0"``."""
        return "cpu"

    def to_host(self, array: Array) -> numpy.ndarray[Any, Any]:
        """The array as a NumPy array: a copy where it lives elsewhere."""
        host: numpy.ndarray[Any, Any] = array
        return host

    def from_host(self, array: numpy.ndarray[Any, Any], index: int = 0) -> Array:
        """A NumPy array as an array of this backend."""
        return array

    def active(self, index: int) -> Any:
        """A context in which new arrays are made on device number ``index``."""
        return contextlib.nullcontext()

    def synchronize(self) -> None:
        """Wait until the device has done everything asked of it so far."""

    def scatter_add(self, target: Array, index: Any, values: Array) -> None:
        """``target[index] += values`` in place, with every occurrence of a repeated index counted."""
        numpy.add.at(target, index, values)

    def erf(self, x: Array) -> Array:
        """The error function, elementwise. NumPy has none; the standard library's is exact and slow."""
        return _erf(x).astype(x.dtype) if x.ndim else x.dtype.type(math.erf(x))

    def random(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Uniform numbers in [0, 1)."""
        return self._sampled(self.generator.random, shape, dtype)

    def standard_normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Standard normal numbers."""
        return self._sampled(self.generator.standard_normal, shape, dtype)

    def _sampled(self, draw: Any, shape: tuple[int, ...], dtype: Any) -> Array:
        dtype = numpy.dtype(dtype)
        wide = dtype if dtype in (numpy.float32, numpy.float64) else numpy.dtype(numpy.float32)
        return self.module.asarray(draw(shape, dtype=wide)).astype(dtype, copy=False)


_erf = numpy.frompyfunc(math.erf, 1, 1)


class CupyBackend(Backend):
    """CuPy on a CUDA device; also what the strict stand-in of the tests runs through."""

    kind = "cuda"

    def __init__(self, cupy: Any, cupyx: Any, special: Any) -> None:
        super().__init__(cupy)
        self._cupyx, self._special = cupyx, special

    def device_of(self, array: Array) -> str:
        return f"cuda:{array.device.id}"

    def to_host(self, array: Array) -> numpy.ndarray[Any, Any]:
        host: numpy.ndarray[Any, Any] = array.get()
        return host

    def from_host(self, array: numpy.ndarray[Any, Any], index: int = 0) -> Array:
        with self.active(index):
            return self.module.asarray(array)

    def active(self, index: int) -> Any:
        return self.module.cuda.Device(index)

    def synchronize(self) -> None:
        self.module.cuda.get_current_stream().synchronize()

    def scatter_add(self, target: Array, index: Any, values: Array) -> None:
        self._cupyx.scatter_add(target, index, values)

    def erf(self, x: Array) -> Array:
        return self._special.erf(x)


# ---- which backend an array belongs to ---------------------------------------------------------------------------

_HOST = Backend()
_by_type: dict[type[Any], Backend] = {numpy.ndarray: _HOST}
_modules: dict[type[Any], Any] = {numpy.ndarray: numpy}
_by_kind: dict[str, Backend] = {"cpu": _HOST}


def register(backend: Backend) -> None:
    """Make arrays of a backend known, and the backend the one for its kind of device."""
    _by_type[backend.array_type] = backend
    _modules[backend.array_type] = backend.module
    _by_kind[backend.kind] = backend


def unregister(backend: Backend) -> None:
    """Undo :func:`register`."""
    _by_type.pop(backend.array_type, None)
    _modules.pop(backend.array_type, None)
    if _by_kind.get(backend.kind) is backend:
        del _by_kind[backend.kind]


def xp(array: Array) -> Any:
    """The array module of an array: ``numpy`` or ``cupy``. Numbers and Python values belong to NumPy."""
    return _modules.get(array.__class__) or of(array).module


def of(array: Array) -> Backend:
    """The backend of an array."""
    known = _by_type.get(type(array))
    if known is None:
        if type(array).__module__.partition(".")[0] == "cupy" and "cupy" in sys.modules:
            _load_cupy()
            return _by_type[type(array)]
        known = next((b for cls, b in _by_type.items() if isinstance(array, cls)), _HOST)
    return known


def module_of(value: Any) -> Any:
    """The array module of a value if it is an array of a known backend, else ``None``."""
    return xp(value) if hasattr(value, "shape") and hasattr(value, "dtype") else None


def is_array(value: Any) -> bool:
    """Whether a value is an array of a known backend (NumPy scalars are not)."""
    return type(value) in _by_type or isinstance(value, tuple(_by_type)) or type(of(value)) is not Backend


def is_writable(array: Array) -> bool:
    """Whether an array may be written to; CuPy has no read-only arrays."""
    return bool(getattr(array.flags, "writeable", True))


def _load_cupy() -> Backend:
    if "cuda" not in _by_kind:
        cupy = importlib.import_module("cupy")
        register(CupyBackend(cupy, importlib.import_module("cupyx"), importlib.import_module("cupyx.scipy.special")))
    return _by_kind["cuda"]


# ---- devices -----------------------------------------------------------------------------------------------------


class device:
    """A device by name: ``"cpu"``, ``"cuda"`` (the first one) or ``"cuda:1"``.

    >>> device("cuda")
    device('cuda:0')
    >>> device("cpu") == "cpu"
    True
    """

    __slots__ = ("index", "type")

    def __init__(self, name: str | device) -> None:
        kind, _, index = str(name).partition(":")
        if kind not in ("cpu", "cuda") or (index and not index.isdecimal()) or (kind == "cpu" and index not in ("", "0")):
            raise DeviceError(f'there is no device "{name}"; devices are "cpu", "cuda" and "cuda:N"')
        self.type, self.index = kind, int(index or 0)

    def __str__(self) -> str:
        return "cpu" if self.type == "cpu" else f"cuda:{self.index}"

    def __repr__(self) -> str:
        return f"device({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (str, device)) and str(self) == str(device(other))

    def __hash__(self) -> int:
        return hash(str(self))


def on(target: str | device) -> Backend:
    """The backend for a device.

    Raises:
        DeviceError: CuPy or the GPU is missing; the message says which, and how to get it.
    """
    target = device(target)
    if target.type in _by_kind:
        return _by_kind[target.type]
    try:
        backend = _load_cupy()
    except ImportError as error:
        raise DeviceError(
            f'device "{target}" needs CuPy, which is not installed ({error})\n'
            '  hint: pip install "minigrad[cuda12]" or "minigrad[cuda13]", whichever CUDA the driver has (nvidia-smi)'
        ) from None
    if not backend.module.cuda.is_available():
        unregister(backend)
        raise DeviceError(f'device "{target}": CuPy is installed but finds no usable GPU (is there a driver? nvidia-smi)')
    if target.index >= backend.module.cuda.runtime.getDeviceCount():
        raise DeviceError(f'device "{target}" does not exist: {backend.module.cuda.runtime.getDeviceCount()} GPUs here')
    return backend


def move(array: Array, target: str | device) -> Array:
    """An array on a device: itself if it is there already, else a copy."""
    target = device(target)
    here = of(array)
    if here.device_of(array) == str(target):
        return array
    return on(target).from_host(here.to_host(array), target.index)


def is_available() -> bool:
    """Whether a CUDA device can be used."""
    try:
        on("cuda")
    except DeviceError:
        return False
    return True


# ---- random numbers ----------------------------------------------------------------------------------------------


def manual_seed(seed: int) -> None:
    """Set the random generators of all devices: the same seed gives the same numbers.

    >>> import minigrad as mg
    >>> mg.manual_seed(0)
    >>> a = mg.rand(2)
    >>> mg.manual_seed(0)
    >>> bool((a == mg.rand(2)).all())
    True
    """
    for backend in _by_kind.values():
        backend.generator = backend.module.random.default_rng(seed)


def get_rng_state() -> dict[str, Any]:
    """The state of the host's random generator, as plain data for :func:`set_rng_state`."""
    state: dict[str, Any] = _HOST.generator.bit_generator.state
    return state


def set_rng_state(state: dict[str, Any]) -> None:
    """Continue the host's random numbers from a state of :func:`get_rng_state`."""
    _HOST.generator.bit_generator.state = state


# ---- dtypes ------------------------------------------------------------------------------------------------------

float16, float32, float64 = numpy.dtype("float16"), numpy.dtype("float32"), numpy.dtype("float64")
int8, int16, int32, int64 = (numpy.dtype(f"int{n}") for n in (8, 16, 32, 64))
uint8, bool_ = numpy.dtype("uint8"), numpy.dtype("bool")

_default_dtype = [float32]


def get_default_dtype() -> numpy.dtype[Any]:
    """The dtype of new tensors made of Python floats."""
    return _default_dtype[0]


def set_default_dtype(dtype: Any) -> None:
    """Make new tensors of Python floats this dtype: ``mg.float32`` (at the start), ``float64`` or ``float16``."""
    dtype = numpy.dtype(dtype)
    if dtype.kind != "f":
        raise DtypeError(f"the default dtype must be floating, not {dtype}")
    _default_dtype[0] = dtype
