"""Kernels of a GPU's: the same numbers as NumPy's path, in one product and one launch for each step."""

from __future__ import annotations

import re

import numpy as np
import pytest
from standin.arrays import traffic

import minigrad as mg
from minigrad_rnn import GRU, LSTM, RNN
from minigrad_rnn.kernels import gru_sequence, lstm_sequence, rnn_sequence
from minigrad_rnn.kernels.device import KERNELS, VARIANTS, kernel

PLAIN = [
    (LSTM, {}),
    (LSTM, {"bias": False}),
    (GRU, {}),
    (GRU, {"bias": False}),
    (GRU, {"update_gate": "new"}),
    (GRU, {"reset_after": False}),
    (GRU, {"reset_after": False, "update_gate": "new"}),
    (RNN, {}),
    (RNN, {"nonlinearity": "relu"}),
]
PRODUCTS = {(GRU, False): 2}  # for each step, where it is not one
LENGTHS = [None, [5, 2, 0], [5, 5, 5]]
plain = pytest.mark.parametrize(("kind", "options"), PLAIN)


def step(device, layer, x, **given):
    """Everything that a step of training computes, and what it counted forward and backward."""
    layer, x = layer.to(device), mg.tensor(x, device=device, requires_grad=True)
    with traffic.counted() as forward:
        output, state = layer(x, **given)
    parts = [output, *(state if isinstance(state, tuple) else (state,))]
    loss = sum((part.square() * (k + 1)).sum() for k, part in enumerate(parts))
    with traffic.counted() as backward:
        gradients = mg.grad(loss, [x, *layer.parameters()])
    return [*parts, *gradients], forward, backward


def pair(kind, options, dtype=mg.float64, steps=5, size=3, **given):
    """The same step on both devices."""
    mg.manual_seed(0)
    layer = kind(2, 4, dtype=dtype, **options)
    x = np.random.default_rng(0).normal(size=(steps, size, 2)).astype(dtype)
    return [step(device, layer, x, **given)[0] for device in ("cpu", "cuda")]


def assert_equal(results, tolerance=1e-12):
    for host, device in zip(*results, strict=True):
        assert device.device == "cuda:0"
        np.testing.assert_allclose(device.numpy(), host.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("lengths", LENGTHS)
@plain
def test_a_kernel_computes_what_numpy_does(cuda, kind, options, lengths):
    assert_equal(pair(kind, {**options, "bidirectional": True, "num_layers": 2}, lengths=lengths))


@pytest.mark.parametrize("most", [1, 40])
@plain
def test_ranges_of_steps_join(cuda, kind, options, most, monkeypatch):
    monkeypatch.setattr("minigrad_rnn.kernels.batch.DEVICE", most)
    monkeypatch.setattr("minigrad_rnn.kernels.batch.LEAST", 6)
    assert_equal(pair(kind, options, lengths=[5, 2, 0]))


@pytest.mark.parametrize(("steps", "size"), [(0, 3), (5, 0), (1, 1)])
@plain
def test_nothing_at_all_is_computed_too(cuda, kind, options, steps, size):
    assert_equal(pair(kind, options, steps=steps, size=size))


@plain
def test_float32_stays_float32(cuda, kind, options):
    results = pair(kind, options, dtype=mg.float32, lengths=[5, 2, 0])
    assert {array.dtype for array in results[1]} == {mg.float32}
    assert_equal(results, 2e-5)


@plain
def test_what_stands_in_padding_reaches_nothing(cuda, kind, options):
    mg.manual_seed(0)
    layer = kind(2, 4, dtype=mg.float64, **options)
    x = np.random.default_rng(0).normal(size=(5, 3, 2))
    clean, _, _ = step("cuda", layer, x, lengths=[5, 2, 0])
    x[2:, 1] = x[:, 2] = np.nan
    dirty, _, _ = step("cuda", layer, x, lengths=[5, 2, 0])
    for a, b in zip(clean, dirty, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(
    ("op", "parts", "gates", "between"), [(lstm_sequence, 2, 4, 8), (gru_sequence, 1, 3, 4), (rnn_sequence, 1, 1, 3)]
)
def test_a_variational_mask_goes_into_the_product(cuda, op, parts, gates, between):
    rng = np.random.default_rng(0)
    shapes = [(5, 3, 2), *[(3, 4)] * parts, (gates * 4, 2), (gates * 4, 4)]
    leaves, mask = [rng.normal(size=shape) for shape in shapes], rng.integers(0, 2, size=(3, 4)) * 2.0
    results = []
    for device in ("cpu", "cuda"):
        tensors = [mg.tensor(leaf, device=device, requires_grad=True) for leaf in leaves]
        output, *_ = op(*tensors, *[None] * between, mg.tensor(mask, device=device))
        results.append([output, *mg.grad(output.square().sum(), tensors)])
    assert_equal(results)


@pytest.mark.parametrize("lengths", LENGTHS)
def test_gradients_through_all_cells(cuda, lengths):
    results = []
    mg.manual_seed(0)
    layer = LSTM(2, 4, dtype=mg.float64)
    for device in ("cpu", "cuda"):
        layer.to(device)
        x = mg.tensor(np.random.default_rng(0).normal(size=(5, 3, 2)), device=device, requires_grad=True)
        output, _, (_, cells) = layer(x, lengths=lengths, return_all_states=True)
        loss = output.square().sum() + cells.square().sum()
        results.append([output, cells, *mg.grad(loss, [x, *layer.parameters()])])
    assert_equal(results)


@pytest.mark.parametrize("lengths", [None, [2, 3, 0]])
@plain
def test_a_step_is_a_product_and_a_launch_there_and_back_and_the_host_never_waits(cuda, kind, options, lengths):
    mg.manual_seed(0)
    layer = kind(2, 4, **options)
    counts = []
    for steps in (10, 20):
        x = np.zeros((steps, 3, 2), np.float32)
        given = {} if lengths is None else {"lengths": [steps, *lengths[1:]]}
        with cuda.waits(0):
            _, *counted = step("cuda", layer, x, **given)
        counts.append([one.launches for one in counted])
    if cuda.real:
        return  # launches are counted on the stand-in only
    products = PRODUCTS.get((kind, options.get("reset_after", True)), 1)
    assert [(b - a) / 10 for a, b in zip(*counts, strict=True)] == [2 * products, 2 * products]
    assert max(counts[0]) - 20 * products < 50


def test_kernels_are_made_once_and_none_for_numpy(cuda):
    module = cuda.backend.module
    assert kernel(np, "lstm_forward") is None
    assert kernel(module, "lstm_forward") is kernel(module, "lstm_forward")
    assert kernel(module, "rnn_forward", "softsign") is None


def test_every_word_in_capitals_has_a_meaning():
    words = {word for meanings in VARIANTS.values() for word in meanings}
    texts = " ".join(text for *_, text in KERNELS.values())
    assert set(re.findall(r"\b[A-Z]{2,}\b", texts)) == words
