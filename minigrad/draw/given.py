"""Numbers of nodes that a caller gives: by a function, or by the nodes' numbers, names and places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import GraphError
from ..graph import Graph, GraphNode
from ..inspect.place import place
from .options import as_number, cannot_take


def numbers_of(data: Graph, function: Callable[[GraphNode], Any]) -> dict[int, float]:
    """What a function says of each node.

    Raises:
        GraphError: it takes something else than a node, or says something else than a number.
    """
    if misfit := cannot_take(function, None):
        raise GraphError(f"draw: color_by is called with a GraphNode, and this function cannot be: {misfit}")
    return _plain({node.id: function(node) for node in data})


def looked_up(data: Graph, numbers: Mapping[Any, Any]) -> dict[int, float]:
    """By the node's number, its name, its place with the time step, or its place alone: the first that is there."""
    found: dict[int, Any] = {}
    for node in data:
        keys = (node.id, node.name, node.scope or None, place(node.places) or None)
        key = next((key for key in keys if key is not None and key in numbers), None)
        if key is not None:
            found[node.id] = numbers[key]
    if numbers and not found:
        some = ", ".join(repr(key) for key in list(numbers)[:3])
        raise GraphError(
            f"draw: color_by has numbers for {some}, and no node goes by that\n"
            '  hint: keys are numbers of nodes (0, 1, …), their names ("W_hh") or their places ("rnn/t=3", "rnn"), as'
            " print(mg.graph(y).to_text()) shows them"
        )
    return _plain(found)


def _plain(values: Mapping[int, Any]) -> dict[int, float]:
    """What was given as floats, without what is ``None``."""
    expected = "draw: color_by gives a number or None for each node, not"
    return {number: as_number(value, expected) for number, value in values.items() if value is not None}
