"""Drawings of recurrent networks: what is read from live programs, and the DOT that comes of it."""

import gc
import re
import weakref
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
import minigrad_rnn as mr
from minigrad import nn
from minigrad.draw.colours import shade
from minigrad.draw.sheet import Sheet
from minigrad_rnn.draw.assemble import read
from minigrad_rnn.draw.cell import read_cell
from minigrad_rnn.draw.flow import flow_sheet
from minigrad_rnn.draw.looks import Looks
from minigrad_rnn.draw.textbook import textbook
from minigrad_rnn.inspect import FlowLine, StepFlow

GOLDEN = Path(__file__).parent / "golden"
cross_entropy = nn.functional.cross_entropy


def named(tensor, name):
    tensor.name = name
    return tensor


class Language(nn.Module):
    def __init__(self, kind, layers=1, **options):
        self.emb = nn.Embedding(10, 4)
        self.rnn = kind(4, 6, layers, **options)
        self.out = nn.Linear(12 if options.get("bidirectional") else 6, 10)

    def forward(self, x):
        return self.out(self.rnn(self.emb(x))[0])


def language(kind=mr.LSTM, layers=1, steps=3, **options):
    model = Language(kind, layers, **options)
    return lambda: cross_entropy(model(mg.tensor([[1]] * steps)), mg.tensor([[2]] * steps), dim=-1)


class LeakyCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.both = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        return 0.9 * h + 0.1 * mg.tanh(self.both(mg.concat([x, h], -1)))


def by_hand(steps=3):
    shapes = {"W_xh": (3, 5), "W_hh": (5, 5), "W_hy": (5, 2)}
    w = {name: named(mg.ones(*shape, requires_grad=True), name) for name, shape in shapes.items()}

    def loss():
        h, total = mg.zeros(1, 5), 0
        for t in range(steps):
            with mg.scope(step=t):
                h = named((mg.ones(1, 3) @ w["W_xh"] + h @ w["W_hh"]).tanh(), "h")
                total = total + ((h @ w["W_hy"] - 1) ** 2).sum()
        return total

    return loss


class Loop(nn.Module):
    def __init__(self):
        self.emb, self.cell, self.head = nn.Embedding(9, 4), mr.GRUCell(4, 5), nn.Linear(5, 9)

    def forward(self, ids):
        h, ys = mg.zeros(1, 5), []
        for t in range(len(ids)):
            with mg.scope(step=t):
                h = self.cell(self.emb(ids[t]), h)
                ys.append(self.head(h))
        return mg.stack(ys)


class Classifier(nn.Module):
    def __init__(self):
        self.rnn, self.head = mr.GRU(3, 5, 2, batch_first=True), nn.Linear(5, 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


class Translator(nn.Module):
    def __init__(self):
        self.encoder, self.decoder, self.out = mr.LSTM(3, 5), mr.LSTM(3, 5), nn.Linear(5, 4)

    def forward(self, x, y):
        return self.out(self.decoder(y, self.encoder(x)[1])[0])


def layer(made, steps=3):
    return lambda: made(mg.ones(steps, 1, 3))[0]


NETWORKS = {
    "lstm": lambda: language(layers=2),
    "bidirectional": lambda: language(mr.RNN, bidirectional=True),
    "two_layers": lambda: layer(mr.Bidirectional(mr.GRU(3, 4), mr.LSTM(3, 5))),
    "residual": lambda: language(mr.RNN, 3, residual=True),
    "highway": lambda: language(mr.GRU, 2, highway=True),
    "time_skips": lambda: layer(mr.RNN(3, 4, time_skips=(2, 4)), 6),
    "own_cell": lambda: layer(mr.RecurrentLayer(LeakyCell(3, 5))),
    "cells_in_a_step": lambda: layer(mr.RecurrentLayer(mr.StackedCells([mr.LSTMCell(3, 5), mr.GRUCell(5, 4)]))),
    "deep": lambda: layer(mr.RecurrentLayer(mr.DeepTransitionCell(3, 5, transition_layers=(5,), output_layers=(4,)))),
    "by_hand": by_hand,
    "own_loop": lambda: lambda: Loop()(mg.tensor([[1], [2], [3]])),
    "classifier": lambda: lambda: cross_entropy(Classifier()(mg.ones(1, 3, 3)), mg.tensor([1])),
    "translator": lambda: lambda: cross_entropy(
        Translator()(mg.ones(4, 1, 3), mg.ones(3, 1, 3)), mg.tensor([[1]] * 3), dim=-1
    ),
    "lengths": lambda: lambda: mr.LSTM(3, 4)(mg.ones(4, 2, 3), lengths=[4, 2])[0].sum(),
    "learned_start": lambda: lambda: mr.LSTM(3, 4, learn_initial_state=True)(mg.ones(3, 2, 3))[0].sum(),
}


def network(name):
    with mr.unrolled():
        y = NETWORKS[name]()()
    return read(mg.graph(y[0] if isinstance(y, tuple) else y))


def rows(net):
    return {row.place or row.kind: row for row in net.rows if row.kind != "start"}


def told(net):
    """The links in words: from where, to where, by which weights, so many steps later."""
    names = {row.id: row.kind if row.kind in {"start", "input"} else row.place or row.kind for row in net.rows}
    return {
        (names[x.tail], names[x.head], x.part, x.lag, tuple(net.weights[w].short for w in x.weights))
        for x in net.links
    }


def same_as_golden(name, dot):
    """Compares DOT text. To accept a new look, delete the file, run this, and look at the picture."""
    text = re.sub(r"test_networks\.py:\d+", "test_networks.py", dot)
    path = GOLDEN / f"{name}.dot"
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path.name} did not exist; it is written now: look at it and run again")
    assert text == path.read_text(encoding="utf-8")


