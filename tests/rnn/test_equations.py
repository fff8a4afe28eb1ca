"""The equations of docs/equations.md in plain NumPy, one line each, against cells and layers.

Nothing here uses minigrad to compute what is expected. The matrices are those of the notes: one for each gate, acting
on the state and the input side by side, ``W [h, x] + b``.
"""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad_rnn import GRU, LSTM, RNN, DeepTransitionCell, GRUCell, LSTMCell, RNNCell

INPUTS, UNITS, STEPS, ROWS = 3, 4, 6, 2
RNG = np.random.default_rng(0)
XS, H0, C0 = RNG.normal(size=(STEPS, ROWS, INPUTS)), RNG.normal(size=(ROWS, UNITS)), RNG.normal(size=(ROWS, UNITS))

# ---- the equations -----------------------------------------------------------------------------------------------


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def side_by_side(h, x):
    return np.concatenate([h, x], axis=-1)


def rnn(x, h, w, b, f):
    return f(side_by_side(h, x) @ w["h"].T + b["h"])


def lstm(x, h, c, w, b):
    hx = side_by_side(h, x)
    f = sigmoid(hx @ w["f"].T + b["f"])
    i = sigmoid(hx @ w["i"].T + b["i"])
    candidate = np.tanh(hx @ w["g"].T + b["g"])
    o = sigmoid(hx @ w["o"].T + b["o"])
    c = f * c + i * candidate
    return o * np.tanh(c), c


def gru_of_the_notes(x, h, w, b):
    """Reset before the product; z is how much of the new to take."""
    r = sigmoid(side_by_side(h, x) @ w["r"].T + b["r"])
    z = sigmoid(side_by_side(h, x) @ w["z"].T + b["z"])
    candidate = np.tanh(side_by_side(r * h, x) @ w["n"].T + b["n"])
    return (1 - z) * h + z * candidate


def gru(x, h, w, b, b_hn, reset_after, update_gate):
    """All four conventions. ``b_hn`` is the bias inside the reset, where there is one."""
    r = sigmoid(side_by_side(h, x) @ w["r"].T + b["r"])
    z = sigmoid(side_by_side(h, x) @ w["z"].T + b["z"])
    U, V = w["n"][:, :UNITS], w["n"][:, UNITS:]
    recurrent = r * (h @ U.T + b_hn) if reset_after else (r * h) @ U.T + b_hn
    candidate = np.tanh(x @ V.T + b["n"] + recurrent)
    kept, new = (z, 1 - z) if update_gate == "keep" else (1 - z, z)
    return kept * h + new * candidate


# ---- the weights of the notes, and the same under PyTorch's names ------------------------------------------------


def drawn(gates, inputs=INPUTS, seed=1):
    rng = np.random.default_rng(seed)
    w = {gate: rng.normal(size=(UNITS, UNITS + inputs)) for gate in gates}
    return w, {gate: rng.normal(size=UNITS) for gate in gates}


def state_dict(w, b, suffix="", b_hn=None):
    """Rows in the order of the dictionaries; the bias of the notes is bias_ih, as there is only one."""
    hh, ih = (np.concatenate([matrix[:, part] for matrix in w.values()]) for part in (slice(UNITS), slice(UNITS, None)))
    bias_hh = np.zeros(len(hh))
    if b_hn is not None:
        bias_hh[-UNITS:] = b_hn
    named = {"weight_ih": ih, "weight_hh": hh, "bias_ih": np.concatenate(list(b.values())), "bias_hh": bias_hh}
    return {name + suffix: value for name, value in named.items()}


def loaded(module, state):
    module = module.double()
    module.load_state_dict(state)
    return module


def over(step, xs, *state):
    """Outputs of every step, and the state after the last."""
    outputs = []
    for x in xs:
        after = step(x, *state)
        state = after if isinstance(after, tuple) else (after,)
        outputs.append(state[0])
    return np.stack(outputs), state


def same(value, expected):
    np.testing.assert_allclose(value.numpy(), expected, rtol=1e-12, atol=1e-13)


