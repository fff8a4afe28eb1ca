"""Interactive pages: what is in them, and, in a real browser, what they do."""

import hashlib
import json
import re
import sys
from html import unescape
from importlib import resources

import numpy as np
import pytest
from headless import CHROMIUM, Browser

import minigrad as mg
import minigrad_rnn as mr
from minigrad.draw import Drawing, RendererNotFound, RenderError, html
from minigrad.draw.diagram import Arrow, Box, Diagram, Place, Row
from minigrad.draw.html import html_page
from minigrad.draw.text import clean
from minigrad.draw.whole import values_told
from minigrad_rnn.draw import draw as draw_network

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium or Chrome on the PATH")
EVIL = [
    "</script><script>window.hacked = 1</script>", "<!--<script>", '"><img src=x onerror="window.hacked=1">',
    "{{graphviz}} ${window.hacked=1}", "say \"hi\" & 'ho' \\N \\u003c", "\u2028\u2029\x00\ud800", "梯度 ∂",
]  # fmt: skip


def named(tensor, name):
    tensor.name = name
    return tensor


def classifier(steps=3):
    """Encoder with time steps, and a head: 2 + 3 × (1 panel of 3 ops) + 2."""
    rng = np.random.default_rng(0)
    w, out = (named(mg.tensor(rng.normal(size=(4, 4)).astype("f4"), requires_grad=True), name) for name in ("W", "V"))
    h = named(mg.zeros(4), "h0")
    with mg.scope("model"):
        with mg.scope("encoder"):
            for t in range(steps):
                with mg.scope(step=t):
                    h = (w @ h + 1.0).tanh()
        with mg.scope("head"):
            return (out @ h).sum()


def data(page):
    """What the page was told."""
    return json.loads(re.search(r'<script type="application/json" id="page">(.*?)</script>', page, re.DOTALL)[1])


# ---- the file ------------------------------------------------------------------------------------------------------


def test_a_page_holds_every_box_arrow_and_panel():
    drawing = mg.draw(classifier())
    told = data(drawing.html())
    assert {box["id"] for box in told["boxes"]} == {box.id for box in drawing.diagram.boxes}
    assert len(told["arrows"]) == len(drawing.diagram.arrows)
    names = [panel["box"]["title"] for panel in told["panels"]] + [None]  # -1 is the page
    around = {name: names[panel["around"]] for name, panel in zip(names, told["panels"], strict=False)}
    steps = dict.fromkeys(["t = 0", "t = 1", "t = 2"], "encoder")
    assert around == {"model": None, "encoder": "model", "head": "model"} | steps
    assert told["closed"] == []


def test_depth_closes_panels_which_the_page_can_open():
    y = classifier()
    told = data(mg.draw(y, depth=2).html())
    assert len(told["boxes"]) == len(mg.draw(y).diagram.boxes)
    closed = {told["panels"][i]["box"]["title"] for i in told["closed"]}
    assert closed == {"encoder", "t = 0", "t = 1", "t = 2", "head"}


def test_a_long_loop_is_closed_at_first_and_has_all_its_steps():
    told = data(mg.draw(classifier(60)).html())
    assert sum(panel["box"]["title"].startswith("t = ") for panel in told["panels"]) == 60
    assert "encoder" in {told["panels"][i]["box"]["title"] for i in told["closed"]}
    assert data(Drawing(mg.draw(classifier(60)).diagram).html())["closed"] == []  # as in the picture


def test_a_parameter_used_at_every_step_counts_once():
    panels = {panel["box"]["title"]: panel["box"] for panel in data(mg.draw(classifier()).html())["panels"]}
    assert panels["encoder"]["lines"] == ["model/encoder", "9 ops", "1 parameter"]
    assert panels["t = 1"]["lines"] == ["model/encoder/t = 1", "3 ops", "1 parameter"]


def test_a_box_tells_shape_values_gradient_line_and_place():
    y = classifier()
    y.backward(retain_graph=True)
    boxes = {box["title"]: box for box in data(mg.draw(y).html())["boxes"]}
    call, shape, values, made, place = boxes["tanh"]["lines"]
    assert call.startswith("%")
    assert "tanh(%" in call
    assert shape == "(4,) float32"
    assert re.fullmatch(r"values -?[\d.]+, -?[\d.]+, -?[\d.]+, -?[\d.]+", values)
    assert made.startswith("made at test_html.py:")
    assert place.startswith("in model.encoder/t=")
    assert any(line.startswith("values -") and " … " in line for line in boxes["V"]["lines"])
    assert any(line.startswith("‖g‖ ") for line in boxes["V"]["lines"])


