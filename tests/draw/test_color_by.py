"""Boxes in the colours of numbers, and the picture of a NaN."""

import gc
import math
import re
import weakref

import numpy as np
import pytest
from drawn import Language, language, same_as_golden
from test_sheet import BLINDNESS, seen

import minigrad as mg
import minigrad_rnn as mr
from minigrad import nn
from minigrad.draw.colours import BROKEN, NONE, QUIET, STOPS, Scale, fitting, shade, told
from minigrad.draw.key import key_label
from minigrad.draw.measure import RUNS, measure
from minigrad.draw.results import flaws, norm, results
from minigrad.draw.trail import find_trail
from minigrad_rnn.draw.numbers import coloured_rows


def named(tensor, name):
    tensor.name = name
    return tensor


class Parts:
    """Leaves stay alive as long as this does, as the parameters of a model do."""

    def __init__(self):
        self.w = named(mg.tensor([[1.0, 2.0], [0.5, -1.0]], requires_grad=True), "w")
        self.b = named(mg.tensor([0.5, 0.0], requires_grad=True), "b")
        self.x = named(mg.tensor([3.0, 4.0]), "x")

    def loss(self):
        with mg.scope("net"):
            return (self.w @ self.x + self.b).tanh().sum()

    def broken(self):
        with mg.scope("net"):
            h = self.w @ self.x + self.b
        with mg.scope("norm"):
            z = (h - h) / (h - h).sum()
        return (z * self.x).sum()


def boxes(y, **options):
    return {box.id: box for box in mg.draw(y, **options).diagram.boxes}


def numbers_in(drawn):
    return {id: [row.text for row in box.rows if row.look == "number"] for id, box in drawn.items()}


# ---- what is measured -----------------------------------------------------------------------------------------------


def test_gradients_are_the_norms_that_backward_computes():
    parts = Parts()
    numbers = measure(parts.loss(), "gradient")
    parts.loss().backward()
    by_name = {node.name: numbers.values.get(node.id) for node in numbers.graph if node.name}
    assert by_name["w"] == pytest.approx(np.linalg.norm(parts.w.grad.numpy()))
    assert by_name["b"] == pytest.approx(np.linalg.norm(parts.b.grad.numpy()))
    assert by_name["x"] is None


def test_gradients_of_graph_data_are_those_that_it_holds():
    parts = Parts()
    y = parts.loss()
    with pytest.raises(mg.GraphError, match=r"holds no gradients\n.*grads=True"):
        mg.draw(mg.graph(y, grads=True), color_by="gradient")
    y.backward()
    assert set(measure(mg.graph(y, grads=True), "gradient").values) == {0, 1}
    with pytest.raises(mg.GraphError, match="was freed by the backward"):
        mg.draw(y, color_by="gradient")


def test_values_are_known_for_every_node_whose_tensor_or_rule_kept_them():
    parts = Parts()
    numbers = measure(parts.loss, "value")
    z = parts.w.numpy() @ parts.x.numpy()
    expected = [parts.w.numpy(), parts.b.numpy(), parts.x.numpy(), z, z + parts.b.numpy()]
    expected += [np.tanh(expected[-1]), np.tanh(expected[-1]).sum()]
    by_shape = sorted(float(np.linalg.norm(value)) for value in expected)
    assert sorted(numbers.values.values()) == pytest.approx(by_shape)


def test_values_are_found_again_after_backward_freed_the_graph():
    parts = Parts()
    y = parts.loss()
    before = measure(y, "value").values
    y.backward()
    assert measure(y, "value").values == before


def test_values_that_nobody_holds_are_not_made_up():
    w = mg.ones(2, requires_grad=True)
    y = w + named(mg.ones(2), "lost")
    gc.collect()
    drawn = boxes(y.sum(), color_by="value")
    lost = next(box for box in drawn.values() if box.rows[0].text == "lost")
    assert lost.shade == QUIET
    assert lost.dashed
    assert numbers_in({"": lost}) == {"": []}


