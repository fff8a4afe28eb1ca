"""Every option of the equations, on cells and layers, against plain NumPy and onnxruntime."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from option_helpers import (
    CELLS,
    INPUTS,
    STEPS,
    UNITS,
    arrays_of,
    as_state,
    cell_of,
    drawn,
    filled,
    parts_of,
    same,
)
from plain_cells import ACTIVATIONS, OverRows, over_units, sequence

import minigrad as mg
from minigrad.check import check_module
from minigrad_rnn import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell, convert
from minigrad_rnn.cells import NONLINEARITIES

OPTIONS = {
    LSTM: [
        {"gate_nonlinearity": "hardsigmoid", "nonlinearity": "softsign", "output_nonlinearity": "identity"},
        {"gate_nonlinearity": "hardsigmoid_onnx", "output_nonlinearity": "relu"},
        {"peephole": True},
        {"coupled": True},
        {"peephole": True, "coupled": True},
        {"cell_clip": 0.3},
        {"gate_clip": 0.4},
        {"gate_clip": 0.7, "cell_clip": 0.5, "peephole": True},
        {"forget_bias": 2.0},
        {"layer_norm": "ba"},
        {"layer_norm": "torch"},
        {"layer_norm": "ba", "peephole": True, "coupled": True, "cell_clip": 0.5, "gate_clip": 0.9},
        {"layer_norm": "torch", "peephole": True, "cell_clip": 0.5, "nonlinearity": "elu"},
        {"time_skips": (2,)},
        {"time_skips": (2, 4), "layer_norm": "ba", "peephole": True},
        {"bias": False, "layer_norm": "torch", "coupled": True},
    ],
    GRU: [
        {**where, **what}
        for where in [{"reset_after": after, "update_gate": z} for after in (True, False) for z in ("keep", "new")]
        for what in [
            {"layer_norm": "ba"},
            {"gate_clip": 0.4},
            {"gate_nonlinearity": "hardsigmoid_onnx", "nonlinearity": "softplus"},
            {"time_skips": (3,), "bias": False, "layer_norm": "ba", "gate_clip": 0.8},
        ]
    ],
    RNN: [
        {"layer_norm": "ba"},
        {"layer_norm": "ba", "bias": False, "nonlinearity": "relu"},
        {"gate_clip": 0.3},
        {"nonlinearity": "hardsigmoid", "gate_clip": 0.6},
        {"time_skips": (2, 3), "layer_norm": "ba"},
    ],
}
CASES = [(kind, options) for kind, cases in OPTIONS.items() for options in cases]


def layer_of(kind, options, inputs=INPUTS, units=UNITS, **more):
    layer = filled(kind(inputs, units, **options, **more))
    layer.fused = False
    return layer


def by_cell(cell, xs, state, **more):
    """A cell stepped over a sequence: the first part of every state, and the last state."""
    outputs, state, masks = [], as_state(state), cell.draw_masks(mg.tensor(xs[0]))
    for t, x in enumerate(xs):
        state = cell(mg.tensor(x), state, masks=masks, t=t)
        outputs.append(parts_of(state)[0].numpy())
    return np.stack(outputs), [part.numpy() for part in parts_of(state)]


# ---- the equations -----------------------------------------------------------------------------------------------


def check_equations(layer, options, normal=over_units, zoneout=(), **more):
    """A layer, the cell stepped by hand and the formulas give the same, at every step."""
    xs, state = drawn(layer, **more)
    count = len(layer.recurrence.parts)
    p = arrays_of(layer)
    states, last = sequence(type(layer).__name__, options, p, xs, state[:count], normal, zoneout=zoneout)
    output, after, every = layer(mg.tensor(xs), as_state(state, layers=True), return_all_states=True)
    same(output, states[0])
    for part, expected in zip(parts_of(every)[:count], states, strict=True):
        same(part[0], expected)
    for part, expected in zip(parts_of(after)[:count], last, strict=True):
        same(part[0], expected)
    if not getattr(layer, "proj_size", 0):
        stepped, end = by_cell(cell_of(layer), xs, state)
        same(stepped, states[0])
        for part, expected in zip(end[:count], last, strict=True):
            same(part, expected)


@pytest.mark.parametrize(("kind", "options"), CASES, ids=str)
def test_cells_and_layers_follow_the_formulas(kind, options):
    check_equations(layer_of(kind, options), options)


@pytest.mark.parametrize("options", [{}, *OPTIONS[LSTM]], ids=str)
def test_a_projection_goes_with_every_option(options):
    check_equations(layer_of(LSTM, options, proj_size=2), options)


@pytest.mark.parametrize("place", ["nonlinearity", "gate_nonlinearity", "output_nonlinearity"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_in_every_place(name, place):
    for kind in {"nonlinearity": (LSTM, GRU, RNN), "gate_nonlinearity": (LSTM, GRU)}.get(place, (LSTM,)):
        check_equations(layer_of(kind, {place: name}), {place: name})


def test_all_activations_are_tested():
    assert set(ACTIVATIONS) == set(NONLINEARITIES)


def test_the_two_hard_sigmoids_part():
    """x / 6 + 1/2 reaches 1 at 3, 0.2 x + 1/2 at 2.5."""
    x = mg.tensor([-3.0, -2.5, 0.0, 1.0, 2.5, 3.0], dtype=mg.float64)
    same(NONLINEARITIES["hardsigmoid"].function(x), [0, 1 / 12, 0.5, 2 / 3, 11 / 12, 1])
    same(NONLINEARITIES["hardsigmoid_onnx"].function(x), [0, 0, 0.5, 0.7, 1, 1])


@pytest.mark.parametrize(("kind", "options"), [*CASES, (LSTM, {"batch_norm": 1}), (GRU, {"batch_norm": 2})], ids=str)
def test_gradients_of_both_orders(kind, options):
    layer = layer_of(kind, options, 1, 2)
    xs, state = drawn(layer, 2, 2)
    xs, *state = [mg.tensor(a, requires_grad=True) for a in (xs, *[part[None] for part in state])]
    parameters = list(layer.parameters())

    def function(xs, *rest):
        state = rest[: len(layer.recurrence.names)]
        output, after = layer(xs, state if len(state) > 1 else state[0])
        return [output, *parts_of(after)]

    assert mg.gradcheck(function, xs, *state, *parameters, directional=True)
    assert mg.gradgradcheck(function, xs, *state, *parameters, directional=True)


# ---- batch normalisation -----------------------------------------------------------------------------------------

BATCH_NORM = [
    (LSTM, {}),
    (LSTM, {"peephole": True, "coupled": True, "cell_clip": 0.6}),
    (LSTM, {"bias": False, "time_skips": (2,)}),
    (GRU, {}),
    (GRU, {"reset_after": False, "update_gate": "new", "gate_clip": 0.7}),
    (RNN, {}),
    (RNN, {"nonlinearity": "relu", "bias": False}),
]


def statistics_of(layer):
    """Running means and variances by place, those of both shares of a GRU's rows side by side."""
    return {name.split(".")[1]: value.numpy() for name, value in layer.state_dict().items() if "." in name}


