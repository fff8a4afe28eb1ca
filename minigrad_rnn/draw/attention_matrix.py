"""All weights of an attention as a matrix."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy

import minigrad as mg
from minigrad.draw.colours import Scale, Shade
from minigrad.draw.sheet import Point, Shape, Sheet, text_width
from minigrad.draw.style import OUTSIDE

from .attention_words import Words, label, tip_of
from .shades import scale

MOST = 3000  # cells of a matrix
WEIGHTS = Scale("attention weight α", "amount")
NOTHING = Shade("", OUTSIDE, "")  # of a step that looked nowhere


def matrix_sheet(weights: Any, words: Words) -> Sheet:
    """A matrix: what was read from left to right, what was written from the top down.

    Raises:
        GraphError: more cells than anyone can look at.
    """
    if weights.size > MOST:
        raise mg.GraphError(
            f"draw.attention: {weights.shape[0]} x {weights.shape[1]} weights are {weights.size:,} cells, more than"
            f" {MOST:,}\n  hint: weights[:50, :50] is a piece of them; inspect.attention_trace has the numbers"
        )
    few = weights.size <= 200
    widths = [max(34.0, text_width(word, 11) + 8) if few else 16.0 for word in words.source]
    height = 24.0 if few else 16.0
    return Sheet(tuple(_matrix_shapes(weights, words, widths, height, few)), ())


def _matrix_shapes(weights: Any, words: Words, widths: list[float], height: float, few: bool) -> Iterator[Shape]:
    size = 11 if few else 9
    edges = itertools.accumulate(widths, initial=0.0)
    middles = [edge + width / 2 for edge, width in zip(edges, widths, strict=False)]
    for s, word in enumerate(words.source):
        at = Point(middles[s], height)
        if few or (not words.named and (s + 1) % 5 == 0):  # of numbers every fifth
            yield label(f"source{s}", at, word, size)
        elif words.named and word:  # too narrow to lie: letters one below the other
            yield _upright(f"source{s}", at, word, size)
    widest = max(text_width(word, size) for word in words.target) + 12
    for t, line in enumerate(weights):
        y = -t * height
        yield Shape(
            f"target{t}", Point(-widest / 2 - 4, y), widest, height, (words.target[t],), size=size, colour=OUTSIDE,
            align="r",
        )  # fmt: skip
        for s, weight in enumerate(line):
            empty = numpy.isnan(weight)
            shade = NOTHING if empty else WEIGHTS.shade(float(weight))
            told = (f"{weight:.2f}".replace("0.", ".", 1),) if few and not empty else ()
            yield Shape(
                f"a{t}_{s}", Point(middles[s], y), widths[s] - 1.5, height - 1.5, told, shade.fill, shade.fill,
                "square", border=0, size=10, colour=shade.text, tooltip=tip_of(words, t, s, weight),
            )  # fmt: skip
    yield from scale(Point(0.0, -len(weights) * height - 12), WEIGHTS)


def _upright(id: str, at: Point, word: str, size: float) -> Shape:
    """A word with its letters one below the other: Graphviz cannot turn it."""
    letters = word if len(word) <= 12 else word[:11] + "…"
    height = (size + 1.5) * len(letters)
    return Shape(id, Point(at.x, at.y - 5 + height / 2), 12, height, tuple(letters), size=size, colour=OUTSIDE)