def test_values_of_a_leaf_that_was_changed_since_are_refused():
    parts = Parts()
    y = parts.loss()
    parts.w.data = parts.w.data * 2
    with pytest.raises(mg.GraphError, match=r"values of this graph are gone: w was changed at test_color_by\.py:\d+"):
        mg.draw(y, color_by="value")


def test_results_of_ops_with_several_outputs_and_of_checkpoints():
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    a, b = x.chunk(2)
    found = dict(results([a * b]))
    assert [np.shape(part) for part in found[1]] == [(1, 2), (1, 2)]
    assert found[2].tolist() == [[3.0, 8.0]]
    assert measure(a * b, "bytes").values == {0: 16.0, 1: 16.0, 2: 8.0}
    y = mg.checkpoint(lambda x: x.tanh(), x) + 1
    lost = dict(results([y]))
    assert lost[1] is None  # its function is not run for a picture
    assert lost[2] is not None


def test_measuring_records_and_keeps_nothing():
    parts = Parts()
    y = parts.loss()
    events = []
    with mg.observe(events.append):
        drawing = mg.draw(y, color_by="value")
    assert not events
    alive = weakref.ref(y)
    del y
    gc.collect()
    assert alive() is None
    assert drawing.dot.startswith("digraph")


def test_times_are_of_the_quickest_of_several_runs():
    calls = []

    def program():
        calls.append(1)
        return (mg.ones(3, requires_grad=True) * 2).exp().sum()

    numbers = measure(program, "time")
    assert len(calls) == RUNS
    assert sorted(numbers.values) == [1, 2, 3]
    assert all(0 < seconds < 1 for seconds in numbers.values.values())
    with pytest.raises(mg.GraphError, match="color_by='time' takes a function, not a Tensor"):
        mg.draw(program(), color_by="time")
    with pytest.raises(mg.GraphError, match="not the data of a graph"):
        mg.draw(mg.graph(program()), color_by="time")


def test_times_of_a_program_that_is_not_the_same_every_time():
    turns = iter([True, False] * RUNS)

    def program():
        x = mg.ones(3, requires_grad=True)
        return (x * 2).sum() if next(turns) else x.exp().sum()

    assert len(measure(program, "time").values) == 2


def test_a_collapsed_module_has_the_sum_of_its_bytes_and_the_gradient_of_its_output():
    parts = Parts()
    total = boxes(parts.loss(), color_by="bytes", depth=1)
    (group,) = [box for box in total.values() if box.role == "group"]
    assert numbers_in({"": group}) == {"": ["52 B"]}  # w, b, and three results of two numbers and one
    (group,) = [b for b in boxes(parts.loss(), color_by="gradient", depth=1).values() if b.role == "group"]
    assert numbers_in({"": group}) == {"": ["1"]}


def test_a_function_or_a_mapping_gives_numbers():
    parts = Parts()
    drawn = numbers_in(boxes(parts.loss(), color_by=lambda node: node.uses if node.kind == "leaf" else None))
    assert [id for id, texts in drawn.items() if texts] == ["n0", "n1"]
    keys = {"w": 1.5, 1: 2, "net": np.float32(-3.0)}
    drawn = boxes(parts.loss, color_by=keys)
    told = numbers_in(drawn)
    assert told["n0"] == ["1.5"]
    assert told["n1"] == ["2"]
    assert list(told.values()).count(["-3"]) == 4
    assert drawn["n0"].shade.fill == Scale("", "signed", 3.0).shade(1.5).fill


@pytest.mark.parametrize(
    ("color_by", "message"),
    [
        ("colour", "color_by is one of gradient, value, time, bytes, nan, a function or a mapping; not 'colour'"),
        (3, "color_by is one of .*, or a mapping from nodes to numbers; not int"),
        ({"nobody": 1.0}, r"color_by has numbers for 'nobody', and no node goes by that\n  hint: keys are"),
        (lambda node: "red", "color_by gives a number or None for each node, not str"),
    ],
)
def test_wrong_colours(color_by, message):
    with pytest.raises(mg.GraphError, match=message):
        mg.draw(Parts().loss(), color_by=color_by)


