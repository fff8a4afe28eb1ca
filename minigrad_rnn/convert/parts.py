"""The weights of one layer in one direction, and the order of their gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy

import minigrad as mg

Array = numpy.ndarray[Any, Any]

# Blocks of rows (PyTorch, ONNX) or of columns (Keras), in our letters: the candidate of an LSTM is g, of a GRU n.
ORDERS = {
    "torch": {"rnn": "h", "lstm": "ifgo", "gru": "rzn"},
    "keras": {"rnn": "h", "lstm": "ifgo", "gru": "zrn"},
    "onnx": {"rnn": "h", "lstm": "iofg", "gru": "zrn"},
}


class ConversionError(mg.MinigradError, ValueError):
    """Weights that are not what they are said to be, or that mean something no weights of the other kind can mean."""


class Part(NamedTuple):
    """The weights of one layer in one direction, gates in PyTorch's order, without those that are not there.

    Attributes:
        weight_ih: ``(gates * H, I)``.
        weight_hh: ``(gates * H, H)``.
        bias_ih, bias_hh: ``(gates * H,)``.
        weight_peephole: ``(3 * H,)``, the diagonals of i, f and o.
    """

    weight_ih: Array
    weight_hh: Array
    bias_ih: Array | None = None
    bias_hh: Array | None = None
    weight_peephole: Array | None = None


def gates_of(kind: str) -> int:
    """How many blocks of rows the weights of a kind of layer have."""
    if kind not in ORDERS["torch"]:
        raise ConversionError(f'kind is "rnn", "lstm" or "gru", not {kind!r}')
    return len(ORDERS["torch"][kind])


def reordered(array: Array, source: str, target: str) -> Array:
    """Blocks of rows named by the letters of ``source``, in the order of ``target``.

    >>> reordered(numpy.array([1, 2, 3]), "rzn", "zrn").tolist()
    [2, 1, 3]
    """
    blocks = dict(zip(source, numpy.split(array, len(source)), strict=True))
    return numpy.concatenate([blocks[gate] for gate in target])


def as_array(value: Any) -> Array:
    """A NumPy array of anything that holds numbers, on the host."""
    return value.numpy() if isinstance(value, mg.Tensor) else numpy.asarray(value)


def check_shape(name: str, array: Array, shape: tuple[int, ...]) -> None:
    """Raise if an array has another shape than it must have."""
    if array.shape != shape:
        raise ConversionError(f"{name} must have shape {shape}, not {array.shape}")


def to_state(parts: list[Part], layer: int) -> dict[str, Array]:
    """Parts, forward and then backward, by their names in a state dict; copies."""
    return {
        f"{name}_l{layer}{suffix}": numpy.ascontiguousarray(array).copy()
        for part, suffix in zip(parts, ("", "_reverse"), strict=False)
        for name, array in part._asdict().items()
        if array is not None
    }


def from_state(kind: str, state: Mapping[str, Any], layer: int) -> list[Part]:
    """The parts of a layer, forward and, if it has one, backward."""
    both = f"weight_ih_l{layer}_reverse" in state
    parts = [_part(kind, state, f"_l{layer}{suffix}") for suffix in ("", "_reverse")[: 1 + both]]
    if len({tuple([array is None for array in part]) for part in parts}) > 1:
        raise ConversionError(f"the two directions of layer {layer} do not have the same weights")
    return parts


def _part(kind: str, state: Mapping[str, Any], suffix: str) -> Part:
    found = {name: as_array(state[name + suffix]) for name in Part._fields if name + suffix in state}
    missing = [name + suffix for name in ("weight_ih", "weight_hh") if name not in found]
    if ("bias_ih" in found) != ("bias_hh" in found):
        missing.append(("bias_hh" if "bias_ih" in found else "bias_ih") + suffix)
    if missing:
        raise ConversionError(f"the state has no {' and no '.join(missing)}; it has {', '.join(state) or 'nothing'}")
    known = {name + suffix for name in Part._fields}
    strange = [name for name in state if name.endswith(suffix) and name not in known]
    if strange:
        raise ConversionError(f"{', '.join(strange)}: the other framework's layer has nothing like it")
    part = Part(**found)
    _check_part(kind, part, suffix)
    return part


def _check_part(kind: str, part: Part, suffix: str) -> None:
    """Raise if the shapes of a part do not go together."""
    size, features = [w.shape[-1] if w.ndim else 0 for w in (part.weight_hh, part.weight_ih)]
    rows = gates_of(kind) * size
    shapes = {
        "weight_ih": (rows, features),
        "weight_hh": (rows, size),
        "bias_ih": (rows,),
        "bias_hh": (rows,),
        "weight_peephole": (3 * size,),
    }
    for name, array in part._asdict().items():
        if array is not None:
            check_shape(name + suffix, array, shapes[name])


def check_reset(weights: bool, layer: bool, told_by: str) -> None:
    """Raise if a GRU's weights are for one convention of the reset gate and the layer has the other.

    Args:
        weights: whether they are for a reset after the product with the recurrent weights.
        layer: whether the layer resets there.
        told_by: what in the weights says so.
    """
    if weights == layer:
        return
    after, before = "r * (U h + b), after the product", "U (r * h) + b, before the product"
    raise ConversionError(
        f"{told_by}: this GRU resets {after if weights else before}; the layer they go to resets"
        f" {after if layer else before}\n"
        "  why: r and U do not commute unless U is diagonal, so no weights of the one compute what the other does\n"
        f"  hint: convert with reset_after={weights}, for a layer made as GRU(..., reset_after={weights})"
    )
