"""Colours for numbers: one scale, blue for small, white for the middle, orange for large.

A ratio is read on all of it, on a logarithm from 10⁻⁴ by way of 1 to 10⁴. A number with a sign is read on all of it
too, with 0 in the middle. An amount, such as a time, is read on its upper half alone, from white for none to brown for
the largest: nothing is smaller than nothing, so blue stays free for what it means elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from .style import INK, OUTSIDE

STOPS = ("#08306B", "#2171B5", "#9ECAE1", "#FAFAFA", "#FDBE85", "#D95F0E", "#7F2704")
DECADES = 4.0  # powers of ten from the middle to either end
CELLS = 41  # of a colour bar


class Shade(NamedTuple):
    """The colour of a box, of the text in it and of its border."""

    fill: str
    text: str
    stroke: str


NONE = Shade("#F1F1F1", INK, "#8C8C8C")  # no number yet
ZERO = Shade("#B4B4B4", INK, "#555555")
BROKEN = Shade("#000000", "#FFFFFF", "#D00000")  # not finite
QUIET = Shade("#80808020", OUTSIDE, "#80808080")  # what a picture is not about, on a white and on a dark page


def shade(ratio: float | None) -> Shade:
    """The shade of a ratio on a logarithmic scale from 10⁻⁴ by way of 1 to 10⁴.

    No number yet is grey, exactly 0 is darker grey, and what is not finite is black with a red border: none of these is
    a colour of the scale.

    >>> shade(1.0).fill, shade(1e9).fill == shade(1e4).fill, shade(float("nan")).fill
    ('#FAFAFA', True, '#000000')
    """
    if ratio is None:
        return NONE
    if not math.isfinite(ratio):
        return BROKEN
    return _mixed(math.log10(abs(ratio)) / DECADES) if ratio else ZERO


class Scale(NamedTuple):
    """What numbers mean as colours, and how they are written.

    Attributes:
        words: what the numbers are.
        kind: ``"ratio"``, ``"amount"`` (from 0), ``"signed"``, or ``"finite"``, which only tells apart what is finite
            from what is not.
        top: the number at the upper end of an amount, and at both ends, but for the sign, of a signed number.
        unit: ``"s"``, ``"B"`` or ``""``: how it is written.
    """

    words: str
    kind: str = "ratio"
    top: float = 1.0
    unit: str = ""

    def shade(self, value: float | None) -> Shade:
        """The shade of a number.

        >>> seconds = Scale("time", "amount", top=2.0, unit="s")
        >>> [seconds.shade(t).fill for t in (0.0, 2.0)], seconds.shade(None) == NONE
        (['#FAFAFA', '#7F2704'], True)
        """
        if value is None or self.kind == "ratio" or not math.isfinite(value):
            return shade(value)
        return QUIET if self.kind == "finite" else _mixed(value / self.top if self.top else 0.0)

    def told(self, value: float | None) -> str:
        """A number in few letters, with its unit."""
        if self.kind == "finite":
            return "–" if value is None else "" if math.isfinite(value) else "NaN" if math.isnan(value) else "inf"
        if value is None or not math.isfinite(value) or not self.unit:
            return told(value)
        small, *others = _UNITS[self.unit]
        factor, name = next(((f, n) for f, n in reversed(others) if value >= f), small)
        return f"{_rounded(value / factor)} {name}"

    def numbers(self) -> tuple[float, ...]:
        """The numbers from one end of the bar to the other; none for what has no order."""
        if self.kind == "finite":
            return ()
        low = 0.0 if self.kind == "amount" else -1.0
        places = [low + (1 - low) * k / (CELLS - 1) for k in range(CELLS)]
        return tuple([10.0 ** (DECADES * place) if self.kind == "ratio" else self.top * place for place in places])

    def bar(self) -> tuple[Shade, ...]:
        """Their colours."""
        return tuple([self.shade(number) for number in self.numbers()])

    def marks(self) -> tuple[str, ...]:
        """The numbers at five places of the bar."""
        if self.kind == "ratio":
            return tuple([_power(round(DECADES * k / 2)) for k in range(-2, 3)])
        shares = (0.0, 0.25, 0.5, 0.75, 1.0) if self.kind == "amount" else (-1.0, -0.5, 0.0, 0.5, 1.0)
        return tuple([self.told(self.top * share) if share else "0" for share in shares])


def fitting(words: str, values: Iterable[float | None], unit: str = "") -> Scale:
    """The scale of plain numbers: an amount, unless some are negative.

    >>> fitting("loss", [1.0, None, 3.0]).kind, fitting("change", [1.0, -3.0])[1:3]
    ('amount', ('signed', 3.0))
    """
    finite = [value for value in values if value is not None and math.isfinite(value)]
    top = max(map(abs, finite), default=0.0) or 1.0
    return Scale(words, "signed" if min(finite, default=0.0) < 0 else "amount", top, unit)


def told(value: float | None) -> str:
    """A number in few letters.

    >>> [told(x) for x in (None, 0.123, 12345.0, 1e-7, float("nan"))]
    ['–', '0.12', '1e4', '1e-7', 'nan']
    """
    if value is None:
        return "–"
    if math.isfinite(value) and (0 < abs(value) < 0.01 or abs(value) >= 1000):
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    return f"{value:.2g}" if not 100 <= abs(value) < 1000 else f"{value:.0f}"


_UNITS = {
    "s": ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s")),
    "B": ((1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB")),
}


def _rounded(value: float) -> str:
    """Two digits that count, and no power of ten."""
    return f"{value:.0f}" if value >= 10 or value == round(value) else f"{value:.2g}"


_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _power(power: int) -> str:
    return f"10{str(power).translate(_SUPERSCRIPTS)}" if power else "1"


def _mixed(place: float) -> Shade:
    """The shade at a place of the scale, from -1 to 1; what is outside has the colour of the end."""
    place = (max(-1.0, min(1.0, place)) + 1) / 2 * (len(STOPS) - 1)
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
