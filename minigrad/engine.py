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
from .context import current, enable_grad, no_grad
from .errors import GraphError, MinigradError, ShapeError
from .node import Freed, FreedGraph, Handle, Leaf, Node
from .ops.broadcast import sum_to
from .ops.conversion import cast, clone
from .primitive import Event, reattach, wrap

Cotangents = dict[Node, Any]


def propagate(
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
    try:
        while heap:
            node = heappop(heap)[1]
            if node.seq < since:
                break
            g = grads.pop(node)
            if node.extra is not None:
                g = _arrive(node, g)
                owned.discard(node)  # a hook may have kept it, or replaced it by an array of its own
            if node in targets:
                reached[node] = g
                if wanted is not None and wanted.isdisjoint(node.inputs):
                    continue
            edges = node.edges if not create_graph else reattach(node)
            if observers:
                edges = _watched(observers, node, g, edges)
            if node.seq < Leaf.last_change:
                _check_unchanged(node)
            for source, rule, kept in edges:
                if wanted is not None and source not in wanted:
                    continue
                part = rule(g, *kept)
                if part is None:
                    continue
                if part.shape != source.shape:
                    part = sum_to(part, source.shape)
                if part.dtype is not source.dtype:
                    part = cast(part, source.dtype)
                if source not in grads:  # the first to arrive is borrowed: it may be somebody else's array
                    grads[source] = part
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
            if freed is not None:
                node.edges = freed
    except FreedGraph as error:
        raise _used_twice(node, error) from None
    except Exception as error:
        raise _in_rule(node, error) from error
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
            _accumulate(leaf, g, leaf in owned)


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
        for y, g in zip(outputs, given, strict=True):
            node, g = _node_of(y), _cotangent(y, g, create_graph)
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
                raise _unused(i, node)
            results.append(None)
        else:
            results.append(_own(grads[node], node in owned))
            owned.discard(node)  # the same input may be asked for twice
    return tuple(results)


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


def _own(g: Any, unshared: bool) -> Any:
    """A gradient as a tensor that shares no writable array, neither with another nor with a cotangent passed in."""
    if not isinstance(g, Handle):
        return wrap(g if unshared else g.copy())
    if g._node is None:
        return wrap(g._data.copy())
    return wrap(g._data, g._node) if g._node.op is not None else clone(g)


def _accumulate(leaf: Node, g: Any, unshared: bool) -> None:
    """Add to the gradient of a leaf: in place, unless one of the two is recorded."""
    extra = leaf.ensure_extra()
    held = extra.grad
    if held is None:
        extra.grad = _own(g, unshared)
    elif isinstance(g, Handle):
        extra.grad = held + g
    elif held._node is not None or not backend.is_writable(held._data):
        extra.grad = wrap(held._data + g)
    else:
        held._data += g


def _run_leaf_hooks(grads: Cotangents, owned: set[Node]) -> None:
    for leaf, g in grads.items():
        if leaf.op is None and leaf.extra is not None and leaf.extra.hooks:
            grads[leaf] = _arrive(leaf, g)
            owned.discard(leaf)


def _arrive(node: Node, g: Any) -> Any:
    """Run a node's hooks on its gradient, and keep the gradient if it was asked for."""
    assert node.extra is not None
    for hook in list(node.extra.hooks.values()):
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
    if node.extra.retain:
        node.extra.grad = _own(g, False)
    return g


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


def _check_unchanged(node: Node) -> None:
    """Refuse to differentiate a node that kept the array of a leaf which has been changed since."""
    assert node.op is not None
    for position, source in enumerate(node.inputs):
        if isinstance(source, Leaf) and source.changed > node.seq and node.op.keeps_input(position):
            name = f'"{source.name}" ' if source.name else ""
            raise GraphError(
                f"the leaf {name}{tuple(source.shape)} was changed at {source.changed_by} after {node.op.name} used it"
                f" at {node.where()}; its gradient would be wrong\n"
                "  hint: run backward before the update, or compute the result again after it"
            )


def _used_twice(node: Node, error: FreedGraph) -> GraphError:
    assert node.op is not None
    return GraphError(
        f"backward came a second time to {node.op.name}, made at {node.where()}: what its rule needs was freed by the"
        f" backward at {error}\n"
        "  hint: to run backward twice over one graph, give the first one retain_graph=True;\n"
        "        if this is a state carried over from the last chunk of a sequence, cut it there: h = h.detach()"
    )


def _in_rule(node: Node, error: Exception) -> Exception:
    assert node.op is not None
    place = f"  while differentiating {node.op.name}, made at {node.where()}"
    kind = type(error) if isinstance(error, MinigradError) else GraphError
    return kind(f"{error if isinstance(error, MinigradError) else repr(error)}\n{place}")


def _unused(position: int, node: Node | None) -> GraphError:
    if node is None:
        return GraphError(f"grad: input {position} does not require a gradient; make it with requires_grad=True")
    name = f' "{node.name}"' if node.name else ""
    return GraphError(
        f"grad: the outputs do not depend on input {position}{name} {tuple(node.shape)}\n"
        "  hint: pass allow_unused=True to get None for it"
    )
