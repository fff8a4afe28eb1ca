"""Dates as people write them, and as ISO 8601 does."""

from __future__ import annotations

import datetime

import numpy

from .pairs import Pair

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FORMATS = (
    "{month} {d}, {y}", "{mon} {d}, {y}", "{d} {month} {y}", "{d} {mon} {y}", "{d}{th} of {month} {y}",
    "{month} the {d}{th}, {y}", "{day}, {month} {d}, {y}", "{da} {d} {mon} {y}", "{day} {d}{th} {month} {y}",
    "{m}/{d}/{y}", "{m}/{d}/{yy:02}", "{d}.{m}.{y}", "{d:02}.{m:02}.{yy:02}", "{d}-{mon}-{yy:02}", "{y}, {mon} {d}",
)  # fmt: skip
FIRST_DAY = datetime.date(1970, 1, 1)  # two digits tell the year up to 2069
HUNDRED_YEARS = 36525  # days


def dates(count: int, seed: int = 0) -> list[Pair]:
    """Different strings, each with its date: days of a hundred years in 15 formats and three kinds of letters.

    >>> for pair in dates(3):
    ...     print(pair.source, "->", pair.target)
    1/24/2055 -> 2055-01-24
    23rd of December 1996 -> 1996-12-23
    July 11, 1977 -> 1977-07-11
    """
    rng = numpy.random.default_rng(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        date = FIRST_DAY + datetime.timedelta(days=int(rng.integers(HUNDRED_YEARS)))
        string = _written(date, FORMATS[rng.integers(len(FORMATS))])
        found[(str, str.lower, str.upper)[rng.integers(3)](string)] = date.isoformat()
    return [Pair(*pair) for pair in found.items()]


def _written(date: datetime.date, form: str) -> str:
    month, day = MONTHS[date.month - 1], DAYS[date.weekday()]
    th = "th" if 11 <= date.day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(date.day % 10, "th")
    return form.format(
        d=date.day, m=date.month, y=date.year, yy=date.year % 100, th=th, month=month, mon=month[:3], day=day,
        da=day[:2],
    )  # fmt: skip