def one(array):
    """A part of the state of one layer."""
    return mg.tensor(array[None])


# ---- cells and layers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("nonlinearity", "f"), [("tanh", np.tanh), ("relu", lambda a: np.maximum(a, 0))])
def test_simple_rnn(nonlinearity, f):
    w, b = drawn("h")
    expected, (last,) = over(lambda x, h: rnn(x, h, w, b, f), XS, H0)
    cell = loaded(RNNCell(INPUTS, UNITS, nonlinearity=nonlinearity), state_dict(w, b))
    same(cell(mg.tensor(XS[0]), mg.tensor(H0)), expected[0])
    layer = loaded(RNN(INPUTS, UNITS, nonlinearity=nonlinearity), state_dict(w, b, "_l0"))
    for layer.fused in (True, False):
        output, h = layer(mg.tensor(XS), one(H0))
        same(output, expected)
        same(h[0], last)


def test_lstm():
    w, b = drawn("ifgo")
    expected, (last_h, last_c) = over(lambda x, h, c: lstm(x, h, c, w, b), XS, H0, C0)
    cell = loaded(LSTMCell(INPUTS, UNITS), state_dict(w, b))
    first = cell(mg.tensor(XS[0]), (mg.tensor(H0), mg.tensor(C0)))
    for part, value in zip(first, lstm(XS[0], H0, C0, w, b), strict=True):
        same(part, value)
    layer = loaded(LSTM(INPUTS, UNITS), state_dict(w, b, "_l0"))
    for layer.fused in (True, False):
        output, (h, c) = layer(mg.tensor(XS), (one(H0), one(C0)))
        same(output, expected)
        same(h[0], last_h)
        same(c[0], last_c)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("update_gate", ["keep", "new"])
def test_gru_in_four_conventions(reset_after, update_gate):
    w, b = drawn("rzn")
    b_hn = np.random.default_rng(2).normal(size=UNITS)
    expected, (last,) = over(lambda x, h: gru(x, h, w, b, b_hn, reset_after, update_gate), XS, H0)
    conventions = {"reset_after": reset_after, "update_gate": update_gate}
    cell = loaded(GRUCell(INPUTS, UNITS, **conventions), state_dict(w, b, b_hn=b_hn))
    same(cell(mg.tensor(XS[0]), mg.tensor(H0)), expected[0])
    layer = loaded(GRU(INPUTS, UNITS, **conventions), state_dict(w, b, "_l0", b_hn))
    for layer.fused in (True, False):
        output, h = layer(mg.tensor(XS), one(H0))
        same(output, expected)
        same(h[0], last)


def test_gru_of_the_notes_is_reset_before_and_new():
    w, b = drawn("rzn")
    expected, _ = over(lambda x, h: gru_of_the_notes(x, h, w, b), XS, H0)
    layer = loaded(GRU(INPUTS, UNITS, reset_after=False, update_gate="new"), state_dict(w, b, "_l0"))
    for layer.fused in (True, False):
        same(layer(mg.tensor(XS), one(H0))[0], expected)


@pytest.mark.parametrize(("kind", "gates"), [(RNN, "h"), (LSTM, "ifgo"), (GRU, "rzn")])
def test_stacked_in_two_directions(kind, gates):
    """A layer reads both directions of the one below, side by side, the backward one written back in its place."""
    steps = {
        RNN: lambda w, b: lambda x, h: rnn(x, h, w, b, np.tanh),
        LSTM: lambda w, b: lambda x, h, c: lstm(x, h, c, w, b),
        GRU: lambda w, b: lambda x, h: gru(x, h, w, b, 0.0, True, "keep"),
    }
    zeros = [np.zeros((ROWS, UNITS))] * (2 if kind is LSTM else 1)
    state, last, xs = {}, [], XS
    for layer in range(2):
        outputs = []
        for reverse, suffix in enumerate([f"_l{layer}", f"_l{layer}_reverse"]):
            w, b = drawn(gates, xs.shape[-1], seed=2 * layer + reverse)
            state |= state_dict(w, b, suffix)
            output, after = over(steps[kind](w, b), xs[::-1] if reverse else xs, *zeros)
            outputs.append(output[::-1] if reverse else output)
            last.append(after)
        xs = np.concatenate(outputs, axis=-1)
    module = loaded(kind(INPUTS, UNITS, 2, bidirectional=True), state)
    for module.fused in (True, False):
        output, after = module(mg.tensor(XS))
        same(output, xs)
        for part, expected in zip(after if kind is LSTM else (after,), zip(*last, strict=True), strict=True):
            same(part, np.stack(expected))