# ---- what is read ---------------------------------------------------------------------------------------------------


def test_a_language_model_has_a_row_for_each_module_and_the_loss_above():
    net = network("lstm")
    assert [(row.kind, row.place, row.parts) for row in net.rows if row.kind != "start"] == [
        ("input", "language.emb", ()),
        ("state", "language.rnn.layer0", ("h", "c")),
        ("state", "language.rnn.layer1", ("h", "c")),
        ("output", "language.out", ()),
        ("loss", "", ()),
        ("loss", "", ()),
    ]
    assert all(row.steps == (0, 1, 2) for row in net.rows[:4])


def test_links_carry_the_weights_that_are_used_there():
    first = "language.rnn.layer0"
    links = told(network("lstm"))
    assert ("input", first, "", 0, ("weight_ih_l0", "bias_ih_l0")) in links
    assert (first, first, "h", 1, ("weight_hh_l0", "bias_hh_l0")) in links
    assert (first, first, "c", 1, ()) in links
    assert ("start", first, "h", 1, ("weight_hh_l0", "bias_hh_l0")) in links
    assert (first, "language.rnn.layer1", "h", 0, ("weight_ih_l1", "bias_ih_l1")) in links


def test_the_direction_from_the_end_goes_back_in_time():
    net = network("bidirectional")
    backward = rows(net)["language.rnn.layer0.bwd"]
    assert backward.reverse
    assert (backward.place, backward.place, "h", -1, ("weight_hh_l0_reverse", "bias_hh_l0_reverse")) in told(net)
    assert [row.steps for row in net.rows if row.kind == "start"] == [(-1,), (3,)]


def test_weights_inside_a_cell_are_told_with_its_row():
    rnn = mr.LSTM(3, 4, proj_size=2)
    with mr.unrolled():
        net = read(mg.graph(rnn(mg.ones(3, 1, 3))[0]))
    (state,) = [row for row in net.rows if row.kind == "state"]
    assert [net.weights[w].short for w in state.weights] == ["weight_hr_l0"]
    first, second = (named(mg.ones(4, 2, requires_grad=True), name) for name in ("A", "B"))
    h = mg.zeros(1, 4)
    for t in range(3):
        with mg.scope("rnn", step=t):
            a, b = (mg.ones(1, 4) + h).tanh().chunk(2, -1)
            h = named(mg.concat([a @ first.T[:2], b @ second.T[:2]], -1)[:, :4].tanh(), "h")
    (state,) = [row for row in read(mg.graph(h)).rows if row.kind == "state"]
    assert len(state.weights) == 2


def test_two_layers_as_two_directions_share_their_steps():
    net = network("two_layers")
    forward, backward = (row for row in net.rows if row.kind == "state")
    assert forward.clock == backward.clock
    assert (forward.reverse, backward.reverse) == (False, True)
    assert {link.lag for link in net.links if link.tail == link.head} == {1, -1}
    assert all(a == b for link in net.links if link.lag == 0 for a, b in link.pairs)