def plain_statistics(normal):
    found = {}
    for place, values in normal.running.items():
        for name, value in zip(("mean", "var"), values, strict=True):
            found.setdefault(f"{name}_{place}", value)
    return found


def check_statistics(layer, normal):
    found, expected = statistics_of(layer), plain_statistics(normal)
    for kind in ("mean", "var"):
        for place in ("ih", "hh"):
            if f"{kind}_{place}_gates" in expected and f"{kind}_{place}" in found:
                shares = [expected.pop(f"{kind}_{place}_{share}") for share in ("gates", "candidate")]
                expected[f"{kind}_{place}"] = np.concatenate(shares, -1)
    assert set(found) == set(expected)
    for name, value in expected.items():
        same(found[name], value)


@pytest.mark.parametrize(("kind", "options"), BATCH_NORM, ids=str)
def test_batch_norm_has_statistics_of_its_own_for_every_step(kind, options):
    """In training those of the batch, and the running values of the step move; steps beyond the last leave none."""
    options = {**options, "batch_norm": 4}
    layer, normal = layer_of(kind, options), OverRows(4)
    for call in range(3):
        xs, state = drawn(layer, STEPS, 6, seed=call)
        count = len(layer.recurrence.parts)
        states, _ = sequence(kind.__name__, options, arrays_of(layer), xs, state[:count], normal)
        same(layer(mg.tensor(xs), as_state(state, layers=True))[0], states[0], 1e-10)
        check_statistics(layer, normal)
    layer.eval()
    normal.training = False
    check_equations(layer, options, normal, steps=7)
    check_statistics(layer, normal)


