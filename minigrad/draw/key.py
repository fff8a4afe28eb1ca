"""The key below a diagram, which says what its colours mean, as a label of Graphviz."""

from __future__ import annotations

import html

from .colours import Scale
from .diagram import KeyItem
from .style import OUTSIDE
from .text import clean

CELL = 8  # points, the width of a cell of a bar
BETWEEN = 5  # cells from the words to the bar; the numbers along it are twice as wide


def scale_key(scale: Scale) -> KeyItem:
    """The entry for a scale: a bar."""
    return KeyItem(scale.words, scale.bar(), scale.marks() if scale.bar() else ())


def key_label(items: tuple[KeyItem, ...]) -> str:
    """The entries side by side."""
    cells = "".join(f"<td>{_bar(item) if item.marks else _swatch(item)}</td>" for item in items)
    return f"<{_table(f'<tr>{cells}</tr>', apart=8)}>"


def _bar(item: KeyItem) -> str:
    """The words, the cells of the bar, and below it the numbers, each in the middle of as many cells."""
    side = "".join(_cell() for _ in range(BETWEEN))
    cells = "".join(_cell(f' bgcolor="{shade.fill}"') for shade in item.shades)
    rest = "".join(_cell() for _ in range(2 * BETWEEN * len(item.marks) - BETWEEN - len(item.shades)))
    words = f"<td>{_words(item.text)}</td>"
    marks = "".join(f'<td colspan="{2 * BETWEEN}">{_words(mark)}</td>' for mark in item.marks)
    return _table(f"<tr>{words}{side}{cells}{rest}</tr><tr><td></td>{marks}</tr>")


def _cell(look: str = "") -> str:
    return f'<td{look} width="{CELL}" height="11" fixedsize="true"></td>'


def _swatch(item: KeyItem) -> str:
    cells = "".join(
        f'<td border="1" bgcolor="{shade.fill}" color="{shade.stroke}" width="20" height="11" fixedsize="true"'
        f' style="rounded{",dashed" if item.dashed else ""}"></td>'
        for shade in item.shades
    )
    return _table(f"<tr>{cells}<td>{_words(item.text)}</td></tr>", padding=2)


def _words(text: str) -> str:
    escaped = html.escape(" ".join(clean(text).split())).replace("\\", "\\\\")
    return f'<font point-size="10" color="{OUTSIDE}">&#160;{escaped}&#160;</font>'


def _table(rows: str, padding: int = 0, apart: int = 0) -> str:
    return f'<table border="0" cellborder="0" cellspacing="{apart}" cellpadding="{padding}">{rows}</table>'
