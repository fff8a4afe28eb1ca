"""The backward pass: one loop for every use.

:func:`propagate` walks a graph from its outputs to its leaves and hands each node the sum of what its consumers
report. Nodes are visited by falling creation number, which is a reverse topological order: when a node's turn comes,
everything that used it has been visited already. No recursion, so a graph may be as deep as memory allows; nodes
that no gradient reaches are never looked at.

The rules run on raw arrays. With ``create_graph`` the same rules run on tensors that are re-attached to the nodes
they came from, so that the gradient is itself recorded and can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from typing import Any

from . import backend
from .arrival import accumulate, arrive, own
from .call import wrap
from .context import current, enable_grad, no_grad
from .edges import kept_by_rules
from .errors import GraphError, ShapeError, in_rule, leaf_changed, unused_input, used_twice
from .node import Freed, FreedGraph, Handle, Leaf, Node
from .op import Event
from .ops.broadcast import sum_to
from .ops.conversion import cast
from .reattach import reattach

Cotangents = dict[Node, Any]


def propagate(  # noqa: PLR0915 - one loop, with nothing called that need not be: a call is a tenth of an edge's cost
    cotangents: Cotangents,
    wanted: set[Node] | None = None,
    targets: Iterable[Node] = (),
    create_graph: bool = False,
    retain_graph: bool = False,
    since: int = 0,
) -> tuple[Cotangents, set[Node]]:
    """Push cotangents from outputs back to the leaves.

    Args:
        cotangents: what arrives at each output node: arrays, or tensors with ``create_graph``.
        wanted: visit only these nodes; ``None`` for all.
        targets: inner nodes whose gradients are to be returned too.
        create_graph: record the computation of the gradients.
        retain_graph: keep what the rules kept, for another backward.
        since: a creation number: stop at the nodes that are older.

    Returns:
        The gradients of all leaves and targets reached and of the nodes where it stopped, and those among these nodes
        whose gradient array nobody else holds.
    """
    grads = dict(cotangents)
    owned: set[Node] = set()  # nodes whose gradient is an array made here, free to be added to in place
    reached: Cotangents = {}
    targets = frozenset(targets)
    observers = current().observers
    freed = None if retain_graph else Freed()
    heap = [(-node.seq, node) for node in grads if node.op is not None]
    heapify(heap)
    while heap:
        node = heappop(heap)[1]
        if node.seq < since:
            break
        g = grads.pop(node)
        if node.extra is not None:
            g = arrive(node, g)
            owned.discard(node)  # a hook may have kept it, or replaced it by an array of its own
        if targets and node in targets:
            reached[node] = g
            if wanted is not None and not any(isinstance(x, Node) and x in wanted for x in node.inputs):
                continue
        try:
            edges = node.edges if not create_graph else reattach(node)
            if observers:
                edges = _watched(observers, node, g, edges)
            if node.seq < Leaf.last_change:
                _check_unchanged(node)
            fresh = node.op.fresh and not create_graph and not observers  # type: ignore[union-attr]
            for source, rule, kept in edges:
                if wanted is not None and source not in wanted:
                    continue
                part = rule(g, *kept)
                if part is None:
                    continue
                shape = part.shape
                if shape is not source.shape and shape != source.shape:  # of thousands of outputs it is long
                    part = sum_to(part, source.shape)
                if part.dtype is not source.dtype:
                    part = cast(part, source.dtype)
                if source not in grads:  # the first to arrive is borrowed: it may be somebody else's array
                    grads[source] = part
                    if fresh:
                        owned.add(source)
                    if source.op is not None:
                        heappush(heap, (-source.seq, source))
                elif source in owned:
                    total = grads[source]
                    total += part
                    grads[source] = total
                else:
                    grads[source] = grads[source] + part
                    if not create_graph:
                        owned.add(source)
        except FreedGraph as error:
            raise used_twice(node, str(error)) from None
        except Exception as error:
            raise in_rule(node, error) from error
        if freed is not None:
            node.edges = freed
    grads.update(reached)
    return grads, owned


def _watched(observers: Sequence[Any], node: Node, g: Any, edges: Any) -> list[Any]:
    """Tell observers what arrived at a node, and have its rules tell them what they send on."""
    op: Any = node.op

    def telling(source: Node, rule: Any) -> Any:
        def run(g: Any, *kept: Any) -> Any:
            part = rule(g, *kept)
            for observer in observers:
                observer(Event("rule", op, node, (part,), source))
            return part

        return run

    for observer in observers:
        observer(Event("backward", op, node, (g,)))
    return [(source, telling(source, rule), kept) for source, rule, kept in edges]


def backward(root: Handle, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False) -> None:
    """Accumulate the gradients of ``root`` into the ``grad`` of every leaf it depends on. See ``Tensor.backward``."""
    node = _node_of(root)
    cotangent = _cotangent(root, gradient, create_graph)
    with _mode(create_graph):
        grads, owned = propagate(
            {node: cotangent}, create_graph=create_graph, retain_graph=retain_graph or create_graph
        )
        _run_leaf_hooks(grads, owned)
        for leaf, g in grads.items():
            accumulate(leaf, g, leaf in owned)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    create_graph: bool = False,
    retain_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    r"""Gradients of ``outputs`` with respect to ``inputs``, returned and not stored.

    Computes :math:`\sum_k g_k^T\, \partial y_k / \partial x_i` for each input :math:`x_i`, and walks only the paths
    that lead from an output to an input.

    Args:
        outputs: a tensor or a sequence of tensors.
        inputs: a tensor or a sequence of tensors: leaves or results of ops.
        grad_outputs: the cotangents :math:`g_k`, of the shapes of the outputs; may be left out for outputs of one
            element, where it is 1.
        create_graph: record the computation, so that the results can be differentiated again.
        retain_graph: keep the graph for another backward (always so with ``create_graph``).
        allow_unused: give ``None`` for an input that the outputs do not depend on, instead of raising.

    Returns:
        A tuple with a tensor for each input, of its shape and dtype.

    Raises:
        GraphError: an output that does not require a gradient, or an input that the outputs do not depend on.

    >>> import minigrad as mg
    >>> x = mg.tensor(3.0, requires_grad=True)
    >>> (dy,) = mg.grad(x ** 3, x, create_graph=True)
    >>> mg.grad(dy, x)[0].item()
    18.0
    """
    outputs, inputs = _sequence(outputs, "outputs"), _sequence(inputs, "inputs")
    given = [None] * len(outputs) if grad_outputs is None else _sequence(grad_outputs, "grad_outputs")
    if len(given) != len(outputs):
        raise GraphError(f"grad: {len(outputs)} outputs but {len(given)} grad_outputs")
    targets = [x._node for x in inputs]
    with _mode(create_graph):
        cotangents: Cotangents = {}
        for y, gradient in zip(outputs, given, strict=True):
            node, g = _node_of(y), _cotangent(y, gradient, create_graph)
            cotangents[node] = cotangents[node] + g if node in cotangents else g
        known = [t for t in targets if t is not None]
        wanted = _paths(cotangents, known)
        starts = {node: g for node, g in cotangents.items() if node in wanted}
        grads, owned = propagate(starts, wanted, known, create_graph, retain_graph or create_graph)
        _run_leaf_hooks(grads, owned)
    results: list[Any] = []
    for i, node in enumerate(targets):
        if node is None or node not in grads:
            if not allow_unused:
                raise unused_input(i, node)
            results.append(None)
        else:
            results.append(own(grads[node], node in owned))
            owned.discard(node)  # the same input may be asked for twice
    return tuple(results)


def _run_leaf_hooks(grads: Cotangents, owned: set[Node]) -> None:
    """Run the hooks of the leaves, whose gradients are complete now."""
    for leaf, g in grads.items():
        if leaf.op is None and leaf.extra is not None and leaf.extra.hooks:
            grads[leaf] = arrive(leaf, g)
            owned.discard(leaf)


def _mode(create_graph: bool) -> Any:
    return enable_grad() if create_graph else no_grad()


def _paths(starts: Iterable[Node], targets: Sequence[Node]) -> set[Node]:
    """The nodes that lie on a path from one of ``starts`` to one of ``targets``."""
    lowest = min((t.seq for t in targets), default=0)
    seen, stack = set(starts), list(starts)
    while stack:
        for source in stack.pop().inputs:
            if isinstance(source, Node) and source not in seen and source.seq >= lowest:
                seen.add(source)
                stack.append(source)
    wanted = set(targets)
    for node in sorted(seen, key=lambda n: n.seq):
        if any(source in wanted for source in node.inputs if isinstance(source, Node)):
            wanted.add(node)
    return wanted & seen


def _cotangent(y: Handle, gradient: Any, create_graph: bool) -> Any:
    data = y._data
    if gradient is None:
        if data.size != 1:
            raise GraphError(
                f"backward of a tensor of shape {tuple(data.shape)} needs a gradient of that shape: it computes"
                " gradient^T J, a vector times the Jacobian\n"
                "  hint: reduce to a number first, y.sum().backward(), or pass y.backward(gradient=...)"
            )
        g = backend.xp(data).ones_like(data)
    else:
        g = gradient._data if isinstance(gradient, Handle) else backend.xp(data).asarray(gradient, dtype=data.dtype)
        if g.shape != data.shape:
            raise ShapeError(f"the gradient has shape {tuple(g.shape)}, the tensor {tuple(data.shape)}")
        if g.dtype != data.dtype:
            g = g.astype(data.dtype)
    if not create_graph:
        return g
    if isinstance(gradient, Handle):
        return gradient if gradient._data is g else cast(gradient, data.dtype)
    return wrap(g)


def _check_unchanged(node: Node) -> None:
    """Refuse to differentiate a node that kept the array of a leaf, or a view of it, which has been changed since."""
    assert node.op is not None  # noqa: S101 - leaves are never visited
    for source, array in node.op.kept_inputs(node, kept_by_rules(node.edges)):
        leaf = _leaf_under(source, array)
        if leaf is not None and leaf.last_changed().changed > node.seq:
            raise leaf_changed(leaf, node)


def _leaf_under(source: Any, array: Any) -> Leaf | None:
    """The leaf that an input is, or that its array is a view of."""
    while isinstance(source, Node) and source.op is not None:
        if not source.op.views or (array is not None and array.base is None):
            return None
        source = source.inputs[0]
    return source if isinstance(source, Leaf) else None


def _node_of(y: Any) -> Node:
    if not isinstance(y, Handle):
        raise GraphError(f"backward starts from a tensor, not from {type(y).__name__}")
    if y._node is None:
        raise GraphError(
            "this tensor does not require a gradient: no op recorded it\n"
            "  hint: was every input made without requires_grad=True, or did it run under no_grad() or after detach()?"
        )
    return y._node


def _sequence(value: Any, what: str) -> list[Any]:
    values = [value] if isinstance(value, Handle) else list(value)
    for v in values:
        if not isinstance(v, Handle) and not (what == "grad_outputs"):
            raise GraphError(f"grad: {what} must be tensors, got {type(v).__name__}")
    return values
