"""Seeing inside recurrent networks: gradient flow, gates, counts, and where a NaN comes from."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

import minigrad as mg
from minigrad_rnn import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell, pack_sequence, unrolled
from minigrad_rnn.cells.watch import show
from minigrad_rnn.inspect import count_parameters, gate_trace, gradient_flow
from minigrad_rnn.layers import RecurrentLayer, StackedCells

KINDS = [RNN, LSTM, GRU]


class Model(mg.nn.Module):
    def __init__(self, kind=LSTM, **options):
        self.lstm = kind(3, 4, **options)
        self.head = mg.nn.Linear(8 if options.get("bidirectional") else 4, 1)

    def forward(self, x, **given):
        return self.head(self.lstm(x, **given)[0])


def inputs(steps=6, rows=2, features=3):
    return mg.tensor(np.random.default_rng(0).normal(size=(steps, rows, features)).astype("f4"))


def norm(array):
    return float(np.linalg.norm(array.numpy().astype("f8")))


def linear_rnn(factor, steps, kind=RNN, **options):
    """One unit, no squashing: every step multiplies the gradient by ``factor``."""
    rnn = kind(1, 1, nonlinearity="relu", bias=False, **options)
    for name, weight in rnn.named_parameters():
        weight.data = np.full_like(weight.numpy(), factor if "hh" in name else 1.0)
    return rnn, mg.ones(steps, 1, 1)


# ---- gradient flow -----------------------------------------------------------------------------------------------


def test_flow_of_a_linear_recurrence_is_a_power_of_its_weight():
    rnn, x = linear_rnn(0.5, 5)
    flow = gradient_flow(lambda: rnn(x)[0][-1].sum(), rnn)
    (line,) = flow.lines
    assert line == ("rnn.layer0", "h", 1, False, (0, 1, 2, 3, 4), (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0), "float32")
    assert (line.far, line.near, line.rate) == (1 / 16, 1.0, 0.5)
    assert flow.flags() == []
    assert all(p.grad is None for p in rnn.parameters())


def test_flow_from_the_end_runs_the_other_way():
    rnn, x = linear_rnn(0.5, 4, bidirectional=True)
    flow = gradient_flow(lambda: rnn(x)[0][0, :, 1].sum(), rnn)
    line = flow["rnn.layer0.bwd", "h"]
    assert line.reverse
    assert line.norms == (1.0, 0.5, 0.25, 0.125)
    assert (line.far, line.rate) == (0.125, 0.5)
    assert flow["rnn.layer0.fwd", "h"].norms == (0.0, 0.0, 0.0, 0.0)
    assert [(flag.kind, flag.where) for flag in flow.flags()] == [
        ("no gradient", "rnn.layer0.fwd h"),
        ("no gradient", "weight_ih_l0"),
        ("no gradient", "weight_hh_l0"),
    ]


@pytest.mark.parametrize("lengths", [None, [6, 3]])
@pytest.mark.parametrize("kind", KINDS)
def test_flow_is_the_gradient_by_the_states_of_a_hand_written_loop(kind, lengths):
    layer, x = kind(3, 4), inputs()
    flow = gradient_flow(lambda: (layer(x, lengths=lengths)[0] ** 2).sum(), layer)
    cell = {RNN: RNNCell, LSTM: LSTMCell, GRU: GRUCell}[kind](3, 4)
    cell.load_state_dict({name.removesuffix("_l0"): w for name, w in layer.state_dict().items()})
    state, loss, states = None, 0.0, []
    for t in range(6):
        state = cell(x[t], state)
        states.append(state if kind is LSTM else (state,))
        running = np.array([length > t for length in lengths or [6, 6]])[:, None]
        # a row that is over must not feed a gradient back: its later states are not used
        loss = loss + (states[-1][0] ** 2 * mg.tensor(running.astype("f4"))).sum()
    for i, part in enumerate("hc"[: len(states[0])]):
        expected = [norm(g) for g in mg.grad(loss, [s[i] for s in states], retain_graph=True)]
        np.testing.assert_allclose(flow[f"{kind.__name__.lower()}.layer0", part].norms, expected, rtol=1e-5)


def test_flow_has_a_line_for_each_layer_direction_and_part():
    model = Model(num_layers=2, bidirectional=True)
    flow = gradient_flow(lambda: model(inputs()).sum(), model)
    places = [f"model.lstm.layer{i}.{way}" for i in (0, 1) for way in ("fwd", "bwd")]
    assert [(line.place, line.part) for line in flow.lines] == [(p, "h") for p in places] + [(p, "c") for p in places]
    assert all(line.steps == tuple(range(6)) and all(line.norms) for line in flow.lines)
    assert set(flow.parameters) == {name for name, _ in model.named_parameters()}


def test_flow_of_a_loss_computed_inside_unrolled_leaves_the_graph_usable():
    model = Model()
    with unrolled():
        loss = model(inputs()).sum()
    flow = gradient_flow(loss, model)
    loss.backward()
    for name, parameter in model.named_parameters():
        assert flow.parameters[name] == pytest.approx(norm(parameter.grad))


def test_flow_takes_a_cotangent():
    rnn, x = linear_rnn(0.5, 3)
    flow = gradient_flow(lambda: rnn(x)[0][-1], rnn, gradient=[[4.0]])
    assert flow.lines[0].norms == (1.0, 2.0, 4.0)


@pytest.mark.parametrize("options", [{"proj_size": 2}, {"layer_norm": "ba"}, {"zoneout": 0.5}, {"peephole": True}])
def test_flow_finds_the_state_whatever_the_options(options):
    layer = LSTM(3, 4, **options)
    flow = gradient_flow(lambda: layer(inputs())[0].sum(), layer)
    steps = 5 if "zoneout" in options else 6  # the last cell to have been mixed with the one before is not used
    assert [(line.place, line.part, len(line.steps)) for line in flow.lines] == [
        ("lstm.layer0", "h", 6), ("lstm.layer0", "c", steps),
    ]  # fmt: skip


def test_vanishing_and_exploding_are_flagged_at_the_thresholds_given():
    for factor, kind in ((0.4, "vanishing"), (2.5, "exploding")):
        rnn, x = linear_rnn(factor, 9)  # 0.4 ** 8 is 6.6e-4
        loss = lambda rnn=rnn, x=x: rnn(x)[0][-1].sum()
        (flag,) = gradient_flow(loss, rnn).flags()
        assert (flag.kind, flag.where) == (kind, "rnn.layer0 h")
        assert gradient_flow(loss, rnn, vanishing=1e-4, exploding=1e4).flags() == []
    assert flag.told == "‖g‖ grows from 1 to 1.5e+03 at t=0"


def test_a_layer_below_that_is_told_less_and_less_is_not_taken_for_exploding():
    # its direction from the end is handed a gradient that dwindles towards t=0, which is where it runs last
    rnn = RNN(3, 4, 2, bidirectional=True)
    flow = gradient_flow(lambda: rnn(inputs(60))[0][-1].sum(), rnn)
    assert flow["rnn.layer0.bwd", "h"].rate > 1
    assert {flag.kind for flag in flow.flags()} == {"vanishing", "one step", "no gradient"}


def test_parameters_outside_the_graph_and_frozen_ones():
    model = Model()
    model.unused = mg.nn.Linear(2, 1, bias=False)
    model.lstm.weight_hh_l0.requires_grad = False
    flow = gradient_flow(lambda: model(inputs()).sum(), model)
    assert [tuple(flag)[:2] for flag in flow.flags()] == [("outside the graph", "unused.weight")]
    assert "lstm.weight_hh_l0" not in flow.parameters
    assert re.search(r"unused.weight +outside$", flow.to_text(), re.MULTILINE)


def test_gradients_that_are_not_finite_are_flagged_with_the_step():
    rnn, x = linear_rnn(1e10, 7)
    x = x * 0 + mg.tensor([1e-38, 0, 0, 0, 0, 0, 0]).reshape(7, 1, 1)  # forward stays within 1e22
    with np.errstate(over="ignore", invalid="ignore"):
        flow = gradient_flow(lambda: rnn(x)[0][-1].sum(), rnn)  # 1 at t=6, 1e30 at t=3, too much at t=2
    line, *parameters = flow.flags()
    assert line == ("not finite", "rnn.layer0 h", "from t=2 on, on the way back")
    assert {flag.kind for flag in parameters} == {"not finite"}
    assert json.loads(flow.to_json())["lines"][0]["norms"][0] == "inf"
    assert "not finite" in flow.to_text()


def test_flow_on_the_fused_path_is_refused_with_a_remedy():
    model = Model()
    with pytest.raises(mg.GraphError, match=r"ran as one op: model.lstm.layer0 \(lstm_sequence\)\n  hint: hand over a"):
        gradient_flow(model(inputs()).sum(), model)


def test_flow_tells_which_layers_it_cannot_see():
    a, b = RNN(3, 3), RNN(3, 3)
    a.fused = False
    flow = gradient_flow(b(a(inputs())[0])[0].sum())
    assert flow.fused == ("rnn.layer0 (rnn_sequence)",)
    assert "not shown, because it ran as one op: rnn.layer0" in str(flow)


def test_flow_refuses_what_it_cannot_use():
    model = Model()
    with unrolled():
        loss = model(inputs()).sum()
    loss.backward()
    with pytest.raises(mg.GraphError, match=r"freed by the backward at test_inspect_rnn.py:\d+\n  hint: call grad"):
        gradient_flow(loss, model)
    with pytest.raises(mg.GraphError, match="needs a gradient of that shape"):
        gradient_flow(lambda: model(inputs()))
    with pytest.raises(mg.GraphError, match="no op recorded it"):
        gradient_flow(mg.ones(1))
    with pytest.raises(mg.GraphError, match="takes a tensor"):
        gradient_flow(lambda: 3.0)
    with pytest.raises(TypeError, match="the loss first, then the model; the first is a Model"):
        gradient_flow(model, loss)
    with pytest.raises(TypeError, match="model is a module, not str"):
        gradient_flow(lambda: model(inputs()).sum(), "model")
    with pytest.raises(mg.GraphError, match=r"no state of a recurrent layer.*\n  hint: in loops of your own"):
        gradient_flow(mg.nn.Linear(3, 1)(inputs()).sum())
    rnn, x = linear_rnn(1.0, 2)
    flow = gradient_flow(lambda: rnn(x)[0].sum())
    with pytest.raises(KeyError, match=r"\('rnn.layer0', 'c'\); there are \('rnn.layer0', 'h'\)"):
        flow["rnn.layer0", "c"]


def test_a_layer_called_twice_has_a_line_for_each_call_and_a_stream_has_one():
    rnn, x = linear_rnn(0.5, 3)
    flow = gradient_flow(lambda: (rnn(x)[0][-1] + 2 * rnn(x)[0][-1]).sum(), rnn)
    assert [(line.call, line.norms) for line in flow.lines] == [(1, (0.25, 0.5, 1.0)), (2, (0.5, 1.0, 2.0))]
    assert "rnn.layer0 (call 2): " in str(flow)

    def stream():
        state = None
        for t in range(3):
            y, state = rnn.step(x[t], state)
        return y.sum()

    (line,) = gradient_flow(stream, rnn).lines
    assert line[:6] == ("rnn.layer0", "h", 1, False, (0, 1, 2), (0.25, 0.5, 1.0))


def test_loops_of_ones_own():
    cell, other, x = RNNCell(3, 3), RNNCell(3, 3), inputs()

    class Two(mg.nn.Module):
        def __init__(self):
            self.a, self.b = cell, other

        def forward(self, x):
            h = g = mg.zeros(2, 3)
            for t in range(6):
                with mg.scope(step=t):
                    h = self.a(x[t], h)
                    g = self.b(h, g)
            return g.sum()

    model = Two()
    flow = gradient_flow(lambda: model(x), model)
    assert [(line.place, line.part, len(line.steps)) for line in flow.lines] == [("two.a", "h", 6), ("two.b", "h", 6)]
    w = mg.tensor([[0.5]], requires_grad=True)
    h = mg.ones(1, 1)
    for t in range(3):
        with mg.scope("mine", step=t):
            h = h @ w
            h.name = "hidden"
    (line,) = gradient_flow(h.sum()).lines
    assert line[:6] == ("mine", "hidden", 1, False, (0, 1, 2), (0.25, 0.5, 1.0))


def test_nested_steps_are_counted_through():
    rnn, x = linear_rnn(0.5, 4)

    def chunks():
        state = None
        for k in range(2):
            with mg.scope("chunk", step=k):
                y, state = rnn(x[2 * k : 2 * k + 2], state)
        return y[-1].sum()

    (line,) = gradient_flow(chunks).lines
    assert line[:6] == ("chunk.rnn.layer0", "h", 1, False, (0, 1, 2, 3), (0.125, 0.25, 0.5, 1.0))


def test_names_given_by_the_user_stay():
    class Cell(mg.nn.Module):
        def __init__(self):
            self.weight = mg.nn.Parameter(mg.ones(2, 2))

        def forward(self, x, h):
            h = (x + h) @ self.weight
            h.name = "mine"
            return h

    h = Cell()(mg.ones(1, 2), mg.ones(1, 2))
    leaf = mg.ones(1, 2, requires_grad=True)
    show(LSTM(2, 2).recurrence, (h, leaf))
    assert (h.name, leaf.name) == ("mine", None)


def test_the_table_is_compact_and_says_what_it_leaves_out():
    rnn, x = linear_rnn(0.5, 30)
    flow = gradient_flow(lambda: rnn(x)[0][-1].sum(), rnn)
    lines = flow.to_text(steps=4).splitlines()
    assert lines[0] == "rnn.layer0: h ×0.5 at every step back"
    assert lines[1].split() == ["t", "‖∂L/∂h‖", "log"]
    assert [line.split()[0] for line in lines[2:6]] == ["0", "10", "19", "29"]
    bars = [line.count("█") for line in lines[2:6]]
    assert bars[0] == 1
    assert bars == sorted(bars)
    assert bars[-1] == 40
    assert lines[6] == "  (26 of 30 steps left out)"
    assert lines[-1] == "vanishing  rnn.layer0 h  ‖g‖ falls from 1 at t=29 to 1.9e-09 at t=0"
    short = str(gradient_flow(lambda: rnn(x[:3])[0][-1].sum()))
    assert "left out)" not in short
    assert short.endswith("nothing vanishes, explodes or is left out")


def test_flow_as_plain_data_survives_json():
    model = Model(num_layers=2)
    flow = gradient_flow(lambda: model(inputs()).sum(), model)
    data = json.loads(flow.to_json())
    assert data == json.loads(json.dumps(flow.to_dict()))
    assert data["lines"][0]["norms"] == list(flow.lines[0].norms)
    assert set(data) == {"lines", "parameters", "fused", "flags", "note"}


def test_flow_on_a_device(cuda):
    host = Model(num_layers=2, bidirectional=True)
    model = Model(num_layers=2, bidirectional=True)
    model.load_state_dict(host.state_dict())
    model.to("cuda")
    x = inputs()
    expected = gradient_flow(lambda: host(x, lengths=[6, 4]).sum(), host)
    found = gradient_flow(lambda: model(x.to("cuda"), lengths=[6, 4]).sum(), model)
    for a, b in zip(expected.lines, found.lines, strict=True):
        np.testing.assert_allclose(a.norms, b.norms, rtol=1e-5)


# ---- gates -------------------------------------------------------------------------------------------------------


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lstm_gates(layer, x, reverse=False):
    """By the equations, in NumPy."""
    end = "_l0" + "_reverse" * reverse
    w, u, b, d = (vars(layer)[name + end].numpy() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h = c = np.zeros((x.shape[1], u.shape[1]))
    names = ("input_gate", "forget_gate", "candidate", "output_gate", "cell", "h", "c")
    found = {name: [] for name in names}
    for x_t in x[::-1] if reverse else x:
        i, f, g, o = np.split(x_t @ w.T + b + h @ u.T + d, 4, -1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        for name, value in zip(names, (i, f, g, o, c, h, c), strict=True):
            found[name].append(value)
    return {name: np.array(values[::-1] if reverse else values) for name, values in found.items()}


@pytest.mark.parametrize("fused", [True, False])
def test_gates_of_an_lstm_are_those_of_the_equations_in_both_directions(fused):
    layer, x = LSTM(3, 4, bidirectional=True).double(), inputs().double()
    layer.fused = fused
    trace = gate_trace(layer, x)
    assert trace.places() == ["layer0.fwd", "layer0.bwd"]
    for place, reverse in (("layer0.fwd", False), ("layer0.bwd", True)):
        expected = lstm_gates(layer, x.numpy(), reverse)
        found = trace.gates(place)
        assert set(found) == set(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-12, atol=1e-14)
    output, _ = trace.result
    assert not output.requires_grad
    assert np.array_equal(output.numpy(), np.concatenate([trace["layer0.fwd", "h"], trace["layer0.bwd", "h"]], -1))


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("update_gate", ["keep", "new"])
def test_gates_of_a_gru_reproduce_its_state(reset_after, update_gate):
    layer, x = GRU(3, 4, reset_after=reset_after, update_gate=update_gate).double(), inputs().double()
    gates = gate_trace(layer, x).gates("layer0")
    assert set(gates) == {"reset_gate", "update_gate", "candidate", "h"}
    before = np.concatenate([np.zeros((1, 2, 4)), gates["h"][:-1]])
    z, n = gates["update_gate"], gates["candidate"]
    kept = z if update_gate == "keep" else 1 - z
    np.testing.assert_allclose(gates["h"], kept * before + (1 - kept) * n, rtol=1e-12)


def test_gates_are_nan_where_a_row_is_over():
    layer, x, lengths = LSTM(3, 4, 2, bidirectional=True), inputs(), [2, 6]
    trace = gate_trace(layer, x, lengths=lengths)
    alone = gate_trace(layer, x[:2, :1])
    for key, array in trace.items():
        assert np.isnan(array[2:, 0]).all()
        assert not np.isnan(array[:, 1]).any()
        np.testing.assert_allclose(array[:2, :1], alone[key], rtol=1e-5, atol=1e-7)


def test_gates_under_a_mask_with_gaps_and_batch_first():
    layer, x = GRU(3, 4, batch_first=True), inputs()
    mask = np.array([[1, 0, 1, 1, 0, 1], [1, 1, 1, 1, 1, 1]], bool)
    trace = gate_trace(layer, x.transpose(0, 1), mask=mask)
    array = trace["layer0", "update_gate"]
    assert array.shape == (6, 2, 4)
    assert np.array_equal(np.isnan(array[..., 0]), ~mask.T)


def test_gates_of_a_cell_are_one_step():
    trace = gate_trace(LSTMCell(3, 4), inputs()[0])
    assert set(trace.gates("")) == {"input_gate", "forget_gate", "candidate", "output_gate", "cell", "h", "c"}
    assert {array.shape for array in trace.values()} == {(1, 2, 4)}


def test_gates_in_a_whole_model_go_by_the_path_inside_it():
    trace = gate_trace(Model(GRU, num_layers=2), inputs())
    assert trace.places() == ["lstm.layer0", "lstm.layer1"]
    with mg.scope("elsewhere", step=3):
        assert gate_trace(GRU(3, 4), inputs()).places() == ["layer0"]


def test_gates_of_ones_own_cell_and_those_that_act_at_some_steps():
    class Sometimes(mg.nn.Module):
        def forward(self, x):
            h = x[0] * 0
            for t in range(4):
                with mg.scope(step=t):
                    with mg.scope("gate"):
                        g = x[t].sigmoid()
                    if t % 2:
                        with mg.scope("slow"):
                            h = h + g
            return h

    x = inputs(4)
    trace = gate_trace(Sometimes(), x)
    np.testing.assert_allclose(trace["", "gate"], sigmoid(x.numpy()), rtol=1e-6)
    assert [bool(np.isnan(row).all()) for row in trace["", "slow"]] == [True, False, True, False]
    traced_function = gate_trace(lambda: Sometimes()(x))
    assert traced_function.places() == ["sometimes"]


class Leaky(mg.nn.Module):
    parts = ("h", "m")

    def __init__(self, inputs, hidden):
        self.hidden_size = hidden
        self.both = mg.nn.Linear(inputs + hidden, hidden)

    def forward(self, x, state):
        h, m = state
        with mg.scope("keep_gate"):
            keep = self.both(mg.concat([x, h], -1)).sigmoid()
        h = keep * h + (1 - keep) * x.sum(-1, keepdim=True)
        return h, m * 0.5 + h


def test_a_layer_of_ones_own_cells_is_seen_like_any_other():
    layer = RecurrentLayer([Leaky(3, 5), Leaky(10, 5)], backward=[Leaky(3, 5), Leaky(10, 5)])
    x, lengths = inputs(), [6, 3]
    trace = gate_trace(layer, x, lengths=lengths)
    places = [f"layer{i}.{way}" for i in (0, 1) for way in ("fwd", "bwd")]
    assert trace.places() == places
    gates = trace.gates("layer0.bwd")
    assert set(gates) == {"keep_gate", "keep_gate.both", "h", "m"}
    np.testing.assert_allclose(gates["keep_gate"], sigmoid(gates["keep_gate.both"]), rtol=1e-6)
    assert np.array_equal(np.isnan(gates["keep_gate"][..., 0]), np.arange(6)[:, None] >= np.array(lengths))
    flow = gradient_flow(lambda: sum(part.sum() for part in layer(x, lengths=lengths)[1]), layer)
    assert {(line.place, line.part) for line in flow.lines} == {
        (f"recurrentlayer.{place}", part) for place in places for part in "hm"
    }
    x = x.numpy().copy()
    x[4, 0, 1] = math.inf
    message = report(lambda: layer(mg.tensor(x), lengths=lengths))
    assert "in recurrentlayer.layer0.fwd/t=4/cells[0]/keep_gate" in report(lambda: layer(mg.tensor(x)))
    assert "  that is recurrentlayer.layer0.fwd/t=4\n  the input has inf there already: step 4, row 0" in message


def test_cells_on_top_of_each_other_have_gates_by_cell():
    trace = gate_trace(RecurrentLayer(StackedCells([LSTMCell(3, 5), GRUCell(5, 4)])), inputs())
    assert trace["layer0", "cells[0].forget_gate"].shape == (6, 2, 5)
    assert trace["layer0", "cells[1].update_gate"].shape == (6, 2, 4)
    np.testing.assert_array_equal(trace["layer0", "h1"], trace.result[0].numpy())


def test_what_is_remembered_of_the_past_is_no_part_to_look_at():
    layer = RNN(3, 4, time_skips=(2, 3))
    assert set(gate_trace(layer, inputs()).gates("layer0")) == {"time_skips", "h"}
    assert [line.part for line in gradient_flow(lambda: layer(inputs())[0].sum()).lines] == ["h"]


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"bidirectional": True, "merge_mode": "none"}])
def test_gates_of_a_highway_between_layers(options):
    layer, x, lengths = GRU(4, 4, 3, highway=True, **options).double(), inputs(6, 2, 4).double(), [6, 3]
    trace = gate_trace(layer, x, lengths=lengths)
    streams = {"": ""}
    if options:
        streams = {".fwd": "", ".bwd": "_reverse"} if "merge_mode" in options else {"": ""}
    places = [f"highway{i}{way}" for i in (1, 2) for way in streams]
    assert [place for place in trace.places() if "highway" in place] == places
    running = np.arange(6)[:, None] < np.array(lengths)
    for way, end in streams.items():
        ways = [way] if way or not options else [".fwd", ".bwd"]
        h = np.concatenate([trace[f"layer0{one}", "h"] for one in ways], -1)
        weight, bias = (getattr(layer, f"{name}_highway_l1{end}").numpy() for name in ("weight", "bias"))
        gate = trace[f"highway1{way}", "transform_gate"]
        assert np.array_equal(np.isnan(gate[..., 0]), ~running)
        np.testing.assert_allclose(gate[running], sigmoid(h @ weight.T + bias)[running], rtol=1e-12)
    inside = gate_trace(lambda: layer(x))  # in something else, its place is longer
    assert ("gru.highway2" + next(iter(streams)), "transform_gate") in inside


def test_gate_trace_says_what_is_missing():
    with pytest.raises(mg.MinigradError, match=r"nothing in Linear ran in a scope inside a time step\n  hint"):
        gate_trace(mg.nn.Linear(3, 2), inputs())
    with pytest.raises(mg.MinigradError, match="needs at least one step"):
        gate_trace(LSTM(3, 4), mg.zeros(0, 2, 3))
    with pytest.raises(TypeError, match="takes a layer, and then what to call it with; not Tensor"):
        gate_trace(inputs())
    trace = gate_trace(GRU(3, 4), inputs())
    with pytest.raises(KeyError, match=r"there are \('layer0', 'reset_gate'\)"):
        trace["layer0", "forget_gate"]
    assert len(trace) == 4


def test_the_table_of_gates():
    head, *rows = str(gate_trace(GRU(3, 4), inputs(), lengths=[0, 0])).splitlines()
    assert head.split() == ["place", "gate", "shape", "mean", "std", "min", "max"]
    assert rows[0].split()[-4:] == ["nan"] * 4
    assert len(rows) == 4


def test_gates_on_a_device(cuda):
    layer, x = LSTM(3, 4, bidirectional=True), inputs()
    expected = gate_trace(layer, x, lengths=[6, 2])
    found = gate_trace(layer.to("cuda"), x.to("cuda"), lengths=[6, 2])
    assert list(found) == list(expected)
    for key, array in expected.items():
        np.testing.assert_allclose(found[key], array, rtol=1e-5, atol=1e-7)


# ---- counts ------------------------------------------------------------------------------------------------------


def test_parameters_by_part_and_kind():
    model = Model(num_layers=2, bidirectional=True)
    counts = count_parameters(model)
    parts = [f"lstm.layer{i}.{way}" for i in (0, 1) for way in ("fwd", "bwd")]
    assert list(counts.by_part()) == [*parts, "head"]
    assert counts.by_part() == {
        parts[0]: 16 * (3 + 4 + 2), parts[1]: 16 * (3 + 4 + 2), parts[2]: 16 * (8 + 4 + 2),
        parts[3]: 16 * (8 + 4 + 2), "head": 9,
    }  # fmt: skip
    assert counts.by_kind()["recurrent weights"] == 4 * 16 * 4
    assert counts.total == counts.trainable == model.count_parameters()


def test_frozen_and_shared_parameters():
    model = Model()
    model.tied = model.head
    model.lstm.weight_hh_l0.requires_grad = False
    model.lstm.bias_ih_l0.requires_grad = False
    counts = count_parameters(model)
    assert counts.total == model.count_parameters()
    assert counts.trainable == counts.total - 64 - 16
    text = str(counts)
    assert re.search(r"recurrent weights +64 .* frozen$", text, re.MULTILINE)
    assert re.search(r"biases +32 .* 16 frozen$", text, re.MULTILINE)
    assert re.search(r"^total +\d+ +80 frozen$", text, re.MULTILINE)
    assert json.loads(json.dumps(counts.to_dict()))["trainable"] == counts.trainable


def test_options_have_kinds_of_their_own():
    layer = LSTM(3, 4, 2, peephole=True, proj_size=2, learn_initial_state=True, highway=True)
    kinds = count_parameters(layer).by_kind()
    assert kinds["peepholes"] == 2 * 12
    assert kinds["projection"] == 2 * 8
    assert kinds["initial state"] == 2 * (2 + 4)
    assert kinds["highway"] == 2 * 2 + 2
    assert "normalisation" in count_parameters(LSTM(3, 4, layer_norm="ba")).by_kind()


def test_counts_of_cells_lists_and_nothing():
    assert count_parameters(GRUCell(3, 4)).by_part() == {"": 12 * (3 + 4 + 2)}
    module = mg.nn.Module()
    module.gains = [mg.nn.Parameter(mg.ones(2)), mg.nn.Parameter(mg.ones(3))]
    assert count_parameters(module).rows == (("", "gains", 5, 5, ("gains.0", "gains.1")),)
    assert count_parameters(mg.nn.Module()).total == 0
    assert str(count_parameters(mg.nn.Module())).splitlines()[-1].split() == ["total", "0"]
    with pytest.raises(TypeError, match="takes a module, not list"):
        count_parameters([])


# ---- the first NaN -----------------------------------------------------------------------------------------------


def report(run):
    with pytest.raises(mg.GraphError) as caught, mg.inspect.detect_anomaly():
        run()
    return str(caught.value)


def poisoned():
    x = inputs(200).numpy().copy()
    x[173, 1, 2] = math.nan
    return mg.tensor(x)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_a_nan_in_the_input_of_step_173(kind, bidirectional, fused):
    model = Model(kind, num_layers=2, bidirectional=bidirectional, batch_first=True)
    model.lstm.fused = fused
    place = "model.lstm.layer0" + ".fwd" * bidirectional
    gates = model.lstm.recurrence.gate_names
    lines = report(lambda: model(poisoned().transpose(0, 1))).splitlines()
    assert lines[1] == f"  that is {place}/t=173 in {', '.join(gates)}"
    assert lines[2] == "  the input has nan there already: step 173, row 1, feature 2"


def test_a_nan_in_the_input_of_a_simple_network():
    lines = report(lambda: RNN(3, 4)(poisoned())).splitlines()
    assert lines[1] == "  that is rnn.layer0/t=173"


def listed(x):
    return [x[:, 0], x[:, 1]]


def packed(x):
    return pack_sequence([x[:50, 0], x[:, 1]])


def padded(x):
    return mg.stack([x[:, 0], x[:, 1]], 1)


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("form", [listed, packed, padded])
def test_a_nan_in_a_list_or_a_packed_batch_is_reported_by_step_and_row(form, inside):
    """Where sequences are put together is not where it went wrong, and 373 rows down there says nothing."""
    layer, made = GRU(3, 4, bidirectional=True), form(poisoned())
    lines = report(lambda: layer(form(poisoned()) if inside else made)).splitlines()
    assert lines[1].startswith("  that is gru.layer0.fwd/t=173")
    assert lines[2] == "  the input has nan there already: step 173, row 1, feature 2"


@pytest.mark.parametrize("given", [{}, {"lengths": [200, 180]}])
def test_a_nan_is_reported_by_step_before_a_variational_mask(given):
    lines = report(lambda: LSTM(3, 4, variational=0.2)(poisoned(), **given)).splitlines()
    assert lines[1] == "  that is lstm.layer0/t=173"
    assert lines[2] == "  the input has nan there already: step 173, row 1, feature 2"


def test_a_highway_gate_that_overflows_names_layer_and_step():
    layer, x = LSTM(4, 4, 2, highway=True), inputs(6, 2, 4).numpy() * 0
    layer.weight_highway_l1.data = np.full((4, 4), 3e38, "f4")
    layer.weight_highway_l1.data[:, 1:] = -3e38
    with mg.no_grad():
        bias = layer.bias_ih_l0.numpy() * 0
        bias[:4], bias[12:] = -50.0, 50.0  # the input gate is shut, the output gate open
        weight = layer.weight_ih_l0.numpy() * 0
        weight[:4, 0], weight[8:12, 0] = 100.0, [3.0, -3.0, -3.0, -3.0]  # but by an input of 1
        for name, value in (("bias_ih_l0", bias), ("bias_hh_l0", bias * 0), ("weight_ih_l0", weight)):
            getattr(layer, name).data = value
        layer.weight_hh_l0.data = layer.weight_hh_l0.numpy() * 0
        x[4, 1, 0] = 1.0
    lines = report(lambda: layer(mg.tensor(x))).splitlines()
    assert lines[1] == "  that is lstm.highway1/t=4, and 1 more after it"


def test_a_nan_in_padding_is_none():
    model = Model(num_layers=2, bidirectional=True, batch_first=True)
    x = poisoned().transpose(0, 1)
    with mg.inspect.detect_anomaly():
        model(x, lengths=[200, 173]).sum().backward()
    assert np.isfinite(model.lstm.weight_ih_l0.grad.numpy()).all()


def test_an_input_weight_that_overflows_names_its_gate():
    model = Model()
    weight = model.lstm.weight_ih_l0.numpy().copy()
    weight[5] = 3e38  # the second row of the forget gate
    model.lstm.weight_ih_l0.data = weight
    x = inputs(200).numpy() * 0
    x[173:175] = 2.0
    lines = report(lambda: model(mg.tensor(x))).splitlines()
    assert lines[1] == "  that is model.lstm.layer0/t=173/forget_gate, and 1 more after it"


@pytest.mark.parametrize(("kind", "gate"), [(LSTM, "forget_gate"), (GRU, "update_gate")])
def test_a_recurrent_weight_that_overflows_names_gate_and_step(kind, gate):
    model = Model(kind, num_layers=2)
    weight = model.lstm.weight_hh_l1.numpy() * 0
    weight[5] = 3e38
    model.lstm.weight_hh_l1.data = weight
    weight_ih = model.lstm.weight_ih_l1.numpy() * 0
    model.lstm.weight_ih_l1.data = weight_ih
    bias = model.lstm.bias_ih_l1.numpy() * 0
    bias[-8 if kind is LSTM else -4 :] = 4.0  # candidate (and output gate) open: h grows step by step
    model.lstm.bias_ih_l1.data = bias
    message = report(lambda: model(inputs(20)))
    assert re.search(rf"that is model\.lstm\.layer1/t=[1-9]\d*/{gate}$", message, re.MULTILINE)


@pytest.mark.parametrize("width", [8, 16])
def test_an_input_that_is_as_wide_as_gates_is_not_taken_for_them(width):
    layer, x = LSTM(width, 4), np.zeros((6, 2, width), "f4")
    x[2, 1, 0] = math.nan
    lines = report(lambda: layer(mg.tensor(x), lengths=[6, 6])).splitlines()
    assert lines[1:3] == ["  that is lstm.layer0/t=2", "  the input has nan there already: step 2, row 1, feature 0"]


def test_an_anomaly_inside_a_gate_goes_by_its_scope():
    layer = LSTM(3, 4, peephole=True)
    weight = layer.weight_peephole_l0.numpy() * 0
    weight[:4] = math.inf
    layer.weight_peephole_l0.data = weight
    message = report(lambda: layer(inputs()))
    assert "in lstm.layer0/t=0/input_gate" in message


def test_an_anomaly_in_a_cell_in_a_loop_of_ones_own():
    cell = LSTMCell(3, 4)
    weight = cell.weight_ih.numpy().copy()
    weight[9] = 3e38
    cell.weight_ih.data = weight

    def loop():
        state = None
        for t in range(200):
            with mg.scope("decoder", step=t):
                state = cell(mg.full((2, 3), 5.0 if t == 173 else 0.0), state)

    assert "  that is decoder/t=173/lstmcell/candidate\n" in report(loop)


def test_a_gradient_that_overflows_names_the_step():
    rnn, x = linear_rnn(1e10, 7)
    x = x * 0 + mg.tensor([1e-38, 0, 0, 0, 0, 0, 0]).reshape(7, 1, 1)  # forward stays within 1e22
    message = report(lambda: rnn(x)[0][-1].sum().backward())  # 1e10 at t=5, 1e20, 1e30 at t=3
    assert message.startswith("the gradient that linear sends to its input x has inf in it")
    assert re.search(r"while differentiating linear, made at \w+\.py:\d+ in rnn\.layer0/t=3$", message)


def test_a_gradient_that_overflows_in_a_gate_names_it():
    lstm, x = LSTM(3, 4), inputs(3)
    state = (mg.zeros(1, 2, 4), mg.full((1, 2, 4), 1e30))
    message = report(lambda: lstm(x, state)[1][1].backward(mg.full((1, 2, 4), 1e20)))
    assert re.search(r"while differentiating mul, made at \w+\.py:\d+ in lstm\.layer0/t=2/cell$", message)


def test_a_nan_born_in_backward_inside_a_gate(scratch_ops):
    @mg.primitive
    def fragile(x, /):
        return x * 1

    mg.defvjp(fragile, x=lambda g, x: g * x / (x - x))

    class Cell(mg.nn.Module):
        def __init__(self):
            self.weight = mg.nn.Parameter(mg.eye(3))

        def forward(self, x):
            h = x[0] * 0
            for t in range(200):
                with mg.scope(step=t), mg.scope("forget_gate"):
                    h = fragile(h + x[t] @ self.weight) if t == 173 else (h + x[t] @ self.weight).tanh()
            return h.sum()

    cell = Cell()
    message = report(lambda: cell(inputs(200)).backward())
    assert message.startswith("the gradient that fragile sends to its input x has")
    assert re.search(r"made at test_inspect_rnn.py:\d+ in cell/t=173/forget_gate$", message)


def test_a_backward_through_the_fused_path_says_how_to_get_the_step():
    lstm = LSTM(3, 4)
    output, _ = lstm(inputs(20))
    message = report(lambda: output.backward(mg.full((20, 2, 4), math.nan)))
    assert "lstm_sequence" in message or "lstm.layer0" in message or "arrived" in message
    assert "hint: run the forward inside detect_anomaly() too" in message


def test_inside_detect_anomaly_the_plan_says_why_it_is_unrolled():
    layer = LSTM(3, 4, 2)
    with mg.inspect.detect_anomaly():
        assert {(row.path, row.reason) for row in layer.plan()} == {
            ("unrolled", "every op is recorded: inside detect_anomaly()")
        }
        with unrolled():
            assert layer.plan()[0].reason == "every op is recorded: inside unrolled()"
    assert layer.plan()[0].path == "fused"


def test_an_anomaly_on_a_device(cuda):
    model = Model(num_layers=2).to("cuda")
    x = poisoned().to("cuda")
    lines = report(lambda: model(x)).splitlines()
    assert lines[1].startswith("  that is model.lstm.layer0/t=173 in input_gate, forget_gate")
    assert lines[2] == "  the input has nan there already: step 173, row 1, feature 2"
