"""The CTC loss: PyTorch's numbers (see make_ctc_fixture.py), all alignments one by one, and its edges."""

from __future__ import annotations

from itertools import groupby, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.check import gradcheck
from minigrad.nn import functional as F  # noqa: N812

RNG = np.random.default_rng(0)
with np.load(Path(__file__).with_name("ctc.npz")) as _file:
    ARRAYS = dict(_file)
SHAPES = ARRAYS["shapes"].tolist()


def of_case(i: int) -> list[Any]:
    return [ARRAYS[f"{i}.{name}"] for name in ("scores", "targets", "input_lengths", "target_lengths")]


def in_a_row(targets: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([row[:length] for row, length in zip(targets, lengths, strict=True)])


def scores(*shape: int, dtype: Any = mg.float64) -> mg.Tensor:
    return mg.tensor(RNG.standard_normal(shape), dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("i", range(len(SHAPES)))
def test_values_and_gradients_are_pytorchs(i: int, reduction: str) -> None:
    x, targets, input_lengths, target_lengths = of_case(i)
    x = mg.tensor(x, requires_grad=True)
    lengths, blank = (input_lengths, target_lengths), SHAPES[i][-1]
    loss = F.ctc_loss(x.log_softmax(-1), targets, *lengths, blank, reduction, zero_infinity=True)
    np.testing.assert_allclose(loss.numpy(), ARRAYS[f"{i}.{reduction}.loss"], rtol=1e-10)
    loss.backward(mg.tensor(ARRAYS[f"{i}.{reduction}.cotangent"]))
    np.testing.assert_allclose(x.grad.numpy(), ARRAYS[f"{i}.{reduction}.gradient"], rtol=1e-9, atol=1e-12)
    loss = F.ctc_loss(x.log_softmax(-1), in_a_row(targets, target_lengths), *lengths, blank, reduction)
    np.testing.assert_allclose(loss.numpy(), ARRAYS[f"{i}.{reduction}.with_infinity"], rtol=1e-10)


@pytest.mark.parametrize("blank", [0, 2])
def test_the_loss_adds_up_all_alignments(blank: int) -> None:
    log_probs = scores(5, 1, 3).log_softmax(-1)
    p = np.exp(log_probs.numpy()[:, 0])
    total: dict[tuple[int, ...], float] = {}
    for alignment in product(range(3), repeat=5):
        labels = tuple(label for label, _ in groupby(alignment) if label != blank)
        total[labels] = total.get(labels, 0.0) + p[range(5), list(alignment)].prod()
    for labels, probability in total.items():
        loss = F.ctc_loss(log_probs, [labels], [5], [len(labels)], blank, "sum")
        assert loss.item() == pytest.approx(-np.log(probability))


def test_gradients_of_the_log_probabilities_themselves_to_second_order() -> None:
    """Of any numbers, not only of what a log_softmax gives."""
    for targets, sizes in (([[1, 1, 2], [2, 0, 0]], [3, 1]), ([[1, 2, 1], [0, 0, 0]], [3, 0])):
        x = scores(6, 2, 3)
        assert gradcheck(lambda x, t=targets, s=sizes: F.ctc_loss(x, t, [6, 4], s, reduction="sum"), x, order=2)
        assert gradcheck(lambda x, t=targets, s=sizes: F.ctc_loss(x.log_softmax(-1), t, [6, 4], s), x, order=2)


def test_the_third_derivative_exists() -> None:
    x = scores(4, 1, 3)
    assert gradcheck(
        lambda x: mg.grad(F.ctc_loss(x, [[1, 1]], [4], [2]), x, create_graph=True)[0].square().sum(), x, order=2
    )


def test_one_sequence_without_a_batch() -> None:
    x = scores(6, 3)
    for reduction in ("none", "mean", "sum"):
        alone = F.ctc_loss(x, [1, 2], 6, 2, reduction=reduction)
        batch = F.ctc_loss(x.unsqueeze(1), [[1, 2]], [6], [2], reduction=reduction)
        assert alone.shape == ()
        assert alone.item() == pytest.approx(batch.sum().item())


def test_a_repeated_label_needs_a_step_more() -> None:
    x = scores(2, 2, 3)
    losses = F.ctc_loss(x, [[1, 2], [1, 1]], [2, 2], [2, 2], reduction="none")
    assert np.isfinite(losses.tolist()[0])
    assert losses.tolist()[1] == np.inf
    assert np.isfinite(F.ctc_loss(scores(3, 1, 3), [[1, 1]], [3], [2]).item())


def test_too_few_steps_cost_infinity_without_a_gradient() -> None:
    x = scores(4, 2, 3)
    losses = F.ctc_loss(x, [[1, 2, 1], [1, 2, 1]], [2, 4], [3, 3], reduction="none")
    assert losses.tolist()[0] == np.inf
    losses.backward(mg.ones(2, dtype=mg.float64))
    assert not x.grad.numpy()[:, 0].any()
    assert x.grad.numpy()[:, 1].any()
    assert F.ctc_loss(x, [[1, 2, 1]] * 2, [2, 2], [3, 3], zero_infinity=True).item() == 0


def test_no_labels_and_no_steps() -> None:
    x = scores(3, 2, 4)
    log_probs = x.log_softmax(-1)
    empty = F.ctc_loss(log_probs, np.zeros((2, 0)), [3, 1], [0, 0], reduction="none")
    blanks = log_probs.numpy()[:, :, 0]
    np.testing.assert_allclose(empty.numpy(), [-blanks[:, 0].sum(), -blanks[0, 1]])
    assert F.ctc_loss(log_probs, [], [3, 1], [0, 0], reduction="sum").item() == pytest.approx(empty.sum().item())
    assert F.ctc_loss(log_probs, [1], [0, 0], [0, 1], reduction="none").tolist() == [0, np.inf]
    assert F.ctc_loss(mg.zeros(0, 1, 2), [[1]], [0], [0]).item() == 0
    assert F.ctc_loss(mg.zeros(3, 0, 2), np.zeros((0, 1), int), [], [], reduction="sum").item() == 0


def test_what_lies_beyond_the_lengths_may_be_anything() -> None:
    x = RNG.standard_normal((5, 2, 3))
    y = x.copy()
    y[3:, 0] = np.nan
    gradients = []
    for values, padding in ((x, 1), (y, -7)):
        leaf = mg.tensor(values, requires_grad=True)
        loss = F.ctc_loss(leaf, [[2, padding], [1, 2]], [3, 5], [1, 2])
        loss.backward()
        gradients.append((loss.item(), *leaf.grad.numpy().ravel()))
    assert gradients[0] == gradients[1]


def test_labels_that_are_ruled_out_and_labels_that_are_certain() -> None:
    x = mg.tensor([[[0.0, -np.inf, -np.inf]], [[-np.inf, 0.0, -np.inf]], [[-800.0, -np.inf, 0.0]]], requires_grad=True)
    certain = F.ctc_loss(x, [[1, 2]], [3], [2])
    certain.backward()
    assert certain.item() == 0
    assert np.isfinite(x.grad.numpy()).all()
    assert F.ctc_loss(x, [[2, 1]], [3], [2]).item() == np.inf


def test_a_long_row_in_float32() -> None:
    x = RNG.standard_normal((800, 1, 20)) * 3
    targets = RNG.integers(1, 20, (1, 200))
    results = []
    for dtype in (mg.float64, mg.float32):
        leaf = mg.tensor(x, dtype=dtype, requires_grad=True)
        loss = F.ctc_loss(leaf.log_softmax(-1), targets, [800], [200])
        loss.backward()
        assert loss.dtype == leaf.grad.dtype == dtype
        results.append((loss.item(), leaf.grad.numpy()))
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-5)
    np.testing.assert_allclose(results[1][1], results[0][1], atol=1e-4)
    assert F.ctc_loss(mg.zeros(4, 1, 2, dtype=mg.float16), [[1]], [4], [1]).dtype == mg.float16


def test_nan_in_what_counts_shows() -> None:
    x = RNG.standard_normal((3, 1, 3))
    x[1] = np.nan
    assert np.isnan(F.ctc_loss(mg.tensor(x), [[1]], [3], [1]).item())


def test_as_a_module() -> None:
    x = scores(4, 2, 3)
    loss = nn.CTCLoss(blank=2, reduction="sum", zero_infinity=True)
    given = [[0, 1], [1, 1]], mg.tensor([4, 3]), mg.tensor([2, 2])
    assert loss(x, *given).item() == F.ctc_loss(x, *given, 2, "sum", True).item()
    assert str(loss) == "CTCLoss(reduction='sum', blank=2, zero_infinity=True)"


def test_refusals() -> None:
    x = scores(4, 2, 3)
    for call, error, message in (
        (lambda: F.ctc_loss(x[0, 0], [1], [1], [1]), mg.ShapeError, r"\(T, N, C\) or \(T, C\), not \(3,\)"),
        (lambda: F.ctc_loss(x, [[1], [3]], [4, 4], [1, 1]), mg.ShapeError, "target 3 is not a label: they are 0 to 2"),
        (lambda: F.ctc_loss(x, [[1], [0]], [4, 4], [1, 1]), mg.ShapeError, "target 0 .* without the blank, 0"),
        (lambda: F.ctc_loss(x, [[1], [1]], [4, 5], [1, 1]), mg.ShapeError, r"input_lengths \[4, 5\].*between 0 and 4"),
        (lambda: F.ctc_loss(x, [[1], [1]], [4, -1], [1, 1]), mg.ShapeError, "input_lengths"),
        (lambda: F.ctc_loss(x, [[1], [1]], [4], [1, 1]), mg.ShapeError, "has 1 lengths, for a batch of 2 rows"),
        (lambda: F.ctc_loss(x, [[1], [1]], [4, 4], [1, 2]), mg.ShapeError, r"go up to 2, but targets are \(2, 1\)"),
        (lambda: F.ctc_loss(x, [1, 1, 2], [4, 4], [1, 1]), mg.ShapeError, r"3 targets one behind the other.*\[1, 1\]"),
        (lambda: F.ctc_loss(x, [[1]], [4, 4], [1, 1]), mg.ShapeError, r"\(N, S\) with N=2"),
        (lambda: F.ctc_loss(x, [[1], [1]], [4, 4], [1, 1], blank=3), mg.ShapeError, "blank=3 is none of the 3 labels"),
        (lambda: F.ctc_loss(x, [[1.0], [1.0]], [4, 4], [1, 1]), mg.DtypeError, "targets are integers, not float64"),
        (lambda: F.ctc_loss(x, [[1], [1]], [4.0, 4.0], [1, 1]), mg.DtypeError, "input_lengths are integers"),
        (lambda: F.ctc_loss(x, [[1], [1]], [4, 4], [1, 1], reduction="avg"), mg.MinigradError, "not 'avg'"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_on_a_device_without_waiting(cuda: Any) -> None:
    x, targets = RNG.standard_normal((6, 2, 4)).astype("f4"), np.array([[1, 1, 3], [2, 0, 0]])
    results = []
    for device in ("cpu", "cuda"):
        leaf = mg.tensor(x, device=device, requires_grad=True)
        given = [mg.tensor(a, device=device) for a in (targets, [6, 5], [3, 1])]
        with cuda.waits(0):
            loss = F.ctc_loss(leaf.log_softmax(-1), *given)
            (first,) = mg.grad(loss, leaf, create_graph=True)
            first.square().sum().backward()
        results.append((loss.numpy(), first.detach().numpy(), leaf.grad.numpy()))
        behind = F.ctc_loss(leaf.log_softmax(-1), mg.tensor([1, 1, 3, 2], device=device), *given[1:])
        assert behind.item() == pytest.approx(loss.item())
    for here, there in zip(*results, strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-6)
    with cuda.waits(0):
        F.ctc_loss(leaf, targets, [6, 5], [3, 1], reduction="none")
