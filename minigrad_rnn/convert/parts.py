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
    """The weights of one layer in one direction, gates in our order, without those that are not there.

    Attributes:
        weight_ih: ``(gates * H, I)``.
        weight_hh: ``(gates * H, H)``.
        bias_ih, bias_hh: ``(gates * H,)``.
        weight_peephole: the diagonals of i, f and o, ``(3 * H,)``; with coupled gates those of i and o.
    """

    weight_ih: Array
    weight_hh: Array
    bias_ih: Array | None = None
    bias_hh: Array | None = None
    weight_peephole: Array | None = None


def gates_of(kind: str, coupled: bool = False) -> str:
    """The blocks of rows of a kind of layer, in our order, by their letters."""
    if kind not in ORDERS["torch"]:
        raise ConversionError(f'kind is "rnn", "lstm" or "gru", not {kind!r}')
    return ORDERS["torch"][kind].replace("f" if coupled else "-", "")


def reordered(array: Array, source: str, target: str) -> Array:
    """Blocks of rows named by the letters of ``source``, in the order of ``target``.

    A block that the target does not have is left out; one that the source does not have is zeros.

    >>> reordered(numpy.array([1, 2, 3]), "rzn", "zrn").tolist()
    [2, 1, 3]
    >>> reordered(numpy.array([1, 2]), "io", "iof").tolist()
    [1, 2, 0]
    """
    blocks = dict(zip(source, numpy.split(array, len(source)), strict=True))
    nothing = numpy.zeros_like(blocks[source[0]])
    return numpy.concatenate([blocks.get(gate, nothing) for gate in target])


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


def from_state(gates: str, state: Mapping[str, Any], layer: int) -> list[Part]:
    """The parts of a layer with these gates, forward and, if it has one, backward."""
    both = f"weight_ih_l{layer}_reverse" in state
    parts = [_part(gates, state, f"_l{layer}{suffix}") for suffix in ("", "_reverse")[: 1 + both]]
    if len({tuple([array is None for array in part]) for part in parts}) > 1:
        raise ConversionError(f"the two directions of layer {layer} do not have the same weights")
    return parts


def _part(gates: str, state: Mapping[str, Any], suffix: str) -> Part:
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
    _check_part(len(gates), part, suffix)
    return part


def _check_part(gates: int, part: Part, suffix: str) -> None:
    """Raise if the shapes of a part do not go together."""
    size, features = [w.shape[-1] if w.ndim else 0 for w in (part.weight_hh, part.weight_ih)]
    rows = gates * size
    shapes = {
        "weight_ih": (rows, features),
        "weight_hh": (rows, size),
        "bias_ih": (rows,),
        "bias_hh": (rows,),
        "weight_peephole": ((gates - 1) * size,),
    }
    for name, array in part._asdict().items():
        if array is not None:
            check_shape(name + suffix, array, shapes[name])