def test_masks_are_not_drawn():
    rnn = mr.GRU(3, 4, variational=0.5)
    with mr.unrolled():
        net = read(mg.graph(rnn(mg.ones(3, 1, 3))[0]))
    assert [row.kind for row in net.rows] == ["input", "state", "start"]
    (state,) = [link for link in net.links if link.tail == link.head]
    assert [net.weights[w].short for w in state.weights] == ["weight_hh_l0", "bias_hh_l0"]


def test_a_loop_around_the_network_is_no_time():
    with mg.scope("epoch", step=7), mr.unrolled():
        net = read(mg.graph(language(mr.GRU)()))
    assert [row.steps for row in net.rows if row.kind == "state"] == [(0, 1, 2)]


def test_attention_is_beside_the_cell_that_uses_it():
    encoder, cell = mr.GRU(3, 5), mr.GRUCell(5, 5)
    with mr.unrolled():
        states, _ = encoder(mg.ones(4, 1, 3))
        h = states[-1]
        for t in range(3):
            with mg.scope("decoder", step=t):
                with mg.scope("attention"):
                    share = mg.softmax((states * h).sum(-1, keepdim=True), 0)
                    context = (share * states).sum(0)
                h = cell(context, h)
        net = read(mg.graph(h))
    attention = rows(net)["decoder.attention"]
    assert attention.steps == (0, 1, 2)
    (seen,) = [link for link in net.links if link.head == attention.id and link.lag is None and len(link.pairs) > 1]
    assert len(seen.pairs) == 4 * 3


def test_skips_across_time_are_told_apart_by_their_length():
    net = network("time_skips")
    lags = {link.lag: len(link.pairs) for link in net.links if link.tail == link.head}
    assert lags == {1: 5, 2: 4, 4: 2}
    assert [row.kind for row in net.rows] == ["input", "state", "start"]


def test_residual_connections_are_sums_of_their_own():
    net = network("residual")
    assert [row.title for row in net.rows if row.kind == "op"] == ["+", "+"]


def test_a_cell_of_ones_own_is_one_box_whatever_it_does():
    net = network("own_cell")
    assert [(row.kind, row.steps) for row in net.rows] == [("input", (0, 1, 2)), ("state", (0, 1, 2)), ("start", (-1,))]
    assert {weights for *_, weights in told(net)} == {("both.weight", "both.bias")}


def test_cells_on_top_of_each_other_in_one_step_are_told_apart():
    states = [row for row in network("cells_in_a_step").rows if row.kind == "state"]
    assert [row.parts for row in states] == [("h", "c"), ("h",)]


def test_loops_of_ones_own_need_scopes_only():
    assert [(row.kind, row.place) for row in network("own_loop").rows] == [
        ("input", "loop.emb"), ("state", "loop.cell"), ("output", "loop.head"), ("start", "loop.cell"),
    ]  # fmt: skip
    net = network("by_hand")
    assert {weight.name for weight in net.weights.values()} == {"W_xh", "W_hh", "W_hy"}


def test_unnamed_states_are_known_by_what_goes_on_to_the_next_step():
    weight = mg.ones(4, 4, requires_grad=True)
    h = mg.ones(1, 4, requires_grad=True) * 1
    for t in range(3):
        with mg.scope("rnn", step=t):
            h = (h @ weight).tanh()
    (state,) = [row for row in read(mg.graph(h)).rows if row.kind == "state"]
    assert state.steps == (0, 1, 2)


def test_what_reads_the_last_step_only_is_drawn_there():
    net = rows(network("classifier"))
    assert net["classifier.head"].steps == (2,)
    assert net["classifier.rnn.layer1"].steps == (0, 1, 2)


def test_an_encoder_and_a_decoder_have_clocks_of_their_own():
    net = network("translator")
    encoder, decoder = (rows(net)[f"translator.{name}.layer0"] for name in ("encoder", "decoder"))
    assert encoder.clock != decoder.clock
    handed = [link for link in net.links if (link.tail, link.head) == (encoder.id, decoder.id)]
    assert {(link.part, link.lag, link.pairs) for link in handed} == {
        ("h", None, ((3, 0),)), ("c", None, ((3, 0),)),
    }  # fmt: skip
    shorts = [weight.short for weight in net.weights.values()]
    assert len(set(shorts)) == len(shorts)


