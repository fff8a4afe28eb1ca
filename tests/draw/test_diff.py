"""What changed from one graph to another."""

import importlib

import pytest
from drawn import same_as_golden

import minigrad as mg
from minigrad import nn
from minigrad.draw import Difference, compare
from minigrad.draw.diff import LOOKS, diff_diagram


def named(tensor, name):
    tensor.name = name
    return tensor


class Model(nn.Module):
    def __init__(self, hidden=8, act="tanh", norm=False):
        self.one, self.two = nn.Linear(4, hidden), nn.Linear(hidden, 3)
        self.act, self.norm = act, norm

    def forward(self, x):
        h = getattr(mg, self.act)(self.one(x))
        if self.norm:
            h = h / h.norm(dim=-1, keepdim=True)
        return self.two(h)


def loss(**options):
    model, x = Model(**options), named(mg.ones(5, 4), "x")
    return lambda: (model(x) - 1).square().mean()


def over_time(steps):
    w, h = named(mg.ones(2, 2, requires_grad=True), "W"), named(mg.ones(1, 2), "h")
    for t in range(steps):
        with mg.scope("rnn", step=t):
            h = (h @ w).tanh()
    return h.sum()


def told(a, b):
    """What changed: by status, ops and names."""
    difference = mg.draw.diff(a, b).difference
    found = {}
    for change in difference.changes:
        node = difference.new.nodes[change.new] if change.new is not None else difference.old.nodes[change.old]
        found.setdefault(change.status, []).append((node.op or node.name or node.kind, *change.told))
    return found


# ---- data -----------------------------------------------------------------------------------------------------------


def test_a_graph_does_not_differ_from_itself():
    y = loss()()
    difference = compare(mg.graph(y), mg.graph(y))
    assert not difference
    assert difference.count("same") == len(mg.graph(y))
    assert difference.to_text() == f"0 new, 0 gone, 0 changed, {len(mg.graph(y))} same"
    assert set(told(loss(), loss())) == {"same"}  # two models of one kind


def test_a_wider_layer_changes_shapes_and_nothing_else():
    found = told(loss(), loss(hidden=16))
    assert set(found) == {"changed", "same"}
    assert found["changed"] == [
        ("one.weight", "shape 8×4 → 16×4"), ("one.bias", "shape 8 → 16"), ("two.weight", "shape 3×8 → 3×16"),
        ("linear", "shape 5×8 → 5×16"), ("tanh", "shape 5×8 → 5×16"),
    ]  # fmt: skip


def test_ops_put_in_between_leave_the_others_what_they_were():
    found = told(loss(), loss(norm=True))
    assert found["new"] == [("norm",), ("div",)]
    assert set(found) == {"new", "same"}
    assert told(loss(norm=True), loss())["gone"] == [("norm",), ("div",)]


def test_an_op_in_the_place_of_another_one_has_changed():
    assert told(loss(), loss(act="relu"))["changed"] == [("relu", "tanh → relu")]


def test_a_further_time_step_is_new():
    found = told(over_time(2), over_time(3))
    assert found["new"] == [("matmul",), ("tanh",)]
    assert len(found["same"]) == 7
    assert "gone" in told(over_time(3), over_time(2))


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (lambda x: x * 0.5, lambda x: x * 0.9, "× 0.5 → × 0.9"),
        (lambda x: x.sum(dim=0), lambda x: x.sum(dim=0, keepdim=True), "keepdim default → True"),
        (lambda x: mg.softmax(x, 0), lambda x: mg.softmax(x, 1), "dim 0 → 1"),
        (lambda x: x[0], lambda x: x[1], "[0] → [1]"),
        (lambda x: x**2, lambda x: x**3, "x² → x³"),
    ],
)
def test_what_changed_in_an_op(before, after, text):
    x = named(mg.ones(2, 2, requires_grad=True), "x")
    assert text in told(before(x), after(x))["changed"][0]


def test_a_result_with_another_name():
    x = named(mg.ones(2, requires_grad=True), "x")
    a, b = x.exp(), x.exp()
    b.name = "y"
    assert told(a, b)["changed"] == [("exp", "name – → y")]


def test_what_changed_in_a_leaf():
    def program(name, dtype=mg.float32, requires_grad=True):
        x = named(mg.ones(2, dtype=dtype, requires_grad=requires_grad), name)
        return (x * mg.ones(2, dtype=dtype, requires_grad=True)).sum()

    assert ("b", "a → b") in told(program("a"), program("b"))["changed"]
    assert ("a", "float32 → float64") in told(program("a"), program("a", mg.float64))["changed"]
    swapped = told(program("a"), program("a", requires_grad=False))
    assert ("a",) in swapped["new"]
    assert ("a",) in swapped["gone"]  # a parameter is not the same as a constant


