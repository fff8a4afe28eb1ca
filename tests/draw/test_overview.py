"""Modules as nested boxes, and what flows between them."""

from __future__ import annotations

import gc
import itertools
import re
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import minigrad as mg
import minigrad_rnn as mr
from minigrad import nn
from minigrad.draw import Drawing

GOLDEN = Path(__file__).parent / "golden"


class Tagger(nn.Module):
    def __init__(self):
        self.emb, self.rnn, self.out = nn.Embedding(10, 8), mr.LSTM(8, 16, 2), nn.Linear(16, 10)

    def forward(self, words):
        return self.out(self.rnn(self.emb(words))[0])


class Block(nn.Module):
    def __init__(self, size):
        self.norm, self.lin = nn.LayerNorm(size), nn.Linear(size, size)

    def forward(self, x):
        return x + self.lin(self.norm(x)).tanh()


class Deep(nn.Module):
    def __init__(self, count, size=4):
        self.blocks = [Block(size) for _ in range(count)]
        self.spare = nn.Sequential(nn.Linear(size, size))
        self.head = nn.Linear(size, 2)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Twins(nn.Module):
    def __init__(self):
        self.enc = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.ReLU())
        self.dist = nn.Linear(8, 1)

    def forward(self, left, right):
        return self.dist((self.enc(left) - self.enc(right)).abs())


class Leaky(nn.Module):
    def __init__(self):
        self.hidden_size, self.both = 4, nn.Linear(7, 4)

    def forward(self, x, h):
        return 0.9 * h + 0.1 * mg.tanh(self.both(mg.concat([x, h], -1)))


class Free(nn.Module):
    """A module made of a function and the modules it calls."""

    def __init__(self, function, **modules):
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *args, **kwargs):
        return self.function(self, *args, **kwargs)


def words(steps=4):
    return mg.tensor([[1]] * steps)