@pytest.mark.parametrize(("kind", "options"), BATCH_NORM, ids=str)
def test_a_cell_moves_the_same_statistics(kind, options):
    layer = layer_of(kind, {**options, "batch_norm": 4})
    cell = cell_of(layer)
    xs, state = drawn(layer, STEPS, 6)
    output, _ = layer(mg.tensor(xs), as_state(state, layers=True))
    same(by_cell(cell, xs, state)[0], output, 1e-10)
    for name, value in layer.state_dict().items():
        same(cell.state_dict()[name.replace("_l0", "")], value)


@pytest.mark.parametrize(("kind", "options"), BATCH_NORM, ids=str)
def test_batch_norm_counts_the_rows_that_are_running(kind, options):
    """A step with one row or none leaves the running values alone: it has no variance."""
    options = {**options, "batch_norm": 6}
    layer, normal, lengths = layer_of(kind, options), OverRows(6), np.array([5, 3, 0, 3, 2, 4])
    for training in (True, False):
        layer.train(training)
        normal.training = training
        xs, state = drawn(layer, 6, len(lengths))
        alive = np.arange(6)[:, None] < lengths
        parts = state[: len(layer.recurrence.parts)]
        states, last = sequence(kind.__name__, options, arrays_of(layer), xs, parts, normal, alive)
        xs[~alive] = np.nan
        output, after = layer(mg.tensor(xs), as_state(state, layers=True), lengths=lengths.tolist())
        same(output, states[0], 1e-10)
        same(parts_of(after)[0][0], last[0], 1e-10)
        check_statistics(layer, normal)


@pytest.mark.parametrize(
    ("kind", "options"), [*CASES, *[(kind, {**options, "batch_norm": 3}) for kind, options in BATCH_NORM]], ids=str
)
def test_rows_with_gaps_are_as_if_alone(kind, options):
    """In evaluation, in both directions, with padding on the left and holes; batch_norm knows how far each row is."""
    layer = layer_of(kind, options, bidirectional=True, zoneout=0.3)
    xs, _ = drawn(layer, 6, 4)
    layer(mg.tensor(xs))
    layer.eval()
    mask = np.array([[0, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 0, 0, 1, 0, 1], [1, 1, 1, 1, 1, 1]], bool).T
    output, _ = layer(mg.tensor(xs), mask=mask)
    for row in range(4):
        alone, _ = layer(mg.tensor(xs[mask[:, row], row]))
        same(output.numpy()[mask[:, row], row], alone)


@pytest.mark.parametrize("lengths", [None, [5, 2, 4]])
@pytest.mark.parametrize(("kind", "options"), BATCH_NORM, ids=str)
def test_the_backward_direction_counts_steps_from_the_end(kind, options, lengths):
    """Its first step is the last of the row, in training and in evaluation."""
    both = layer_of(kind, {**options, "batch_norm": 4}, bidirectional=True)
    alone = layer_of(kind, {**options, "batch_norm": 4})
    ends = "_l0_reverse"
    alone.load_state_dict({n.replace("_reverse", ""): v for n, v in both.state_dict().items() if ends in n})
    xs, _ = drawn(alone, STEPS, 3)
    order = [list(range(n))[::-1] + list(range(n, STEPS)) for n in lengths or [STEPS] * 3]
    turned = np.stack([xs[steps, row] for row, steps in enumerate(order)], 1)
    for training in (True, False):
        both.train(training)
        alone.train(training)
        output, _ = both(mg.tensor(xs), lengths=lengths)
        expected = alone(mg.tensor(turned), lengths=lengths)[0].numpy()
        backward = output.numpy()[..., UNITS:]
        for row, steps in enumerate(order):
            same(backward[:, row], expected[steps, row], 1e-10)
    for name, value in alone.state_dict().items():
        same(both.state_dict()[name.replace("_l0", "_l0_reverse")], value)