def test_masked_steps_do_not_change_what_is_drawn():
    net = network("lengths")
    assert [row.parts for row in net.rows if row.kind == "state"] == [("h", "c")]
    assert {link.part for link in net.links if link.lag} == {"h", "c"}


def test_a_layer_called_twice_is_two_rows():
    rnn = mr.RNN(3, 3)

    def twice():
        return rnn(rnn(mg.ones(3, 1, 3))[0])[0]

    with mr.unrolled():
        states = [row.place for row in read(mg.graph(twice())).rows if row.kind == "state"]
    assert states == ["rnn.layer0", "rnn.layer0 (call 2)"]


def test_a_stream_of_single_steps_is_one_run():
    rnn, state, outputs = mr.RNN(3, 4), None, []
    with mr.unrolled():
        for _ in range(4):
            output, state = rnn.step(mg.ones(1, 3), state)
            outputs.append(output)
        (row,) = [row for row in read(mg.graph(mg.stack(outputs))).rows if row.kind == "state"]
    assert row.steps == (0, 1, 2, 3)


def test_a_single_step_is_a_network_too():
    with mr.unrolled():
        net = read(mg.graph(mr.LSTM(3, 4)(mg.ones(1, 1, 3))[0]))
    assert [(row.kind, row.steps) for row in net.rows] == [("input", (0,)), ("state", (0,)), ("start", (-1,))]


def test_nothing_of_the_graph_is_kept_alive():
    rnn = mr.RNN(3, 4)
    with mr.unrolled():
        output = rnn(mg.ones(3, 1, 3))[0]
    node = weakref.ref(output)
    drawing = mr.draw(output)
    del output
    gc.collect()
    assert node() is None
    assert isinstance(drawing.diagram, Sheet)


# ---- pictures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_unrolled_golden(name):
    same_as_golden(f"unrolled_{name}", mr.draw(NETWORKS[name]()).dot)


@pytest.mark.parametrize("name", ["lstm", "bidirectional", "time_skips", "translator", "residual"])
def test_folded_golden(name):
    same_as_golden(f"folded_{name}", mr.draw(NETWORKS[name](), view="folded").dot)


@pytest.mark.parametrize("name", ["lstm", "highway", "own_cell", "deep"])
def test_cell_golden(name):
    same_as_golden(f"cell_{name}", mr.draw(NETWORKS[name](), view="cell").dot)


def test_folded_beside_unrolled_golden():
    same_as_golden("both_lstm", mr.draw(NETWORKS["lstm"](), view="both").dot)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("view", ["unrolled", "folded", "both", "cell"])
def test_all_networks_are_drawn_in_all_views(name, view):
    pytest.importorskip("pygraphviz")
    drawing = mr.draw(NETWORKS[name](), view=view)
    assert drawing.svg().count('class="node"') >= len(getattr(drawing.diagram, "shapes", ()))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("view", ["unrolled", "folded", "both"])
def test_ids_are_unique_and_lines_end_at_shapes(name, view):
    sheet = mr.draw(NETWORKS[name](), view=view).diagram
    ids = [shape.id for shape in sheet.shapes]
    assert len(set(ids)) == len(ids)
    assert {end for line in sheet.lines for end in (line.tail, line.head)} <= set(ids)


@pytest.mark.parametrize("name", NETWORKS)
def test_boxes_do_not_overlap(name):
    boxes = [s for s in mr.draw(NETWORKS[name]()).diagram.shapes if re.fullmatch(r"r\d+_(m?\d+|all)", s.id)]
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            beside = abs(a.at.x - b.at.x) >= (a.width + b.width) / 2
            assert beside or abs(a.at.y - b.at.y) >= (a.height + b.height) / 2, (a.id, b.id)


def test_the_same_program_gives_the_same_text():
    first, second = (mr.draw(NETWORKS["lstm"]()).dot for _ in range(2))
    assert first == second


def test_both_views_share_ids_and_strokes():
    sheet = mr.draw(NETWORKS["lstm"](), view="both").diagram
    ids = {shape.id for shape in sheet.shapes}
    assert {"r1", "r1_0", "r1_1", "r1_2"} <= ids
    folded = {(line.tail, line.head, line.stroke) for line in sheet.lines if (line.tail, line.head) == ("r0", "r1")}
    unrolled = {line.stroke for line in sheet.lines if (line.tail, line.head) == ("r0_0", "r1_0")}
    assert {stroke for *_, stroke in folded} == unrolled


