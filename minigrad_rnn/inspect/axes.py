"""Where an op takes the dimension of a tensor that is time."""

from __future__ import annotations

import math
from typing import NamedTuple

from minigrad.graph import GraphNode

Shape = tuple[int, ...]


class Span(NamedTuple):
    """The steps that a tensor holds, along a dimension of it; without a dimension, it belongs to a single step.

    ``loop`` is a loop whose steps these are.
    """

    axis: int | None
    steps: tuple[int, ...]
    loop: int


def moved(node: GraphNode, before: Shape, span: Span) -> Span | None:
    """Where time is after an op, if it was at ``span`` in an input of shape ``before``."""
    axis, after = span.axis or 0, node.shape
    if node.op == "unbind":
        return span if node.params.get("dim", 0) % len(before) == axis else None
    if node.op in {"transpose", "permute", "movedim", "_permute"}:
        return span._replace(axis=_order(node, len(before)).index(axis))
    if node.op == "getitem":
        return _picked(node, span)
    if node.op == "flip" and axis in [dim % len(before) for dim in _tuple(node.params.get("dims", ()))]:
        return span._replace(steps=span.steps[::-1])
    return _kept(before, after, span)


def moved_back(node: GraphNode, before: Shape, span: Span) -> Span | None:
    """Where time is in an input of shape ``before``, if it is at ``span`` in the result."""
    if span.axis is None:
        return None
    if node.op in {"transpose", "permute", "movedim", "_permute"}:
        return span._replace(axis=_order(node, len(before))[span.axis])
    if node.op in {"getitem", "flip", "stack", "split"}:
        return None
    if node.op == "concat" and node.params.get("dim", 0) % len(node.shape) == span.axis:
        return None
    return _kept(node.shape, before, span)


def _kept(before: Shape, after: Shape, span: Span) -> Span | None:
    """The dimension of the same length with as many elements in front of it, counted from the front or the end."""
    axis = span.axis or 0
    length = before[axis]
    if axis < len(after) and after[axis] == length and math.prod(after[:axis]) == math.prod(before[:axis]):
        return span
    from_end = axis - len(before)
    if -from_end <= len(after) and after[from_end] == length and len(after) > len(before):
        return span._replace(axis=from_end + len(after))
    for i, size in enumerate(after):
        if size == length and math.prod(after[:i]) == math.prod(before[:axis]):
            return span._replace(axis=i)
    return None


def _order(node: GraphNode, rank: int) -> list[int]:
    """For each dimension of the result, which dimension of the input it was."""
    order = list(range(rank))
    if node.op == "transpose":
        a, b = node.params["dim0"] % rank, node.params["dim1"] % rank
        order[a], order[b] = order[b], order[a]
        return order
    if "dims" in node.params:
        return [dim % rank for dim in node.params["dims"]]
    return order


def _tuple(value: object) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,) if isinstance(value, int) else ()


def _picked(node: GraphNode, span: Span) -> Span | None:
    """What an index leaves of time: a step, some steps, or all."""
    index = node.params["index"]
    index = index if isinstance(index, tuple) else (index,)
    axis, before = span.axis or 0, 0
    if "..." in index:
        index = index[: index.index("...")]
    for i, item in enumerate(index):
        if i == axis:
            return _at(item, span, before)
        if isinstance(item, str) and ":" in item:
            before += 1
        elif not isinstance(item, int):
            return None
    return span._replace(axis=axis - (len(index) - before) if len(index) <= axis else axis)


def _at(item: object, span: Span, axis: int) -> Span | None:
    if isinstance(item, int) and not isinstance(item, bool):
        return Span(None, (span.steps[item],), span.loop)
    if isinstance(item, str) and ":" in item:
        parts = [int(part) if part else None for part in item.split(":")]
        return Span(axis, span.steps[slice(*parts)], span.loop)
    return None
