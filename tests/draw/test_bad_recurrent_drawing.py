"""What can be handed over by mistake to the pictures of recurrent networks: a right picture, or one clear error."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
import minigrad_rnn as mr
from minigrad import nn
from minigrad.draw.colours import Scale
from minigrad_rnn.commands import main
from minigrad_rnn.tree import parse_tree

TREE = parse_tree("(S (NP It) (VP (V works) (RB well)))")
WEIGHTS = np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])


def loss():
    return mr.RNN(3, 4)(mg.ones(3, 1, 3))[0].sum()


def shapes(drawing):
    return {shape.id: shape for shape in drawing.diagram.shapes}


# ---- what is handed over in the place of a computation -----------------------------------------------------------

DRAWN = {
    **{view: lambda y, view=view: mr.draw(y, view=view) for view in ("unrolled", "folded", "both", "cell", "flow")},
    **{
        f"by {name}": lambda y, name=name: mr.draw(y, color_by=name)
        for name in ("gradient", "value", "time", "bytes", "nan", "terms")
    },
    "by a function": lambda y: mr.draw(y, color_by=lambda place, t: t),
    "one of several flows": lambda y: mr.draw({"it": y}, view="flow"),
    "backward": mr.draw.backward,
    "attention": mr.draw.attention,
    "attention, a step": lambda y: mr.draw.attention(y, step=0),
    "tree": lambda y: mr.draw.tree(TREE, y),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_a_module_has_computed_nothing_yet(draw):
    with pytest.raises(mg.GraphError, match=r"a RNN has computed nothing yet\n  hint: draw.*\(.*lambda: "):
        draw(mr.RNN(3, 4))


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
@pytest.mark.parametrize("program", [lambda x: x, mr.RNN, lambda *, x: x], ids=["argument", "class", "keyword"])
def test_a_function_that_takes_arguments_is_refused_before_it_is_called(draw, program):
    with pytest.raises(mg.GraphError, match=r"without arguments is expected.*\n  hint: lambda: "):
        draw(program)


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_what_goes_wrong_inside_a_function_is_its_own_error(draw):
    def broken():
        raise IndexError("mine")

    with pytest.raises(IndexError, match="mine"):
        draw(broken)


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
@pytest.mark.parametrize("y", [None, 3, "loss", np.ones(3), object()], ids=lambda y: type(y).__name__)
def test_what_is_no_computation_is_refused(draw, y):
    if draw is DRAWN["tree"] and y is None:
        return  # left out
    with pytest.raises(mg.MinigradError):
        draw(y)


def test_no_flow_is_no_picture():
    with pytest.raises(mg.GraphError, match=r"no flow to draw in an empty dictionary\n  hint: .*lambda: "):
        mr.draw({}, view="flow")


def test_without_a_loop_there_is_no_cell():
    with pytest.raises(mg.GraphError, match=r"no time step is recorded in this graph\n  hint: .*mg\.scope\(step=t\)"):
        mr.draw((mg.ones(3, requires_grad=True) * 2).sum(), view="cell")
    with pytest.raises(mg.GraphError, match=r"no layer 'x' has time steps in this graph; there are '"):
        mr.draw(loss, view="cell", layer="x")


# ---- options -----------------------------------------------------------------------------------------------------

NO_COUNT = ("x", 1.5, True, [], 0, -1, float("nan"), np.ones(2))
NO_NAME = ("up", 3, True, [], [1], np.ones(2))
WRONG = [
    *[("draw", "steps", value) for value in (*NO_COUNT, None)],
    *[("backward", "steps", value) for value in (*NO_COUNT, None)],
    *[("draw", "max_shapes", value) for value in NO_COUNT],
    *[("draw", "weights", value) for value in NO_NAME],
    *[("draw", "view", value) for value in (*NO_NAME, None)],
    *[("cell", "layer", value) for value in (1, True, [], ("layer0",))],
    *[("tree", "max_nodes", value) for value in NO_COUNT],
    *[("tree", "root", value) for value in (-1, "x", None, 1.5, True)],
    *[("tree", "words", value) for value in (3, None, ["change"])],
    *[("tree", "network", value) for value in (nn.Linear(2, 2), 3, mr.RNN, "x")],
    *[("tree", "numbers", value) for value in (3, "1234567", {}, 1.5, np.float32(3), np.ones(()))],
    *[("attention", "row", value) for value in (-1, "x", None, 1.5, True)],
    *[("attention", "step", value) for value in (-1, "x", 1.5, True, [])],
    *[("attention", "source", value) for value in (None, 3, "abc", b"abc", {"a": 1}, {"a"}, np.ones((1, 2)))],
    *[("attention", "target", value) for value in (None, 3, "ab", b"ab", {"a": 1}, {"a"}, np.ones((1, 2)))],
    *[
        (who, "timeout", value)
        for who in ("draw", "backward", "tree", "attention")
        for value in (0, "20", None, True, float("nan"))
    ],
]
FUNCTIONS = {
    "draw": lambda **options: mr.draw(loss, **options),
    "cell": lambda **options: mr.draw(loss, view="cell", **options),
    "backward": lambda **options: mr.draw.backward(loss, **options),
    "tree": lambda **options: mr.draw.tree(TREE, **options),
    "attention": lambda **options: mr.draw.attention(WEIGHTS, **options),
}


@pytest.mark.parametrize(("who", "name", "value"), WRONG, ids=[f"{who}-{name}-{value!r}" for who, name, value in WRONG])
def test_every_function_says_which_option_is_wrong_and_what_it_takes(who, name, value):
    with pytest.raises(mg.GraphError, match=f"draw.*: {name}(=-1)? is .*not "):
        FUNCTIONS[who](**{name: value})


def test_numbers_and_lists_of_numpy_are_numbers_and_lists():
    mr.draw(loss, steps=np.int64(2), max_shapes=np.int32(500))
    mr.draw(loss, max_shapes=None)
    drawing = mr.draw.attention(WEIGHTS, step=np.int64(1), source=np.array(["a", "b"]), row=np.int8(0))
    assert shapes(drawing)["x1"].lines == ("b",)
    drawing = mr.draw.tree(TREE, numbers=np.arange(TREE.size), max_nodes=np.int64(100))
    assert shapes(drawing)["n0"].lines == ("S", "0")
    assert mr.draw.tree(TREE, numbers=mg.arange(TREE.size)).dot == drawing.dot


def test_numbers_on_a_device_are_copied_once(cuda):
    numbers = mg.arange(TREE.size, device="cuda")
    with cuda.waits(1, uploads=0):
        drawing = mr.draw.tree(TREE, numbers=numbers)
    assert drawing.dot == mr.draw.tree(TREE, numbers=range(TREE.size)).dot


# ---- numbers of one's own ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [lambda: 1, lambda place: 1, lambda a, b, c: 1], ids=["none", "one", "three"])
def test_a_function_of_colours_takes_a_place_and_a_step(function):
    with pytest.raises(mg.GraphError, match=r"color_by is called with a place and a step"):
        mr.draw(loss, color_by=function)


NO_NUMBERS = {"array": np.ones(3), "tensor": mg.ones(3), "huge": 10**400, "text": "1", "complex": 1j, "list": [1]}


@pytest.mark.parametrize("number", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_what_is_no_number_is_told(number):
    with pytest.raises(mg.GraphError, match=r"color_by gives a number or None for each box, not \w+ "):
        mr.draw(loss, color_by=lambda place, t: number)
    with pytest.raises(mg.GraphError, match=r"numbers is a list of numbers or None.*, not of \w+ "):
        mr.draw.tree(TREE, numbers=[None, number, *range(TREE.size - 2)])


def test_an_error_of_the_function_of_colours_is_its_own():
    with pytest.raises(ZeroDivisionError):
        mr.draw(loss, color_by=lambda place, t: t / 0)


# ---- weights of an attention -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "weights",
    [[mg.ones(2), 3, "a"], [[0.5, 0.5], [1.0]], "x", None, 3, {}, [], [None], [[1j]], object(), [["0.5"]]],
    ids=lambda weights: str(weights).split(" at ")[0],
)
def test_what_are_no_weights_is_refused_with_what_is_expected(weights):
    with pytest.raises(mg.GraphError, match=r"draw.attention: weights \(steps, source\) or .* are expected, not "):
        mr.draw.attention(weights)


def test_a_list_of_tensors_one_for_each_step_is_a_matrix():
    drawing = mr.draw.attention([mg.tensor([0.5, 0.5]), mg.tensor([0.25, 0.75], requires_grad=True)])
    assert drawing.dot == mr.draw.attention([[0.5, 0.5], [0.25, 0.75]]).dot


@pytest.mark.parametrize("kind", ["tensor", "array"])
def test_weights_on_a_device_are_copied_once(cuda, kind):
    weights = mg.tensor(WEIGHTS, device="cuda")
    with cuda.waits(1, uploads=0):
        drawing = mr.draw.attention(weights if kind == "tensor" else weights._data)
    assert drawing.dot == mr.draw.attention(WEIGHTS).dot


@pytest.mark.parametrize("step", [None, 0])
@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ([[0.5, 1.5]], "from 0.5 to 1.5"),
        ([[-0.5, 0.5]], "from -0.5 to 0.5"),
        ([[np.nan, -2.0], [np.nan, np.nan]], "from -2 to -2"),
        ([[0.0, np.inf]], "from 0 to inf"),
        ([[0, 2]], "from 0 to 2"),
        ([[-1, 1]], "from -1 to 1"),
    ],
)
def test_weights_are_shares(step, weights, told):
    with pytest.raises(mg.GraphError, match=rf"weights of an attention are from 0 to 1, and these {told}\n  hint: "):
        mr.draw.attention(weights, step=step)


@pytest.mark.parametrize("step", [None, 0])
def test_weights_of_rows_that_are_not_drawn_do_not_matter_and_rounding_neither(step):
    weights = np.array([[[1.0005, -0.0005], [7, 7]]])
    assert mr.draw.attention(weights, step=step).dot == mr.draw.attention([[1.0, 0.0]], step=step).dot


@pytest.mark.parametrize("kind", [int, np.uint8, bool, np.float16])
@pytest.mark.parametrize("step", [None, 1])
def test_hard_weights_may_be_whole_numbers(kind, step):
    hard = np.array([[1, 0], [0, 1]])
    assert mr.draw.attention(hard.astype(kind), step=step).dot == mr.draw.attention(hard.astype(float), step=step).dot


def test_a_step_without_weights_is_drawn_empty():
    weights = [[0.25, 0.75], [np.nan, np.nan]]
    drawn = shapes(mr.draw.attention(weights))
    assert [(drawn[f"a1_{s}"].fill, drawn[f"a1_{s}"].lines) for s in range(2)] == [("", ()), ("", ())]
    assert drawn["a0_0"].fill
    step = mr.draw.attention(weights, step=1)
    assert not [name for name in shapes(step) if name.startswith("bar")]
    assert not [line for line in step.diagram.lines if line.tail[0] == "h" and line.head == "c1"]
    assert "<svg" in step.svg()


def test_only_the_column_of_a_long_word_is_wide():
    source = ["a", "an extraordinarily long word", "b"]
    drawn = shapes(mr.draw.attention(WEIGHTS, source=source))
    plain = shapes(mr.draw.attention(WEIGHTS, source=["a", "x", "b"]))
    assert drawn["a0_1"].width > 2 * drawn["a0_0"].width
    assert drawn["a0_0"].width == drawn["a0_2"].width == plain["a0_0"].width
    for row in ("a0_", "a1_"):
        for s in range(2):
            left, right = drawn[f"{row}{s}"], drawn[f"{row}{s + 1}"]
            assert right.at.x - left.at.x == pytest.approx((left.width + right.width) / 2 + 1.5), "side by side"
    assert all(drawn[f"source{s}"].at.x == drawn[f"a1_{s}"].at.x for s in range(3))
    assert all(drawn[f"source{s}"].width <= drawn[f"a1_{s}"].width + 1.5 for s in range(3))


def test_the_scale_of_weights_has_its_words():
    assert shapes(mr.draw.attention(WEIGHTS))["scale"].lines == (Scale("attention weight α").words,)


# ---- the command line --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--hidden", "--steps"])
def test_a_network_that_no_memory_holds_is_one_line(option, tmp_path, capsys):
    code = main(["draw", "rnn", option, str(10**13), "--out", str(tmp_path / "x.svg")])
    told = capsys.readouterr().err
    assert code == 1
    assert told.startswith("minigrad-rnn: there is not enough memory: Unable to allocate ")
    assert told.count("\n") == 1


# ---- a model with its inputs -----------------------------------------------------------------------------------------


def test_a_model_is_drawn_as_it_is_called():
    model, x = mr.LSTM(3, 4), mg.ones(5, 1, 3)
    for options in ({}, {"view": "folded"}, {"view": "flow"}):
        drawn = mr.draw(lambda: model(x)[0].sum(), **options)
        assert mr.draw(lambda y: model(y)[0].sum(), x, **options).dot == drawn.dot
    assert mr.draw(model, x).dot == mr.draw(lambda: model(x)).dot


def test_inputs_are_for_a_model():
    output, _ = mr.LSTM(3, 4)(mg.ones(5, 1, 3))
    for given, told in ((output, "a Tensor is none"), (mr.LSTM, "LSTM is a class")):
        with pytest.raises(mg.GraphError, match=rf"inputs are for a model, and {told}\n  hint: "):
            mr.draw(given, "folded")