@pytest.mark.parametrize("kind", CELLS)
def test_drawing_anew_forgets_the_statistics(kind):
    layer = kind(2, 3, batch_norm=2)
    cell = CELLS[kind](2, 3, batch_norm=2)
    layer(mg.randn(4, 3, 2))
    cell(mg.randn(3, 2))
    for module, statistics in ((layer, layer.statistics_l0), (cell, cell.statistics)):
        assert statistics.mean_hh.numpy().any() or statistics.mean_ih.numpy().any()
        module.reset_parameters()
        for name, values in statistics.state_dict().items():
            assert (values.numpy() == name.startswith("var")).all()


# ---- combinations ------------------------------------------------------------------------------------------------


@st.composite
def configurations(draw):
    """A kind of layer, and some of its options."""
    kind = draw(st.sampled_from([LSTM, GRU, RNN]))
    activation = st.sampled_from(sorted(ACTIVATIONS))
    limit = st.none() | st.floats(0.1, 2.0)
    options = {"nonlinearity": activation, "gate_clip": limit, "bias": st.booleans()}
    options["time_skips"] = st.sampled_from([(), (2,), (2, 4), (5,)])
    if kind is not RNN:
        options["gate_nonlinearity"] = st.sampled_from(["sigmoid", "hardsigmoid", "hardsigmoid_onnx", "softsign"])
    if kind is LSTM:
        options |= {"peephole": st.booleans(), "coupled": st.booleans(), "cell_clip": limit}
        options["output_nonlinearity"] = activation
    if kind is GRU:
        options |= {"reset_after": st.booleans(), "update_gate": st.sampled_from(["keep", "new"])}
    options = {name: draw(values) for name, values in options.items() if draw(st.booleans())}
    normal = draw(st.sampled_from([{}, {"layer_norm": "ba"}, {"layer_norm": "torch"}, {"batch_norm": 3}]))
    options |= normal if kind is LSTM or normal != {"layer_norm": "torch"} else {}
    return kind, options, draw(st.none() | st.floats(0, 1)), draw(st.integers(1, 6)), draw(st.integers(1, 3))


def known_statistics(layer, steps):
    """A layer's running values, random, as the formulas use them."""
    normal, rng, loaded = OverRows(steps), np.random.default_rng(2), {}
    normal.training = False
    for name, value in statistics_of(layer).items():
        loaded[f"statistics_l0.{name}"] = rng.uniform(0.5, 1.5, size=value.shape)
    layer.load_state_dict(layer.state_dict() | loaded)
    found = statistics_of(layer)
    for place in {name.split("_", 1)[1] for name in found}:
        pair = [found[f"{kind}_{place}"] for kind in ("mean", "var")]
        normal.running[place] = pair
        if place in ("ih", "hh"):
            normal.running[f"{place}_gates"] = [value[:, : 2 * UNITS] for value in pair]
            normal.running[f"{place}_candidate"] = [value[:, 2 * UNITS :] for value in pair]
    return normal


@settings(max_examples=60, deadline=None, derandomize=True)
@given(configurations())
def test_any_combination_of_options(configuration):
    """In evaluation: the formulas, the cell, a stream, and each row alone are all the same."""
    kind, options, zoneout, steps, rows = configuration
    noise = {} if zoneout is None else {"zoneout": zoneout, "variational": 0.4, "weight_dropout": 0.3}
    layer = layer_of(kind, {**options, **noise}).eval()
    normal = known_statistics(layer, 3) if "batch_norm" in options else over_units
    shares = () if zoneout is None else (zoneout,) * len(layer.recurrence.parts)
    check_equations(layer, options, normal, shares, steps=steps, rows=rows)
    xs, first = drawn(layer, steps, rows)
    output, last = layer(mg.tensor(xs), as_state(first, layers=True))
    for row in range(rows):
        alone, end = layer(mg.tensor(xs[:, row]), as_state([part[row] for part in first], layers=True))
        same(alone, output[:, row])
        for part, expected in zip(parts_of(end), parts_of(last), strict=True):
            same(part, expected[:, row])
    if "batch_norm" in options:
        return
    state = as_state(first, layers=True)
    for t in range(steps):
        y, state = layer.step(mg.tensor(xs[t]), state)
        same(y, output[t])
    for part, expected in zip(parts_of(state), parts_of(last), strict=True):
        same(part, expected)


