"""Which modules run when a model does, and what goes into them and comes out.

The modules are watched through their hooks. Nothing of the model is changed by it: it runs in evaluation mode, where
dropout draws no random numbers and batch normalisation keeps its statistics, and is put back afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..backend import is_array
from ..context import Scope, current, enable_grad
from ..errors import GraphError
from ..graph import numbered
from ..nn import Module
from ..node import FreedGraph, Node, next_number
from ..tensor import Tensor
from .arguments import Given, arguments, mapped, named, tensors_in, tracked


@dataclass
class Call:
    """One call of a module.

    Attributes:
        module: which.
        scope: the scope that it ran in.
        begun: the number of the first node that it may have made.
        fed: its arguments; of those that no recorded op made with where they were seen before (see :attr:`Calls.seen`).
        outputs: tensors that came out.
    """

    module: Module
    scope: Scope | None
    begun: int
    fed: list[tuple[Tensor, tuple[Any, ...]]]
    outputs: list[Tensor]


class Calls:
    """What :func:`calls_of` saw. It holds the graph of the run: use it and let it go.

    Attributes:
        given: the inputs.
        calls: in the order in which they began; a call inside another comes after it.
        returned: the tensors that the model returned.
        seen: by the address of an array's memory, where it came up: a :class:`Given` or a :class:`Call`, the last one
            last. It tells where a tensor comes from that no recorded op made.
    """

    def __init__(self, given: list[Given]) -> None:
        self.given = given
        self.calls: list[Call] = []
        self.returned: list[Tensor] = []
        self.seen: dict[int, list[Any]] = {}
        self._running: list[Call] = []
        self._arrays: list[Any] = []  # held, so that no address comes twice
        for one in given:
            self._note(one.tensor, one)

    def before(self, module: Module, args: tuple[Any, ...]) -> None:
        """A module is about to run: a pre-hook, which sees no keyword arguments; but those of the model are known."""
        entering = tensors_in(args) if self.calls else [one.tensor for one in self.given]
        fed = [(x, self.origins(x)) for x in entering]
        call = Call(module, current().scope, next_number(), fed, [])
        self.calls.append(call)
        self._running.append(call)

    def after(self, module: Module, args: tuple[Any, ...], output: Any) -> Any:  # noqa: ARG002
        """A module has run: a hook. What only passed through is given out as a view, so that it has come from here."""
        call = self._running.pop()
        through = [x for x in tensors_in(output) if x._node is not None and x._node.seq < call.begun]
        changed = current().grad and bool(through)
        if changed:
            output = mapped(output, lambda x: x.reshape(x.shape) if any(x is other for other in through) else x)
        call.outputs = list(tensors_in(output))
        for x in call.outputs:
            self._note(x, call)
        return output if changed else None

    def origins(self, x: Tensor) -> tuple[Any, ...]:
        """Where the memory of a tensor came up so far."""
        return tuple(self.seen.get(id(_owner(x._data)), ()))

    def constants(self) -> dict[Node, tuple[Any, ...]]:
        """The leaves that stand in the graph for what came up without being recorded, with where that was."""
        tensors = [one.tensor for one in self.given] + [x for call in self.calls for x in call.outputs]
        return {x._constant: self.origins(x) for x in tensors if x._constant is not None}

    def _note(self, x: Tensor, place: Any) -> None:
        owner = _owner(x._data)
        self._arrays.append(owner)
        self.seen.setdefault(id(owner), []).append(place)

    def trained(self) -> set[Node]:
        """The nodes of the leaves that a gradient of what was returned reaches."""
        todo: list[Node] = [x._node for x in self.returned if x._node is not None]
        found = set(todo)
        while todo:
            with contextlib.suppress(FreedGraph):
                for source, *_ in todo.pop().edges:
                    if source not in found:
                        found.add(source)
                        todo.append(source)
        return {node for node in found if node.op is None}

    def nodes(self) -> dict[Node, int]:
        """All that was computed on the way to what any module was given or returned, in order."""
        tensors = [*self.returned, *(x for call in self.calls for x in (*call.outputs, *(x for x, _ in call.fed)))]
        return numbered(dict.fromkeys(x._node for x in tensors if x._node is not None))


def calls_of(model: Module, inputs: Any) -> Calls:
    """Run a model, and see which of its modules are called.

    Args:
        model: the outermost module.
        inputs: what to call it with: a tuple of positional arguments, a dictionary of keyword arguments, or the one
            argument.

    Raises:
        GraphError: the inputs cannot be its arguments.
    """
    args, kwargs = tracked(arguments(model, inputs))
    calls = Calls(named(model, args, kwargs))
    with _watched(model, calls), enable_grad():
        try:
            calls.returned = list(tensors_in(model(*args, **kwargs)))
        except (TypeError, AttributeError) as error:
            if calls.given and not isinstance(inputs, list):  # the model's own mistake
                raise
            raise GraphError(
                f"{type(model).__name__} cannot be run on a {type(inputs).__name__}: {error}\n"
                "  hint: hand over the one tensor that it takes, a tuple of positional arguments, or a dictionary of"
                " keyword arguments"
            ) from error
    return calls


@contextlib.contextmanager
def _watched(model: Module, calls: Calls) -> Iterator[None]:
    """The hooks, evaluation mode, and gradients for frozen parameters too, so that what they do is recorded."""
    modules = list(model.modules())
    training = [module for module in modules if module.training]
    frozen = [p for p in model.parameters() if not p.requires_grad and p.dtype.kind == "f"]
    removers: list[Callable[[], None]] = []
    try:
        for module in modules:
            removers += [module.register_forward_pre_hook(calls.before), module.register_forward_hook(calls.after)]
            module.training = False
        for parameter in frozen:
            parameter.requires_grad = True
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad = False
        for module in training:
            module.training = True
        for remove in removers:
            remove()


def _owner(array: Any) -> Any:
    """The array whose memory a view shows."""
    while is_array(base := getattr(array, "base", None)):
        array = base
    return array
