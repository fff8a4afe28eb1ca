"""Colours for numbers: a diverging scale, blue for small, white for equal, orange for large."""

from __future__ import annotations

import math
from typing import NamedTuple

from .style import INK

STOPS = ("#08306B", "#2171B5", "#9ECAE1", "#FAFAFA", "#FDBE85", "#D95F0E", "#7F2704")
DECADES = 4.0  # powers of ten from the middle to either end


class Shade(NamedTuple):
    """The colour of a box, of the text in it and of its border."""

    fill: str
    text: str
    stroke: str


def shade(ratio: float | None) -> Shade:
    """The shade of a ratio on a logarithmic scale from 10⁻⁴ by way of 1 to 10⁴.

    No number yet is grey, exactly 0 is darker grey, and what is not finite is black with a red border: none of these is
    a colour of the scale.

    >>> shade(1.0).fill, shade(1e9).fill == shade(1e4).fill, shade(float("nan")).fill
    ('#FAFAFA', True, '#000000')
    """
    if ratio is None:
        return Shade("#F1F1F1", INK, "#8C8C8C")
    if not math.isfinite(ratio):
        return Shade("#000000", "#FFFFFF", "#D00000")
    if ratio == 0:
        return Shade("#B4B4B4", INK, "#555555")
    place = (max(-DECADES, min(DECADES, math.log10(abs(ratio)))) + DECADES) / (2 * DECADES) * (len(STOPS) - 1)
    low = min(int(place), len(STOPS) - 2)
    a, b = (_channels(STOPS[low + i]) for i in (0, 1))
    mixed = [round(x + (y - x) * (place - low)) for x, y in zip(a, b, strict=True)]
    fill = "#" + "".join(f"{channel:02X}" for channel in mixed)
    return Shade(fill, "#FFFFFF" if _luminance(mixed) < 0.30 else INK, "#8C8C8C")


def _channels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def _luminance(channels: list[int]) -> float:
    """Relative luminance, after WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (x / 255 for x in channels)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
