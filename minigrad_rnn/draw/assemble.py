"""The last step of reading: rows in order, links by the ids of rows, inputs and first states named."""

from __future__ import annotations

from dataclasses import replace

from minigrad.draw.ops import title
from minigrad.graph import Graph

from .beginnings import Beginnings
from .gaps import fill
from .making import Bundle
from .network import Link, Network, Row, Weight, short_names
from .order import LinkName, Links, Name, kinds_of, upwards
from .read import Reader
from .units import Key


def read(graph: Graph) -> Network:
    """The recurrent network in a graph, as far as its time steps are recorded; without any it has no rows."""
    return _Assembly(Reader(graph)).network()


class _Assembly:
    def __init__(self, reader: Reader) -> None:
        self.reader, self.graph = reader, reader.graph
        self.links: Links = {}
        self.extra: dict[Name, Row] = {}
        for (tail, head, part, lag, apart), bundle in reader.bundles.items():
            name: Name = ("leaf", tail) if isinstance(tail, int) else ("row", tail)
            if isinstance(tail, int) and name not in self.extra:
                self.extra[name] = self._sequence(tail)
            # what joins the same boxes is one link, whichever weights it has
            told = None if apart is None else (apart[0], tuple(bundle.pairs))
            self._add((name, ("row", head), part, lag, told), bundle)
        Beginnings(reader, self.links, self.extra).place()
        fill(reader, self.links, self.extra)
        self._join()

    def _join(self) -> None:
        """A part of a module that only another part of it uses, above, is no row of its own: both are one."""
        heads: dict[Name, set[Name]] = {}
        for tail, head, *_ in self.links:
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
            bundle = self.links.pop(link)
            tail, head, part, lag, apart = link
            if tail != old:
                self._add((tail, new if head == old else head, part, lag, apart), bundle)

    def _add(self, link: LinkName, bundle: Bundle) -> None:
        known = self.links.setdefault(link, Bundle())
        known.enter(bundle.pairs, bundle.weights)
        known.cuts.update(bundle.cuts)

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

    # ---- together -------------------------------------------------------------------------------------------

    def network(self) -> Network:
        all_rows: dict[Name, Row] = {**{("row", key): self._row(key) for key in self.reader.made}, **self.extra}
        linked = {name for link in self.links for name in link[:2]}
        all_rows = {name: row for name, row in all_rows.items() if name in linked or row.kind == "state"}
        order = upwards(list(all_rows), self.links)
        ids = {name: f"r{i}" for i, name in enumerate(order)}
        kinds = kinds_of(self.graph, self.reader, {name: all_rows[name] for name in order}, self.links)
        for name in order:
            all_rows[name] = replace(all_rows[name], id=ids[name], kind=kinds.get(name, all_rows[name].kind))
        for tail, head, *_ in self.links:
            if all_rows[head].kind == "loss" and not all_rows[head].steps and all_rows[tail].steps:
                all_rows[head] = _summed(all_rows[head], all_rows[tail])
        used = {tail for tail, *_ in self.links}
        for name, row in all_rows.items():
            if row.kind == "loss" and len(row.steps) == 1 and name not in used:
                all_rows[name] = replace(row, title="L")  # it is the loss itself, not that of a step
        rows = [all_rows[name] for name in order]
        links = [
            Link(ids[tail], ids[head], part, tuple(bundle.weights), lag, tuple(bundle.pairs), tuple(bundle.cuts))
            for (tail, head, part, lag, _), bundle in self.links.items()
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
            {step: made.idle[step] for step in sorted(made.idle)},
        )


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _summed(row: Row, tail: Row) -> Row:
    """A loss with what it is the sum or mean of in its title."""
    symbol = {"loss": "ℓ", "output": "ŷ", "state": next(iter(tail.parts), "h")}.get(tail.kind)
    return replace(row, title=f"{row.title} {symbol}ₜ") if symbol and row.title in {"Σ", "mean"} else row