@pytest.mark.parametrize("name", ["value", "nan"])
def test_graph_data_holds_no_values(name):
    with pytest.raises(mg.GraphError, match="holds no values"):
        mg.draw(mg.graph(Parts().loss()), color_by=name)
    with pytest.raises(mg.GraphError, match="no op recorded it"):
        mg.draw(mg.ones(2), color_by=name)


@pytest.mark.parametrize(("name", "numbers"), [("value", 1), ("gradient", 1), ("nan", 2)])
def test_of_each_device_array_one_number_comes_to_the_host(cuda, name, numbers):
    x = named(mg.tensor([[3.0, 4.0]], requires_grad=True, device="cuda"), "x")
    y = (x * 2).tanh().sum()
    with cuda.waits(4 * numbers):  # x and three ops; if no value is bad, their gradients
        drawn = boxes(y, color_by=name, show=("shape",))
    assert all(box.shade is not None for box in drawn.values())


def test_times_on_a_device(cuda):
    x = mg.tensor([3.0, 4.0], requires_grad=True, device="cuda")
    assert set(measure(lambda: (x * 2).sum(), "time").values) == {1, 2}


def test_norms_and_flaws_of_arrays():
    assert norm(np.array([3e30, 4e30], dtype="f4")) == pytest.approx(5e30)
    assert flaws((np.array([1.0, np.nan, np.inf]), np.array([1, 2]))) == (1, 1, 5)


# ---- colours --------------------------------------------------------------------------------------------------------


def test_scales_are_readings_of_one():
    amount, signed = fitting("", [0.5, 2.0, None]), fitting("", [0.5, -2.0, math.inf])
    assert [amount.kind, amount.top, signed.kind, signed.top] == ["amount", 2.0, "signed", 2.0]
    assert [amount.shade(x).fill for x in (0, 2.0)] == [STOPS[3], STOPS[-1]]
    assert [signed.shade(x).fill for x in (-2.0, 0, 2.0)] == [STOPS[0], STOPS[3], STOPS[-1]]
    assert [Scale("").shade(x) for x in (None, 0.0, math.nan)] == [NONE, shade(0.0), BROKEN]
    assert [Scale("", "finite").shade(x) for x in (1.0, math.inf)] == [QUIET, BROKEN]
    assert fitting("", []).shade(0.0).fill == STOPS[3]


def test_bars_have_marks_where_their_colours_are():
    for scale in (Scale("a"), Scale("a", "amount", 4e-6, "s"), Scale("a", "signed", 3.0)):
        assert len(scale.bar()) == len(scale.numbers()) == 41
        assert len(scale.marks()) == 5
    assert Scale("a").marks() == ("10⁻⁴", "10⁻²", "1", "10²", "10⁴")
    assert Scale("a", "amount", 4e-6, "s").marks() == ("0", "1 µs", "2 µs", "3 µs", "4 µs")
    assert Scale("a", "signed", 3.0).marks() == ("-3", "-1.5", "0", "1.5", "3")
    assert Scale("a", "finite").bar() == ()


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2.5e-7, "s", "0.25 µs"), (3.2e-5, "s", "32 µs"), (0.0042, "s", "4.2 ms"), (17.0, "s", "17 s"),
        (0.0, "s", "0 µs"),
        (12, "B", "12 B"), (1340, "B", "1.3 kB"), (2e9, "B", "2 GB"), (float("nan"), "s", "nan"), (None, "B", "–"),
        (345.6, "", "346"), (0.00123, "", "1e-3"), (1e30, "", "1e30"), (-0.5, "", "-0.5"),
    ],
)  # fmt: skip
def test_numbers_in_few_letters(value, unit, text):
    assert Scale("", "amount", 1.0, unit).told(value) == text


