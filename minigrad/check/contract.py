"""The promises that every op makes, as a check to run on any op."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy

from .. import backend
from ..call import wrap
from ..context import current, enable_grad
from ..engine import grad
from ..errors import MinigradError
from ..tensor import Tensor
from .gradients import (
    CheckError,
    Function,
    difference,
    gradcheck,
    gradgradcheck,
    name_of,
    outputs_of,
    random_like,
    to_host,
)


def check_op(
    function: Function,
    *arrays: Any,
    reference: Function | None = None,
    differentiable: bool = True,
    **params: Any,
) -> bool:
    """Check that an op keeps every promise that minigrad's ops make.

    The clauses: the values are those of a NumPy reference, and the same for tensors and bare arrays; gradients and
    gradients of gradients agree with central differences; float32 in gives float32 out, and every gradient has the
    shape and dtype of its input; inputs broadcast where the op says so; strides do not matter; 0-d and empty inputs
    work or are refused with a clear error; inputs are neither changed nor locked, and outputs are new and read-only;
    nothing is left to the garbage collector.

    Args:
        function: an op, or any function of tensors.
        arrays: its inputs: float64 NumPy arrays, away from kinks, of few elements; other values are passed as they
            are. None at all: two-by-three arrays of numbers between 0.2 and 0.9 for each input of an op.
        reference: the same function on NumPy arrays.
        differentiable: whether the gradients are checked.
        params: keyword arguments of ``function`` and ``reference``.

    Returns:
        ``True``: a failure raises.

    Raises:
        CheckError: says which clause failed, and with what numbers.

    >>> import minigrad as mg
    >>> @mg.primitive
    ... def cube(x, /):
    ...     return x * x * x
    >>> mg.defvjp(cube, x=lambda g, x: 3 * g * x * x)
    >>> check_op(cube, reference=lambda x: x ** 3)
    True
    """
    op = getattr(function, "op", None)
    contract = _Contract(function, arrays or _default_arrays(function), reference, differentiable, params)
    with enable_grad():
        contract.clause("inputs left alone", contract.inputs_left_alone)
        contract.clause("values", contract.values)
        contract.clause("bare arrays", contract.bare_arrays)
        contract.clause("dtypes", contract.dtypes)
        if contract.differentiable:
            contract.clause("gradient", contract.gradient)
            contract.clause("gradient of the gradient", contract.second_order)
            contract.clause("garbage", contract.garbage)
        contract.clause("strides", contract.strides)
        if op is not None and op.broadcasts:
            contract.clause("broadcasting", contract.broadcasting)
        contract.clause("0-d and empty", contract.degenerate)
    return True


def _default_arrays(function: Function) -> tuple[Any, ...]:
    op = getattr(function, "op", None)
    if op is None:
        raise CheckError(f"check_op: {name_of(function)} is not an op, so its inputs must be given")
    rng = numpy.random.default_rng(0)
    count = 2 if op.variadic else len(op.inputs) - sum(op.optional)
    return tuple(rng.uniform(0.2, 0.9, (2, 3)) for _ in range(count))


class _Contract:
    """A function with inputs, and one method for each clause."""

    def __init__(
        self,
        function: Function,
        arrays: Sequence[Any],
        reference: Function | None,
        differentiable: bool,
        params: dict[str, Any],
    ) -> None:
        self.function, self.reference, self.params = function, reference, params
        self.arrays = [numpy.asarray(a) if isinstance(a, (numpy.generic, numpy.ndarray)) else a for a in arrays]
        op = getattr(function, "op", None)
        rules = [True] * len(self.arrays)
        if op is not None and op.joint is None:
            rules = [(op.rules * (len(rules) if op.variadic else 1))[i] is not None for i in range(len(rules))]
        self.tracked = [rule and _is_float(a) for rule, a in zip(rules, self.arrays, strict=True)]
        self.differentiable = differentiable and any(self.tracked)

    def clause(self, name: str, check: Callable[[], None]) -> None:
        """Run a clause; say which it was if it fails."""
        try:
            check()
        except Exception as error:
            kind = type(error) if isinstance(error, CheckError) else CheckError
            said = str(error) if isinstance(error, CheckError) else f"{type(error).__name__}: {error}"
            raise kind(f"{name_of(self.function)}, clause {name!r}: {said}") from error

    def tensors(self, arrays: Sequence[Any] | None = None, dtype: Any = None, track: bool = True) -> list[Any]:
        """Tensors that share the memory of the arrays, on the default device."""
        result = []
        for a, tracked in zip(self.arrays if arrays is None else arrays, self.tracked, strict=True):
            if not isinstance(a, numpy.ndarray):
                result.append(a)
                continue
            x = wrap(backend.move(a if dtype is None or a.dtype.kind != "f" else a.astype(dtype), current().device))
            x.requires_grad = tracked and track and self.differentiable
            result.append(x)
        return result

    def call(self, *inputs: Any) -> list[Any]:
        """The outputs of the function, as a list."""
        return outputs_of(self.function(*inputs, **self.params))

    def backward(self, inputs: Sequence[Any]) -> list[Any]:
        """The gradients of the tracked inputs, for cotangents that are the same from call to call."""
        outputs = [y for y in self.call(*inputs) if isinstance(y, Tensor) and y._node is not None]
        rng = numpy.random.default_rng(1)
        cotangents = [random_like(y, rng) for y in outputs]
        sources = [x for x in inputs if isinstance(x, Tensor) and x._node is not None]
        return [] if not outputs else list(grad(outputs, sources, cotangents, allow_unused=True))

    # ---- the clauses ---------------------------------------------------------------------------------------

    def values(self) -> None:
        if self.reference is not None:
            expected = outputs_of(self.reference(*self.arrays, **self.params))
            self._same(self.call(*self.tensors(track=False)), expected, "the reference")

    def bare_arrays(self) -> None:
        if hasattr(self.function, "op"):
            placed = [x._data if isinstance(x, Tensor) else x for x in self.tensors(track=False)]
            self._same(self.call(*placed), self.call(*self.tensors(track=False)), "tensors")

    def dtypes(self) -> None:
        wide, inputs = self.call(*self.tensors()), self.tensors(dtype=numpy.float32)
        narrow = self.call(*inputs)
        for k, (y, z) in enumerate(zip(wide, narrow, strict=True)):
            if not isinstance(y, Tensor):
                continue
            expected = numpy.float32 if y.dtype == numpy.float64 and any(map(_is_float, self.arrays)) else y.dtype
            if z.dtype != expected and "dtype" not in self.params:
                raise CheckError(f"float32 inputs make output {k} {z.dtype} instead of {numpy.dtype(expected)}")
        self._same(narrow, wide, "float64", rtol=1e-3, atol=1e-4)
        sources = [x for x in inputs if isinstance(x, Tensor) and x._node is not None]
        for x, g in zip(sources, self.backward(inputs), strict=False):
            if g is not None and (g.dtype != x.dtype or g.shape != x.shape):
                raise CheckError(f"the gradient of an input {x.shape} {x.dtype} is {g.shape} {g.dtype}")

    def inputs_left_alone(self) -> None:
        before = [a.copy() if isinstance(a, numpy.ndarray) else a for a in self.arrays]
        writable = [isinstance(a, numpy.ndarray) and a.flags.writeable for a in self.arrays]
        inputs = self.tensors()
        outputs = self.call(*inputs)
        self.backward(inputs)
        for i, (a, b) in enumerate(zip(self.arrays, before, strict=True)):
            if isinstance(a, numpy.ndarray) and not numpy.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
                raise CheckError(f"input {i} was changed ({difference(b, a)})")
        for i, x in enumerate(inputs):
            if writable[i] and not backend.is_writable(x._data):
                raise CheckError(f"the array of input {i} was marked read-only")
            if any(isinstance(x, Tensor) and isinstance(y, Tensor) and y._data is x._data for y in outputs):
                raise CheckError(f"an output is the very array of input {i}: the forward must return a new one")
        for k, y in enumerate(outputs):
            if isinstance(y, Tensor) and y.requires_grad and getattr(y.data.flags, "writeable", False):
                raise CheckError(f"output {k} can be written to")

    def gradient(self) -> None:
        gradcheck(partial(self.function, **self.params), *self.tensors())

    def second_order(self) -> None:
        gradgradcheck(partial(self.function, **self.params), *self.tensors())

    def garbage(self) -> None:
        was_enabled = gc.isenabled()
        gc.disable()
        gc.freeze()  # only what is made from here on is looked at
        try:
            self.backward(self.tensors())
            found = gc.collect()
        finally:
            gc.unfreeze()
            if was_enabled:
                gc.enable()
        if found:
            raise CheckError(f"{found} objects were left to the garbage collector: something refers to itself")

    def strides(self) -> None:
        outputs, gradients = self.call(*self.tensors()), self.backward(self.tensors())
        for layout, change in _LAYOUTS.items():
            arrays = [change(a) if isinstance(a, numpy.ndarray) and a.ndim else a for a in self.arrays]
            self._same(self.call(*self.tensors(arrays)), outputs, f"contiguous inputs, for {layout} ones")
            found = self.backward(self.tensors(arrays))
            self._same(found, gradients, f"contiguous inputs, in the gradients, for {layout} ones")

    def broadcasting(self) -> None:
        shapes = {a.shape for a in self.arrays if isinstance(a, numpy.ndarray)}
        if len(shapes) > 1 or not shapes or not all(n for n in min(shapes)) or min(shapes) == ():
            return
        for i, a in enumerate(self.arrays):
            for small in (a[:1], a[..., :1], a[0], a[(0,) * a.ndim]):
                arrays = [numpy.asarray(small) if j == i else b for j, b in enumerate(self.arrays)]
                outputs = self.call(*self.tensors(arrays, track=False))
                whole = self.call(*self.tensors([b.copy() for b in numpy.broadcast_arrays(*arrays)], track=False))
                self._same(outputs, whole, f"inputs repeated by hand, for input {i} of shape {numpy.shape(small)}")
                if self.differentiable:
                    gradcheck(partial(self.function, **self.params), *self.tensors(arrays))

    def degenerate(self) -> None:
        for what, change in _DEGENERATE.items():
            arrays = [change(a) if isinstance(a, numpy.ndarray) and a.ndim else a for a in self.arrays]
            with warnings.catch_warnings(), numpy.errstate(all="ignore"):
                warnings.simplefilter("ignore", RuntimeWarning)
                self._degenerate(what, arrays)

    def _degenerate(self, what: str, arrays: Sequence[Any]) -> None:
        inputs = self.tensors(arrays)
        try:
            outputs = self.call(*inputs)
        except MinigradError:
            return
        expected = self._expected(arrays)
        if expected is not None:
            self._same(outputs, expected, f"the reference, for {what} inputs")
        sources = [x for x in inputs if isinstance(x, Tensor) and x._node is not None]
        for x, g in zip(sources, self.backward(inputs), strict=False):
            if g is not None and g.shape != x.shape:
                raise CheckError(f"for {what} inputs the gradient of an input {x.shape} is {g.shape}")

    def _expected(self, arrays: Sequence[Any]) -> list[Any] | None:
        """What the reference gives for unusual inputs, which it may refuse in any way it likes."""
        if self.reference is None:
            return None
        try:
            return outputs_of(self.reference(*arrays, **self.params))
        except Exception:  # noqa: BLE001
            return None

    def _same(
        self, found: Sequence[Any], expected: Sequence[Any], what: str, rtol: float = 1e-7, atol: float = 1e-9
    ) -> None:
        if len(found) != len(expected):
            raise CheckError(f"{len(found)} results where {what} gives {len(expected)}")
        for k, (y, z) in enumerate(zip(found, expected, strict=True)):
            if y is None and z is None:
                continue
            first, second = to_host(y), to_host(z)
            if first.shape != second.shape or not numpy.allclose(first, second, rtol=rtol, atol=atol, equal_nan=True):
                raise CheckError(f"result {k} differs from {what} ({difference(first, second)})")


def _is_float(a: Any) -> bool:
    return isinstance(a, numpy.ndarray) and a.dtype.kind == "f"


def _every_other(a: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    return numpy.repeat(a, 2, axis=-1)[..., ::2]


def _reversed(a: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    return numpy.flip(numpy.flip(a).copy())


_LAYOUTS: dict[str, Function] = {"column-major": numpy.asfortranarray, "strided": _every_other, "reversed": _reversed}

_DEGENERATE: dict[str, Function] = {
    "0-d": lambda a: a.reshape(-1)[:1].reshape(()) if a.size else a,
    "empty (first dimension)": lambda a: a[:0],
    "empty (last dimension)": lambda a: a[..., :0],
}
