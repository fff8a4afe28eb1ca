"""The table of activations: complete, and with slopes that are derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad_rnn import LSTM, RNN, unrolled
from minigrad_rnn.cells import NONLINEARITIES
from minigrad_rnn.convert import ConversionError, layer_from_keras, layer_to_keras, layer_to_onnx

NOT_BY_ELEMENT = {"softmax", "log_softmax", "flatten"}


def test_every_activation_of_minigrad_has_a_name():
    modules = [value for value in vars(nn).values() if isinstance(value, type) and hasattr(value, "function")]
    names = {module.function.__name__.lstrip("_") for module in modules}
    assert {"selu", "logsigmoid", "tanh"} <= names
    assert names - NOT_BY_ELEMENT <= set(NONLINEARITIES)


@pytest.mark.parametrize("name", [name for name, (_, slope) in NONLINEARITIES.items() if slope is not None])
@pytest.mark.parametrize("dtype", [mg.float32, mg.float64], ids=str)
def test_the_slope_from_the_value_is_the_derivative(name, dtype):
    function, slope = NONLINEARITIES[name]
    x = mg.tensor([-30.0, -4.0, -2.6, -1.3, -0.2, 0.0, 0.1, 0.9, 1.7, 2.8, 5.0, 30.0], dtype=dtype, requires_grad=True)
    y = function(x)
    y.sum().backward()
    found = slope(y.data)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, x.grad.numpy(), rtol=1e-5 if dtype == mg.float32 else 1e-10, atol=1e-6)


@pytest.mark.parametrize("name", ["selu", "logsigmoid"])
def test_layers_run_as_one_op_with_the_same_gradients(name):
    options = {"nonlinearity": name, "gate_nonlinearity": name, "output_nonlinearity": name}
    layer = LSTM(3, 4, dtype=mg.float64, **options)
    assert layer.plan()[0].path == "fused"
    x = mg.tensor(np.random.default_rng(0).normal(size=(5, 2, 3)))
    gradients = []
    for one in (False, True):
        layer.zero_grad()
        if one:
            with unrolled():
                layer(x)[0].sum().backward()
        else:
            layer(x)[0].sum().backward()
        gradients.append([p.grad.numpy() for p in layer.parameters()])
    for fused, recorded in zip(*gradients, strict=True):
        np.testing.assert_allclose(fused, recorded, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("name", "theirs"), [("selu", "selu"), ("logsigmoid", "log_sigmoid")])
def test_keras_has_them_and_onnx_does_not(name, theirs):
    layer = RNN(3, 4, nonlinearity=name, batch_first=True)
    weights, config = layer_to_keras(layer)
    assert config["activation"] == theirs
    assert layer_from_keras("rnn", weights, config).recurrence == layer.recurrence
    with pytest.raises(ConversionError, match=f"ONNX has no activation like '{name}'"):
        layer_to_onnx(layer)
