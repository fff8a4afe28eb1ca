r"""ONNX's weights: the inputs W, R, B and P of its operators RNN, LSTM and GRU.

All have the number of directions in front. Matrices are laid out as PyTorch's; the gates of an LSTM are in the order
i, o, f, c, those of a GRU in the order z, r, h; B holds the biases of W and then those of R; P holds the peepholes of
an LSTM, in the order i, o, f. The interpolation of a GRU keeps, as PyTorch's. (ONNX operators, version 22.)

The weights do not tell everything: what an operator computes besides stands in its attributes.

=============================  ====================================================================================
attribute                      option of a layer here
=============================  ====================================================================================
``direction``                  ``bidirectional``; ``"reverse"`` has the weights of a layer that reads x reversed
``linear_before_reset``        ``reset_after``: 1 resets after the product with R, as PyTorch; 0, the default, before
``clip``                       ``gate_clip``: bounds the arguments of all activations but the last of an LSTM
``input_forget``               ``coupled``: :math:`f = 1 - i`; the rows of f are there, but not looked at
``activations`` and their      ``gate_nonlinearity``, ``nonlinearity``, ``output_nonlinearity``; Sigmoid for gates and
``alpha`` and ``beta``         Tanh for the rest unless given
``layout``                     ``batch_first``
=============================  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy

from .activations import ROLES, from_onnx_activations, to_onnx_activations
from .options import check_expressible, check_reset, check_same, described
from .parts import (
    ORDERS,
    Array,
    ConversionError,
    Part,
    as_array,
    check_shape,
    from_state,
    gates_of,
    reordered,
    to_state,
)
from .update_gate import as_keeping

DIRECTIONS = ("forward", "reverse", "bidirectional")
KNOWN = (*ROLES["lstm"], "gate_clip", "coupled", "peephole", "reset_after")


class Operator(NamedTuple):
    """An operator as it was read.

    Attributes:
        arrays: its weights by name.
        attributes: by name, with text as text.
        hidden_size, input_size: as the weights tell.
        direction: one of :data:`DIRECTIONS`.
        options: the equations, as options of a layer here.
    """

    arrays: dict[str, Array]
    attributes: dict[str, Any]
    hidden_size: int
    input_size: int
    direction: str
    options: dict[str, Any]


def read_operator(kind: str, inputs: Mapping[str, Any], attributes: Mapping[str, Any] | None) -> Operator:
    """Read and check the inputs and attributes of an operator."""
    arrays = {name: as_array(array) for name, array in inputs.items() if array is not None}
    said = {name: _text(value) for name, value in (attributes or {}).items()}
    direction = said.get("direction", "forward")
    size = _check_shapes(kind, arrays, direction)
    if said.get("hidden_size", size) != size:
        raise ConversionError(f"hidden_size={said['hidden_size']}, but the weights are for {size} units")
    options: dict[str, Any] = from_onnx_activations(kind, said, len(arrays["W"]))
    if said.get("clip"):
        options["gate_clip"] = float(said["clip"])
    if kind == "gru":
        options["reset_after"] = bool(said.get("linear_before_reset", 0))
    if kind == "lstm":
        options |= {"coupled": bool(said.get("input_forget", 0)), "peephole": "P" in arrays}
    return Operator(arrays, said, size, arrays["W"].shape[-1], direction, options)


def from_onnx(
    kind: str,
    inputs: Mapping[str, Any],
    attributes: Mapping[str, Any] | None = None,
    *,
    layer: int = 0,
    **options: Any,
) -> dict[str, Array]:
    """A state dict from the weights of an ONNX operator.

    For a layer of its own, :func:`layer_from_onnx` is simpler. This is for one of a stack, or one that exists.

    Args:
        kind: ``"rnn"``, ``"lstm"`` or ``"gru"``.
        inputs: arrays ``W`` ``(D, gates * H, I)`` and ``R`` ``(D, gates * H, H)``, perhaps ``B``
            ``(D, 2 * gates * H)`` and, of an LSTM, ``P`` ``(D, 3 * H)``, D being 1 or 2 directions.
        attributes: of the operator, by name; see the module. Names of no concern are ignored.
        layer: number of the layer in the stack that gets the weights. For a stack, join the dictionaries.
        options: of the layer that gets the weights, such as ``reset_after=False`` or ``coupled=True``: it must compute
            what the operator computes.

    Returns:
        NumPy arrays by PyTorch's names, for ``load_state_dict``.

    Raises:
        ConversionError: shapes that do not go together, or a layer that does not compute what the operator does.

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
    recurrence = described(kind, options)
    operator = read_operator(kind, inputs, attributes)
    if kind == "gru":
        after = operator.options["reset_after"]
        check_reset(after, recurrence.reset_after, f"linear_before_reset={int(after)}")
    check_same(kind, operator.options, recurrence, "layer_from_onnx")
    coupled, peephole = (getattr(recurrence, name, False) for name in ("coupled", "peephole"))
    orders = ORDERS["onnx"][kind], gates_of(kind, coupled)
    parts = [
        _part(orders, operator.hidden_size, peephole, *values)
        for values in zip(*(operator.arrays.get(name, [None, None]) for name in "WRBP"), strict=False)
    ]
    return as_keeping(to_state(parts, layer), recurrence)