def test_without_the_tensor_a_page_tells_everything_but_the_values():
    drawing = mg.draw(classifier())
    assert not any("values" in line for box in data(drawing.html())["boxes"] for line in box["lines"])


def test_values_of_a_graph_whose_leaves_have_changed_are_not_told():
    x = mg.ones(3, requires_grad=True)
    y = (x * x).sum()
    drawing = mg.draw([y])
    assert "value 3" in drawing.html()
    x.data = mg.zeros(3)
    assert "value 3" not in drawing.html()


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array(2.5), "value 2.5"),
        (np.array([True, False]), "values 1, 0"),
        (np.zeros((0, 3)), "values none"),
        (np.arange(10), "values 0 … 9, mean 4.5"),
        (np.array([1, 2, 3, np.nan, np.inf, -np.inf]), "values 1 … 3, mean 2, 1 NaN of 6, 2 infinite of 6"),
        (np.full(5, np.nan), "values 5 NaN of 5"),
        (tuple(np.array([float(i)]) for i in range(6)), "value 0; value 1; value 2; value 3 …"),
    ],
)
def test_values_in_a_few_words(array, expected):
    assert values_told(array) == expected


def test_values_on_a_device_are_one_copy(cuda):
    few, many = mg.ones(3).to("cuda"), mg.ones(20).to("cuda")
    with cuda.waits(times=1):
        assert values_told(many.data) == "values 1 … 1, mean 1"
    with cuda.waits(times=1):
        assert values_told(few.data) == "values 1, 1, 1"


def test_color_by_colours_closed_panels_too():
    y = classifier()
    told = data(mg.draw(y, color_by="bytes").html())
    assert all("bgcolor=" in panel["box"]["dot"] for panel in told["panels"])
    assert {panel["box"]["dot"].split('bgcolor="')[1][:7] for panel in told["panels"]} != {"#F1F1F1"}
    assert "labelloc=b" in told["foot"][0]  # what the colours mean


def test_a_sheet_is_a_page():
    rnn = mr.RNN(3, 4)
    drawing = draw_network(lambda: rnn(mg.ones(3, 1, 3))[0].sum())
    told = data(drawing.html())
    assert told["dot"] == drawing.dot
    assert len(told["boxes"]) == len(drawing.diagram.shapes)
    assert len(told["arrows"]) == len(drawing.diagram.lines)


@pytest.mark.parametrize("text", EVIL)
def test_no_text_leaves_its_place(text):
    page = html_page(evil_diagram(text), text)
    assert len(re.findall("<script", page)) == len(re.findall("</script", page)) == 3
    assert data(page)["boxes"][0]["title"] == text.replace("\x00", "�").replace("\ud800", "�")
    assert unescape(re.search("<title>(.*?)</title>", page, re.DOTALL)[1]) == data(page)["boxes"][0]["title"]


def evil_diagram(*texts):
    boxes, arrows = [], []
    for i, text in enumerate(texts):
        rows = (Row(text, "title"), Row(text, "grad"), Row(text, "caption"))
        boxes.append(Box(f"a{i}", rows, "op", (Place(text),), tooltip=text))
        boxes.append(Box(f"b{i}", rows, "parameter", tooltip=text))
        arrows.append(Arrow(f"a{i}", f"b{i}", tooltip=text))
    return Diagram(tuple(boxes), tuple(arrows))


def test_a_page_asks_for_nothing_from_elsewhere():
    page = mg.draw(classifier()).html()
    assert "default-src &#x27;none&#x27;" in page
    assert not re.findall(r'<[^>]*\b(?:src|href)\s*=\s*["\']?\s*(?:https?:)?//', page.partition("<script")[0])
    assert "@import" not in page


def test_the_library_is_the_one_whose_licence_stands_beside_it():
    web = resources.files("minigrad.draw") / "web"
    licence = (web / "graphviz.LICENSE").read_text(encoding="utf-8")
    assert hashlib.sha256((web / "graphviz.js").read_bytes()).hexdigest() in licence
    assert html._graphviz().endswith(";")
    assert "self.Graphviz=" in html._graphviz()[-100:]


