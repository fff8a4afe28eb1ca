"""Write recurrent.npz: what PyTorch's recurrent layers and cells give for fixed weights.

Needs PyTorch; the tests do not.

python tests/rnn/make_recurrent_fixtures.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

LAYERS = [
    {},
    {"num_layers": 2},
    {"bias": False},
    {"bidirectional": True},
    {"bidirectional": True, "num_layers": 2},
    {"batch_first": True, "bidirectional": True},
]
CASES = [(kind, options) for kind in ("RNN", "LSTM", "GRU") for options in LAYERS]
CASES += [("RNN", {"nonlinearity": "relu", **options}) for options in LAYERS[::4]]
CASES += [("LSTM", {"proj_size": 2, **options}) for options in LAYERS]
CASES += [(kind, options) for kind in ("RNNCell", "LSTMCell", "GRUCell") for options in ({}, {"bias": False})]
CASES += [("RNNCell", {"nonlinearity": "relu"})]



def drawn(*shape: int) -> torch.Tensor:
    """Random multiples of 1/64, which compress well."""
    return (torch.randn(*shape, dtype=torch.float64) * 64).round() / 64


torch.manual_seed(0)
index: dict[str, dict[str, tuple[int, ...]]] = {}
values: list[np.ndarray] = []
for kind, options in CASES:
    module = getattr(torch.nn, kind)(3, 4, **options).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(drawn(*parameter.shape) / 2)
    count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    cell = kind.endswith("Cell")
    leading = (2,) if cell else (count, 2)
    sizes = [options.get("proj_size") or 4, 4][: 2 if "LSTM" in kind else 1]
    shape = (2, 3) if cell else (2, 5, 3) if options.get("batch_first") else (5, 2, 3)
    x = drawn(*shape).requires_grad_()
    state = [drawn(*leading, size).requires_grad_() for size in sizes]
    result = module(x, tuple(state) if len(state) > 1 else state[0])
    outputs = [result] if isinstance(result, torch.Tensor) else list(result)
    if isinstance(outputs[-1], tuple):
        outputs[-1:] = outputs[-1]
    cotangents = [drawn(*y.shape) for y in outputs]
    parameters = dict(module.named_parameters())
    gradients = torch.autograd.grad(outputs, [x, *state, *parameters.values()], cotangents)
    groups = {"input": [x, *state], "output": outputs, "cotangent": cotangents, "gradient": gradients}
    named = {f"{group}{i}": value for group, members in groups.items() for i, value in enumerate(members)}
    named |= {f"weight.{name}": value for name, value in parameters.items()}
    index[f"{kind} {json.dumps(options)}"] = {name: tuple(value.shape) for name, value in named.items()}
    values += [value.detach().numpy().ravel() for value in named.values()]
np.savez_compressed(
    Path(__file__).with_name("recurrent.npz"), index=np.array(json.dumps(index)), values=np.concatenate(values)
)
