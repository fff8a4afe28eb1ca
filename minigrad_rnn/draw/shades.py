"""Numbers as colours: the strip of a long sequence, and the scale that says what the colours mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from minigrad.draw.colours import DECADES, shade
from minigrad.draw.sheet import Point, Shape, text_width
from minigrad.draw.style import OUTSIDE

STRIPES = 120  # at most, in a strip
RELATIVE = "‖∂L/∂hₜ‖ ÷ last step"


def stripes(
    id: str, values: Mapping[int, float], steps: tuple[int, ...], edges: tuple[float, float], y: float, height: float
) -> Iterator[Shape]:
    """One stripe for each step, or for several if there are too many: of these the largest counts."""
    count = min(len(steps), STRIPES)
    width = (edges[1] - edges[0]) / count
    for k in range(count):
        some = steps[k * len(steps) // count : (k + 1) * len(steps) // count]
        value = max((values[step] for step in some if step in values), default=None)
        where = f"t={some[0]}" if len(some) == 1 else f"t={some[0]} to {some[-1]}"
        fill = shade(value).fill
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
            tooltip=f"{where}: {told(value)}",
        )


def told(value: float | None) -> str:
    """A number in few letters."""
    if value is None:
        return "–"
    if 0 < abs(value) < 0.01 or abs(value) >= 1000:
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:.2g}"


def scale(at: Point, words: str) -> Iterator[Shape]:
    """The colours and what they mean; ``at`` is the left edge of the words."""
    width = text_width(words, 10) + 10
    yield Shape("scale", Point(at.x + width / 2, at.y), width, 14, (words,), size=10, colour=OUTSIDE, align="l")
    left, cell = at.x + width + 10, 9.0
    count = 41
    for k in range(count):
        power = (2 * k / (count - 1) - 1) * DECADES
        fill = shade(10.0**power).fill
        yield Shape(
            f"scale{k}",
            Point(left + (k + 0.5) * cell, at.y),
            cell + 0.3,
            12,
            (),
            fill,
            fill,
            "square",
            border=0,
            tooltip=f"{10.0**power:.3g}",
        )
        if k % 10 == 0:
            mark = "1" if not round(power) else f"10{str(round(power)).translate(_SUPERSCRIPTS)}"
            yield Shape(
                f"scale{k}_told", Point(left + (k + 0.5) * cell, at.y - 14), 30, 13, (mark,), size=10, colour=OUTSIDE
            )


_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
