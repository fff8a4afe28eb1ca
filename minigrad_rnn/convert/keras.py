r"""Keras's weights: of SimpleRNN, LSTM and GRU, and of these inside Bidirectional.

Keras multiplies from the right, :math:`x W + h U + b`, so its matrices are transposed, ``(inputs, gates * H)``. The
gates of an LSTM are in the order i, f, c, o, those of a GRU in the order z, r, h, and the interpolation of a GRU keeps:
:math:`h_t = z_t \odot h_{t-1} + (1 - z_t) \odot \tilde h_t`. There is one bias, except in a GRU with ``reset_after``,
where the two cannot be merged and stand in one array of two rows.

What a layer computes besides stands in its ``get_config()``; of a ``keras.layers.RNN`` around an LSTMCell, GRUCell or
SimpleRNNCell in that of the cell.

=========================  ========================================================================================
in the config              option of a layer here
=========================  ========================================================================================
``activation``             ``nonlinearity``; of an LSTM ``output_nonlinearity`` too
``recurrent_activation``   ``gate_nonlinearity``; ``"hard_sigmoid"`` is ``"hardsigmoid"``, :math:`x/6 + 1/2`, since
                           Keras 3, but was ``"hardsigmoid_onnx"``, :math:`0.2 x + 1/2`, before; no config tells
``reset_after``            ``reset_after``
``dropout`` and            ``variational``, for inputs and h: one mask for a sequence. (With ``recurrent_dropout`` Keras
``recurrent_dropout``      draws one for each gate.)
``merge_mode``             ``merge_mode``, ``None`` being ``"none"``
``go_backwards``           none: it is told at the call, ``reverse=True``, which leaves outputs where their inputs stand
=========================  ========================================================================================

The rest concerns how weights are drawn or what a call returns. (Keras 3, ``keras/src/layers/rnn``.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from .activations import ROLES, from_keras_activation, to_keras_activation
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

KNOWN = (*ROLES["lstm"], "reset_after")
CLASSES = {"rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}


def directions_of(kind: str, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The config of each direction, with what the cell inside says, if there is one.

    The second direction of a Bidirectional says that it goes backwards, as it must: that is left out.
    """
    gates_of(kind)
    if "layer" not in config:
        return [_with_cell(kind, config)]
    both = [_with_cell(kind, config[name]["config"]) for name in ("layer", "backward_layer") if config.get(name)]
    return [both[0], *[{**backward, "go_backwards": False} for backward in both[1:]]]


