"""The second reading of a rule: on tensors."""

from __future__ import annotations

from typing import Any

from .call import wrap
from .edges import OUTPUT, Joint
from .node import Freed, Node
from .op import Op


def reattach(node: Node) -> Any:
    """A node's edges with the kept arrays turned back into tensors of the graph.

    Running the rules on these records how the gradient depends on them.
    """
    op = node.op
    if op is None or op is OUTPUT or isinstance(node.edges, Freed):
        return node.edges
    if op.joint is None:
        return [(source, rule, _attach(node, op, op.keeps[rule], kept)) for source, rule, kept in node.edges]
    joint = node.edges
    return Joint(joint.rule, _attach(node, op, op.keeps[joint.rule], joint.kept), joint.sources)


def _attach(node: Node, op: Op, names: tuple[str, ...], kept: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple([_attached(node, op, name, value) for name, value in zip(names, kept, strict=True)])


def _attached(node: Node, op: Op, name: str, value: Any) -> Any:
    """One kept value: a tensor if it is the op's output or one of its inputs, else as it is."""
    if name == "out":
        return value if op.outputs else wrap(value, node)
    if name not in op.inputs:
        return value
    if op.variadic:
        return tuple([_tensor(v, source) for v, source in zip(value, node.inputs, strict=True)])
    return _tensor(value, node.inputs[op.inputs.index(name)])


def _tensor(value: Any, source: Any) -> Any:
    if not isinstance(source, Node):
        return value
    return wrap(value, source if source.requires_grad else None)