@pytest.mark.parametrize("kind", BLINDNESS)
def test_amounts_grow_darker_for_all_readers(kind):
    lightness = [seen(shade.fill, kind)[0] for shade in Scale("", "amount").bar()]
    assert np.diff(lightness).max() < -0.4
    assert lightness[0] - lightness[-1] > 60


@pytest.mark.parametrize("kind", BLINDNESS)
def test_what_is_new_gone_or_changed_can_be_told_apart_by_colour_blind_readers(kind):
    from minigrad.draw.diff import LOOKS  # noqa: PLC0415

    strokes = [look.stroke[:7] for look in LOOKS.values()]
    distances = [np.linalg.norm(seen(a, kind) - seen(b, kind)) for i, a in enumerate(strokes) for b in strokes[:i]]
    assert min(distances) > 9  # gone is dashed, and changed says what changed, besides


def test_the_key_stands_below_and_panels_keep_their_names_on_top():
    dot = mg.draw(Parts().loss(), color_by="gradient").dot
    assert dot.rindex("labelloc=b") > dot.rindex("cluster_")
    assert key_label(()).startswith("<")


def test_texts_in_dark_boxes_are_light():
    drawing = mg.draw(Parts().loss(), color_by={"w": 1.0, "b": 0.0})
    dark = next(line for line in drawing.dot.splitlines() if line.strip().startswith("n0 ["))
    assert dark.count('color="#FFFFFF"') == 3
    assert "#57606A" not in dark


def test_golden_of_gradients():
    same_as_golden("color_gradient", mg.draw(Parts().loss(), color_by="gradient").dot)


# ---- what is not finite ---------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:invalid value")
def test_the_first_bad_op_and_the_way_it_took():
    parts = Parts()
    drawing = mg.draw(parts.broken(), color_by="nan")
    drawn = {box.id: box for box in drawing.diagram.boxes}
    first = next(box for box in drawn.values() if box.border == 5)
    assert [row.text for row in first.rows] == ["first", "÷", "2", "all NaN"]
    bad = [box.id for box in drawn.values() if box.shade == BROKEN]
    assert [drawn[id].rows[-1].text for id in bad] == ["all NaN", "all NaN", "NaN"]
    way = [(arrow.tail, arrow.head) for arrow in drawing.diagram.arrows if arrow.look == "bad"]
    assert way == [(bad[0], bad[1]), (bad[1], bad[2])]
    assert {arrow.look for arrow in drawing.diagram.arrows} == {"bad", "quiet"}
    told = drawing.diagram.key[0].text
    assert re.fullmatch(r"not finite: 3 of 11, first: div at test_color_by\.py:\d+ in norm", told)
    same_as_golden("color_nan", drawing.dot)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_bad_op_inside_a_collapsed_module_makes_it_bad():
    drawing = mg.draw(Parts().broken(), color_by="nan", depth=1)
    group = next(box for box in drawing.diagram.boxes if box.rows[1].text == "norm")
    assert group.shade == BROKEN
    assert group.border == 5


def test_an_infinity_that_is_meant_is_black_but_passed_over():
    x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)

    def masked():
        return mg.where(mg.tensor([True, True, False]), x, mg.tensor(-math.inf)).softmax(0)

    numbers = measure(lambda: masked().sum(), "nan")
    assert find_trail(numbers.graph, numbers.values).edges == ()
    assert "inf (1 of 3)" in numbers.told.values()
    numbers = measure(lambda: (masked() * x).sum() * mg.tensor(math.nan), "nan")
    trail = find_trail(numbers.graph, numbers.values)
    first = numbers.graph.nodes[trail.first]
    assert (first.kind, first.shape) == ("constant", ())  # not the mask, which was before


