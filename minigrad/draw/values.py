"""Values of results and gradients, written into the boxes of a diagram."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ..graph import numbered
from ..node import Handle
from .diagram import Box, Diagram, Row
from .measure import told_of
from .ops import cut
from .whole import FEW, in_short

DIGITS = 3  # as many as fit a box


@dataclass(frozen=True)
class Values:
    """Values in a few words, by the numbers of nodes.

    Attributes:
        results: of what each node gives, as far as it is known.
        gradients: of the gradients that nodes hold, where these are few numbers.
    """

    results: Mapping[int, str] = field(default_factory=dict)
    gradients: Mapping[int, str] = field(default_factory=dict)


def values_of(y: Any, grads: bool) -> tuple[Any, Values]:
    """What a function computes (anything else as it is), and the values of its graph.

    Raises:
        GraphError: ``y`` is no tensor or the data of a graph, or a leaf was changed since.
    """
    y, _, found = told_of(y, "show=('value',)", partial(in_short, digits=DIGITS))
    return y, Values(found, dict(_gradients(y)) if grads else {})


def _gradients(y: Any) -> list[tuple[int, str]]:
    roots = [y] if isinstance(y, Handle) else y
    ids = numbered([root._node for root in roots if root._node is not None])
    held = [(number, node.extra.grad) for node, number in ids.items() if node.extra is not None]
    arrays = [(number, grad._data) for number, grad in held if grad is not None]
    return [(number, f"g {in_short(array, DIGITS)}") for number, array in arrays if array.size <= FEW]


def with_values(diagram: Diagram, values: Values) -> Diagram:
    """The diagram with a row of values in each box of which they are known, above its gradient.

    >>> box = Box("n0", (Row("x", "title"), Row("‖g‖ 3", "grad")), "parameter", nodes=(0,))
    >>> diagram = with_values(Diagram((box,), ()), Values({0: "2"}, {0: "g -3"}))
    >>> [row.text for row in diagram.boxes[0].rows]
    ['x', '2', 'g -3']
    """
    if not values.results:
        return diagram
    return replace(diagram, boxes=tuple([_told(box, values) for box in diagram.boxes]))


def _told(box: Box, values: Values) -> Box:
    if len(box.nodes) != 1 or box.nodes[0] not in values.results:
        return box
    node, rows = box.nodes[0], list(box.rows)
    last = rows.pop() if rows[-1].look == "grad" or rows[-1].text == "no grad yet" else None
    rows.append(Row(cut(values.results[node])))
    if last is not None:
        rows.append(last._replace(text=values.gradients.get(node, last.text)))
    return replace(box, rows=tuple(rows))
