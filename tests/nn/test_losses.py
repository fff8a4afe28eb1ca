"""Losses: what the comparison with PyTorch does not say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.check import gradcheck
from minigrad.nn import functional as F  # noqa: N812

RNG = np.random.default_rng(0)


def scores(*shape: int, dtype: Any = mg.float32) -> mg.Tensor:
    return mg.tensor(RNG.standard_normal(shape), dtype=dtype, requires_grad=True)


# ---- classes


def test_any_leading_dimensions_with_classes_last() -> None:
    x, t = RNG.standard_normal((4, 2, 3, 5)), RNG.integers(0, 5, (4, 2, 3))
    last = F.cross_entropy(mg.tensor(x), mg.tensor(t), dim=-1)
    flat = F.cross_entropy(mg.tensor(x.reshape(-1, 5)), mg.tensor(t.reshape(-1)))
    second = F.cross_entropy(mg.tensor(np.moveaxis(x, -1, 1)), mg.tensor(t))
    assert last.item() == pytest.approx(flat.item())
    assert second.item() == pytest.approx(flat.item())
    none = F.cross_entropy(mg.tensor(x), mg.tensor(t), dim=-1, reduction="none", label_smoothing=0.1)
    assert none.shape == (4, 2, 3)


def test_second_order() -> None:
    x, t = scores(3, 4, dtype=mg.float64), mg.tensor([0, -100, 3])
    assert gradcheck(lambda x: F.cross_entropy(x, t, label_smoothing=0.1), x, order=2)
    assert gradcheck(lambda x: F.cross_entropy(x, t, weight=mg.tensor([1.0, 2.0, 3.0, 4.0])), x, order=2)


def test_targets_may_be_arrays_or_lists_and_float32_stays() -> None:
    x = scores(2, 3)
    losses = [F.cross_entropy(x, t) for t in (mg.tensor([0, 2]), np.array([0, 2], np.int32), [0, 2])]
    assert {loss.dtype for loss in losses} == {mg.float32}
    assert len({loss.item() for loss in losses}) == 1
    losses[0].backward()
    assert x.grad.dtype == mg.float32


def test_what_is_ignored_may_be_anything() -> None:
    x = mg.tensor([[1.0, 2.0], [-np.inf, 0.0], [np.nan, np.nan]], requires_grad=True)
    loss = F.cross_entropy(x, mg.tensor([0, -100, -100]))
    assert loss.item() == pytest.approx(np.log1p(np.e), rel=1e-6)


def test_nothing_that_counts_is_nan_with_zero_gradient() -> None:
    for x, t in ((scores(2, 3), [-100, -100]), (scores(0, 3), np.zeros(0, int))):
        loss = F.cross_entropy(x, t)
        assert np.isnan(loss.item())
        loss.backward()
        assert not x.grad.numpy().any()
    assert F.cross_entropy(scores(2, 3), [-100, -100], reduction="sum").item() == 0


@pytest.mark.parametrize("target", [3, -1])
def test_a_target_that_is_no_class(target: int) -> None:
    with pytest.raises(mg.ShapeError, match=rf"target {target} is not a class: there are 3 classes, 0 to 2"):
        F.cross_entropy(scores(2, 3), mg.tensor([0, target]))


def test_refusals() -> None:
    with pytest.raises(mg.ShapeError, match=r"needs targets of \(4, 5\), not \(4, 3\)\n  hint: .*dim=-1"):
        F.cross_entropy(scores(4, 3, 5), np.zeros((4, 3), int))
    with pytest.raises(mg.ShapeError, match="needs targets of"):
        F.cross_entropy(scores(4, 3), np.zeros(3, int))
    with pytest.raises(mg.DtypeError, match="class numbers are integers"):
        F.cross_entropy(scores(4, 3), mg.ones(4))
    with pytest.raises(mg.ShapeError, match="one factor for each of 3 classes"):
        F.cross_entropy(scores(4, 3), np.zeros(4, int), weight=mg.ones(2))
    with pytest.raises(mg.ShapeError, match="dim=2 is not a dimension"):
        F.cross_entropy(scores(4, 3), np.zeros(4, int), dim=2)
    with pytest.raises(mg.ShapeError, match="single number"):
        F.cross_entropy(mg.tensor(1.0), 0)
    with pytest.raises(mg.MinigradError, match='"mean", "sum" or "none", not \'avg\''):
        F.cross_entropy(scores(4, 3), np.zeros(4, int), reduction="avg")


# ---- numbers and probabilities


@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss, F.kl_div])
def test_nothing_is_broadcast(loss: Any) -> None:
    with pytest.raises(mg.ShapeError, match=r"the input is \(4, 1\) and the target \(4,\)"):
        loss(scores(4, 1), mg.ones(4))


def test_targets_may_be_plain_numbers() -> None:
    assert F.mse_loss(mg.tensor([1.0, 2.0]), [0, 0]).item() == 2.5
    assert F.binary_cross_entropy(mg.tensor([0.5]), [True]).item() == pytest.approx(np.log(2))


def test_bad_settings() -> None:
    for call, message in (
        (lambda: F.huber_loss(scores(2), mg.ones(2), delta=0), "delta must be positive"),
        (lambda: F.smooth_l1_loss(scores(2), mg.ones(2), beta=-1), "beta must not be negative"),
        (lambda: F.mse_loss(scores(2), mg.ones(2), reduction="total"), "not 'total'"),
        (lambda: nn.MSELoss("total"), "not 'total'"),
    ):
        with pytest.raises(mg.MinigradError, match=message):
            call()


def test_certain_and_wrong_costs_a_hundred_in_float32() -> None:
    x = mg.tensor([0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(x, mg.tensor([1.0, 0.0]))
    assert loss.item() == pytest.approx(100)
    loss.backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_half_precision() -> None:
    x = mg.tensor([0.25, 0.0, 1.0], dtype=mg.float16, requires_grad=True)
    loss = F.binary_cross_entropy(x, mg.tensor([1.0, 0.0, 1.0], dtype=mg.float16), reduction="sum")
    assert loss.dtype == mg.float16
    assert loss.item() == pytest.approx(np.log(4), rel=1e-3)


# ---- modules


@pytest.mark.parametrize(
    ("module", "function", "kwargs"),
    [
        (nn.MSELoss("sum"), F.mse_loss, {"reduction": "sum"}),
        (nn.L1Loss("none"), F.l1_loss, {"reduction": "none"}),
        (nn.SmoothL1Loss(beta=0.5), F.smooth_l1_loss, {"beta": 0.5}),
        (nn.HuberLoss(delta=0.5), F.huber_loss, {"delta": 0.5}),
        (nn.BCELoss(mg.tensor([1.0, 2.0])), F.binary_cross_entropy, {"weight": mg.tensor([1.0, 2.0])}),
        (
            nn.BCEWithLogitsLoss(pos_weight=mg.tensor([1.0, 2.0])),
            F.binary_cross_entropy_with_logits,
            {"pos_weight": mg.tensor([1.0, 2.0])},
        ),
        (nn.KLDivLoss("batchmean", log_target=True), F.kl_div, {"reduction": "batchmean", "log_target": True}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_modules_do_what_the_functions_do(module: nn.Module, function: Any, kwargs: dict[str, Any]) -> None:
    x, y = mg.tensor(RNG.uniform(0.1, 0.9, (3, 2)), mg.float32), mg.tensor(RNG.uniform(0.1, 0.9, (3, 2)), mg.float32)
    np.testing.assert_array_equal(module(x, y).numpy(), function(x, y, **kwargs).numpy())


def test_classification_modules() -> None:
    weight = mg.tensor([1.0, 2.0, 3.0])
    x, t = scores(4, 3), mg.tensor([0, 1, 2, 1])
    module = nn.CrossEntropyLoss(weight, ignore_index=1, label_smoothing=0.1, reduction="sum")
    assert module(x, t).item() == F.cross_entropy(x, t, weight, 1, 0.1, "sum").item()
    assert nn.CrossEntropyLoss(dim=-1)(scores(2, 3, 4), np.zeros((2, 3), int)).shape == ()
    logs = x.log_softmax(1)
    assert nn.NLLLoss(weight)(logs, t).item() == F.nll_loss(logs, t, weight).item()
    assert dict(module.double().named_buffers())["weight"].dtype == mg.float64


def test_cross_entropy_is_as_exact_as_its_logarithms() -> None:
    """Large scores, scores of minus infinity and any dim: the same as choosing from log_softmax."""
    rng = np.random.default_rng(0)
    scores, target = rng.standard_normal((5, 7, 3)) * 3, rng.integers(0, 7, (5, 3))
    scores[0, 0], scores[1], scores[2, 3, 1] = 1e4, scores[1] + 1e6, -np.inf
    target[0, 0], target[2, 1], target[3] = 2, 0, -100
    weight = rng.uniform(0.5, 2.0, 7)
    for dtype, tolerance in ((mg.float32, 1e-6), (mg.float64, 1e-13)):
        for dim, order in ((1, (0, 1, 2)), (-1, (0, 2, 1)), (0, (1, 0, 2))):
            x = mg.tensor(scores.transpose(order), dtype=dtype, requires_grad=True)
            y = mg.tensor(scores.transpose(order), dtype=dtype, requires_grad=True)
            one = nn.functional.cross_entropy(x, target, weight=weight, dim=dim)
            two = nn.functional.nll_loss(y.log_softmax(dim), target, weight=weight, dim=dim)
            one.backward()
            two.backward()
            assert one.dtype == x.grad.dtype == dtype
            np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=tolerance)
            np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=0, atol=tolerance)


def test_cross_entropy_of_whole_numbers_and_of_nothing() -> None:
    assert nn.functional.cross_entropy(mg.tensor([[0, 0]]), [1]).dtype == mg.float32
    x = mg.zeros(0, 3, requires_grad=True)
    loss = nn.functional.cross_entropy(x, mg.zeros(0, dtype=mg.int64), reduction="sum")
    loss.backward()
    assert loss.item() == 0
    assert x.grad.shape == (0, 3)