def _part(
    orders: tuple[str, str], size: int, peephole: bool, w: Array, r: Array, b: Array | None, p: Array | None
) -> Part:
    bias_ih, bias_hh = (None, None) if b is None else [reordered(half, *orders) for half in numpy.split(b, 2)]
    weight_peephole = None
    if peephole:
        p = numpy.zeros(3 * size, w.dtype) if p is None else p
        weight_peephole = reordered(p, "iof", orders[1].replace("g", ""))
    return Part(reordered(w, *orders), reordered(r, *orders), bias_ih, bias_hh, weight_peephole)


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
    gates, directions = len(gates_of(kind)), 1 + (direction == "bidirectional")
    size, features = (int(arrays[name].shape[-1]) if arrays[name].ndim else 0 for name in "RW")
    shapes = {"W": (gates * size, features), "R": (gates * size, size), "B": (2 * gates * size,), "P": (3 * size,)}
    for name, array in arrays.items():
        check_shape(f"{name} of a {direction} {kind.upper()} with {size} units", array, (directions, *shapes[name]))
    return size


def _text(value: Any) -> Any:
    """An attribute's value with bytes, which ONNX has for text, as text."""
    if isinstance(value, (list, tuple)):
        return [_text(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


def to_onnx(
    kind: str, state: Mapping[str, Any], *, layer: int = 0, **options: Any
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The inputs and attributes of an ONNX operator from a state dict: the inverse of :func:`from_onnx`.

    For a layer rather than a dictionary there is :func:`layer_to_onnx`.

    Args:
        kind: ``"rnn"``, ``"lstm"`` or ``"gru"``.
        state: tensors or arrays by PyTorch's names.
        layer: which layer of the stack; each is an operator of its own.
        options: of the layer that the state is of, such as ``reset_after=False`` or ``coupled=True``.

    Returns:
        Arrays ``W``, ``R`` and, if there are such weights, ``B`` and ``P``; and the attributes that go with them.

    Raises:
        ConversionError: names missing from the state, shapes that do not go together, or options or weights that the
            operator does not have, such as a projection.

    >>> state = {"weight_ih_l0": numpy.ones((2, 3)), "weight_hh_l0": numpy.ones((2, 2))}
    >>> inputs, attributes = to_onnx("rnn", state, gate_clip=3.0)
    >>> {name: array.shape for name, array in inputs.items()}, attributes
    ({'W': (1, 2, 3), 'R': (1, 2, 2)}, {'hidden_size': 2, 'direction': 'forward', 'clip': 3.0})
    """
    recurrence = described(kind, options)
    check_expressible("ONNX", kind, recurrence, KNOWN)
    coupled = getattr(recurrence, "coupled", False)
    orders = gates_of(kind, coupled), ORDERS["onnx"][kind]
    parts = from_state(orders[0], as_keeping(state, recurrence), layer)
    columns: dict[str, list[Array]] = {"W": [], "R": [], "B": [], "P": []}
    for part in parts:
        columns["W"].append(reordered(part.weight_ih, *orders))
        columns["R"].append(reordered(part.weight_hh, *orders))
        if part.bias_ih is not None and part.bias_hh is not None:
            columns["B"].append(numpy.concatenate([reordered(b, *orders) for b in (part.bias_ih, part.bias_hh)]))
        if part.weight_peephole is not None:
            columns["P"].append(reordered(part.weight_peephole, orders[0].replace("g", ""), "iof"))
    inputs = {name: numpy.stack(arrays) for name, arrays in columns.items() if arrays}
    return inputs, _attributes(kind, recurrence, parts)


def _attributes(kind: str, recurrence: Any, parts: list[Part]) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "hidden_size": parts[0].weight_hh.shape[1],
        "direction": "bidirectional" if len(parts) == 2 else "forward",
    }
    if kind == "gru":
        attributes["linear_before_reset"] = int(recurrence.reset_after)
    if recurrence.gate_clip:
        attributes["clip"] = recurrence.gate_clip
    if getattr(recurrence, "coupled", False):
        attributes["input_forget"] = 1
    return attributes | to_onnx_activations(kind, [getattr(recurrence, role) for role in ROLES[kind]], len(parts))
