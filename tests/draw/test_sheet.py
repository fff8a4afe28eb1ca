"""Sheets: shapes at known places, and the DOT and SVG that come of them."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from minigrad.draw import Drawing
from minigrad.draw.colours import DECADES, STOPS, shade
from minigrad.draw.dot import clean
from minigrad.draw.sheet import Line, Point, Shape, Sheet, Stroke, sheet_dot, text_width
from minigrad_rnn.draw.looks import BACK, OUT, READ, UP

SVG = "{http://www.w3.org/2000/svg}"
AWKWARD = ['say "hi"', "a<b>&{c}|d", "back\\Nslash\\", "&amp;\\n\\G", "梯度 ∂ ∇ 🙂", "\x00\x07\x1b", " ", ""]


def sheet(text="a", **options):
    shapes = (
        Shape("a", Point(0, 0), 40, 25, (text,), "#FFFFFF", "#000000", tooltip=text, **options),
        Shape("b", Point(100, 50), 40, 25, ("b",), "#FFFFFF", "#000000"),
    )
    return Sheet(shapes, (Line("a", "b"),))


def svg(sheet):
    pytest.importorskip("pygraphviz")
    return ET.fromstring(Drawing(sheet).svg())  # noqa: S314


def test_shapes_stand_where_they_were_put():
    root = svg(sheet())
    at = {}
    for group in root.iter(f"{SVG}g"):
        if group.get("class") == "node":
            text = next(group.iter(f"{SVG}text"))
            at[text.text] = (float(text.get("x")), float(text.get("y")))
    assert at["b"][0] - at["a"][0] == pytest.approx(100)
    assert at["b"][1] - at["a"][1] == pytest.approx(-50)  # y goes down in SVG


def test_a_path_is_followed_with_rounded_corners():
    path = (Point(20, 0), Point(100, 0), Point(100, 37))
    line = Line("a", "b", path, stroke=Stroke("#D55E00", 2.0, "dashed"))
    dot = sheet_dot(Sheet(sheet().shapes, (line,)))
    assert 'pos="e,100,37 20,0 ' in dot
    assert "100,0 100,0" in dot  # the corner, as control points
    assert 'color="#D55E00" penwidth=2 style=dashed' in dot
    edges = [group for group in svg(Sheet(sheet().shapes, (line,))).iter(f"{SVG}g") if group.get("class") == "edge"]
    assert next(edges[0].iter(f"{SVG}path")).get("d").count(" ") >= 6


def test_a_double_line_is_two_lines():
    dot = sheet_dot(Sheet(sheet().shapes, (Line("a", "b", stroke=Stroke("#0072B2", 2.0, "double dashed")),)))
    assert 'color="#0072B2:invis:#0072B2" penwidth=1.3 style=dashed' in dot


def test_a_line_without_an_arrow_has_none():
    assert "dir=none" in sheet_dot(Sheet(sheet().shapes, (Line("a", "b", arrow=False),)))


@pytest.mark.parametrize("text", AWKWARD)
@pytest.mark.parametrize("align", ["c", "l", "r"])
def test_awkward_text_is_drawn_as_it_is(text, align):
    drawn = [element.text or "" for element in svg(sheet(text, align=align)).iter(f"{SVG}text")]
    if clean(text).strip():
        assert clean(text).split() in [line.split() for line in drawn]


def test_a_sheet_can_be_moved_beside_another_one():
    moved = sheet().moved(Point(200, 10), "x_")
    assert [(shape.id, shape.at) for shape in moved.shapes] == [("x_a", Point(200, 10)), ("x_b", Point(300, 60))]
    assert (moved.lines[0].tail, moved.lines[0].head) == ("x_a", "x_b")


def test_a_drawing_tells_its_size():
    assert repr(Drawing(sheet())) == "<drawing: 2 shapes, 1 lines, 140 × 75 points>"


def test_text_is_about_as_wide_as_helvetica():
    helvetica = {"hello": 24.7, "t = 10": 29.0, "weight_hh_l0": 69.4, "WWW": 34.0, "ill": 7.4}  # at 12 points
    for text, width in helvetica.items():
        assert text_width(text, 12) == pytest.approx(width, rel=0.25, abs=4)


def test_the_scale_goes_from_blue_by_way_of_white_to_orange():
    ends = [shade(10.0**power).fill for power in (-DECADES, 0, DECADES)]
    assert ends == [STOPS[0], STOPS[3], STOPS[-1]]
    assert shade(1e-300).fill == STOPS[0]
    assert shade(1e-4).text == "#FFFFFF"
    assert shade(1.0).text != "#FFFFFF"


# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}  # fmt: skip


def seen(colour, kind):
    """A colour as CIELAB, as it is seen: a distance of 2 can just be told in large patches."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(BLINDNESS[kind]) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.array(to_xyz) @ linear / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("kind", BLINDNESS)
def test_the_hues_of_weights_can_be_told_apart_by_colour_blind_readers(kind):
    hues = [READ, BACK, UP, OUT]
    distances = [np.linalg.norm(seen(a, kind) - seen(b, kind)) for i, a in enumerate(hues) for b in hues[:i]]
    assert min(distances) > 15, dict(zip(range(6), distances, strict=True))


@pytest.mark.parametrize("kind", BLINDNESS)
def test_vanishing_and_exploding_can_be_told_apart_by_colour_blind_readers(kind):
    for power in (1, 2, 3, 4):
        assert np.linalg.norm(seen(shade(10.0**power).fill, kind) - seen(shade(10.0**-power).fill, kind)) > 15
    for low, high in zip(range(-4, 4), range(-3, 5), strict=True):
        assert np.linalg.norm(seen(shade(10.0**low).fill, kind) - seen(shade(10.0**high).fill, kind)) > 5
