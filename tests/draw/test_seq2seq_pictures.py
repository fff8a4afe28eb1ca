"""Encoder-decoder networks: how they are read from what ran, and that nothing in their pictures runs over a box."""

import itertools
import re

import numpy as np
import pytest
from drawn import same_as_golden

import minigrad as mg
import minigrad_rnn as mr
from minigrad import nn
from minigrad_rnn.draw.assemble import read
from minigrad_rnn.draw.cell import read_cell
from minigrad_rnn.draw.drawing import graph_of
from minigrad_rnn.draw.looks import Looks
from minigrad_rnn.draw.textbook import textbook
from minigrad_rnn.inspect import gradient_flow
from minigrad_rnn.seq2seq import AdditiveAttention, Decoder, DotAttention, Encoder, Seq2Seq

H = 5  # features of the encoder in each direction


def attention_of(kind, query, memory):
    if kind == "dot" and query != memory:
        return DotAttention(query, memory, "general")
    return {"dot": DotAttention, "add": lambda q, m: AdditiveAttention(q, m, 6)}[kind](query, memory)


def translator(
    kind=mr.LSTM, steps=3, target=3, attention=None, attend="after", mode="state", feeding=False, bridge="copy",
    lengths=None, sampling=None, size=None, **options,
):  # fmt: skip
    """A function that computes the loss of a network; the decoder has a step more than the target, for END."""
    mg.manual_seed(0)
    encoder = Encoder(10, kind(4, H, **options))
    memory, layers = encoder.memory_size, options.get("num_layers", 1)
    features = size or memory
    beside = memory * (attend == "before") + features * feeding + encoder.context_size * (mode == "peeky")
    decoder = Decoder(
        12, kind(4 + beside, features, layers), mode, attend=attend, input_feeding=feeding,
        context_size=encoder.context_size if mode == "peeky" else 0,
        attention=None if attention is None else attention_of(attention, features, memory),
    )  # fmt: skip
    model, batch = Seq2Seq(encoder, decoder, bridge), len(lengths or [1])
    source, wanted = mg.full((steps, batch), 3), mg.full((target, batch), 4)
    return lambda: model.loss(source, wanted, lengths, None, sampling=sampling)


CASES = {
    "plain": {},
    "plain_gru": {"kind": mr.GRU},
    "plain_two_layers": {"num_layers": 2},
    "plain_bidirectional": {"bidirectional": True},
    "plain_long": {"steps": 20, "target": 18},
    "zeros": {"bridge": "zeros", "size": 6},
    "sampled": {"sampling": 0.5},
    "peeky": {"kind": mr.GRU, "mode": "peeky"},
    "autonomous": {"kind": mr.GRU, "mode": "autonomous"},
    "luong": {"attention": "dot"},
    "luong_rnn": {"kind": mr.RNN, "attention": "dot"},
    "luong_bidirectional": {"attention": "dot", "bidirectional": True},
    "luong_two_layers": {"attention": "dot", "bidirectional": True, "num_layers": 2},
    "luong_two_gru_layers": {"kind": mr.GRU, "attention": "dot", "bidirectional": True, "num_layers": 2},
    "luong_padded": {"attention": "dot", "bidirectional": True, "lengths": [3, 2]},
    "luong_linear": {"attention": "dot", "bidirectional": True, "bridge": "linear", "size": 6},
    "luong_zeros": {"attention": "dot", "bridge": "zeros", "size": 6},
    "luong_sampled": {"attention": "dot", "sampling": 0.5},
    "luong_peeky": {"kind": mr.GRU, "attention": "dot", "mode": "peeky"},
    "luong_fed": {"attention": "dot", "feeding": True},
    "luong_long": {"attention": "dot", "steps": 20, "target": 18},
    "luong_one_step": {"attention": "dot", "bidirectional": True, "target": 0},
    "luong_one_word": {"attention": "dot", "steps": 1},
    "bahdanau": {"attention": "add", "attend": "before"},
    "bahdanau_tanh": {
        "kind": mr.GRU, "attention": "add", "attend": "before", "bidirectional": True, "bridge": "tanh", "size": 6,
    },
    "bahdanau_two_layers": {"attention": "add", "attend": "before", "num_layers": 2},
    "bahdanau_padded": {"attention": "add", "attend": "before", "lengths": [3, 2]},
    "bahdanau_fed": {"attention": "add", "attend": "before", "feeding": True},
    "bahdanau_long": {"attention": "add", "attend": "before", "steps": 20, "target": 16},
}  # fmt: skip