# ---- how parameters are drawn ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), [(LSTM, {}), (LSTM, {"coupled": True}), (GRU, {}), (RNN, {})], ids=str)
def test_the_initial_distribution_of_keras(kind, options):
    layer = kind(30, 20, 2, init="keras", **options)
    gates, cell = layer.recurrence.gates, CELLS[kind](30, 20, init="keras", **options)
    for w, inputs in [(layer.weights(0), 30), (layer.weights(1), 20), (cell.weights(), 30)]:
        bound = (6 / (inputs + gates * 20)) ** 0.5
        ih = w.weight_ih.numpy()
        assert np.abs(ih).max() <= bound
        assert ih.std() == pytest.approx(bound / 3**0.5, rel=0.1)
        for gate in np.split(w.weight_hh.numpy(), gates):
            np.testing.assert_allclose(gate @ gate.T, np.eye(20), atol=1e-5)
        bias = w.bias_ih.numpy() + w.bias_hh.numpy()
        opened = kind is LSTM and not options
        assert bias.tolist() == [float(opened and 20 <= row < 40) for row in range(20 * gates)]


@pytest.mark.parametrize("kind", CELLS)
def test_the_identity_as_recurrent_weights(kind):
    w = kind(50, 20, init="identity").weights(0)
    for gate in np.split(w.weight_hh.numpy(), len(w.weight_hh) // 20):
        assert np.array_equal(gate, np.eye(20))
    assert w.weight_ih.numpy().std() == pytest.approx(0.001, rel=0.1)
    assert not w.bias_ih.numpy().any()
    assert not w.bias_hh.numpy().any()


@pytest.mark.parametrize("init", ["torch", "keras", "identity"])
def test_a_forget_bias_counts_once_and_whatever_else_is_drawn(init):
    for w in [LSTM(2, 3, init=init, forget_bias=1.5).weights(0), LSTMCell(2, 3, init=init, forget_bias=1.5).weights()]:
        assert (w.bias_ih + w.bias_hh).tolist()[3:6] == [1.5] * 3
        assert w.bias_hh.tolist()[3:6] == [0.0] * 3


@pytest.mark.parametrize(("options", "gain"), [({"layer_norm": "ba"}, 1.0), ({"batch_norm": 2}, 0.1)])
@pytest.mark.parametrize("kind", CELLS)
def test_gains_and_shifts_at_first(kind, options, gain):
    layer = kind(2, 3, **options)
    gains = [p.numpy() for name, p in layer.named_parameters() if name.startswith("gain")]
    assert gains
    assert all((value == np.float32(gain)).all() for value in gains)
    if kind is LSTM:
        assert not layer.bias_cell_l0.numpy().any()


# ---- onnxruntime -------------------------------------------------------------------------------------------------

ONNX_ORDER = {"RNN": "h", "GRU": "zrn", "LSTM": "iofg"}
ONNX_NAMES = {"HardSigmoid": "hardsigmoid_onnx", "LeakyRelu": "leaky_relu"}
ONNX_PLACES = {
    "RNN": ["nonlinearity"],
    "GRU": ["gate_nonlinearity", "nonlinearity"],
    "LSTM": ["gate_nonlinearity", "nonlinearity", "output_nonlinearity"],
}


def onnx_cases():
    with np.load(Path(__file__).with_name("onnx_options.npz")) as file:
        index, values = json.loads(str(file["index"])), file["values"]
    position = 0
    for kind, said, shapes in index:
        arrays = {}
        for name, shape in shapes.items():
            size = int(np.prod(shape))
            arrays[name] = values[position : position + size].reshape(shape)
            position += size
        yield pytest.param(kind, said, arrays, id=f"{kind} {said}")


def onnx_options(kind, said):
    """Our options for the attributes of an operator."""
    options = {"gate_clip": said["clip"]} if "clip" in said else {}
    if kind == "GRU":
        options["reset_after"] = bool(said.get("linear_before_reset"))
    if kind == "LSTM":
        options |= {"coupled": bool(said.get("input_forget")), "peephole": "P" in said}
    names = [ONNX_NAMES.get(name, name.lower()) for name in said.get("activations", [])]
    return options | dict(zip(ONNX_PLACES[kind], names, strict=False))


@pytest.mark.parametrize(("kind", "said", "arrays"), list(onnx_cases()))
def test_options_mean_what_the_attributes_of_onnx_mean(kind, said, arrays):
    order = {"RNN": "h", "GRU": "rzn", "LSTM": "igo" if said.get("input_forget") else "ifgo"}[kind]

    def rows(array, had, wanted):
        blocks = dict(zip(had, np.split(array, len(had)), strict=True))
        return np.concatenate([blocks[gate] for gate in wanted])

    w, r = (rows(arrays[name][0], ONNX_ORDER[kind], order) for name in "WR")
    biases = [rows(half, ONNX_ORDER[kind], order) for half in np.split(arrays["B"][0], 2)]
    state = {"weight_ih_l0": w, "weight_hh_l0": r, "bias_ih_l0": biases[0], "bias_hh_l0": biases[1]}
    if "P" in said:
        state["weight_peephole_l0"] = rows(arrays["P"][0], "iof", order.replace("g", ""))
    layer = {"RNN": RNN, "GRU": GRU, "LSTM": LSTM}[kind](2, 3, **onnx_options(kind, said))
    layer.fused = False
    layer.load_state_dict(state)
    first = tuple(mg.tensor(arrays[name]) for name in ("initial_h", "initial_c") if name in arrays)
    output, last = layer(mg.tensor(arrays["X"]), first if len(first) > 1 else first[0])
    np.testing.assert_allclose(output.numpy(), arrays["Y"][:, 0], rtol=1e-5, atol=2e-6)
    for part, name in zip(parts_of(last), ("Y_h", "Y_c"), strict=False):
        np.testing.assert_allclose(part.numpy(), arrays[name], rtol=1e-5, atol=2e-6)
    weights = {name: arrays[name] for name in "WRBP" if name in arrays}
    converted = convert.layer_from_onnx(kind.lower(), weights, {name: v for name, v in said.items() if name != "P"})
    assert converted.recurrence == layer.recurrence
    for name, value in layer.state_dict().items():
        assert np.array_equal(converted.state_dict()[name].numpy(), value.numpy())


# ---- errors, reports, saving -------------------------------------------------------------------------------------

WRONG = [
    ({"nonlinearity": ["tanh"]}, r"nonlinearity is one of .*, not \['tanh'\]"),
    ({"nonlinearity": "tahn"}, r'nonlinearity is one of "tanh", .*"hardsigmoid_onnx".*, not \'tahn\''),
    ({"gate_nonlinearity": "hard_sigmoid"}, "gate_nonlinearity is one of"),
    ({"output_nonlinearity": None}, "output_nonlinearity is one of .* not None"),
    ({"cell_clip": 0.0}, "cell_clip is a limit above 0, or None, not 0.0"),
    ({"gate_clip": -1}, "gate_clip is a limit above 0, or None, not -1"),
    ({"gate_clip": float("nan")}, "gate_clip is a limit above 0"),
    ({"gate_clip": "1"}, "gate_clip is a limit above 0, or None, not '1'"),
    ({"layer_norm": True}, 'layer_norm is None, "ba" or "torch", not True'),
    ({"forget_bias": "1"}, "forget_bias is a number, or None, not '1'"),
    ({"coupled": True, "forget_bias": 1.0}, "coupled gates leave no forget gate for forget_bias"),
    ({"bias": False, "forget_bias": 1.0}, "forget_bias needs a bias; this one has bias=False"),
    ({"batch_norm": True}, "batch_norm is for how many steps .*, not True"),
    ({"batch_norm": -1}, "not -1"),
    ({"batch_norm": 2.5}, "not 2.5"),
    ({"batch_norm": 2, "layer_norm": "ba"}, "layer_norm and batch_norm normalise the same; choose one"),
    ({"time_skips": 2}, r"time_skips is a tuple of whole numbers of steps from 2, such as \(2, 4\), not 2"),
    ({"time_skips": (1,)}, r"not \(1,\); one step back is what every recurrent network sees"),
    ({"init": "glorot"}, "init is one of 'torch', 'keras', 'identity', not 'glorot'"),
    ({"zoneout": 1.5}, "zoneout=1.5 must be a probability, from 0 to 1, or one each for h, c"),
    ({"zoneout": (0.1, 0.2, 0.3)}, "one each for h, c"),
    ({"zoneout": "0.1"}, "zoneout='0.1' must be a probability"),
    ({"zoneout": True}, "zoneout=True must be a probability"),
    ({"cell_clip": True}, "cell_clip is a limit above 0, or None, not True"),
    ({"variational": (0.1, 0.2)}, "one each for input, hidden, output"),
    ({"variational": -0.1}, "variational=-0.1 must be a probability"),
    ({"weight_dropout": float("nan")}, "weight_dropout=nan must be a probability"),
]


@pytest.mark.parametrize("kind", [LSTM, LSTMCell])
@pytest.mark.parametrize(("options", "told"), WRONG, ids=str)
def test_wrong_values_are_explained(kind, options, told):
    with pytest.raises(mg.MinigradError, match=told):
        kind(2, 3, **options)


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        (GRU, {"update_gate": "old"}, 'update_gate is "keep" or "new"'),
        (GRU, {"layer_norm": "torch"}, 'GRU: layer_norm is None or "ba", not \'torch\''),
        (RNN, {"layer_norm": "torch"}, 'RNN: layer_norm is None or "ba", not \'torch\''),
        (RNNCell, {"zoneout": (0.1, 0.2)}, "or one each for h"),
        (RNN, {"batch_norm": 2, "layer_norm": "ba"}, "choose one"),
    ],
)
def test_wrong_values_of_other_kinds_are_explained(kind, options, told):
    with pytest.raises(mg.MinigradError, match=told):
        kind(2, 3, **options)


