"""Where a gradient arrives: hooks, and the ``grad`` of leaves and of results that retain theirs."""

from __future__ import annotations

from typing import Any

from . import backend
from .call import wrap
from .errors import GraphError, ShapeError
from .node import Handle, Node
from .ops.conversion import cast, clone


def own(g: Any, unshared: bool) -> Any:
    """A gradient as a tensor that shares no writable array, neither with another nor with a cotangent passed in."""
    if not isinstance(g, Handle):
        return wrap(g if unshared else g.copy())
    if g._node is None:
        return wrap(g._data.copy())
    return wrap(g._data, g._node) if g._node.op is not None else clone(g)


def accumulate(leaf: Node, g: Any, unshared: bool) -> None:
    """Add to the gradient of a leaf: in place, unless one of the two is recorded."""
    extra = leaf.ensure_extra()
    held = extra.grad
    if held is None:
        extra.grad = own(g, unshared)
    elif isinstance(g, Handle):
        extra.grad = held + g
    elif held._node is not None or not backend.is_writable(held._data):
        extra.grad = wrap(held._data + g)
    else:
        held._data += g


def run_leaf_hooks(grads: dict[Node, Any], owned: set[Node]) -> None:
    """Run the hooks of the leaves, whose gradients are complete now."""
    for leaf, g in grads.items():
        if leaf.op is None and leaf.extra is not None and leaf.extra.hooks:
            grads[leaf] = arrive(leaf, g)
            owned.discard(leaf)


def arrive(node: Node, g: Any) -> Any:
    """Run a node's hooks on its gradient, and keep the gradient if it was asked for."""
    extra = node.ensure_extra()
    for hook in list(extra.hooks.values()):
        result = hook(g if isinstance(g, Handle) else wrap(g))
        if result is not None:
            if not isinstance(result, Handle):
                raise GraphError(f"a hook returns a tensor or None, not {type(result).__name__}")
            array = result._data
            if array.shape != node.shape:
                raise ShapeError(f"a hook returned shape {tuple(array.shape)} for a gradient of {tuple(node.shape)}")
            g = result if isinstance(g, Handle) else array
            if array.dtype != node.dtype:
                g = cast(g, node.dtype)
    if extra.retain:
        extra.grad = own(g, False)
    return g
