"""Write convert.npz: what Keras and onnxruntime compute with random weights. Needs both, and PyTorch under Keras.

KERAS_BACKEND=torch python tests/rnn/make_convert_fixture.py
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
from onnx import helper

I, H, T, N = 3, 4, 6, 2  # noqa: E741 - the letters of the formulas
rng = np.random.default_rng(0)
arrays: dict[str, np.ndarray] = {}

keras.config.set_floatx("float64")
LAYERS = {
    "rnn": keras.layers.SimpleRNN(H, return_sequences=True),
    "lstm": keras.layers.LSTM(H, return_sequences=True),
    "gru": keras.layers.GRU(H, return_sequences=True),
    "gru_before": keras.layers.GRU(H, return_sequences=True, reset_after=False),
    "lstm_bidirectional": keras.layers.Bidirectional(keras.layers.LSTM(H, return_sequences=True)),
    "gru_bidirectional": keras.layers.Bidirectional(keras.layers.GRU(H, return_sequences=True)),
}
for case, layer in LAYERS.items():
    x = rng.normal(size=(N, T, I))
    layer(x)
    weights = [rng.normal(size=array.shape) for array in layer.get_weights()]
    layer.set_weights(weights)
    arrays |= {f"keras/{case}/weight{i}": array for i, array in enumerate(weights)}
    arrays |= {f"keras/{case}/x": x, f"keras/{case}/y": keras.ops.convert_to_numpy(layer(x))}

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
OPERATORS = {
    "rnn": {},
    "lstm": {},
    "gru": {"linear_before_reset": 1},
    "gru_before": {},
    "lstm_reverse": {"direction": "reverse"},
    "gru_bidirectional": {"direction": "bidirectional", "linear_before_reset": 1},
    "lstm_extras": {"clip": 0.5, "input_forget": 1},
}
for case, attributes in OPERATORS.items():
    kind = case.split("_")[0]
    rows, directions = GATES[kind] * H, 1 + (attributes.get("direction") == "bidirectional")
    shapes = {"X": (T, N, I), "W": (directions, rows, I), "R": (directions, rows, H), "B": (directions, 2 * rows)}
    if case == "lstm_extras":
        shapes["P"] = (directions, 3 * H)
    values = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
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
    arrays |= {f"onnx/{case}/x": values["X"], f"onnx/{case}/y": np.concatenate(list(y.swapaxes(0, 1)), -1)}
np.savez_compressed(Path(__file__).with_name("convert.npz"), **arrays)