PICTURES = {
    "overview": lambda: mg.draw(Tagger(), words()),
    "overview_deep": lambda: mg.draw(Deep(6), mg.ones(3, 4)),
    "overview_twins": lambda: mg.draw(Twins(), (mg.ones(3, 6), mg.ones(3, 6))),
    "overview_cell": lambda: mg.draw(mr.RecurrentLayer(Leaky()), mg.ones(5, 1, 3)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_golden(name):
    """The DOT text without source lines. To accept a new look, delete the file and run this."""
    text = re.sub(r" at \w+\.py:\d+[^\"]*", "", PICTURES[name]().dot)
    path = GOLDEN / f"{name}.dot"
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path.name} did not exist; it is written now: look at it and run again")
    assert text == path.read_text(encoding="utf-8")


def boxes(drawing):
    """The texts of each box, by where it stands and its name there."""
    found = {}
    for box in drawing.diagram.boxes:
        key = "/".join([*map(str, box.panel), box.rows[0].text])
        assert key not in found
        found[key] = [row.text for row in box.rows[1:]]
    return found


def arrows(drawing):
    names = {box.id: box.rows[0].text for box in drawing.diagram.boxes}
    return {(names[arrow.tail], names[arrow.head]): arrow.label for arrow in drawing.diagram.arrows}


def test_modules_are_boxes_with_settings_and_parameters():
    assert boxes(PICTURES["overview"]()) == {
        "words": ["int64"],
        "Tagger/emb": ["Embedding", "10, 8", "80 parameters"],
        "Tagger/rnn": ["LSTM", "8, 16, num_layers=2", "3,840 parameters"],
        "Tagger/out": ["Linear", "in_features=16,", "out_features=10", "170 parameters"],
        "output": [],
    }
    assert arrows(PICTURES["overview"]()) == {
        ("words", "emb"): "4×1", ("emb", "rnn"): "4×1×8", ("rnn", "out"): "4×1×16", ("out", "output"): "4×1×10",
    }  # fmt: skip


def test_what_show_leaves_out():
    model = Tagger()
    model.out.requires_grad_(False)
    drawn = boxes(mg.draw(model, words(), show=("grad",)))
    assert drawn["Tagger/rnn"] == ["LSTM", "3,840 parameters"]
    assert drawn["Tagger/out"] == ["Linear", "170 parameters, frozen"]
    assert boxes(mg.draw(model, words(), show=()))["Tagger/out"] == ["Linear", "170 parameters"]
    assert set(arrows(mg.draw(model, words(), show=())).values()) == {""}


def test_a_module_alone_is_a_box():
    assert boxes(mg.draw(nn.Linear(3, 4), mg.ones(2, 3))) == {
        "x": [], "Linear": ["in_features=3,", "out_features=4", "16 parameters"], "output": [],
    }  # fmt: skip


@pytest.mark.parametrize("kind", [mr.RNN, mr.LSTM, mr.GRU])
def test_a_recurrent_layer_is_a_box_on_both_paths(kind):
    layer = kind(3, 4, bidirectional=True)
    fused = mg.draw(layer, mg.ones(5, 2, 3))
    with mr.unrolled():
        assert mg.draw(layer, mg.ones(5, 2, 3)).dot == fused.dot
    assert arrows(fused)[kind.__name__, "output 0"] == "5×2×8"


def test_the_state_that_is_given_is_an_input():
    drawing = mg.draw(mr.LSTM(3, 4), {"input": mg.ones(5, 2, 3), "hx": (mg.ones(1, 2, 4), mg.zeros(1, 2, 4))})
    assert {name for name, head in arrows(drawing) if head == "LSTM"} == {"input", "hx[0]", "hx[1]"}


def test_arguments_by_keyword_that_no_gradient_flows_to_are_inputs_too():
    drawing = mg.draw(mr.LSTM(3, 4), {"input": mg.ones(5, 2, 3), "lengths": mg.tensor([5, 3])})
    assert arrows(drawing)["lengths", "LSTM"] == "2"


def test_depth_is_how_many_levels_are_drawn():
    model, x = Deep(2), mg.ones(3, 4)
    assert set(boxes(mg.draw(model, x, depth=1))) == {
        "x", "Deep/blocks[0]", "Deep/blocks[1]", "Deep/spare", "Deep/head", "output",
    }  # fmt: skip
    assert "Deep/blocks[0]/norm" in boxes(mg.draw(model, x, depth=2))
    assert mg.draw(model, x, depth=9).dot == mg.draw(model, x).dot


def test_left_out_the_depth_is_what_is_quickly_taken_in():
    def nested(levels):
        return nn.Sequential(*[nested(levels - 1) for _ in range(3)]) if levels else nn.Tanh()

    drawing = mg.draw(nested(4), mg.ones(2))
    assert len(drawing.diagram.boxes) == 29
    assert repr(drawing).endswith("; modules down to depth 3 of 4>")


def test_the_direction_follows_from_the_length_unless_it_is_said():
    row = [nn.Sequential(*[nn.Tanh() if i % 2 else nn.ReLU() for i in range(n)]) for n in (6, 12)]
    assert [mg.draw(model, mg.ones(2)).diagram.direction for model in row] == ["LR", "TB"]
    assert mg.draw(row[1], mg.ones(2), direction="LR").diagram.direction == "LR"


def test_like_modules_in_a_row_are_told_and_counted():
    drawn = boxes(mg.draw(Deep(6), mg.ones(3, 4)))
    assert drawn["Deep/blocks[1] … blocks[4]"] == ["4 more like it", "Block", "112 parameters"]
    assert {"Deep/blocks[0]/norm", "Deep/blocks[5]/norm"} < drawn.keys()
    links = arrows(mg.draw(Deep(6), mg.ones(3, 4), depth=1))
    assert links["blocks[0]", "blocks[1] … blocks[4]"] == links["blocks[1] … blocks[4]", "blocks[5]"] == "3×4"
    assert "blocks[1]" in {name for name, _ in arrows(mg.draw(Deep(3), mg.ones(3, 4), depth=1))}


def test_modules_that_only_look_alike_are_drawn_one_by_one():
    model = Deep(6)
    model.blocks[3].lin.requires_grad_(False)
    assert {f"Deep/blocks[{i}]" for i in range(6)} < boxes(mg.draw(model, mg.ones(3, 4), depth=1)).keys()


def test_a_module_used_twice_is_drawn_once():
    drawing = PICTURES["overview_twins"]()
    drawn = boxes(drawing)
    assert drawn["Twins/enc ×2/[0]"][0] == "Linear ×2"
    assert arrows(drawing)["left", "[0]"] == arrows(drawing)["right", "[0]"] == "3×6"
    assert arrows(drawing)["[2]", "−"] == "3×8"


def test_a_module_that_feeds_itself_has_an_arrow_to_itself():
    again = Free(lambda self, x: self.step(self.step(self.step(x))), step=nn.Linear(4, 4))
    drawing = mg.draw(again, mg.ones(1, 4))
    assert arrows(drawing)["step", "step"] == "1×4"
    assert boxes(drawing)["Free/step"][0] == "Linear ×3"


def test_a_module_that_is_never_called_says_so():
    drawing = mg.draw(Deep(2), mg.ones(3, 4))
    idle = next(box for box in drawing.diagram.boxes if box.dashed)
    assert [row.text for row in idle.rows] == ["spare", "Sequential", "20 parameters", "never called"]
    assert not any(idle.id in (arrow.tail, arrow.head) for arrow in drawing.diagram.arrows)


def test_modules_of_which_only_parts_are_called():
    inner = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    drawing = mg.draw(Free(lambda self, x: self.inner[0](x), inner=inner), mg.ones(1, 4))
    assert boxes(drawing)["Free/inner/[0]"][0] == "Linear"
    assert boxes(drawing)["Free/inner/[1]"] == ["Tanh", "never called"]


def test_parameters_that_get_no_gradient_are_told():
    def forward(self, x):
        with mg.no_grad():
            x = self.still(x)
        return self.last(x) * self.factor

    model = Free(forward, still=nn.Linear(4, 4), last=nn.Linear(4, 4))
    model.factor, model.lost = nn.Parameter(mg.ones(4)), nn.Parameter(mg.ones(3))
    drawing = mg.draw(model, mg.ones(1, 4))
    assert boxes(drawing)["Free/still"][-1] == "no gradient"
    assert arrows(drawing)["still", "last"] == "1×4"
    note = next(box.panel[0].note for box in drawing.diagram.boxes if box.panel)
    assert note == "47 parameters · 23 without gradient"
    one = nn.Sequential(nn.Linear(2, 2))
    one.lost = nn.Parameter(mg.ones(3))
    assert mg.draw(one, mg.ones(2)).diagram.boxes[1].panel[0].note == "9 parameters · no gradient: lost"


@pytest.mark.parametrize("frozen", [False, True])
def test_arrows_do_not_depend_on_gradients(frozen):
    model = Free(lambda self, x: self.b(self.a(x / 2).reshape(2, 2)), a=nn.Linear(4, 4), b=nn.Tanh())
    model.requires_grad_(not frozen)
    with mg.no_grad():
        assert list(arrows(mg.draw(model, mg.ones(1, 4))).values()) == ["1×4", "1×4", "2×2", "2×2"]
    assert all(parameter.requires_grad is not frozen for parameter in model.parameters())


def test_arrows_lead_through_what_is_not_recorded():
    def forward(self, words):
        with mg.no_grad():
            x = self.emb(words[1:])
            y = self.drop(x)
        return self.out(y)

    drawing = mg.draw(Free(forward, emb=nn.Embedding(5, 3), drop=nn.Dropout(), out=nn.Linear(3, 2)), words(5))
    assert set(arrows(drawing)) == {("args[0]", "emb"), ("emb", "drop"), ("drop", "out"), ("out", "output")}
    cut = Free(lambda self, x: self.b(self.a(x).detach()), a=nn.Linear(4, 4), b=nn.Linear(4, 4))
    assert set(arrows(mg.draw(cut, mg.ones(4)))) == {("args[0]", "a"), ("a", "b"), ("b", "output")}


def test_what_is_done_with_integers_is_on_the_way():
    def forward(self, words):
        start = mg.zeros(1, words.shape[1], dtype="int64")
        return self.emb(mg.concat([start, words[:-1]], 0))

    drawing = mg.draw(Free(forward, emb=nn.Embedding(5, 3)), words(5))
    assert arrows(drawing) == {("args[0]", "emb"): "5×1", ("emb", "output"): "5×1×3"}


def test_a_module_that_lets_its_input_pass_is_on_the_way():
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Identity(), nn.Linear(4, 1))
    titles = ["x", "[0]", "[1]", "[2]", "[3]", "output"]
    assert set(arrows(mg.draw(model, mg.ones(2, 4)))) == set(itertools.pairwise(titles))


