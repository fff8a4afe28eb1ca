"""The only file that knows NumPy from CuPy.

Everything else asks an array for its module, ``xp(x).tanh(x)``, and uses what NumPy and CuPy spell alike. What they
do not spell alike is a method of :class:`Backend`: copies between host and device, scatter-add, random numbers,
waiting for the device.

CuPy is never imported unasked: an array that is a CuPy array proves that it is imported already, and only
``to("cuda")`` and its like import it. Importing CuPy works without a GPU, so having imported it proves nothing.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from .context import Context, Mode
from .errors import DeviceError, DtypeError, MinigradError

Array = Any


class Backend:
    """NumPy on the host, and the interface of the other backends.

    Attributes:
        module: the array module: what ``xp(array)`` returns.
        array_type: the class of its arrays.
    """

    kind = "cpu"

    def __init__(self, module: Any = numpy) -> None:
        self.module = module
        self.array_type: type[Any] = module.ndarray
        self._generators: dict[int, Any] = {}

    @property
    def count(self) -> int:
        """How many devices there are."""
        return 1

    @property
    def current(self) -> int:
        """The number of the device that new arrays are made on."""
        return 0

    @property
    def generator(self) -> Any:
        """The random generator of the current device, seeded by the last :func:`manual_seed`."""
        if self.current not in self._generators:
            self._generators[self.current] = self.module.random.default_rng(_seed[0])
        return self._generators[self.current]

    @generator.setter
    def generator(self, generator: Any) -> None:
        self._generators[self.current] = generator

    def reseed(self) -> None:
        """Start the random numbers of all devices anew."""
        self._generators.clear()

    def device_of(self, array: Array) -> str:
        """``"cpu"`` or ``"cuda:0"``."""
        return str(array.device)

    def to_host(self, array: Array) -> numpy.ndarray[Any, Any]:
        """The array as a NumPy array: a copy where it lives elsewhere."""
        host: numpy.ndarray[Any, Any] = array
        return host

    def from_host(self, array: numpy.ndarray[Any, Any], index: int = 0) -> Array:  # noqa: ARG002
        """A NumPy array as an array of this backend, on device number ``index``."""
        return array

    def active(self, index: int) -> Any:  # noqa: ARG002
        """A context in which device number ``index`` is the current one."""
        return contextlib.nullcontext()

    def synchronize(self) -> None:
        """Wait until the device has done everything asked of it so far."""

    def scatter_add(self, target: Array, index: Any, values: Array) -> None:
        """``target[index] += values`` in place, with every occurrence of a repeated index counted.

        NumPy's ``add.at`` has a fast loop for one dimension only. Whole rows are therefore added element by element
        in the flattened target: 0.26 ms instead of 1.24 for 1,120 rows into 10,000 of 128 (sorting the rows and
        ``add.reduceat`` takes 0.71).
        """
        rows = isinstance(index, numpy.ndarray) and index.dtype.kind in "iu"
        if not rows or target.ndim == 1 or not target.flags.c_contiguous:
            numpy.add.at(target, index, values)
            return
        width = math.prod(target.shape[1:])
        places = index.reshape(-1, 1).astype(numpy.intp, copy=False) * width + numpy.arange(width)
        values = numpy.broadcast_to(values, (*index.shape, *target.shape[1:]))
        try:
            numpy.add.at(target.reshape(-1), places.reshape(-1), values.reshape(-1))
        except IndexError:
            numpy.add.at(target, index, values)  # fails too, and names the row instead of the element

    def erf(self, x: Array) -> Array:
        """The error function, elementwise; NumPy has none. The error is at most a unit in the last place of 1.

        Taylor's series about the nearest point of a table, which has one every sixteenth.
        """
        dtype = float32 if x.dtype in (float16, float32) else float64
        wide = numpy.maximum(numpy.minimum(x, 6, dtype=dtype), -6)
        nearest = numpy.rint(numpy.fmax(wide, -6) * 16)  # fmax: NaN has a place in the table too
        h = wide - nearest / 16
        out, *rest = _erf_series(dtype)[:, nearest.astype(numpy.intp) + 96]
        for coefficient in rest:
            out = out * h + coefficient
        return out.astype(x.dtype if x.dtype.kind == "f" else dtype, copy=False)

    def sigmoid(self, x: Array) -> Array:
        r"""The logistic function, as :math:`e^x / (1 + e^x)` with :math:`x` cut off where the power would overflow.

        Every digit is right at both ends. Half of a hyperbolic tangent would be quicker, by a tenth on 256 numbers,
        but loses the digits of what is nearly zero: in float32, all of them at -20.
        """
        bound, one = _sigmoid_constants.get(getattr(x, "dtype", None), (709.0, 1.0))
        power = self.module.exp(self.module.minimum(x, bound))
        return power / (power + one)

    def fork_generator(self) -> Callable[[], Any]:
        """Makes generators that draw again what ``generator`` draws from here on."""
        now = copy.deepcopy(self.generator)
        return lambda: copy.deepcopy(now)

    def random(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Uniform numbers in [0, 1)."""
        return self._sampled(self.generator.random, shape, dtype)

    def standard_normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Standard normal numbers."""
        return self._sampled(self.generator.standard_normal, shape, dtype)

    def dropout_mask(self, shape: tuple[int, ...], p: float, dtype: Any) -> Array:
        """0 with probability ``p``, elsewhere what keeps the mean, 1 / (1 - p)."""
        mask = self.random(shape, dtype)
        self.module.greater_equal(mask, p, out=mask)
        mask *= 1.0 / (1.0 - p) if p < 1.0 else 0.0
        return mask

    def _sampled(self, draw: Any, shape: tuple[int, ...], dtype: Any) -> Array:
        dtype = numpy.dtype(dtype)
        wide = dtype if dtype in (numpy.float32, numpy.float64) else numpy.dtype(numpy.float32)
        return self.module.asarray(draw(shape, dtype=wide)).astype(dtype, copy=False)


@functools.cache
def _erf_series(dtype: numpy.dtype[Any]) -> Array:
    r"""Coefficients, the highest first, of Taylor's series of the error function about -6, -6 + 1/16, ..., 6.

    :math:`\mathrm{erf}^{(m+1)}(a) = \frac{2}{\sqrt\pi} e^{-a^2} (-1)^m H_m(a)` with Hermite's polynomials
    :math:`H_{m+1} = 2 a H_m - 2 m H_{m-1}`.
    """
    a = numpy.arange(-96, 97) / 16
    factor, before, hermite = 2 / math.sqrt(math.pi) * numpy.exp(-a * a), 0 * a, 0 * a + 1
    rows = [numpy.array([math.erf(v) for v in a])]
    for m in range(4 if dtype == float32 else 9):
        rows.append(factor * hermite * (-1) ** m / math.factorial(m + 1))
        before, hermite = hermite, 2 * a * hermite - 2 * m * before
    return numpy.array(rows[::-1], dtype)


# by dtype: where e^x would overflow, and 1; as arrays, because NumPy takes 0.3 µs to convert a Python number
_sigmoid_constants: dict[Any, tuple[Any, Any]] = {
    numpy.dtype(name): (numpy.full((), bound, name), numpy.full((), 1.0, name))
    for name, bound in (("float16", 11.0), ("float32", 88.0), ("float64", 709.0))
}


class CupyBackend(Backend):
    """CuPy on a CUDA device; also what the strict stand-in of the tests runs through."""

    kind = "cuda"

    def __init__(self, cupy: Any, cupyx: Any, special: Any) -> None:
        super().__init__(cupy)
        self._cupyx, self._special = cupyx, special

    @property
    def count(self) -> int:
        """How many GPUs can be used: none without a driver, although CuPy can be imported without one."""
        cuda = self.module.cuda
        return int(cuda.runtime.getDeviceCount()) if cuda.is_available() else 0

    @property
    def current(self) -> int:
        """The number of the GPU that kernels run on."""
        return int(self.module.cuda.Device().id)

    def device_of(self, array: Array) -> str:
        """``"cuda:0"``."""
        return f"cuda:{array.device.id}"

    def to_host(self, array: Array) -> numpy.ndarray[Any, Any]:
        """A copy on the host, once the device has computed it."""
        host: numpy.ndarray[Any, Any] = array.get()
        return host

    def from_host(self, array: numpy.ndarray[Any, Any], index: int = 0) -> Array:
        """A copy on a GPU."""
        with self.active(index):
            return self.module.asarray(array)

    def active(self, index: int) -> Any:
        """A context in which kernels run on this GPU."""
        return self.module.cuda.Device(index)

    def synchronize(self) -> None:
        """Wait for the current stream."""
        self.module.cuda.get_current_stream().synchronize()

    def scatter_add(self, target: Array, index: Any, values: Array) -> None:
        """CuPy's own, and other dtypes by way of one that the hardware adds atomically."""
        if target.dtype.name in _ADDED_ATOMICALLY:
            self._cupyx.scatter_add(target, index, values)
            return
        wide = target.astype(numpy.uint64)  # which wraps around like a signed integer of any size
        self._cupyx.scatter_add(wide, index, values.astype(numpy.uint64))
        target[...] = wide.astype(target.dtype)

    def erf(self, x: Array) -> Array:
        """CuPy's own."""
        return self._special.erf(x).astype(x.dtype if x.dtype.kind == "f" else float64, copy=False)

    def fork_generator(self) -> Callable[[], Any]:
        """CuPy's generators cannot be copied, so this one starts anew, from a seed that the host's hands out."""
        (sequence,) = _HOST.generator.bit_generator.seed_seq.spawn(1)
        seed = int(sequence.generate_state(1, numpy.uint64)[0])
        self.generator = self.module.random.default_rng(seed)
        return lambda: self.module.random.default_rng(seed)

    def sigmoid(self, x: Array) -> Array:
        """The logistic function; Python numbers cost nothing here."""
        bound, _ = _sigmoid_constants.get(x.dtype, (709.0, 1.0))
        power = self.module.exp(self.module.minimum(x, float(bound)))
        return power / (power + 1)

    def _sampled(self, draw: Any, shape: tuple[int, ...], dtype: Any) -> Array:
        if 0 in shape:  # CuPy would start a kernel without threads
            return self.module.zeros(shape, dtype)
        return super()._sampled(draw, shape, dtype)


