"""What a reader of the documentation can get wrong, or hand over by mistake: a right picture, or one clear error."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from test_sheet import BLINDNESS, seen

import minigrad as mg
import minigrad.draw as mgd
import minigrad_rnn as mr
from minigrad import nn
from minigrad.draw import Drawing, compare, render
from minigrad.draw.diagram import Diagram
from minigrad.draw.style import GRADIENT, INK, MUTED, PALETTE
from minigrad_rnn.draw.assemble import read


def loss():
    return (mg.ones(3, requires_grad=True) * 2).sum()


# ---- what is handed over in the place of a computation -----------------------------------------------------------

DRAWN = {
    "draw": mgd.draw,
    "draw by value": lambda y: mgd.draw(y, color_by="value"),
    "draw by time": lambda y: mgd.draw(y, color_by="time"),
    "diff, before": lambda y: mgd.diff(y, loss()),
    "diff, after": lambda y: mgd.diff(loss(), y),
    "backward": mgd.backward,
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_a_module_is_a_program_to_nobody(draw):
    with pytest.raises(mg.GraphError, match="this Linear has computed nothing yet"):
        draw(nn.Linear(3, 2))


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
@pytest.mark.parametrize("program", [lambda x: x, mr.LSTM, lambda *, x: x], ids=["argument", "class", "keyword"])
def test_a_function_that_takes_arguments_is_refused_before_it_is_called(draw, program):
    with pytest.raises(mg.GraphError, match=r"without arguments is expected.*\n  hint: lambda: "):
        draw(program)


def test_what_goes_wrong_inside_a_function_is_its_own_error():
    def broken():
        raise IndexError("mine")

    with pytest.raises(IndexError, match="mine"):
        mg.draw(broken)


def test_inputs_for_what_is_no_module():
    for wrong in (3, None, loss(), loss):
        with pytest.raises(mg.GraphError, match=r"inputs are for a module; a \w+ was drawn, which is none"):
            mg.draw(wrong, mg.ones(2))


@pytest.mark.parametrize(
    "inputs",
    ["text", [], {1}, nn.Linear(3, 3), b"x", ..., 1j, int, [mg.ones(3), mg.ones(3)]],
    ids=lambda inputs: type(inputs).__name__,
)
def test_inputs_that_a_model_cannot_take_are_named(inputs):
    for run in (mg.draw, mg.inspect.summary):
        with pytest.raises(mg.GraphError, match=rf"Linear cannot be run on a {type(inputs).__name__}.*\n.*a tuple"):
            run(nn.Linear(3, 2), inputs)


def test_an_error_of_a_model_on_tensors_is_its_own():
    class Broken(nn.Module):
        def forward(self, x):
            return x.nonsense

    with pytest.raises(AttributeError, match="nonsense"):
        mg.draw(Broken(), mg.ones(3))


# ---- options -----------------------------------------------------------------------------------------------------

OPTIONS = {
    "direction": ("up", 3, True, [], None),
    "max_nodes": (0, -1, 1.5, "many", True, [], float("nan")),
    "timeout": (0, -1, "20", None, True, [], float("nan"), float("inf"), 1e9),
}
FUNCTIONS = {
    "draw": lambda **options: mgd.draw(loss(), **options),
    "draw of a module": lambda **options: mgd.draw(nn.Linear(3, 2), mg.ones(3), **options),
    "diff": lambda **options: mgd.diff(loss(), loss(), **options),
    "backward": lambda **options: mgd.backward(loss(), **options),
}


@pytest.mark.parametrize("draw", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in OPTIONS.items() for value in values])
def test_every_function_says_which_option_is_wrong(draw, name, value):
    if name == "direction" and value is None and draw in (FUNCTIONS["draw"], FUNCTIONS["draw of a module"]):
        draw(direction=None)  # left out
        return
    with pytest.raises(mg.GraphError, match=f"draw.*: {name} is "):
        draw(**{name: value})


@pytest.mark.parametrize("draw", FUNCTIONS.values(), ids=FUNCTIONS)
def test_numbers_of_numpy_are_numbers(draw):
    draw(max_nodes=np.int64(100), timeout=np.float32(3))
    draw(max_nodes=None)


def test_depth_is_no_truth_value():
    with pytest.raises(mg.GraphError, match="depth is 1 for the outermost"):
        mg.draw(loss(), depth=True)


@pytest.mark.parametrize("context", [1.5, "x", [], True, float("nan"), -1])
def test_context_is_a_whole_number(context):
    with pytest.raises(mg.GraphError, match="context is how many arrows around a change to draw, from 0, not"):
        mg.draw.diff(loss(), loss(), context=context)


def test_a_context_larger_than_the_graph_draws_all_of_it():
    other = (mg.ones(3, requires_grad=True) * 3).sum()
    assert len(mg.draw.diff(loss(), other, context=10**9).diagram.boxes) == 3


@pytest.mark.parametrize(
    "gradient",
    ["x", {}, [1, 2], object(), mg.ones(2), np.ones((3, 3))],
    ids=["text", "dict", "list", "object", "tensor", "array"],
)
def test_a_gradient_that_does_not_fit_is_told_the_shape(gradient):
    with pytest.raises(mg.GraphError, match=r"draw.backward: gradient is .* shape \(3,\)"):
        mg.draw.backward(mg.ones(3, requires_grad=True) * 2, gradient=gradient)


def test_a_gradient_may_be_left_out_of_numbers_only_and_the_error_says_what_to_do():
    y = mg.ones(3, requires_grad=True) * 2
    with pytest.raises(mg.GraphError, match=r"needs a gradient of that shape\n  hint: .*y\.sum\(\)"):
        mg.draw.backward(y)
    with pytest.raises(mg.GraphError, match=r"needs a gradient of that shape\n  hint: .*y\.sum\(\)"):
        mg.draw(y, color_by="gradient")


# ---- numbers of one's own ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [lambda: 1, lambda node, more: 1], ids=["none", "two"])
def test_a_function_of_colours_takes_a_node(function):
    with pytest.raises(mg.GraphError, match=r"color_by is called with a GraphNode"):
        mg.draw(loss(), color_by=function)


@pytest.mark.parametrize("number", [np.ones(3), 10**400, "1", 1j], ids=["array", "huge", "text", "complex"])
def test_what_is_no_number_is_told(number):
    with pytest.raises(mg.GraphError, match="color_by gives a number or None for each node"):
        mg.draw(loss(), color_by=lambda node: number)


def test_an_error_of_the_function_of_colours_is_its_own():
    with pytest.raises(ZeroDivisionError):
        mg.draw(loss(), color_by=lambda node: node.id / 0)


def test_times_of_ops_that_give_nothing():
    def program():
        w = mg.ones(2, requires_grad=True)
        mg.zeros(0, 2, requires_grad=True).unbind(0)
        return w * 2

    assert len(mg.draw(program, color_by="time").diagram.boxes) == 2


# ---- pages of pictures of a NaN ----------------------------------------------------------------------------------


def test_the_page_of_a_nan_marks_the_way_that_it_took():
    w, bad = mg.ones(2, 2, requires_grad=True), mg.full((2, 2), np.nan)
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    for picture in (mg.draw((w * bad).sum(), color_by="nan"), mg.draw(lambda: model(w * bad).sum(), color_by="nan")):
        assert "#D00000" in picture.html()


def test_the_page_of_a_gradient_that_is_not_finite():
    model, w = nn.Linear(2, 2), mg.ones(2, 2, requires_grad=True)
    assert "sent back by" in mg.draw(lambda: model((w * 0).sqrt()).sum(), color_by="nan").html()


# ---- files and renderers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [None, 3, 1.5, b"x.svg", ["x.svg"]], ids=repr)
def test_a_path_is_expected(path):
    with pytest.raises(mg.FileError, match=f"a path is expected, not {type(path).__name__}"):
        mg.draw(loss()).save(path)
    with pytest.raises(mg.FileError, match=f"a path is expected, not {type(path).__name__}"):
        mg.draw.backward(loss()).save_frames(path)


@pytest.mark.parametrize("name", ["x\0.svg", "x" * 300 + ".svg"], ids=["null", "long"])
def test_names_that_no_file_can_have(name, tmp_path):
    with pytest.raises(mg.FileError, match="cannot write"):
        mg.draw(loss()).save(tmp_path / name)


@pytest.mark.parametrize("text", [None, 3, b"digraph{}"], ids=repr)
def test_render_takes_text(text):
    with pytest.raises(mgd.RenderError, match="DOT text is expected"):
        render(text, "svg")


def test_render_takes_seconds():
    with pytest.raises(mg.GraphError, match="timeout is"):
        render("digraph{}", "svg", timeout=-1)


def test_without_the_package_graphviz_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(mgd.RenderError, match=r"to_graphviz needs the package graphviz.*\n.*pip install graphviz"):
        mg.draw(loss()).to_graphviz()


def test_what_is_no_diagram_is_no_drawing():
    with pytest.raises(mg.GraphError, match=r"Drawing takes a Diagram or a Sheet, not NoneType"):
        Drawing(None)
    assert Drawing(Diagram((), ())).svg()


def test_compare_takes_the_data_of_graphs():
    with pytest.raises(mg.GraphError, match=r"compare takes the data of two graphs, mg.graph\(y\), not a Tensor"):
        compare(mg.graph(loss()), loss())


@pytest.mark.parametrize("title", [None, 3])
def test_a_title_is_a_text(title):
    with pytest.raises(mg.GraphError, match="title is a text"):
        mg.draw(loss()).html(title)


# ---- values in the boxes -----------------------------------------------------------------------------------------


def rows(drawing):
    return [[row.text for row in box.rows] for box in drawing.diagram.boxes]


def test_values_stand_in_the_boxes_and_small_gradients_too():
    a, b = mg.tensor(2.0, requires_grad=True), mg.tensor([-3.0, 1.0], requires_grad=True)
    a.name, b.name = "a", "b"
    y = (a * b).sum()
    show = ("value", "grad")
    assert rows(mg.draw(y, show=show)) == [
        ["a", "2", "no grad yet"], ["b", "-3, 1", "no grad yet"], ["×", "-6, 2"], ["Σ", "-4"],
    ]  # fmt: skip
    y.backward(retain_graph=True)
    assert rows(mg.draw(y, show=show))[:2] == [["a", "2", "g -2"], ["b", "-3, 1", "g 2, 2"]]
    assert rows(mg.draw(y, show=("value",)))[0] == ["a", "2"]


def test_of_many_values_there_is_a_summary():
    x = mg.tensor(np.arange(10.0, dtype="f4"), requires_grad=True)
    (x * x).sum().backward()
    assert rows(mg.draw(x * 2, show=("value", "shape", "grad"))) == [
        ["leaf", "10", "0 … 9, mean 4.5", "‖g‖ 33.8"],
        ["× 2", "10", "0 … 18, mean 9"],
    ]
    bad = mg.draw(x * mg.tensor(np.nan), show=("value",))
    assert rows(bad)[-1] == ["×", "10 NaN of 10"]


def test_values_of_a_function_are_those_of_its_run_and_of_a_graph_there_are_none():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    assert rows(mg.draw(lambda: (x * 2).sum(), show=("value",)))[-1] == ["Σ", "6"]
    assert rows(mg.draw(lambda: (x * 2).sum(), show=("value",), color_by="bytes"))[-1] == ["Σ", "6", "4 B"]
    with pytest.raises(mg.GraphError, match=r"the data of a graph holds no values, which show=\('value',\) needs"):
        mg.draw(mg.graph(x * 2), show=("value",))
    with pytest.raises(mg.GraphError, match="show 'value' and color_by='time'"):
        mg.draw(lambda: x * 2, show=("value",), color_by="time")


def test_values_that_nobody_holds_leave_the_box_as_it_is():
    def half():
        return mg.ones(2, requires_grad=True) * mg.tensor([1.0, 2.0])

    y = half() + 1
    shown = rows(mg.draw(y, show=("value",)))
    assert shown[-1][-1] == "2, 3"
    assert all(len(box) in (1, 2) for box in shown)


def test_values_of_leaves_that_changed_since_are_refused():
    model = nn.Linear(2, 1)
    y = model(mg.ones(1, 2)).sum()
    y.backward(retain_graph=True)
    mg.optim.SGD(model.parameters(), lr=0.1).step()
    with pytest.raises(mg.GraphError, match="the values of this graph are gone"):
        mg.draw(y, show=("value",))


def test_each_value_on_a_device_is_one_copy(cuda):
    x = mg.ones(8, device="cuda", requires_grad=True)
    y = (x * 2).sum()
    with cuda.waits(3, uploads=0):
        mg.draw(y, show=("value",))


# ---- colours -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BLINDNESS)
def test_the_roles_of_boxes_can_be_told_apart_by_colour_blind_readers(kind):
    looks = {PALETTE[role]: role for role in PALETTE if role != "view"}  # a view is an op, a little greyer
    for i, (a, name) in enumerate(looks.items()):
        for b, other in list(looks.items())[:i]:
            distances = [np.linalg.norm(seen(x, kind) - seen(y, kind)) for x, y in zip(a, b, strict=True)]
            assert max(distances) > 6.5, (name, other)


def test_texts_in_boxes_have_the_contrast_that_accessible_pages_need():
    def light(colour):
        channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for fill, _ in PALETTE.values():
        for ink in (INK, MUTED, GRADIENT):
            assert (light(fill) + 0.05) / (light(ink) + 0.05) > 4, (fill, ink)


def test_a_function_whose_arguments_nobody_knows_is_called():
    with pytest.raises(mg.GraphError, match="takes a tensor or a list of tensors, not int"):
        mg.draw(int)  # written in C, without a signature


@pytest.mark.parametrize("kind", [mr.RNN, mr.GRU, mr.LSTM])
@pytest.mark.parametrize("layers", [2, 3])
def test_no_row_of_a_stacked_network_in_two_directions_is_before_and_behind_another(kind, layers):
    network = read(mg.graph(unrolled_output(kind(3, 4, layers, bidirectional=True))))
    assert [row.kind for row in network.rows if row.kind != "start"] == [
        "input", *["state", "state", "op"] * (layers - 1), "state", "state", "output",
    ]  # fmt: skip
    places = {row.id: i for i, row in enumerate(network.rows)}
    starts = {row.id for row in network.rows if row.kind == "start"}
    links = [link for link in network.links if link.tail != link.head and link.tail not in starts]
    assert all(places[link.tail] < places[link.head] for link in links)


def unrolled_output(layer):
    with mr.unrolled():
        return layer(mg.ones(3, 1, 3))[0]
