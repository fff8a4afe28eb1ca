"""A number for each box of an unrolled network, for ``color_by=``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import minigrad as mg
from minigrad.draw.colours import Scale, fitting
from minigrad.draw.measure import NAMES, Numbers
from minigrad.draw.options import as_number, cannot_take
from minigrad.graph import Graph, Source

from ..inspect.steps import locate
from .grid import CIRCLE, Grid
from .network import Network, Row

Values = dict[str, dict[int, float]]  # of each row, of each step


def values_of(network: Network, numbers: Numbers) -> Values:
    """Numbers of nodes as numbers of boxes: of what a box puts out, or, where numbers add up, of all its ops.

    Only rows whose steps have nodes of their own get numbers: what is computed for all steps at once has one number.
    """
    rows = [row for row in coloured_rows(network) if row.kind != "start"]
    if not numbers.adds:
        return _filled({row.id: {t: numbers.values.get(node) for t, node in _steps(row)} for row in rows})
    homes = _ops_inside(numbers.graph, rows)
    return _filled({row.id: {t: numbers.of(homes[node]) for t, node in _steps(row)} for row in rows})


def given_values(network: Network, color_by: Any) -> tuple[Values, Scale]:
    """Numbers from a function of place and step, or from a mapping whose keys are such pairs.

    Raises:
        GraphError: ``color_by`` is something else, gives no number, or knows none of the boxes.
    """
    if not callable(color_by) and not isinstance(color_by, Mapping):
        raise mg.GraphError(
            f"draw: color_by is one of {', '.join(NAMES)}, a function of place and step, or a mapping from"
            f" (place, step) to numbers; not {color_by!r}"
        )
    if misfit := cannot_take(color_by, "", 0) if callable(color_by) else "":
        raise mg.GraphError(f"draw: color_by is called with a place and a step, and this function cannot be: {misfit}")
    ask: Callable[[str, int], Any] = color_by if callable(color_by) else lambda *key: color_by.get(key)
    rows = [row for row in coloured_rows(network) if row.place and row.kind != "start"]
    found = {row.id: {step: _number(ask(row.place, step)) for step, _ in _steps(row)} for row in rows}
    values = _filled(found)
    if not values:
        known = ", ".join(repr((row.place, row.steps[0])) for row in rows[:4])
        raise mg.GraphError(f"draw: color_by has a number for no box of the drawing\n  hint: boxes are {known}, …")
    name = getattr(color_by, "__name__", "<lambda>")
    words = "" if name == "<lambda>" else name.replace("_", " ")
    return values, fitting(words, [number for steps in values.values() for number in steps.values()])


def coloured_rows(network: Network) -> list[Row]:
    """The rows with room for a number in each of their boxes, and a node for each of them."""
    size = Grid(network, 1).size
    return [
        row
        for row in network.rows
        if row.steps and len(set(row.nodes)) == len(row.steps) and size[row.id].width != CIRCLE
    ]


def _steps(row: Row) -> zip[tuple[int, int]]:
    return zip(row.steps, row.nodes, strict=True)


def _filled(values: Mapping[str, Mapping[int, float | None]]) -> Values:
    """Without what is not known."""
    known = {id: {step: x for step, x in steps.items() if x is not None} for id, steps in values.items()}
    return {id: steps for id, steps in known.items() if steps}


def _number(value: Any) -> float | None:
    return None if value is None else as_number(value, "draw: color_by gives a number or None for each box, not")


def _ops_inside(graph: Graph, rows: list[Row]) -> dict[int, list[int]]:
    """For what each box puts out, the ops that lead to it from there to the next box, in the same step."""
    ends = {node for row in rows for node in row.nodes}
    homes, spots = {}, locate(graph)[1]

    def step_of(number: int) -> tuple[int, int] | None:
        return None if (spot := spots[number]) is None else spot[:2]

    for end in ends:
        step, inside, todo = step_of(end), {end}, [end]
        while todo:
            for x in graph.nodes[todo.pop()].inputs:
                new = isinstance(x, Source) and x.node not in inside and x.node not in ends
                if new and graph.nodes[x.node].kind == "op" and step_of(x.node) == step:
                    inside.add(x.node)
                    todo.append(x.node)
        homes[end] = sorted(inside)
    return homes
