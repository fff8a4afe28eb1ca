"""A gradient flow as text of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import minigrad as mg
from minigrad.graph import align

from .flags import Flag
from .lines import FlowLine

WIDTH = 80  # columns
NAME = 30  # columns of a name that has a sentence beside it
BARS = 40  # characters of all the longest bars beside each other


def tables(lines: Sequence[FlowLine], limit: int) -> list[str]:
    """A table for each layer and direction, of at most ``limit`` steps, with bars on one logarithmic scale."""
    norms = [norm for line in lines for norm in line.norms]
    places: dict[tuple[str, int], list[FlowLine]] = {}
    for line in lines:
        places.setdefault((line.place, line.call), []).append(line)
    return [_table(some, limit, norms) for some in places.values()]


def _table(lines: list[FlowLine], limit: int, norms: list[float]) -> str:
    """The parts of the state of one place side by side."""
    steps = sorted({step for line in lines for step in line.steps})
    shown = _spread(len(steps), limit)
    head, width = ["t"], max(BARS // len(lines), 8)
    columns = []
    for line in lines:
        head += [f"‖∂L/∂{line.part}‖", "log"]
        columns.append(dict(zip(line.steps, line.norms, strict=True)))
    rows: list[list[Any]] = [head]
    for step in (steps[i] for i in shown):
        row: list[Any] = [step]
        for column in columns:
            norm = column.get(step)
            row += ["", ""] if norm is None else [f"{norm:.3g}", mg.inspect.log_bar(norm, norms, width)]
        rows.append(row)
    table = align(rows, right=(0, *range(1, len(head), 2))).replace("\n", "\n  ")
    left_out = f"\n  ({len(steps) - len(shown)} of {len(steps)} steps left out)" if len(steps) > len(shown) else ""
    return f"{_head(lines)}\n  {table}{left_out}"


def _head(lines: list[FlowLine]) -> str:
    """The place, and by how much the gradient grows or shrinks, as far as it can be told."""
    way = ", from the end" if lines[0].reverse else ""
    rates = [f"{line.part} ×{line.rate:.3g}{_as_far(line)}" for line in lines if line.rate is not None]
    told = f": {', '.join(rates)} at every step back" if rates else ""
    return filled(f"{lines[0].where or 'steps'}{way}{told}", "    ", "")


def _as_far(line: FlowLine) -> str:
    end = line.steps[-1 if line.reverse else 0]
    return "" if line.reach == end else f" (to t={line.reach})"


def _spread(count: int, limit: int) -> list[int]:
    """At most ``limit`` of ``count`` places, evenly spread, the first and the last among them."""
    limit = max(limit, 2)
    if count <= limit:
        return list(range(count))
    return [round(i * (count - 1) / (limit - 1)) for i in range(limit)]


def told(flags: Sequence[Flag]) -> str:
    """A line for each flag, or a paragraph for those of which the same is said."""
    groups: dict[tuple[str, str], list[str]] = {}
    for flag in flags:
        groups.setdefault((flag.kind, flag.told), []).append(flag.where)
    alone = [(kind, *where, sentence) for (kind, sentence), where in groups.items() if _fits(where)]
    texts = _listed(alone)
    for (kind, sentence), where in groups.items():
        if not _fits(where):
            texts += [filled(f"{kind}: {sentence}"), filled(", ".join(where), "  ")]
    return "\n".join(texts)


def _fits(where: Sequence[str]) -> bool:
    """Whether there is one place only, and its name leaves room beside it."""
    return len(where) == 1 and len(where[0]) <= NAME


def _listed(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns, of which the last is broken into several lines where it is too long."""
    if not rows:
        return []
    margin = "  ".join(" " * max(len(row[i]) for row in rows) for i in (0, 1)) + "  "
    heads = align([row[:2] for row in rows]).split("\n")
    return [
        filled(sentence, margin, head.ljust(len(margin))) for head, (_, _, sentence) in zip(heads, rows, strict=True)
    ]


def filled(sentence: str, margin: str = "", head: str | None = None) -> str:
    """A sentence in lines that end at the last column, each behind a margin, the first behind ``head``."""
    return textwrap.fill(
        sentence,
        WIDTH,
        initial_indent=margin if head is None else head,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
