"""Whole layers from and to Keras and ONNX: with the weights goes what is computed with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..cells import GRURecurrence
from ..layers import GRU, KINDS, LSTM, RNN
from .keras import CLASSES, activations_of, directions_of, from_keras, groups_of, read_config, to_keras
from .onnx import from_onnx, read_operator, to_onnx
from .parts import Array, ConversionError

Layer = RNN | LSTM | GRU
CONVENTIONS = ("reset_after", "update_gate", "gate_nonlinearity")  # what weights depend on


def layer_from_onnx(
    kind: str, inputs: Mapping[str, Any], attributes: Mapping[str, Any] | None = None, **options: Any
) -> Layer:
    """The layer that computes what an ONNX operator computes.

    Args:
        kind: ``"rnn"``, ``"lstm"`` or ``"gru"``.
        inputs: its weights ``W``, ``R``, ``B`` and ``P``, see :func:`from_onnx`.
        attributes: by name; all that concern the equations become options, see the module
            :mod:`minigrad_rnn.convert.onnx`.
        options: of the layer, besides.

    Returns:
        A layer of one or two directions, with the dtype of W. Its output is Y with the directions side by side; with
        ``layout=1`` it has ``batch_first=True``.

    Raises:
        ConversionError: weights that do not go together, or something that no layer here computes: another activation,
            or one direction from the end, which is told at the call here.

    >>> import numpy
    >>> inputs = {"W": numpy.ones((1, 8, 3), "float32"), "R": numpy.ones((1, 8, 2), "float32")}
    >>> layer_from_onnx("lstm", inputs, {"clip": 2.0, "input_forget": 1})
    LSTM(3, 2, bias=False, coupled=True, gate_clip=2.0)  30 parameters
    """
    operator = read_operator(kind, inputs, attributes)
    if operator.direction == "reverse":
        raise ConversionError(
            'direction="reverse": a layer here is told at the call whether to read from the end\n'
            '  hint: with direction="forward" you get the layer that computes the same when called with reverse=True;'
            " that is to read reverse_by_length(x, lengths) and to turn the outputs around in the same way"
        )
    layer = KINDS[kind](
        operator.input_size,
        operator.hidden_size,
        bias="B" in operator.arrays,
        batch_first=bool(operator.attributes.get("layout", 0)),
        bidirectional=operator.direction == "bidirectional",
        dtype=operator.arrays["W"].dtype,
        **(operator.options | options),
    )
    layer.load_state_dict(from_onnx(kind, inputs, attributes, **vars(layer.recurrence)))
    return layer


def layer_to_onnx(module: Layer, *, layer: int = 0) -> tuple[dict[str, Array], dict[str, Any]]:
    """The inputs and attributes of the ONNX operator that computes what a layer computes: of one of a stack.

    How two directions are merged, and what only regularises training, is no part of the operator.

    Args:
        module: an :class:`~minigrad_rnn.RNN`, :class:`~minigrad_rnn.LSTM` or :class:`~minigrad_rnn.GRU`.
        layer: which layer of it; each is an operator of its own.

    Returns:
        As :func:`to_onnx`.

    Raises:
        ConversionError: a layer that does something the operator does not.

    >>> inputs, attributes = layer_to_onnx(LSTM(3, 2, coupled=True, nonlinearity="softsign"))
    >>> inputs["W"].shape, attributes["input_forget"], attributes["activations"]
    ((1, 8, 3), 1, ['Sigmoid', 'Softsign', 'Tanh'])
    """
    kind = _kind_of(module, layer)
    inputs, attributes = to_onnx(kind, module.state_dict(), layer=layer, **vars(module.recurrence))
    return inputs, attributes | ({"layout": 1} if module.batch_first else {})


def layer_from_keras(
    kind: str, weights: Sequence[Any], config: Mapping[str, Any] | None = None, **options: Any
) -> Layer:
    """The layer that computes what a Keras layer computes, ``batch_first``, with all outputs and states returned.

    Args:
        kind: ``"rnn"`` (SimpleRNN), ``"lstm"`` or ``"gru"``.
        weights: what its ``get_weights()`` returns, see :func:`from_keras`.
        config: what its ``get_config()`` returns; left out, all is as by default in Keras. What of it becomes which
            option tells the module :mod:`minigrad_rnn.convert.keras`.
        options: of the layer, besides or instead: ``gate_nonlinearity="hardsigmoid_onnx"`` for a hard sigmoid of
            Keras 2.

    Returns:
        A layer of one or two directions, with the dtype of the weights.

    Raises:
        ConversionError: weights that do not go together, or something that no layer here computes.

    >>> import numpy
    >>> weights = [numpy.ones((3, 8), "float32"), numpy.ones((2, 8), "float32")]
    >>> layer_from_keras("lstm", weights, {"activation": "softsign", "dropout": 0.1})
    LSTM(3, 2, bias=False, batch_first=True, nonlinearity='softsign', output_nonlinearity='softsign', \
variational=(0.1, 0.0, 0.0))  40 parameters
    """
    said = config or {}
    inner = directions_of(kind, said)[0]
    first, *more = groups_of(weights)
    settings = {**read_config(kind, said), **options}
    state = from_keras(kind, weights, **{name: settings[name] for name in CONVENTIONS if name in settings})
    hidden, inputs = state["weight_hh_l0"].shape[1], state["weight_ih_l0"].shape[1]
    if inner.get("units", hidden) != hidden:
        raise ConversionError(f"units={inner['units']}, but the weights are for {hidden}")
    dropped = (inner.get("dropout", 0.0), inner.get("recurrent_dropout", 0.0), 0.0)
    usual = {"batch_first": True, "dtype": first[0].dtype, "merge_mode": said.get("merge_mode", "concat") or "none"}
    usual |= {"variational": dropped} if any(dropped) else {}
    layer = KINDS[kind](inputs, hidden, bias=len(first) == 3, bidirectional=bool(more), **(usual | settings))
    layer.load_state_dict(state)
    return layer


def layer_to_keras(module: Layer, *, layer: int = 0) -> tuple[list[Array], dict[str, Any]]:
    """Weights and config of the Keras layer that computes what a layer computes: of one of a stack.

    What only regularises training is left out, apart from variational dropout of inputs and states.

    Args:
        module: an :class:`~minigrad_rnn.RNN`, :class:`~minigrad_rnn.LSTM` or :class:`~minigrad_rnn.GRU`.
        layer: which layer of it; each is a Keras layer of its own.

    Returns:
        The weights, for ``set_weights``; and the config, for ``from_config`` of SimpleRNN, LSTM or GRU, and of
        Bidirectional if there are two directions.

    Raises:
        ConversionError: a layer that does something a Keras layer does not.

    >>> weights, config = layer_to_keras(GRU(3, 2, gate_nonlinearity="hardsigmoid"))
    >>> [array.shape for array in weights], config["recurrent_activation"], config["reset_after"]
    ([(3, 6), (2, 6), (2, 6)], 'hard_sigmoid', True)
    """
    kind = _kind_of(module, layer)
    weights = to_keras(kind, module.state_dict(), layer=layer, **vars(module.recurrence))
    dropout, recurrent_dropout = (_chances(module.noise.variational) * 2)[:2]
    config = activations_of(kind, module.recurrence) | {
        "units": weights[1].shape[0],
        "use_bias": module.bias,
        "return_sequences": True,
        "return_state": True,
        "dropout": dropout,
        "recurrent_dropout": recurrent_dropout,
    }
    if isinstance(module.recurrence, GRURecurrence):
        config["reset_after"] = module.recurrence.reset_after
    if not module.bidirectional:
        return weights, config
    inner = {"module": "keras.layers", "class_name": CLASSES[kind], "config": config, "registered_name": None}
    merge = module.wiring.merge_mode
    return weights, {"layer": inner, "merge_mode": None if merge == "none" else merge}


def _kind_of(module: Layer, layer: int) -> str:
    """What kind of layer it is, if it does only what the others do too."""
    kind = next((kind for kind, known in KINDS.items() if isinstance(module, known)), None)
    if kind is None:
        raise ConversionError(f"RNN, LSTM and GRU are converted, not {type(module).__name__}")
    if layer and module.wiring.residual:
        raise ConversionError("residual=True: what a layer reads is added outside of it, where no weights are")
    if layer and module.bidirectional and module.wiring.merge_mode == "none":
        raise ConversionError(
            f'merge_mode="none": the directions of layer {layer} read a stream each, and there both read one\n'
            '  hint: convert them one by one: to_keras and to_onnx take the state of one, its names without "_reverse"'
        )
    if any(_chances(module.noise.zoneout)):
        raise ConversionError(f"zoneout={module.noise.zoneout!r} acts in evaluation too, and nothing there does that")
    return kind


def _chances(given: float | tuple[float, ...]) -> tuple[float, ...]:
    return given if isinstance(given, tuple) else (given,)
