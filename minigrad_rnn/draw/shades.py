"""Numbers as colours: the strip of a long sequence, and the scale that says what the colours mean."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from minigrad.draw.colours import BROKEN, Scale, told
from minigrad.draw.sheet import Point, Shape, text_width
from minigrad.draw.style import OUTSIDE

STRIPES = 120  # at most, in a strip
RELATIVE = Scale("‖∂L/∂hₜ‖ ÷ last step")

__all__ = ["RELATIVE", "scale", "stripes", "told"]


def stripes(
    id: str,
    values: Mapping[int, float],
    steps: tuple[int, ...],
    edges: tuple[float, float],
    y: float,
    height: float,
    colours: Scale = RELATIVE,
) -> Iterator[Shape]:
    """One stripe for each step, or for several if there are too many: of these the largest counts."""
    count = min(len(steps), STRIPES)
    width = (edges[1] - edges[0]) / count
    for k in range(count):
        some = steps[k * len(steps) // count : (k + 1) * len(steps) // count]
        value = _largest([values[step] for step in some if step in values])
        where = f"t={some[0]}" if len(some) == 1 else f"t={some[0]} to {some[-1]}"
        fill = colours.shade(value).fill
        yield Shape(
            f"{id}_s{k}",
            Point(edges[0] + (k + 0.5) * width, y),
            width + 0.25,
            height,
            (),
            fill,
            fill,
            "square",
            border=0,
            tooltip=f"{where}: {colours.told(value)}",
        )


def _largest(values: list[float]) -> float | None:
    """The largest number; one that is none is larger than all."""
    return next(filter(math.isnan, values), max(values, default=None))


def scale(at: Point, colours: Scale) -> Iterator[Shape]:
    """The colours and what they mean; ``at`` is the left edge of the words."""
    words = colours.words
    width = text_width(words, 10) + 10 if words else 0
    if words:
        yield Shape("scale", Point(at.x + width / 2, at.y), width, 14, (words,), size=10, colour=OUTSIDE, align="l")
    left, cell = at.x + width + 10, 9.0
    bar, marks = colours.bar(), colours.marks()
    if not bar:  # what the words are about stands before them
        yield Shape("scale0", Point(at.x + 14, at.y), 20, 12, (), BROKEN.fill, BROKEN.stroke, border=2)
        return
    between = (len(bar) - 1) // (len(marks) - 1)
    for k, (fill, _, _) in enumerate(bar):
        x = left + (k + 0.5) * cell
        tip = f"{colours.numbers()[k]:.3g}"
        yield Shape(f"scale{k}", Point(x, at.y), cell + 0.3, 12, (), fill, fill, "square", border=0, tooltip=tip)
        if k % between == 0:
            mark = marks[k // between]
            width = max(text_width(mark, 10) + 8, 30)
            yield Shape(f"scale{k}_told", Point(x, at.y - 14), width, 13, (mark,), size=10, colour=OUTSIDE)
