r"""ONNX's weights: the inputs W, R, B and P of its operators RNN, LSTM and GRU.

All have the number of directions in front. Matrices are laid out as PyTorch's; the gates of an LSTM are in the order
i, o, f, c, those of a GRU in the order z, r, h; B holds the biases of W and then those of R; P holds the peepholes of
an LSTM, in the order i, o, f. The interpolation of a GRU keeps, as PyTorch's. (ONNX operators, version 22.)

The weights do not tell everything: what an operator computes besides stands in its attributes.

==========================  =======================================================================================
``direction``               ``"forward"``, ``"reverse"`` or ``"bidirectional"``
``linear_before_reset``     of a GRU: 1 resets after the product with R, as PyTorch; 0, the default, before it
``clip``                    bounds the arguments of all activations
``input_forget``            of an LSTM: 1 couples the gates, :math:`f = 1 - i`
``activations``             Sigmoid for gates and Tanh for the rest unless given
==========================  =======================================================================================

``layout`` concerns inputs and states only, and so nothing here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy

from .parts import (
    ORDERS,
    Array,
    ConversionError,
    Part,
    as_array,
    check_reset,
    check_shape,
    from_state,
    gates_of,
    reordered,
    to_state,
)

ACTIVATIONS = {"rnn": ["tanh"], "gru": ["sigmoid", "tanh"], "lstm": ["sigmoid", "tanh", "tanh"]}
DIRECTIONS = ("forward", "reverse", "bidirectional")


def from_onnx(
    kind: str,
    inputs: Mapping[str, Any],
    attributes: Mapping[str, Any] | None = None,
    *,
    layer: int = 0,
    reset_after: bool = True,
    accept: Collection[str] = (),
) -> dict[str, Array]:
    """A state dict from the inputs of an ONNX operator.

    An operator of direction ``reverse`` gives the names of a forward layer: one that reads each sequence backwards,
    see :func:`~minigrad_rnn.reverse_by_length`, and whose output is reversed again.

    Args:
        kind: ``"rnn"``, ``"lstm"`` or ``"gru"``.
        inputs: arrays ``W`` ``(D, gates * H, I)`` and ``R`` ``(D, gates * H, H)``, perhaps ``B``
            ``(D, 2 * gates * H)`` and, of an LSTM, ``P`` ``(D, 3 * H)``, D being 1 or 2 directions.
        attributes: of the operator, by name; see the module. Names of no concern are ignored.
        layer: number of the layer in the stack that gets the weights.
        reset_after: of a GRU, where the layer that gets the weights resets.
        accept: names of what the layer that gets the weights does too, although no weight says so: ``"clip"``,
            ``"input_forget"``, ``"activations"``; and ``"peephole"`` for a layer that has ``weight_peephole``.

    Returns:
        NumPy arrays by PyTorch's names, for ``load_state_dict``.

    Raises:
        ConversionError: shapes that do not go together, the other convention of the reset gate, or something that
            the layer is not known to do.

    >>> inputs = {"W": numpy.ones((1, 6, 4)), "R": numpy.ones((1, 6, 2)), "B": numpy.arange(12.0).reshape(1, 12)}
    >>> from_onnx("gru", inputs, {"linear_before_reset": 1})["bias_ih_l0"].tolist()
    [2.0, 3.0, 0.0, 1.0, 4.0, 5.0]
    >>> from_onnx("gru", inputs)
    Traceback (most recent call last):
    minigrad_rnn.convert.parts.ConversionError: linear_before_reset=0: this GRU resets U (r * h) + b, before the \