def network(case):
    return read(graph_of(translator(**CASES[case])))


def rows(net):
    return {row.place or row.kind: row for row in net.rows if row.kind != "start"}


def links(net, tail, head):
    """The links from place to place."""
    places = {row.id: row.place for row in net.rows if row.kind != "start"}
    return [link for link in net.links if (places.get(link.tail), places.get(link.head)) == (tail, head)]


ENCODER, DECODER = "encoder.layer.layer0", "decoder.layer.layer0"


# ---- what is read ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["plain_bidirectional", "luong_bidirectional", "luong_padded", "luong_one_step"])
def test_each_direction_hands_over_its_own_last_state(case):
    net = network(case)
    for way, last in (("fwd", 2), ("bwd", 0)):
        handed = links(net, f"{ENCODER}.{way}", DECODER)
        assert {(link.part, link.pairs) for link in handed} == {("h", ((last, 0),)), ("c", ((last, 0),))}


@pytest.mark.parametrize("case", [case for case in CASES if "two_" in case])
def test_each_layer_hands_over_to_its_own(case):
    net = network(case)
    for above, below in itertools.product((0, 1), repeat=2):
        sources = [place for place in rows(net) if place.startswith(f"encoder.layer.layer{above}")]
        handed = [link for place in sources for link in links(net, place, f"decoder.layer.layer{below}")]
        assert bool(handed) == (above == below)
        assert all(len(link.pairs) == 1 for link in handed)


def test_first_states_in_one_tensor_are_first_states():
    rnn, h, c = mr.LSTM(3, 4, 2), mg.ones(2, 1, 4), mg.ones(2, 1, 4, requires_grad=True)
    with mr.unrolled():
        net = read(mg.graph(rnn(mg.ones(4, 1, 3), (h, c))[0]))
    starts = {row.place: set(row.parts) for row in net.rows if row.kind == "start"}
    assert starts == {"lstm.layer0": {"h", "c"}, "lstm.layer1": {"h", "c"}}
    assert [row.steps for row in net.rows if row.kind == "input"] == [(0, 1, 2, 3)]


@pytest.mark.parametrize("state", [lambda h: h[1], lambda h: h[-1], lambda h: h.clone()[1], lambda h: h.unbind()[1]])
def test_one_layer_of_a_last_state_is_that_layer(state):
    rnn, head = mr.GRU(3, 4, 2), nn.Linear(4, 2)
    with mr.unrolled():
        net = read(mg.graph(head(state(rnn(mg.ones(3, 1, 3))[1]))))
    (above,) = [row.id for row in net.rows if row.kind == "output"]
    tails = [(net.row(link.tail).place, link.pairs[0][0]) for link in net.links if link.head == above]
    assert tails == [("gru.layer1", 2)]


def test_a_detached_state_of_several_layers_is_cut_layer_by_layer():
    rnn = mr.GRU(3, 4, 2)
    with mr.unrolled():
        first, state = rnn(mg.ones(3, 1, 3))
        net = read(mg.graph([first, rnn(mg.ones(2, 1, 3), state.detach())[0]]))
    cut = {(net.row(link.tail).place, net.row(link.head).place, link.pairs) for link in net.links if link.cuts}
    assert cut == {(f"gru.layer{n}", f"gru.layer{n} (call 2)", ((2, 0),)) for n in (0, 1)}


@pytest.mark.parametrize("case", ["luong", "luong_padded", "luong_one_step", "bahdanau", "bahdanau_padded"])
def test_attention_is_one_box_at_each_step_of_the_decoder(case):
    net = network(case)
    cells = [row.place for row in net.rows if row.kind == "state"]
    assert not any("attention" in place for place in cells)
    inside = [row for row in net.rows if row.place == "decoder.attention" and row.clock == rows(net)[DECODER].clock]
    assert [(row.kind, row.title) for row in inside] == [("op", "attention")]
    assert inside[0].steps == rows(net)[DECODER].steps


