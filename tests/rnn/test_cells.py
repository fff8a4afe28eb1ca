"""Cells: PyTorch's numbers, all conventions of the GRU, shapes and errors."""

from __future__ import annotations

import json

import numpy as np
import pytest
from recurrent_cases import group, load, weights

import minigrad as mg
import minigrad_rnn
from minigrad.check import check_module
from minigrad_rnn import GRU, GRUCell, LSTMCell, RNNCell

CASES = {key: case for key, case in load().items() if key[0].endswith("Cell")}


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_values_and_gradients_are_pytorchs(kind, options):
    case = CASES[kind, options]
    cell = getattr(minigrad_rnn, kind)(3, 4, **json.loads(options)).double()
    cell.load_state_dict(weights(case))
    x, *state = (mg.tensor(a, requires_grad=True) for a in group(case, "input"))
    result = cell(x, tuple(state) if len(state) > 1 else state[0])
    outputs = list(result) if isinstance(result, tuple) else [result]
    cotangents = [mg.tensor(g) for g in group(case, "cotangent")]
    parameters = dict(cell.named_parameters())
    assert list(parameters) == list(weights(case))
    results = [*outputs, *mg.grad(outputs, [x, *state, *parameters.values()], cotangents)]
    for value, expected in zip(results, group(case, "output") + group(case, "gradient"), strict=True):
        np.testing.assert_allclose(value.numpy(), expected, rtol=1e-12, atol=1e-13)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def gru_by_hand(x, h, p, reset_after, update_gate):
    rows = {gate: slice(4 * k, 4 * k + 4) for k, gate in enumerate("rzn")}
    i = {gate: x @ p["weight_ih"][s].T + p["bias_ih"][s] for gate, s in rows.items()}
    u = {gate: p["weight_hh"][s].T for gate, s in rows.items()}
    b = {gate: p["bias_hh"][s] for gate, s in rows.items()}
    r, z = (sigmoid(i[gate] + h @ u[gate] + b[gate]) for gate in "rz")
    n = np.tanh(i["n"] + (r * (h @ u["n"] + b["n"]) if reset_after else (r * h) @ u["n"] + b["n"]))
    return (1 - z) * n + z * h if update_gate == "keep" else (1 - z) * h + z * n


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("update_gate", ["keep", "new"])
def test_conventions_of_the_gru(reset_after, update_gate):
    mg.manual_seed(0)
    rng = np.random.default_rng(0)
    conventions = {"reset_after": reset_after, "update_gate": update_gate}
    cell, layer = GRUCell(3, 4, **conventions).double(), GRU(3, 4, **conventions).double()
    parameters = {name: p.numpy() for name, p in cell.named_parameters()}
    layer.load_state_dict({f"{name}_l0": value for name, value in parameters.items()})
    xs, h0 = rng.normal(size=(5, 2, 3)), rng.normal(size=(2, 4))
    h, expected, state = h0, [], mg.tensor(h0)
    for x in xs:
        h = gru_by_hand(x, h, parameters, reset_after, update_gate)
        expected.append(h)
        state = cell(mg.tensor(x), state)
        np.testing.assert_allclose(state.numpy(), h, rtol=1e-12, atol=1e-14)
    for layer.fused in (True, False):
        output, _ = layer(mg.tensor(xs), mg.tensor(h0[None]))
        np.testing.assert_allclose(output.numpy(), np.stack(expected), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("reset_after", [True, False])
def test_negated_rows_turn_one_update_gate_into_the_other(reset_after):
    mg.manual_seed(0)
    keep = GRUCell(3, 4, reset_after=reset_after).double()
    new = GRUCell(3, 4, reset_after=reset_after, update_gate="new").double()
    flipped = {name: p.numpy().copy() for name, p in keep.named_parameters()}
    for value in flipped.values():
        value[4:8] *= -1
    new.load_state_dict(flipped)
    x, h = mg.randn(2, 3).double(), mg.randn(2, 4).double()
    np.testing.assert_allclose(new(x, h).numpy(), keep(x, h).numpy(), rtol=1e-12)


def test_the_bias_inside_the_reset_gate_is_not_redundant():
    mg.manual_seed(0)
    cell, x, h = GRUCell(2, 3), mg.randn(1, 2), mg.randn(1, 3)
    before = cell(x, h).numpy()
    moved = cell.state_dict()
    ih, hh = (moved[name].numpy().copy() for name in ("bias_ih", "bias_hh"))
    ih[6:] += hh[6:]
    hh[6:] = 0
    cell.load_state_dict({**moved, "bias_ih": ih, "bias_hh": hh})
    assert np.abs(cell(x, h).numpy() - before).max() > 1e-3


@pytest.mark.parametrize("kind", [RNNCell, LSTMCell, GRUCell])
def test_without_a_batch_and_without_a_state(kind):
    mg.manual_seed(0)
    cell, x = kind(2, 3), mg.randn(4, 2)
    whole, zeros = cell(x), mg.zeros(4, 3)
    given = cell(x, (zeros, zeros) if kind is LSTMCell else zeros)
    one = cell(x[1])
    first = (lambda y: y[0]) if kind is LSTMCell else (lambda y: y)
    assert np.array_equal(first(whole).numpy(), first(given).numpy())
    assert first(one).shape == (3,)
    np.testing.assert_allclose(first(one).numpy(), first(whole)[1].numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", [RNNCell, LSTMCell, GRUCell])
def test_contract(kind):
    mg.manual_seed(0)
    assert check_module(kind(2, 3), mg.randn(2, 2))


def test_what_is_wrong_is_explained():
    with pytest.raises(mg.ShapeError, match=r"GRUCell: .* shape \(batch, 2\) or \(2,\), not \(1, 4, 2\)"):
        GRUCell(2, 3)(mg.zeros(1, 4, 2))
    with pytest.raises(mg.ShapeError, match=r"the state h must have shape \(4, 3\), not \(1, 3\)"):
        GRUCell(2, 3)(mg.zeros(4, 2), mg.zeros(1, 3))
    with pytest.raises(mg.ShapeError, match=r"the state is \(h, c\), not \(4, 3\)"):
        LSTMCell(2, 3)(mg.zeros(4, 2), mg.zeros(4, 3))
    with pytest.raises(mg.ShapeError, match="hidden_size must be at least 1, not 0"):
        RNNCell(2, 0)
    with pytest.raises(mg.MinigradError, match='update_gate is "keep" or "new", not \'old\''):
        GRUCell(2, 3, update_gate="old")
    with pytest.raises(mg.MinigradError, match=r'nonlinearity is one of "tanh", .*, not \'sin\''):
        RNNCell(2, 3, nonlinearity="sin")
    assert repr(LSTMCell(2, 3, bias=False)).startswith("LSTMCell(2, 3, bias=False)")