def test_views_are_no_boxes_and_what_is_computed_between_modules_is():
    def forward(self, x):
        y = self.a(x).reshape(2, 2).transpose(0, 1)
        return self.b(y) + mg.concat([y, y * 2]).sum()

    drawing = mg.draw(Free(forward, a=nn.Linear(4, 4), b=nn.Linear(2, 2)), mg.ones(4))
    assert [box.rows[0].text for box in drawing.diagram.boxes][1:-1] == ["a", "b", "×", "concat", "Σ", "+"]


def test_too_many_ops_between_modules_become_one_box():
    def busy(self, x):
        y = self.a(x)
        for _ in range(20):
            y = y * self.b(y).tanh() - self.c(y).tanh()
        return y

    parts = {name: nn.Linear(2, 2) for name in "abc"}
    crowd = next(box for box in mg.draw(Free(busy, **parts), mg.ones(2)).diagram.boxes if box.role == "group")
    assert crowd.rows[0].text == "80 ops"

    def row(self, x):
        for _ in range(20):
            x = x * 2
        return self.a(x) + self.b(x)

    titles = [box.rows[0].text for box in mg.draw(Free(row, a=parts["a"], b=parts["b"]), mg.ones(2)).diagram.boxes]
    assert titles[1:-1] == ["a", "b", "+"]  # one after the other they go; where two meet they stay