def test_the_same_matrix_has_one_look_and_different_ones_differ():
    net = network("residual")
    looks = Looks(net)
    by_weight = {}
    for link in net.links:
        if link.weights:
            by_weight.setdefault(link.weights[0], set()).add(looks.of(link))
    assert all(len(strokes) == 1 for strokes in by_weight.values())
    assert len(set.union(*by_weight.values())) == len(by_weight)


def test_the_legend_counts_uses():
    texts = [line for shape in mr.draw(by_hand(4)).diagram.shapes for line in shape.lines]
    assert {"W_xh (3, 5)  ×4", "W_hh (5, 5)  ×4", "W_hy (5, 2)  ×4"} <= set(texts)


def test_a_long_sequence_is_its_ends_and_a_strip():
    sheet = mr.draw(layer(mr.RNN(3, 4), 200)).diagram
    steps = {line for shape in sheet.shapes for line in shape.lines if line.startswith("t = ")}
    assert steps == {"t = 0", "t = 1", "t = 2", "t = 3 … 197", "t = 198", "t = 199"}
    whole = mr.draw(layer(mr.RNN(3, 4), 20), steps=20).diagram
    assert "t = 19" in {line for shape in whole.shapes for line in shape.lines}


def test_ten_thousand_steps_are_no_more_to_draw():
    few, many = (len(mr.draw(layer(mr.RNN(3, 4), steps)).diagram.shapes) for steps in (100, 10_000))
    assert few == many


# ---- cells ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [mr.RNN, mr.LSTM, mr.GRU])
def test_textbook_cells_are_recognised(kind):
    with mr.unrolled():
        cell = read_cell(mg.graph(kind(3, 4)(mg.ones(3, 1, 3))[0]))
    assert textbook(cell) is not None


def test_a_cell_with_options_is_laid_out_from_its_ops():
    with mr.unrolled():
        cell = read_cell(mg.graph(mr.LSTM(3, 4, peephole=True)(mg.ones(3, 1, 3))[0]))
    assert textbook(cell) is None
    assert {piece.gate for piece in cell.pieces if piece.kind == "gate"} == {"input_gate", "forget_gate", "output_gate"}


def test_the_cell_state_runs_from_before_to_after():
    with mr.unrolled():
        cell = read_cell(mg.graph(mr.LSTM(3, 4)(mg.ones(3, 1, 3))[0]))
    texts = {piece.id: piece.text for piece in cell.pieces}
    ends = {(texts[tail], texts[head]) for tail, head, _ in cell.arrows}
    assert {("cₜ₋₁", "×"), ("+", "cₜ"), ("×", "hₜ")} <= ends


def test_a_layer_is_chosen_by_its_place():
    made = language(layers=2)
    assert mr.draw(made, view="cell", layer="layer1").dot != mr.draw(made, view="cell").dot
    with pytest.raises(mg.GraphError, match=r"no layer 'layer7'.*'language.rnn.layer0', 'language.rnn.layer1'"):
        mr.draw(made, view="cell", layer="layer7")


# ---- gradient flow --------------------------------------------------------------------------------------------------


def flow(norms, reverse=False):
    return StepFlow((FlowLine("rnn.layer0", "h", 1, reverse, tuple(range(len(norms))), tuple(norms)),), {}, ())


def fills(sheet):
    return {shape.id: shape.fill for shape in sheet.shapes}


def test_flow_golden():
    norms = {"vanishes": [0.001, 0.01, 0.1, 1.0], "explodes": [900.0, 30.0, 1.0]}
    flows = {title: flow(some) for title, some in norms.items()} | {"back": flow([2.0, 1.0], reverse=True)}
    same_as_golden("flow", mr.draw(flows, view="flow").dot)


def test_flow_colours_are_ratios_to_where_the_gradient_comes_in():
    colours = fills(flow_sheet({"": flow([0.02, 0.2, 2.0])}))
    assert [colours[f"g0_{t}"] for t in range(3)] == [shade(0.01).fill, shade(0.1).fill, shade(1.0).fill]


