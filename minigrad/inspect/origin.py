"""Where detached tensors come from."""

from __future__ import annotations

from ..node import Handle


def part_of(part: Handle, whole: Handle) -> None:
    """Note that a constant was taken out of another one, which ``detach`` may have cut off from a graph.

    Nothing is recorded of what is computed from constants, so that a slice of a detached state would not be known as
    such. :attr:`minigrad.graph.GraphNode.cut_from` tells it then.

    >>> import minigrad as mg
    >>> w = mg.ones(2, requires_grad=True)
    >>> state = (w * 2).detach()
    >>> part = state[0]
    >>> part_of(part, state)
    >>> [node.cut_from for node in mg.graph([w * 2, w * part])]
    [None, (), None, None]
    """
    made = whole._constant
    if part._node is None and whole._node is None and made is not None and made.cut_from:
        part.constant().cut_from = made.cut_from
