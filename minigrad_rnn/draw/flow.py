"""How the gradient of a loss comes back through time: each step coloured by its size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from minigrad.draw.colours import DECADES, shade
from minigrad.draw.sheet import Line, Point, Shape, Sheet, Stroke, text_width
from minigrad.draw.style import OUTSIDE, PALETTE

from ..inspect import FlowLine, StepFlow
from .grid import FIRST, LAST
from .looks import SUBSCRIPTS
from .shades import RELATIVE, scale, stripes, told

WIDTH, HEIGHT, SPACE = 44.0, 36.0, 20.0
STRIP = 290.0
RISE = 78.0  # from one line to the next


def flow_sheet(flows: Mapping[str, StepFlow], limit: int = 12) -> Sheet:
    r"""The sheet of gradient flows: a row for each layer, direction and part of the state, and one scale of colours.

    The number in a box, and its colour, is the norm of the gradient of the loss by the state after that step, divided
    by the norm where the gradient comes in, at the last step: :math:`\|\partial L/\partial h_t\| / \|\partial
    L/\partial h_T\|`.

    Args:
        flows: by title.
        limit: how many steps are drawn in full; of a longer sequence the first three and the last two, and a strip
            with a stripe for each of the others.
    """
    shapes: list[Shape] = []
    lines: list[Line] = []
    y, number = 0.0, 0
    for title, flow in flows.items():
        for line in flow.lines:
            chain = _Chain(f"g{number}", line, y, limit)
            words = "  ".join(filter(None, [title, line.label, _lone(line)]))
            shapes += [_heading(f"g{number}_title", words, y), *chain.shapes()]
            lines += chain.lines()
            y -= RISE
            number += 1
    return Sheet((*shapes, *scale(Point(0.0, y + 8), RELATIVE)), tuple(lines))


class _Chain:
    """The steps of one line from left to right, and the loss where the gradient comes in."""

    def __init__(self, id: str, line: FlowLine, y: float, limit: int) -> None:
        self.id, self.line, self.y = id, line, y
        self.ratios = {step: _ratio(norm, line.near) for step, norm in zip(line.steps, line.norms, strict=True)}
        steps = list(line.steps)
        self.folded = tuple(steps[FIRST:-LAST]) if len(steps) > limit else ()
        self.x: dict[int, float] = {}
        edge = WIDTH + SPACE if line.reverse else 0.0
        self.strip = (0.0, 0.0)
        for step in steps:
            if self.folded and step == self.folded[0]:
                self.strip = (edge, edge + STRIP)
                edge += STRIP + SPACE
            elif step not in set(self.folded[:1]) and not (self.folded and self.folded[0] <= step <= self.folded[-1]):
                self.x[step] = edge + WIDTH / 2
                edge += WIDTH + SPACE
        self.loss = 15.0 if line.reverse else edge + 15.0

    def shapes(self) -> Iterator[Shape]:
        for step, x in self.x.items():
            look = shade(self.ratios[step])
            lines = (f"{self.line.part}{str(step).translate(SUBSCRIPTS)}", told(self.ratios[step]))
            yield Shape(
                self._box(step),
                Point(x, self.y),
                WIDTH,
                HEIGHT,
                lines,
                look.fill,
                look.stroke,
                size=10,
                colour=look.text,
                tooltip=self._tip(step),
            )
        if self.folded:
            left, right = self.strip
            middle = (left + right) / 2
            yield Shape(f"{self.id}_strip", Point(middle, self.y), right - left, HEIGHT, (), "", "#8C8C8C")
            yield from stripes(self.id, self.ratios, self.folded, (left + 4, right - 4), self.y, HEIGHT - 8)
            words = f"⋯ {len(self.folded):,} steps, t = {self.folded[0]:,} to {self.folded[-1]:,} ⋯"
            yield Shape(
                f"{self.id}_told",
                Point(middle, self.y - HEIGHT / 2 - 9),
                text_width(words, 10) + 8,
                13,
                (words,),
                size=10,
                colour=OUTSIDE,
            )
        fill, stroke = PALETTE["loss"]
        yield Shape(f"{self.id}_loss", Point(self.loss, self.y), 30, 26, ("L",), fill, stroke, tooltip="the loss")

    def lines(self) -> Iterator[Line]:
        """Arrows the way the gradient goes, each as wide and of the colour of what arrives."""
        stops: list[tuple[str, int | None]] = [(self._box(step), step) for step in self.x]
        if self.folded:
            stops.insert(FIRST, (f"{self.id}_strip", self.folded[0]))
        if not self.line.reverse:
            stops.reverse()
        for (tail, _), (head, step) in zip([(f"{self.id}_loss", None), *stops], stops, strict=False):
            yield Line(tail, head, stroke=_arrow_stroke(self.ratios[step] if step is not None else 1.0))

    def _box(self, step: int) -> str:
        return f"{self.id}_{step}"

    def _tip(self, step: int) -> str:
        norm = self.line.norms[self.line.steps.index(step)]
        return f"{self.line.label}, t={step}\n‖∂L/∂{self.line.part}‖ = {norm:.4g}"


def _arrow_stroke(ratio: float) -> Stroke:
    """Between white, which the page may be too, and the colours is grey; width follows the logarithm."""
    if not math.isfinite(ratio) or ratio <= 0:
        return Stroke(OUTSIDE, 1.0, "dotted")
    power = max(-DECADES, min(DECADES, math.log10(ratio)))
    return Stroke(shade(ratio).fill if abs(power) > 0.7 else OUTSIDE, 1.6 + 0.6 * max(-1.5, min(power, 3.0)))


def _ratio(norm: float, near: float) -> float:
    return norm / near if near or not math.isfinite(norm) else 0.0


def _lone(line: FlowLine) -> str:
    """What to say of a line of zeros but for one: it is no mistake."""
    reached = [step for step, norm in zip(line.steps, line.norms, strict=True) if norm]
    if len(reached) != 1 or len(line.steps) == 1:
        return ""
    return f"(the loss depends on this direction at t = {reached[0]} only)"


def _heading(id: str, words: str, y: float) -> Shape:
    width = text_width(words, 11) + 8
    return Shape(id, Point(width / 2, y + HEIGHT / 2 + 13), width, 14, (words,), size=11, colour=OUTSIDE, align="l")
