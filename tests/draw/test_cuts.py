"""Where gradients stop, and where sequences have no elements: cuts and grey steps."""

from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
import minigrad_rnn as mr
from minigrad import nn
from minigrad.draw.sheet import Line, Point, sheet_dot
from minigrad_rnn.cells.watch import running_in
from minigrad_rnn.draw.assemble import read
from minigrad_rnn.draw.boxes import IDLE_FILL
from minigrad_rnn.draw.cuts import halves, severed

GOLDEN = Path(__file__).parent / "golden"


def windows(kind=mr.LSTM, layers=1, count=3, carry=mr.detach_state):
    rnn, head = kind(3, 4, layers), nn.Linear(4, 2)

    def losses():
        state, found = None, []
        for _ in range(count):
            y, state = rnn(mg.ones(2, 1, 3), state)
            found.append((head(y) ** 2).sum())
            state = carry(state)
        return found

    return losses


def own_loop(cut=2, steps=5):
    cell, head = mr.GRUCell(3, 4), nn.Linear(4, 2)

    def loss():
        h, total = mg.zeros(1, 4), 0
        for t in range(steps):
            h = h.detach() if t and t % cut == 0 else h
            with mg.scope(step=t):
                h = cell(mg.ones(1, 3), h)
                total = total + head(h).sum()
        return total

    return loss


def padded(kind=mr.LSTM, lengths=(4, 3, 1), steps=5, **options):
    rnn = kind(3, 4, **options)
    return lambda: rnn(mg.ones(steps, len(lengths), 3), lengths=list(lengths))[0].sum()


def network(made):
    with mr.unrolled():
        return read(mg.graph(made()))


def cuts(net):
    return {(link.part, pair) for link in net.links for pair in link.cuts}


NETWORKS = {
    "windows": windows,
    "windows_of_two_layers": lambda: windows(mr.GRU, 2),
    "own_loop": own_loop,
    "last_window": lambda: lambda: windows()()[-1],
    "padded": padded,
    "padded_both_ways": lambda: padded(mr.GRU, bidirectional=True),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_cut_golden(name):
    text, path = mr.draw(NETWORKS[name]()).dot, GOLDEN / f"cut_{name}.dot"
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path.name} did not exist; it is written now: look at it and run again")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("options", [{}, {"weights": "rail"}, {"view": "folded"}, {"view": "both"}])
def test_ids_are_unique_and_lines_end_at_shapes(name, options):
    sheet = mr.draw(NETWORKS[name](), **options).diagram
    ids = [shape.id for shape in sheet.shapes]
    assert len(set(ids)) == len(ids)
    assert {end for line in sheet.lines for end in (line.tail, line.head)} <= set(ids)


# ---- what a graph knows of detach -----------------------------------------------------------------------------------


def test_a_graph_knows_what_a_constant_was_cut_off_from():
    w = mg.ones(2, requires_grad=True)
    y = w * 2
    nodes = mg.graph([y, y.detach() * w]).nodes
    assert [node.cut_from for node in nodes] == [None, None, (1,), None]
    assert nodes[1].op == "mul"


def test_what_only_the_cut_needs_is_known_by_what_it_is_made_of():
    w = mg.ones(2, requires_grad=True)
    a, b = w * 2, w * 3
    state = mg.stack([a, b.unsqueeze(0).squeeze(0)]).detach()
    nodes = mg.graph([a, b, state * w]).nodes
    (cut,) = [node for node in nodes if node.cut_from is not None]
    assert [nodes[number].op for number in cut.cut_from] == ["mul", "mul"]
    assert [node.cut_from for node in mg.graph(state * w) if node.kind == "constant"] == [()]


