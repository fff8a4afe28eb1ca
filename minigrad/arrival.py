"""Where a gradient arrives: hooks, and the ``grad`` of leaves and of results that retain theirs."""

from __future__ import annotations

import threading
from typing import Any

import numpy

from . import backend
from .call import wrap
from .errors import GraphError, ShapeError
from .node import Handle, Node
from .ops.conversion import cast, clone

_adding = threading.Lock()  # two threads may run backward into the same leaves


def own(g: Any, unshared: bool) -> Any:
    """A gradient as a tensor that shares no writable array, neither with another nor with a cotangent passed in."""
    if not isinstance(g, Handle):
        return _tensor(g if unshared else g.copy())
    if g._node is None:
        return _tensor(g._data.copy())
    return wrap(g._data, g._node) if g._node.op is not None else clone(g)


def _tensor(g: Any) -> Any:
    """An array of a pass as a tensor; NumPy makes a 0-d one a scalar at every turn."""
    return wrap(numpy.asarray(g) if isinstance(g, numpy.generic) else g)


def accumulate(node: Node, g: Any, unshared: bool) -> None:
    """Add to the gradient that a node holds: in place, unless one of the two is recorded."""
    with _adding:
        extra = node.ensure_extra()
        held = extra.grad
        if held is None:
            extra.grad = own(g, unshared)
        elif isinstance(g, Handle):
            extra.grad = held + g
        elif held._node is not None or not backend.is_writable(held._data):
            extra.grad = _tensor(held._data + g)
        else:
            held._data += g


def arrive(node: Node, g: Any) -> Any:
    """Run a node's hooks on its gradient, and keep the gradient if it was asked for."""
    extra = node.ensure_extra()
    for hook in list(extra.hooks.values()):
        result = hook(g if isinstance(g, Handle) else _tensor(g))
        if result is not None:
            g = _replaced(node, g, result)
    if extra.retain:
        accumulate(node, g, False)
    return g


def _replaced(node: Node, g: Any, result: Any) -> Any:
    """What a hook returned, in place of the gradient."""
    if not isinstance(result, Handle):
        raise GraphError(f"a hook returns a tensor or None, not {type(result).__name__}")
    array = result._data
    if array.shape != node.shape:
        raise ShapeError(f"a hook returned shape {tuple(array.shape)} for a gradient of {tuple(node.shape)}")
    g = result if isinstance(g, Handle) else array
    return g if array.dtype == node.dtype else cast(g, node.dtype)
