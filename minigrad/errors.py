"""The errors minigrad raises, and how an op's failure is turned into a sentence that teaches.

Ops validate nothing on the happy path. When the array library refuses, :func:`explain` looks at what was passed
and says which op it was, what every argument was, where each came from, and what to try.
"""

from __future__ import annotations

from typing import Any

from .node import Handle, Node


class MinigradError(Exception):
    """Base of every error that minigrad raises on purpose."""


class ShapeError(MinigradError, ValueError):
    """Shapes that an op cannot combine, or a dimension that does not exist."""


class DtypeError(MinigradError, TypeError):
    """Element types that an op refuses to mix or cannot work on."""


class DeviceError(MinigradError, RuntimeError):
    """Arrays that live on different devices, or a device that is not there."""


class GraphError(MinigradError, RuntimeError):
    """A graph used in a way it does not allow: freed, changed under its feet, or not there at all."""


def describe(value: Any) -> str:
    """One line about an argument: name, shape, dtype, device, producing op and line.

    >>> describe(3.0)
    '3.0'
    """
    array = value._data if isinstance(value, Handle) else value
    if not hasattr(array, "shape"):
        return repr(array)
    parts = [f"{tuple(array.shape)} {array.dtype}"]
    if not type(array).__module__.startswith("numpy"):
        parts.append(f"on {type(array).__module__.partition('.')[0]}")
    node = (value._node or value._constant) if isinstance(value, Handle) else None
    if isinstance(node, Node):
        if node.name:
            parts.insert(0, f'"{node.name}"')
        if node.op is not None:
            parts.append(f"from {node.op.name} at {node.where()}")
    return "  ".join(parts)


def explain(op: Any, inputs: tuple[Any, ...], params: dict[str, Any], error: Exception) -> Exception:
    """Turn what the array library raised inside ``op`` into one of minigrad's errors, or return it as it was."""
    if isinstance(error, MinigradError):
        return error
    kind = _kind(inputs, error)
    if kind is None:
        return error
    lines = [f"{op.name}: {_sentence(kind, error)}"]
    names = op.inputs if not op.variadic else [f"{op.inputs[0]}[{i}]" for i in range(len(inputs))]
    width = max((len(name) for name in names), default=0)
    lines += [f"  {name:<{width}}  {describe(value)}" for name, value in zip(names, inputs, strict=False)]
    if params:
        lines.append("  with " + ", ".join(f"{name}={_short(value)}" for name, value in params.items()))
    hint = _hint(op, kind, inputs)
    if hint:
        lines.append("  hint: " + hint)
    return kind("\n".join(lines))


def _kind(inputs: tuple[Any, ...], error: Exception) -> type[MinigradError] | None:
    arrays = [x._data if isinstance(x, Handle) else x for x in inputs]
    libraries = {type(a).__module__.partition(".")[0] for a in arrays if hasattr(a, "shape")}
    if len(libraries) > 1:
        return DeviceError
    if isinstance(error, TypeError):
        return DtypeError
    if isinstance(error, (ValueError, IndexError)):
        return ShapeError
    return None


def _sentence(kind: type[MinigradError], error: Exception) -> str:
    if kind is DeviceError:
        return "its arguments live on different devices"
    return " ".join(str(error).split())


def _short(value: Any, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _hint(op: Any, kind: type[MinigradError], inputs: tuple[Any, ...]) -> str:
    if kind is DeviceError:
        return 'move one of them first: x.to("cuda") or x.to("cpu")'
    shapes = [tuple(x.shape) for x in inputs if hasattr(x, "shape")]
    if kind is not ShapeError or len(shapes) != 2:
        return ""
    x, y = shapes
    if op.name == "matmul":
        if len(x) >= 2 and len(y) >= 2 and x[-1] == y[-1]:
            return "the inner sizes must agree; the second matrix fits when transposed: x @ y.T"
        return f"the last size of x ({x[-1] if x else '-'}) must equal the second-to-last of y"
    if len(x) != len(y) and op.broadcasts:
        return "shapes are compared from the right; use unsqueeze or reshape to say which dimensions belong together"
    return ""