def test_a_page_that_is_too_large_is_refused_with_numbers(monkeypatch, tmp_path):
    drawing = mg.draw(classifier(40), depth=2)
    monkeypatch.setattr(html, "LARGEST", 900_000)
    message = r"a page of 1\.0 MB .* \(0\.9 MB\): \d+ boxes and \d+ arrows\n  hint: draw"
    with pytest.raises(mg.GraphError, match=message):
        drawing.save(tmp_path / "net.html")
    assert list(tmp_path.iterdir()) == []
    assert Drawing(drawing.diagram).html()


def test_a_page_needs_no_graphviz(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    monkeypatch.delenv("MINIGRAD_DOT", raising=False)
    drawing = mg.draw(classifier())
    with pytest.raises(RendererNotFound):
        drawing.svg()
    assert "WebAssembly" in drawing.html()


def test_save_writes_a_page_named_after_its_file(tmp_path):
    page = mg.draw(classifier()).save(tmp_path / "encoder.HTML").read_text(encoding="utf-8")
    assert "<title>encoder</title>" in page
    with pytest.raises(RenderError, match=r"\.html"):
        mg.draw(classifier()).save(tmp_path / "encoder.htm")


# ---- in a browser --------------------------------------------------------------------------------------------------

NODES = "document.querySelectorAll('.node').length"
SETTLED = "!document.querySelector('[aria-busy]')"
TRANSFORM = "document.querySelector('main > svg > g').getAttribute('transform')"
CARD = "document.getElementById('card').hidden ? '' : document.getElementById('card').innerText"


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def shown(tab, tmp_path):
    """Opens a drawing; afterwards nothing must have been complained about or asked for but the page itself."""

    def show(drawing, dark=False):
        path = drawing.save(tmp_path / "page.html")
        tab.open(path, dark)
        return tab

    yield show
    assert tab.complaints == []
    assert [url for url in tab.requests if not url.startswith(("file://", "blob:null"))] == []
    assert len([url for url in tab.requests if url.startswith("file://")]) == 1
    assert tab.run("document.getElementById('status').textContent") == ""


def scale(tab):
    return float(re.search(r"scale\((.*?)\)", tab.run(TRANSFORM))[1])


def click(tab, selector):
    tab.click(selector)
    tab.until(SETTLED)


@in_browser
def test_every_box_is_drawn_and_nothing_goes_wrong(shown):
    drawing = mg.draw(classifier())
    tab = shown(drawing)
    assert tab.run(NODES) == len(drawing.diagram.boxes)
    assert tab.run("document.querySelectorAll('.edge').length") == len(drawing.diagram.arrows)
    assert tab.run("document.querySelectorAll('.cluster').length") == 6
    assert tab.run("document.querySelectorAll('main title, main a').length") == 0


@in_browser
def test_the_page_puts_the_same_dot_together(shown):
    """But for tooltips, which it has itself, and for indentation."""
    drawing = mg.draw(classifier())
    text = re.sub(r'(>>) tooltip="(?:[^"\\]|\\.)*"\]', r'\1 tooltip=""]', drawing.dot)
    assert [line.strip() for line in shown(drawing).run("diagram(closed).dot").splitlines()] == [
        line.strip() for line in text.splitlines()
    ]


@in_browser
def test_panels_close_and_open(shown):
    tab = shown(mg.draw(classifier()))
    every = tab.run(NODES)
    click(tab, "text[aria-label^='encoder,']")
    closed = tab.run(NODES)
    assert closed < every
    assert tab.run("document.querySelector('.node[data-panel]').getAttribute('aria-expanded')") == "false"
    assert "9 ops" in tab.run("document.querySelector('.node[data-panel]').textContent")
    click(tab, ".node[aria-label^='encoder,']")
    assert tab.run(NODES) == every
    click(tab, "text[aria-label^='t = 1,']")
    assert closed < tab.run(NODES) < every
    click(tab, "#close")
    assert tab.run(NODES) == 1
    click(tab, "#open")
    assert tab.run(NODES) == every


@in_browser
def test_an_opened_panel_stays_where_it_was_once_the_reader_has_moved_the_drawing(shown):
    tab = shown(mg.draw(classifier(), depth=2))
    tab.wheel((500, 400), -200)
    corner = "(b => [b.left, b.top])(document.querySelector(\"[aria-label^='encoder,']\").getBoundingClientRect())"
    before = tab.run(corner)
    click(tab, ".node[aria-label^='encoder,']")
    assert tab.run(corner) == pytest.approx(before, abs=1)


@in_browser
def test_the_card_tells_of_what_the_mouse_is_over(shown):
    y = classifier()
    tab = shown(mg.draw(y))
    assert tab.run(CARD) == ""
    tab.hover(".node[aria-label^='tanh,']")
    text = tab.run(CARD)
    for part in ("tanh", "(4,) float32", "values", "made at test_html.py:", "in model.encoder/t="):
        assert part in text
    assert tab.run("document.querySelectorAll('.edge.near').length") == 2
    tab.hover("#edge1 path.wide")
    assert "W → @\ninput 1 of matmul" in tab.run(CARD).replace("\n\n", "\n")
    tab.mouse("Moved", 300, 60)
    assert tab.run(CARD) == ""
    tab.click(".node[aria-label^='Σ,']")
    tab.mouse("Moved", 300, 60)
    assert "Σ" in tab.run(CARD)
    tab.key("Escape")
    assert tab.run(CARD) == ""


@in_browser
def test_an_arrow_belongs_to_the_boxes_it_touches(shown):
    """Graphviz writes arrows in another order than it was given them."""
    tab = shown(mg.draw(classifier()))
    gaps = tab.run(
        "[...document.querySelectorAll('.edge')].map(edge => {"
        " const path = edge.querySelector('path'), line = path.getBoundingClientRect();"
        " const {tail, head} = arrowOf(edge);"
        " return Math.max(...[tail, head].map(id => { const b = partOf(id).getBoundingClientRect();"
        " return Math.max(line.left - b.right, b.left - line.right, line.top - b.bottom, b.top - line.bottom); })); })"
    )
    assert max(gaps) < 15


@in_browser
def test_zoom_and_pan(shown):
    tab = shown(mg.draw(classifier()))
    start, fitting = tab.run(TRANSFORM), scale(tab)
    tab.wheel((640, 400), -300)
    assert scale(tab) > 1.3 * fitting
    tab.key("0")
    assert tab.run(TRANSFORM) == start
    for change, larger in (("+", True), ("-", False)):
        before = scale(tab)
        tab.key(change)
        assert (scale(tab) > before) is larger
    tab.click("#in")
    assert scale(tab) == pytest.approx(1.25 * fitting)
    tab.click("#out")
    tab.click("#fit")
    assert tab.run(TRANSFORM) == start
    tab.drag((300, 120), (340, 150))
    x, y = map(float, re.search(r"translate\((.*?) (.*?)\)", start).groups())
    assert tab.run(TRANSFORM).startswith(f"translate({x + 40:g} {y + 30:g})"[:12])
    tab.key("ArrowLeft")
    assert tab.run("view.x") == pytest.approx(x + 100)


@in_browser
def test_the_place_under_the_mouse_stays_when_zooming(shown):
    tab = shown(mg.draw(classifier()))
    at = tab.middle(".node[aria-label^='Σ,']")
    tab.wheel(at, -400)
    assert tab.middle(".node[aria-label^='Σ,']") == pytest.approx(at, abs=1)


@in_browser
def test_dragging_across_a_box_does_not_click_it(shown):
    tab = shown(mg.draw(classifier(), depth=2))
    boxes = tab.run(NODES)
    at = tab.middle(".node[data-panel]")
    tab.drag(at, (at[0] + 60, at[1] + 20))
    tab.until(SETTLED)
    assert tab.run(NODES) == boxes


@in_browser
def test_search_finds_what_is_in_closed_panels_and_opens_them(shown):
    tab = shown(mg.draw(classifier(), depth=1))
    assert tab.run(NODES) == 1
    tab.key("/")
    for letter in "tanh":
        tab.key(letter)
    assert tab.run("document.getElementById('count').textContent") == "3"
    assert tab.run("document.querySelectorAll('.node.hit').length") == 1  # the closed panel
    for count in ("1 of 3", "2 of 3"):
        tab.key("Enter")
        tab.until(SETTLED)
        tab.until(f"document.getElementById('count').textContent === '{count}'")
    assert tab.run(NODES) > 1
    assert "tanh" in tab.run(CARD)
    tab.key("z")
    assert tab.run("document.getElementById('count').textContent") == "0"
    tab.key("Enter")
    assert tab.run("document.querySelectorAll('.node.hit').length") == 0


@in_browser
def test_everything_can_be_done_with_the_keyboard(shown):
    tab = shown(mg.draw(classifier(), depth=2))
    boxes = tab.run(NODES)
    for _ in range(20):
        tab.key("Tab")
        if tab.run("document.activeElement.getAttribute('aria-label')?.startsWith('encoder,')"):
            break
    assert "encoder" in tab.run(CARD)
    tab.key("Enter")
    tab.until(f"{SETTLED} && {NODES} > {boxes}")
    assert tab.run("document.activeElement.getAttribute('aria-expanded')") == "true"
    tab.key(" ")
    tab.until(f"{SETTLED} && {NODES} === {boxes}")


@in_browser
@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark(shown, dark):
    tab = shown(mg.draw(classifier()), dark)
    red, green, blue = map(int, re.findall(r"\d+", tab.run("getComputedStyle(document.body).backgroundColor"))[:3])
    assert (red + green + blue < 150) is dark


@in_browser
def test_a_sheet_can_be_moved_and_tells(shown):
    rnn = mr.LSTM(3, 4)
    drawing = draw_network(lambda: rnn(mg.ones(3, 1, 3))[0].sum())
    tab = shown(drawing)
    assert tab.run(NODES) == len(drawing.diagram.shapes)
    assert tab.run("document.getElementById('panels').hidden")
    before = scale(tab)
    tab.wheel((640, 400), -300)
    assert scale(tab) > before
    state = next(shape for shape in drawing.diagram.shapes if "ops" in shape.tooltip)
    tab.hover(f".node[data-id='{state.id}']")
    assert state.tooltip.split("\n")[0] in tab.run(CARD)
    shapes = {shape.id: shape for shape in drawing.diagram.shapes if shape.fill and shape.lines}
    across = tab.run("[...document.querySelectorAll('.node')].map(n => [n.dataset.id, n.getBBox().x])")
    offsets = [x - (shapes[id].at.x - shapes[id].width / 2) for id, x in across if id in shapes]
    assert max(offsets) - min(offsets) < 1


@in_browser
@pytest.mark.parametrize("direction", ["LR", "RL", "TB", "BT"])
def test_rows_stand_in_the_middle_of_their_boxes(shown, direction):
    a, b = mg.ones(2, 4, requires_grad=True).chunk(2, dim=1)
    tab = shown(mg.draw(a - b, direction=direction))
    off = tab.run(
        "[...document.querySelectorAll('.node[data-id=n0]')].flatMap(node => { const b = node.getBBox();"
        " return [...node.querySelectorAll('text')].map(t => { const r = t.getBBox();"
        " return Math.abs(r.x + r.width / 2 - b.x - b.width / 2); }); })"
    )
    assert max(off) < 1


@in_browser
def test_no_text_becomes_a_program(shown):
    tab = shown(Drawing(evil_diagram(*EVIL)))
    drawn = tab.run("[...document.querySelectorAll('.node text')].map(text => text.textContent.trim())")
    for i, text in enumerate(EVIL):
        assert drawn.count(" ".join(clean(text).split()) or clean(text)) >= 6 or i == 5  # white space is not kept
        tab.hover(f".node[data-id='b{i}']")
        assert tab.run("[...document.getElementById('card').children].map(part => part.children.length)") == [0, 0, 0]
        assert tab.run("document.querySelector('#card h2').textContent") == clean(text)
    assert tab.run("document.images.length") == 0
    assert tab.run("document.scripts.length") == 3
    assert tab.run("window.hacked") is None


@in_browser
def test_an_empty_drawing_is_an_empty_page(shown):
    assert shown(Drawing(Diagram((), ()))).run(NODES) == 0


@in_browser
def test_a_layout_that_takes_too_long_is_stopped_and_the_drawing_stays(tab, tmp_path):
    tab.open(Drawing(mg.draw(classifier()).diagram, timeout=30).save(tmp_path / "page.html"))
    boxes = tab.run(NODES)
    tab.run("page.timeout = 0")
    click(tab, "#close")
    assert "stopped after 0 s" in tab.run("document.getElementById('status').textContent")
    assert tab.run(NODES) == boxes
    tab.run("page.timeout = 30")
    click(tab, "#close")
    assert tab.run(NODES) == 1