def test_a_cut_keeps_nothing_alive_and_goes_on_through_detach():
    w = mg.ones(2, requires_grad=True)
    state = (w * 2).detach().detach()
    assert [node.cut_from for node in mg.graph(state * w) if node.kind == "constant"] == [()]
    assert [node.cut_from for node in mg.graph(w.detach() * w)] == [None, None, None]
    leaf = (w * 2).detach().requires_grad_()
    assert [node.cut_from for node in mg.graph(leaf * w)] == [None, (), None]
    assert '"cut_from": []' in mg.graph(leaf * w).to_json()


def test_only_parts_of_constants_inherit_a_cut():
    w = mg.ones(2, requires_grad=True)
    attached = w * 2
    part = attached[0]
    mg.inspect.part_of(part, attached)
    plain = mg.ones(2)
    mg.inspect.part_of(plain[0], plain)
    assert all(node.cut_from is None for node in mg.graph(part * plain[0]))


# ---- truncated backpropagation --------------------------------------------------------------------------------------


def test_windows_are_one_network_with_cuts():
    net = network(windows())
    states = [row for row in net.rows if row.kind == "state"]
    assert [row.clock for row in states] == sorted({row.clock for row in states})
    assert [row.kind for row in net.rows].count("start") == 1
    handed = [link for link in net.links if link.cuts]
    assert {(link.tail, link.head) for link in handed} == set(
        zip([row.id for row in states], [row.id for row in states[1:]], strict=False)
    )
    assert cuts(net) == {("h", (1, 0)), ("c", (1, 0))}


def test_each_layer_goes_on_from_itself():
    net = network(windows(mr.GRU, 2))
    places = {row.id: row.place.partition(" ")[0] for row in net.rows}
    handed = [link for link in net.links if link.cuts]
    assert len(handed) == 4
    assert all(places[link.tail] == places[link.head] for link in handed)


@pytest.mark.parametrize("layer", [mr.StatefulRNN(mr.GRU(3, 4)), mr.StatefulRNN(mr.LSTM(3, 4, 2))])
def test_a_stateful_layer_is_cut_between_calls(layer):
    net = network(lambda: [layer(mg.ones(2, 1, 3))[0].sum() for _ in range(2)])
    assert any(link.cuts for link in net.links)


def test_states_that_are_not_detached_are_not_cut():
    net = network(windows(carry=lambda state: state))
    assert not cuts(net)


def test_a_detach_in_a_loop_of_ones_own_is_a_cut():
    net = network(own_loop())
    assert {pair for _, pair in cuts(net)} == {(1, 2), (3, 4)}
    (carried,) = [link for link in net.links if link.cuts]
    assert len(carried.pairs) == 4


def test_a_state_from_a_window_that_is_not_drawn_is_cut_off_at_the_start():
    net = network(NETWORKS["last_window"]())
    starts = {row.id for row in net.rows if row.kind == "start"}
    assert starts
    assert all(link.tail in starts for link in net.links if link.cuts)
    assert cuts(net) == {("h", (-1, 0)), ("c", (-1, 0))}


def test_unbatched_states_are_cut_too():
    rnn = mr.LSTM(3, 4)

    def losses():
        y, state = rnn(mg.ones(2, 3))
        return [y.sum(), rnn(mg.ones(2, 3), mr.detach_state(state))[0].sum()]

    assert cuts(network(losses)) == {("h", (1, 0)), ("c", (1, 0))}


def test_a_cut_is_a_gap_with_two_bars():
    sheet = mr.draw(own_loop()).diagram
    words = [shape for shape in sheet.shapes if shape.lines == ("detach",)]
    pieces = [line for line in sheet.lines if line.head == "r1_2" and line.tail == "r1_1"]
    assert len(words) == 2
    assert [line.arrow for line in pieces] == [False, True, False, False]
    before, after = pieces[0].path[-1], pieces[1].path[0]
    assert after.x - before.x == pytest.approx(9)
    assert all("gradients do not" in line.tooltip for line in pieces)
    assert any("cut by detach" in line for shape in sheet.shapes for line in shape.lines)


