"""Write ``cupy_names.json``: what an installed CuPy offers, and with which arguments.

The stand-in offers these names and no others. Run this with a new CuPy: ``python tests/standin/distil.py``. Importing
CuPy needs no GPU.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import cupy  # type: ignore[import-not-found,unused-ignore]
import numpy

OPERATORS = re.compile(r"__i?r?(add|sub|mul|truediv|floordiv|mod|divmod|pow|matmul|and|or|xor|lshift|rshift)__")
OTHERS = re.compile(r"__(neg|pos|abs|invert|lt|le|eq|ne|gt|ge)__")


def parameters(function: Any) -> str | None:
    """The parameter list without annotations: ``a, axis=None, *, dtype=None``; ``None`` where it is unknown."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return _from_docstring(function.__doc__ or "")
    simple = [
        p.replace(annotation=p.empty, default=p.default if _plain(p.default) else None)
        for p in signature.parameters.values()
        if p.name != "self"
    ]
    return str(signature.replace(parameters=simple, return_annotation=signature.empty))[1:-1]


def _plain(default: Any) -> bool:
    return default is inspect.Parameter.empty or isinstance(default, (int, float, str, tuple, type(None)))


def _from_docstring(text: str) -> str | None:
    """Cython methods carry their signature as the first line of the docstring."""
    found = re.match(r"[\w.]+\((?:self(?:, )?)?(.*)\)", text)
    if not found:
        return None
    typed = re.sub(r"\b(?:int|Py_ssize_t|_ndarray_base) (?=\w)", "", found[1])
    return re.sub(r"=numpy\.\w+|=float", "=None", typed)


def functions(namespace: Any, host: Any) -> dict[str, str]:
    """The functions of a namespace that ``host`` has too."""
    found = {}
    for name in dir(namespace):
        value = getattr(namespace, name)
        if name.startswith("_") or isinstance(value, (type, cupy.ufunc)) or not callable(value):
            continue
        if hasattr(host, name) and parameters(value) is not None:
            found[name] = parameters(value)
    return found


def main() -> None:
    """Look through CuPy and write the file."""
    array = cupy.ndarray
    members = [name for name in dir(array) if not name.startswith("_")]
    methods = {name: parameters(getattr(array, name)) for name in members if callable(getattr(array, name))}
    names: dict[str, Any] = {
        "version": cupy.__version__,
        "ufuncs": {n: getattr(cupy, n).nin for n in dir(cupy) if isinstance(getattr(cupy, n), cupy.ufunc)},
        "functions": functions(cupy, numpy),
        "linalg": functions(cupy.linalg, numpy.linalg),
        "shared": [n for n in dir(cupy) if n[0] != "_" and n in dir(numpy) and getattr(cupy, n) is getattr(numpy, n)],
        "methods": {name: text for name, text in methods.items() if text is not None},
        "attributes": [name for name in members if not callable(getattr(array, name))],
        "operators": [n for n in dir(array) if OPERATORS.fullmatch(n) or OTHERS.fullmatch(n)],
    }
    text = json.dumps(names, indent=0, sort_keys=True)
    Path(__file__).with_name("cupy_names.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
