"""From a graph to a network: rows over time, and what links them."""

from __future__ import annotations

from minigrad.graph import Graph, GraphNode, Source

from ..cells.watch import running_in
from ..inspect.steps import reaching
from ..inspect.times import rejoined, times
from .inputs import data_of
from .making import Bundle, LinkKey, Loose, Made, Origin, Shares, Signature, cut_out, last_slice, paired, width_of
from .piles import Piles
from .rows import rows
from .units import Key, continues


class Reader:
    """Goes through the nodes of a graph once, in topological order, and notes rows and links."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph = rejoined(graph)
        reading = times(graph)
        self.loops, self.spots, self.spans, self.clocks = reading.loops, reading.spots, reading.spans, reading.clocks
        self.keys = rows(graph, reading, reaching(graph, self.spots))
        self.data = data_of(graph, self.spots, self.spans, self.keys)
        self.made: dict[Key, Made] = {}
        self.bundles: dict[LinkKey, Bundle] = {}
        self.loose: list[Loose] = []
        self.carried: dict[Key, dict[Signature, str]] = {}  # which operand is which part of the state before
        self.fed_back: set[tuple[Key, Signature]] = set()  # which is what another row made at the step before
        self.shares: list[Shares] = []
        self.piles = Piles(self.spans)
        self.passed: dict[int, range] = {}  # the steps of a loop that were not recorded
        self._behind: dict[int, list[int]] = {}
        for node in graph:
            self.shares.append(self._read(node))

    def _read(self, node: GraphNode) -> Shares:
        key = self.keys[node.id]
        if node.kind != "op":
            return ((width_of(node), (Origin(node.id, ""),)),) if node.id in self.data else ()
        if key is None:
            return self._moved(node)
        made, step = self._note(node, key)
        keys, spots, carrying = self.keys, self.spots, False
        weights: list[int] = []
        for x in node.inputs:
            if x.__class__ is Source and keys[x.node] is None:
                weights += self._weights_behind(x.node)
        for operand, x in enumerate(node.inputs):
            if x.__class__ is not Source or not (shares := self._held(x)):
                continue
            origins = shares[0][1]
            if len(shares) == len(origins) == 1 and step is not None:
                (origin,) = origins
                if origin.step == step and origin.row == key:
                    continue  # it comes from inside the box
            there = None if step is None else spots[x.node]
            if keys[x.node] != key or (there is not None and there.step != step):
                carrying = self._arrive(node, key, x, operand, weights) or carrying
        if weights and not carrying:
            made.weights.update(dict.fromkeys(weights))
        part = ""
        if (node.name or node.op == "where") and key.kind == "state" and (part := self._part(node, key)):
            made.parts.setdefault(part, node.id)
        if node.op == "where" and step is not None and (running := self._running(node)) is not None:
            made.idle[step] = running
        width = width_of(node)
        if (own := made.same.get((part, width, step))) is None:
            own = made.same[part, width, step] = ((width, (Origin(key, part, (), step),)),)
        return own

    def _part(self, node: GraphNode, key: Key) -> str:
        """The name of a state; where rows without an element keep theirs, it is the same part all the same."""
        if node.name or node.op != "where":
            return node.name or ""
        inputs = [
            origin for x in node.inputs if isinstance(x, Source) for _, some in self._held(x) for origin in some
        ]
        return next((origin.part for origin in inputs if origin.row == key and origin.part), "")

    def _running(self, node: GraphNode) -> tuple[int, int] | None:
        """How many sequences have an element at this step, and how many there are, if these are not all."""
        mask = node.inputs[0]
        return running_in(self.graph.nodes[mask.node].name) if isinstance(mask, Source) else None

    def _note(self, node: GraphNode, key: Key) -> tuple[Made, int | None]:
        """Enter a node into its row."""
        if (made := self.made.get(key)) is None:
            made = self.made[key] = Made()
        spot, span = self.spots[node.id], self.spans[node.id]
        if spot is None:
            for step in (None,) if span is None else span.steps:
                made.nodes[step] = node.id
            made.ops[None] = made.ops.get(None, 0) + 1
            return made, None
        step = spot.step
        if step not in made.nodes:
            made.ran.append(step)
            made.met.clear()
        made.nodes[step] = node.id
        made.ops[step] = made.ops.get(step, 0) + 1
        made.met.append((spot.inner, node.op))
        return made, step

    def _weights_behind(self, number: int) -> list[int]:
        """The parameter that a node is, or those of which it is made by moving elements."""
        if number in self._behind:
            return self._behind[number]
        todo, found = [number], self._behind.setdefault(number, [])
        while todo:
            node = self.graph.nodes[todo.pop()]
            if node.kind == "leaf" and node.id not in self.data:
                found.append(node.id)
            elif node.kind == "op" and self.keys[node.id] is None and not self.shares[node.id]:
                todo += [x.node for x in reversed(node.inputs) if isinstance(x, Source)]
        return found

    # ---- values that pass through ---------------------------------------------------------------------------

    def _moved(self, node: GraphNode) -> Shares:
        """What is behind an op that no box is drawn for."""
        if node.op == "passed_over":
            return self._passed_over(node)
        self.piles.enter(node, self._held)
        inputs = [x for x in node.inputs if isinstance(x, Source)]
        parts = [shares for x in inputs if (shares := self._seen(x, self.spots[node.id] is not None))]
        last = len(node.shape) - 1
        if node.op == "concat" and node.params.get("dim", 0) in (-1, last) and len(parts) == len(inputs):
            return tuple([share for shares in parts for share in shares])
        if node.op == "getitem" and parts and (cut := last_slice(node)) is not None:
            return cut_out(parts[0], cut)
        if node.op == "getitem" and (one := self.piles.picked(node)) is not None:
            return one
        if len(inputs) == 1 and self.spots[node.id] is not None and parts and len(parts[0]) == 1:
            return ((width_of(node), parts[0][0][1]),)
        weights = [w for x in inputs for w in self._weights_behind(x.node)]
        origins = [origin for shares in parts for _, some in shares for origin in some]
        span = self.spans[node.id]
        if span is not None and span.axis is not None:  # from every step what belongs there
            origins = [o._replace(step=None) if self.clock(o.row) == self.clocks.of(span.loop) else o for o in origins]
        off = node.op == "detach"
        met = dict.fromkeys(o._replace(weights=(*o.weights, *weights), cut=off or o.cut) for o in origins)
        return ((width_of(node), tuple(met)),) if met else ()

    def _passed_over(self, node: GraphNode) -> Shares:
        """A state after steps that were not recorded: it comes from the last of them."""
        found: dict[Origin, None] = {}
        for _, origins in self.shares[node.inputs[0].node]:
            for origin in origins:
                if isinstance(origin.row, Key):
                    *_, before, here = self.made[origin.row].ran
                    way = here - before
                    passed = range(here + way, here + way * (node.params["steps"] + 1), way)
                    self.passed[origin.row.loop] = passed
                    found[origin._replace(step=passed[-1])] = None
        return ((width_of(node), tuple(found)),)

    def _held(self, x: Source) -> Shares:
        """What an input holds."""
        return self.shares[x.node] if (one := self.piles.output(x)) is None else one

    def _seen(self, x: Source, single: bool) -> Shares:
        """What an input holds, with the step if it is one."""
        shares, steps = self._held(x), self._steps(x)
        if steps is None or len(steps) != 1 or not single:
            return shares
        return tuple(
            [(n, tuple([o if o.step is not None else o._replace(step=steps[0]) for o in some])) for n, some in shares]
        )

    def _steps(self, x: Source) -> tuple[int, ...] | None:
        """The steps of what an input holds, if it has any."""
        span = self.spans[x.node]
        if span is None or (span.axis is None and self.spots[x.node] is not None and self.keys[x.node] is None):
            return None
        if self.graph.nodes[x.node].op == "unbind" and span.axis is not None and x.output is not None:
            return span.steps[x.output : x.output + 1]
        return span.steps

    # ---- values that arrive ---------------------------------------------------------------------------------

    def _arrive(self, node: GraphNode, key: Key, x: Source, operand: int, weights: list[int]) -> bool:
        """Draw the arrows of what comes to a box from outside; whether they carry the weights of the op."""
        spot, span = self.spots[node.id], self.spans[node.id]
        heads = (spot.step,) if spot is not None else (None,) if span is None else span.steps
        shares, arrived = self._held(x), False
        met = [origin for _, some in shares for origin in some]
        for origin in met if len(met) == 1 else dict.fromkeys(met):
            if origin.step is not None and origin.row == key and heads == (origin.step,):
                continue  # it comes from inside the box, past an op that only moves elements
            if origin.cut and not continues(self.loops, origin.row, key):
                continue
            arrived = True
            tails = (origin.step,) if origin.step is not None else self._steps(x)
            every = (*origin.weights, *weights)
            if tails is None and isinstance(origin.row, int):
                if spot is not None:
                    self.loose.append(Loose(origin.row, key, spot.step, self._signature(node, key, operand), every))
                continue
            if tails is None:
                tails = tuple(self.made[origin.row].nodes)  # type: ignore[index, arg-type]
            self._link(origin, key, tails, heads, every)
            if spot is not None and self.made[key].ran[1:] == [spot.step]:
                self._carry(origin, key, tails, self._signature(node, key, operand))
        return arrived

    def _signature(self, node: GraphNode, key: Key, operand: int) -> Signature:
        spot = self.spots[node.id]
        inner = spot.inner if spot is not None else ()
        return inner, node.op, self.made[key].met.count((inner, node.op)), operand

    def _link(
        self,
        origin: Origin,
        key: Key,
        tails: tuple[int | None, ...],
        heads: tuple[int | None, ...],
        weights: tuple[int, ...],
    ) -> None:
        inside = origin.row == key
        same = inside or self.clock(origin.row) == self.clock(key)
        for pair in paired(tails, heads):
            tail, head = pair
            if inside and tail == head:
                continue
            lag = head - tail if same and tail is not None and head is not None else None
            apart = (len(tails) > 1, weights) if lag is None and tail is not None and head is not None else None
            name = (origin.row, key, origin.part, lag, apart)
            if (bundle := self.bundles.get(name)) is None:
                bundle = self.bundles[name] = Bundle()
            bundle.enter((pair,), weights, origin.cut)

    def _carry(self, origin: Origin, key: Key, tails: tuple[int | None, ...], signature: Signature) -> None:
        """Note what comes to the second step from the first."""
        if origin.row == key:
            self.carried.setdefault(key, {})[signature] = origin.part
        elif self.clock(origin.row) == self.clock(key) and tails == (self.made[key].ran[0],):
            self.fed_back.add((key, signature))

    def clock(self, row: Key | int) -> int:
        """The clock of a row; -1 for one outside of time."""
        if isinstance(row, int):
            span = self.spans[row]
            return -1 if span is None else self.clocks.of(span.loop)
        if row.loop >= 0:
            return self.clocks.of(row.loop)
        span = self.spans[next(iter(self.made[row].nodes.values()))]
        return -1 if span is None else self.clocks.of(span.loop)