@pytest.mark.parametrize("case", ["bahdanau", "luong_fed", "bahdanau_fed", "sampled", "luong_sampled"])
def test_a_layer_that_is_stepped_in_a_loop_is_a_cell_of_that_loop(case):
    cell = rows(network(case))[DECODER]
    assert (cell.kind, cell.parts, cell.steps) == ("state", ("h", "c"), (0, 1, 2, 3))
    assert rows(network("plain"))[DECODER].ops < cell.ops + 3


def test_the_query_is_told_apart_from_the_memory():
    net = network("bahdanau")
    told = {(net.weights[link.weights[0]].short if link.weights else "", link.spread, link.pairs[0])
            for link in links(net, ENCODER, "decoder.attention")}  # fmt: skip
    assert told == {("query_map.weight", False, (2, 0)), ("", True, (0, 0))}
    (back,) = links(net, DECODER, "decoder.attention")
    assert (back.lag, back.part) == (1, "h")


def test_what_is_fed_back_begins_with_nothing():
    net = network("luong_fed")
    assert [row.place for row in net.rows if row.kind == "start"] == [ENCODER]
    (fed,) = [link for link in links(net, "decoder", DECODER) if link.lag]
    assert fed.pairs == ((0, 1), (1, 2), (2, 3))


def test_masks_of_the_memory_are_not_drawn():
    assert [row.title for row in network("luong_padded").rows if row.clock == 0 and row.kind == "op"] == ["concat"]


def test_no_row_is_above_and_below_another():
    net = network("luong_peeky")
    order = {row.id: i for i, row in enumerate(net.rows)}
    assert all(order[link.tail] < order[link.head] for link in net.links if link.lag == 0)


class Own(nn.Module):
    """A loop of one's own, with an attention whose weights have a name."""

    def __init__(self, stepped):
        self.memory, self.head, self.stepped = mr.GRU(3, 4), nn.Linear(8, 5), stepped
        self.cell = mr.GRU(7, 4, 2) if stepped else mr.GRUCell(7, 4)

    def forward(self, x):
        memory, h, state, made = self.memory(x)[0], mg.zeros(1, 4), None, []
        for t in range(3):
            with mg.scope(step=t):
                alpha = mg.softmax((memory * h).sum(-1), 0)
                alpha.name = "alpha"
                seen = (alpha.unsqueeze(-1) * memory).sum(0)
                read = mg.concat([seen, mg.ones(1, 3)], -1)
                if self.stepped:
                    h, state = self.cell.step(read, state)
                else:
                    h = self.cell(read, h)
                made.append(self.head(mg.concat([h, seen], -1)))
        return mg.stack(made)


@pytest.mark.parametrize(("stepped", "cells"), [(True, ["own.cell.layer0", "own.cell.layer1"]), (False, ["own.cell"])])
def test_loops_of_ones_own_with_attention(stepped, cells):
    with mr.unrolled():
        net = read(mg.graph(Own(stepped)(mg.ones(4, 1, 3))))
    states = [row for row in net.rows if row.kind == "state" and row.place != "own.memory.layer0"]
    assert [(row.place, row.parts) for row in states] == [(cell, ("h",)) for cell in cells]
    assert all(row.steps == (0, 1, 2) for row in states)


# ---- numbers and other views ----------------------------------------------------------------------------------------


def test_the_legend_counts_each_step_once():
    for case, count in (("luong_bidirectional", 4), ("bahdanau", 4), ("luong", 4)):
        net = network(case)
        counts = {entry.text.partition(" ")[0]: entry.text.rpartition("×")[2] for entry in Looks(net).legend()}
        assert counts["decoder.layer.weight_hh_l0"] == str(count)
        assert counts["combine.weight"] == str(count)


def test_every_step_has_a_panel():
    sheet = mr.draw(translator(**CASES["luong_bidirectional"])).diagram
    assert sum(shape.id.startswith("panel") for shape in sheet.shapes) == 3 + 4


@pytest.mark.parametrize("case", ["luong_bidirectional", "bahdanau"])
def test_gradients_through_encoder_and_decoder(case):
    loss = translator(**CASES[case])
    lines = {(line.place, line.part) for line in gradient_flow(loss).lines}
    assert {part for _, part in lines} == {"h", "c"}
    assert DECODER in {place for place, _ in lines}
    boxes = {shape.id: shape for shape in mr.draw(loss, color_by="gradient").diagram.shapes}
    cell = rows(network(case))[DECODER]
    assert boxes[f"{cell.id}_3"].lines[-1] == "1"
    assert len(mr.draw(loss, view="flow").diagram.shapes) > 8 * len(lines) / 2