# ---- what the page says about them -------------------------------------------------------------------------------


def test_a_projection_is_what_the_state_is_multiplied_by():
    w, b = drawn("ifgo")
    P = np.random.default_rng(3).normal(size=(2, UNITS))
    narrow = {gate: np.concatenate([matrix[:, :2], matrix[:, UNITS:]], axis=1) for gate, matrix in w.items()}

    def step(x, h, c):
        wide, c = lstm(x, h, c, narrow, b)
        return wide @ P.T, c

    expected, (last_h, last_c) = over(step, XS, H0[:, :2], C0)
    state = state_dict(w, b, "_l0") | {"weight_hr_l0": P}
    state["weight_hh_l0"] = state["weight_hh_l0"][:, :2]
    output, (h, c) = loaded(LSTM(INPUTS, UNITS, proj_size=2), state)(mg.tensor(XS), (one(H0[:, :2]), one(C0)))
    same(output, expected)
    same(h[0], last_h)
    same(c[0], last_c)


@pytest.mark.parametrize("fused", [True, False])
def test_backpropagation_through_time_is_the_double_sum(fused):
    """The gradient that the notes leave out: over every step with a loss, over every step before it."""
    w, b = drawn("h")
    state = state_dict(w, b, "_l0")
    layer = loaded(RNN(INPUTS, UNITS), state)
    layer.fused = fused
    weights = np.random.default_rng(4).normal(size=(STEPS, UNITS))  # the loss: sum over t of weights[t] . h[t]
    output, _ = layer(mg.tensor(XS[:, 0]), mg.tensor(H0[:1]))
    (output * mg.tensor(weights)).sum().backward()

    U = state["weight_hh_l0"]
    hs = [H0[0], *over(lambda x, h: rnn(x, h, w, b, np.tanh), XS[:, 0], H0[0])[0]]
    total = np.zeros_like(U)
    for t in range(1, STEPS + 1):
        for k in range(1, t + 1):
            gradient = weights[t - 1]
            for j in range(t, k, -1):
                gradient = gradient @ (np.diag(1 - hs[j] ** 2) @ U)  # dh[j] / dh[j-1]
            total += np.outer(gradient * (1 - hs[k] ** 2), hs[k - 1])  # dh[k] / dU with h[k-1] held
    np.testing.assert_allclose(layer.weight_hh_l0.grad.numpy(), total, rtol=1e-11, atol=1e-13)

    once, delta = np.zeros_like(U), np.zeros(UNITS)
    for t in range(STEPS, 0, -1):
        delta = weights[t - 1] + delta
        before = delta * (1 - hs[t] ** 2)
        once += np.outer(before, hs[t - 1])
        delta = U.T @ before
    np.testing.assert_allclose(once, total, rtol=1e-11, atol=1e-13)


def test_along_the_cell_the_gradient_is_the_product_of_the_forget_gates():
    w, b = drawn("ifgo")
    for matrix in w.values():
        matrix[:, :UNITS] = 0  # no other way from one step to the next
    layer = loaded(LSTM(INPUTS, UNITS), state_dict(w, b, "_l0"))
    c0 = mg.tensor(C0[None], requires_grad=True)
    _, (_, c) = layer(mg.tensor(XS), (one(H0), c0))
    (gradient,) = mg.grad(c.sum(), c0)
    gates = [sigmoid(x @ w["f"][:, UNITS:].T + b["f"]) for x in XS]
    same(gradient[0], np.prod(gates, axis=0))