def test_ops_at_every_step_of_a_loop_are_drawn_once():
    def forward(self, x):
        h = mg.zeros(4)
        for t in range(6):
            with mg.scope(step=t):
                h = (self.a(x) + self.b(h)).tanh()
        return h

    drawing = mg.draw(Free(forward, a=nn.Linear(4, 4), b=nn.Linear(4, 4)), mg.ones(4))
    assert [box.rows[0].text for box in drawing.diagram.boxes][1:-1] == ["a", "b", "+", "tanh"]
    assert ("tanh", "b") in arrows(drawing)


def test_nothing_about_the_model_is_changed():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 4))
    model[0].eval()
    model[3].requires_grad_(False)
    before, random = model.state_dict(), mg.get_rng_state()
    x = mg.ones(2, 4)
    mg.draw(model, x)
    after = model.state_dict()
    assert all(np.array_equal(before[name].numpy(), after[name].numpy()) for name in before)
    assert str(mg.get_rng_state()) == str(random)
    assert [module.training for module in model.modules()] == [True, False, True, True, True]
    assert [p.requires_grad for p in model.parameters()] == [True] * 4 + [False] * 2
    assert not x.requires_grad
    assert not any(module._hooks or module._pre_hooks for module in model.modules())


def test_a_model_that_fails_is_put_back_and_the_error_is_its_own():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(5, 4))
    with pytest.raises(mg.ShapeError):
        mg.draw(model, mg.ones(2, 4))
    assert model.training
    assert not any(module._hooks or module._pre_hooks for module in model.modules())


