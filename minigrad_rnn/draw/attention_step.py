"""One step of a decoder with attention, over encoder and decoder."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import minigrad as mg
from minigrad.draw.sheet import Line, Point, Shape, Sheet, Stroke, text_width
from minigrad.draw.style import OUTSIDE, PALETTE

from .attention_words import Words, label, lowered, tip_of

COLUMNS = 24  # elements of a source whose links can be told apart
AROUND = 3  # steps of the decoder on each side of the one that is shown
ATTENTION = "#CC79A7"  # the purple of lines and bars
PANELS = {"encoder": ("#0072B214", "#0072B260"), "decoder": ("#D55E0014", "#D55E0060")}
SPACE, GAP, ROW = 16.0, 84.0, 62.0
BAR = 62.0  # height of a bar of 1


def step_sheet(weights: Any, words: Words, step: int, bidirectional: bool = False) -> Sheet:
    """Encoder at the left, decoder at the right, and the links of one step of the decoder.

    Raises:
        GraphError: the source is so long that the links cannot be told apart.
    """
    if weights.shape[1] > COLUMNS:
        raise mg.GraphError(
            f"draw.attention: the links to {weights.shape[1]} elements of a source cannot be told apart, up to"
            f" {COLUMNS} can\n  hint: without step= all weights are drawn as a matrix"
        )
    picture = _Step(weights, words, step, bidirectional)
    return Sheet(tuple(picture.shapes()), tuple(picture.lines()))


class _Step:
    """Rows from the bottom up: what is read, the states, what the decoder sees, what it writes."""

    def __init__(self, weights: Any, words: Words, step: int, bidirectional: bool) -> None:
        self.weights, self.words, self.step, self.bidirectional = weights[step], words, step, bidirectional
        first, last = max(0, step - AROUND), min(len(weights), step + AROUND + 1)
        self.steps = range(first, last)
        self.before, self.after = first > 0, last < len(weights)
        self.source, edge = _columns(words.source, 14.0)
        self.encoder = (0.0, edge)
        start = edge + GAP
        named = tuple(max(words.read[t], words.target[t], key=len) for t in self.steps)
        target, end = _columns(named, start + 14.0 + (24.0 if self.before else 0.0))
        self.target = dict(zip(self.steps, target, strict=True))
        self.decoder = (start, end + (24.0 if self.after else 0.0))

    def shapes(self) -> Iterator[Shape]:
        for name, (left, right) in (("encoder", self.encoder), ("decoder", self.decoder)):
            fill, stroke = PANELS[name]
            middle = Point((left + right) / 2, ROW / 2 - 5)
            yield Shape(name, middle, right - left, ROW + 64, (), fill, stroke, border=1)
            yield Shape(f"{name}_name", Point(left + 42, -27), 60, 14, (name,), size=11, colour=OUTSIDE, align="l")
        for s, x in enumerate(self.source):
            if self.words.source[s]:
                yield _box(f"x{s}", Point(x, 0), self.words.source[s], "input")
            yield _box(f"h{s}", Point(x, ROW), f"h{lowered(s + 1)}", "state")
        yield from self._bars()
        for t, x in self.target.items():
            number = lowered(t + 1)
            yield _box(f"y{t}", Point(x, 0), self.words.read[t], "constant")
            yield _box(f"s{t}", Point(x, ROW), f"s{number}", "state")
            yield _box(f"c{t}", Point(x, 2.9 * ROW), f"c{number}", "gate", 2.4 if t == self.step else 1.3)
            yield _box(f"w{t}", Point(x, 3.8 * ROW), self.words.target[t], "result", 2.4 if t == self.step else 1.3)
        left, right = self.decoder
        for there, name, x in ((self.before, "before", left + 18), (self.after, "after", right - 18)):
            if there:
                yield label(name, Point(x, ROW), "⋯", 14)

    def _bars(self) -> Iterator[Shape]:
        """How much each element counts, above it."""
        word = self.words.target[self.step]
        told = f"attention α while writing {word}" if word else f"attention α in step {self.step}"
        width = text_width(told, 12) + 12
        left = self.encoder[0] + 4
        yield Shape("told", Point(left + width / 2, 3.8 * ROW + 26), width, 16, (told,), colour=OUTSIDE, align="l")
        ground = 2.9 * ROW
        for s, (x, weight) in enumerate(zip(self.source, self.weights.tolist(), strict=True)):
            if math.isnan(weight):
                continue
            height = max(1.0, BAR * weight)
            tip = tip_of(self.words, self.step, s, weight)
            at = Point(x, ground + height / 2)
            yield Shape(f"bar{s}", at, 22, height, (), ATTENTION, ATTENTION, "square", border=0, tooltip=tip)
            yield label(f"bar{s}_told", Point(x, ground - 10), f"{weight:.2f}", 10)

    def lines(self) -> Iterator[Line]:
        chain = [f"h{s}" for s in range(len(self.source))]
        yield from self._encoder_chain(chain)
        yield from [Line(f"x{s}", f"h{s}", stroke=Stroke("#0072B2")) for s, x in enumerate(self.words.source) if x]
        first = next(iter(self.target))
        yield Line("before" if self.before else chain[-1], f"s{first}", stroke=Stroke(OUTSIDE, 2.0))
        steps = [f"s{t}" for t in self.target]
        for a, b in zip(steps, [*steps[1:], *["after"] * self.after], strict=False):
            yield Line(a, b, stroke=Stroke("#D55E00", 2.0))
        for t in self.target:
            yield Line(f"y{t}", f"s{t}", stroke=Stroke("#D55E00"))
            yield Line(f"s{t}", f"c{t}", stroke=Stroke(OUTSIDE, 1.3, "dashed"))
            yield Line(f"c{t}", f"w{t}", stroke=Stroke(OUTSIDE))
        for s, weight in sorted(enumerate(self.weights.tolist()), key=lambda pair: pair[1]):
            if weight > 0.004:
                stroke = Stroke(f"{ATTENTION}{round(70 + 185 * weight):02X}", 0.7 + 6.5 * weight)
                # to the lower edge, so that it passes below the others
                path = (Point(self.source[s], ROW + 13), Point(self.target[self.step] - 5, 2.9 * ROW - 14))
                tip = tip_of(self.words, self.step, s, weight)
                yield Line(f"h{s}", f"c{self.step}", path, False, stroke, tooltip=tip)


    def _encoder_chain(self, chain: list[str]) -> Iterator[Line]:
        stroke = Stroke("#0072B2", 2.0)
        for s, (a, b) in enumerate(itertools.pairwise(chain)):
            if not self.bidirectional:
                yield Line(a, b, stroke=stroke)
                continue
            left, right = (self.source[s + k] + side * self._half(s + k) for k, side in ((0, 1), (1, -1)))
            yield Line(a, b, (Point(left, ROW + 5), Point(right, ROW + 5)), stroke=stroke)
            yield Line(b, a, (Point(right, ROW - 5), Point(left, ROW - 5)), stroke=stroke)

    def _half(self, s: int) -> float:
        """Half the width of the box of a state."""
        return _width(f"h{lowered(s + 1)}") / 2


def _columns(words: Sequence[str], left: float) -> tuple[list[float], float]:
    """The middles of columns as wide as their words, and the edge of a panel around them."""
    middles = []
    for word in words:
        width = _width(word)
        middles.append(left + width / 2)
        left += width + SPACE
    return middles, left - SPACE + 14


def _width(text: str) -> float:
    """Of a box with that in it."""
    return max(40.0, text_width(text, 12) + 16)


def _box(id: str, at: Point, text: str, role: str, border: float = 1.3) -> Shape:
    fill, stroke = PALETTE[role]
    return Shape(id, at, _width(text), 26, (text,) if text else (), fill, stroke, border=border)