_ADDED_ATOMICALLY = {"int32", "uint32", "uint64", "float16", "float32", "float64"}

# ---- which backend an array belongs to ---------------------------------------------------------------------------

_HOST = Backend()
_by_type: dict[type[Any], Backend] = {numpy.ndarray: _HOST}
_modules: dict[type[Any], Any] = {numpy.ndarray: numpy}
_by_kind: dict[str, Backend] = {"cpu": _HOST}


def register(backend: Backend) -> Backend:
    """Make arrays of a backend known, and the backend the one for its kind of device."""
    _by_type[backend.array_type] = backend
    _modules[backend.array_type] = backend.module
    _by_kind[backend.kind] = backend
    return backend


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
    if known is not None:
        return known
    if type(array).__module__.partition(".")[0] == "cupy":  # then CuPy is imported already
        return register(_cupy())
    return next((backend for kind, backend in _by_type.items() if isinstance(array, kind)), _HOST)


def is_array(value: Any) -> bool:
    """Whether a value is an array of some backend (NumPy scalars are not)."""
    return isinstance(value, of(value).array_type)


def module_of(value: Any) -> Any:
    """The array module of a value if it is an array, else ``None``."""
    return xp(value) if is_array(value) else None


def is_writable(array: Array) -> bool:
    """Whether an array may be written to; CuPy has no read-only arrays."""
    return bool(getattr(array.flags, "writeable", True))


