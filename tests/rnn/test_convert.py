"""Weights from and to Keras and ONNX, each against its framework's equations written out here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
import minigrad_rnn
from minigrad_rnn import GRU, LSTM, RNN, reverse_by_length
from minigrad_rnn.convert import (
    ConversionError,
    flip_update_gate,
    from_keras,
    from_onnx,
    layer_from_keras,
    layer_from_onnx,
    layer_to_keras,
    layer_to_onnx,
    to_keras,
    to_onnx,
)

I, H, T, N = 3, 4, 6, 2  # noqa: E741 - the letters of the formulas
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
KINDS = list(GATES)
AFTER = [("rnn", True), ("lstm", True), ("gru", True), ("gru", False)]  # kind, and where a GRU resets


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def x(rng):
    return rng.normal(size=(T, N, I))


# ---- the equations: PyTorch's ------------------------------------------------------------------------------------


def torch_run(kind, state, x, *, suffix="_l0", reset_after=True, update_gate="keep", coupled=False, clip=np.inf):
    """The outputs of one direction, and the last state."""
    w, u = state["weight_ih" + suffix], state["weight_hh" + suffix]
    zeros = np.zeros(len(w))
    b, d = state.get("bias_ih" + suffix, zeros), state.get("bias_hh" + suffix, zeros)
    p = np.split(state.get("weight_peephole" + suffix, np.zeros(3 * H)), 3)
    limit = lambda a: np.clip(a, -clip, clip)
    h = c = np.zeros((x.shape[1], H))
    outputs = []
    for x_t in x:
        if kind == "rnn":
            h = np.tanh(limit(x_t @ w.T + b + h @ u.T + d))
        elif kind == "lstm":
            i, f, g, o = np.split(x_t @ w.T + b + h @ u.T + d, 4, -1)
            i = sigmoid(limit(i + p[0] * c))
            f = 1 - i if coupled else sigmoid(limit(f + p[1] * c))
            c = f * c + i * np.tanh(limit(g))
            h = sigmoid(limit(o + p[2] * c)) * np.tanh(c)
        else:
            (w_r, w_z, w_n), (u_r, u_z, u_n) = np.split(w, 3), np.split(u, 3)
            (b_r, b_z, b_n), (d_r, d_z, d_n) = np.split(b, 3), np.split(d, 3)
            r = sigmoid(limit(x_t @ w_r.T + b_r + h @ u_r.T + d_r))
            z = sigmoid(limit(x_t @ w_z.T + b_z + h @ u_z.T + d_z))
            inner = r * (h @ u_n.T + d_n) if reset_after else (r * h) @ u_n.T + d_n
            n = np.tanh(limit(x_t @ w_n.T + b_n + inner))
            h = (1 - z) * n + z * h if update_gate == "keep" else (1 - z) * h + z * n
        outputs.append(h)
    return np.stack(outputs), (h, c) if kind == "lstm" else (h,)


def torch_layer(kind, state, x, **options):
    """One or two directions, put together."""
    output, last = torch_run(kind, state, x, **options)
    if "weight_ih_l0_reverse" in state:
        back, last_back = torch_run(kind, state, x[::-1], suffix="_l0_reverse", **options)
        output = np.concatenate([output, back[::-1]], -1)
        last = tuple(np.stack(pair) for pair in zip(last, last_back, strict=True))
    return output, last


# ---- the equations: Keras's --------------------------------------------------------------------------------------


def keras_run(kind, kernel, recurrent, bias=None, *, x, reset_after=True):
    """Batch first inside Keras; the order of the two leading dims makes no difference here."""
    if bias is None:
        bias = np.zeros((2, kernel.shape[1]) if kind == "gru" and reset_after else kernel.shape[1])
    h = c = np.zeros((x.shape[1], H))
    outputs = []
    for x_t in x:
        if kind == "rnn":
            h = np.tanh(x_t @ kernel + bias + h @ recurrent)
        elif kind == "lstm":
            z = x_t @ kernel + h @ recurrent + bias
            z0, z1, z2, z3 = z[:, :H], z[:, H : 2 * H], z[:, 2 * H : 3 * H], z[:, 3 * H :]
            i, f = sigmoid(z0), sigmoid(z1)
            c = f * c + i * np.tanh(z2)
            h = sigmoid(z3) * np.tanh(c)
        elif reset_after:
            x_z, x_r, x_h = np.split(x_t @ kernel + bias[0], 3, -1)
            h_z, h_r, h_h = np.split(h @ recurrent + bias[1], 3, -1)
            z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
            h = z * h + (1 - z) * np.tanh(x_h + r * h_h)
        else:
            x_z, x_r, x_h = np.split(x_t @ kernel + bias, 3, -1)
            u_z, u_r, u_h = np.split(recurrent, 3, -1)
            z, r = sigmoid(x_z + h @ u_z), sigmoid(x_r + h @ u_r)
            h = z * h + (1 - z) * np.tanh(x_h + (r * h) @ u_h)
        outputs.append(h)
    return np.stack(outputs)


def keras_layer(kind, weights, x, reset_after=True):
    if len(weights) < 4:
        return keras_run(kind, *weights, x=x, reset_after=reset_after)
    half = len(weights) // 2
    forward = keras_run(kind, *weights[:half], x=x, reset_after=reset_after)
    backward = keras_run(kind, *weights[half:], x=x[::-1], reset_after=reset_after)
    return np.concatenate([forward, backward[::-1]], -1)


def keras_weights(rng, kind, reset_after=True, bias=True, directions=1):
    rows = GATES[kind] * H
    bias_shape = (2, rows) if kind == "gru" and reset_after else (rows,)
    shapes = [(I, rows), (H, rows), *[bias_shape] * bias] * directions
    return [rng.normal(size=shape) for shape in shapes]


# ---- the equations: ONNX's ---------------------------------------------------------------------------------------


def onnx_run(kind, weights, x, linear_before_reset, clip, input_forget):
    """One direction: Y (T, N, H)."""
    f = lambda a: sigmoid(np.clip(a, -clip, clip))
    g = lambda a: np.tanh(np.clip(a, -clip, clip))
    W, R, B, P = weights
    Wb, Rb = np.split(B, 2)
    h = c = np.zeros((x.shape[1], H))
    outputs = []
    for x_t in x:
        if kind == "rnn":
            h = g(x_t @ W.T + h @ R.T + Wb + Rb)
        elif kind == "lstm":
            (Wi, Wo, Wf, Wc), (Ri, Ro, Rf, Rc) = np.split(W, 4), np.split(R, 4)
            (bi, bo, bf, bc), (pi, po, pf) = np.split(Wb + Rb, 4), np.split(P, 3)
            i = f(x_t @ Wi.T + h @ Ri.T + pi * c + bi)
            forget = 1 - i if input_forget else f(x_t @ Wf.T + h @ Rf.T + pf * c + bf)
            c = forget * c + i * g(x_t @ Wc.T + h @ Rc.T + bc)
            h = f(x_t @ Wo.T + h @ Ro.T + po * c + bo) * np.tanh(c)
        else:
            (Wz, Wr, Wh), (Rz, Rr, Rh) = np.split(W, 3), np.split(R, 3)
            (bz, br, bh), (dz, dr, dh) = np.split(Wb, 3), np.split(Rb, 3)
            z = f(x_t @ Wz.T + h @ Rz.T + bz + dz)
            r = f(x_t @ Wr.T + h @ Rr.T + br + dr)
            inner = r * (h @ Rh.T + dh) if linear_before_reset else (r * h) @ Rh.T + dh
            h = (1 - z) * g(x_t @ Wh.T + inner + bh) + z * h
        outputs.append(h)
    return np.stack(outputs)


def onnx_layer(kind, inputs, attributes, x):
    """Y with the directions joined as features."""
    settings = (attributes.get("linear_before_reset", 0), attributes.get("clip", np.inf))
    settings += (attributes.get("input_forget", 0),)
    direction = attributes.get("direction", "forward")
    names = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]
    outputs = []
    for d, backward in enumerate(names):
        B = inputs["B"][d] if "B" in inputs else np.zeros(2 * GATES[kind] * H)
        P = inputs["P"][d] if "P" in inputs else np.zeros(3 * H)
        y = onnx_run(kind, (inputs["W"][d], inputs["R"][d], B, P), x[::-1] if backward else x, *settings)
        outputs.append(y[::-1] if backward else y)
    return np.concatenate(outputs, -1)


def onnx_weights(rng, kind, bias=True, directions=1, peephole=False):
    rows = GATES[kind] * H
    shapes = {"W": (rows, I), "R": (rows, H)}
    if bias:
        shapes["B"] = (2 * rows,)
    if peephole:
        shapes["P"] = (3 * H,)
    return {name: rng.normal(size=(directions, *shape)) for name, shape in shapes.items()}


def torch_state(rng, kind, bias=True, directions=1):
    rows = GATES[kind] * H
    shapes = {"weight_ih": (rows, I), "weight_hh": (rows, H)}
    if bias:
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    suffixes = ("_l0", "_l0_reverse")[:directions]
    return {name + suffix: rng.normal(size=shape) for suffix in suffixes for name, shape in shapes.items()}


def convention(kind, reset_after):
    """The option that only a GRU has."""
    return {"reset_after": reset_after} if kind == "gru" else {}


def same(result, expected):
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-14)


def same_state(result, expected):
    assert list(result) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(result[name], array, err_msg=name)


# ---- Keras -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("kind", "reset_after"), AFTER)
class TestKeras:
    def test_from_keras_computes_the_same(self, rng, x, kind, reset_after, bias, directions):
        weights = keras_weights(rng, kind, reset_after, bias, directions)
        state = from_keras(kind, weights, **convention(kind, reset_after))
        same(torch_layer(kind, state, x, reset_after=reset_after)[0], keras_layer(kind, weights, x, reset_after))

    def test_to_keras_computes_the_same(self, rng, x, kind, reset_after, bias, directions):
        state = torch_state(rng, kind, bias, directions)
        weights = to_keras(kind, state, **convention(kind, reset_after))
        same(keras_layer(kind, weights, x, reset_after), torch_layer(kind, state, x, reset_after=reset_after)[0])

    def test_there_and_back(self, rng, x, kind, reset_after, bias, directions):
        weights = keras_weights(rng, kind, reset_after, bias, directions)
        options = convention(kind, reset_after)
        back = to_keras(kind, from_keras(kind, weights, **options), **options)
        assert len(back) == len(weights)
        for result, array in zip(back, weights, strict=True):
            np.testing.assert_array_equal(result, array)
        state = torch_state(rng, kind, bias, directions)
        back = from_keras(kind, to_keras(kind, state, **options), **options)
        merged = not (kind == "gru" and reset_after)
        for name, array in state.items():
            if merged and name.startswith("bias_hh"):
                assert not back[name].any()
            elif merged and name.startswith("bias_ih"):
                same(back[name], array + state[name.replace("ih", "hh")])
            else:
                np.testing.assert_array_equal(back[name], array)


def test_a_stack_of_keras_layers(rng):
    state = from_keras("lstm", keras_weights(rng, "lstm")) | from_keras("lstm", keras_weights(rng, "lstm"), layer=1)
    assert list(state)[4:] == ["weight_ih_l1", "weight_hh_l1", "bias_ih_l1", "bias_hh_l1"]
    assert len(to_keras("lstm", state, layer=1)) == 3


def test_keras_weights_that_do_not_fit(rng):
    weights = keras_weights(rng, "lstm")
    for wrong, message in [
        (weights[:1], "2, 3, 4 or 6 arrays, not 1"),
        ([weights[0], weights[1].T, weights[2]], r"recurrent kernel must have shape \(16, 64\), not \(16, 4\)"),
        ([weights[0].T, *weights[1:]], r"the kernel must have shape \(16, 16\), not \(16, 3\)"),
        ([*weights[:2], weights[2][:-1]], r"the bias must have shape \(16,\), not \(15,\)"),
        ([np.ones(()), np.ones(())], r"recurrent kernel must have shape \(0, 0\), not \(\)"),
    ]:
        with pytest.raises(ConversionError, match=message):
            from_keras("lstm", wrong)
    with pytest.raises(ConversionError, match=r"must have shape \(4, 12\), not \(4, 16\)"):
        from_keras("gru", weights)
    with pytest.raises(ConversionError, match=r"kind is .*, not 'LSTM'"):
        from_keras("LSTM", weights)


# ---- ONNX --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("kind", "reset_after"), AFTER)
class TestOnnx:
    def test_from_onnx_computes_the_same(self, rng, x, kind, reset_after, bias, direction):
        inputs = onnx_weights(rng, kind, bias, 1 + (direction == "bidirectional"))
        attributes = {"direction": direction, "linear_before_reset": int(reset_after)}
        state = from_onnx(kind, inputs, attributes, **convention(kind, reset_after))
        turned = slice(None, None, -1 if direction == "reverse" else 1)
        output, _ = torch_layer(kind, state, x[turned], reset_after=reset_after)
        same(output[turned], onnx_layer(kind, inputs, attributes, x))

    def test_to_onnx_computes_the_same_and_comes_back(self, rng, x, kind, reset_after, bias, direction):
        state = torch_state(rng, kind, bias, 1 + (direction == "bidirectional"))
        inputs, attributes = to_onnx(kind, state, **convention(kind, reset_after))
        assert attributes["hidden_size"] == H
        assert attributes["direction"] == ("bidirectional" if direction == "bidirectional" else "forward")
        same(onnx_layer(kind, inputs, attributes, x), torch_layer(kind, state, x, reset_after=reset_after)[0])
        same_state(from_onnx(kind, inputs, attributes, **convention(kind, reset_after)), state)


def test_onnx_weights_come_back(rng):
    for kind in KINDS:
        inputs = onnx_weights(rng, kind, directions=2)
        attributes = {"direction": b"bidirectional", "linear_before_reset": 1, "layout": 1}
        back, _ = to_onnx(kind, from_onnx(kind, inputs, attributes))
        same_state(back, inputs)


def test_peepholes(rng, x):
    inputs = onnx_weights(rng, "lstm", directions=2, peephole=True)
    attributes = {"direction": "bidirectional"}
    with pytest.raises(ConversionError, match=r"LSTM\(..., peephole=True\), and no (.|\n)*layer_from_onnx makes"):
        from_onnx("lstm", inputs, attributes)
    state = from_onnx("lstm", inputs, attributes, peephole=True)
    same(torch_layer("lstm", state, x)[0], onnx_layer("lstm", inputs, attributes, x))
    same_state(to_onnx("lstm", state, peephole=True)[0], inputs)
    with pytest.raises(ConversionError, match="peepholes"):
        to_keras("lstm", state)
    with pytest.raises(ConversionError, match="peephole=True: Keras's LSTM has nothing like it"):
        to_keras("lstm", state, peephole=True)
    del inputs["P"]
    assert not from_onnx("lstm", inputs, attributes, peephole=True)["weight_peephole_l0"].any()


def test_weights_go_only_to_a_layer_that_computes_the_same(rng, x):
    inputs = onnx_weights(rng, "lstm")
    attributes = {"clip": np.float32(0.3), "input_forget": 1, "activations": ["Sigmoid", "Tanh", "Relu"]}
    wanted = {"gate_clip": 0.3, "coupled": True, "output_nonlinearity": "relu"}
    with pytest.raises(ConversionError, match=r"output_nonlinearity='relu', coupled=True, gate_clip=0.3\d*\)"):
        from_onnx("lstm", inputs, attributes)
    for missing in wanted:
        options = {name: value for name, value in wanted.items() if name != missing}
        with pytest.raises(ConversionError, match=rf"LSTM\(..., {missing}=[^ ]*\), and no"):
            from_onnx("lstm", inputs, attributes, **options)
    with pytest.raises(ConversionError, match="cell_clip=None"):
        from_onnx("lstm", inputs, attributes, **wanted, cell_clip=1.0)
    state = from_onnx("lstm", inputs, attributes, **wanted, init="keras")
    assert state["weight_ih_l0"].shape == (3 * H, I)
    with pytest.raises(TypeError, match="LSTM to convert: there is no option clip"):
        from_onnx("lstm", inputs, attributes, clip=0.3)


def test_what_onnx_has_no_word_for(rng):
    state = torch_state(rng, "lstm")
    for options, message in [
        ({"cell_clip": 1.0}, "cell_clip=1.0: ONNX's LSTM has nothing like it"),
        ({"layer_norm": "ba", "time_skips": (2,)}, "time_skips=.*, layer_norm='ba'|layer_norm='ba', time_skips"),
        ({"nonlinearity": "gelu"}, "ONNX has no activation like 'gelu'; those it has are tanh, sigmoid"),
    ]:
        with pytest.raises(ConversionError, match=message):
            to_onnx("lstm", state, **options)


def test_the_usual_activations_need_no_option(rng):
    inputs = onnx_weights(rng, "lstm", directions=2)
    for usual in ([], None, [b"Sigmoid", b"Tanh", b"Tanh"] * 2, ["sigmoid", "tanh", "TANH"] * 2):
        from_onnx("lstm", inputs, {"activations": usual, "direction": "bidirectional"})


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"activations": ["ThresholdedRelu"]}, r"ONNX's activation ThresholdedRelu: .* but tanh, sigmoid"),
        ({"activations": ["Elu"], "activation_alpha": [0.5]}, "activation Elu, alpha=0.5"),
        ({"activations": ["Affine"], "activation_beta": [0.5]}, "activation Affine, alpha=1, beta=0.5"),
        ({"activations": ["HardSigmoid"], "activation_alpha": [0.3]}, "alpha=0.3, beta=0.5"),
        ({"activations": ["Tanh", "Relu"]}, "this operator has 1 in each of 1 directions"),
        ({"hidden_size": 5}, "hidden_size=5, but the weights are for 4 units"),
        ({"direction": "reverse"}, r'direction="reverse"(.|\n)*reverse_by_length'),
    ],
)
def test_operators_that_no_layer_is_like(rng, attributes, message):
    with pytest.raises(ConversionError, match=message):
        layer_from_onnx("rnn", onnx_weights(rng, "rnn"), attributes)


def test_directions_with_activations_of_their_own_are_no_layer(rng):
    attributes = {"direction": "bidirectional", "activations": ["Tanh", "Relu"]}
    with pytest.raises(ConversionError, match="two directions of a layer here have the same activations"):
        layer_from_onnx("rnn", onnx_weights(rng, "rnn", directions=2), attributes)


def test_onnx_weights_that_do_not_fit(rng):
    inputs = onnx_weights(rng, "gru", peephole=True)
    with pytest.raises(ConversionError, match="an ONNX GRU are W, R, maybe B; these are W, R, B, P"):
        from_onnx("gru", inputs)
    with pytest.raises(ConversionError, match="these are B"):
        from_onnx("gru", {"B": inputs["B"], "R": None})
    del inputs["P"]
    for changed, message in [
        ({"W": inputs["W"][0]}, r"W of a forward GRU with 4 units must have shape \(1, 12, 3\), not \(12, 3\)"),
        ({"R": np.ones((1, 12, 5))}, r"W of a forward GRU with 5 units must have shape \(1, 15, 3\)"),
        ({"B": inputs["B"][:, :-1]}, r"must have shape \(1, 24\), not \(1, 23\)"),
    ]:
        with pytest.raises(ConversionError, match=message):
            from_onnx("gru", inputs | changed)
    with pytest.raises(ConversionError, match=r"bidirectional GRU with 4 units must have shape \(2, 12, 3\)"):
        from_onnx("gru", inputs, {"direction": "bidirectional"})
    with pytest.raises(ConversionError, match="direction is one of forward, reverse, bidirectional, not 'both'"):
        from_onnx("gru", inputs, {"direction": "both"})


# ---- what cannot be converted ------------------------------------------------------------------------------------


def test_reset_before_and_after_are_not_converted_into_each_other(rng, x):
    after, before = keras_weights(rng, "gru"), keras_weights(rng, "gru", reset_after=False)
    with pytest.raises(ConversionError, match=r"bias of shape \(12,\): .* resets U \(r \* h\)(.|\n)*not commute"):
        from_keras("gru", before)
    with pytest.raises(ConversionError, match=r"bias of shape \(2, 12\)(.|\n)*reset_after=True, for a layer"):
        from_keras("gru", after, reset_after=False)
    inputs = onnx_weights(rng, "gru")
    with pytest.raises(ConversionError, match="linear_before_reset=0"):
        from_onnx("gru", inputs)
    with pytest.raises(ConversionError, match="linear_before_reset=1"):
        from_onnx("gru", inputs, {"linear_before_reset": 1}, reset_after=False)
    state = from_keras("gru", after)
    ours, theirs = (torch_layer("gru", state, x, reset_after=a)[0] for a in (True, False))
    assert np.abs(ours - theirs).max() > 0.01  # the same weights mean two different networks


def test_a_state_that_is_no_such_layers(rng):
    state = torch_state(rng, "lstm", directions=2)
    for convert in (to_keras, to_onnx):
        for changed, message in [
            ({"weight_hr_l0": np.ones((2, 4))}, "weight_hr_l0: the other framework's layer has nothing like it"),
            ({"weight_hh_l0": np.ones((16, 5))}, r"weight_ih_l0 must have shape \(20, 3\), not \(16, 3\)"),
            ({"bias_hh_l0_reverse": np.ones(3)}, r"bias_hh_l0_reverse must have shape \(16,\), not \(3,\)"),
        ]:
            with pytest.raises(ConversionError, match=message):
                convert("lstm", state | changed)
        for name in state:
            without = {key: value for key, value in state.items() if key != name}
            if name != "weight_ih_l0_reverse":
                with pytest.raises(ConversionError, match=f"the state has no {name}"):
                    convert("lstm", without)
        with pytest.raises(ConversionError, match="no weight_ih_l1 and no weight_hh_l1; it has weight_ih_l0"):
            convert("lstm", state, layer=1)
        lopsided = {key: value for key, value in state.items() if key not in ("bias_ih_l0", "bias_hh_l0")}
        with pytest.raises(ConversionError, match="directions of layer 0 do not have the same weights"):
            convert("lstm", lopsided)
        with pytest.raises(ConversionError, match="kind is"):
            convert("tanh", state)


# ---- the update gate ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reset_after", [True, False])
def test_the_update_gate_turned_round(rng, x, reset_after):
    state = torch_state(rng, "gru", directions=2)
    flipped = flip_update_gate(state)
    keep = torch_layer("gru", state, x, reset_after=reset_after)[0]
    same(torch_layer("gru", flipped, x, reset_after=reset_after, update_gate="new")[0], keep)
    same_state(flip_update_gate(flipped), state)


def test_turning_the_update_gate_touches_nothing_else(rng):
    state = {name: [1.0, 2.0, 3.0] for name in ("rnn.1.weight_ih_l1_reverse", "weight_hh", "head.weight")}
    flipped = flip_update_gate(state)
    assert [array.tolist() for array in flipped.values()] == [[1, -2, 3], [1, -2, 3], [1, 2, 3]]
    assert state["weight_hh"] == [1.0, 2.0, 3.0]
    with pytest.raises(ConversionError, match=r"bias_hh_l0 has shape \(4,\): a GRU's has three blocks"):
        flip_update_gate({"bias_hh_l0": np.ones(4)})


# ---- the frameworks themselves -----------------------------------------------------------------------------------


SINGLE = {"rtol": 2e-5, "atol": 1e-6}  # onnxruntime computes in float32, and so do some of Keras's loops


@pytest.fixture(scope="module")
def measured():
    """What Keras and onnxruntime computed, and from what: framework -> case -> arrays by name, and what was said."""
    with np.load(Path(__file__).with_name("convert.npz")) as file:
        arrays = dict(file.items())
    found = {}
    for path, said in json.loads(str(arrays.pop("said"))).items():
        framework, case = path.split("/")
        own = {name.split("/")[-1]: array for name, array in arrays.items() if name.startswith(path + "/")}
        found.setdefault(framework, {})[case] = {"x": arrays[f"{framework}/x"], **own}, said
    return found


KERAS_CASES = ["rnn", "lstm", "gru", "gru_before", "lstm_bidirectional", "gru_bidirectional", "lstm_options"]
KERAS_CASES += ["gru_options_before", "gru_merged", "lstm_merged"]
KERAS_CASES += [f"rnn_{name}" for name in ("linear", "relu", "gelu", "hard_tanh", "softplus", "swish")]
ONNX_CASES = ["rnn", "lstm", "gru", "gru_before", "lstm_reverse", "gru_bidirectional", "lstm_extras"]
ONNX_CASES += ["lstm_activations_bidirectional", "gru_activations", "rnn_activations"]


@pytest.mark.parametrize("case", KERAS_CASES)
def test_against_keras_itself(measured, case):
    (arrays, config), kind = measured["keras"][case], case.split("_")[0]
    weights = [array for name, array in arrays.items() if name.startswith("weight")]
    layer = layer_from_keras(kind, weights, config)
    assert layer.batch_first
    output, _ = layer(mg.tensor(arrays["x"]))
    np.testing.assert_allclose(output.numpy(), arrays["y"], **SINGLE)
    back, told = layer_to_keras(layer)
    for result, array in zip(back, weights, strict=True):
        np.testing.assert_array_equal(result, array)
    again = layer_from_keras(kind, back, told)
    assert repr(again) == repr(layer)
    assert again(mg.tensor(arrays["x"]))[0].tolist() == output.tolist()
    inner = lambda config: config["layer"]["config"] if "layer" in config else config
    for name, value in inner(told).items():
        aliases = {"swish": "silu"}
        assert name == "return_state" or value == aliases.get(str(inner(config)[name]), inner(config)[name])
    assert told.get("merge_mode") == config.get("merge_mode")


@pytest.mark.parametrize("case", ONNX_CASES)
def test_against_onnxruntime_itself(measured, case):
    (arrays, said), kind = measured["onnx"][case], case.split("_")[0]
    inputs = {name: arrays[name] for name in "WRBP" if name in arrays}
    attributes = dict(said)
    x, lengths = mg.tensor(arrays["x"]), [len(arrays["x"])] * arrays["x"].shape[1]
    reverse = attributes.pop("direction", "forward") if "reverse" in case else None
    turned = (lambda y: reverse_by_length(y, lengths)) if reverse else (lambda y: y)
    layer = layer_from_onnx(kind, inputs, attributes)
    output = turned(layer(turned(x))[0])
    np.testing.assert_allclose(output.numpy(), arrays["y"], **SINGLE)
    back, told = layer_to_onnx(layer)
    if attributes.get("input_forget"):  # the rows of the forget gate are not looked at, and come back as zeros
        for name, count, blocks in (("W", 4, [2]), ("R", 4, [2]), ("B", 8, [2, 6])):
            for block in blocks:
                np.split(inputs[name], count, 1)[block][:] = 0
        np.split(inputs["P"], 3, 1)[2][:] = 0
    same_state(back, inputs)
    again = layer_from_onnx(kind, back, told)
    assert repr(again) == repr(layer)
    assert turned(again(turned(x))[0]).tolist() == output.tolist()


def onnx_option_cases():
    with np.load(Path(__file__).with_name("onnx_options.npz")) as file:
        index, values = json.loads(str(file["index"])), file["values"]
    start = 0
    for kind, said, shapes in index:
        arrays = {}
        for name, shape in shapes.items():
            size = int(np.prod(shape))
            arrays[name] = values[start : start + size].reshape(shape)
            start += size
        yield pytest.param(kind.lower(), {k: v for k, v in said.items() if k != "P"}, arrays, id=f"{kind} {said}")


@pytest.mark.parametrize(("kind", "attributes", "arrays"), list(onnx_option_cases()))
def test_every_attribute_of_onnx_becomes_an_option(kind, attributes, arrays):
    """And with initial states, and back again."""
    inputs = {name: arrays[name] for name in "WRBP" if name in arrays}
    layer = layer_from_onnx(kind, inputs, attributes)
    states = [mg.tensor(arrays[name]) for name in ("initial_h", "initial_c") if name in arrays]
    output, last = layer(mg.tensor(arrays["X"]), tuple(states) if kind == "lstm" else states[0])
    np.testing.assert_allclose(output.numpy(), arrays["Y"][:, 0], **SINGLE)
    for part, name in zip(last if kind == "lstm" else (last,), ("Y_h", "Y_c"), strict=False):
        np.testing.assert_allclose(part.numpy(), arrays[name], **SINGLE)
    again = layer_from_onnx(kind, *layer_to_onnx(layer))
    assert repr(again) == repr(layer)
    assert again(mg.tensor(arrays["X"]))[0].tolist() == layer(mg.tensor(arrays["X"]))[0].tolist()


# ---- layers ------------------------------------------------------------------------------------------------------


def test_a_layer_of_a_stack_and_a_gru_that_takes_the_new(rng):
    gru = GRU(3, 4, 2, update_gate="new", bidirectional=True, batch_first=True, nonlinearity="elu").double()
    x = mg.tensor(rng.normal(size=(2, 5, 3)))
    whole, _ = gru(x)
    stages = [layer_from_onnx("gru", *layer_to_onnx(gru, layer=k)) for k in range(2)]
    keras_stages = [layer_from_keras("gru", *layer_to_keras(gru, layer=k)) for k in range(2)]
    for first, second in (stages, keras_stages):
        assert first.recurrence.update_gate == "keep"
        assert first.batch_first
        same(second(first(x)[0])[0].numpy(), whole.numpy())
    options = {"linear_before_reset": 1, "direction": "bidirectional", "activations": ["Sigmoid", "Elu"] * 2}
    for arrays, layer in ((layer_to_onnx(gru)[0], layer_from_onnx), (layer_to_keras(gru)[0], layer_from_keras)):
        said = options if layer is layer_from_onnx else {"activation": "elu"}
        back = layer("gru", arrays, said, update_gate="new")
        for name, array in back.state_dict().items():
            np.testing.assert_array_equal(array.numpy(), gru.state_dict()[name].numpy())


def test_what_keras_says_of_dropout_sizes_and_direction(rng):
    weights = keras_weights(rng, "lstm")
    layer = layer_from_keras("lstm", weights, {"dropout": 0.2, "recurrent_dropout": 0.1, "units": 4})
    assert layer.noise.variational == (0.2, 0.1, 0.0)
    assert layer_to_keras(layer)[1]["recurrent_dropout"] == 0.1
    assert layer_to_keras(LSTM(3, 4, variational=0.5))[1]["dropout"] == 0.5
    old = layer_from_keras(
        "lstm", weights, {"recurrent_activation": "hard_sigmoid"}, gate_nonlinearity="hardsigmoid_onnx"
    )
    assert old.recurrence.gate_nonlinearity == "hardsigmoid_onnx"
    assert layer_from_keras("lstm", weights).dtype == mg.float64
    for config, message in [
        ({"units": 5}, "units=5, but the weights are for 4"),
        ({"go_backwards": True}, r"go_backwards=True(.|\n)*reverse_by_length"),
        ({"activation": "mish"}, "Keras's activation 'mish': .* but tanh, sigmoid"),
        ({"activation": {"class_name": "LeakyReLU", "config": {}}}, "Keras's activation LeakyReLU"),
    ]:
        with pytest.raises(ConversionError, match=message):
            layer_from_keras("lstm", weights, config)
    inner = lambda name: {"class_name": "GRU", "config": {"activation": name, "go_backwards": name == "relu"}}
    config = {"layer": inner("tanh"), "backward_layer": inner("relu")}
    with pytest.raises(ConversionError, match="the two directions are not made alike"):
        layer_from_keras("gru", keras_weights(rng, "gru", directions=2), config)
    with pytest.raises(ConversionError, match="reset_after=False: this GRU resets"):
        from_keras("gru", keras_weights(rng, "gru", bias=False), {"reset_after": False})
    with pytest.raises(ConversionError, match=r"GRU\(..., nonlinearity='relu'\)(.|\n)*layer_from_keras makes"):
        from_keras("gru", keras_weights(rng, "gru"), {"activation": "relu"})


def test_layers_that_keras_and_onnx_do_not_have():
    for layer, message in [
        (LSTM(2, 3, proj_size=2), "weight_hr_l0: the other framework's layer has nothing like it"),
        (LSTM(2, 3, cell_clip=1.0), "cell_clip=1.0"),
        (LSTM(2, 3, layer_norm="ba"), "layer_norm"),
        (GRU(2, 3, zoneout=0.1), "zoneout=0.1 acts in evaluation too"),
        (GRU(2, 3, learn_initial_state=True), "initial_h_l0"),
        (mg.nn.Linear(2, 3), "RNN, LSTM and GRU are converted, not Linear"),
    ]:
        for convert in (layer_to_keras, layer_to_onnx):
            with pytest.raises(ConversionError, match=message):
                convert(layer)
    residual = RNN(3, 3, 2, residual=True)
    for convert in (layer_to_keras, layer_to_onnx):
        convert(residual)
        with pytest.raises(ConversionError, match="residual=True"):
            convert(residual, layer=1)
    with pytest.raises(ConversionError, match="activation for candidate and output, this one has 'relu' and 'tanh'"):
        layer_to_keras(LSTM(2, 3, nonlinearity="relu"))
    with pytest.raises(ConversionError, match="Keras has no activation 'hardsigmoid_onnx' by name"):
        layer_to_keras(LSTM(2, 3, gate_nonlinearity="hardsigmoid_onnx"))
    for options in ({"coupled": True}, {"gate_clip": 0.5}, {"peephole": True}):
        with pytest.raises(ConversionError, match="Keras's LSTM has nothing like it"):
            layer_to_keras(LSTM(2, 3, **options))


# ---- dtypes, and the layers themselves ---------------------------------------------------------------------------


def test_dtypes_stay_and_nothing_is_shared(rng):
    weights = [array.astype(np.float32) for array in keras_weights(rng, "gru")]
    state = from_keras("gru", weights)
    assert {str(array.dtype) for array in state.values()} == {"float32"}
    assert {str(array.dtype) for array in to_keras("gru", state)} == {"float32"}
    assert {str(array.dtype) for array in to_onnx("gru", state)[0].values()} == {"float32"}
    for array in state.values():
        array[:] = 0
    assert all(array.any() for array in weights)


@pytest.mark.parametrize(("kind", "reset_after"), AFTER)
def test_the_layers_compute_what_was_converted(rng, x, kind, reset_after):
    layer_type = getattr(minigrad_rnn, kind.upper())
    options = {} if kind != "gru" else {"reset_after": reset_after}
    layer = layer_type(I, H, bidirectional=True, **options).double()
    weights = keras_weights(rng, kind, reset_after, directions=2)
    layer.load_state_dict(from_keras(kind, weights, **convention(kind, reset_after)))
    same(layer(mg.tensor(x))[0].numpy(), keras_layer(kind, weights, x, reset_after))
    inputs, attributes = to_onnx(kind, layer.state_dict(), **convention(kind, reset_after))
    same(onnx_layer(kind, inputs, attributes, x), layer(mg.tensor(x))[0].numpy())
