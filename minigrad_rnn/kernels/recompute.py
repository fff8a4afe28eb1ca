"""The differentiable rule of a fused sequence: its gradient with the graph of that gradient."""

from __future__ import annotations

from typing import Any

import minigrad as mg

from ..cells import Recurrence, Weights
from ..cells.unroll import Running, unroll


def recompute(
    recurrence: Recurrence,
    known: tuple[str, ...],
    g: Any,
    inputs: tuple[Any, ...],
    needs: tuple[bool, ...],
    reverse: bool,
    running: Running | None,
) -> tuple[Any, ...]:
    """Run the sequence again op by op and differentiate that, recording it.

    Args:
        recurrence: the equations.
        known: which fields of :class:`Weights` the kernel takes, in order.
        g: the cotangents of the outputs, the parts of the last state and, if the kernel puts them out, the second and
            further parts of the states of every step.
        inputs: all that the kernel takes: ``x``, the parts of the state, the weights, the zones of the parts: tensors,
            or ``None``.
        needs: which of them want a gradient.
        reverse: as in the forward.
        running: likewise.

    Returns:
        The gradients, recorded; ``None`` where none is wanted.
    """
    # Copies stand in for the inputs: one input may have been computed from another, and what flows that way is not
    # this op's share.
    copies = [x.clone() if need else x for x, need in zip(inputs, needs, strict=True)]
    parts = len(recurrence.parts)
    x, state, rest = copies[0], tuple(copies[1 : 1 + parts]), copies[1 + parts :]
    w, zones = Weights.of(known, rest[: len(known)]), tuple(rest[len(known) :])
    every = any(1 + parts + i in g for i in range(parts - 1))
    run = unroll(recurrence, x, state, w, zones, reverse, running, every)
    results = (run.output, *run.last, *run.states[1:])
    reached = [(y, g[i]) for i, y in enumerate(results) if y.requires_grad]
    wanted = [x for x, need in zip(copies, needs, strict=True) if need]
    if not reached:
        return (None,) * len(inputs)
    outputs, cotangents = zip(*reached, strict=True)
    gradients = iter(mg.grad(outputs, wanted, cotangents, create_graph=True, allow_unused=True))
    return tuple(next(gradients) if need else None for need in needs)
