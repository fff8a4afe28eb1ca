"""What the nodes of a recorded graph computed, found again.

A node knows its inputs and not its result, and no tensor either: a graph would be kept alive by what it made. But most
results are still there, because rules keep them for backward or because somebody holds the tensor; the others follow
from these by running their op once more.
"""

from __future__ import annotations

import gc
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy

from .. import backend
from ..call import general_call, plain_call, wrap
from ..context import Context, Mode
from ..edges import OUTPUT, kept_by_rules
from ..errors import GraphError
from ..graph import numbered
from ..node import Handle, Leaf, Node, location
from ..op import REGISTRY


def results(roots: Sequence[Handle]) -> Iterator[tuple[int, Any]]:
    """The number of each node and its array: a tuple of them for an op with several outputs; ``None``: it is lost.

    Lost is what only a tensor held that is gone, and what depends on that. Arrays that had to be computed again are
    dropped as soon as nothing needs them any more.

    Raises:
        GraphError: a leaf was changed since, so that its old values are nowhere.
    """
    ids = numbered([root._node for root in roots if root._node is not None])
    known = {root._node: root._data for root in roots if root._node is not None}
    for node in ids:
        known.update(_kept(node))
    known.update(_held({node for node in ids if node.op is None and node not in known}))
    needed = Counter(x for node in ids for x in _sources(node))
    _check_unchanged(ids)
    with _Aside(), numpy.errstate(all="ignore"):
        for node, number in ids.items():
            if node not in known and node.op is not None:
                known[node] = _again(node, known)
            yield number, known.get(node)
            for source in _sources(node):
                needed[source] -= 1
                if not needed[source]:
                    known.pop(source, None)


def _sources(node: Node) -> Iterator[Node]:
    """The nodes of a graph that an op's inputs come from."""
    for x in node.inputs:
        if isinstance(x, Node):
            yield x.inputs[0] if x.op is OUTPUT else x


def _kept(node: Node) -> Iterator[tuple[Node, Any]]:
    """What the rules of a node keep of inputs and output."""
    if node.op is None or not node.edges:
        return
    rules = kept_by_rules(node.edges)
    yield from ((source, array) for source, array in node.op.kept_inputs(node, rules) if array is not None)
    for rule, values in rules:
        yield from ((node, value) for name, value in zip(node.op.keeps[rule], values, strict=True) if name == "out")


def _held(leaves: set[Node]) -> dict[Any, Any]:
    """The arrays of leaves whose tensors are alive. The leaves do not know their tensors: all objects are looked at."""
    if not leaves:
        return {}
    found: list[Any] = [x for x in gc.get_objects() if issubclass(type(x), Handle)]  # isinstance asks what x says it is
    return {leaf: x._data for x in found for leaf in (x._node, x._constant) if leaf in leaves}


def _again(node: Node, known: Mapping[Any, Any]) -> Any:
    """What an op gives for inputs that are known, or ``None``."""
    op = node.op
    if op is None or REGISTRY.get(op.name) is not op:  # a checkpoint, whose function is not to be run for a picture
        return None
    inputs = [_value(x, known) if isinstance(x, Node) else x for x in node.inputs]
    if any(value is None and x is not None for value, x in zip(inputs, node.inputs, strict=True)):
        return None
    call = plain_call(op) or general_call(op)
    arrays = [wrap(value) if isinstance(x, Node) else value for value, x in zip(inputs, node.inputs, strict=True)]
    made = call(*arrays, **node.params)
    return tuple([part._data for part in made]) if op.outputs else made._data


def _value(node: Node, known: Mapping[Any, Any]) -> Any:
    if node in known or node.op is not OUTPUT:
        return known.get(node)
    several = known.get(node.inputs[0])
    return None if several is None else several[node.params["index"]]


class _Aside(Mode):
    """Recorded by nobody and seen by nobody."""

    def change(self, context: Context) -> Context:
        return context.but(grad=False, observers=())


def _check_unchanged(ids: Mapping[Node, int]) -> None:
    last = max((node.seq for node in ids if node.op is not None), default=0)
    for leaf in ids:
        if isinstance(leaf, Leaf) and leaf.last_changed().changed > last:
            line = location(*leaf.last_changed().changed_at)
            raise GraphError(
                f"draw: the values of this graph are gone: {leaf.name or 'a leaf'} was changed at {line} since\n"
                "  hint: draw before the optimiser's step, or hand over a function, draw(lambda: loss(model(x)), ...)"
            )


# ---- what is told of them ------------------------------------------------------------------------------------------


def norm(arrays: Any) -> float:
    """The Euclidean norm, in a type that does not overflow when it is squared: one number comes from the device."""
    return math.sqrt(sum(float((wide * wide).sum()) for wide in (x.astype("float64") for x in _several(arrays))))


def flaws(arrays: Any) -> tuple[int, int, int]:
    """How many elements are NaN, how many infinite, and how many there are."""
    nan = infinite = size = 0
    for array in _several(arrays):
        if array.dtype.kind == "f":
            xp = backend.xp(array)
            bad, some = xp.stack([xp.isnan(array).sum(), xp.isinf(array).sum()]).tolist()
            nan, infinite = nan + bad, infinite + some
        size += array.size
    return nan, infinite, size


def _several(arrays: Any) -> tuple[Any, ...]:
    return arrays if isinstance(arrays, tuple) else (arrays,)