def test_zero_and_nan_are_no_colours_of_the_scale():
    scale = {shade(10.0**k).fill for k in np.linspace(-4, 4, 81)}
    odd = {shade(value).fill for value in (None, 0.0, float("nan"), float("inf"))}
    assert not odd & scale
    colours = fills(flow_sheet({"": flow([float("nan"), 0.0, 1.0])}))
    assert (colours["g0_0"], colours["g0_1"]) == ("#000000", shade(0.0).fill)


def test_a_long_flow_has_a_stripe_for_each_step_as_long_as_they_can_be_seen():
    ids = [shape.id for shape in flow_sheet({"": flow([0.9**t for t in range(60)][::-1])}).shapes]
    assert sum(bool(re.fullmatch(r"g0_s\d+", id)) for id in ids) == 55
    ids = [shape.id for shape in flow_sheet({"": flow([1.0] * 5000)}).shapes]
    assert sum(bool(re.fullmatch(r"g0_s\d+", id)) for id in ids) == 120


def test_unrolled_networks_take_the_colours_of_their_gradients():
    rnn = mr.RNN(1, 1, nonlinearity="relu")
    for weight, value in zip(rnn.parameters(), (1.0, 0.1, 0.0, 0.0), strict=True):
        weight.data = weight.data * 0 + value
    sheet = mr.draw(lambda: rnn(mg.ones(3, 1, 1))[0][-1].sum(), color_by="gradient").diagram
    boxes = {shape.id: shape for shape in sheet.shapes}
    assert [boxes[f"r1_{t}"].lines[-1] for t in range(3)] == ["0.01", "0.1", "1"]
    assert boxes["r1_0"].fill == shade(0.01).fill
    with pytest.raises(mg.GraphError, match="needs the loss itself"), mr.unrolled():
        mr.draw(mg.graph(rnn(mg.ones(3, 1, 1))[0]), color_by="gradient")
    with pytest.raises(mg.GraphError, match='color_by is for the view "unrolled"'):
        mr.draw(NETWORKS["lstm"](), view="folded", color_by="gradient")


def test_flow_of_live_networks():
    rnn = mr.RNN(3, 4)
    sheet = mr.draw({"a": lambda: rnn(mg.ones(4, 1, 3))[0][-1].sum()}, view="flow").diagram
    assert sum(bool(re.fullmatch(r"g0_\d", shape.id)) for shape in sheet.shapes) == 4


# ---- errors ---------------------------------------------------------------------------------------------------------


def test_a_fused_layer_says_how_to_see_its_steps():
    output, _ = mr.LSTM(3, 4)(mg.ones(3, 1, 3))
    for view in ("unrolled", "cell"):
        with pytest.raises(mg.GraphError, match=r"(?s)lstm.*ran as one op.*hand over a function.*unrolled\(\)"):
            mr.draw(output, view=view)


def test_graphs_without_steps_are_refused():
    for view in ("unrolled", "cell"):
        with pytest.raises(mg.GraphError, match="no time step is recorded"):
            mr.draw(mg.ones(2, requires_grad=True) * 2, view=view)


def test_a_model_is_not_what_it_computed():
    with pytest.raises(mg.GraphError, match=r"LSTM has computed nothing yet"):
        mr.draw(mr.LSTM(3, 4))


@pytest.mark.parametrize(("option", "message"), [({"view": "circles"}, "view is one of"), ({"steps": 0}, "from 1")])
def test_options_are_checked(option, message):
    with pytest.raises(mg.GraphError, match=message):
        mr.draw(NETWORKS["lstm"](), **option)


@pytest.mark.parametrize("name", ['say "hi"', "a<b>&{c}|d", "back\\N\\", "two\nlines", "梯度", "x" * 300])
@pytest.mark.parametrize("view", ["unrolled", "folded", "cell"])
def test_awkward_names_are_drawn(name, view):
    pytest.importorskip("pygraphviz")
    w, h = named(mg.ones(4, 4, requires_grad=True), name), mg.zeros(1, 4)
    for t in range(3):
        with mg.scope(name, step=t):
            h = named((h + mg.ones(1, 4) @ w).tanh(), name)
    assert "<svg" in mr.draw(h, view=view).svg()


def test_too_much_is_refused_with_numbers_and_knobs():
    with pytest.raises(mg.GraphError, match=r"(?s)[\d,]+ shapes and [\d,]+ lines.*max_shapes=100.*steps=12.*folded"):
        mr.draw(layer(mr.RNN(3, 4), 60), steps=60, max_shapes=100)
