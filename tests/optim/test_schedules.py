"""Schedules: PyTorch's learning rates, exact products, and resuming."""

import json
from pathlib import Path

import numpy as np
import pytest
from optim_cases import BASE_LRS, SCHEDULE_STEPS, metrics, plateau_cases, schedule_cases

import minigrad as mg
from minigrad import optim
from minigrad.optim import OptimError

CASES = schedule_cases()
PLATEAUS = plateau_cases()
FIXTURES = np.load(Path(__file__).parent / "fixtures.npz")


def two_groups(kind=optim.SGD, **options):
    return kind([{"params": [mg.zeros(1, requires_grad=True)], "lr": lr} for lr in BASE_LRS], **options)


def make(case, optimizer):
    return [getattr(optim, name)(optimizer, **options) for name, options in case]


@pytest.mark.parametrize("wrong_order", [False, True])
@pytest.mark.parametrize("number", range(len(CASES)), ids=["+".join(name for name, _ in case) for case in CASES])
def test_equals_pytorch(number, wrong_order):
    optimizer = two_groups(momentum=0.5)
    schedules = make(CASES[number], optimizer)
    rows = []
    for _ in range(SCHEDULE_STEPS):
        rows.append([(g["lr"], g["momentum"]) for g in optimizer.param_groups])
        if not wrong_order:
            optimizer.step()
        for schedule in reversed(schedules):
            schedule.step()
        if wrong_order:
            optimizer.step()
    np.testing.assert_allclose(rows, FIXTURES[f"schedule{number}"], rtol=1e-12, atol=1e-16)
    assert schedules[0].get_last_lr() == [g["lr"] for g in optimizer.param_groups]


@pytest.mark.parametrize("number", range(len(PLATEAUS)))
def test_plateau_equals_pytorch(number):
    optimizer = two_groups()
    schedule = optim.ReduceLROnPlateau(optimizer, **PLATEAUS[number])
    rows = []
    for value in metrics():
        schedule.step(mg.tensor(value, dtype=mg.float64))
        rows.append(schedule.get_last_lr())
    expected = FIXTURES[f"plateau{number}"]
    np.testing.assert_allclose(rows, expected, rtol=1e-12)
    assert expected[0, 0] != expected[-1, 0]


@pytest.mark.parametrize("order", ["optimizer first", "schedules first"])
@pytest.mark.parametrize("case", CASES, ids=["+".join(name for name, _ in case) for case in CASES])
def test_resumes_exactly(case, order):
    whole = two_groups(optim.Adam)
    schedules = make(case, whole)
    for _ in range(17):
        for schedule in schedules:
            schedule.step()
    saved, saved_schedules = whole.state_dict(), json.loads(json.dumps([s.state_dict() for s in schedules]))

    other = two_groups(optim.Adam, lr=9.0)
    if order == "optimizer first":
        other.load_state_dict(saved)
    others = make(case, other)
    for schedule, state in zip(others, saved_schedules, strict=True):
        schedule.load_state_dict(state)
    if order == "schedules first":
        other.load_state_dict(saved)
    for _ in range(20):
        for g, h in zip(other.param_groups, whole.param_groups, strict=True):
            assert (g["lr"], g["betas"]) == (h["lr"], h["betas"])
        for schedule in schedules + others:
            schedule.step()


def test_plateau_resumes_exactly():
    whole = two_groups()
    schedule = optim.ReduceLROnPlateau(whole, patience=1)
    for value in metrics()[:30]:
        schedule.step(value)
    other = two_groups()
    again = optim.ReduceLROnPlateau(other)
    again.load_state_dict(json.loads(json.dumps(schedule.state_dict())))
    for value in metrics()[30:]:
        assert again.get_last_lr() == schedule.get_last_lr()
        schedule.step(value)
        again.step(value)


def test_plateau_multiplies_with_another_schedule():
    optimizer = two_groups()
    plateau, decay = optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=0), optim.ExponentialLR(optimizer, 0.5)
    for loss in (1.0, 1.0):
        plateau.step(loss)
        decay.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 0.5 * 0.25)


