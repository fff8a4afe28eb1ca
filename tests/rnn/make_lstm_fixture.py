"""Write lstm.npz: what PyTorch's LSTM gives for fixed weights. Needs PyTorch; the tests do not.

python tests/rnn/make_lstm_fixture.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

torch.manual_seed(0)
arrays: dict[str, np.ndarray] = {}
for layers in (1, 2):
    lstm = torch.nn.LSTM(3, 4, layers).double()
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    h = torch.randn(layers, 2, 4, dtype=torch.float64, requires_grad=True)
    c = torch.randn(layers, 2, 4, dtype=torch.float64, requires_grad=True)
    output, (last_h, last_c) = lstm(x, (h, c))
    cotangents = [torch.randn_like(t) for t in (output, last_h, last_c)]
    torch.autograd.backward((output, last_h, last_c), cotangents)
    values = {"x": x, "h": h, "c": c, "output": output, "last_h": last_h, "last_c": last_c}
    values |= {f"cotangent{i}": g for i, g in enumerate(cotangents)}
    values |= {"grad_x": x.grad, "grad_h": h.grad, "grad_c": c.grad}
    for name, parameter in lstm.named_parameters():
        values[f"state.{name}"] = parameter
        values[f"grad.{name}"] = parameter.grad
    arrays |= {f"{layers}.{name}": value.detach().numpy() for name, value in values.items()}
np.savez_compressed(Path(__file__).with_name("lstm.npz"), **arrays)
