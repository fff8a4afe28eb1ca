"""Writes fixtures.npz: what PyTorch computes for every loss and normalisation, with gradients.

Run by hand, with PyTorch installed: ``python tests/nn/make_fixtures.py``. The tests read the file only.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

rng = np.random.default_rng(0)
arrays: dict[str, np.ndarray] = {}
specs: list[dict[str, object]] = []


def case(function: str, *args: np.ndarray, wrt: tuple[int, ...] = (0,), note: str = "", **kwargs: object) -> None:
    """Run ``torch.nn.functional.<function>`` in float64 and keep inputs, output and gradients."""
    number = len(specs)
    tensors = [torch.tensor(a) for a in args]
    for i in wrt:
        tensors[i].requires_grad_(True)
    given = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    out = getattr(F, function)(*tensors, **given)
    cotangent = rng.standard_normal(out.shape)
    out.backward(torch.tensor(cotangent))
    for i, a in enumerate(args):
        arrays[f"{number}.arg{i}"] = a
    for key, value in kwargs.items():
        if isinstance(value, np.ndarray):
            arrays[f"{number}.{key}"] = value
            arrays[f"{number}.{key}.after"] = given[key].numpy()
    arrays[f"{number}.out"], arrays[f"{number}.cotangent"] = out.detach().numpy(), cotangent
    for i in wrt:
        arrays[f"{number}.grad{i}"] = tensors[i].grad.numpy()
    plain = {k: v for k, v in kwargs.items() if not isinstance(v, np.ndarray)}
    spec = {"function": function, "args": len(args), "wrt": wrt, "kwargs": plain}
    specs.append({**spec, "tensors": [k for k in kwargs if k not in plain], "note": note})


def normal(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape)


def classification() -> None:
    weight = rng.uniform(0.2, 2.0, 5)
    for reduction in ("mean", "sum", "none"):
        for shape, target in (((6, 5), (6,)), ((2, 5, 3), (2, 3)), ((5,), ())):
            scores, classes = normal(*shape), rng.integers(0, 5, target)
            logs = np.log(rng.dirichlet(np.ones(5), target))
            logs = np.moveaxis(logs, -1, 1) if len(shape) > 1 else logs
            some = np.where(rng.random(target) < 0.3, -100, classes) if target else classes
            for smoothing in (0.0, 0.2):
                case("cross_entropy", scores, some, reduction=reduction, label_smoothing=smoothing)
                case("cross_entropy", scores, some, reduction=reduction, label_smoothing=smoothing, weight=weight)
            case("cross_entropy", scores, classes, reduction=reduction, ignore_index=2, weight=weight)
            case("nll_loss", logs, some, reduction=reduction)
            case("nll_loss", logs, classes, reduction=reduction, weight=weight, ignore_index=1)
            soft = rng.dirichlet(np.ones(5), target)
            soft = np.moveaxis(soft, -1, 1) if len(shape) > 1 else soft
            for kwargs in ({}, {"weight": weight, "label_smoothing": 0.3}):
                case("cross_entropy", scores, soft, wrt=(0, 1), reduction=reduction, **kwargs)
    nothing = np.full(4, -100)
    for smoothing in (0.0, 0.1):
        case("cross_entropy", normal(4, 5), nothing, label_smoothing=smoothing, note="all ignored")
    case("nll_loss", normal(4, 5), nothing, reduction="sum", note="all ignored")


def regression() -> None:
    x, y = 2 * normal(4, 3), normal(4, 3)
    for reduction in ("mean", "sum", "none"):
        for function in ("mse_loss", "l1_loss"):
            case(function, x, y, wrt=(0, 1), reduction=reduction)
        for beta in (0.0, 0.5, 1.0):
            case("smooth_l1_loss", x, y, wrt=(0, 1), reduction=reduction, beta=beta)
        for delta in (0.5, 1.0, 2.0):
            case("huber_loss", x, y, wrt=(0, 1), reduction=reduction, delta=delta)


def probabilities() -> None:
    p, y, weight = rng.uniform(0.05, 0.95, (4, 3)), rng.uniform(0, 1, (4, 3)), rng.uniform(0.5, 2, (4, 3))
    certain, answers = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0])
    for reduction in ("mean", "sum", "none"):
        case("binary_cross_entropy", p, y, wrt=(0, 1), reduction=reduction)
        case("binary_cross_entropy", p, y, reduction=reduction, weight=weight)
        case("binary_cross_entropy", certain, answers, reduction=reduction, note="certain")
        for kwargs in ({}, {"weight": weight}, {"pos_weight": np.array([0.5, 1.0, 3.0])}):
            case("binary_cross_entropy_with_logits", normal(4, 3), y, reduction=reduction, **kwargs)
        case("binary_cross_entropy_with_logits", np.array([-800.0, 800.0, 0.0, 40.0]), answers, reduction=reduction)
    log_p, q = np.log(rng.dirichlet(np.ones(4), 3)), rng.dirichlet(np.ones(4), 3)
    for reduction in ("mean", "sum", "none", "batchmean"):
        case("kl_div", log_p, q, wrt=(0, 1), reduction=reduction)
        case("kl_div", log_p, np.log(q), wrt=(0, 1), reduction=reduction, log_target=True)
    case("kl_div", log_p, np.eye(3, 4), reduction="sum", note="zeros in the target")


def normalisation() -> None:
    for shape, inner in (((4, 3), (3,)), ((2, 3, 5), (5,)), ((2, 3, 5), (3, 5))):
        case("layer_norm", normal(*shape), normalized_shape=inner)
        case("layer_norm", normal(*shape), normalized_shape=inner, weight=normal(*inner), bias=normal(*inner), eps=1e-3)
    for shape in ((6, 3), (4, 3, 5)):
        for training in (True, False):
            case(
                "batch_norm",
                normal(*shape) + 2,
                running_mean=normal(3),
                running_var=rng.uniform(0.5, 2, 3),
                weight=normal(3),
                bias=normal(3),
                training=training,
                momentum=0.3,
                eps=1e-4,
            )


def lookup() -> None:
    indices, table = rng.integers(0, 6, (3, 4)), normal(6, 2)
    for padding in (None, 0, -1):
        case("embedding", indices, table, wrt=(1,), padding_idx=padding)


if __name__ == "__main__":
    for fill in (classification, regression, probabilities, normalisation, lookup):
        fill()
    layout, parts, offset = {}, [], 0
    for name, array in arrays.items():
        layout[name] = [array.dtype.kind, list(array.shape), offset]
        parts.append(array.astype(np.float64).ravel())
        offset += array.size
    contents = json.dumps({"specs": specs, "layout": layout})
    # one array: an entry of its own for each of hundreds would be mostly zip headers
    values = np.concatenate(parts)
    np.savez_compressed(Path(__file__).with_name("fixtures.npz"), contents=np.array(contents), values=values)
