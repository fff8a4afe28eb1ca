"""The plot of a gradient flow: nothing is left out of the picture, and all of it fits."""

from __future__ import annotations

import gc
import importlib
import math

import pytest

import minigrad as mg
from minigrad_rnn import GRU
from minigrad_rnn.inspect import FlowLine, StepFlow, gradient_flow

figures = pytest.importorskip("matplotlib.figure")


def line_of(norms, place="rnn.layer0", part="h", reverse=False, first=0):
    return FlowLine(place, part, 1, reverse, tuple(range(first, first + len(norms))), tuple(norms))


@pytest.fixture(scope="module", autouse=True)
def nothing_left():
    """What a figure leaves takes the garbage collector several rounds: tests to come count what it finds."""
    yield
    while gc.collect():
        pass


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws lines and gives the figure."""
    made = []

    class Figure(figures.Figure):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr(figures, "Figure", Figure)

    def draw(*lines, dpi=20):
        StepFlow(lines, {}, ()).plot(tmp_path / "flow.png", dpi=dpi)
        assert (tmp_path / "flow.png").stat().st_size
        return made[-1]

    return draw


def panels(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def ticks(axis):
    return {label.get_text(): place for place, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)}


def marked(panel, marker, height):
    """The steps that have a marker at a height."""
    return sorted({
        float(x)
        for line in panel.get_lines()
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
        if line.get_marker() == marker and abs(y - height) < 1e-9
    })


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_all_panels_show_all_steps_whatever_is_left_of_the_gradient(drawn):
    gone = [0.0] * 300 + [1e-20, 1.0]
    figure = drawn(line_of(gone), line_of([1e-3] * 302, part="c"))
    limits = [panel.get_xlim() for panel in panels(figure)]
    assert limits[0] == limits[1]
    assert -20 < limits[0][0] < 0
    assert 301 < limits[0][1] < 320
    figure = drawn(line_of([0.0] * 299 + [1.0]))
    assert panels(figure)[0].get_xlim()[0] < 0


@pytest.mark.parametrize(("first", "steps", "expected"), [(0, 1, [0]), (7, 1, [7]), (0, 2, [0, 1]), (0, 3, [0, 1, 2])])
def test_ticks_are_whole_steps(drawn, first, steps, expected):
    figure = drawn(line_of([0.5] * steps, first=first), line_of([0.5] * steps, part="c", first=first))
    for panel in panels(figure):
        assert panel.get_xticks().tolist() == expected
        assert [text.get_text().strip("−") for text in panel.get_xticklabels()] == [str(t) for t in expected]
    assert drawn(line_of([0.5] * 500)).axes[0].get_xticks().tolist() == [0, 100, 200, 300, 400]


def test_zeros_and_underflow_stand_below_the_scale_and_are_named(drawn):
    figure = drawn(line_of([0.0, 1e-42, 1e-20, 1.0]))
    (panel,) = panels(figure)
    below = ticks(panel.yaxis)["0"]
    assert below < -20
    assert panel.get_ylim()[0] < below
    assert marked(panel, "v", below) == [0.0, 1.0]
    assert legend(figure) == ["rnn.layer0", "0, or too small for float32"]


def test_what_is_not_finite_stands_above_the_scale_and_is_named(drawn):
    figure = drawn(line_of([math.nan, math.inf, 10.0, 1.0]), line_of([math.nan] * 4, "rnn.layer1"))
    (panel,) = panels(figure)
    above = ticks(panel.yaxis)["not finite"]
    assert 1 < above < panel.get_ylim()[1]
    assert marked(panel, "x", above) == [0.0, 1.0, 2.0, 3.0]
    assert legend(figure) == ["rnn.layer0", "rnn.layer1", "NaN or infinite"]


def test_a_line_that_is_nothing_but_nan_or_zeros_is_seen(drawn):
    for norm, tick, marker in ((math.nan, "not finite", "x"), (0.0, "0", "v")):
        figure = drawn(line_of([norm] * 100))
        (panel,) = panels(figure)
        height = ticks(panel.yaxis)[tick]
        assert marked(panel, marker, height) == [0.0, 99.0]  # a line between the ends of the run
        assert any(len(line.get_xdata()) == 100 and set(line.get_ydata()) == {height} for line in panel.get_lines())
        assert len(legend(figure)) == 2


def test_where_all_is_in_order_no_more_is_said(drawn):
    figure = drawn(line_of([0.1, 1.0]))
    assert legend(figure) == ["rnn.layer0"]
    assert all(text.startswith("$10^") for text in ticks(panels(figure)[0].yaxis))


def test_a_single_step_that_is_reached_has_a_marker(drawn):
    (panel,) = panels(drawn(line_of([0.0] * 99 + [1.0], "rnn.layer0.bwd", reverse=True)))
    line = next(line for line in panel.get_lines() if line.get_label() == "rnn.layer0.bwd")
    assert (line.get_marker(), line.get_markevery()) == ("o", [99])


@pytest.mark.parametrize("parts", ["h", "hc", "abcd"])
def test_the_legend_of_24_lines_fits_below_the_panels(drawn, parts):
    places = [f"model.lstm.layer{i}.{way}" for i in range(12) for way in ("fwd", "bwd")]
    lines = [line_of([0.0, 0.5**i, 1.0, math.nan], place, part) for part in parts for i, place in enumerate(places)]
    figure = drawn(*lines)
    assert len(panels(figure)) == len(parts)
    box, whole = figure.legends[0].get_window_extent(), figure.bbox
    assert box.x0 >= whole.x0
    assert box.y0 >= whole.y0
    assert box.x1 <= whole.x1
    assert box.y1 <= min(panel.get_window_extent().y0 for panel in panels(figure))
    assert len(legend(figure)) == 26
    for panel in panels(figure):  # the panels keep their size
        assert panel.get_window_extent().height / figure.dpi > 2.2


def test_directions_differ_in_one_step_too(drawn):
    layer = GRU(2, 3, bidirectional=True)
    lines = gradient_flow(lambda: layer(mg.ones(1, 2, 2))[0].sum()).lines
    (panel,) = panels(drawn(*lines))
    shown = {line.get_label(): line.get_markerfacecolor() for line in panel.get_lines() if line.get_marker() == "o"}
    assert shown["gru.layer0.bwd"] == "white" != shown["gru.layer0.fwd"]


@pytest.mark.parametrize("layers", [1, 6])
def test_pictures_of_a_live_network(tmp_path, layers):
    model = GRU(3, 4, layers, bidirectional=True)
    flow = gradient_flow(lambda: model(mg.ones(40, 2, 3))[0][-1].sum(), model)
    flow.plot(tmp_path / "flow.png", dpi=40)
    assert (tmp_path / "flow.png").read_bytes()[:4] == b"\x89PNG"
    flow.plot(tmp_path / "flow.svg")
    assert "<svg" in (tmp_path / "flow.svg").read_text(encoding="utf-8")


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(mg.MinigradError, match="pip install matplotlib"):
        StepFlow((line_of([1.0]),), {}, ()).plot("never.png")