def test_arrows_that_were_laid_anew():
    x, y = (named(mg.ones(2, requires_grad=True), name) for name in "xy")
    difference = compare(mg.graph(x.exp() * y.tanh()), mg.graph(x.exp() * x.exp().tanh()))
    assert difference.edges("new")
    assert difference.edges("gone")
    assert difference
    text = difference.to_text()
    assert "arrows new or gone" in text
    assert str(difference) == text


def test_the_text_has_a_line_for_each_change():
    lines = mg.draw.diff(loss(), loss(act="relu", norm=True)).difference.to_text().splitlines()
    assert lines[0] == "2 new, 0 gone, 1 changed, 10 same; 5 arrows new or gone"
    assert [line[0] for line in lines[1:]] == ["~", "+", "+"]
    assert "model" in lines[1]
    assert lines[1].endswith("tanh → relu")


def test_what_is_gone_stands_where_it_was():
    statuses = [change.status for change in compare(mg.graph(over_time(3)), mg.graph(over_time(2))).changes]
    assert statuses.index("gone") < len(statuses) - 1


def test_long_chains_are_compared_in_a_moment():
    def chain(count, op):
        y = mg.ones(1, requires_grad=True)
        for i in range(count):
            y = y * 1.0 if i != 5 else op(y)
        return mg.graph(y)

    difference = compare(chain(20_000, mg.exp), chain(20_001, mg.tanh))
    assert difference.count("changed") == 1
    assert difference.count("new") == 1


def test_what_cannot_be_aligned_is_paired_in_order(monkeypatch):
    monkeypatch.setattr(importlib.import_module("minigrad.draw.compare"), "MOST_PAIRS", 0)
    x = mg.ones(2, requires_grad=True)
    difference = compare(mg.graph(x.exp().tanh().exp().sum()), mg.graph(x.tanh().tanh().tanh().sum()))
    assert [difference.count(status) for status in ("new", "gone", "same")] == [3, 3, 2]


# ---- the drawing ----------------------------------------------------------------------------------------------------


def test_golden():
    same_as_golden("diff", mg.draw.diff(loss(act="relu", norm=True), loss(hidden=16)).dot)


def test_boxes_look_like_what_became_of_them():
    drawing = mg.draw.diff(loss(norm=True), loss(hidden=16))
    by_status = {}
    for change, box in zip(drawing.difference.changes, drawing.diagram.boxes, strict=True):
        by_status.setdefault(change.status, []).append(box)
    for status, some in by_status.items():
        assert {box.shade for box in some} == {LOOKS[status]}
        assert {box.dashed for box in some} == {status == "gone"}
    assert {box.id[0] for box in by_status["gone"]} == {"o"}
    assert {arrow.look for arrow in drawing.diagram.arrows} == {"quiet", "new", "gone"}
    assert [item.text for item in drawing.diagram.key] == ["gone: 2", "changed: 5", "same: 6"]
    assert isinstance(drawing.difference, Difference)


def test_operands_of_before_have_their_places_too():
    x, y = (named(mg.ones(2, 2, requires_grad=True), name) for name in "xy")
    drawing = mg.draw.diff(x @ y, x * y)
    (box,) = [box for box in drawing.diagram.boxes if box.ops]
    arrows = drawing.diagram.arrows
    assert {arrow.inlet for arrow in arrows if arrow.inlet} <= set(box.inlets)


def test_of_large_graphs_only_what_is_near_a_change_is_drawn():
    drawing = mg.draw.diff(over_time(100), over_time(101))
    assert len(drawing.diagram.boxes) < 12
    assert drawing.diagram.key[-1].text.startswith("not drawn: 19")
    assert "far from any change" in repr(drawing)
    nearest = diff_diagram(drawing.difference, context=0)
    assert {box.rows[0].text for box in nearest.boxes} == {"W", "@", "tanh", "Σ"}
    with pytest.raises(mg.GraphError, match=r"boxes around what changed are more than anyone can read \(max_nodes=150"):
        mg.draw.diff(over_time(100), loss())
    assert len(mg.draw.diff(over_time(100), over_time(101), max_nodes=None).diagram.boxes) == 205


def test_wrong_arguments():
    with pytest.raises(mg.GraphError, match="takes a tensor or a list of tensors, not str"):
        mg.draw.diff(loss(), "graph")
    with pytest.raises(mg.GraphError, match="context is how many arrows around a change to draw, from 0, not -1"):
        mg.draw.diff(loss(), loss(), context=-1)
    with pytest.raises(mg.GraphError, match="no op recorded it"):
        mg.draw.diff(mg.ones(2), loss())


def test_it_renders():
    pytest.importorskip("pygraphviz")
    for direction in ("LR", "TB", "RL", "BT"):
        assert "<svg" in mg.draw.diff(loss(norm=True), loss(act="relu"), direction=direction).svg()
