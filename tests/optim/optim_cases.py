"""What the fixtures record and the tests replay: optimisers with their options, schedules, gradients."""

from itertools import product
from typing import Any

import numpy as np

SHAPES = [(), (3,), (2, 3), (2, 1, 2)]
STEPS = 20
RECORDED = (1, 2, 5, 10, 20)
WITHOUT_GRADIENT = {(4, 1), (7, 2)}  # (step, parameter)

BASE_LRS = [0.1, 0.02]
SCHEDULE_STEPS = 50


def starts() -> list[np.ndarray]:
    """The parameters at the start."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) for shape in SHAPES]


def gradients() -> list[list[np.ndarray]]:
    """For each step the gradient of each parameter: of very different sizes."""
    rng = np.random.default_rng(1)

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        return np.asarray(rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 3))

    return [[draw(shape) for shape in SHAPES] for _ in range(STEPS)]


def _combinations(**choices: list[Any]) -> list[dict[str, Any]]:
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


def optimizer_cases() -> list[tuple[str, dict[str, Any]]]:
    """(class name, options), every combination of the options that change the update."""
    common = {"weight_decay": [0.0, 0.1], "maximize": [False, True]}
    sgd = _combinations(lr=[0.05], momentum=[0.0, 0.9], dampening=[0.0, 0.3], nesterov=[False, True], **common)
    cases = {
        "SGD": [c for c in sgd if not c["nesterov"] or (c["momentum"] and not c["dampening"])],
        "Adagrad": _combinations(lr=[0.1], lr_decay=[0.0, 0.1], initial_accumulator_value=[0.0, 0.5], **common),
        "RMSprop": _combinations(lr=[0.01], alpha=[0.9], momentum=[0.0, 0.5], centered=[False, True], **common),
        "Adadelta": _combinations(lr=[1.0], rho=[0.8], **common),
        "Adam": _combinations(lr=[0.1], betas=[(0.8, 0.95)], amsgrad=[False, True], **common),
        "AdamW": _combinations(lr=[0.1], betas=[(0.8, 0.95)], amsgrad=[False, True], **common),
    }
    defaults: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in cases]
    return defaults + [(name, case) for name, options in cases.items() for case in options]


def schedule_cases() -> list[list[tuple[str, dict[str, Any]]]]:
    """Lists of schedules that are stepped side by side."""
    return [
        [("StepLR", {"step_size": 7, "gamma": 0.3})],
        [("MultiStepLR", {"milestones": [3, 20, 20, 41], "gamma": 0.5})],
        [("ExponentialLR", {"gamma": 0.93})],
        [("LinearLR", {})],
        [("LinearLR", {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 23})],
        [("CosineAnnealingLR", {"T_max": 20})],
        [("CosineAnnealingLR", {"T_max": 13, "eta_min": 0.005})],
        [("LambdaLR", {"lr_lambda": [lambda t: 0.9**t, lambda t: 1 / (1 + t)]})],
        [("OneCycleLR", {"max_lr": 0.5, "total_steps": 51})],
        [("OneCycleLR", {"max_lr": [0.5, 0.3], "epochs": 10, "steps_per_epoch": 6, "anneal_strategy": "linear"})],
        [("OneCycleLR", {"max_lr": 0.5, "total_steps": 50, "three_phase": True, "pct_start": 0.2, "div_factor": 10.0})],
        [("LinearLR", {"start_factor": 0.2, "total_iters": 10}), ("ExponentialLR", {"gamma": 0.9})],
        [("StepLR", {"step_size": 5}), ("MultiStepLR", {"milestones": [8], "gamma": 3.0}), ("LinearLR", {})],
    ]


def plateau_cases() -> list[dict[str, Any]]:
    """Options of ReduceLROnPlateau."""
    return [
        {"patience": 2},
        {"mode": "max", "patience": 1, "factor": 0.5, "cooldown": 2},
        {"patience": 1, "threshold": 0.1, "threshold_mode": "abs", "min_lr": 0.003, "factor": 0.5},
        {"mode": "max", "patience": 3, "threshold": 0.05, "threshold_mode": "abs", "min_lr": [0.01, 0.0001]},
        {"patience": 0, "threshold": 0.2, "eps": 1e-3, "factor": 0.7},
    ]


def metrics() -> np.ndarray:
    """A measure that improves, then does not."""
    t = np.arange(SCHEDULE_STEPS)
    return 1 / (1 + t) + 0.3 * np.sin(t / 3.0) + 1.0


CLIPS = [(norm_type, max_norm) for norm_type in (0.5, 1.0, 2.0, 3.0, float("inf")) for max_norm in (0.7, 1e6)]
