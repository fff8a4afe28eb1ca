"""The LSTM written with the engine's own ops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.check import check_module
from minigrad_rnn import LSTM


@pytest.fixture(scope="module")
def expected():
    with np.load(Path(__file__).with_name("lstm.npz")) as arrays:
        return dict(arrays)


def part(arrays, prefix):
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


@pytest.mark.parametrize("layers", [1, 2])
def test_values_and_gradients_are_pytorchs(expected, layers):
    values = part(expected, f"{layers}.")
    lstm = LSTM(3, 4, layers).double()
    lstm.load_state_dict(part(values, "state."))
    x, h, c = (mg.tensor(values[name], requires_grad=True) for name in "xhc")
    output, (last_h, last_c) = lstm(x, (h, c))
    for result, name in ((output, "output"), (last_h, "last_h"), (last_c, "last_c")):
        np.testing.assert_allclose(result.numpy(), values[name], rtol=1e-12, atol=1e-14)
    cotangents = [mg.tensor(values[f"cotangent{i}"]) for i in range(3)]
    weights = dict(lstm.named_parameters())
    gradients = mg.grad([output, last_h, last_c], [x, h, c, *weights.values()], cotangents)
    names = ["grad_x", "grad_h", "grad_c", *(f"grad.{name}" for name in weights)]
    for gradient, name in zip(gradients, names, strict=True):
        np.testing.assert_allclose(gradient.numpy(), values[name], rtol=1e-12, atol=1e-14, err_msg=name)


def test_against_the_equations_one_number_at_a_time():
    mg.manual_seed(0)
    lstm = LSTM(1, 1).double()
    weights = {name: p.numpy().ravel() for name, p in lstm.named_parameters()}
    xs = np.random.default_rng(0).normal(size=4)
    h = c = 0.0
    for x in xs:
        i, f, g, o = (
            weights["weight_ih_l0"][k] * x
            + weights["bias_ih_l0"][k]
            + weights["weight_hh_l0"][k] * h
            + weights["bias_hh_l0"][k]
            for k in range(4)
        )
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
    _, (last_h, last_c) = lstm(mg.tensor(xs.reshape(4, 1, 1)))
    assert last_h.item() == pytest.approx(h, rel=1e-12)
    assert last_c.item() == pytest.approx(c, rel=1e-12)


def test_contract():
    mg.manual_seed(0)
    assert check_module(LSTM(2, 3), mg.randn(3, 2, 2))


def test_two_halves_with_the_state_carried_are_the_whole():
    mg.manual_seed(0)
    lstm, x = LSTM(2, 3, 2), mg.randn(6, 2, 2)
    whole, (h, c) = lstm(x)
    first, state = lstm(x[:3])
    second, (h2, c2) = lstm(x[3:], state)
    np.testing.assert_allclose(mg.concat([first, second]).numpy(), whole.numpy(), rtol=1e-6)
    np.testing.assert_allclose(h2.numpy(), h.numpy(), rtol=1e-6)
    np.testing.assert_allclose(c2.numpy(), c.numpy(), rtol=1e-6)


def test_no_steps_give_no_output_and_the_state_back():
    lstm, h, c = LSTM(2, 3), mg.randn(1, 2, 3), mg.randn(1, 2, 3)
    output, (last_h, last_c) = lstm(mg.zeros(0, 2, 2), (h, c))
    assert output.shape == (0, 2, 3)
    assert last_h.tolist() == h.tolist()
    assert last_c.tolist() == c.tolist()


def test_scopes_name_layer_step_and_gate():
    output, _ = LSTM(2, 3, 2)(mg.ones(2, 1, 2))
    scopes = {node.scope for node in mg.graph(output)}
    assert {"lstm.layer0/t=0/forget_gate", "lstm.layer1/t=1/output_gate"} <= scopes


def test_source_lines_are_those_of_the_layer():
    output, _ = LSTM(2, 3)(mg.ones(1, 1, 2))
    assert all(node.where.startswith("lstm.py:") for node in mg.graph(output) if node.op in ("sigmoid", "tanh"))


def test_wrong_input_is_explained():
    with pytest.raises(mg.ShapeError, match=r"\(steps, batch, 2\), not \(5, 2\).*\n.*unsqueeze"):
        LSTM(2, 3)(mg.zeros(5, 2))
    with pytest.raises(mg.ShapeError, match="hidden_size must be at least 1, not 0"):
        LSTM(2, 0)