def _cupy() -> Backend:
    return CupyBackend(*map(importlib.import_module, ("cupy", "cupyx", "cupyx.scipy.special")))


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
        kind, colon, index = str(name).partition(":")
        if kind not in ("cpu", "cuda") or (colon and not index.isdecimal()) or (kind == "cpu" and int(index or 0)):
            raise DeviceError(f'there is no device "{name}"; devices are "cpu", "cuda" and "cuda:N"')
        self.type, self.index = kind, int(index or 0)

    def __str__(self) -> str:
        return "cpu" if self.type == "cpu" else f"cuda:{self.index}"

    def __repr__(self) -> str:
        return f"device({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        names = (str(self), self.type) if self.index == 0 else (str(self),)
        return isinstance(other, (str, device)) and str(other) in names

    def __hash__(self) -> int:
        return hash(str(self))


def on(target: str | device) -> Backend:
    """The backend for a device.

    Raises:
        DeviceError: CuPy or the GPU is missing; the message says which, and how to get it.
    """
    target = target if isinstance(target, device) else device(target)
    if target.type == "cpu":
        return _HOST
    try:
        backend = _by_kind.get("cuda") or _cupy()
    except ImportError as error:
        raise DeviceError(
            f'device "{target}" needs CuPy, which is not installed ({error})\n'
            '  hint: pip install "minigrad[cuda12]" or "minigrad[cuda13]", whichever CUDA the driver has (nvidia-smi)'
        ) from None
    count = backend.count
    if count == 0:
        raise DeviceError(
            f'device "{target}": CuPy is installed, but finds no usable GPU\n'
            "  hint: nvidia-smi lists the GPUs that the driver sees; its CUDA version must not be below that of CuPy"
        )
    if target.index >= count:
        raise DeviceError(f'there is no device "{target}": this machine has {count}, numbered from cuda:0')
    return register(backend)


