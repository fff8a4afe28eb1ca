"""The errors minigrad raises, and how an op's failure is turned into a sentence that teaches.

Ops validate nothing on the happy path. When the array library refuses, :func:`explain` looks at what was passed
and says which op it was, what every argument was, where each came from, and what to try.
"""

from __future__ import annotations

from typing import Any

from .node import Handle, Leaf, Node


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


class StateError(MinigradError, ValueError):
    """A state that does not fit the module or optimiser it is to be loaded into."""


class FileError(MinigradError, OSError):
    """A file that is not there, is not what it should be, or cannot be written."""


def describe(value: Any, placed: bool = False) -> str:
    """One line about an argument: name, shape, dtype, device (``"cpu"`` only if ``placed``), producing op and line.

    >>> describe(3.0)
    '3.0'
    """
    array = value._data if isinstance(value, Handle) else value
    if not hasattr(array, "shape"):
        return repr(array)
    parts = [f"{tuple(array.shape)} {array.dtype}"]
    if placed or _device(array) != "cpu":
        parts.append(f"on {_device(array)}")
    node = (value._node or value._constant) if isinstance(value, Handle) else None
    if isinstance(node, Node):
        if node.name:
            parts.insert(0, f'"{node.name}"')
        if node.op is not None:
            parts.append(f"from {node.op.name} at {node.where()}")
    return "  ".join(parts)


def explain(op: Any, inputs: tuple[Any, ...], params: dict[str, Any], error: Exception) -> Exception:
    """Turn what the array library raised inside ``op`` into one of minigrad's errors, or return it as it was.

    For minigrad's own ops the new error says all there is to say; for others the old one is its cause, because the
    mistake may be in the forward.
    """
    kind = None if isinstance(error, MinigradError) else _kind(inputs, error)
    if kind is None:
        return error
    explained = kind(_explanation(op, kind, inputs, params, error))
    explained.__cause__ = None if op.module.startswith("minigrad.") else error
    explained.__suppress_context__ = True
    return explained


def _explanation(
    op: Any, kind: type[MinigradError], inputs: tuple[Any, ...], params: dict[str, Any], error: Exception
) -> str:
    lines = [f"{op.name}: {_sentence(kind, inputs, error)}"]
    names = _names(op, inputs)
    placed = kind is DeviceError
    given = [(name, x) for name, x in zip(names, inputs, strict=False) if x is not None]
    width = max((len(name) for name, _ in given), default=0)
    lines += [f"  {name:<{width}}  {describe(x, placed)}" for name, x in given]
    if params:
        lines.append("  with " + ", ".join(f"{name}={_short(value)}" for name, value in params.items()))
    hint = _hint(op, kind, inputs)
    if hint:
        lines.append("  hint: " + hint)
    return "\n".join(lines)


def _kind(inputs: tuple[Any, ...], error: Exception) -> type[MinigradError] | None:
    if len(_devices(inputs)) > 1 or "current device" in str(error):
        return DeviceError
    if isinstance(error, TypeError):
        return DtypeError
    if isinstance(error, (ValueError, IndexError)):
        return ShapeError
    return None


def _sentence(kind: type[MinigradError], inputs: tuple[Any, ...], error: Exception) -> str:
    if kind is DeviceError:
        several = len(_devices(inputs)) > 1
        return "its arguments live on different devices" if several else "its arguments are not on the current GPU"
    axis, ndim = getattr(error, "axis", None), getattr(error, "ndim", None)
    if axis is not None and ndim is not None:  # the array library's AxisError, in PyTorch's words
        return f"there is no dim {axis}: dims go from {-ndim} to {ndim - 1}" if ndim else f"a number has no dim {axis}"
    return " ".join(str(error).split())


