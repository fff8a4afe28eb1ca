"""Input that drawing tools trip over: each gives a right picture, or one clear error."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.draw.dot import clean
from minigrad_rnn.draw import draw as draw_network

SVG = "{http://www.w3.org/2000/svg}"
NAMES = [
    'say "hi"', "two\nlines", "tab\tand\r", "a<b>&{c}|d", "<b>bold</b>", "&amp;&#65;\\n\\N\\G", "back\\slash\\",
    "graph", "{}", "|", "梯度 ∂ ∇ 🙂", "שלום", "\x00\x07", "\ud800", "%d {0}", "n0", "'",
]  # fmt: skip


def named(tensor, name):
    tensor.name = name
    return tensor


def rows(drawing):
    return [[row.text for row in box.rows] for box in drawing.diagram.boxes]


def written(svg):
    """All texts of a picture."""
    return [" ".join((element.text or "").split()) for element in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314


def shown(name):
    return clean(" ".join(name.split()))


# ---- small and odd graphs ----------------------------------------------------------------------------------------


def test_a_leaf_alone_is_a_box():
    assert rows(mg.draw(named(mg.ones(2, requires_grad=True), "w"))) == [["w", "2", "no grad yet"]]
    assert rows(mg.draw(mg.ones(2, requires_grad=True))) == [["leaf", "2", "no grad yet"]]
    assert rows(mg.draw(nn.Linear(2, 3).weight)) == [["weight", "3×2", "no grad yet"]]


def test_a_constant_has_no_graph_and_the_error_says_why():
    with pytest.raises(mg.GraphError, match=r"\(2, 3\) has no graph: no op recorded it\n  hint: was every input made"):
        mg.draw(mg.ones(2, 3) * 2)
    with mg.no_grad(), pytest.raises(mg.GraphError, match="has no graph"):
        mg.draw(mg.ones(2, requires_grad=True) * 2)


def test_nothing_at_all():
    for nothing in ([], ()):
        with pytest.raises(mg.GraphError, match="an empty list: there is nothing to show"):
            mg.draw(nothing)


def test_graphs_that_have_nothing_to_do_with_one_another_stand_side_by_side():
    a, b = named(mg.ones(2, requires_grad=True), "a"), named(mg.ones(2, requires_grad=True), "b")
    drawing = mg.draw([a * 1, b * 2, a])
    assert [row[0] for row in rows(drawing)] == ["a", "b", "× 1", "× 2"]
    assert [(arrow.tail, arrow.head) for arrow in drawing.diagram.arrows] == [("n0", "n2"), ("n1", "n3")]
    assert {"a", "b"} < set(written(drawing.svg()))


def test_the_same_output_twice_and_an_output_inside_another():
    x = mg.ones(2, requires_grad=True)
    y = x.exp()
    assert mg.draw([y, y]).dot == mg.draw(y).dot
    assert [box.role for box in mg.draw([y.sin(), y]).diagram.boxes] == ["parameter", "result", "result"]


def test_an_output_of_an_op_with_several_of_which_the_others_go_nowhere():
    first, _, _ = mg.ones(3, requires_grad=True).unbind()
    assert rows(mg.draw(first))[-1] == ["unbind", "3 of scalar"]


def test_sizes_from_nothing_to_huge():
    huge = np.broadcast_to(np.zeros((), "f4"), (10**6, 10**6))  # four terabytes, of which there is one number
    x = mg.ones(2, 0, requires_grad=True).sum() * mg.ones((), requires_grad=True)
    assert [row[1] for row in rows(mg.draw(x, show=("shape",)))] == ["2×0", "scalar", "scalar", "scalar"]
    big = mg.from_numpy(huge).requires_grad_()
    assert rows(mg.draw(named(big, "big")))[0][:2] == ["big", "1000000×1000000"]
    assert rows(mg.draw(big.transpose(0, 1)[:2, :3]))[-1] == ["[:2, :3]", "2×3"]
    assert rows(mg.draw(mg.ones(*[1] * 30, requires_grad=True)))[0][1] == "×".join("1" * 30)


def test_numbers_that_are_none():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    with np.errstate(all="ignore"):
        y = (x * float("nan")).sum() + float("inf")
    y.backward()
    texts = [text for row in rows(mg.draw(y)) for text in row]
    assert {"× nan", "+ inf", "‖g‖ nan"} <= set(texts)
    assert "× nan" in written(mg.draw(y).svg())


def test_a_graph_that_backward_has_freed_is_drawn_with_its_gradients():
    w = named(mg.ones(2, requires_grad=True), "w")
    y = (w * 3).sum()
    before = mg.draw(y, show=("shape",)).dot
    y.backward()
    assert mg.draw(y, show=("shape",)).dot == before
    assert rows(mg.draw(y))[0] == ["w", "2", "‖g‖ 4.24"]


def test_the_graph_of_a_gradient_and_a_graph_in_place_of_a_tensor():
    x = mg.tensor(2.0, requires_grad=True)
    (slope,) = mg.grad(x**3, [x], create_graph=True)
    assert any(row[0] == "x²" for row in rows(mg.draw(slope)))
    assert mg.draw(mg.graph(slope), show=("shape",)).dot == mg.draw(slope, show=("shape",)).dot


def test_a_drawing_keeps_no_graph_alive():
    x = mg.ones(2, requires_grad=True)
    y = x.exp()
    drawing, seen = mg.draw(y), weakref.ref(y)
    del x, y
    gc.collect()
    assert seen() is None
    assert "exp" in written(drawing.svg())


# ---- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_names_of_tensors_are_drawn_as_they_are(name):
    x = named(mg.ones(2, requires_grad=True), name)
    assert shown(name) in written(mg.draw(named(x * 2, name)).svg())


@pytest.mark.parametrize("name", [name for name in NAMES if "\x00" not in name])
def test_names_of_places_are_drawn_as_they_are(name):
    x = mg.ones(2, requires_grad=True)
    with mg.scope(name):
        y = (x * 2).exp()
    assert shown(name) in written(mg.draw(y).svg())
    assert shown(name) in written(mg.draw(y, depth=1).svg())


@pytest.mark.parametrize("name", [name for name in NAMES if "." not in name])
def test_names_of_modules_and_inputs_are_drawn_as_they_are(name):
    class Named(nn.Module):
        def __init__(self):
            self.parts = nn.ModuleDict({name: nn.Linear(2, 2), "idle": nn.Tanh()})

        def forward(self, **inputs):
            return self.parts[name](inputs[name])

    texts = written(mg.draw(Named(), {name: mg.ones(2)}).svg())
    assert shown(name) in texts or not shown(name)
    assert any(shown(name) in text for text in texts if "parts" in text)


@pytest.mark.parametrize("name", NAMES)
def test_names_in_a_recurrent_network_are_drawn_as_they_are(name):
    weight = named(mg.ones(2, 2, requires_grad=True), name)
    h = named(mg.zeros(1, 2), name)
    with mg.scope("rnn"):
        for t in range(3):
            with mg.scope(step=t):
                h = (h @ weight).tanh()
    ET.fromstring(draw_network(h).svg())  # noqa: S314


# ---- what is not a graph -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "named_as"),
    [(3, "int"), ("loss", "str"), (None, "NoneType"), (np.ones(2), "ndarray"), ({"y": 1}, "dict"), ([1, 2], "int")],
)
def test_what_cannot_be_drawn_is_named(wrong, named_as):
    with pytest.raises(mg.GraphError, match=f"not {named_as}"):
        mg.draw(wrong)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0}, "depth is 1 for the outermost"),
        ({"depth": "2"}, "depth is 1 for the outermost"),
        ({"depth": 1.5}, "depth is 1 for the outermost"),
        ({"max_nodes": 0}, "max_nodes is how many boxes"),
        ({"max_nodes": "many"}, "max_nodes is how many boxes"),
        ({"direction": 3}, "direction is one of LR, TB, RL, BT, not 3"),
        ({"show": 3}, "show is a tuple of shape"),
        ({"show": None}, "show is a tuple of shape"),
        ({"show": (1,)}, "show is a tuple of shape"),
    ],
)
def test_wrong_arguments_say_what_was_expected(arguments, message):
    y = mg.ones(2, requires_grad=True) * 2
    with pytest.raises(mg.GraphError, match=message):
        mg.draw(y, **arguments)
    with pytest.raises(mg.GraphError, match=message):
        mg.draw(nn.Linear(2, 2), mg.ones(2), **arguments)


def test_a_module_is_not_taken_for_a_function():
    with pytest.raises(mg.GraphError, match=r"this Tanh has computed nothing yet\n  hint: draw\(model, x\)"):
        mg.draw(nn.Tanh())
    with pytest.raises(mg.GraphError, match=r"a Linear has computed nothing yet\n  hint: draw\(lambda: model\(x\)\)"):
        draw_network(nn.Linear(2, 2))


def test_a_module_without_parameters_on_inputs_without_gradients():
    assert [row[0] for row in rows(mg.draw(nn.Sequential(nn.Tanh()), mg.ones(2)))][1:] == ["[0]", "output"]
    assert [row[0] for row in rows(mg.draw(nn.Flatten(), mg.ones(2, 2, 2)))][1:] == ["Flatten", "output"]


def test_a_model_that_returns_no_tensor_or_takes_none():
    class Odd(nn.Module):
        def __init__(self, value):
            self.value, self.lin = value, nn.Linear(2, 2)

        def forward(self, x=None):
            return self.value if x is None else (self.lin(x), self.value)[1]

    for value in (None, 3, "text"):
        drawing = mg.draw(Odd(value), ())
        assert [row[0] for row in rows(drawing)] == ["Odd"]
        assert "lin" in [row[0] for row in rows(mg.draw(Odd(value), mg.ones(2)))]
    assert [row[0] for row in rows(mg.draw(Odd(mg.ones(2)), ()))] == ["Odd", "output"]


# ---- arrays on a device ------------------------------------------------------------------------------------------


def test_shapes_on_a_device_cost_nothing_and_each_gradient_one_copy(cuda):
    w = named(mg.ones(2, 2, device="cuda", requires_grad=True), "w")
    x = named(mg.ones(2, 2, device="cuda", requires_grad=True), "x")
    with cuda.waits(0, uploads=0):
        y = (w @ x).tanh().sum()
        y.backward()
        mg.draw(y, show=("shape", "params", "dtype", "scope"))
    with cuda.waits(2, uploads=0):
        drawing = mg.draw(y)
    assert [row[-1] for row in rows(drawing) if row[0] in "wx"] == ["‖g‖ 0.283", "‖g‖ 0.283"]


def test_modules_on_a_device_are_drawn_without_a_copy(cuda):
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh()).to("cuda")
    x = mg.ones(3, 2, device="cuda")
    with cuda.waits(0, uploads=0):
        drawing, table = mg.draw(model, x), mg.inspect.summary(model, x)
    assert len(drawing.diagram.boxes) == 4
    assert table.parameters == 6


def test_drawing_a_model_imports_no_graphics():
    program = (
        "import sys, minigrad as mg; mg.inspect.summary(mg.nn.Tanh(), mg.ones(2))\n"
        "assert not [m for m in sys.modules if '.draw' in m]\n"
        "mg.draw(mg.nn.Tanh(), mg.ones(2)); sys.exit(bool({'graphviz', 'pygraphviz', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0  # noqa: S603
