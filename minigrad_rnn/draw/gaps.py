"""Steps in the middle of a long sequence, of which nothing was recorded because they are not drawn."""

from __future__ import annotations

from dataclasses import replace

from .network import Row
from .order import Links, Name
from .read import Reader
from .units import Key


def fill(reader: Reader, links: Links, rows: dict[Name, Row]) -> None:
    """Enter these steps: they are like the one before them.

    Args:
        reader: what was read; its rows get the steps.
        links: get the arrows of the steps.
        rows: inputs that come to single steps get them too.
    """
    for key, made in reader.made.items():
        if (between := reader.passed.get(key.loop)) is not None:
            made.nodes.update(dict.fromkeys(between, made.nodes[between.start - between.step]))
    for (tail, (_, head), _, lag, _), bundle in links.items():
        between = reader.passed.get(head.loop) if isinstance(head, Key) else None
        if between is None or lag is None:
            continue
        before = between.start - between.step
        if (before - lag, before) in bundle.pairs:
            bundle.enter([(step - lag, step) for step in between], ())
            if tail[0] == "input" and before in rows[tail].steps:
                rows[tail] = _longer(rows[tail], between, before)


def _longer(row: Row, between: range, before: int) -> Row:
    """A row with the steps between, whose nodes are those of the step before."""
    nodes = dict(zip(row.steps, row.nodes, strict=True))
    nodes |= dict.fromkeys(between, nodes[before])
    steps = tuple(sorted(nodes))
    return replace(row, steps=steps, nodes=tuple([nodes[step] for step in steps]))
