"""Graphs too large for a page: folded, collapsed, cut, or refused with the numbers and what would help."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import minigrad as mg
import minigrad_rnn as mr
from minigrad import nn
from minigrad.draw import fit
from minigrad.draw.diagram import Arrow, Box, Diagram, Place, Row
from minigrad.draw.ops import op_diagram
from minigrad.draw.transforms import alias_far, alias_shared, collapse, fold_time, tunnel

GOLDEN = Path(__file__).parent / "golden"


def chain(ops):
    y = mg.ones(1, requires_grad=True)
    for _ in range(ops):
        y = y * 1.0
    return y


def loop(steps, ops=5, name="net"):
    y = mg.ones(1, requires_grad=True)
    for t in range(steps):
        with mg.scope(name, step=t):
            for _ in range(ops):
                y = y * 1.0
    return y


def network(steps):
    """A loop with a shared weight, an input sliced in every step, and states stacked behind it."""
    weight, x = mg.ones(2, 2, requires_grad=True), mg.ones(steps, 1, 2)
    weight.name, x.name = "W", "x"
    h, states = mg.zeros(1, 2), []
    x.requires_grad = True
    with mg.scope("rnn"):
        for t in range(steps):
            with mg.scope(step=t):
                h = (x[t] + h @ weight).tanh()
                states.append(h)
    return mg.stack(states).sum()


def modules(count, ops=10):
    """Modules one behind the other, each of two halves."""
    y = mg.ones(1, requires_grad=True)
    for i in range(count):
        with mg.scope(f"block{i}"):
            for half in ("first", "second"):
                with mg.scope(half):
                    for _ in range(ops // 2):
                        y = y * 1.0
    return y


def by_title(diagram):
    return {box.rows[0].text: box for box in diagram.boxes}


def note(drawing):
    return [item.text for item in drawing.diagram.key]


@pytest.mark.parametrize("name", ["folded_ops", "collapsed_ops"])
def test_golden(name):
    """The DOT text, without the source lines in its tooltips. To accept a new look, delete the file and run this."""
    made = network(60) if name == "folded_ops" else modules(30)
    text = re.sub(r"test_big_graphs\.py:\d+", "test_big_graphs.py", mg.draw(made).dot)
    path = GOLDEN / f"{name}.dot"
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path.name} did not exist; it is written now: look at it and run again")
    assert text == path.read_text(encoding="utf-8")


# ---- what is done by itself --------------------------------------------------------------------------------------


def test_what_is_readable_is_drawn_whole():
    drawing = mg.draw(loop(29))
    assert (len(drawing.diagram.boxes), note(drawing)) == (146, [])


def test_a_long_loop_is_folded_in_the_middle():
    drawing = mg.draw(loop(40))
    folded = by_title(drawing.diagram)["t = 3 … 37"]
    assert [row.text for row in folded.rows] == ["t = 3 … 37", "× 35 steps", "175 ops"]
    assert folded.panel == (Place("net"),)
    assert folded.nodes == tuple(range(16, 191))
    steps = {str(box.panel[-1]) for box in drawing.diagram.boxes if box is not folded}
    assert steps == {"t = 0", "t = 1", "t = 2", "t = 38", "t = 39"}
    assert note(drawing) == ["steps folded: 175 of 200 ops in 1 box"]
    assert repr(drawing) == "<drawing: 27 boxes, 26 arrows; steps folded: 175 of 200 ops in 1 box>"


def test_a_loop_that_runs_backwards_is_folded_in_its_order():
    y = mg.ones(1, requires_grad=True)
    for t in reversed(range(40)):
        with mg.scope(step=t):
            for _ in range(5):
                y = y * 1.0
    assert "t = 36 … 2" in by_title(mg.draw(y).diagram)


def test_what_a_folded_loop_leaves_behind_enters_at_one_place():
    diagram = mg.draw(network(60)).diagram
    stack = next(box for box in diagram.boxes if box.rows[0].text == "stack")
    assert stack.inlets == ("1", "2", "3", "4…58", "59", "60")
    folded = by_title(diagram)["t = 3 … 57"]
    assert [arrow.inlet for arrow in diagram.arrows if (arrow.tail, arrow.head) == (folded.id, stack.id)] == ["4…58"]
    assert [row.text for row in folded.rows][-1] == "2 parameters"  # the weight and x: every step has an alias of each
    assert mg.draw(network(60)).svg().count("4…58") == 1


def test_what_a_folded_loop_takes_apart_leaves_at_one_place():
    x = mg.ones(40, 2, requires_grad=True)
    y = mg.zeros(2)
    for t, row in enumerate(x.unbind(0)):
        with mg.scope(step=t):
            y = (y + row).tanh() * 2 * 3 * 4
    diagram = mg.draw(y).diagram
    unbind = next(box for box in diagram.boxes if box.rows[0].text == "unbind")
    assert unbind.outlets == ("0", "1", "2", "3…37", "38", "39")


def test_steps_that_differ_are_drawn_apart():
    y = mg.ones(1, requires_grad=True)
    for t in range(40):
        with mg.scope(step=t):
            for _ in range(4):
                y = y * 1.0
            y = y.exp() if t == 20 else y + 1
    drawing = mg.draw(y)
    titles = [box.rows[0].text for box in drawing.diagram.boxes if box.role == "group"]
    assert titles == ["t = 3 … 19", "t = 21 … 37"]


def test_steps_of_which_each_is_different_are_collapsed():
    y = mg.ones(1, requires_grad=True)
    for t in range(40):
        with mg.scope("net", step=t):
            for i in range(5):
                y = y * 1.0 if (t + i) % 2 else y + (t + 2.0)
    drawing = mg.draw(y)
    assert len(drawing.diagram.boxes) == 40
    assert note(drawing) == ["modules at depth 2: 200 of 200 ops in 40 boxes"]


@pytest.mark.parametrize(("count", "boxes", "depth"), [(70, 140, 2), (100, 100, 1)])
def test_modules_are_collapsed_as_little_as_will_do(count, boxes, depth):
    drawing = mg.draw(modules(count))
    assert len(drawing.diagram.boxes) == boxes
    assert note(drawing) == [f"modules at depth {depth}: {count * 10:,} of {count * 10:,} ops in {boxes} boxes"]


def test_a_depth_that_is_asked_for_is_drawn():
    drawing = mg.draw(loop(40), depth=2)
    assert len(drawing.diagram.boxes) == 40
    assert note(drawing) == ["modules at depth 2: 200 of 200 ops in 40 boxes"]
    assert len(mg.draw(loop(40), depth=7).diagram.boxes) == 201
    assert len(mg.draw(loop(40), max_nodes=None).diagram.boxes) == 201


def test_without_modules_up_to_four_times_as_many_are_drawn():
    assert len(mg.draw(chain(500)).diagram.boxes) == 501


def test_many_layers_over_many_steps_become_readable():
    layer = mr.LSTM(3, 4, 3)
    with mr.unrolled():
        output, _ = layer(mg.ones(100, 1, 3))
    drawing = mg.draw(output)
    assert len(drawing.diagram.boxes) <= fit.READABLE
    assert "steps folded" in note(drawing)[0]


def test_shared_leaves_and_long_arrows_do_not_stop_graphviz():
    x = mg.ones(1, requires_grad=True)
    y, sums = x, [x * 1]
    for i in range(190):
        y = y * 1.0
        sums.append(sums[-1] + y * x + sums[i // 60 * 60])
    whole = op_diagram(mg.graph(sums[-1]), ())
    assert whole.layout_cost() > fit.MAX_COST
    drawing = mg.draw(sums[-1], max_nodes=300)
    assert drawing.diagram.layout_cost() < fit.COSTLY
    assert note(drawing) == ["long arrows cut: #1 → #1"]
    assert "nslimit" in mg.draw(sums[-1], max_nodes=None).dot


# ---- what is refused ---------------------------------------------------------------------------------------------


def test_the_refusal_says_how_many_and_what_would_help():
    with pytest.raises(mg.GraphError) as refused:
        mg.draw(modules(700))
    assert str(refused.value) == (
        "draw: 700 boxes are more than anyone can read: at most 4 × 150 (max_nodes) are drawn\n"
        "  hint: compute it for fewer time steps, or put its parts under mg.scope(...); max_nodes=None draws them all"
        " the same"
    )
    with pytest.raises(mg.GraphError, match=r"7,001 boxes .*\n.* depth=2 draws 1,400 boxes; depth=1 draws 700 boxes;"):
        mg.draw(modules(700), depth=3)


def test_leaves_drawn_again_may_be_enough(monkeypatch):
    monkeypatch.setattr(fit, "COSTLY", 5)
    x = mg.ones(1, requires_grad=True)
    y = x * 1.0
    for _ in range(15):
        y = y * 1.0
    drawing = mg.draw(y * x)
    assert sum(box.dashed for box in drawing.diagram.boxes) == 1
    assert note(drawing) == []


def test_modules_of_one_op_each_are_as_many_boxes():
    y = mg.ones(1, requires_grad=True)
    for i in range(200):
        with mg.scope(f"block{i}"):
            y = y * 1.0
    drawing = mg.draw(y)
    assert len(drawing.diagram.boxes) == 200
    assert note(drawing) == ["modules at depth 1: 1 of 200 ops in 1 box"]


def test_modules_of_which_there_are_too_many_are_refused():
    model = nn.Sequential(*[nn.Tanh() if i % 2 else nn.Sigmoid() for i in range(700)])
    with pytest.raises(mg.GraphError, match=r"702 boxes are more than anyone can read: at most 4 × 150"):
        mg.draw(model, mg.ones(2))
    assert len(mg.draw(model, mg.ones(2), max_nodes=None).diagram.boxes) == 702
    assert len(mg.draw(model, mg.ones(2), max_nodes=200).diagram.boxes) == 702
    deep = nn.Sequential(*[nn.Sequential(nn.Tanh(), nn.Sigmoid() if i % 2 else nn.ReLU()) for i in range(320)])
    assert len(mg.draw(deep, mg.ones(2)).diagram.boxes) == 322
    with pytest.raises(mg.GraphError, match="642 boxes"):
        mg.draw(deep, mg.ones(2), depth=2)


def test_a_layout_of_minutes_is_refused(monkeypatch):
    monkeypatch.setattr(fit, "MAX_COST", 5)
    monkeypatch.setattr(fit, "COSTLY", 5)
    ys = [mg.ones(1, requires_grad=True).exp()]
    for _ in range(9):
        ys.append(ys[-1] * 1.0)
        ys[-1] = ys[-1] + ys[0]
    with pytest.raises(mg.GraphError, match=r"jump over \d+ ranks would take Graphviz minutes\n.*max_nodes=None"):
        mg.draw(ys[-1])
    assert mg.draw(ys[-1], max_nodes=None).dot


# ---- the transforms, alone ----------------------------------------------------------------------------------------


def line(count, *arrows, leaves=()):
    """Boxes 0, 1, ... one behind the other, and more arrows."""
    boxes = [Box(f"n{i}", (Row(f"op{i}", "title"),), "op", ops=int(i not in leaves)) for i in range(count)]
    chained = [(i, i + 1) for i in range(count - 1) if i not in leaves]
    return Diagram(tuple(boxes), tuple(Arrow(f"n{a}", f"n{b}") for a, b in [*chained, *arrows]))


def test_transforms_leave_alone_what_they_need_not_change():
    small = line(5, (0, 4))
    for transform in (fold_time, alias_far, tunnel):
        assert transform(small) == small
    short = op_diagram(mg.graph(loop(6)), ("scope",))
    assert fold_time(short) == short


def test_a_leaf_used_far_away_is_drawn_there_again():
    diagram = line(30, (0, 2), (0, 20), (0, 21), (0, 29), leaves=(0,))
    near = alias_far(diagram)
    aliases = [box for box in near.boxes if box.dashed]
    assert [(box.id, box.rows[0].text) for box in aliases] == [("n0_a1", "op0"), ("n0_a2", "op0")]
    assert [arrow.head for arrow in near.arrows if arrow.tail == "n0_a1"] == ["n20", "n21"]
    assert near.layout_cost() < diagram.layout_cost()


def test_a_long_arrow_is_cut_and_both_ends_have_its_number():
    diagram = line(20, (1, 18), (1, 3))
    cut = tunnel(diagram)
    mouth = next(box for box in cut.boxes if box.dashed)
    assert [row.text for row in mouth.rows] == ["#1 →", "op1"]
    assert [row.text for row in cut.boxes[1].rows] == ["op1", "→ #1"]
    assert Arrow(mouth.id, "n18") in cut.arrows
    assert Arrow("n1", "n3") in cut.arrows
    assert cut.boxes.index(mouth) < [box.id for box in cut.boxes].index("n18")


def test_an_output_of_several_is_named_at_the_mouth():
    a, b = mg.ones(4, requires_grad=True).chunk(2)
    y = a
    for _ in range(12):
        y = y * 1.0
    cut = tunnel(op_diagram(mg.graph(y + b), ()))
    assert [row.text for row in cut.boxes[-2].rows] == ["#1 →", "split[1]"]


def test_a_loop_closed_by_an_arrow_back_has_ranks():
    diagram = line(4, (3, 1))
    assert diagram.ranks() == {"n0": 0, "n1": 1, "n2": 2, "n3": 3}
    assert diagram.layout_cost() == 0


def test_both_arrows_of_a_square_survive_every_transform():
    x = mg.ones(1, requires_grad=True)
    with mg.scope("in"):
        y = x + x
    for t in range(40):
        with mg.scope("net", step=t):
            y = (y - y) * 1.0 * 1.0 * 1.0
    diagram = fold_time(alias_shared(op_diagram(mg.graph(y), ("scope",))))
    assert [arrow.tail for arrow in diagram.arrows if arrow.head in {"n1", "n2"}] == ["n0", "n0", "n1", "n1"]
    assert len(collapse(diagram, 1).boxes) == 2
