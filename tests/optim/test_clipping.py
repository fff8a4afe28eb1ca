"""Clipping: PyTorch's numbers, any size of gradient, no gradient clipped twice."""

from pathlib import Path

import numpy as np
import pytest
from optim_cases import CLIPS, gradients, starts

import minigrad as mg
from minigrad.optim import OptimError, clip_grad_norm_, clip_grad_value_

FIXTURES = np.load(Path(__file__).parent / "fixtures.npz")


def with_gradients(dtype=mg.float64):
    params = [mg.tensor(start, dtype=dtype, requires_grad=True) for start in starts()]
    for p, g in zip(params, gradients()[0], strict=True):
        p.grad = mg.tensor(g, dtype=dtype)
    return params


@pytest.mark.parametrize("number", range(len(CLIPS)))
def test_norm_equals_pytorch(number):
    norm_type, max_norm = CLIPS[number]
    params = with_gradients()
    total = clip_grad_norm_(iter(params), max_norm, norm_type)
    got = np.concatenate([[total.item()], *[p.grad.data.ravel() for p in params]])
    np.testing.assert_allclose(got, FIXTURES[f"clip{number}"], rtol=1e-12)
    assert total.shape == ()
    assert total.dtype == mg.float64


def test_a_norm_beyond_the_square_root_of_float32_is_found():
    p = mg.zeros(4, requires_grad=True)
    p.grad = mg.full((4,), 1e30)
    assert clip_grad_norm_(p, 1.0).item() == pytest.approx(2e30)
    np.testing.assert_allclose(p.grad.data, 0.5, rtol=1e-6)
    assert p.grad.dtype == mg.float32


def test_a_shared_gradient_is_clipped_once_for_each():
    a, b = mg.zeros(2, requires_grad=True), mg.zeros(2, requires_grad=True)
    a.grad = b.grad = mg.tensor([3.0, 4.0])
    shared = a.grad
    assert clip_grad_norm_([a, b], 50**0.5 / 10).item() == pytest.approx(50**0.5)
    np.testing.assert_allclose(a.grad.data, [0.3, 0.4], rtol=1e-6)
    np.testing.assert_allclose(b.grad.data, [0.3, 0.4], rtol=1e-6)
    assert shared.tolist() == [3.0, 4.0]


def test_value():
    params = with_gradients()
    clip_grad_value_(params, 0.25)
    for p, g in zip(params, gradients()[0], strict=True):
        np.testing.assert_array_equal(p.grad.data, np.clip(g, -0.25, 0.25))


def test_without_gradients_the_norm_is_zero():
    p = mg.zeros(2, requires_grad=True)
    assert clip_grad_norm_([p], 1.0).item() == 0.0
    clip_grad_value_([p], 1.0)
    assert p.grad is None


def test_nonfinite_is_named_when_asked_about():
    params = with_gradients(mg.float32)
    params[2].grad.data[0, 1] = float("nan")
    params[2].name = "decoder.weight"
    clip_grad_norm_([params[0], params[2]], 1.0)
    with pytest.raises(OptimError, match=r'gradient 2 "decoder.weight" \(2, 3\): 6 nan, 0 inf'):
        clip_grad_norm_(params, 1.0, error_if_nonfinite=True)


def test_misuse():
    with pytest.raises(OptimError, match="norm_type must be above 0"):
        clip_grad_norm_([mg.zeros(1, requires_grad=True)], 1.0, norm_type=0)
    with pytest.raises(OptimError, match="used before"):
        clip_grad_norm_(iter([]), 1.0)
