"""What changed from one graph to another, as plain data.

Nodes are the same if they stand at the same place: in the same scope, at the same time step, and in the same order
there. The order is aligned as lines of text are, so that an op put in between leaves those after it what they were.
Leaves and constants have no place of their own; they are the same if they have one name, or the same op uses them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from ..errors import GraphError
from ..graph import Edge, Graph, GraphNode, Source, align
from .ops import title

MOST_PAIRS = 1_000_000  # of ops in one place that are aligned; beyond that the n-th is the n-th


class Change(NamedTuple):
    """What became of a node.

    Attributes:
        status: ``"new"``, ``"gone"``, ``"changed"`` or ``"same"``.
        old, new: its numbers in the two graphs; ``None`` where it is not.
        told: what changed, ``"shape 2×3 → 2×4"``.
    """

    status: str
    old: int | None
    new: int | None
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """Two graphs and what changed from the one to the other. Made by :func:`compare`; printing it prints a list.

    Attributes:
        old, new: the graphs.
        changes: one for each node of either, in the order of the new graph, what is gone where it was.
    """

    old: Graph
    new: Graph
    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return any(change.status != "same" for change in self.changes) or bool(self.edges("new") or self.edges("gone"))

    def count(self, status: str) -> int:
        """How many nodes are ``"new"``, ``"gone"``, ``"changed"`` or ``"same"``."""
        return sum(change.status == status for change in self.changes)

    def edges(self, status: str) -> list[Edge]:
        """The arrows that are ``"new"`` or ``"same"``, in numbers of the new graph, or ``"gone"``, in old numbers."""
        renamed = {change.old: change.new for change in self.changes if change.old is not None}
        before = {_moved(edge, renamed) for edge in self.old.edges}
        if status == "gone":
            after = set(self.new.edges)
            return [edge for edge in self.old.edges if _moved(edge, renamed) not in after]
        return [edge for edge in self.new.edges if (edge in before) == (status == "same")]

    def to_text(self) -> str:
        """A line for each node that is not the same: what it is, where, and what changed."""
        rows = [
            (_SIGNS[change.status], node.call(), node.scope, node.where, "; ".join(change.told))
            for change in self.changes
            if change.status != "same"
            for node in [self.new.nodes[change.new] if change.new is not None else self.old.nodes[change.old or 0]]
        ]
        counts = ", ".join(f"{self.count(status)} {status}" for status in _SIGNS)
        rewired = len(self.edges("new")) + len(self.edges("gone"))
        heading = counts + (f"; {rewired} arrows new or gone" if rewired else "")
        return f"{heading}\n{align(rows)}" if rows else heading

    __str__ = to_text


_SIGNS = {"new": "+", "gone": "-", "changed": "~", "same": "="}


def compare(old: Graph, new: Graph) -> Difference:
    """What changed from one graph to another.

    Raises:
        GraphError: one of the two is no data of a graph.

    >>> import minigrad as mg
    >>> x = mg.ones(2, 3, requires_grad=True)
    >>> print(compare(mg.graph((x * 2).tanh()), mg.graph((x * 3).tanh().sum())).to_text().splitlines()[0])
    1 new, 0 gone, 1 changed, 2 same; 1 arrows new or gone
    """
    for graph in (old, new):
        if not isinstance(graph, Graph):
            raise GraphError(f"compare takes the data of two graphs, mg.graph(y), not a {type(graph).__name__}")
    partner = _paired(old, new)
    kept = set(partner.values())
    gone = iter([node.id for node in old if node.id not in kept])
    changes: list[Change] = []
    waiting = next(gone, None)
    for node in new:
        other = partner.get(node.id)
        while waiting is not None and other is not None and waiting < other:
            changes.append(Change("gone", waiting, None))
            waiting = next(gone, None)
        if other is None:
            changes.append(Change("new", None, node.id))
        else:
            told = tuple(_changed(old.nodes[other], node))
            changes.append(Change("changed" if told else "same", other, node.id, told))
    rest = [] if waiting is None else [waiting, *gone]
    return Difference(old, new, (*changes, *[Change("gone", number, None) for number in rest]))


def _moved(edge: Edge, renamed: Mapping[int, int | None]) -> tuple[int | None, int | None, int, int | None]:
    """An arrow of the old graph in numbers of the new one; ``None`` stands for what is gone."""
    return renamed[edge.source], renamed[edge.target], edge.operand, edge.output


# ---- which nodes are the same --------------------------------------------------------------------------------------


def _paired(old: Graph, new: Graph) -> dict[int, int]:
    """For nodes of the new graph those of the old one that they were."""
    there, here = _by_place(old), _by_place(new)
    pairs: dict[int, int] = {}
    for place, nodes in here.items():
        if place in there:
            pairs.update(_aligned(there[place], nodes))
    leaves = [{node.name: node for node in graph if node.op is None and node.name} for graph in (old, new)]
    for name, leaf in leaves[1].items():
        if name in leaves[0] and leaves[0][name].kind == leaf.kind:
            pairs[leaf.id] = leaves[0][name].id
    taken = set(pairs.values())
    for number, other in list(pairs.items()):
        for a, b in zip(old.nodes[other].inputs, new.nodes[number].inputs, strict=False):
            if not (isinstance(a, Source) and isinstance(b, Source)) or b.node in pairs or a.node in taken:
                continue
            if old.nodes[a.node].kind == new.nodes[b.node].kind != "op":
                pairs[b.node] = a.node
                taken.add(a.node)
    return pairs


def _by_place(graph: Graph) -> dict[Hashable, list[GraphNode]]:
    """The ops by scope and time step, in order."""
    places: dict[Hashable, list[GraphNode]] = {}
    for node in graph:
        if node.op is not None:
            places.setdefault(node.places, []).append(node)
    return places


def _aligned(old: Sequence[GraphNode], new: Sequence[GraphNode]) -> Iterator[tuple[int, int]]:
    """Pairs of the nodes of one place, new and old. An op that took the place of another one is that one, changed."""
    names = [node.op for node in old], [node.op for node in new]
    start = _common(*names)
    end = _common(names[0][start:][::-1], names[1][start:][::-1])
    middle = [range(start, len(names[k]) - end) for k in (0, 1)]
    yield from ((new[k].id, old[k].id) for k in range(start))
    yield from ((new[-k].id, old[-k].id) for k in range(end, 0, -1))
    if len(middle[0]) * len(middle[1]) > MOST_PAIRS:
        yield from ((new[j].id, old[i].id) for i, j in zip(*middle, strict=False) if names[0][i] == names[1][j])
        return
    a, b = ([names[k][i] for i in middle[k]] for k in (0, 1))
    for kind, i, i_end, j, j_end in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind in {"equal", "replace"}:
            count = min(i_end - i, j_end - j)
            yield from ((new[start + j + k].id, old[start + i + k].id) for k in range(count))


def _common(a: Sequence[Any], b: Sequence[Any]) -> int:
    """How many items at the beginning are the same."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


# ---- what changed in a node ----------------------------------------------------------------------------------------


def _changed(old: GraphNode, new: GraphNode) -> Iterator[str]:
    if title(old) != title(new) and (old.op is not None or old.name != new.name):
        yield f"{title(old)} → {title(new)}"
    elif old.name != new.name:
        yield f"name {old.name or '–'} → {new.name or '–'}"
    for name in dict.fromkeys([*old.params, *new.params]) if old.op == new.op else ():
        before, after = (str(node.params.get(name, "default")) for node in (old, new))
        if before != after and not title(new).startswith("["):
            yield f"{name} {before} → {after}"
    if old.shapes != new.shapes:
        yield f"shape {_shapes(old.shapes)} → {_shapes(new.shapes)}"
    if old.dtypes != new.dtypes:
        yield f"{' '.join(old.dtypes)} → {' '.join(new.dtypes)}"


def _shapes(shapes: Iterable[tuple[int, ...]]) -> str:
    return ", ".join("×".join(map(str, shape)) or "scalar" for shape in shapes)
