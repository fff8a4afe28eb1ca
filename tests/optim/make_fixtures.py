"""Record what PyTorch does, in fixtures.npz: python tests/optim/make_fixtures.py (PyTorch is needed for this only)."""

import warnings
from pathlib import Path

import numpy as np
import torch
from optim_cases import (
    BASE_LRS,
    CLIPS,
    RECORDED,
    SCHEDULE_STEPS,
    STEPS,
    WITHOUT_GRADIENT,
    gradients,
    metrics,
    optimizer_cases,
    plateau_cases,
    schedule_cases,
    starts,
)


def trajectory(name: str, options: dict) -> np.ndarray:
    params = [torch.nn.Parameter(torch.tensor(start)) for start in starts()]
    optimizer = getattr(torch.optim, name)(params, **options)
    grads, rows = gradients(), []
    for step in range(1, STEPS + 1):
        for i, p in enumerate(params):
            p.grad = None if (step, i) in WITHOUT_GRADIENT else torch.tensor(grads[step - 1][i])
        optimizer.step()
        if step in RECORDED:
            rows.append(np.concatenate([p.detach().numpy().ravel() for p in params]))
    return np.stack(rows)


def two_groups() -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in BASE_LRS]
    return torch.optim.SGD(groups, momentum=0.5)


def learning_rates(schedules: list) -> np.ndarray:
    optimizer = two_groups()
    made = [getattr(torch.optim.lr_scheduler, name)(optimizer, **options) for name, options in schedules]
    rows = []
    for _ in range(SCHEDULE_STEPS):
        rows.append([(g["lr"], g["momentum"]) for g in optimizer.param_groups])
        optimizer.step()
        for schedule in made:
            schedule.step()
    return np.array(rows)


def plateau(options: dict) -> np.ndarray:
    optimizer = two_groups()
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    rows = []
    for value in metrics():
        schedule.step(float(value))
        rows.append([g["lr"] for g in optimizer.param_groups])
    return np.array(rows)


def clipped(norm_type: float, max_norm: float) -> np.ndarray:
    params = [torch.nn.Parameter(torch.tensor(start)) for start in starts()]
    for p, g in zip(params, gradients()[0], strict=True):
        p.grad = torch.tensor(g)
    total = torch.nn.utils.clip_grad_norm_(params, max_norm, norm_type)
    return np.concatenate([[total.item()], *[p.grad.numpy().ravel() for p in params]])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    arrays = {f"optimizer{i}": trajectory(*case) for i, case in enumerate(optimizer_cases())}
    arrays |= {f"schedule{i}": learning_rates(case) for i, case in enumerate(schedule_cases())}
    arrays |= {f"plateau{i}": plateau(case) for i, case in enumerate(plateau_cases())}
    arrays |= {f"clip{i}": clipped(*case) for i, case in enumerate(CLIPS)}
    np.savez_compressed(Path(__file__).parent / "fixtures.npz", **arrays)
