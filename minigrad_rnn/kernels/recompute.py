"""The differentiable rule of a fused sequence: its gradient with the graph of that gradient."""

from __future__ import annotations

from typing import Any

import minigrad as mg

from ..cells import Recurrence, Weights
from ..cells.unroll import Lengths, unroll


def recompute(
    recurrence: Recurrence,
    g: Any,
    inputs: tuple[Any, ...],
    needs: tuple[bool, ...],
    reverse: bool,
    lengths: Lengths | None,
) -> tuple[Any, ...]:
    """Run the sequence again op by op and differentiate that, recording it.

    Args:
        recurrence: the equations.
        g: the cotangents of the outputs and the parts of the state.
        inputs: ``x``, the parts of the state, the weights: tensors, or ``None``.
        needs: which of them want a gradient.
        reverse: as in the forward.
        lengths: likewise.

    Returns:
        The gradients, recorded; ``None`` where none is wanted.
    """
    # Copies stand in for the inputs: one input may have been computed from another, and what flows that way is not
    # this op's share.
    copies = [x.clone() if need else x for x, need in zip(inputs, needs, strict=True)]
    parts = 1 + len(recurrence.parts)
    w = Weights(*copies[parts:])
    run = unroll(recurrence, copies[0], tuple(copies[1:parts]), w, reverse=reverse, running=lengths)
    results = (run.output, *run.last)
    reached = [(y, g[i]) for i, y in enumerate(results) if y.requires_grad]
    wanted = [x for x, need in zip(copies, needs, strict=True) if need]
    if not reached:
        return (None,) * len(inputs)
    outputs, cotangents = zip(*reached, strict=True)
    gradients = iter(mg.grad(outputs, wanted, cotangents, create_graph=True, allow_unused=True))
    return tuple(next(gradients) if need else None for need in needs)
