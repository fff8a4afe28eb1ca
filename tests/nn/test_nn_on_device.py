"""Modules and losses on a device that is not the host: same numbers, and no waiting in a training step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F  # noqa: N812


def model() -> nn.Module:
    mg.manual_seed(1)
    inner = nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 7)
    return nn.Sequential(nn.Embedding(7, 4, padding_idx=0), nn.LayerNorm(4), *inner)


def step(net: nn.Module, tokens: Any, target: Any) -> mg.Tensor:
    loss = F.cross_entropy(net(tokens), target, dim=-1)
    loss.backward()
    return loss


def test_a_training_step_without_waiting(cuda: Any) -> None:
    tokens = np.array([[1, 2, 0], [3, 6, 5]])
    target = np.array([[2, -100, 0], [6, 5, 1]])
    here = model()
    expected = step(here, mg.tensor(tokens), mg.tensor(target))
    there = model().cuda()
    assert {str(p.device) for p in there.parameters()} == {"cuda:0"}
    on_device = mg.tensor(tokens, device="cuda"), mg.tensor(target, device="cuda")
    with cuda.waits(0):
        loss = step(there, *on_device)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for p, q in zip(here.parameters(), there.parameters(), strict=True):
        np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=1e-4, atol=1e-6)
    there.load_state_dict(here.state_dict())
    assert str(there.cpu()[0].weight.device) == "cpu"  # type: ignore[index]
    assert str(there[0].weight.grad.device) == "cpu"  # type: ignore[index]


def test_a_target_that_is_no_class_gives_nan_where_looking_would_be_waiting(cuda: Any) -> None:
    x = mg.ones(2, 3, device="cuda")
    assert np.isnan(F.cross_entropy(x, mg.tensor([0, 3], device="cuda")).item())
    empty = F.cross_entropy(x, mg.tensor([-100, -100], device="cuda"))
    assert np.isnan(empty.item())


def test_batch_norm(cuda: Any) -> None:
    x = np.random.default_rng(0).standard_normal((4, 3)).astype("f4")
    here, there = nn.BatchNorm1d(3), nn.BatchNorm1d(3).cuda()
    y = here(mg.tensor(x))
    with cuda.waits(0):
        z = there(mg.tensor(x, device="cuda"))
    np.testing.assert_allclose(z.numpy(), y.numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(there.running_var.numpy(), here.running_var.numpy(), rtol=1e-5)


def test_other_losses(cuda: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0.1, 0.9, (2, 3, 4)).astype("f4")
    for loss in (
        F.mse_loss,
        F.l1_loss,
        F.huber_loss,
        F.binary_cross_entropy,
        F.binary_cross_entropy_with_logits,
        F.kl_div,
    ):
        there = mg.tensor(x, device="cuda", requires_grad=True)
        value = loss(there, mg.tensor(y, device="cuda"))
        value.backward()
        assert value.item() == pytest.approx(loss(mg.tensor(x), mg.tensor(y)).item(), rel=1e-5)


def test_made_on_the_default_device(cuda: Any) -> None:
    with mg.default_device("cuda"):
        layer = nn.Linear(3, 2)
    assert str(layer.weight.device) == "cuda:0"
    nn.init.orthogonal_(layer.weight)
