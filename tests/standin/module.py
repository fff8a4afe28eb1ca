"""The stand-in's functions, methods and operators, made from the list of CuPy's, and the module they stand in."""

from __future__ import annotations

import functools
import inspect
import json
import math
import operator
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy

from .arrays import Device, argument, ndarray, operand, traffic, wrap
from .elementwise import ElementwiseKernel

NAMES = json.loads(Path(__file__).with_name("cupy_names.json").read_text(encoding="utf-8"))

# Functions that take no array, and those that make one of anything.
HOST = {"broadcast_shapes", "can_cast", "isdtype", "isscalar", "iterable", "promote_types", "result_type", "ndim"}
UPLOAD = {"array", "asarray", "asanyarray", "ascontiguousarray"}
CREATE = {
    *("arange", "diag_indices", "empty", "eye", "full", "identity", "indices", "linspace", "logspace", "ones", "tri"),
    *("tril_indices", "triu_indices", "zeros"),
}
ANYTHING_FIRST = {"einsum", "lexsort", "meshgrid", "select"}  # a text, or a list of arrays
JOIN = {"column_stack", "concat", "concatenate", "dstack", "hstack", "row_stack", "stack", "vstack"}
# What waits for the device, because the shape of the result or a decision depends on values.
SYNC = {
    *("argwhere", "bincount", "choose", "compress", "delete", "extract", "flatnonzero", "histogram", "intersect1d"),
    *("mask_indices", "nonzero", "setdiff1d", "setxor1d", "tril_indices", "trim_zeros", "triu_indices", "union1d"),
    *("unique", "unique_all", "unique_counts", "unique_inverse", "unique_values"),
}
VIEWS = {"broadcast_to", "expand_dims", "moveaxis", "permute_dims", "reshape", "squeeze", "swapaxes", "transpose"}
ARRAY_RESULT = {"allclose", "array_equal", "array_equiv"}  # Python booleans in NumPy, 0-d arrays in CuPy


def _bound(function: Callable[..., Any], name: str, parameters: str) -> Callable[..., Any]:
    """``function`` refusing arguments that are not among CuPy's ``parameters``."""
    signature = inspect.signature(eval(f"lambda {parameters}: None"))  # noqa: S307

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name}({parameters}) in CuPy: {error}") from None
        return function(*args, **kwargs)

    return call


# ---- functions ---------------------------------------------------------------------------------------------------


def _ufunc(name: str, host: Any) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        traffic.launches += 1
        unknown = set(kwargs) - {"out", "dtype", "casting"}
        if unknown or not NAMES["ufuncs"][name] <= len(args) <= NAMES["ufuncs"][name] + 1:
            raise TypeError(f"Wrong arguments for {name}: {len(args)} arrays, {sorted(unknown)}")
        return wrap(host(*map(operand, args), **{key: argument(value) for key, value in kwargs.items()}))

    call.__name__ = name
    return call


