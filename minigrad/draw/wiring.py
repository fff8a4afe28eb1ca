"""What flows from module to module in a run: from recorded ops to arrows between boxes.

An end of an arrow is a module's box, an input or an output of the model, or an op that runs in no box: one that a
``forward`` computes between the modules it calls. Ops that only view their input are not worth a box. Nor are ops of
which there are too many: then those with a single input go, and if that is not enough, all of them become one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..context import Scope
from ..edges import OUTPUT
from ..inspect.arguments import Given
from ..inspect.calls import Call, Calls
from ..nn import Module
from ..node import Node
from .style import ROLE_OF_OP

MOST = 12  # ops between the modules that one forward calls that are drawn one by one

Shape = tuple[int, ...]


class End(NamedTuple):
    """Where an arrow starts or ends.

    Attributes:
        kind: ``"module"``, ``"op"``, ``"ops"``, ``"input"`` or ``"output"``.
        key: the id of the module's box, the name of the op and which one it is, the name of the input, or the number
            of the output.
        owner: of ops the path of the module whose forward they are in.
    """

    kind: str
    key: Any
    owner: str = ""


@dataclass
class Wiring:
    """Arrows between boxes.

    Attributes:
        wires: the shapes that flow, by the ends of the arrow.
        ops: for each op (and ``"ops"``) its nodes: of a loop those of the first step.
        since: for each end the number of the first node that was made there, by which they can be sorted.
    """

    wires: dict[tuple[End, End], dict[Shape, None]] = field(default_factory=dict)
    ops: dict[End, list[Node]] = field(default_factory=dict)
    since: dict[End, float] = field(default_factory=dict)

    def add(self, tail: End, head: End, shapes: Iterable[Shape]) -> None:
        """One arrow more, or one that is there already."""
        self.wires.setdefault((tail, head), {}).update(dict.fromkeys(shapes))

    def sources(self) -> dict[End, dict[End, None]]:
        """Where each end is fed from, besides from itself."""
        fed: dict[End, dict[End, None]] = {}
        for tail, head in self.wires:
            if tail != head:
                fed.setdefault(head, {})[tail] = None
        return fed

    def replaced(self, by: Mapping[End, End | None]) -> Wiring:
        """The same with ends in the place of others, or without them."""
        new = Wiring(ops={end: node for end, node in self.ops.items() if end not in by})
        for old, number in self.since.items():
            if (end := by.get(old, old)) is not None:
                new.since[end] = min(number, new.since.get(end, number))
        for (tail, head), shapes in self.wires.items():
            a, b = by.get(tail, tail), by.get(head, head)
            if a is not None and b is not None and (a != b or (tail, head) == (a, b)):
                new.add(a, b, shapes)
        return new


def wiring(calls: Calls, homes: Mapping[Module, str | None], paths: Mapping[Module, str], most: int = MOST) -> Wiring:
    """What flows in a run.

    Args:
        calls: the run.
        homes: for each module the id of the box that it is, or is in; ``None``: it is drawn as a panel around others.
        paths: of the modules.
        most: how many ops of one forward are drawn one by one.
    """
    wires = _Tracer(calls, homes, paths).wiring()
    while unfed := wires.ops.keys() - wires.sources().keys():  # made of nothing but parameters and constants
        wires = wires.replaced(dict.fromkeys(unfed))
    wires = _without(wires, lambda end: ROLE_OF_OP.get(end.key[0]) == "view")
    every, crowded = wires.ops, _crowded(wires, most)
    wires = _without(wires, lambda end: end.owner in crowded)
    crowded = _crowded(wires, most)
    groups = {end: End("ops", "", end.owner) for end in wires.ops if end.owner in crowded}
    grouped = wires.replaced(groups)
    for group in dict.fromkeys(groups.values()):
        grouped.ops[group] = [node for end, nodes in every.items() if end.owner == group.owner for node in nodes]
    return grouped


def _crowded(wires: Wiring, most: int) -> set[str]:
    """The modules whose forward computes more than that many ops between the modules it calls."""
    counts = Counter(end.owner for end in wires.ops)
    return {owner for owner, count in counts.items() if count > most}


def _without(wires: Wiring, wanted: Any) -> Wiring:
    """Replace ops that are fed from one place only by that place, where this is wanted."""
    candidates = {end for end in wires.ops if wanted(end)}
    fed = wires.sources()
    by: dict[End, End] = {}

    def final(end: End) -> End:
        while end in by:
            end = by[end]
        return end

    changed = True
    while changed:
        changed = False
        for end in sorted(candidates, key=wires.since.__getitem__):
            if end not in by:
                sources = {final(source) for source in fed.get(end, ())} - {end}
                if len(sources) == 1:
                    by[end] = sources.pop()
                    changed = True
    return wires.replaced({end: final(end) for end in by})


class _Tracer:
    """Finds for every node the end that it belongs to, and what came before it."""

    def __init__(self, calls: Calls, homes: Mapping[Module, str | None], paths: Mapping[Module, str]) -> None:
        self.calls, self.homes, self.paths = calls, homes, paths
        self.by_scope: dict[Scope | None, Call] = {call.scope: call for call in calls.calls}
        self.boxed: dict[Scope | None, tuple[End | None, Scope | None]] = {None: (None, None)}
        self.ends: dict[Node, End | None] = {}
        self.runs: dict[Node, Scope | None] = {}  # which call of its box a node belongs to
        self.counts: Counter[Any] = Counter()
        self.wires = Wiring()

    def wiring(self) -> Wiring:
        for call in self.calls.calls:
            if (end := self._box(call.scope)[0]) is not None:
                self.wires.since.setdefault(end, call.begun)
        constants = self.calls.constants()
        inputs = {one.tensor._node: End("input", one.name) for one in self.calls.given if one.tensor._node is not None}
        self.wires.since |= {End("input", one.name): -1 for one in self.calls.given}
        for node in self.calls.nodes():
            if node.op is None:
                self.ends[node] = inputs.get(node) or self._known(constants.get(_first(node), ()))
            else:
                self._take(node)
        for call in self.calls.calls:  # what no op tells: indices, and what a module without ops is given
            end = self._box(call.scope)[0]
            for x, origins in call.fed:
                tail = self._source(x, origins)
                if end is not None and tail != end:
                    self._feed(tail, end, x.shape)
        for number, x in enumerate(self.calls.returned):
            end = End("output", number)
            self.wires.since[end] = math.inf
            self._feed(self._source(x, self.calls.origins(x)), end, x.shape)
        return self.wires

    def _source(self, x: Any, origins: Iterable[Any]) -> End | None:
        return self._known(origins) if x._node is None else self.ends[_maker(x._node)]

    def _take(self, node: Node) -> None:
        box, self.runs[node] = self._box(node.scope)
        self.ends[node] = end = box or self._op(node)
        self.wires.since.setdefault(end, node.seq)
        for x in node.inputs:
            if isinstance(x, Node):
                source = _maker(x)
                tail = self.ends[source]
                if tail != end or (box and self._again(self.runs[source], self.runs[node])):
                    self._feed(tail, end, x.shape)

    def _feed(self, tail: End | None, head: End, shape: Shape) -> None:
        if tail is not None:
            self.wires.add(tail, head, [tuple(shape)])

    def _again(self, earlier: Scope | None, later: Scope | None) -> bool:
        """Whether these are two calls of one module."""
        if earlier is None or later is None or earlier is later:
            return False
        return self.by_scope[earlier].module is self.by_scope[later].module

    def _known(self, origins: Iterable[Any]) -> End | None:
        """The latest place at which an array came up that was not recorded."""
        for place in reversed(tuple(origins)):
            end = End("input", place.name) if isinstance(place, Given) else self._box(place.scope)[0]
            if end is not None:
                return end
        return None

    def _box(self, scope: Scope | None) -> tuple[End | None, Scope | None]:
        """The box that a scope is in, if it is in one, and the scope of the outermost call of that box's module."""
        chain: list[Scope] = []
        while scope is not None and scope not in self.boxed:
            chain.append(scope)
            scope = scope.parent
        for inner in reversed(chain):
            found = self.boxed[inner.parent]
            call = self.by_scope.get(inner)
            home = self.homes.get(call.module) if call is not None else None
            if found[0] is None and home is not None:
                found = End("module", home), inner
            self.boxed[inner] = found
        return self.boxed[chain[0] if chain else scope]

    def _op(self, node: Node) -> End:
        """The end of an op that is in no box: the same one at every step of a loop and every call of its module."""
        names: list[str] = []
        scope, around = node.scope, None  # around: the step or the call that the op is in
        while scope is not None and scope not in self.by_scope:
            names.append(scope.name)
            around = scope if around is None and scope.step is not None else around
            scope = scope.parent
        call = self.by_scope.get(scope) if scope is not None else None
        owner = self.paths.get(call.module, "") if call is not None else ""
        count = self.counts[around or scope, tuple(names), node.label]
        self.counts[around or scope, tuple(names), node.label] += 1
        end = End("op", (node.label, count, *names), owner)
        self.wires.ops.setdefault(end, [node])
        return end


def _maker(node: Node) -> Node:
    """The node of the op that gave an output."""
    maker: Node = node.inputs[0] if node.op is OUTPUT else node
    return maker


def _first(node: Node) -> Node:
    """The leaf whose array a leaf shares."""
    return getattr(node, "origin", None) or node