def test_nothing_of_the_run_is_kept():
    seen = []
    model = Free(lambda self, x: (y := self.a(x), seen.append(weakref.ref(y)))[0], a=nn.Linear(4, 4))
    drawing = mg.draw(model, mg.ones(2, 4))
    gc.collect()
    assert isinstance(drawing, Drawing)
    assert seen[0]() is None


def test_inputs_of_all_kinds():
    model = Free(lambda self, *, pair, scale: self.a(pair[0] + pair[1]["x"]) * scale, a=nn.Linear(2, 2))
    given = {"pair": [mg.ones(2), {"x": mg.ones(2)}], "scale": mg.ones(2)}
    titles = [box.rows[0].text for box in mg.draw(model, given).diagram.boxes]
    assert titles[:3] == ["pair[0]", "pair[1]['x']", "scale"]
    assert set(boxes(mg.draw(nn.Linear(2, 2), np.ones(2, "f4")))) == {"x", "Linear", "output"}


class Pair(NamedTuple):
    first: mg.Tensor
    second: mg.Tensor


@dataclass
class Batch:
    x: mg.Tensor
    length: int


def test_inputs_and_outputs_in_named_tuples_and_dataclasses():
    def forward(self, pair, batch):
        return {"pair": Pair(pair.first, self.a(pair.second)), "batch": Batch(batch.x, 1)}

    drawing = mg.draw(Free(forward, a=nn.Linear(2, 2)), (Pair(mg.ones(2), mg.ones(2)), Batch(mg.ones(2), 2)))
    assert set(boxes(drawing)) == {
        "args[0].first", "args[0].second", "args[1].x", "Free/a", "output 0", "output 1", "output 2",
    }  # fmt: skip
    assert arrows(drawing)["args[0].second", "a"] == "2"
    model = Free(lambda self, pair: self.a(pair.first + pair.second), a=nn.Linear(2, 2))
    one = mg.draw(model, Pair(mg.ones(2), mg.ones(2)))
    assert {name for name, head in arrows(one) if head == "+"} == {"args[0].first", "args[0].second"}


def test_modules_that_only_let_pass_what_they_get_in_any_container():
    def forward(self, x):
        return self.keep({"x": [self.a(x)], "none": None})["x"][0]

    drawing = mg.draw(Free(forward, a=nn.Linear(2, 2), keep=nn.Identity()), mg.ones(2))
    assert ("a", "keep") in arrows(drawing)
    assert ("keep", "output") in arrows(drawing)


def test_what_is_made_of_parameters_alone_is_no_part_of_the_flow():
    model = Free(lambda self, x: self.a(x) * self.scale.exp().sum() + self.a.bias, a=nn.Linear(2, 2))
    model.scale = nn.Parameter(mg.ones(2))
    assert [box.rows[0].text for box in mg.draw(model, mg.ones(2)).diagram.boxes][1:-1] == ["a", "×", "+"]


@pytest.mark.parametrize(
    ("model", "inputs", "message"),
    [
        (nn.Linear(2, 2), None, r"this Linear has computed nothing yet\n.*draw\(model, x\)"),
        (nn.Linear(2, 2), (3, 2), r"\(3, 2\) is no tensor\n.*mg\.zeros\(3, 2\)"),
        (nn.Linear(2, 2), 3, "3 is no tensor"),
        (nn.Linear(2, 2), (mg.ones(2), mg.ones(2)), r"cannot be called with these inputs: too many positional"),
        (nn.Linear(2, 2), {"y": mg.ones(2)}, r"missing a required argument: '\w+'\n.*dictionary of keyword"),
        (mg.ones(2), mg.ones(2), "inputs are for a module; a Tensor was drawn"),
    ],
)
def test_wrong_inputs_say_what_to_do(model, inputs, message):
    with pytest.raises(mg.GraphError, match=message):
        mg.draw(model, inputs)


def test_colours_are_for_ops():
    with pytest.raises(mg.GraphError, match=r"draw\(model\(x\), color_by"):
        mg.draw(nn.Linear(2, 2), mg.ones(2), color_by="value")