def _short(value: Any, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _hint(op: Any, kind: type[MinigradError], inputs: tuple[Any, ...]) -> str:
    if kind is DeviceError:
        return _device_hint(op, inputs)
    shapes = [tuple(x.shape) for x in inputs if hasattr(x, "shape")]
    if kind is not ShapeError or len(shapes) != 2:
        return ""
    x, y = shapes
    if op.name == "matmul" and len(x) >= 2 and len(y) >= 2 and x[-1] != y[-2]:
        if x[-1] == y[-1]:
            return f"the second matrix fits when transposed: x @ y.{'T' if len(y) == 2 else 'mT'}"
        if x[-2] == y[-2]:
            return f"the first matrix fits when transposed: x.{'T' if len(x) == 2 else 'mT'} @ y"
    if len(x) != len(y) and op.broadcasts:
        return "shapes are compared from the right; use unsqueeze or reshape to say which dimensions belong together"
    return ""


def _device_hint(op: Any, inputs: tuple[Any, ...]) -> str:
    target = next(device for device in _devices(inputs) if device != "cpu")
    for name, x in zip(_names(op, inputs), inputs, strict=False):
        if hasattr(x, "shape") and _device(x) != target:
            moved = f'{name}.to("{target}")' if isinstance(x, Handle) else f'mg.tensor({name}, device="{target}")'
            return f"bring them together: {moved}"
    return f'ops run on the current GPU; make this one it: with mg.default_device("{target}"): ...'


def _names(op: Any, inputs: tuple[Any, ...]) -> list[str]:
    names: list[str] = op.inputs
    return [f"{names[0]}[{i}]" for i in range(len(inputs))] if op.variadic else names


def _devices(inputs: tuple[Any, ...]) -> list[str]:
    """The devices of the inputs, each once, in order."""
    return list(dict.fromkeys(_device(x) for x in inputs if hasattr(x, "shape")))


def _device(x: Any) -> str:
    """Where an array lives: NumPy's say ``"cpu"`` themselves, CuPy's have a device with a number."""
    device = getattr(x._data if isinstance(x, Handle) else x, "device", "cpu")
    return device if isinstance(device, str) else f"cuda:{device.id}"


# ---- what can be wrong with a graph ------------------------------------------------------------------------------


def check_probability(told: str, p: float) -> None:
    """Refuse what is not from 0 to 1; ``told`` names it, and whose it is."""
    if not 0.0 <= p <= 1.0:
        raise MinigradError(f"{told} is a probability, from 0 to 1, not {p}")


def used_twice(node: Node, freed_by: str) -> GraphError:
    """Backward met a node that an earlier backward freed."""
    return GraphError(
        f"backward came a second time to {node.label}, made at {node.where()}: what its rule needs was freed by the"
        f" backward at {freed_by}\n"
        "  hint: to run backward twice over one graph, give the first one retain_graph=True;\n"
        "        if this is a state carried over from the last chunk of a sequence, cut it there: h = h.detach()"
    )


def leaf_changed(leaf: Leaf, node: Node) -> GraphError:
    """A leaf was changed after a node had kept its array."""
    name, changed_by = f'"{leaf.name}" ' if leaf.name else "", leaf.last_changed().changed_by
    return GraphError(
        f"the leaf {name}{tuple(leaf.shape)} was changed at {changed_by} after {node.label} used it; its gradient would"
        " be wrong\n"
        "  hint: run backward before the update, or compute the result again after it"
    )


def in_rule(node: Node, error: Exception) -> MinigradError:
    """An error in the rule of a node, with the place where the node was made."""
    place = f"  while differentiating {node.label}, made at {node.where()}"
    kinds: list[type[MinigradError]] = [ShapeError, DtypeError, DeviceError, GraphError]
    kind = next((kind for kind in kinds if type(error) is kind), GraphError)
    return kind(f"{error if isinstance(error, MinigradError) else repr(error)}\n{place}")


def unused_input(position: int, node: Node | None) -> GraphError:
    """A gradient was asked for that does not exist."""
    if node is None:
        return GraphError(f"grad: input {position} does not require a gradient; make it with requires_grad=True")
    name = f' "{node.name}"' if node.name else ""
    return GraphError(
        f"grad: the outputs do not depend on input {position}{name} {tuple(node.shape)}\n"
        "  hint: pass allow_unused=True to get None for it"
    )
