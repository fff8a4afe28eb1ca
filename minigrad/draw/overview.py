"""The overview of a model: its modules as nested boxes, and what flows between them."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from ..errors import GraphError
from ..inspect.calls import Calls, calls_of
from ..inspect.modules import ModuleRow, levels, module_rows
from ..inspect.summary import size, some
from ..nn import Module
from .diagram import Arrow, Box, Diagram, KeyItem, Panel, Place, Row
from .fit import affordable, check_size
from .ops import LONGEST, cut
from .options import idle
from .parts import Part, module_parts
from .style import INFIX, PREFIX, ROLE_OF_OP
from .wiring import End, Shape, wiring

ROOM = 40  # boxes that are quickly taken in
WIDE = 9  # boxes in a row that fit the width of a page


def module_diagram(
    model: Any,
    inputs: Any,
    depth: int | None,
    show: Collection[str],
    direction: str | None,
    max_nodes: int | None,
    color_by: Any = None,
) -> Diagram:
    """Run a model and draw its modules.

    Args:
        model: the outermost module.
        inputs: what to call it with: a tuple of positional arguments, a dictionary of keyword arguments, or the one
            argument.
        depth: how many levels of modules to draw; ``None``: as many as give at most 40 boxes.
        show: with ``"shape"`` arrows tell shapes, with ``"params"`` boxes tell settings, with ``"grad"`` they tell what
            is frozen or gets no gradient.
        direction: where the arrows point; ``None``: to the right, unless there are too many boxes in a row.
        max_nodes: how many boxes are readable: four times as many are refused; ``None``: none are.
        color_by: must be left out.

    Raises:
        GraphError: ``model`` is no module, or the inputs are missing or cannot be its arguments, or it is too much.
    """
    _check(model, inputs, color_by)
    calls = calls_of(model, inputs)
    modules = levels(model)
    rows = module_rows(modules, calls)
    deepest = max(level.depth for level in modules)
    sizes: dict[int, int] = {}
    for level in [depth] if depth else range(max(deepest, 1), 0, -1):
        diagram = _Page(calls, module_parts(modules, rows, level), show).diagram()
        sizes[level] = len(diagram.boxes)
        if sizes[level] <= ROOM:
            break
    said = [f"modules down to depth {level} of {deepest}"] * (depth is None and level < deepest)
    if max_nodes is not None:
        check_size(diagram, max_nodes, sizes)
        diagram, words = affordable(diagram)
        said += words
    diagram = replace(diagram, key=(KeyItem(", ".join(said)),) if said else ())
    return replace(diagram, direction=direction or ("TB" if len(set(diagram.ranks().values())) > WIDE else "LR"))


def _check(model: Any, inputs: Any, color_by: Any) -> None:
    name = type(model).__name__
    if not isinstance(model, Module):
        raise GraphError(
            f"draw: inputs are for a module; a {name} was drawn, which is none\n"
            "  hint: draw(model, x) draws modules; without inputs, draw(y) draws the ops that computed y"
        )
    if inputs is None:
        raise idle(model)
    if color_by is not None:
        raise GraphError("draw: color_by is for ops; draw(model(x), color_by=...) draws these")


class _Page:
    """Makes boxes of modules, ops, inputs and outputs."""

    def __init__(self, calls: Calls, parts: Mapping[str, Part], show: Collection[str]) -> None:
        self.calls, self.parts, self.show = calls, parts, show
        homes = {part.level.module: None if part.look == "panel" else part.home for part in parts.values()}
        self.wires = wiring(calls, homes, {part.level.module: path for path, part in parts.items()})
        self.panels: dict[str, Panel] = {}
        for path, part in parts.items():
            if part.look == "panel":
                notes = [part.row.kind] * bool(path) + self._told(part.row)
                place = Place(_counted(part.level.label, part.row), note=" · ".join(notes))
                self.panels[path] = (*(self.panels[part.level.above] if path else ()), place)

    def diagram(self) -> Diagram:
        """All of it."""
        since = self.wires.since
        ids = {end: f"{end.kind[0]}{i}" for i, end in enumerate(sorted(since, key=since.__getitem__))}
        makers = {"module": self._module, "op": self._op, "ops": self._ops}
        makers |= {"input": self._input, "output": self._output}
        boxes = [replace(makers[end.kind](end), id=id) for end, id in ids.items()]
        idle = [part for part in self.parts.values() if part.look == "idle"]
        boxes += [replace(self._idle(part), id=f"u{i}") for i, part in enumerate(idle)]
        arrows = [self._arrow(ids[tail], ids[head], shapes) for (tail, head), shapes in self.wires.wires.items()]
        return Diagram(tuple(boxes), tuple(arrows))

    def _module(self, end: End) -> Box:
        part = self.parts[end.key]
        rows = self._run(part) if part.look == "run" else self._rows(part.row)
        return Box("", tuple(rows), _role(part.row), self._around(part), tooltip=_tip(part.row))

    def _idle(self, part: Part) -> Box:
        """A module that was never called."""
        row = part.row
        rows = [Row(cut(row.label), "caption"), Row(cut(row.kind), "title"), *self._options(row)]
        rows += [Row(_parameters(row.parameters), "muted")] if row.parameters else []
        rows.append(Row("never called", "grad"))
        return Box("", tuple(rows), "constant", self._around(part), tooltip=_tip(row), dashed=True)

    def _around(self, part: Part) -> Panel:
        return self.panels[part.level.above] if part.level.path else ()

    def _input(self, end: End) -> Box:
        tensor = next(one.tensor for one in self.calls.given if one.name == end.key)
        rows = [Row(cut(end.key), "title")] + [Row(str(tensor.dtype), "muted")] * (str(tensor.dtype) != "float32")
        return Box("", tuple(rows), "input", tooltip=f"input {end.key} {tensor.shape} {tensor.dtype}")

    def _output(self, end: End) -> Box:
        tensor = self.calls.returned[end.key]
        name = "output" if len(self.calls.returned) == 1 else f"output {end.key}"
        role = "result" if tensor.shape else "loss"
        return Box("", (Row(name, "title"),), role, tooltip=f"{name} {tensor.shape} {tensor.dtype}")

    def _op(self, end: End) -> Box:
        name, where = end.key[0], self.wires.ops[end][0].where()
        title = Row(INFIX.get(name, PREFIX.get(name, name)), "title")
        return Box("", (title,), ROLE_OF_OP.get(name, "op"), self.panels[end.owner], tooltip=f"{name} at {where}")

    def _ops(self, end: End) -> Box:
        names = [node.op.name for node in self.wires.ops[end] if node.op is not None]
        title = Row(f"{len(names)} ops", "title")
        return Box("", (title,), "group", self.panels[end.owner], tooltip=some(names, 40))

    def _rows(self, row: ModuleRow) -> list[Row]:
        """What the box of a module says."""
        rows = [Row(cut(row.label), "caption")] if row.path else []
        rows += [Row(cut(_counted(row.kind, row)), "title"), *self._options(row)]
        return rows + [Row(text, "grad" if text.startswith("no gradient") else "muted") for text in self._told(row)]

    def _run(self, part: Part) -> list[Row]:
        """What the box says that stands for several like modules."""
        rows = [part.row, *part.others]
        total = sum(row.parameters for row in rows)
        name = f"{rows[0].label} … {rows[-1].label}"
        texts = [Row(cut(name), "caption"), Row(f"{len(rows)} more like it", "title"), Row(cut(part.row.kind), "muted")]
        return texts + [Row(_parameters(total), "muted")] * bool(total)

    def _options(self, row: ModuleRow) -> list[Row]:
        """The settings, on two lines if they are long."""
        lines = textwrap.wrap(row.options, LONGEST, break_long_words=False) if "params" in self.show else []
        return [Row(cut(line), "muted") for line in [*lines[:1], " ".join(lines[1:])] if line]

    def _told(self, row: ModuleRow) -> list[str]:
        """How many parameters a module has, and which of them do not learn."""
        learning, lines = "grad" in self.show, []
        if row.parameters:
            lines.append(_parameters(row.parameters) + ", frozen" * (learning and row.frozen == row.parameters))
            lines += [f"{row.frozen:,} frozen"] * (learning and 0 < row.frozen < row.parameters)
        if learning and row.unreached_size == row.trainable > 0:
            lines.append("no gradient")
        elif learning and row.unreached:
            one = len(row.unreached) == 1
            lines.append(f"no gradient: {row.unreached[0]}" if one else f"{row.unreached_size:,} without gradient")
        return [cut(line) for line in lines]

    def _arrow(self, tail: str, head: str, shapes: Mapping[Shape, None]) -> Arrow:
        texts = ["×".join(map(str, shape)) if shape else "scalar" for shape in shapes]
        label = texts[0] + " …" * (len(texts) > 1) if "shape" in self.show else ""
        return Arrow(tail, head, tooltip=", ".join(texts), label=label)


def _parameters(count: int) -> str:
    return f"{count:,} parameter{'s' * (count != 1)}"


def _counted(name: str, row: ModuleRow) -> str:
    return f"{name} ×{row.calls}" if (row.calls or 0) > 1 else name


def _role(row: ModuleRow) -> str:
    if row.trainable:
        return "parameter"
    return "constant" if row.parameters else ROLE_OF_OP.get(row.kind.lower(), "op")


def _tip(row: ModuleRow) -> str:
    lines = [f"{row.path or 'the model'}: {row.kind}({row.options})"]
    lines += [f"gives {', '.join(map(str, row.outputs))}"] if row.outputs else []
    lines += [f"used {row.calls} times"] if (row.calls or 0) > 1 else []
    lines += [f"{_parameters(row.parameters)}, {size(row.bytes)}"] if row.parameters else []
    lines += [f"no gradient reaches {some(row.unreached, 10)}"] if row.unreached else []
    return "\n".join(lines)