def test_of_a_function_results_are_told_that_nobody_holds():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    assert numbers_in(boxes(lambda: (x + mg.ones(2)).sum(), color_by="value"))["n2"] == ["3.6"]
    y = (x + mg.ones(2)).sum()
    assert numbers_in(boxes(y, color_by="value"))["n2"] == []


def silent():
    """Finite, but with gradients that are not: of the square root of 0."""
    model, x = nn.Linear(2, 3), mg.zeros(2, 2)
    model.bias.data = mg.zeros(3)

    def loss():
        h = model(x)
        with mg.scope("norm"):
            return (h * h).sum(-1).sqrt().sum()

    return loss


def test_a_gradient_that_is_not_finite():
    loss = silent()
    drawing = mg.draw(loss, color_by="nan")
    boxes = {box.id: box for box in drawing.diagram.boxes}
    first = next(box for box in boxes.values() if box.border == 5)
    assert [row.text for row in first.rows[:2]] == ["first", "√"]
    assert first.shade.fill == QUIET.fill  # what arrived there is finite, what it sent is not
    told = {box.rows[0].text: box.rows[-1].text for box in boxes.values() if box.shade == BROKEN}
    assert told == {"Σ": "inf", "×": "inf", "linear": "NaN", "weight": "NaN", "bias": "NaN"}
    way = [(arrow.tail, arrow.head) for arrow in drawing.diagram.arrows if arrow.look == "bad back"]
    assert (len(way), first.id in {head for _, head in way}) == (6, True)
    told = drawing.diagram.key[0].text
    assert re.fullmatch(
        r"gradient not finite: 5 of 8, first: what is sent back by sqrt at test_color_by\.py:\d+ in norm", told
    )
    y = loss()
    with np.errstate(all="ignore"):
        y.backward()
    assert mg.draw(y, color_by="nan").diagram.key[0].text == "everything is finite"  # there is no graph to go back


def test_everything_finite():
    drawing = mg.draw(Parts().loss(), color_by="nan")
    assert drawing.diagram.key[0].text == "everything is finite"
    assert {box.shade for box in drawing.diagram.boxes} == {QUIET}


# ---- recurrent networks ---------------------------------------------------------------------------------------------


def shapes(drawing):
    return {shape.id: shape for shape in drawing.diagram.shapes}


def cells(drawing):
    """What cells say, by step."""
    return [shape.lines for shape in drawing.diagram.shapes if shape.lines and shape.lines[0][0] in "hc"]


@pytest.mark.parametrize("name", ["value", "bytes", "time"])
def test_cells_have_numbers_of_all_names(name):
    drawing = mr.draw(language(layers=2), color_by=name)
    texts = [lines[-1] for lines in cells(drawing) if len(lines) == 3]
    assert len(texts) == 6
    assert all(re.match(r"[\d.]+(e-?\d+)?( \w+)?$", text) for text in texts)
    if name == "bytes":
        assert len(set(texts)) == 1


def test_values_of_cells_are_the_norms_of_their_outputs():
    layer, x = mr.RNN(2, 3), mg.ones(4, 1, 2)
    told_there = [lines[-1] for lines in cells(mr.draw(lambda: layer(x)[0], color_by="value")) if len(lines) == 2]
    assert told_there == [told(float(np.linalg.norm(h))) for h in layer(x)[0].numpy()]


def test_numbers_by_place_and_step():
    drawing = mr.draw(language(), color_by=lambda place, t: t - 1 if place.endswith("layer0") else None)
    assert [lines[-1] for lines in cells(drawing) if len(lines) == 3] == ["-1", "0", "1"]
    drawing = mr.draw(language(), color_by={("rnn.layer0", 2): 5, ("language.rnn.layer0", 2): 5})
    assert "5" in {lines[-1] for lines in cells(drawing)}
    with pytest.raises(mg.GraphError, match=r"a number for no box of the drawing\n  hint: boxes are \("):
        mr.draw(language(), color_by={("nowhere", 2): 5})
    with pytest.raises(mg.GraphError, match="a function of place and step, or a mapping"):
        mr.draw(language(), color_by=5)
    with pytest.raises(mg.GraphError, match="a number or None for each box, not str"):
        mr.draw(language(), color_by=lambda place, t: "red")
    with pytest.raises(mg.GraphError, match="color_by is one of gradient"):
        mr.draw(language(), color_by="colour")


