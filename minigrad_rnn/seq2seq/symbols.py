"""START and END: what a decoder reads and what it should answer, from the targets as the user has them."""

from __future__ import annotations

from typing import Any

import minigrad as mg

from ..sequences import lengths_to_mask

IGNORED = -100  # the class that cross_entropy passes over


def framed(target: Any, lengths: Any, start: int, end: int | None) -> tuple[mg.Tensor, mg.Tensor]:
    """What the decoder reads, and what it should answer at each step.

    Args:
        target: tokens ``(T, N)`` without START and END.
        lengths: the number of tokens of each target; ``None``: all T. What stands behind the end is not looked at.
        start: the number of START.
        end: the number of END; ``None``: targets do not end by a symbol.

    Returns:
        ``START y_1 ... y_T`` and ``y_1 ... y_T END``, both ``(T + 1, N)``, END standing where each target ends and
        :data:`IGNORED` behind it. Without END, one step less.

    >>> inputs, wanted = framed(mg.tensor([[7, 8], [9, 0]]), [2, 1], start=1, end=2)
    >>> inputs.T.tolist(), wanted.T.tolist()
    ([[1, 7, 9], [1, 8, 2]], [[7, 9, 2], [8, 2, -100]])
    """
    target = target if isinstance(target, mg.Tensor) else mg.tensor(target)
    if target.ndim != 2 or target.dtype.kind not in "iu":
        raise mg.ShapeError(f"the target must be tokens (steps, batch), not {target.dtype} {target.shape}")
    row = {"dtype": target.dtype, "device": target.device}
    steps, batch = target.shape
    first = mg.full((1, batch), start, **row)
    filler = start if end is None else end
    known = None if lengths is None else lengths_to_mask(lengths, steps).to(target.device)
    if known is not None and known.shape != target.shape:
        raise mg.ShapeError(f"{known.shape[1]} lengths for {batch} targets: there must be one for each")
    inputs = target if known is None else mg.where(known, target, filler)
    inputs = mg.concat([first, inputs if end is not None else inputs[:-1]])[: steps + (end is not None)]
    wanted = target if known is None else mg.where(known, target, IGNORED)
    if end is None:
        return inputs, wanted
    if known is None:
        return inputs, mg.concat([wanted, mg.full((1, batch), end, **row)])
    wanted = mg.concat([wanted, mg.full((1, batch), IGNORED, **row)])
    ends = mg.arange(steps + 1, device=target.device).unsqueeze(1) == known.sum(0)
    return inputs, mg.where(ends, end, wanted)
