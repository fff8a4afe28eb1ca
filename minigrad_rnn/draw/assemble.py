"""The last step of reading: rows in order, links by the ids of rows, inputs and first states named."""

from __future__ import annotations

from dataclasses import replace

from minigrad.draw.ops import title
from minigrad.graph import Graph, GraphNode

from .network import Link, Network, Row, Weight, short_names
from .read import Arrows, Loose, Reader
from .rows import Key

Name = tuple[str, object]  # of a row in the making: ("row", key), ("leaf", number), ("start", key), ("input", ...)


def read(graph: Graph) -> Network:
    """The recurrent network in a graph, as far as its time steps are recorded; without any it has no rows."""
    return _Assembly(Reader(graph)).network()


class _Assembly:
    def __init__(self, reader: Reader) -> None:
        self.reader, self.graph = reader, reader.graph
        self.links: dict[tuple[Name, Name, str, int | None], Arrows] = {}
        self.extra: dict[Name, Row] = {}
        for (tail, head, part, lag), arrows in reader.arrows.items():
            name: Name = ("leaf", tail) if isinstance(tail, int) else ("row", tail)
            if isinstance(tail, int) and name not in self.extra:
                self.extra[name] = self._sequence(tail)
            self.links[name, ("row", head), part, lag] = arrows
        self._place_loose()
        self._join()

    def _join(self) -> None:
        """A part of a module that only another part of it uses, above, is no row of its own: both are one."""
        heads: dict[Name, set[Name]] = {}
        for tail, head, _, _ in self.links:
            heads.setdefault(tail, set()).add(head)
        for key, made in list(self.reader.made.items()):
            (user,) = heads.get(("row", key), set()) if len(heads.get(("row", key), ())) == 1 else (None,)
            above = user[1] if user is not None and user[0] == "row" else None
            if not isinstance(above, Key) or key.kind != "whole" or not key.path or above == key:
                continue
            if (above.kind, above.path, above.timed) == (key.kind, key.path, key.timed):
                del self.reader.made[key]
                ops = self.reader.made[above].ops
                ops.update({step: ops.get(step, 0) + n for step, n in made.ops.items()})
                self.reader.made[above].weights.update(made.weights)
                self._move_links(("row", key), ("row", above))

    def _move_links(self, old: Name, new: Name) -> None:
        for link in [link for link in self.links if old in link[:2]]:
            arrows = self.links.pop(link)
            tail, head, part, lag = link
            if tail != old:
                known = self.links.setdefault((tail, new if head == old else head, part, lag), Arrows())
                known.pairs.update(arrows.pairs)
                known.weights.update(arrows.weights)

    def _sequence(self, number: int) -> Row:
        """Inputs that are one tensor."""
        node, span = self.graph.nodes[number], self.reader.spans[number]
        steps = () if span is None else tuple(sorted(span.steps))
        shape = node.shape if span is None or span.axis is None else _without(node.shape, span.axis)
        return Row(
            "",
            "input",
            "",
            node.name or "x",
            (),
            self.reader.clock(number),
            steps,
            False,
            shape,
            0,
            (),
            (number,) * max(len(steps), 1),
        )

    # ---- what comes to single steps -------------------------------------------------------------------------

    def _place_loose(self) -> None:
        starts: dict[Key, dict[str, list[Loose]]] = {}
        order: dict[tuple[Key, int], list[int]] = {}
        made = self.reader.made
        always = {(one.head, one.signature) for one in self.reader.loose if one.step in made[one.head].ran[1:][-1:]}
        back = {(head, w) for (_, head, _, lag), arrows in self.reader.arrows.items() if lag for w in arrows.weights}
        for loose in self.reader.loose:
            part = self._part(loose, starts.get(loose.head, {})) if self._first(loose) else None
            if part is not None:
                starts.setdefault(loose.head, {}).setdefault(part, []).append(loose)
                if (loose.head, loose.signature) not in always:
                    continue  # else it is state and input, put together before the first op that is recorded
            elif self.graph.nodes[loose.number].kind == "constant":
                past = all((loose.head, w) in back for w in loose.weights)  # zeros before the first step, or a mask
                if (past and (loose.head, loose.signature) not in always) or not loose.weights:
                    continue
            met = order.setdefault((loose.head, loose.step), [])
            if loose.number not in met:
                met.append(loose.number)
            self._input(loose, met.index(loose.number))
        for key, parts in starts.items():
            self._start(key, parts)

    def _first(self, loose: Loose) -> bool:
        return loose.step == self.reader.made[loose.head].ran[0]

    def _part(self, loose: Loose, taken: dict[str, list[Loose]]) -> str | None:
        """The part of the state that it is, if it is a state to begin with."""
        made = self.reader.made[loose.head]
        part = self.reader.carried.get(loose.head, {}).get(loose.signature)
        if part is not None:
            return part
        shape = self.graph.nodes[loose.number].shape
        again = [name for name, some in taken.items() if loose.number in {one.number for one in some}]
        if again:
            return again[0]
        parts = made.parts or {"": made.nodes[made.ran[0]]}
        fitting = [name for name, node in parts.items() if self.graph.nodes[node].shape == shape and name not in taken]
        return fitting[0] if fitting and loose.head.kind == "state" else None

    def _input(self, loose: Loose, ordinal: int) -> None:
        name: Name = ("input", (loose.head, ordinal))
        node = self.graph.nodes[loose.number]
        known = self.extra.get(name)
        row = known or Row(
            "", "input", "", node.name or "x", (), self.reader.clock(loose.head), (), False, node.shape, 0, (), ()
        )
        self.extra[name] = _with_step(row, loose.step, loose.number)
        arrows = self.links.setdefault((name, ("row", loose.head), "", 0), Arrows())
        arrows.pairs[loose.step, loose.step] = None
        arrows.weights.update(dict.fromkeys(loose.weights))

    def _start(self, key: Key, parts: dict[str, list[Loose]]) -> None:
        """The state to begin with, one step before the first."""
        made, name = self.reader.made[key], ("start", key)
        first = made.ran[0]
        back = made.ran[1] - first if len(made.ran) > 1 else 1
        names = tuple([part for part in made.parts if part in parts]) or tuple(parts)
        number = parts[names[0]][0].number
        node = self.graph.nodes[number]
        learned = "parameter" if node.kind == "leaf" else ""
        place = ".".join((*self.reader.loops[key.loop].place, *key.path))
        self.extra[name] = Row(
            "",
            "start",
            place,
            learned,
            names,
            self.reader.clock(key),
            (first - back,),
            back < 0,
            node.shape,
            0,
            (),
            (number,),
        )
        for part, some in parts.items():
            arrows = self.links.setdefault((name, ("row", key), part, back), Arrows())
            arrows.pairs[first - back, first] = None
            arrows.weights.update(dict.fromkeys([w for loose in some for w in loose.weights]))

    # ---- together -------------------------------------------------------------------------------------------

    def network(self) -> Network:
        all_rows: dict[Name, Row] = {**{("row", key): self._row(key) for key in self.reader.made}, **self.extra}
        linked = {name for link in self.links for name in link[:2]}
        all_rows = {name: row for name, row in all_rows.items() if name in linked or row.kind == "state"}
        order = _upwards(list(all_rows), self.links)
        ids = {name: f"r{i}" for i, name in enumerate(order)}
        kinds = _kinds(self.graph, self.reader, {name: all_rows[name] for name in order}, self.links)
        for name in order:
            all_rows[name] = replace(all_rows[name], id=ids[name], kind=kinds.get(name, all_rows[name].kind))
        for tail, head, _, _ in self.links:
            if all_rows[head].kind == "loss" and not all_rows[head].steps and all_rows[tail].steps:
                all_rows[head] = _summed(all_rows[head], all_rows[tail])
        used = {tail for tail, *_ in self.links}
        for name, row in all_rows.items():
            if row.kind == "loss" and len(row.steps) == 1 and name not in used:
                all_rows[name] = replace(row, title="L")  # it is the loss itself, not that of a step
        rows = [all_rows[name] for name in order]
        links = [
            Link(ids[tail], ids[head], part, tuple(arrows.weights), lag, tuple(arrows.pairs))
            for (tail, head, part, lag), arrows in self.links.items()
            if tail in ids and head in ids
        ]
        weighing = [w for link in links for w in link.weights] + [w for row in rows for w in row.weights]
        nodes = [self.graph.nodes[number] for number in dict.fromkeys(weighing)]
        names = [node.name or f"leaf {node.id}" for node in nodes]
        shorts = short_names(names)
        weights = {
            node.id: Weight(node.id, name, short, node.shape)
            for node, name, short in zip(nodes, names, shorts, strict=True)
        }
        return Network(tuple(rows), tuple(links), weights)

    def _row(self, key: Key) -> Row:
        made = self.reader.made[key]
        steps = tuple(sorted(step for step in made.nodes if step is not None))
        reverse = len(made.ran) > 1 and made.ran[0] > made.ran[1]
        loop = self.reader.loops[key.loop] if key.loop >= 0 else None
        place = ".".join((*(loop.place if loop is not None else ()), *key.path))
        if loop is not None and loop.call:
            place += f" (call {loop.call + 1})"
        last = self.graph.nodes[made.nodes[steps[-1]] if steps else made.nodes[None]]
        span = self.reader.spans[last.id]
        shape = last.shape if span is None or span.axis is None else _without(last.shape, span.axis)
        ops = made.ops.get(steps[-1] if key.kind != "whole" and steps else None, 0)
        named = place.rsplit(".", 1)[-1] if key.path and key.kind != "state" else title(last)
        called = (
            title(last)
            if ops == 1 and key.kind == "whole" and last.op in {"concat", "add", "mul", "sum", "mean"}
            else named
        )
        kind = "state" if key.kind == "state" else "op"
        parts = tuple(sorted(made.parts, key=lambda part: part != "h"))
        return Row(
            "",
            kind,
            place,
            called,
            parts,
            self.reader.clock(key),
            steps,
            reverse,
            shape,
            ops,
            tuple(made.weights),
            tuple([made.nodes[step] for step in steps]) or (last.id,),
        )


def _upwards(names: list[Name], links: dict[tuple[Name, Name, str, int | None], Arrows]) -> list[Name]:
    """The rows from the bottom up: whatever a row needs at the same step is below it; inputs right below their use."""
    needs: dict[Name, set[Name]] = {name: set() for name in names}
    for tail, head, _, lag in links:
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


def _kinds(
    graph: Graph, reader: Reader, rows: dict[Name, Row], links: dict[tuple[Name, Name, str, int | None], Arrows]
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
    for tail, head, _, _ in links:
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


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _with_step(row: Row, step: int, node: int) -> Row:
    pairs = sorted({**dict(zip(row.steps, row.nodes, strict=True)), step: node}.items())
    steps, nodes = zip(*pairs, strict=True)
    return replace(row, steps=steps, nodes=nodes)


def _summed(row: Row, tail: Row) -> Row:
    """A loss with what it is the sum or mean of in its title."""
    symbol = {"loss": "ℓ", "output": "ŷ", "state": next(iter(tail.parts), "h")}.get(tail.kind)
    return replace(row, title=f"{row.title} {symbol}ₜ") if symbol and row.title in {"Σ", "mean"} else row
