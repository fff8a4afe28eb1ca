"""What comes to a single step from outside: inputs one by one, and the state before the first step."""

from __future__ import annotations

from dataclasses import replace

from .making import Bundle, Loose
from .network import Row
from .order import Links, Name
from .read import Reader
from .units import Key


class Beginnings:
    """Tells inputs from first states, and makes rows and links of both.

    Args:
        reader: what was read.
        links: gets the links.
        rows: gets the rows.
    """

    def __init__(self, reader: Reader, links: Links, rows: dict[Name, Row]) -> None:
        self.reader, self.graph, self.links, self.rows = reader, reader.graph, links, rows

    def place(self) -> None:
        """Go through all that is loose."""
        starts: dict[Key, dict[str, list[Loose]]] = {}
        order: dict[tuple[Key, int], list[int]] = {}
        made = self.reader.made
        always = {(one.head, one.signature) for one in self.reader.loose if one.step in made[one.head].ran[1:][-1:]}
        bundles = self.reader.bundles.items()
        back = {(head, w) for (_, head, _, lag, _), bundle in bundles if lag for w in bundle.weights}
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
        if (loose.head, loose.signature) in self.reader.fed_back:
            return None
        shape = self.graph.nodes[loose.number].shape
        again = [name for name, some in taken.items() if loose.number in {one.number for one in some}]
        if again:
            return again[0]
        parts = made.parts or {"": made.nodes[made.ran[0]]}
        fitting = [name for name, node in parts.items() if self.graph.nodes[node].shape == shape and name not in taken]
        if loose.weights and "h" in fitting:  # the other parts of a state are not multiplied
            fitting = ["h"]
        return fitting[0] if fitting and loose.head.kind == "state" else None

    def _input(self, loose: Loose, ordinal: int) -> None:
        name: Name = ("input", (loose.head, ordinal))
        node = self.graph.nodes[loose.number]
        known = self.rows.get(name)
        row = known or Row(
            "", "input", "", node.name or "x", (), self.reader.clock(loose.head), (), False, node.shape, 0, (), ()
        )
        self.rows[name] = _with_step(row, loose.step, loose.number)
        bundle = self.links.setdefault((name, ("row", loose.head), "", 0, None), Bundle())
        bundle.enter([(loose.step, loose.step)], loose.weights)

    def _start(self, key: Key, parts: dict[str, list[Loose]]) -> None:
        """The state to begin with, one step before the first."""
        made, name = self.reader.made[key], ("start", key)
        first = made.ran[0]
        back = made.ran[1] - first if len(made.ran) > 1 else 1
        names = tuple([part for part in made.parts if part in parts]) or tuple(parts)
        number = parts[names[0]][0].number
        node = self.graph.nodes[number]
        learned = "parameter" if node.kind == "leaf" and node.cut_from is None else ""
        place = ".".join((*self.reader.loops[key.loop].place, *key.path))
        self.rows[name] = Row(
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
            cut = any(self.graph.nodes[loose.number].cut_from is not None for loose in some)
            bundle = self.links.setdefault((name, ("row", key), part, back, None), Bundle())
            bundle.enter([(first - back, first)], [w for loose in some for w in loose.weights], cut)


def _with_step(row: Row, step: int, node: int) -> Row:
    pairs = sorted({**dict(zip(row.steps, row.nodes, strict=True)), step: node}.items())
    steps, nodes = zip(*pairs, strict=True)
    return replace(row, steps=steps, nodes=nodes)
