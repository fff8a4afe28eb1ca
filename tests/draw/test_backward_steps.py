"""Backward, step by step, on one picture."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from drawn import language, same_as_golden

import minigrad as mg
import minigrad_rnn as mr
from minigrad.draw.backward import backward_pass, stepped_diagram
from minigrad.draw.render import RenderError
from minigrad.draw.sheet import Sheet
from minigrad.draw.stepping import LIT, WAITING, in_states

try:
    import pygraphviz
except (ImportError, OSError):
    pygraphviz = None

needs_graphviz = pytest.mark.skipif(pygraphviz is None and shutil.which("dot") is None, reason="there is no Graphviz")
SVG = "{http://www.w3.org/2000/svg}"


def named(tensor, name):
    tensor.name = name
    return tensor


def expression():
    w = named(mg.tensor([[1.0, 2.0], [0.5, -1.0]], requires_grad=True), "w")
    b, x = named(mg.tensor([0.5, 0.0], requires_grad=True), "b"), named(mg.tensor([0.3, 0.4]), "x")
    with mg.scope("net"):
        return ((w @ x + b).tanh() ** 2).sum()


def over_time(steps=3):
    w = named(mg.tensor([[0.5, 0.1], [0.2, 0.4]], requires_grad=True), "W")
    h = mg.ones(1, 2)
    for t in range(steps):
        with mg.scope("rnn", step=t):
            h = (h @ w).tanh()
    return h.sum()


def branches():
    a, b = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True).chunk(2)
    return (a * b * a).sum() + b.sum()


def calls(run):
    return [run.graph.nodes[visit.node].op or run.graph.nodes[visit.node].name for visit in run.visits]


# ---- the pass -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [expression, over_time, branches])
def test_ops_are_visited_in_the_order_of_the_engine(make):
    y = make()
    run = backward_pass(y)
    visited = []
    with mg.observe(lambda event: visited.append(event.op.name) if event.phase == "backward" else None):
        y.backward()
    ops = [name for name in calls(run) if name is not None and name in {node.op for node in run.graph}]
    assert ops == [name for name in visited if name != "output"]


def test_a_leaf_comes_when_its_gradient_is_complete():
    assert calls(backward_pass(expression())) == ["sum", "pow", "tanh", "add", "b", "matmul", "w"]
    assert calls(backward_pass(over_time(2))) == ["sum", "tanh", "matmul", "tanh", "matmul", "W"]


@pytest.mark.parametrize("make", [expression, over_time, branches])
def test_what_goes_along_the_edges_adds_up_to_what_arrives(make):
    """With numbers in the place of norms: of a graph of scalars the parts add up."""
    run = backward_pass(make())
    for visit in run.visits:
        parts = [number for edge, number in run.sent.items() if edge.source == visit.node]
        if len(parts) == 1:
            assert parts[0] == pytest.approx(visit.gradient)
        elif parts:
            assert visit.gradient <= sum(map(abs, parts)) * (1 + 1e-6)  # the triangle inequality


def test_the_numbers_are_gradients():
    x = mg.tensor(3.0, requires_grad=True)
    y = x * x * -2
    run = backward_pass(y)
    assert [(visit.gradient, str(visit)) for visit in run.visits] == [(1, "g 1"), (-2, "g -2"), (-12, "g -12")]
    assert list(run.sent.values()) == [-2, -6, -6]
    w = mg.tensor([3.0, 4.0], requires_grad=True)
    run = backward_pass((w * w).sum())
    assert str(run.visits[-1]) == "‖g‖ 10"
    y.backward()  # the graph is still there, and nothing was accumulated
    assert x.grad.item() == -12


def test_of_a_tensor_that_is_no_number_a_gradient_is_asked_for():
    w = mg.tensor([3.0, 4.0], requires_grad=True)
    y = w * 2
    with pytest.raises(mg.GraphError, match=r"a tensor of shape \(2,\) needs a gradient of that shape"):
        mg.draw.backward(y)
    for gradient in (mg.tensor([1.0, 0.0]), np.array([1.0, 0.0]), [1.0, 0.0]):
        assert backward_pass(y, gradient).visits[-1].gradient == 2


def test_an_input_without_a_gradient_is_never_reached():
    diagram, steps = stepped_diagram(backward_pass(expression()))
    texts = {box.rows[0].text: box.id for box in diagram.boxes}
    assert texts["x"] not in steps
    assert next(arrow for arrow in diagram.arrows if arrow.tail == texts["x"]).look == "quiet"
    assert sorted(steps.values()) == list(range(1, 8))


def test_aliases_of_a_weight_are_complete_at_the_same_step():
    diagram, steps = stepped_diagram(backward_pass(over_time(3)))
    assert {steps[box.id] for box in diagram.boxes if box.rows[0].text == "W"} == {8}
    assert len({arrow.label for arrow in diagram.arrows if arrow.tail.startswith("n0")}) == 3  # a term from each step


def test_of_device_arrays_one_number_comes_to_the_host(cuda):
    x = mg.tensor([3.0, 4.0], requires_grad=True, device="cuda")
    y = (x * 2).tanh().sum()
    with cuda.waits(4 + 3):  # nodes, and arrows between them
        mg.draw.backward(y)


AWKWARD = ['say "hi"', "two\nlines", "a<b>&{c}|d", "back\\Nslash\\", "&amp;\\n", "梯度 ∂ 🙂", "\x00\x07", " "]


@needs_graphviz
@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_names_move_too(name):
    x = named(mg.ones(2, requires_grad=True), name)
    with mg.scope(name):
        y = named(x.exp(), name)
    picture = mg.draw.backward((y * y).sum())
    root = ET.fromstring(picture.svg())  # noqa: S314
    assert sum((group.get("class") or "").startswith(f"{root.get('class')}d") for group in root.iter(f"{SVG}g")) == 8
    for drawing in (mg.draw(y.sum(), color_by="nan"), mg.draw.diff(y.sum(), y * 2)):
        ET.fromstring(drawing.svg())  # noqa: S314


def test_a_leaf_alone():
    x = mg.tensor(3.0, requires_grad=True)
    assert [visit.gradient for visit in backward_pass(x).visits] == [1]


def test_a_checkpoint_is_one_visit():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    run = backward_pass(mg.checkpoint(lambda x: x.tanh().exp(), x).sum())
    assert [run.graph.nodes[visit.node].op for visit in run.visits] == ["sum", "checkpoint", None]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (lambda: mg.ones(2), "no op recorded it"),
        (lambda: [mg.ones((), requires_grad=True) * 2], "takes one tensor, or a function that computes it, not a list"),
        (lambda: 3, "takes a tensor or a list of tensors, not int"),
    ],
)
def test_what_has_no_backward(y, message):
    with pytest.raises(mg.GraphError, match=message):
        mg.draw.backward(y())
    with pytest.raises(mg.GraphError, match=message):
        mg.draw.backward(y)


def test_a_freed_graph_and_one_too_large():
    y = expression()
    y.backward()
    message = r"freed by the backward at test_backward_steps\.py:\d+\n  hint: draw before"
    with pytest.raises(mg.GraphError, match=message):
        mg.draw.backward(y)
    with pytest.raises(mg.GraphError, match=r"151 boxes are more than anyone can follow \(max_nodes=150\)"):
        mg.draw.backward(chain(151))
    assert mg.draw.backward(chain(151), max_nodes=None).count == 151


def chain(nodes):
    y = mg.tensor(1.0, requires_grad=True)
    for _ in range(nodes - 1):
        y = y * 1.0
    return y


# ---- states ---------------------------------------------------------------------------------------------------------


def test_golden_of_the_middle():
    same_as_golden("backward_step", mg.draw.backward(expression()).frames()[3].dot)


def test_frames_differ_in_colours_only():
    picture = mg.draw.backward(expression())
    frames = picture.frames()
    assert len(frames) == picture.count + 1 == 8
    colourless = {
        re.sub(r'"#[0-9A-Fa-f]+"|"transparent"|<font color=>|</?font[^>]*>| penwidth=[\d.]+| dir=\w+', "", frame.dot)
        for frame in (*frames, picture)
    }
    assert len(colourless) == 1
    assert all(len(set(re.findall(r"label=<.*?>>", frame.dot))) for frame in frames)


def test_boxes_wait_are_lit_and_are_done():
    picture = mg.draw.backward(expression())
    for step, frame in enumerate(picture.frames()):
        for box in frame.diagram.boxes:
            turn = picture.steps.get(box.id)
            expected = WAITING if turn is None or step < turn else LIT if step == turn else None
            assert box.shade == expected
        for arrow in frame.diagram.arrows:
            turn = picture.steps[arrow.head]
            expected = "waiting" if step < turn else "lit" if step == turn else "gradient"
            assert arrow.look == (expected if arrow.tail in picture.steps else "quiet")
    assert {box.shade for box in picture.diagram.boxes} == {None, WAITING}


def test_numbers_are_hidden_until_they_are_known():
    frames = mg.draw.backward(expression()).frames()
    looks = [[row.look for box in frame.diagram.boxes for row in box.rows] for frame in frames]
    assert [row.count("hidden") for row in looks] == list(range(7, -1, -1))
    assert [row.count("grad") for row in looks] == list(range(8))
    assert frames[0].dot.count('fontcolor="transparent"') == 6


# ---- the picture that moves -----------------------------------------------------------------------------------------


@needs_graphviz
@pytest.mark.parametrize("make", [expression, over_time, branches])
def test_the_moving_svg(make):
    picture = mg.draw.backward(make())
    text = picture.svg()
    root = ET.fromstring(text)  # noqa: S314
    assert not list(root.iter(f"{SVG}script"))
    style = next(root.iter(f"{SVG}style")).text
    assert "@media(prefers-reduced-motion:reduce)" in style
    classes = [group.get("class") for group in root.iter(f"{SVG}g")]
    name = root.get("class")
    boxes, arrows = len(picture.steps), sum(arrow.look != "quiet" for arrow in picture.diagram.arrows)
    for layer in "dl":
        turns = [re.fullmatch(rf"{name}{layer}(\d+)", kind or "") for kind in classes]
        turns = sorted(int(turn[1]) for turn in turns if turn)
        assert len(turns) == boxes + arrows
        assert set(turns) == set(range(1, picture.count + 1))
        assert all(f"@keyframes {name}{layer}{turn}{{" in style for turn in turns)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


@needs_graphviz
def test_what_is_lit_is_hidden_where_nothing_moves():
    root = ET.fromstring(mg.draw.backward(expression()).svg())  # noqa: S314
    name = root.get("class")
    for group in root.iter(f"{SVG}g"):
        kind = group.get("class") or ""
        if kind.startswith(f"{name}l"):
            assert group.get("opacity") == "0"
        elif kind.startswith(f"{name}d"):
            assert group.get("opacity") is None


@needs_graphviz
def test_two_pictures_on_one_page_do_not_meet():
    one, other = (ET.fromstring(mg.draw.backward(make()).svg()).get("class") for make in (expression, branches))  # noqa: S314
    assert one != other


@needs_graphviz
def test_frames_are_saved_as_files(tmp_path):
    picture = mg.draw.backward(over_time(2))
    paths = picture.save_frames(tmp_path / "step-{}.svg")
    assert [path.name for path in paths] == [f"step-{i}.svg" for i in range(7)]
    sizes = {re.search(r'width="\S+" height="\S+"', path.read_text(encoding="utf-8"))[0] for path in paths}
    assert len(sizes) == 1  # all of one layout
    assert picture.save(tmp_path / "moving.svg").read_text(encoding="utf-8").count("@keyframes") == 2 * picture.count
    assert picture.save(tmp_path / "end.png").read_bytes().startswith(b"\x89PNG")
    assert "@keyframes" in picture._repr_mimebundle_()["image/svg+xml"]
    with pytest.raises(mg.GraphError, match=r"where in 'step\.png' does the number go"):
        picture.save_frames("step.png")
    with pytest.raises(RenderError, match="suffix must be one of"):
        picture.save_frames(tmp_path / "step-{}.gif")


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@needs_graphviz
@pytest.mark.skipif(CHROMIUM is None, reason="there is no browser")
def test_a_browser_shows_one_lit_box_after_the_other(tmp_path):
    """The opacity of each layer at several times, as a browser computes it. The script is not of the picture."""
    picture = mg.draw.backward(expression())
    svg = picture.svg()
    name = ET.fromstring(svg).get("class")  # noqa: S314
    script = f"""
    const all = [...document.querySelectorAll('[class^={name}]')].filter(e => e.tagName == 'g');
    const at = t => {{ for (const a of document.getAnimations()) {{ a.pause(); a.currentTime = t * 1000 }}
      const seen = k => new Set(all.filter(e => e.className.baseVal.startsWith('{name}' + k)
        && getComputedStyle(e).opacity == '1').map(e => e.className.baseVal)).size;
      return seen('d') + '/' + seen('l') }};
    document.title = [0.1, 0.9, 1.7, 5.7, 7].map(at).join(' ');"""
    page = tmp_path / "page.html"
    page.write_text(f"<html><body>{svg[svg.index('<svg') :]}<script>{script}</script></body></html>", encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    command = [CHROMIUM, *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)  # noqa: S603
    title = re.search(r"<title>(.*?)</title>", done.stdout.decode())
    if title is None:
        pytest.skip(f"the browser did not run: {done.stderr.decode()[-300:]}")
    assert title[1] == "0/0 1/1 2/1 7/1 7/0"


# ---- recurrent networks ---------------------------------------------------------------------------------------------


def states(picture):
    """For what cells are called, the step at which they are lit."""
    lit = [shape for shape in picture.diagram.shapes if shape.id in picture.steps and shape.lines]
    return {shape.lines[0]: picture.steps[shape.id] for shape in lit}


def test_backward_through_time_goes_from_right_to_left():
    layer, x = mr.RNN(2, 3), mg.ones(4, 1, 2)
    turns = states(mr.draw.backward(lambda: layer(x)[0][-1].sum()))
    assert [turns[f"h{i}"] for i in "₃₂₁₀"] == sorted(turns[f"h{i}"] for i in "₃₂₁₀")
    assert turns["L"] == 1


def test_a_second_direction_goes_from_left_to_right():
    layer, x = mr.GRU(2, 3, bidirectional=True), mg.ones(3, 1, 2)
    turns = states(mr.draw.backward(lambda: layer(x)[0].sum()))
    assert turns["→h₂"] < turns["→h₁"] < turns["→h₀"]
    assert turns["←h₀"] < turns["←h₁"] < turns["←h₂"]


def test_lines_turn_round_when_a_gradient_goes_along_them():
    layer, x = mr.RNN(2, 3), mg.ones(3, 1, 2)
    picture = mr.draw.backward(lambda: layer(x)[0][-1].sum())
    before, end = picture.frames()[0].diagram, picture.diagram
    assert isinstance(end, Sheet)
    turned = {(line.tail, line.head) for line in end.lines} - {(line.tail, line.head) for line in before.lines}
    assert {(head, tail) for tail, head in turned} <= {(line.tail, line.head) for line in before.lines}
    assert all(tail in picture.steps and head in picture.steps for tail, head in turned)
    assert all(picture.steps[tail] < picture.steps[head] for tail, head in turned)
    inputs = [shape for shape in end.shapes if shape.lines and shape.lines[0].startswith("x")]
    assert {shape.fill for shape in inputs} == {WAITING.fill}


def test_numbers_of_cells_are_hidden_until_they_are_known():
    picture = mr.draw.backward(language(layers=2))
    first, last = (
        [shape.lines[-1] for shape in drawing.diagram.shapes if shape.id in picture._numbered]
        for drawing in (picture.frames()[0], picture)
    )
    assert first == [" "] * 6
    assert all(re.match(r"[\d.e-]+$", text) for text in last)


def test_a_long_sequence_lights_up_its_strip():
    layer, x = mr.RNN(2, 3), mg.ones(30, 1, 2)
    picture = mr.draw.backward(lambda: layer(x)[0][-1].sum(), steps=12)
    turns = states(picture)
    (strip,) = {turn for id, turn in picture.steps.items() if id.endswith("_folded")}
    assert turns["h₂₈"] < strip < turns["h₂"]
    assert picture.count == 7
    with pytest.raises(mg.GraphError, match="steps is how many steps to draw in full"):
        mr.draw.backward(lambda: layer(x)[0].sum(), steps=0)


@needs_graphviz
def test_the_moving_svg_of_a_recurrent_network():
    picture = mr.draw.backward(language(layers=2))
    root = ET.fromstring(picture.svg())  # noqa: S314
    name = root.get("class")
    kinds = [group.get("class") or "" for group in root.iter(f"{SVG}g")]
    lit = sum(kind.startswith(f"{name}l") for kind in kinds)
    between = [line for line in picture.diagram.lines if line.tail in picture.steps and line.head in picture.steps]
    assert lit == len(picture.steps) + len(between)


def test_states_leave_what_is_no_box_as_it_is():
    picture = mr.draw.backward(language())
    texts = {shape.id: shape for shape in picture.diagram.shapes if not shape.fill and not shape.stroke}
    waiting = in_states(picture.diagram, {})
    assert texts.items() <= {shape.id: shape for shape in waiting.shapes}.items()