@pytest.mark.parametrize(
    ("kind", "option", "told"),
    [
        (LSTM, "peepholes", r"no option peepholes; did you mean peephole\?\n  options: .*zoneout.*residual"),
        (GRUCell, "reset_afer", r"GRUCell: there is no option reset_afer; did you mean reset_after\?"),
        (GRU, "peephole", "GRU: there is no option peephole"),
        (LSTMCell, "residual", "LSTMCell: there is no option residual"),
        (RNN, "proj_size", "RNN: there is no option proj_size"),
    ],
)
def test_unknown_options_are_refused_with_a_guess(kind, option, told):
    with pytest.raises(TypeError, match=told):
        kind(2, 3, **{option: 1})


def test_sizes_are_whole_numbers():
    with pytest.raises(mg.ShapeError, match=r"LSTM: hidden_size must be a whole number, not 2\.5"):
        LSTM(2, 2.5)
    with pytest.raises(mg.ShapeError, match="GRUCell: input_size must be a whole number, not True"):
        GRUCell(True, 3)


def test_probabilities_may_be_listed():
    layer = LSTM(2, 3, zoneout=[0.1, 0.2], variational=[0.1, 0.2, 0.3])
    assert "variational=(0.1, 0.2, 0.3), zoneout=(0.1, 0.2)" in repr(layer)
    layer(mg.ones(2, 1, 2))