@pytest.mark.parametrize("reset_after", [True, False])
def test_negating_the_rows_of_z_turns_keep_into_new(reset_after):
    w, b = drawn("rzn")
    b_hn = np.random.default_rng(2).normal(size=UNITS)
    expected, _ = over(lambda x, h: gru(x, h, w, b, b_hn, reset_after, "keep"), XS, H0)
    w["z"], b["z"] = -w["z"], -b["z"]
    layer = loaded(GRU(INPUTS, UNITS, reset_after=reset_after, update_gate="new"), state_dict(w, b, "_l0", b_hn))
    same(layer(mg.tensor(XS), one(H0))[0], expected)


def test_where_the_reset_acts_makes_no_difference_to_a_diagonal_matrix_only():
    differences = []
    for diagonal in (True, False):
        w, b = drawn("rzn")
        if diagonal:
            w["n"][:, :UNITS] *= np.eye(UNITS)
        layers = [loaded(GRU(INPUTS, UNITS, reset_after=after), state_dict(w, b, "_l0")) for after in (True, False)]
        after, before = (layer(mg.tensor(XS), one(H0))[0].numpy() for layer in layers)
        differences.append(np.abs(after - before).max())
    assert differences[0] < 1e-14
    assert differences[1] > 0.1


def test_skips_across_time():
    w, b = drawn("h")
    near, far = np.random.default_rng(5).normal(size=(2, UNITS, UNITS))
    hs = [np.zeros((ROWS, UNITS))] * 3  # before the first step there was nothing
    for x in XS:
        a = side_by_side(hs[-1], x) @ w["h"].T + b["h"]
        hs.append(np.tanh(a + hs[-2] @ near.T + hs[-3] @ far.T))
    layer = RNN(INPUTS, UNITS, time_skips=(2, 3))
    loaded(layer, state_dict(w, b, "_l0") | {"weight_skip_l0": np.concatenate([near, far], axis=1)})
    for layer.fused in (True, False):
        same(layer(mg.tensor(XS))[0], np.stack(hs[3:]))


def test_a_skip_over_the_deep_transition():
    rng = np.random.default_rng(6)
    deep, bias, shortcut, into = (rng.normal(size=shape) for shape in [(5, UNITS), (5,), (UNITS, UNITS), (UNITS, 5)])
    weight_ih = rng.normal(size=(5, INPUTS))
    expected = np.tanh(np.tanh(H0 @ deep.T + bias + XS[0] @ weight_ih.T) @ into.T + H0 @ shortcut.T)
    state = {"transition_layers.0.weight": deep, "transition_layers.0.bias": bias, "weight_shortcut": shortcut}
    state |= {"weight_hh": into, "bias_hh": np.zeros(UNITS), "weight_ih": weight_ih, "bias_ih": np.zeros(5)}
    cell = loaded(DeepTransitionCell(INPUTS, UNITS, transition_layers=(5,), shortcut=True), state)
    same(cell(mg.tensor(XS[0]), mg.tensor(H0)), expected)


@pytest.mark.parametrize("highway", [True, False])
def test_connections_between_layers(highway):
    (w0, b0), (w1, b1) = drawn("h", seed=1), drawn("h", UNITS, seed=2)
    wt, bt = drawn("t", 0, seed=3)
    zeros = np.zeros((ROWS, UNITS))
    below, _ = over(lambda x, h: rnn(x, h, w0, b0, np.tanh), XS, zeros)
    above, _ = over(lambda x, h: rnn(x, h, w1, b1, np.tanh), below, zeros)
    gate = sigmoid(below @ wt["t"].T + bt["t"])
    state = state_dict(w0, b0, "_l0") | state_dict(w1, b1, "_l1")
    if highway:
        state |= {"weight_highway_l1": wt["t"], "bias_highway_l1": bt["t"]}
    layer = loaded(RNN(INPUTS, UNITS, 2, highway=highway, residual=not highway), state)
    for layer.fused in (True, False):
        same(layer(mg.tensor(XS))[0], gate * above + (1 - gate) * below if highway else above + below)
