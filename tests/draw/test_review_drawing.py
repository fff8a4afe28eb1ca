"""What a reader of the documentation can get wrong, or hand over by mistake: a right picture, or one clear error."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
import minigrad.draw as mgd
import minigrad_rnn as mr
from minigrad import nn
from minigrad.draw import Drawing, compare, render
from minigrad.draw.diagram import Diagram


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
    with pytest.raises(mg.GraphError, match="without arguments is expected.*hint: lambda: "):
        draw(program)


def test_what_goes_wrong_inside_a_function_is_its_own_error():
    def broken():
        return [][0]

    with pytest.raises(IndexError):
        mg.draw(broken)


def test_inputs_for_what_is_no_module():
    for wrong in (3, None, loss(), loss):
        with pytest.raises(mg.GraphError, match=r"inputs are for a module, and a \w+ is none"):
            mg.draw(wrong, mg.ones(2))


@pytest.mark.parametrize(
    "inputs",
    ["text", [], {1}, nn.Linear(3, 3), b"x", ..., 1j, int, [mg.ones(3), mg.ones(3)]],
    ids=lambda inputs: type(inputs).__name__,
)
def test_inputs_that_a_model_cannot_take_are_named(inputs):
    for run in (mg.draw, mg.inspect.summary):
        with pytest.raises(mg.GraphError, match=f"Linear cannot be run on a {type(inputs).__name__}.*a tuple"):
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


@pytest.mark.parametrize("gradient", ["x", {}, [1, 2], object(), mg.ones(2), np.ones((3, 3))], ids=str)
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
        assert "#D55E00" in picture.html()


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
