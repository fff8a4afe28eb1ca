"""Write convert.npz: what Keras and onnxruntime compute with random weights. Needs both, and PyTorch under Keras.

KERAS_BACKEND=torch python tests/rnn/make_convert_fixture.py
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
from onnx import helper

I, H, T, N = 3, 4, 6, 2  # noqa: E741 - the letters of the formulas
rng = np.random.default_rng(0)
arrays: dict[str, np.ndarray] = {}
said: dict[str, dict] = {}  # Keras's configs, ONNX's attributes

keras.config.set_floatx("float64")
SEQUENCES = {"return_sequences": True}
LAYERS = {
    "rnn": keras.layers.SimpleRNN(H, return_sequences=True),
    "lstm": keras.layers.LSTM(H, return_sequences=True),
    "gru": keras.layers.GRU(H, return_sequences=True),
    "gru_before": keras.layers.GRU(H, return_sequences=True, reset_after=False),
    "lstm_bidirectional": keras.layers.Bidirectional(keras.layers.LSTM(H, return_sequences=True)),
    "gru_bidirectional": keras.layers.Bidirectional(keras.layers.GRU(H, return_sequences=True)),
    "lstm_options": keras.layers.LSTM(
        H, activation="softsign", recurrent_activation="hard_sigmoid", use_bias=False, **SEQUENCES
    ),
    "gru_options_before": keras.layers.GRU(
        H, activation="elu", recurrent_activation="hard_sigmoid", reset_after=False, **SEQUENCES
    ),
    "gru_merged": keras.layers.Bidirectional(keras.layers.GRU(H, activation="silu", **SEQUENCES), merge_mode="mul"),
    "lstm_merged": keras.layers.Bidirectional(keras.layers.LSTM(H, activation="gelu", **SEQUENCES), merge_mode="ave"),
}
for name in ("linear", "relu", "gelu", "hard_tanh", "softplus", "swish"):
    LAYERS[f"rnn_{name}"] = keras.layers.SimpleRNN(H, activation=name, **SEQUENCES)
x = arrays["keras/x"] = rng.normal(size=(N, T, I))
for case, layer in LAYERS.items():
    layer(x)
    weights = [rng.normal(size=array.shape) / 2 for array in layer.get_weights()]
    layer.set_weights(weights)
    arrays |= {f"keras/{case}/weight{i}": array for i, array in enumerate(weights)}
    said[f"keras/{case}"] = layer.get_config()
    arrays[f"keras/{case}/y"] = keras.ops.convert_to_numpy(layer(x))

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
OPERATORS = {
    "rnn": {},
    "lstm": {},
    "gru": {"linear_before_reset": 1},
    "gru_before": {},
    "lstm_reverse": {"direction": "reverse"},
    "gru_bidirectional": {"direction": "bidirectional", "linear_before_reset": 1},
    "lstm_extras": {"clip": 0.5, "input_forget": 1},
    "lstm_activations_bidirectional": {
        "direction": "bidirectional",
        "activations": ["HardSigmoid", "Relu", "LeakyRelu"] * 2,
        "activation_alpha": [1 / 6, 0.01] * 2,
        "activation_beta": [0.5] * 2,
    },
    "gru_activations": {
        "linear_before_reset": 1,
        "activations": ["HardSigmoid", "Affine"],
        "activation_alpha": [0.2, 1.0],
        "activation_beta": [0.5, 0.0],
    },
    "rnn_activations": {"activations": ["Elu"], "activation_alpha": [1.0], "clip": 0.8},
}
x = arrays["onnx/x"] = rng.normal(size=(T, N, I)).astype(np.float32)
for case, attributes in OPERATORS.items():
    kind = case.split("_")[0]
    rows, directions = GATES[kind] * H, 1 + (attributes.get("direction") == "bidirectional")
    shapes = {"W": (directions, rows, I), "R": (directions, rows, H), "B": (directions, 2 * rows)}
    if case == "lstm_extras":
        shapes["P"] = (directions, 3 * H)
    values = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    shapes, values = {"X": x.shape, **shapes}, {"X": x, **values}
    said[f"onnx/{case}"] = attributes
    names = ["X", "W", "R", "B", *(["", "", "", "P"] if "P" in shapes else [])]
    node = helper.make_node(kind.upper(), names, ["Y"], hidden_size=H, **attributes)
    typed = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    result = helper.make_tensor_value_info("Y", onnx.TensorProto.FLOAT, (T, directions, N, H))
    model = helper.make_model(
        helper.make_graph([node], case, typed, [result]), opset_imports=[helper.make_opsetid("", 14)], ir_version=8
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, values)
    arrays |= {f"onnx/{case}/{name}": array for name, array in values.items() if name != "X"}
    arrays[f"onnx/{case}/y"] = np.concatenate(list(y.swapaxes(0, 1)), -1)
arrays["said"] = np.array(json.dumps(said))
np.savez_compressed(Path(__file__).with_name("convert.npz"), **arrays)