def test_rows_that_are_computed_at_once_have_no_numbers_of_their_own():
    with mr.unrolled():
        y = language()()
    from minigrad_rnn.draw.drawing import network_of  # noqa: PLC0415

    assert {row.kind for row in coloured_rows(network_of(mg.graph(y)))} <= {"state", "start"}


def poisoned(steps, at):
    layer = mr.LSTM(2, 3)
    x = np.ones((steps, 1, 2), dtype="f4")
    x[at, 0, 0] = np.nan
    x = mg.tensor(x)
    return lambda: layer(x)[0].sum()


def test_a_nan_in_a_recurrent_network():
    drawing = mr.draw(poisoned(4, 2), color_by="nan")
    drawn = shapes(drawing)
    black = {id for id, shape in drawn.items() if shape.fill == BROKEN.fill and not id.startswith("scale")}
    states = {lines[0] for lines in (drawn[id].lines for id in black)}
    assert {"c₂", "c₃"} <= states
    assert not {"c₀", "c₁"} & states
    assert drawn["scale"].lines == ("not finite, first in lstm.layer0 at t = 2",)
    red = [(line.tail, line.head) for line in drawing.diagram.lines if line.stroke.colour == "#D00000"]
    assert red
    assert {end for line in red for end in line} <= black


def test_a_nan_in_the_folded_middle():
    drawing = mr.draw(poisoned(40, 22), color_by="nan")
    drawn = shapes(drawing)
    assert drawn["scale"].lines == ("not finite, first in lstm.layer0 at t = 22",)
    (strip,) = [id for id, shape in drawn.items() if id.endswith("_folded") and shape.stroke == "#D00000"]
    assert any(line.tail == strip and line.stroke.colour == "#D00000" for line in drawing.diagram.lines)
    stripes = [shape.fill for id, shape in drawn.items() if re.fullmatch(strip.replace("folded", r"s\d+"), id)]
    assert stripes.index(BROKEN.fill) == 22 - 3


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_a_nan_that_begins_in_what_is_computed_for_all_steps_at_once():
    mg.manual_seed(0)
    model, x = Language(), mg.tensor([[1], [2]])
    model.out.weight.data = model.out.weight.data * np.float32(3e38) * 10
    drawing = mr.draw(lambda: nn.functional.cross_entropy(model(x), x, dim=-1), color_by="nan")
    black = {shape.lines[0] for shape in drawing.diagram.shapes if shape.fill == BROKEN.fill and shape.lines}
    assert {"ŷ₀", "ŷ₁"} <= black
    assert not {"h₀", "c₀"} & black


def test_a_gradient_that_is_not_finite_goes_back_through_time():
    layer, x = mr.RNN(2, 3), mg.zeros(4, 1, 2)
    for bias in (layer.bias_ih_l0, layer.bias_hh_l0):
        bias.data = mg.zeros(3)
    drawing = mr.draw(lambda: (layer(x)[0][2] ** 2).sum(-1).sqrt().sum(), color_by="nan")
    drawn = shapes(drawing)
    assert drawn["scale"].lines == ("gradient not finite, first in rnn.layer0 at t = 2",)
    red = [(line.tail, line.head) for line in drawing.diagram.lines if line.stroke.colour == "#D00000"]
    assert [(drawn[tail].lines[0], drawn[head].lines[0]) for tail, head in red] == [("h₁", "h₀"), ("h₂", "h₁")]


def test_a_recurrent_network_without_a_nan():
    drawn = shapes(mr.draw(language(), color_by="nan"))
    assert drawn["scale"].lines == ("everything is finite",)
    assert "scale0" not in drawn
