"""What each op that uses a tensor adds to the tensor's gradient."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from .. import backend
from ..call import wrap
from ..context import no_grad, observe
from ..edges import OUTPUT
from ..engine import propagate
from ..errors import GraphError
from ..graph import numbered
from ..node import Handle, Node
from ..op import Event
from ..ops.broadcast import sum_to
from ..ops.conversion import cast
from .flow import gradient_flow

Array = Any


@dataclass(frozen=True)
class Use:
    """One op that uses a tensor. Made by :func:`uses`; it holds the op's node, and so the graph behind it.

    Attributes:
        node: the number of the op in the graph.
        gradient: what arrived at its output, an array of that shape (for an op with several outputs, their slots).
    """

    node: int
    gradient: Any
    _op: Node
    _tensor: Node
    _between: frozenset[Node]

    def adds(self, gradient: Array | None = None) -> Any:
        """What the op adds to the gradient of the tensor: the terms of all uses add up to it.

        It is linear in what arrives: the terms of parts of ``gradient`` add up to that of the whole.

        Args:
            gradient: what arrives at the op's output; left out, what did.
        """
        parts: dict[Node, Array] = {}
        with no_grad():
            for source, rule, kept in self._op.edges:
                if _made_by(source) in self._between:
                    part = rule(self.gradient if gradient is None else gradient, *kept)
                    if part is not None:
                        part = _fitted(part, source)
                        parts[source] = parts[source] + part if source in parts else part
            reached, _ = propagate(parts, set(self._between) | set(parts), retain_graph=True)
        tensor = self._tensor
        xp = backend.xp(self.gradient if gradient is None else gradient)
        return wrap(reached[tensor] if tensor in reached else xp.zeros(tensor.shape, tensor.dtype))


def uses(loss: Any, tensor: Any, through: Collection[int] = (), gradient: Any = None) -> list[Use]:
    r"""Run a backward pass, and note what arrives at each op that uses a tensor.

    The gradient of the tensor is the sum of what they add, :math:`\partial L/\partial W = \sum_k
    (\partial y_k/\partial W)^T\, \partial L/\partial y_k`: for a parameter shared by all steps of a loop, a term for
    each. Nothing is accumulated in ``grad``, and the graph can be used again.

    Args:
        loss: a tensor.
        tensor: a leaf that it depends on, or its node.
        through: numbers of ops (as in ``mg.graph(loss)``) that prepare the tensor before it is used: a transposition, a
            mask. What uses their results counts as a use of the tensor, they themselves do not.
        gradient: of the shape of ``loss``; may be left out for a tensor of one element, where it is 1.

    Returns:
        A :class:`Use` for each op that a gradient reaches, in the order in which they ran.

    Raises:
        GraphError: nothing recorded ``loss``, its graph was freed by a backward, ``gradient`` is missing, or ``tensor``
            asks for no gradient.

    >>> import minigrad as mg
    >>> w = mg.tensor(3.0, requires_grad=True)
    >>> [use.adds().item() for use in uses(w * 2.0 + w * w, w)]
    [2.0, 6.0]
    """
    leaf = tensor._node if isinstance(tensor, Handle) else tensor
    if not isinstance(leaf, Node):
        raise GraphError("uses: the second argument is a tensor that requires a gradient")
    arrived: dict[Node, Any] = {}

    def note(event: Event) -> None:
        if event.phase == "backward":
            arrived[event.node] = event.arrays[0]  # type: ignore[index]

    with observe(note):
        flow = gradient_flow(loss, gradient)
    ids = numbered([loss._node])
    through = frozenset(through)
    between = frozenset({leaf, *[node for node, number in ids.items() if number in through]})
    between |= {node for node in arrived if node.op is OUTPUT and node.inputs[0] in between}
    return [
        Use(number, arrived[node], node, leaf, between)
        for node, number in ids.items()
        if number in flow.norms and node in arrived and node not in between
        and any(isinstance(x, Node) and _made_by(x) in between for x in node.inputs)
    ]  # fmt: skip


def _fitted(part: Array, source: Node) -> Array:
    """Summed and cast as the tensor was broadcast and cast, the other way round."""
    part = part if part.shape == source.shape else sum_to(part, source.shape)
    return part if part.dtype == source.dtype else cast(part, source.dtype)


def _made_by(node: Node) -> Node:
    """The node of the op that a node is an output of."""
    made: Node = node.inputs[0] if node.op is OUTPUT else node
    return made
