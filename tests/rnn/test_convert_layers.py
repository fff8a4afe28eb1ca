"""Layers that say what they compute in an unusual place, or do not compute what one operator does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad_rnn import GRU, LSTM, RNN
from minigrad_rnn.convert import (
    ConversionError,
    from_keras,
    layer_from_keras,
    layer_to_keras,
    layer_to_onnx,
    to_keras,
    to_onnx,
)

CELLS = {"rnn": "SimpleRNNCell", "lstm": "LSTMCell", "gru": "GRUCell"}


@pytest.fixture(scope="module")
def measured():
    with np.load(Path(__file__).with_name("convert.npz")) as file:
        return dict(file.items())


def of_cell(name, config, go_backwards=False):
    """The config of ``keras.layers.RNN`` around a cell: what concerns equations and sizes stands in the cell's."""
    outer = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll")
    inner = {key: value for key, value in config.items() if key not in outer}
    cell = {"module": "keras.layers", "class_name": name, "config": inner, "registered_name": None}
    return {"name": "rnn", "return_sequences": True, "go_backwards": go_backwards, "cell": cell}


# ---- a Keras layer made of a cell ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["rnn_relu", "lstm_options", "gru_options_before", "lstm_merged", "gru_merged"])
def test_what_the_cell_in_a_keras_rnn_says_is_read(measured, case):
    kind = case.split("_")[0]
    weights = [measured[name] for name in sorted(measured) if name.startswith(f"keras/{case}/weight")]
    config = json.loads(str(measured["said"]))[f"keras/{case}"]
    if "layer" in config:
        layers = {name: config[name] for name in ("layer", "backward_layer") if config.get(name)}
        config |= {
            name: {"class_name": "RNN", "config": of_cell(CELLS[kind], layer["config"], name != "layer")}
            for name, layer in layers.items()
        }
    else:
        config = of_cell(CELLS[kind], config)
    layer = layer_from_keras(kind, weights, config)
    output, _ = layer(mg.tensor(measured["keras/x"]))
    np.testing.assert_allclose(output.numpy(), measured[f"keras/{case}/y"], rtol=2e-5, atol=1e-6)


def test_sizes_and_dropout_of_the_cell_in_a_keras_rnn():
    weights, config = layer_to_keras(LSTM(3, 5, variational=(0.2, 0.1, 0.0), nonlinearity="relu",
                                          output_nonlinearity="relu"))
    assert layer_from_keras("lstm", weights, of_cell("LSTMCell", config)).noise.variational == (0.2, 0.1, 0.0)
    with pytest.raises(ConversionError, match=r"units=6, but the weights are for 5"):
        layer_from_keras("lstm", weights, of_cell("LSTMCell", config | {"units": 6}))
    with pytest.raises(ConversionError, match="go_backwards=True"):
        layer_from_keras("lstm", weights, of_cell("LSTMCell", config, go_backwards=True))
    with pytest.raises(ConversionError, match=r"LSTM\(..., nonlinearity='relu', output_nonlinearity='relu'\)"):
        from_keras("lstm", weights, of_cell("LSTMCell", config))


@pytest.mark.parametrize("name", ["StackedRNNCells", "GRUCell", "MyCell"])
def test_other_cells_in_a_keras_rnn_are_refused(name):
    weights, config = layer_to_keras(LSTM(3, 5))
    with pytest.raises(ConversionError, match=rf'the cell is a {name}, and "lstm" is for LSTMCell(.|\n)*hint: '):
        layer_from_keras("lstm", weights, of_cell(name, config))


def test_a_keras_bidirectional_whose_first_direction_goes_backwards_is_refused():
    weights, config = layer_to_keras(GRU(3, 5, bidirectional=True))
    config["layer"]["config"]["go_backwards"] = True
    with pytest.raises(ConversionError, match="go_backwards=True"):
        layer_from_keras("gru", weights, config)


# ---- directions that are never merged ------------------------------------------------------------------------------


@pytest.mark.parametrize("convert", [layer_to_keras, layer_to_onnx])
def test_two_stacks_of_directions_are_not_a_stack_of_operators(convert):
    stacks = RNN(3, 4, 2, bidirectional=True, merge_mode="none")
    convert(stacks)
    with pytest.raises(ConversionError, match='merge_mode="none": the directions of layer 1 read a stream each'):
        convert(stacks, layer=1)
    convert(RNN(3, 4, 2, bidirectional=True, merge_mode="sum"), layer=1)


def test_the_directions_of_two_stacks_are_converted_one_by_one():
    """As the error says."""
    state = RNN(3, 4, 2, bidirectional=True, merge_mode="none").state_dict()
    backward = {name.removesuffix("_reverse"): array for name, array in state.items() if name.endswith("_reverse")}
    inputs, attributes = to_onnx("rnn", backward, layer=1)
    assert attributes["direction"] == "forward"
    np.testing.assert_array_equal(inputs["W"][0], state["weight_ih_l1_reverse"].numpy())
    np.testing.assert_array_equal(to_keras("rnn", backward, layer=1)[1].T, state["weight_hh_l1_reverse"].numpy())


# ---- regularisers, one number or several ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"), [((0.1,), (0.1, 0.1)), (0.2, (0.2, 0.2)), ((0.1, 0.2, 0.3), (0.1, 0.2)), ([0.3], (0.3, 0.3))]
)
def test_variational_dropout_in_every_form(given, told):
    _, config = layer_to_keras(LSTM(3, 5, variational=given))
    assert (config["dropout"], config["recurrent_dropout"]) == told


@pytest.mark.parametrize("convert", [layer_to_keras, layer_to_onnx])
def test_only_a_zoneout_that_is_not_zero_is_refused(convert):
    for zoneout in (0.0, (0.0, 0.0), (0.0,)):
        convert(LSTM(3, 5, zoneout=zoneout))
    with pytest.raises(ConversionError, match=r"zoneout=\(0.0, 0.1\) acts in evaluation too"):
        convert(LSTM(3, 5, zoneout=(0.0, 0.1)))
