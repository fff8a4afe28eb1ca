"""Write onnx_options.npz: what onnxruntime computes with each attribute that changes equations.

python tests/rnn/make_onnx_options_fixture.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper

I, H, T, N = 2, 3, 5, 2  # noqa: E741 - the letters of the formulas
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
CASES = [
    ("RNN", {"clip": 0.4}),
    ("RNN", {"activations": ["Relu"]}),
    ("RNN", {"activations": ["Softsign"], "clip": 0.6}),
    ("RNN", {"activations": ["HardSigmoid"]}),
    ("RNN", {"activations": ["Elu"]}),
    ("RNN", {"activations": ["LeakyRelu"]}),
    ("RNN", {"activations": ["Softplus"]}),
    ("GRU", {"clip": 0.4}),
    ("GRU", {"clip": 0.4, "linear_before_reset": 1}),
    ("GRU", {"activations": ["HardSigmoid", "Softsign"]}),
    ("GRU", {"activations": ["HardSigmoid", "Relu"], "linear_before_reset": 1}),
    ("GRU", {"activations": ["Sigmoid", "Elu"], "clip": 0.7}),
    ("LSTM", {"clip": 0.4}),
    ("LSTM", {"input_forget": 1}),
    ("LSTM", {"P": True}),
    ("LSTM", {"P": True, "clip": 0.4}),
    ("LSTM", {"P": True, "input_forget": 1}),
    ("LSTM", {"P": True, "input_forget": 1, "clip": 0.7}),
    ("LSTM", {"activations": ["HardSigmoid", "Softsign", "Tanh"]}),
    ("LSTM", {"activations": ["Sigmoid", "Relu", "Softsign"]}),
    ("LSTM", {"activations": ["Sigmoid", "Tanh", "HardSigmoid"], "P": True}),
    ("LSTM", {"activations": ["Softsign", "Elu", "LeakyRelu"], "clip": 0.7}),
]

rng = np.random.default_rng(0)
index, arrays = [], []
for kind, said in CASES:
    attributes = {name: value for name, value in said.items() if name != "P"}
    rows, parts = GATES[kind] * H, 2 if kind == "LSTM" else 1
    shapes = {"X": (T, N, I), "W": (1, rows, I), "R": (1, rows, H), "B": (1, 2 * rows)}
    shapes |= {"initial_h": (1, N, H)} | ({"initial_c": (1, N, H)} if parts == 2 else {})
    shapes |= {"P": (1, 3 * H)} if "P" in said else {}
    values = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    order = ["X", "W", "R", "B", "", "initial_h", *(["initial_c"] if parts == 2 else []), *(["P"] * ("P" in said))]
    results = {"Y": (T, 1, N, H), "Y_h": (1, N, H)} | ({"Y_c": (1, N, H)} if parts == 2 else {})
    node = helper.make_node(kind, order, list(results), hidden_size=H, **attributes)
    graph = helper.make_graph(
        [node],
        "case",
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in results.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    values |= dict(zip(results, session.run(None, values), strict=True))
    index.append([kind, said, {name: value.shape for name, value in values.items()}])
    arrays += [value.ravel() for value in values.values()]
np.savez_compressed(
    Path(__file__).with_name("onnx_options.npz"), index=np.array(json.dumps(index)), values=np.concatenate(arrays)
)
