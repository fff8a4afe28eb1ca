"""A step, clipping and saving on a device: the host's numbers, and nobody waits for anybody."""

import numpy as np
import pytest
from optim_cases import STEPS, gradients, starts

import minigrad as mg
from minigrad import optim

KINDS = [
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.Adagrad, {"lr_decay": 0.1, "maximize": True}),
    (optim.RMSprop, {"momentum": 0.5, "centered": True}),
    (optim.Adadelta, {"weight_decay": 0.1, "maximize": True}),
    (optim.Adam, {"amsgrad": True}),
    (optim.AdamW, {}),
]


def parameters(devices):
    placed = zip(starts(), devices, strict=True)
    return [mg.tensor(start, mg.float64, device, requires_grad=True) for start, device in placed]


def give(params, step):
    for p, g in zip(params, gradients()[step], strict=True):
        p.grad = mg.tensor(g, mg.float64, p.device)


def train(params, optimizer, schedule):
    optim.clip_grad_norm_(params[:2], 1.0)
    optim.clip_grad_value_(params, 2.0)
    optimizer.step()
    schedule.step()


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_a_step_waits_for_nothing(cuda, kind, options):
    host, device = parameters(["cpu"] * 4), parameters(["cuda"] * 4)
    there, here = kind(device, **options), kind(host, **options)
    schedules = optim.StepLR(there, 3), optim.StepLR(here, 3)
    for step in range(STEPS):
        give(host, step)
        train(host, here, schedules[1])
        give(device, step)
        with cuda.waits(0, uploads=0):
            train(device, there, schedules[0])
    for p, q in zip(host, device, strict=True):
        assert q.device == "cuda:0"
        np.testing.assert_allclose(q.numpy(), p.numpy(), rtol=1e-12)


def test_a_state_saved_on_the_host_continues_on_a_device(cuda):
    host = parameters(["cpu"] * 4)
    here = optim.Adam(host)
    give(host, 0)
    here.step()
    device = [mg.tensor(p.data, device="cuda", requires_grad=True) for p in host]
    there = optim.Adam(device)
    there.load_state_dict(here.state_dict())
    for params, optimizer in ((host, here), (device, there)):
        give(params, 1)
        optimizer.step()
    for p, q in zip(host, device, strict=True):
        np.testing.assert_allclose(q.numpy(), p.numpy(), rtol=1e-12)
    assert there.state_dict()["state"][1]["exp_avg"].device == "cuda:0"


def test_one_norm_over_host_and_device(cuda):
    host, mixed = parameters(["cpu"] * 4), parameters(["cpu", "cuda", "cpu", "cuda"])
    give(host, 0)
    give(mixed, 0)
    assert optim.clip_grad_norm_(mixed, 0.5).item() == pytest.approx(optim.clip_grad_norm_(host, 0.5).item(), rel=1e-12)
    for p, q in zip(host, mixed, strict=True):
        np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=1e-12)


def test_asking_whether_the_norm_is_finite_waits_once(cuda):
    params = parameters(["cuda"] * 4)
    give(params, 0)
    with cuda.waits(1):
        optim.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