def test_a_curve_is_cut_in_its_middle():
    path = (Point(0, 0), Point(0, 8), Point(8, 8), Point(8, 0))
    first, second = halves(path, True)
    assert first[-1] == second[0] == Point(4, 6)
    assert (first[0], second[-1]) == (path[0], path[-1])
    lines, _ = severed(Line("a", "b", path, True), "x")
    assert all(len(line.path) == 4 for line in lines[:2])


def test_a_cut_without_room_is_still_drawn():
    lines, word = severed(Line("a", "b", (Point(0, 0), Point(0, 0))), "x")
    assert len(lines) == 4
    assert word.id == "cut_x"


# ---- steps without elements -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [mr.RNN, mr.LSTM, mr.GRU])
def test_a_row_knows_at_which_steps_sequences_are_over(kind):
    net = network(padded(kind))
    (row,) = [row for row in net.rows if row.kind == "state"]
    assert dict(row.idle) == {1: (2, 3), 2: (2, 3), 3: (1, 3), 4: (0, 3)}


def test_gaps_of_a_mask_are_known_too():
    rnn, mask = mr.GRU(3, 4), np.array([[True, True], [False, False], [True, False]])
    net = network(lambda: rnn(mg.ones(3, 2, 3), mask=mask)[0].sum())
    (row,) = [row for row in net.rows if row.kind == "state"]
    assert dict(row.idle) == {1: (0, 2), 2: (1, 2)}


def test_full_sequences_have_nothing_idle():
    assert all(not row.idle for row in network(padded(lengths=(5, 5))).rows)
    assert not any("notes" in shape.id for shape in mr.draw(padded(lengths=(5, 5))).diagram.shapes)


def test_idle_steps_are_grey_and_partly_idle_ones_have_a_bar():
    shapes = {shape.id: shape for shape in mr.draw(padded()).diagram.shapes}
    assert shapes["r1_4"].fill == IDLE_FILL
    assert shapes["r0_4"].fill == IDLE_FILL
    assert shapes["r1_4"].tooltip.endswith("0 of 3 sequences")
    assert shapes["r1_3"].tooltip.endswith("1 of 3 sequences")
    assert shapes["r1_3_run"].width == pytest.approx(shapes["r1_3_idle"].width / 2)
    assert "r1_0_run" not in shapes
    assert any("grey: no element" in line for shape in shapes.values() for line in shape.lines)


def test_bars_can_be_read_without_seeing_their_hue():
    def luminance(colour):
        channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return np.dot([0.2126, 0.7152, 0.0722], ((channels + 0.055) / 1.055) ** 2.4)

    shapes = {shape.id: shape for shape in mr.draw(padded()).diagram.shapes}
    for row in ("r0", "r1"):
        run, idle = (luminance(shapes[f"{row}_3_{part}"].fill) for part in ("run", "idle"))
        assert (idle + 0.05) / (run + 0.05) > 3


def test_numbers_keep_their_colours_at_idle_steps():
    shapes = {shape.id: shape for shape in mr.draw(padded(), color_by="gradient").diagram.shapes}
    assert shapes["r1_4"].tooltip.endswith("0 of 3 sequences")
    assert shapes["r1_4"].fill != IDLE_FILL


def test_arrows_of_idle_steps_are_faint():
    sheet = mr.draw(padded()).diagram
    (line,) = [line for line in sheet.lines if (line.tail, line.head) == ("r0_4", "r1_4")]
    assert line.stroke.width == 1.0
    assert line.stroke.colour.endswith("80")
    assert "cut" not in sheet_dot(sheet)


def test_masks_have_a_name_that_tells_how_many_run():
    with mr.unrolled():
        names = {node.name for node in mg.graph(padded()()) if node.dtype == "bool" and node.name}
    assert names == {"2 of 3 sequences", "1 of 3 sequences", "0 of 3 sequences"}
    assert running_in("10 of 20 sequences") == (10, 20)
    assert running_in(None) is running_in("x of 3 sequences") is None
