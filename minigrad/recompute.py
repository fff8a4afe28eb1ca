"""Recomputing instead of keeping: backward through a part of a network that has forgotten its insides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import backend
from .call import record, source_of, wrap
from .context import Context, Mode, current, is_grad_enabled
from .edges import Joint
from .engine import propagate
from .errors import GraphError
from .node import Handle, Node, next_number
from .op import Op

Function = Callable[..., Any]


def checkpoint(f: Function, *args: Any) -> Any:
    """``f(*args)``, keeping nothing of what happens inside: backward runs ``f`` again.

    Memory for the inside of one segment at a time is paid for with one more forward. Tensors that ``f`` captured, such
    as the parameters of a module, get their gradients as well, and random numbers come out the same the second time, so
    that dropout agrees. Checkpoints nest, and their gradients can be differentiated again.

    Args:
        f: a function of tensors returning a tensor or a tuple of tensors; it must compute the same when run again.
        args: its arguments: tensors, or anything else.

    >>> import minigrad as mg
    >>> w = mg.tensor(2.0, requires_grad=True)
    >>> y = checkpoint(lambda x: x * w * w, mg.tensor(3.0))
    >>> y.backward()
    >>> w.grad.item()
    12.0
    """
    if not is_grad_enabled():
        return f(*args)
    segment = _Segment(f, args)
    start = next_number()
    result = f(*args)
    outputs = _outputs(result)
    tracked = [y for y in outputs if isinstance(y, Handle) and y._node is not None]
    if not tracked:
        return result
    segment.sources = _sources(tracked, start)
    segment.shapes = [y._data.shape for y in tracked]
    several = len(tracked) > 1
    op = _CHECKPOINTS if several else _CHECKPOINT
    edges = Joint(_rerun, (segment,), [(node, i) for i, node in enumerate(segment.sources)])
    inputs = tuple(source_of(x) if isinstance(x, Handle) else x for x in args)
    given = {source for source in inputs if isinstance(source, Node)}
    captured = tuple(node for node in segment.sources if node not in given)
    arrays = [y._data for y in tracked]
    made = record(op, (*inputs, *captured), edges, {}, tuple(arrays) if several else arrays[0], current())
    fresh = iter(_outputs(made))
    results = tuple(next(fresh) if isinstance(y, Handle) and y._node is not None else y for y in outputs)
    return results if isinstance(result, (tuple, list)) else results[0]


class _Segment:
    """What a checkpoint keeps: the function, its arguments, and what to run it again under."""

    __slots__ = ("args", "context", "f", "generators", "shapes", "sources")

    def __init__(self, f: Function, args: Sequence[Any]) -> None:
        self.f, self.context = f, current()
        self.args = [wrap(x._data, x._node) if isinstance(x, Handle) else x for x in args]
        self.generators = backend.fork_generators()
        self.sources: list[Node] = []
        self.shapes: list[Any] = []

    def run(self) -> list[Any]:
        """The outputs that require a gradient, computed again."""
        with backend.default_device(self.context.device), _Again(self.context), backend.generators(self.generators):
            outputs = [y for y in _outputs(self.f(*self.args)) if isinstance(y, Handle) and y._node is not None]
        if [y._data.shape for y in outputs] != self.shapes:
            raise GraphError(
                f"a checkpointed function gave results of shapes {self.shapes} and then, run again,"
                f" {[y._data.shape for y in outputs]}"
            )
        return outputs


class _Again(Mode):
    """Gradients on, and the scope and device of a forward that is over."""

    __slots__ = ("_then",)

    def __init__(self, then: Context) -> None:
        super().__init__()
        self._then = then

    def change(self, context: Context) -> Context:
        """The context of the forward, with the observers of now."""
        return self._then.but(grad=True, observers=context.observers)


def _rerun(g: Any, segment: Any) -> tuple[Any, ...]:
    """The rule of a checkpoint: run the function again and go back through what that records."""
    create_graph, start = is_grad_enabled(), next_number()
    outputs = segment.run()
    given = [g] if len(outputs) == 1 else [g[i] for i in range(len(outputs))]
    cotangents: dict[Node, Any] = {}
    for y, part in zip(outputs, given, strict=True):
        value = wrap(part) if create_graph and not isinstance(part, Handle) else part
        cotangents[y._node] = cotangents[y._node] + value if y._node in cotangents else value
    grads, _ = propagate(cotangents, create_graph=create_graph, retain_graph=create_graph, since=start)
    return tuple(grads.get(node) for node in segment.sources)


def _outputs(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, (tuple, list)) else (result,)


def _sources(outputs: Sequence[Handle], start: int) -> list[Node]:
    """The nodes older than ``start`` that outputs depend on and that want a gradient, in order of creation."""
    seen = {y._node for y in outputs if y._node is not None}
    waiting, found = list(seen), []
    while waiting:
        node = waiting.pop()
        if node.seq < start:
            found.append(node)
            continue
        for source in node.inputs:
            if isinstance(source, Node) and source.requires_grad and source not in seen:
                seen.add(source)
                waiting.append(source)
    return sorted(found, key=lambda node: node.seq)


class _CheckpointOp(Op):
    """The op of a checkpoint's node: its forward is whatever function was given."""

    def __init__(self, outputs: bool) -> None:
        super().__init__(checkpoint, outputs=outputs)
        self.inputs, self.variadic, self.defaults, self.joint = ["inputs"], True, {}, _rerun
        self.keeps = {_rerun: ("segment",)}

    def kept_inputs(self, node: Node, kept: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ARG002
        """All of them: the function will be run again on them."""
        return ((source, None) for source in node.inputs)


_CHECKPOINT, _CHECKPOINTS = _CheckpointOp(outputs=False), _CheckpointOp(outputs=True)