def test_a_cell_that_is_stepped_is_drawn_as_in_textbooks():
    cell = read_cell(graph_of(translator(**CASES["bahdanau"])), DECODER)
    assert textbook(cell) is not None


@pytest.mark.parametrize("options", [{"weights": "rail"}, {"color_by": "terms"}, {"color_by": "time"}])
@pytest.mark.parametrize("case", ["luong_bidirectional", "bahdanau_tanh", "luong_fed"])
def test_other_options_work_too(case, options):
    ids = [shape.id for shape in mr.draw(translator(**CASES[case]), **options).diagram.shapes]
    assert len(set(ids)) == len(ids)


# ---- pictures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["plain", "luong", "bahdanau"])
@pytest.mark.parametrize("view", ["unrolled", "folded"])
def test_golden(case, view):
    same_as_golden(f"seq2seq_{view}_{case}", mr.draw(translator(**CASES[case]), view=view).dot)


def test_steps_of_one_sequence_come_to_those_of_another_by_one_line():
    sheet = mr.draw(translator(**CASES["luong"])).diagram
    spread = [line for line in sheet.lines if "all 3 steps" in line.tooltip]
    assert len(spread) == 3 + 4 - 1  # from each box of the encoder up, and on to each of the decoder
    assert sum(line.arrow for line in spread) == 4


def test_the_line_goes_on_to_and_from_folded_steps():
    sheet = mr.draw(translator(**CASES["luong_long"])).diagram
    spread = [line for line in sheet.lines if "all 20 steps" in line.tooltip]
    ends = {end for line in spread for end in (line.tail, line.head)}
    assert sum(end.endswith("_folded") for end in ends) == 2
    assert len(spread) == 6 + 6 - 1


def crosses(path, box):
    """Whether a path comes inside a box."""
    sides = [(box.at.x, box.width / 2 - 1), (box.at.y, box.height / 2 - 1)]
    for start, end in itertools.pairwise(path):
        begin, stop = 0.0, 1.0
        for a, b, (middle, half) in zip(start, end, sides, strict=True):
            if abs(b - a) < 1e-9:
                begin = begin if abs(a - middle) < half else 2.0
            else:
                enters, leaves = sorted(((middle - half - a) / (b - a), (middle + half - a) / (b - a)))
                begin, stop = max(begin, enters), min(stop, leaves)
        if begin < stop:
            return True
    return False


def curve(path, pieces=16):
    """Points of Bézier curves."""
    points = [path[0]]
    for i in range(0, len(path) - 1, 3):
        for t in (np.arange(pieces) + 1) / pieces:
            shares = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
            points.append(tuple(sum(s * p[k] for s, p in zip(shares, path[i : i + 4], strict=True)) for k in (0, 1)))
    return points


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("view", ["unrolled", "folded"])
def test_no_line_runs_through_a_box_or_a_text(case, view):
    sheet = mr.draw(translator(**CASES[case]), view=view).diagram
    shapes = {shape.id: shape for shape in sheet.shapes}
    boxes = r"r\d+(_(m?\d+|all|folded|name|step\d+|r\d+_step))?"
    solid = [id for id in shapes if re.fullmatch(rf"{boxes}|t\d+_\w+|caption\d+", id)]
    for line in sheet.lines:
        path = curve(line.path) if line.curved else line.path or (shapes[line.tail].at, shapes[line.head].at)
        through = [id for id in solid if id not in {line.tail, line.head} and crosses(path, shapes[id])]
        assert not through, (line.tail, line.head)


@pytest.mark.parametrize("case", CASES)
def test_boxes_do_not_overlap(case):
    for view in ("unrolled", "folded"):
        sheet = mr.draw(translator(**CASES[case]), view=view).diagram
        boxes = [s for s in sheet.shapes if re.fullmatch(r"r\d+(_(m?\d+|all))?", s.id)]
        for a, b in itertools.combinations(boxes, 2):
            beside = abs(a.at.x - b.at.x) >= (a.width + b.width) / 2
            assert beside or abs(a.at.y - b.at.y) >= (a.height + b.height) / 2, (a.id, b.id)
