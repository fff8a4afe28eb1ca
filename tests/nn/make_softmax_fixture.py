"""Writes softmax.npz: PyTorch's adaptive softmax, and cross-entropy behind a linear map, with all gradients.

Run by hand, with PyTorch installed: ``python tests/nn/make_softmax_fixture.py``. The tests read the file only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

ADAPTIVE: list[dict[str, Any]] = [
    {"cutoffs": [4], "div_value": 2.0, "head_bias": False},
    {"cutoffs": [2, 5, 9], "div_value": 2.0, "head_bias": True},
    {"cutoffs": [5, 6], "div_value": 1.5, "head_bias": False},
]
REDUCTIONS = ("mean", "sum", "none")
ROWS, FEATURES, CLASSES = 12, 8, 13

rng = np.random.default_rng(0)
arrays: dict[str, np.ndarray] = {}


def leaf(*shape: int) -> torch.Tensor:
    return torch.tensor(rng.standard_normal(shape), requires_grad=True)


def adaptive(number: int, settings: dict[str, Any]) -> None:
    layer = torch.nn.AdaptiveLogSoftmaxWithLoss(FEATURES, CLASSES, **settings, dtype=torch.float64)
    for name, parameter in layer.named_parameters():
        parameter.data = torch.tensor(rng.standard_normal(parameter.shape))
        arrays[f"{number}.state.{name}"] = parameter.data.numpy()
    x, target = leaf(ROWS, FEATURES), rng.permutation(CLASSES)[:ROWS]
    result = layer(x, torch.tensor(target))
    cotangent = rng.standard_normal(ROWS)
    ((result.output * torch.tensor(cotangent)).sum() + result.loss).backward()
    kept = {"input": x, "output": result.output, "loss": result.loss, "gradient": x.grad,
            "log_prob": layer.log_prob(x), "predicted": layer.predict(x)}
    arrays.update({f"{number}.{name}": value.detach().numpy() for name, value in kept.items()})
    arrays.update({f"{number}.weight.{name}": p.grad.numpy() for name, p in layer.named_parameters()})
    arrays[f"{number}.target"], arrays[f"{number}.cotangent"] = target, cotangent


def linear(reduction: str) -> None:
    x, weight, bias = leaf(ROWS, FEATURES), leaf(CLASSES, FEATURES), leaf(CLASSES)
    target = np.where(rng.random(ROWS) < 0.3, -100, rng.integers(0, CLASSES, ROWS))
    loss = F.linear_cross_entropy(x, weight, torch.tensor(target), linear_bias=bias, reduction=reduction)
    cotangent = rng.standard_normal(loss.shape)
    loss.backward(torch.tensor(cotangent))
    kept = {"input": x, "weight": weight, "bias": bias, "loss": loss,
            "input.gradient": x.grad, "weight.gradient": weight.grad, "bias.gradient": bias.grad}
    arrays.update({f"{reduction}.{name}": value.detach().numpy() for name, value in kept.items()})
    arrays[f"{reduction}.target"], arrays[f"{reduction}.cotangent"] = target, cotangent


if __name__ == "__main__":
    for i, options in enumerate(ADAPTIVE):
        adaptive(i, options)
    for how in REDUCTIONS:
        linear(how)
    np.savez_compressed(Path(__file__).with_name("softmax.npz"), **arrays)
