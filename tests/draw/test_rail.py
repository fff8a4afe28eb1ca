"""Shared weights drawn as rails: an alias at each step, tied to the weight in full."""

import re
from pathlib import Path

import pytest

import minigrad as mg
import minigrad_rnn as mr
from minigrad import nn
from minigrad.draw.style import PALETTE
from minigrad_rnn.draw.rails import symbol

GOLDEN = Path(__file__).parent / "golden"


class Language(nn.Module):
    def __init__(self, kind, layers=1, **options):
        self.emb, self.rnn = nn.Embedding(10, 4), kind(4, 6, layers, **options)
        self.out = nn.Linear(12 if options.get("bidirectional") else 6, 10)

    def forward(self, x, **options):
        return self.out(self.rnn(self.emb(x), **options)[0])


def language(kind=mr.LSTM, layers=1, steps=3, **options):
    model, x = Language(kind, layers, **options), mg.tensor([[1, 2]] * steps)
    return lambda: nn.functional.cross_entropy(model(x), x, dim=-1)


class Translator(nn.Module):
    def __init__(self):
        self.encoder, self.decoder = mr.LSTM(3, 5), mr.LSTM(3, 5)

    def forward(self, x, y):
        return self.decoder(y, self.encoder(x)[1])[0]


class Skipping(nn.Module):
    """The second cell reads the input too, past the first one."""

    def __init__(self):
        self.one, self.two = mr.GRUCell(3, 4), mr.RNNCell(7, 5)

    def forward(self, x):
        h, g = mg.zeros(1, 4), mg.zeros(1, 5)
        for t in range(len(x)):
            with mg.scope(step=t):
                h = self.one(x[t], h)
                g = self.two(mg.concat([h, x[t]], -1), g)
        return g


NETWORKS = {
    "past_a_row": lambda: lambda: Skipping()(mg.ones(3, 1, 3)).sum(),
    "rnn": lambda: language(mr.RNN),
    "lstm": lambda: language(layers=2),
    "bidirectional": lambda: language(mr.GRU, bidirectional=True),
    "residual": lambda: language(mr.RNN, 3, residual=True),
    "skips": lambda: lambda: mr.RNN(3, 4, time_skips=(2,))(mg.ones(5, 1, 3))[0],
    "translator": lambda: lambda: Translator()(mg.ones(3, 1, 3), mg.ones(2, 1, 3)),
    "long": lambda: language(mr.GRU, steps=60),
}


def drawn(name):
    return mr.draw(NETWORKS[name](), weights="rail")


def shapes(drawing):
    return {shape.id: shape for shape in drawing.diagram.shapes}


@pytest.mark.parametrize("name", NETWORKS)
def test_rail_golden(name):
    text, path = drawn(name).dot, GOLDEN / f"rail_{name}.dot"
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path.name} did not exist; it is written now: look at it and run again")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NETWORKS)
def test_ids_are_unique_and_lines_end_at_shapes(name):
    sheet = drawn(name).diagram
    ids = [shape.id for shape in sheet.shapes]
    assert len(set(ids)) == len(ids)
    assert {end for line in sheet.lines for end in (line.tail, line.head)} <= set(ids)


@pytest.mark.parametrize("name", NETWORKS)
def test_aliases_and_boxes_do_not_overlap(name):
    boxes = [s for s in drawn(name).diagram.shapes if re.fullmatch(r"(r\d+|rail\d+_(r\d+|head))(_m?\d+|_all)?", s.id)]
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            beside = abs(a.at.x - b.at.x) >= (a.width + b.width) / 2
            assert beside or abs(a.at.y - b.at.y) >= (a.height + b.height) / 2 - 0.01, (a.id, b.id)


def test_each_step_has_an_alias_of_each_weight():
    found = shapes(drawn("rnn"))
    heads = {id.removesuffix("_head"): shape.lines[0] for id, shape in found.items() if id.endswith("_head")}
    assert list(heads.values()) == [
        "weight_hh_l0 (6, 6) + bias  ×3", "weight_ih_l0 (6, 4) + bias  ×3", "out.weight (10, 6) + bias  ×3",
    ]  # fmt: skip
    for rail in heads:
        aliases = [shape for id, shape in found.items() if re.fullmatch(rf"{rail}_r\d+_\d+", id)]
        assert len(aliases) == 3
        assert all(alias.dashed and alias.fill == PALETTE["parameter"].fill for alias in aliases)