def test_last_epoch_continues():
    optimizer = two_groups()
    assert optim.ExponentialLR(optimizer, 0.5, last_epoch=1).get_last_lr() == [0.025, 0.005]


def test_the_product_does_not_drift():
    optimizer = two_groups()
    schedules = [optim.LambdaLR(optimizer, lambda t: 1.0 if t % 2 else 0.0), optim.ExponentialLR(optimizer, 0.999)]
    for _ in range(1001):
        for schedule in schedules:
            schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.1 * 0.999**1001


def test_groups_added_later_are_left_alone():
    optimizer = two_groups()
    schedule = optim.ExponentialLR(optimizer, 0.5)
    optimizer.add_param_group({"params": [mg.zeros(1, requires_grad=True)], "lr": 7.0})
    schedule.step()
    assert [g["lr"] for g in optimizer.param_groups] == [0.05, 0.01, 7.0]
    late = optim.ExponentialLR(optimizer, 0.1)
    late.step()
    np.testing.assert_allclose([g["lr"] for g in optimizer.param_groups], [0.005, 0.001, 0.7])


def test_the_cycle_ends():
    schedule = optim.OneCycleLR(two_groups(), 1.0, total_steps=3)
    for _ in range(3):
        schedule.step()
    with pytest.raises(OptimError, match="cycle of 3 steps is over"):
        schedule.step()


def test_a_cycle_without_a_rise_does_not_divide_by_zero():
    schedule = optim.OneCycleLR(two_groups(), 1.0, total_steps=10, pct_start=0.1)
    assert schedule.get_last_lr() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(
    ("misuse", "message"),
    [
        (lambda o: optim.StepLR(o, 0), "step_size"),
        (lambda o: optim.LinearLR(o, 0.0), "between 0 and 1"),
        (lambda o: optim.CosineAnnealingLR(o, 0), "T_max"),
        (lambda o: optim.OneCycleLR(o, 1.0), "total_steps"),
        (lambda o: optim.OneCycleLR(o, 1.0, 5, anneal_strategy="exp"), "anneal_strategy"),
        (lambda o: optim.OneCycleLR(o, [1.0], 5), "1 values for 2 groups"),
        (lambda o: optim.OneCycleLR(two_groups(optim.Adagrad), 1.0, 5), "Adagrad has no momentum"),
        (lambda o: optim.OneCycleLR(optim.SGD([mg.zeros(1, requires_grad=True)], lr=0), 1.0, 5), "must not be 0"),
        (lambda o: optim.ReduceLROnPlateau(o, factor=1.0), "factor must be below 1"),
        (lambda o: optim.ReduceLROnPlateau(o, mode="best"), "mode is"),
        (lambda o: optim.LambdaLR(o, [lambda t: 1.0]), "1 values for 2 groups"),
        (lambda o: optim.StepLR("opt", 3), "made for an optimiser, not for a str"),
        (lambda o: optim.StepLR(o, 3).load_state_dict(optim.ExponentialLR(o, 0.5).state_dict()), "'step_size'"),
        (
            lambda o: optim.StepLR(o, 3).load_state_dict(
                optim.StepLR(optim.SGD([mg.zeros(1, requires_grad=True)]), 3).state_dict()
            ),
            "saved for 1 groups, this schedule is for 2",
        ),
    ],
)
def test_misuse_is_explained(misuse, message):
    with pytest.raises(OptimError, match=message):
        misuse(two_groups())


def test_repr():
    assert repr(optim.StepLR(two_groups(), 3)) == "StepLR(step_size=3, gamma=0.1, last_epoch=0)"


def test_a_cycle_may_leave_the_momentum_alone():
    optimizer = two_groups(momentum=0.5)
    schedule = optim.OneCycleLR(optimizer, 1.0, total_steps=10, cycle_momentum=False)
    schedule.step()
    assert optimizer.param_groups[0]["momentum"] == 0.5