def _function(name: str, host: Any, parameters: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if name in UPLOAD:
            return _upload(name, host, *args, **kwargs)
        if name in JOIN and not all(isinstance(a, ndarray) for a in args[0]):
            raise TypeError(f"{name}: Only cupy arrays can be concatenated")
        if name not in HOST | CREATE | JOIN | ANYTHING_FIRST and not any(isinstance(a, ndarray) for a in args[:1]):
            raise TypeError(f"{name}: {type(args[0])} is not a cupy array")
        _check_sortable(name, args[0] if args else None, kwargs)
        if name in SYNC or (name == "where" and len(args) == 1) or (name == "repeat" and isinstance(args[1], ndarray)):
            traffic.syncs += 1
        traffic.launches += name not in HOST | VIEWS
        result = host(*map(argument, args), **{key: argument(value) for key, value in kwargs.items()})
        return wrap(numpy.asarray(result) if name in ARRAY_RESULT else result)

    return _bound(call, name, parameters)


def _check_sortable(name: str, a: Any, kwargs: dict[str, Any]) -> None:
    if name in ("sort", "argsort") and (a.ndim == 0 or kwargs.get("kind") not in (None, "stable")):
        raise ValueError("CuPy sorts in one way, the stable one, and not without dimensions")


def _upload(name: str, host: Any, a: Any, dtype: Any = None, **kwargs: Any) -> ndarray:
    if isinstance(a, ndarray):
        same = a._host.flags.c_contiguous if name == "ascontiguousarray" else name != "array"
        if same and dtype in (None, a._host.dtype):
            return a
        return wrap(numpy.array(operand(a), dtype=dtype))
    if not isinstance(a, (bool, int, float, numpy.generic)):
        traffic.uploads += 1
    kwargs.pop("blocking", None)
    return wrap(host(a, dtype=dtype, **kwargs).copy())


def _method(name: str, parameters: str) -> Callable[..., Any]:
    def call(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        traffic.syncs += name in SYNC
        _check_sortable(name, self, kwargs)
        host = getattr(operand(self), name)
        return wrap(host(*map(argument, args), **{key: argument(value) for key, value in kwargs.items()}))

    return _bound(call, name, f"self, {parameters}" if parameters else "self")


def _operator(name: str) -> Callable[..., Any]:
    bare = name.strip("_")
    in_place = bare.startswith("i") and bare != "invert"
    reflected = bare.startswith("r") and bare != "rshift"
    host = divmod if "divmod" in bare else getattr(operator, f"__{bare[1:] if reflected else bare}__")

    def call(self: ndarray, *others: Any) -> Any:
        if any(not isinstance(x, ndarray) and getattr(x, "__array_ufunc__", 0) is None for x in others):
            return NotImplemented  # a class that wants the operator for itself
        traffic.launches += 1
        operands = [operand(self), *map(operand, others)]
        result = host(*(operands[::-1] if reflected else operands))
        return self if in_place else wrap(result)

    return call


# ---- the module --------------------------------------------------------------------------------------------------


class Generator:
    """CuPy's random generator, which has few methods and two floating dtypes."""

    def __init__(self, seed: Any) -> None:
        self._host = numpy.random.default_rng(seed)

    def random(self, size: Any = None, dtype: Any = numpy.float64, out: None = None) -> ndarray:
        return wrap(numpy.asarray(self._host.random(size, dtype)))

    def standard_normal(self, size: Any = None, dtype: Any = numpy.float64, out: None = None) -> ndarray:
        return wrap(numpy.asarray(self._host.standard_normal(size, dtype)))


def _erf(x: ndarray) -> ndarray:
    values = numpy.vectorize(math.erf, otypes=[x._host.dtype])(operand(x)) if x._host.size else x._host.copy()
    return wrap(values)


def _fill_class() -> None:
    for name in NAMES["attributes"]:
        if not hasattr(ndarray, name) and name not in ("device", "data", "cstruct", "base", "flat"):
            setattr(ndarray, name, property(lambda self, name=name: _attribute(self, getattr(self._host, name))))
    for name, parameters in NAMES["methods"].items():
        if not hasattr(ndarray, name) and hasattr(numpy.ndarray, name):
            setattr(ndarray, name, _method(name, parameters))
    for name in NAMES["operators"]:
        setattr(ndarray, name, _operator(name))


def _attribute(array: ndarray, value: Any) -> Any:
    return ndarray(value, array.device.id) if isinstance(value, numpy.ndarray) else value


def _module() -> ModuleType:
    module = ModuleType("standin")
    for name in NAMES["shared"]:
        setattr(module, name, getattr(numpy, name))
    for name, parameters in NAMES["functions"].items():
        if hasattr(numpy, name):  # a newer NumPy may have dropped it
            setattr(module, name, _function(name, getattr(numpy, name), parameters))
    for name in NAMES["ufuncs"]:
        if hasattr(numpy, name):
            setattr(module, name, _ufunc(name, getattr(numpy, name)))
    linalg = {n: _function(n, getattr(numpy.linalg, n), p) for n, p in NAMES["linalg"].items()}
    stream = SimpleNamespace(synchronize=lambda: None)
    parts: dict[str, Any] = {
        "ndarray": ndarray,
        "ElementwiseKernel": ElementwiseKernel,
        "asnumpy": lambda a, *rest: a.get(),
        "linalg": SimpleNamespace(**linalg),
        "random": SimpleNamespace(default_rng=lambda seed=None: Generator(seed)),
        "cuda": SimpleNamespace(
            Device=Device,
            is_available=lambda: True,
            runtime=SimpleNamespace(getDeviceCount=lambda: Device.count),
            get_current_stream=lambda: stream,
        ),
    }
    for name, value in parts.items():
        setattr(module, name, value)
    return module


_fill_class()
cupy = _module()
cupyx = SimpleNamespace(
    scatter_add=lambda a, slices, value: a.scatter_add(slices, value),
    rsqrt=lambda x: wrap(1 / numpy.sqrt(operand(x))),
)
special = SimpleNamespace(erf=_erf)
