"""Which row is above which, and which rows are losses and outputs."""

from __future__ import annotations

from minigrad.graph import Graph, GraphNode

from .making import Apart, Bundle
from .network import Row
from .read import Reader

Name = tuple[str, object]  # of a row in the making: ("row", key), ("leaf", number), ("start", key), ("input", ...)
LinkName = tuple[Name, Name, str, "int | None", Apart]
Links = dict[LinkName, Bundle]


def upwards(names: list[Name], links: Links) -> list[Name]:
    """The rows from the bottom up: whatever a row needs at the same step is below it; inputs right below their use."""
    needs: dict[Name, set[Name]] = {name: set() for name in names}
    for tail, head, _, lag, _ in links:
        if lag in (0, None) and tail != head and tail in needs and head in needs:
            needs[head].add(tail)
    order: dict[Name, None] = {}
    todo = [name for name in reversed(names) if name[0] == "row"]
    entered: set[Name] = set()
    while todo:  # depth first, so that what belongs together stands together
        name = todo.pop()
        missing = [other for other in needs[name] if other not in order and other not in entered]
        if name in order:
            continue
        if name in entered or not missing:
            order[name] = None
            continue
        entered.add(name)
        todo += [name, *sorted(missing, key=names.index, reverse=True)]
    for name in names:
        order.setdefault(name)
    return list(order)


def kinds_of(
    graph: Graph, reader: Reader, rows: dict[Name, Row], links: Links
) -> dict[Name, str]:
    """Which rows are losses, and which are the outputs that the losses judge."""
    kinds: dict[Name, str] = {}
    roots: dict[Name, GraphNode] = {
        ("row", origin.row): graph.nodes[output.node]
        for output in graph.outputs
        for _, origins in reader.shares[output.node]
        for origin in origins
    }
    for name, node in roots.items():
        if name in rows and rows[name].kind == "op":
            kinds[name] = "output" if node.shape else "loss"
    tails: dict[Name, list[Name]] = {}
    for tail, head, *_ in links:
        tails.setdefault(head, []).append(tail)
    kinds |= {name: "input" for name, row in rows.items() if row.kind == "op" and name not in {*kinds, *tails}}
    todo = [name for name, kind in kinds.items() if kind == "loss"]
    while todo:
        name = todo.pop()
        for tail in tails.get(name, ()):
            if tail in kinds or rows[tail].kind != "op":
                continue
            judged = rows[tail].place == rows[name].place
            kinds[tail] = "loss" if judged else "output"
            todo += [tail] if judged else []
    return kinds