def place(target: str | device) -> tuple[Backend, Any]:
    """The backend of a device, and a context in which that is the current one."""
    if target == "cpu":
        return _HOST, _HOST.active(0)
    target = device(target)
    backend = on(target)
    return backend, backend.active(target.index)


def move(array: Array, target: str | device) -> Array:
    """An array on a device: itself if it is there already, else a copy."""
    target = device(target)
    here = of(array)
    if here.device_of(array) == str(target):
        return array
    return on(target).from_host(here.to_host(array), target.index)


def is_available() -> bool:
    """Whether a CUDA device can be used. Imports CuPy to find out."""
    try:
        on("cuda")
    except DeviceError:
        return False
    return True


class default_device(Mode):
    """Make new tensors on ``device`` inside, and compute there: ``with mg.default_device("cuda:1"): ...``.

    Ops run on the current GPU, which is the first one outside of such a block.
    """

    __slots__ = ("_active", "_device")

    def __init__(self, target: str | device) -> None:
        super().__init__()
        self._device = device(target)
        self._active: list[Any] = []

    def change(self, context: Context) -> Context:
        """Another default device."""
        return context.but(device=str(self._device))

    def _fresh(self) -> Mode:
        fresh = super()._fresh()
        fresh._active = []  # type: ignore[attr-defined]
        return fresh

    def __enter__(self) -> Any:
        _, active = place(self._device)
        active.__enter__()
        self._active.append(active)
        return super().__enter__()

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self._active.pop().__exit__(*exc)


# ---- random numbers ----------------------------------------------------------------------------------------------

_seed: list[int | None] = [None]  # what the generators start from, those of devices that come into use later too


def manual_seed(seed: int) -> None:
    """Set the random generators of all devices: the same seed gives the same numbers.

    >>> import minigrad as mg
    >>> mg.manual_seed(0)
    >>> a = mg.rand(2)
    >>> mg.manual_seed(0)
    >>> bool((a == mg.rand(2)).all())
    True
    """
    if not isinstance(seed, (int, numpy.integer)) or seed < 0:
        raise MinigradError(f"manual_seed: a seed is a whole number from 0 on, not {seed!r:.60}")
    _seed[0] = int(seed)
    for backend in _by_kind.values():
        backend.reseed()


def get_rng_state() -> dict[str, Any]:
    """The state of the host's random generator, as plain data for :func:`set_rng_state`."""
    state: dict[str, Any] = _HOST.generator.bit_generator.state
    return state


def set_rng_state(state: dict[str, Any]) -> None:
    """Continue the host's random numbers from a state of :func:`get_rng_state`."""
    _HOST.generator.bit_generator.state = state


def fork_generators() -> dict[Backend, Callable[[], Any]]:
    """For each backend what makes generators that draw again what it draws from here on."""
    return {backend: backend.fork_generator() for backend in _by_kind.values()}


@contextlib.contextmanager
def generators(forked: dict[Backend, Callable[[], Any]]) -> Iterator[None]:
    """Draw again, inside, what was drawn after :func:`fork_generators`."""
    before = {backend: backend.generator for backend in forked}
    for backend, make in forked.items():
        backend.generator = make()
    try:
        yield
    finally:
        for backend, generator in before.items():
            backend.generator = generator


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