product; the layer they go to resets r * (U h + b), after the product
      why: r and U do not commute unless U is diagonal, so no weights of the one compute what the other does
      hint: convert with reset_after=False, for a layer made as GRU(..., reset_after=False)
    """
    arrays = {name: as_array(array) for name, array in inputs.items() if array is not None}
    said = {name: _text(value) for name, value in (attributes or {}).items()}
    size = _check_shapes(kind, arrays, said.get("direction", "forward"))
    if kind == "gru":
        after = bool(said.get("linear_before_reset", 0))
        check_reset(after, reset_after, f"linear_before_reset={int(after)}")
    for name, why in _peculiarities(kind, arrays, said).items():
        if name not in accept:
            raise ConversionError(
                f"{why}, and no weights make a layer do that which does not\n"
                f"  hint: if the layer that gets the weights does, say so: accept=[{name!r}]"
            )
    order = ORDERS["onnx"][kind], ORDERS["torch"][kind]
    parts = [
        _part(order, size, "peephole" in accept, *values)
        for values in zip(*(arrays.get(name, [None, None]) for name in "WRBP"), strict=False)
    ]
    return to_state(parts, layer)


def _part(
    order: tuple[str, str], size: int, peephole: bool, w: Array, r: Array, b: Array | None, p: Array | None
) -> Part:
    bias_ih, bias_hh = (None, None) if b is None else [reordered(half, *order) for half in numpy.split(b, 2)]
    weight_peephole = None
    if peephole:
        weight_peephole = numpy.zeros(3 * size, w.dtype) if p is None else reordered(p, "iof", "ifo")
    return Part(reordered(w, *order), reordered(r, *order), bias_ih, bias_hh, weight_peephole)


def _check_shapes(kind: str, arrays: Mapping[str, Array], direction: str) -> int:
    """The hidden size, if everything fits together."""
    if direction not in DIRECTIONS:
        raise ConversionError(f"direction is one of {', '.join(DIRECTIONS)}, not {direction!r}")
    unknown = [name for name in arrays if name not in ("WRBP" if kind == "lstm" else "WRB")]
    missing = [name for name in "WR" if name not in arrays]
    if unknown or missing:
        raise ConversionError(
            f"the weights of an ONNX {kind.upper()} are W, R, maybe B{' and P' * (kind == 'lstm')}; these are"
            f" {', '.join(arrays) or 'none'}"
        )
    gates, directions = gates_of(kind), 1 + (direction == "bidirectional")
    size, features = (int(arrays[name].shape[-1]) if arrays[name].ndim else 0 for name in "RW")
    shapes = {"W": (gates * size, features), "R": (gates * size, size), "B": (2 * gates * size,), "P": (3 * size,)}
    for name, array in arrays.items():
        check_shape(f"{name} of a {direction} {kind.upper()} with {size} units", array, (directions, *shapes[name]))
    return size


def _peculiarities(kind: str, arrays: Mapping[str, Array], said: Mapping[str, Any]) -> dict[str, str]:
    """What this operator does that PyTorch's layer does not, by the name to accept it by."""
    found = {}
    if "P" in arrays and arrays["P"].any():
        found["peephole"] = "P: the gates of this LSTM see its cell through peepholes"
    if said.get("clip"):
        found["clip"] = f"clip={said['clip']}: this operator bounds the arguments of its activations"
    if kind == "lstm" and said.get("input_forget"):
        found["input_forget"] = "input_forget=1: this LSTM has coupled gates, f = 1 - i"
    activations = [str(name).lower() for name in said.get("activations") or []]
    usual = ACTIVATIONS[kind]
    if activations not in ([], usual, usual * 2):
        found["activations"] = f"activations={said['activations']}: this operator has others than {usual}"
    return found


def _text(value: Any) -> Any:
    """An attribute's value with bytes, which ONNX has for text, as text."""
    if isinstance(value, (list, tuple)):
        return [_text(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


def to_onnx(
    kind: str, state: Mapping[str, Any], *, layer: int = 0, reset_after: bool = True
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The inputs and attributes of an ONNX operator from a state dict: the inverse of :func:`from_onnx`.

    Args:
        kind: ``"rnn"``, ``"lstm"`` or ``"gru"``.
        state: tensors or arrays by PyTorch's names. Of a GRU with ``update_gate="new"``, what
            :func:`~minigrad_rnn.convert.flip_update_gate` makes of its state.
        layer: which layer of the stack; each is an operator of its own.
        reset_after: of a GRU, where it resets.

    Returns:
        Arrays ``W``, ``R`` and, if there are such weights, ``B`` and ``P``; and the attributes that go with them.

    Raises:
        ConversionError: names missing from the state, shapes that do not go together, or weights that the operator
            does not have: projections.

    >>> state = {"weight_ih_l0": numpy.ones((2, 3)), "weight_hh_l0": numpy.ones((2, 2))}
    >>> inputs, attributes = to_onnx("rnn", state)
    >>> {name: array.shape for name, array in inputs.items()}, attributes
    ({'W': (1, 2, 3), 'R': (1, 2, 2)}, {'hidden_size': 2, 'direction': 'forward'})
    """
    gates_of(kind)
    parts = from_state(kind, state, layer)
    order = ORDERS["torch"][kind], ORDERS["onnx"][kind]
    columns: dict[str, list[Array]] = {"W": [], "R": [], "B": [], "P": []}
    for part in parts:
        columns["W"].append(reordered(part.weight_ih, *order))
        columns["R"].append(reordered(part.weight_hh, *order))
        if part.bias_ih is not None and part.bias_hh is not None:
            columns["B"].append(numpy.concatenate([reordered(b, *order) for b in (part.bias_ih, part.bias_hh)]))
        if part.weight_peephole is not None:
            columns["P"].append(reordered(part.weight_peephole, "ifo", "iof"))
    inputs = {name: numpy.stack(arrays) for name, arrays in columns.items() if arrays}
    attributes: dict[str, Any] = {
        "hidden_size": parts[0].weight_hh.shape[1],
        "direction": "bidirectional" if len(parts) == 2 else "forward",
    }
    if kind == "gru":
        attributes["linear_before_reset"] = int(reset_after)
    return inputs, attributes