def test_batch_norm_says_what_it_cannot_do():
    with pytest.raises(mg.ShapeError, match="at least two sequences at once, or call eval"):
        LSTM(2, 3, batch_norm=2)(mg.ones(4, 1, 2))
    with pytest.raises(mg.ShapeError, match="at least two sequences"):
        LSTMCell(2, 3, batch_norm=2)(mg.ones(2))
    with pytest.raises(mg.MinigradError, match=r"a stream does not say at which step it is\n  hint: .*t=\.\.\."):
        GRU(2, 3, batch_norm=2).eval().step(mg.ones(1, 2))


NOISY = {"zoneout": (0.1, 0.2), "variational": (0.1, 0.2, 0.3), "weight_dropout": 0.4}
SAVED = [
    *CASES,
    *[(kind, {**options, "batch_norm": 3}) for kind, options in BATCH_NORM],
    (LSTM, NOISY),
    (LSTM, {"proj_size": 2, "num_layers": 2, "residual": True, "init": "keras"}),
    (GRU, {"bidirectional": True, "merge_mode": "sum", "highway": True, "num_layers": 3, "learn_initial_state": True}),
]


@pytest.mark.parametrize(("kind", "options"), SAVED, ids=str)
def test_what_repr_shows_makes_the_same_layer_and_a_saved_state_fills_it(kind, options):
    layer = filled(kind(3, 4, **options))
    again = eval(f"kind({layer.extra_repr()})", {"kind": kind}).double()  # noqa: S307 - made here
    assert repr(again) == repr(layer)
    for made in ("recurrence", "noise", "wiring"):
        assert getattr(again, made) == getattr(layer, made)
    again.load_state_dict(layer.state_dict())
    x = mg.randn(4, 3, 3).double()
    same(again.eval()(x)[0], layer.eval()(x)[0], 0)