def _with_cell(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    cell = config.get("cell")
    if cell is None:
        return dict(config)
    if cell["class_name"] != f"{CLASSES[kind]}Cell":
        raise ConversionError(
            f'the cell is a {cell["class_name"]}, and "{kind}" is for {CLASSES[kind]}Cell\n'
            "  hint: SimpleRNNCell, LSTMCell and GRUCell are read; of StackedRNNCells convert one after the other, each"
            " with its own weights and config"
        )
    return {**config, **cell["config"]}


def read_config(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The equations of a Keras layer, as options of a layer here, from its config or that of its Bidirectional."""
    read = [_equations(kind, one) for one in directions_of(kind, config)]
    if read != read[:1] * len(read):
        raise ConversionError(f"the two directions are not made alike: {read[0]} and {read[1]}")
    return read[0]


def _equations(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    if config.get("go_backwards"):
        raise ConversionError(
            "go_backwards=True: a layer here is told at the call whether to read from the end\n"
            '  hint: without it, config | {"go_backwards": False}, you get the layer to call with reverse=True, which'
            " leaves outputs where their inputs stand; Keras's stand as those of reverse_by_length(x, lengths)"
        )
    activation = from_keras_activation(config.get("activation", "tanh"))
    gates = from_keras_activation(config.get("recurrent_activation", "sigmoid"))
    options: dict[str, Any] = dict.fromkeys(ROLES[kind], activation)
    if kind != "rnn":
        options["gate_nonlinearity"] = gates
    return options | ({"reset_after": bool(config.get("reset_after", True))} if kind == "gru" else {})


def from_keras(
    kind: str,
    weights: Sequence[Any],
    config: Mapping[str, Any] | None = None,
    *,
    layer: int = 0,
    **options: Any,
) -> dict[str, Array]:
    """A state dict from the weights of a Keras layer.

    For a layer of its own, :func:`layer_from_keras` is simpler. This is for one of a stack, or one that exists.
    Where Keras has one bias, it becomes ``bias_ih``, and ``bias_hh`` is zero: their sum is what counts.

    Args:
        kind: ``"rnn"`` (SimpleRNN), ``"lstm"`` or ``"gru"``.
        weights: what the layer's ``get_weights()`` returns: kernel ``(I, gates * H)``, recurrent kernel
            ``(H, gates * H)`` and, unless made without, bias ``(gates * H,)``, of a GRU with ``reset_after``
            ``(2, gates * H)``; those of a Bidirectional one after the other, forward first.
        config: what its ``get_config()`` returns; left out, you must know what it computes.
        layer: number of the layer in the stack that gets the weights. For a stack, join the dictionaries:
            ``from_keras(kind, first) | from_keras(kind, second, layer=1)``.
        options: of the layer that gets the weights, such as ``reset_after=False``: it must compute what the Keras layer
            computes, as far as config and weights tell. A bias tells ``reset_after``.

    Returns:
        NumPy arrays by PyTorch's names, for ``load_state_dict``.

    Raises:
        ConversionError: a number or shape of arrays that no such layer has, or a layer that computes something else.

    >>> kernel, recurrent, bias = numpy.ones((3, 8)), numpy.ones((2, 8)), numpy.arange(8.0)
    >>> state = from_keras("lstm", [kernel, recurrent, bias])
    >>> {name: array.shape for name, array in state.items()}
    {'weight_ih_l0': (8, 3), 'weight_hh_l0': (8, 2), 'bias_ih_l0': (8,), 'bias_hh_l0': (8,)}
    """
    recurrence = described(kind, options)
    check_expressible("Keras", kind, recurrence, KNOWN)
    reset_after = getattr(recurrence, "reset_after", True)
    groups = groups_of(weights)
    parts = [_from_group(kind, *group, reset_after=reset_after) for group in groups]
    if config is not None:
        read = read_config(kind, config)
        check_reset(read.get("reset_after", True), reset_after, f"reset_after={read.get('reset_after')}")
        check_same(kind, read, recurrence, "layer_from_keras")
    return as_keeping(to_state(parts, layer), recurrence)


def groups_of(weights: Sequence[Any]) -> list[list[Array]]:
    """The arrays of each direction."""
    arrays = [as_array(array) for array in weights]
    if len(arrays) not in (2, 3, 4, 6):
        raise ConversionError(
            f"a Keras layer has a kernel, a recurrent kernel and maybe a bias, a Bidirectional twice as many: 2, 3, 4"
            f" or 6 arrays, not {len(arrays)}"
        )
    each = len(arrays) if len(arrays) < 4 else len(arrays) // 2
    return [arrays[i : i + each] for i in range(0, len(arrays), each)]


def _from_group(kind: str, kernel: Array, recurrent: Array, bias: Array | None = None, *, reset_after: bool) -> Part:
    size = len(recurrent) if recurrent.ndim else 0
    rows = len(gates_of(kind)) * size
    check_shape("the recurrent kernel", recurrent, (size, rows))
    check_shape("the kernel", kernel, (len(kernel) if kernel.ndim else 0, rows))
    order = ORDERS["keras"][kind], ORDERS["torch"][kind]
    part = Part(reordered(kernel.T, *order), reordered(recurrent.T, *order))
    if bias is None:
        return part
    if kind == "gru":
        check_reset(bias.ndim == 2, reset_after, f"a bias of shape {bias.shape}")
    two_rows = kind == "gru" and reset_after
    check_shape("the bias", bias, (2, rows) if two_rows else (rows,))
    bias_ih, bias_hh = bias if two_rows else (bias, numpy.zeros_like(bias))
    return part._replace(bias_ih=reordered(bias_ih, *order), bias_hh=reordered(bias_hh, *order))


def to_keras(kind: str, state: Mapping[str, Any], *, layer: int = 0, **options: Any) -> list[Array]:
    """The weights of a Keras layer, for its ``set_weights``, from a state dict.

    Where Keras has one bias it is the sum of ours, so that the way back gives other biases with the same sum. For a
    layer rather than a dictionary there is :func:`layer_to_keras`, which tells how the Keras layer is to be made.

    Args:
        kind: ``"rnn"`` (SimpleRNN), ``"lstm"`` or ``"gru"``.
        state: tensors or arrays by PyTorch's names.
        layer: which layer of the stack; each is a Keras layer of its own.
        options: of the layer that the state is of, such as ``reset_after=False``; the Keras layer must compute the
            same.

    Returns:
        Kernel, recurrent kernel and, if there are biases, bias; for a bidirectional layer those of the forward
        direction and then those of the backward one.

    Raises:
        ConversionError: names missing from the state, shapes that do not go together, or options or weights that a
            Keras layer does not have: projections, peepholes.

    >>> state = from_keras("gru", [numpy.ones((3, 6)), numpy.ones((2, 6)), numpy.ones((2, 6))])
    >>> [array.shape for array in to_keras("gru", state)]
    [(3, 6), (2, 6), (2, 6)]
    """
    recurrence = described(kind, options)
    check_expressible("Keras", kind, recurrence, KNOWN)
    reset_after = getattr(recurrence, "reset_after", True)
    parts = from_state(gates_of(kind), as_keeping(state, recurrence), layer)
    return [array for part in parts for array in _to_group(kind, part, reset_after)]


def _to_group(kind: str, part: Part, reset_after: bool) -> list[Array]:
    order = ORDERS["torch"][kind], ORDERS["keras"][kind]
    if part.weight_peephole is not None:
        raise ConversionError("this LSTM has peepholes (weight_peephole); Keras's has none that could take them")
    group = [numpy.ascontiguousarray(reordered(w, *order).T) for w in (part.weight_ih, part.weight_hh)]
    if part.bias_ih is not None and part.bias_hh is not None:
        biases = reordered(part.bias_ih, *order), reordered(part.bias_hh, *order)
        group.append(numpy.stack(biases) if kind == "gru" and reset_after else biases[0] + biases[1])
    return group


def activations_of(kind: str, recurrence: Any) -> dict[str, str]:
    """The activations of a layer here, as arguments of a Keras layer."""
    names = {role: to_keras_activation(getattr(recurrence, role)) for role in ROLES[kind]}
    if names.get("output_nonlinearity", names["nonlinearity"]) != names["nonlinearity"]:
        raise ConversionError(
            f"Keras's LSTM has one activation for candidate and output, this one has {recurrence.nonlinearity!r} and"
            f" {recurrence.output_nonlinearity!r}"
        )
    found = {"activation": names["nonlinearity"]}
    return found if kind == "rnn" else found | {"recurrent_activation": names["gate_nonlinearity"]}
