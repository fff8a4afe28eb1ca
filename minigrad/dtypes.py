"""The rules of dtypes, in one place: what a call's inputs must agree on, and what its output is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from . import backend
from .errors import DeviceError, DtypeError, explain
from .node import Array
from .op import Op

_ndarray: Any = numpy.ndarray


def settle(op: Op, out: Any, arrays: Sequence[Any]) -> Array:
    """Make an output what an output must be: an array, no wider than asked for, that nobody can write to."""
    if out.__class__ is not _ndarray and not backend.is_array(out):
        module = next((m for m in map(backend.module_of, arrays) if m is not None), numpy)
        out = module.asarray(out)
    code = out.dtype.char
    if code in "FDG":
        raise DtypeError(f"{op.name}: complex numbers are not supported")
    for a in arrays:
        if out is a:  # the caller's own array must not be locked
            out = out.view()
            break
    if code == "d" and "dtype" not in op.defaults:  # an op that is told a dtype gives that dtype
        dtypes = [a.dtype for a in arrays if hasattr(a, "dtype")]
        if numpy.float64 not in dtypes:
            floats = [dtype for dtype in dtypes if dtype.kind == "f"]
            out = out.astype(floats[0] if floats else backend.get_default_dtype())
    if out.__class__ is _ndarray:
        out.setflags(False)
    return out


def agree(op: Op, inputs: tuple[Any, ...], arrays: Sequence[Any]) -> Any:
    """Bring the arrays of a call to one dtype.

    Python numbers and NumPy scalars are weak, integers and booleans take the floating dtype they meet, and two
    floating dtypes do not mix.
    """
    arrays = [a.item() if isinstance(a, numpy.generic) else a for a in arrays]
    mixing = op.mixing if not op.variadic else [True] * len(arrays)
    mixed = [getattr(a, "dtype", _NONE) for a, mixes in zip(arrays, mixing, strict=True) if mixes]
    floats = {dtype for dtype in mixed if dtype.kind == "f"}
    if len(floats) > 1:
        names = " and ".join(sorted(str(dtype) for dtype in floats))
        sentence = TypeError(f"floating dtypes do not mix silently ({names})")
        hint = "\n  hint: say which you mean, for example x.to(mg.float32) or y.to(x.dtype)"
        error = explain(op, inputs, {}, sentence)
        raise error if isinstance(error, DeviceError) else DtypeError(f"{error}{hint}")
    if floats:
        (target,) = floats
        arrays = [
            a.astype(target) if mixes and getattr(a, "dtype", _NONE).kind in "biu" else a
            for a, mixes in zip(arrays, mixing, strict=True)
        ]
    return arrays


_NONE = numpy.dtype("V")  # stands for the dtype of what has none