@pytest.mark.parametrize(("steps", "rows"), [(0, 2), (3, 0), (0, 0)])
@pytest.mark.parametrize(("kind", "options"), SAVED, ids=str)
def test_no_steps_and_no_rows(kind, options, steps, rows):
    layer = layer_of(kind, options)
    for layer.training in (True, False):
        for lengths in (None, [0] * rows):
            x = mg.zeros(steps, rows, 3, dtype=mg.float64)
            output, last, every = layer(x, lengths=lengths, return_all_states=True)
            assert output.shape[:2] == parts_of(every)[0].shape[1:3] == (steps, rows)
            assert parts_of(last)[0].shape[1] == rows


def test_repr_tells_what_is_not_as_usual():
    assert repr(LSTM(2, 3)).split("  ")[0] == "LSTM(2, 3)"
    shown = repr(LSTMCell(2, 3, peephole=True, gate_clip=0.5, zoneout=(0.1, 0.0)))
    assert shown.split("  ")[0] == "LSTMCell(2, 3, peephole=True, gate_clip=0.5, zoneout=(0.1, 0.0))"
    shown = repr(GRU(2, 3, reset_after=False, layer_norm="ba"))
    assert shown.split("  ")[0] == "GRU(2, 3, reset_after=False, layer_norm='ba')"


@pytest.mark.parametrize(("kind", "options"), SAVED, ids=str)
def test_contract(kind, options):
    layer = kind(2, 3, **options)
    assert check_module(layer, mg.randn(3, 2, 2), directional=True)
    if layer.num_layers == 1 and not layer.bidirectional and not getattr(layer, "proj_size", 0):
        assert check_module(CELLS[kind](2, 3, **options), mg.randn(2, 2), directional=True)


@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
@pytest.mark.parametrize(("kind", "options"), SAVED, ids=str)
def test_the_dtype_is_kept(kind, options, dtype):
    layer = kind(2, 3, **options, dtype=dtype)
    for layer.training in (True, False):
        output, last = layer(mg.randn(3, 2, 2, dtype=dtype), lengths=[3, 2])
        assert {y.dtype for y in (output, *parts_of(last))} == {np.dtype(dtype)}


@pytest.mark.parametrize(("kind", "options"), SAVED, ids=str)
def test_the_same_on_a_device(cuda, kind, options):
    """Two steps of training and one of evaluation, the gradients too."""
    host = layer_of(kind, {k: v for k, v in options.items() if k not in NOISY})
    there = layer_of(kind, {k: v for k, v in options.items() if k not in NOISY}).to("cuda")
    xs, _ = drawn(host)
    for training in (True, True, False):
        results = []
        for layer, x in ((host, mg.tensor(xs)), (there, mg.tensor(xs, device="cuda"))):
            layer.train(training)
            output, last = layer(x, lengths=[5, 2, 4])
            gradients = mg.grad(output.square().sum(), list(layer.parameters()))
            results.append([output, *parts_of(last), *gradients, *layer.state_dict().values()])
        for a, b in zip(*results, strict=True):
            assert b.device == "cuda:0"
            same(a, b)
