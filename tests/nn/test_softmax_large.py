"""Softmax over very many classes: in chunks and adaptive, PyTorch's numbers (see make_softmax_fixture.py) and edges."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.check import gradcheck
from minigrad.nn import functional as F  # noqa: N812

RNG = np.random.default_rng(0)
with np.load(Path(__file__).with_name("softmax.npz")) as _file:
    ARRAYS = dict(_file)
ADAPTIVE: list[dict[str, Any]] = [
    {"cutoffs": [4], "div_value": 2.0, "head_bias": False},
    {"cutoffs": [2, 5, 9], "div_value": 2.0, "head_bias": True},
    {"cutoffs": [5, 6], "div_value": 1.5, "head_bias": False},
]


def normal(*shape: int, dtype: Any = mg.float64) -> mg.Tensor:
    return mg.tensor(RNG.standard_normal(shape), dtype=dtype, requires_grad=True)


def group(start: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(start): array for name, array in ARRAYS.items() if name.startswith(start)}


def close(x: mg.Tensor, expected: np.ndarray, **options: Any) -> None:
    np.testing.assert_allclose(x.numpy(), expected, rtol=1e-9, atol=1e-12, **options)


# ---- in chunks


@pytest.mark.parametrize("chunk_size", [1, 3, 100])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_linear_cross_entropy_is_pytorchs(reduction: str, chunk_size: int) -> None:
    case = group(f"{reduction}.")
    x, weight, bias = (mg.tensor(case[name], requires_grad=True) for name in ("input", "weight", "bias"))
    loss = F.linear_cross_entropy(x, weight, case["target"], bias, reduction=reduction, chunk_size=chunk_size)
    close(loss, case["loss"])
    loss.backward(mg.tensor(case["cotangent"]))
    for name, leaf in (("input", x), ("weight", weight), ("bias", bias)):
        close(leaf.grad, case[f"{name}.gradient"])


def separately(x: Any, weight: Any, target: Any, bias: Any, **options: Any) -> mg.Tensor:
    return F.cross_entropy(F.linear(x, weight, bias), target, dim=-1, **options)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(), (5,), (0,), (4, 3)])
def test_the_same_as_a_linear_map_and_cross_entropy(shape: tuple[int, ...], reduction: str) -> None:
    x, weight, target = normal(*shape, 3), normal(6, 3), RNG.integers(0, 6, shape)
    if shape:
        target[..., 2:3] = 4
    options = {"ignore_index": 4 if shape else -1, "reduction": reduction}
    losses = [f(x, weight, target, None, **options) for f in (F.linear_cross_entropy, separately)]
    assert losses[0].shape == losses[1].shape
    close(losses[0], losses[1].numpy())
    for g, h in zip(*(mg.grad(loss, (x, weight), mg.ones_like(loss)) for loss in losses), strict=True):
        close(g, h.numpy())


def test_gradients_to_any_order() -> None:
    x, weight, bias, target = normal(5, 3), normal(4, 3), normal(4), [0, 3, -100, 1, 1]
    for reduction in ("mean", "none"):

        def loss(x: Any, w: Any, b: Any, reduction: str = reduction) -> mg.Tensor:
            return F.linear_cross_entropy(x, w, target, b, reduction=reduction, chunk_size=2)

        assert gradcheck(loss, x, weight, bias, order=2)

    def slope(x: Any) -> mg.Tensor:
        loss = F.linear_cross_entropy(x, weight, target, chunk_size=2, reduction="sum")
        return mg.grad(loss, weight, create_graph=True)[0].square().sum()

    assert gradcheck(slope, x, order=2)


def test_only_what_needs_a_gradient_gets_one_and_twice_is_twice() -> None:
    x, weight, bias = normal(5, 3), normal(4, 3), normal(4)
    weight.requires_grad = False
    loss = F.linear_cross_entropy(x, weight, [0, 1, 2, 3, 0], bias)
    (2 * loss).backward(retain_graph=True)
    first = x.grad.numpy().copy()
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy(), 1.5 * first)
    assert weight.grad is None
    assert bias.grad is not None
    with mg.no_grad():
        assert F.linear_cross_entropy(x, weight, [0, 1, 2, 3, 0], bias).item() == loss.item()


def test_a_tied_weight_gets_both_gradients() -> None:
    """The rows that are looked up are those of the softmax, as in a language model with tied embeddings."""
    weight, words = normal(6, 3), mg.tensor([1, 4, 1])
    losses = [f(F.embedding(words, weight), weight, [0, 1, 5], None) for f in (F.linear_cross_entropy, separately)]
    gradients = [mg.grad(loss, weight)[0].numpy() for loss in losses]
    np.testing.assert_allclose(*gradients)


def test_what_is_ignored_may_be_anything_and_nothing_at_all_is_nan() -> None:
    x = np.array([[1.0, 2.0], [np.nan, np.inf]])
    weight = normal(3, 2)
    for reduction in ("mean", "sum", "none"):
        leaf = mg.tensor(x, requires_grad=True)
        loss = F.linear_cross_entropy(leaf, weight, [2, -100], reduction=reduction)
        mg.grad(loss, weight, mg.ones_like(loss), retain_graph=True)
        loss.backward(mg.ones_like(loss))
        assert np.isfinite(leaf.grad.numpy()).all()
    empty = F.linear_cross_entropy(leaf, weight, [-100, -100])
    assert np.isnan(empty.item())
    assert not mg.grad(empty, weight)[0].numpy().any()
    assert F.linear_cross_entropy(leaf, weight, [-100, -100], reduction="none").tolist() == [0, 0]


def test_scores_of_any_size_in_float32() -> None:
    x = mg.tensor([[1e4], [-1e4]], requires_grad=True)
    weight = mg.tensor([[1.0], [2.0], [-3.0]], requires_grad=True)
    loss = F.linear_cross_entropy(x, weight, [1, 0])
    assert loss.dtype == mg.float32
    assert loss.item() == pytest.approx(2e4)
    loss.backward()
    assert x.grad.tolist() == [[0], [-2]]


def test_more_classes_than_a_block_of_the_weights_gradient() -> None:
    x, weight, target = normal(7, 2), normal(5000, 2), RNG.integers(0, 5000, 7)
    losses = [f(x, weight, target, None) for f in (F.linear_cross_entropy, separately)]
    for g, h in zip(*(mg.grad(loss, (x, weight)) for loss in losses), strict=True):
        close(g, h.numpy())


def peak(function: Any) -> int:
    tracemalloc.start()
    function()
    result = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result


def test_the_scores_of_all_rows_are_never_there_at_once() -> None:
    """600 rows of 3,000 classes are 7.2 MB of scores."""
    x, weight, target = normal(600, 4, dtype=mg.float32), normal(3000, 4, dtype=mg.float32), RNG.integers(0, 3000, 600)
    for reduction in ("mean", "none"):

        def step(loss: Any, reduction: str = reduction, **options: Any) -> None:
            mg.grad(loss(x, weight, target, None, reduction=reduction, **options).sum(), (x, weight))

        assert peak(lambda step=step: step(F.linear_cross_entropy, chunk_size=32)) < 2.4e6
    assert peak(lambda: step(separately)) > 7.2e6


def test_refusals_of_the_chunked_loss() -> None:
    x, weight = normal(2, 3), normal(4, 3)
    for call, error, message in (
        (lambda: F.linear_cross_entropy(x, weight, [0, 4]), mg.ShapeError, "target 4 is not a class: there are 4"),
        (lambda: F.linear_cross_entropy(x, weight, [0]), mg.ShapeError, r"needs targets of \(2,\), not \(1,\)"),
        (lambda: F.linear_cross_entropy(x, weight, [0.0, 1.0]), mg.DtypeError, "class numbers are integers"),
        (lambda: F.linear_cross_entropy(x, weight, [0, 1], chunk_size=0), mg.ShapeError, "chunk_size=0"),
        (lambda: F.linear_cross_entropy(x, weight, [0, 1], reduction="avg"), mg.MinigradError, "not 'avg'"),
        (lambda: F.linear_cross_entropy(x, normal(4, 2), [0, 1]), mg.ShapeError, "linear_cross_entropy"),
    ):
        with pytest.raises(error, match=message):
            call()


# ---- adaptive


@pytest.mark.parametrize("number", range(len(ADAPTIVE)))
def test_adaptive_softmax_is_pytorchs(number: int) -> None:
    case = group(f"{number}.")
    layer = nn.AdaptiveLogSoftmaxWithLoss(8, 13, **ADAPTIVE[number], dtype=mg.float64)
    layer.load_state_dict({name: mg.tensor(x) for name, x in group(f"{number}.state.").items()})
    x = mg.tensor(case["input"], requires_grad=True)
    output, loss = layer(x, case["target"])
    close(output, case["output"])
    close(loss, case["loss"])
    ((output * mg.tensor(case["cotangent"])).sum() + loss).backward()
    close(x.grad, case["gradient"])
    for name, parameter in layer.named_parameters():
        close(parameter.grad, case[f"weight.{name}"], err_msg=name)
    close(layer.log_prob(x), case["log_prob"])
    assert layer.predict(x).tolist() == case["predicted"].tolist()


def test_adaptive_probabilities_add_up_and_any_dimensions_go_in_front() -> None:
    layer = nn.AdaptiveLogSoftmaxWithLoss(6, 20, [3, 8], div_value=2.0, dtype=mg.float64)
    x, target = normal(4, 2, 6), RNG.integers(0, 20, (4, 2))
    log_prob = layer.log_prob(x)
    close(log_prob.exp().sum(-1), np.ones((4, 2)))
    output, loss = layer(x, mg.tensor(target))
    close(output, np.take_along_axis(log_prob.numpy(), target[..., None], -1)[..., 0])
    assert loss.item() == pytest.approx(-output.numpy().mean())
    assert layer.predict(x).tolist() == log_prob.numpy().argmax(-1).tolist()
    alone, _ = layer(x[0, 0], int(target[0, 0]))
    assert alone.item() == pytest.approx(output[0, 0].item())


def test_adaptive_gradients_to_second_order() -> None:
    layer = nn.AdaptiveLogSoftmaxWithLoss(4, 9, [2, 5], div_value=2.0, head_bias=True, dtype=mg.float64)
    assert gradcheck(lambda x: layer(x, [0, 3, 8, 1])[0], normal(4, 4), order=2)


def test_a_cluster_without_rows_gets_a_zero_gradient_and_frequent_words_cost_the_head_alone() -> None:
    layer = nn.AdaptiveLogSoftmaxWithLoss(4, 9, [2, 5], div_value=2.0)
    layer(mg.ones(3, 4), [0, 1, 0]).loss.backward()
    for parameter in layer.tail.parameters():
        assert parameter.grad is None or not parameter.grad.numpy().any()
    assert layer.head.weight.grad.numpy().any()


def test_adaptive_names_first_weights_and_settings() -> None:
    layer = nn.AdaptiveLogSoftmaxWithLoss(16, 50, [10, 30], head_bias=True)
    assert {name: tuple(p.shape) for name, p in layer.named_parameters()} == {
        "head.weight": (12, 16), "head.bias": (12,), "tail.0.0.weight": (4, 16), "tail.0.1.weight": (20, 4),
        "tail.1.0.weight": (1, 16), "tail.1.1.weight": (20, 1),
    }  # fmt: skip
    before = layer.tail[1][1].weight.tolist()
    layer.reset_parameters()
    assert layer.tail[1][1].weight.tolist() != before
    assert "16, 50, cutoffs=[10, 30], div_value=4.0" in str(layer)


def test_refusals_of_the_adaptive_softmax() -> None:
    layer = nn.AdaptiveLogSoftmaxWithLoss(4, 9, [2, 5])
    x = mg.ones(2, 4)
    for cutoffs in ([], [5, 2], [2, 2], [0, 3], [3, 9]):
        with pytest.raises(mg.ShapeError, match="cutoffs rise, each between 1 and n_classes - 1 = 8"):
            nn.AdaptiveLogSoftmaxWithLoss(4, 9, cutoffs)
    for call, message in (
        (lambda: layer(x, [0, 9]), "target 9 is not a class: there are 9"),
        (lambda: layer(x, [0]), r"\(2, 4\) needs targets of \(2,\)"),
        (lambda: layer(mg.ones(2, 3), [0, 1]), r"the input is \(\*, 4\), not \(2, 3\)"),
        (lambda: layer.log_prob(mg.tensor(1.0)), r"the input is \(\*, 4\)"),
    ):
        with pytest.raises(mg.ShapeError, match=message):
            call()


# ---- on a device


def test_on_a_device_without_waiting(cuda: Any) -> None:
    arrays = [RNG.standard_normal(shape).astype("f4") for shape in ((5, 3), (4, 3), (4,))]
    target = np.array([0, 3, -100, 1, 2])
    for reduction in ("mean", "sum", "none"):
        results = []
        for device in ("cpu", "cuda"):
            x, weight, bias = (mg.tensor(a, device=device, requires_grad=True) for a in arrays)
            classes = mg.tensor(target, device=device)
            with cuda.waits(0):
                loss = F.linear_cross_entropy(x, weight, classes, bias, reduction=reduction, chunk_size=2)
                grads = mg.grad(loss, (x, weight, bias), mg.ones_like(loss), create_graph=True)
                first = [loss, *mg.grad(loss, (x, weight, bias), mg.ones_like(loss))]
            results.append([y.detach().numpy() for y in (*first, *grads)])
        for here, there in zip(*results, strict=True):
            np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-5)
    wrong = F.linear_cross_entropy(x, weight, mg.tensor([0, 9, 1, 1, 1], device="cuda"))
    assert np.isnan(wrong.item())
    nothing = F.linear_cross_entropy(x, weight, mg.tensor([-100] * 5, device="cuda"))
    assert np.isnan(nothing.item())


def test_adaptive_softmax_on_a_device(cuda: Any) -> None:
    here = nn.AdaptiveLogSoftmaxWithLoss(4, 9, [2, 5], div_value=2.0)
    there = nn.AdaptiveLogSoftmaxWithLoss(4, 9, [2, 5], div_value=2.0, device="cuda")
    there.load_state_dict(here.state_dict())
    x, target = RNG.standard_normal((5, 4)).astype("f4"), np.array([0, 3, 8, 1, 6])
    losses = []
    for layer, device in ((here, "cpu"), (there, "cuda")):
        losses.append(layer(mg.tensor(x, device=device), mg.tensor(target, device=device)).loss)
        losses[-1].backward()
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=1e-5)
    for p, q in zip(here.parameters(), there.parameters(), strict=True):
        np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=1e-4, atol=1e-6)
    assert there.predict(mg.tensor(x, device="cuda")).tolist() == here.predict(mg.tensor(x)).tolist()
