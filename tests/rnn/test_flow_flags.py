"""What a gradient flow says of lines, layers and parameters: rates, flags, notes, and its text."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad_rnn import GRU, LSTM, RNN
from minigrad_rnn.inspect import FlowLine, StepFlow, gradient_flow


def inputs(steps=6, rows=2, features=3):
    return mg.tensor(np.random.default_rng(0).normal(size=(steps, rows, features)).astype("f4"))


def line_of(norms, place="rnn.layer0", part="h", reverse=False, dtype="float32"):
    return FlowLine(place, part, 1, reverse, tuple(range(len(norms))), tuple(norms), dtype)


def flow_of(*lines, **parameters):
    return StepFlow(lines, parameters, ())


def kinds(flow):
    return [(flag.kind, flag.where) for flag in flow.flags()]


# ---- rates -------------------------------------------------------------------------------------------------------


def test_a_rate_goes_no_farther_than_the_dtype_can_tell():
    """In float32 the gradient is nothing but zeros, or the last of its bits, long before the first step."""
    mg.manual_seed(0)
    layer, x = LSTM(3, 8), inputs(400)
    exact = LSTM(3, 8).double()
    exact.load_state_dict({name: weight.double() for name, weight in layer.state_dict().items()})
    found = gradient_flow(lambda: layer(x)[0][-1].square().sum(), layer)
    expected = gradient_flow(lambda: exact(x.double())[0][-1].square().sum(), exact)
    for part in "hc":
        short, whole = found["lstm.layer0", part], expected["lstm.layer0", part]
        assert short.far < short.least
        assert whole.reach == 0 < short.reach
        same = (whole.near / whole.norms[short.reach]) ** (-1 / (399 - short.reach))
        assert short.rate == pytest.approx(same, rel=1e-4)
        assert short.rate == pytest.approx(whole.rate, abs=0.02)
    h, c = (found["lstm.layer0", part] for part in "hc")
    told = f"lstm.layer0: h ×{h.rate:.3g} (to t={h.reach}), c ×{c.rate:.3g} (to t={c.reach}) at every step back"
    assert str(found).splitlines()[0] == told


def test_rates_of_awkward_lines():
    assert line_of([0.0, 1e-40, 1e-30, 1e-20]).rate == pytest.approx(1e-10)
    assert line_of([0.0, 1e-40, 1e-30, 1e-20], dtype="float64").reach == 1
    assert line_of([math.inf, 1e30, 1e15, 1.0]).rate == pytest.approx(1e15)
    assert line_of([1.0, 0.5, 0.25, 0.0], reverse=True).rate == 0.5
    assert line_of([1e300, 1e-300], dtype="float64").rate == math.inf
    assert line_of([math.nan, math.nan]).rate is None
    assert line_of([math.nan, math.nan]).reach is None


@pytest.mark.parametrize("norms", [[1.0], [0.0, 0.0, 1.0], [0.0, 0.0], [1e-40, 1e-40]])
def test_of_a_gradient_that_reaches_one_step_or_none_no_rate_is_told(norms):
    flow = flow_of(line_of(norms))
    assert flow.lines[0].rate is None
    assert str(flow).splitlines()[0] == "rnn.layer0"
    assert json.loads(flow.to_json())["lines"][0]["rate"] is None


# ---- flags -------------------------------------------------------------------------------------------------------


def test_vanishing_through_depth_is_flagged():
    mg.manual_seed(0)
    layer, x = GRU(4, 4, 12), inputs(7, 2, 4)
    flow = gradient_flow(lambda: layer(x)[0][-1].sum(), layer)
    assert max(flow["gru.layer0", "h"].norms) < 1e-3 * flow["gru.layer11", "h"].near
    assert ("vanishing", "gru.layer0 h") in kinds(flow)
    assert ("vanishing", "gru.layer11 h") not in kinds(flow)
    assert "enters above" in str(flow)


def test_what_comes_in_is_compared_with_the_layers_above_of_the_same_part():
    top = line_of([0.5, 1.0], "rnn.layer1")
    assert kinds(flow_of(line_of([5e-4, 4e-4]), top)) == [("vanishing", "rnn.layer0 h")]
    assert kinds(flow_of(line_of([2e-3, 4e-4]), top)) == []
    assert kinds(flow_of(line_of([2e3, 1e3]), top)) == [("exploding", "rnn.layer0 h")]
    assert kinds(flow_of(line_of([5e-4, 4e-4]), line_of([0.5, 1.0], "rnn.layer1", "c"))) == []
    # of two directions on top, one may hardly be used
    both = [line_of([0.5, 1.0], "rnn.layer0.fwd"), line_of([1e-5, 1e-5], "rnn.layer0.bwd", reverse=True)]
    assert kinds(flow_of(*both)) == [("vanishing", "rnn.layer0.bwd h")]
    # a layer that explodes does not make the others vanish
    assert kinds(flow_of(line_of([1e6, 0.5]), top)) == [("exploding", "rnn.layer0 h")]
    # above is a layer to which nothing comes, or what is no number
    assert kinds(flow_of(line_of([0.5, 1.0]), line_of([0.0, 0.0], "rnn.layer1"))) == [("no gradient", "rnn.layer1 h")]
    assert kinds(flow_of(line_of([0.5, 1.0]), line_of([1.0, math.nan], "rnn.layer1"))) == [
        ("not finite", "rnn.layer1 h")
    ]


def test_thresholds_hold_for_depth_too():
    lines = line_of([5e-4, 4e-4]), line_of([0.5, 1.0], "rnn.layer1")
    assert StepFlow(lines, {}, (), vanishing=1e-4).flags() == []


@pytest.mark.parametrize("layers", [1, 2])
def test_the_last_output_of_two_directions_is_flagged(layers):
    mg.manual_seed(0)
    layer, x = LSTM(3, 4, layers, bidirectional=True), inputs()
    flow = gradient_flow(lambda: layer(x)[0][-1].square().sum(), layer)
    top = f"lstm.layer{layers - 1}.bwd"
    assert kinds(flow) == [
        ("one step", f"{top} h"),
        ("one step", f"{top} c"),
        ("no gradient", f"weight_hh_l{layers - 1}_reverse"),
    ]
    assert "only t=5 gets a gradient" in flow.flags()[0].told
    assert "output[-1]" in flow.flags()[0].told
    right = gradient_flow(lambda: layer(x)[1][0].square().sum(), layer)
    assert kinds(right) == []


def test_a_single_step_is_no_mistake():
    layer = GRU(3, 4, bidirectional=True)
    flow = gradient_flow(lambda: layer(inputs(1))[0][-1].sum(), layer)
    assert {line.reverse for line in flow.lines} == {False, True}
    assert flow.flags() == []  # the recurrent weights, whose gradient is zero, met a state of zeros only


def test_parameters_with_a_gradient_of_exactly_zero_are_flagged():
    assert kinds(flow_of(line_of([1.0, 1.0]), a=0.0, b=1e-30, c=None, d=math.inf)) == [
        ("no gradient", "a"),
        ("outside the graph", "c"),
        ("not finite", "d"),
    ]


# ---- the text ----------------------------------------------------------------------------------------------------


def test_what_is_said_of_many_is_said_once_within_80_columns():
    names = {f"encoder.language.lstm.weight_ih_l{i}_reverse": None for i in range(12)}
    flow = flow_of(line_of([1.0, 1.0]), **names)
    text = str(flow)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("nothing computed from it is part of the loss") == 1
    last = text.rsplit("\n\n", maxsplit=1)[-1]
    assert last.startswith("outside the graph: nothing computed from it is part of the loss\n  encoder.language.lstm.")
    assert all(last.count(name) == 1 for name in names)
    alone = str(flow_of(line_of([1.0, 1.0]), x=None)).splitlines()[-1]
    assert alone == "outside the graph  x  nothing computed from it is part of the loss"


def test_a_long_flag_is_broken_behind_its_columns_and_a_long_name_stands_below():
    flow = flow_of(line_of([0.0, 123.0], "model.encoder.lstm.layer11"), p=None)
    assert str(flow).split("\n\n")[-1].splitlines() == [
        "vanishing          model.encoder.lstm.layer11 h  ‖g‖ falls from 1.2e+02 at t=1",
        "                                                 to 0 at t=0",
        "outside the graph  p                             nothing computed from it is",
        "                                                 part of the loss",
    ]
    flow = flow_of(line_of([0.0, 1.0], "model.encoder.recurrent.lstm.layer11.fwd"))
    assert str(flow).splitlines()[-2:] == [
        "vanishing: ‖g‖ falls from 1 at t=1 to 0 at t=0",
        "  model.encoder.recurrent.lstm.layer11.fwd h",
    ]


# ---- when no step is in the graph --------------------------------------------------------------------------------


class Model(mg.nn.Module):
    def __init__(self, cut=False):
        self.a, self.b, self.cut = LSTM(3, 4), mg.nn.Linear(4, 2), cut

    def forward(self, x):
        h = self.a(x)[0][-1]
        return self.b(h.detach() if self.cut else h)


def test_a_layer_that_is_cut_off_is_reported_as_outside_the_graph():
    model = Model(cut=True)
    flow = gradient_flow(lambda: model(inputs()).sum(), model)
    assert flow.lines == ()
    assert {name for name, norm in flow.parameters.items() if norm is None} == {
        f"a.{name}" for name, _ in model.a.named_parameters()
    }
    assert {flag.kind for flag in flow.flags()} == {"outside the graph"}
    assert flow.note.startswith("No step to show: no state of a recurrent layer is in the graph of this loss. It does ")
    text = str(flow)
    assert text.startswith("No step to show: ")
    assert max(map(len, text.splitlines())) <= 80
    assert json.loads(flow.to_json())["note"] == flow.note
    with pytest.raises(KeyError, match="there are none"):
        flow["a.layer0", "h"]
    with pytest.raises(mg.MinigradError, match="nothing to draw: No step to show"):
        flow.plot("never.png")


def test_frozen_recurrent_weights_leave_no_steps_but_a_note():
    model = Model()
    for parameter in model.a.parameters():
        parameter.requires_grad = False
    flow = gradient_flow(lambda: model(inputs()).sum(), model)
    assert (flow.lines, flow.flags()) == ((), [])
    assert flow.note.endswith("loss. What is computed from frozen parameters and inputs alone is not recorded.")
    assert "nothing vanishes" not in str(flow)
    assert set(flow.parameters) == {"b.weight", "b.bias"}
    x = inputs()
    x.requires_grad = True
    assert gradient_flow(lambda: model(x).sum(), model).note == ""


def test_a_loss_that_nothing_recorded_has_all_parameters_outside():
    model = Model()
    flow = gradient_flow(lambda: model(inputs()).detach().sum(), model)
    assert set(flow.parameters.values()) == {None}
    assert set(flow.parameters) == {name for name, _ in model.named_parameters()}
    assert "nothing of this loss is recorded" in flow.note


def test_where_nothing_can_be_reported_it_is_an_error():
    with pytest.raises(mg.GraphError, match="no op recorded it"):
        gradient_flow(lambda: Model()(inputs()).detach().sum())
    with pytest.raises(mg.GraphError, match=r"no state of a recurrent layer.*\n  hint: in loops of your own"):
        gradient_flow(lambda: Model(cut=True)(inputs()).sum())
    linear = mg.nn.Linear(3, 1)
    with pytest.raises(mg.GraphError, match=r"no state of a recurrent layer.*\n  hint: in loops of your own"):
        gradient_flow(lambda: linear(inputs()).sum(), linear)
    both = mg.nn.Sequential(linear, mg.nn.Linear(1, 1))
    assert "loops of your own" in gradient_flow(lambda: linear(inputs()).sum(), both).note


def test_a_layer_with_a_kernel_is_still_pointed_to_the_other_path():
    model = Model()
    model.other = RNN(3, 4)  # its parameters are outside the graph
    with pytest.raises(mg.GraphError, match=r"ran as one op: model.a.layer0"):
        gradient_flow(model(inputs()).sum(), model)


def test_modules_side_by_side_are_not_above_each_other():
    first, second, x = GRU(3, 8), GRU(3, 8), inputs(6, 2, 3)
    for share in (1e-4, 1e4):
        flow = gradient_flow(lambda: first(x)[0].sum() + share * second(x)[0].sum())  # noqa: B023
        assert kinds(flow) == []


@pytest.mark.parametrize("options", [{"bidirectional": True}, {}])
def test_steps_that_no_row_has_are_not_where_a_direction_begins(options):
    layer, x = GRU(3, 8, **options), inputs(5, 4, 3)
    reverse = {} if options else {"reverse": True}
    flow = gradient_flow(lambda: layer(x, lengths=[4, 3, 4, 4], **reverse)[1].sum(), layer)
    assert [kind for kind, _ in kinds(flow) if kind == "vanishing"] == []


def test_one_step_is_no_reason_for_alarm():
    for layer in (LSTM(3, 4), GRU(3, 4, bidirectional=True)):
        assert kinds(gradient_flow(lambda: layer(inputs(1, 2, 3))[0].sum(), layer)) == []  # noqa: B023
    single = GRU(3, 4)
    flow = gradient_flow(lambda: single(inputs(5, 2, 3), reverse=True)[0][-1].sum(), single)
    assert ("one step", "gru.layer0 h") not in kinds(flow)


def test_where_no_step_is_seen_a_gradient_of_zero_is_still_told():
    flow = StepFlow((), {"weight_hh_l0": 0.0}, (), note="cut off")
    assert kinds(flow) == [("no gradient", "weight_hh_l0")]
