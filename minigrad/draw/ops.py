"""The op-level diagram of a graph: one box for each op, merged with its result, and one for each leaf and constant."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..graph import Graph, GraphNode, Source
from .diagram import Arrow, Box, Diagram, Panel, Place, Row, common
from .style import COMMUTATIVE, INFIX, PREFIX, ROLE_OF_OP

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LONGEST = 28  # characters of a text in a box; what is longer is cut there and whole in the tooltip


def op_diagram(graph: Graph, show: Collection[str], direction: str = "LR") -> Diagram:
    """Draw every node.

    Args:
        graph: the data.
        show: which of ``"shape"``, ``"dtype"``, ``"params"``, ``"grad"``, ``"line"`` to write into the boxes, and
            ``"scope"`` to draw panels around the places of the model.
        direction: where the arrows point.
    """
    panels = _panels(graph) if "scope" in show else [()] * len(graph)
    returned = {output.node for output in graph.outputs}
    boxes = tuple(
        Box(
            id=f"n{node.id}",
            rows=tuple(_rows(node, panels[node.id], show)),
            role=_role(node, node.id in returned),
            panel=panels[node.id],
            inlets=tuple(str(i + 1) for i, x in enumerate(node.inputs) if isinstance(x, Source) and _ordered(node)),
            outlets=tuple(map(str, range(len(node.shapes)))) if len(node.shapes) > 1 else (),
            tooltip=_tooltip(node),
            ops=int(node.kind == "op"),
            nodes=(node.id,),
        )
        for node in graph
    )
    arrows = tuple(
        Arrow(
            tail=f"n{edge.source}",
            head=f"n{edge.target}",
            outlet="" if edge.output is None else str(edge.output),
            inlet=str(edge.operand + 1) if _ordered(graph.nodes[edge.target]) else "",
            tooltip=f"input {edge.operand + 1} of {graph.nodes[edge.target].op}",
        )
        for edge in graph.edges
    )
    return Diagram(boxes, arrows, direction)


def _panels(graph: Graph) -> list[Panel]:
    """Where each node stands: ops where they were made, leaves where they are used, constants in that time step.

    A constant is an input or a state that comes from outside, so it stands outside the modules that use it.
    """
    panels: list[Panel] = []
    for node in graph:
        levels = [[Place(name)] * bool(name) + [Place("", step)] * (step is not None) for name, step in node.places]
        panels.append(tuple(place for level in levels for place in level))
    users: dict[int, list[Panel]] = {}
    for edge in graph.edges:
        if graph.nodes[edge.source].kind != "op":
            users.setdefault(edge.source, []).append(panels[edge.target])
    for number, around in users.items():
        panel = common(around)
        if graph.nodes[number].kind == "constant":
            panel = panel[: max((i + 1 for i, place in enumerate(panel) if place.step is not None), default=0)]
        panels[number] = panel
    return panels


def _role(node: GraphNode, returned: bool) -> str:
    if node.kind == "leaf":
        return "parameter"
    if node.kind == "constant":
        return "input" if node.name else "constant"
    if returned:
        return "result" if node.shape else "loss"
    return ROLE_OF_OP.get(node.op or "", "op")


def _rows(node: GraphNode, panel: Panel, show: Collection[str]) -> list[Row]:
    rows = [Row(cut(_within(title(node), panel) if node.kind == "leaf" else title(node)), "title")]
    if node.name and node.kind == "op":
        rows.append(Row(cut(node.name)))
    if "params" in show and not rows[0].text.startswith("["):
        rows += [Row(cut(f"{name}={_value(value)}"), "muted") for name, value in node.params.items()]
    size = _shape(node) if "shape" in show else ""
    if "dtype" in show or ("shape" in show and node.dtype != "float32"):
        size = f"{size} {node.dtype}".strip()
    if size:
        rows.append(Row(size, "muted"))
    if "line" in show and node.where:
        rows.append(Row(cut(node.where), "muted"))
    if "grad" in show and (node.kind == "leaf" or node.grad_norm is not None):
        rows.append(Row("no grad yet", "muted") if node.grad_norm is None else Row(f"‖g‖ {node.grad_norm:.3g}", "grad"))
    return rows


def title(node: GraphNode) -> str:
    """What a box is called: the name of a leaf, the sign of an op with its plain numbers in their places."""
    if node.op is None:
        return node.name or ("leaf" if node.kind == "leaf" else "const")
    inputs = list(node.inputs)
    while inputs and inputs[-1] is None:
        inputs.pop()
    numbers = ["" if isinstance(x, Source) else _value(x) for x in inputs]
    if node.op == "pow" and len(inputs) == 2 and isinstance(inputs[1], (int, float)) and len(numbers[1]) < 3:
        return "x" + numbers[1].translate(_RAISED)
    if node.op == "getitem":
        index = node.params["index"]
        text = ", ".join(map(_value, index)) if isinstance(index, tuple) else _value(index)
        if len(text) <= LONGEST // 2:
            return f"[{text}]"
    if node.op in INFIX and len(inputs) == 2:
        return " ".join(part for part in (numbers[0], INFIX[node.op], numbers[1]) if part)
    name = PREFIX.get(node.op, node.op)
    return f"{name}({', '.join(number or '·' for number in numbers)})" if any(numbers) else name


def _within(name: str, panel: Panel) -> str:
    """The name of a parameter without the path that the panel around it shows already.

    >>> _within("encoder.0.weight", (Place("model"), Place("encoder"), Place("[0]")))
    'weight'
    """
    pieces = name.split(".")
    around = [piece for place in panel for piece in place.name.replace("[", ".").replace("]", "").split(".") if piece]
    for k in range(min(len(pieces) - 1, len(around)), 0, -1):
        if pieces[:k] == around[-k:]:
            return ".".join(pieces[k:])
    return name


def _ordered(node: GraphNode) -> bool:
    """Whether the reader has to be told which arrow is which operand."""
    return node.op not in COMMUTATIVE and sum(isinstance(x, Source) for x in node.inputs) > 1


def _shape(node: GraphNode) -> str:
    texts = ["×".join(map(str, shape)) if shape else "scalar" for shape in node.shapes]
    if len(texts) == 1:
        return texts[0]
    return f"{len(texts)} of {texts[0]}" if len(set(texts)) == 1 else cut(", ".join(texts))


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_value, value))})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _tooltip(node: GraphNode) -> str:
    lines = [f"%{node.id} = {node.call()}", " ".join(map(str, node.shapes)) + f" {node.dtype}"]
    if node.where:
        lines.append(f"made at {node.where}")
    if node.scope:
        lines.append(f"in {node.scope}")
    return "\n".join(lines)


def cut(text: str) -> str:
    """A text on one line, no longer than fits a box."""
    text = " ".join(text.split()) or text.strip()
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