def test_a_dotted_line_ties_the_aliases_from_left_to_right():
    sheet = drawn("rnn").diagram
    ties = [line for line in sheet.lines if line.stroke.style == "dotted" and line.tail.startswith("rail0")]
    assert [line.tail for line in ties] == ["rail0_head", *[line.head for line in ties[:-1]]]
    at = {shape.id: shape.at.x for shape in sheet.shapes}
    assert [at[line.head] for line in ties] == sorted(at[line.head] for line in ties)
    assert not any(line.arrow for line in ties)


def test_arrows_pass_the_aliases():
    lines = drawn("rnn").diagram.lines
    assert {(line.head, line.arrow) for line in lines if line.tail == "r1_0"} >= {("rail0_r1_1", False)}
    assert {(line.head, line.arrow) for line in lines if line.tail == "rail0_r1_1"} >= {("r1_1", True)}


def test_a_long_sequence_has_aliases_at_its_ends_and_one_in_the_strip():
    found = shapes(drawn("long"))
    steps = [id.rpartition("_")[2] for id in found if re.fullmatch(r"rail1_r1_\w+", id)]
    assert steps == ["0", "1", "2", "folded", "58", "59"]


def test_runs_of_one_layer_after_each_other_have_one_rail():
    rnn = mr.GRU(3, 4)

    def windows():
        first, state = rnn(mg.ones(2, 1, 3))
        return [first.sum(), rnn(mg.ones(2, 1, 3), mr.detach_state(state))[0].sum()]

    found = shapes(mr.draw(windows, weights="rail"))
    assert sorted(id for id in found if id.endswith("_head")) == ["rail0_head", "rail1_head"]
    assert found["rail0_head"].lines == ("weight_hh_l0 (12, 4) + bias  ×4",)


def test_weights_without_a_rail_keep_their_colours():
    sheet = drawn("skips").diagram
    texts = [line for shape in sheet.shapes for line in shape.lines]
    assert "weight_skip_l0 (4, 4)  ×3" in texts
    assert "rail2_head" not in shapes(drawn("skips"))


@pytest.mark.parametrize(
    ("name", "short"),
    [("m.rnn.weight_hh_l0_reverse", "W_hh"), ("m.out.weight", "W_out"), ("m.out.bias", "b_out"), ("W_xh", "W_xh"),
     ("cells.0.weight_ih", "W_ih"), ("a_very_long_name", "a_very_…"), ("weight", "W"), ("0", "0")],
)  # fmt: skip
def test_aliases_have_short_names(name, short):
    assert symbol(name) == short


@pytest.mark.parametrize(("options", "message"), [
    ({"weights": "nodes"}, 'weights is "color" or "rail", not \'nodes\''),
    ({"weights": "rail", "view": "folded"}, 'weights="rail" is for the view "unrolled"'),
])  # fmt: skip
def test_options_are_checked(options, message):
    with pytest.raises(mg.GraphError, match=message):
        mr.draw(NETWORKS["rnn"](), **options)


def test_an_arrow_past_a_row_has_its_alias_beside_it():
    found = shapes(drawn("past_a_row"))
    (rail,) = {id.rpartition("_r")[0] for id, s in found.items() if s.at.x > found["r1_0"].at.x + 10 and
               re.fullmatch(r"rail\d+_r\d+_0", id) and s.lines == ("W_ih",)}  # fmt: skip
    lines = [line for line in drawn("past_a_row").diagram.lines if line.tail.startswith(f"{rail}_r") and line.arrow]
    assert all(len(line.path) == 3 for line in lines)


def test_folded_boxes_with_numbers_keep_their_rails():
    rnn = mr.RNN(3, 4)
    drawing = mr.draw(lambda: rnn(mg.ones(40, 1, 3))[0][-1].sum(), weights="rail", color_by="gradient")
    assert {"rail1_r1_folded", "r1_s0"} <= set(shapes(drawing))


def test_rails_and_numbers_of_boxes_go_together():
    found = shapes(mr.draw(lambda: mr.RNN(3, 4)(mg.ones(3, 1, 3))[0].sum(), weights="rail", color_by="gradient"))
    assert len(found["r1_2"].lines) == 2
    assert found["rail0_r1_2"].lines == ("W_hh",)
