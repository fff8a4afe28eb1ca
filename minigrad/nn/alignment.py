r"""Sums over all alignments of labels with the steps of a sequence, for connectionist temporal classification.

A label takes any number of steps, and a blank may stand before, between and after labels. With blanks put in,
:math:`S` labels are :math:`2S + 1` states, and an alignment is a way through them: each step it stays, goes on by one,
or leaves out a blank between two different labels (Graves et al. 2006).

Two ops do it, each with one loop over time and everything else in whole arrays. :func:`_forward_scores` has the
logarithms of the sums; softmax over the three ways into a state makes of them the shares that each way has; and
:func:`_carried` carries a gradient back along these shares. What arrives at a state is then the probability of being
there, given the labels. Because a share lies between 0 and 1, nothing overflows, and :func:`_carried` is linear in
what it carries, so its rule is the same op run the other way: derivatives of any order exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..backend import xp
from ..ops import activation, joining, scan, selection
from ..primitive import defvjp, defvjp_joint, primitive

if TYPE_CHECKING:
    from ..tensor import Tensor

NEVER = -1e30  # logarithm of nothing: far below any sum of scores, and finite, so that differences are no NaN


@primitive
def _forward_scores(emissions: Any, skips: Any, /) -> Tensor:
    r""":math:`\alpha_{t,s} = e_{t,s} + \ln(e^{\alpha_{t-1,s}} + e^{\alpha_{t-1,s-1}} + e^{\alpha_{t-1,s-2}})`.

    Args:
        emissions: the log-probability of the label of each state, ``(T, N, S)``.
        skips: whether a state may be entered from the one before the last, ``(N, S)``.

    Returns:
        ``(T + 1, N, S)``; the first row stands before the first step and is 0 in state 0, which may be left at once.
    """
    steps, rows, states = emissions.shape
    module = xp(emissions)
    out = module.full((steps + 1, rows, states + 2), NEVER, dtype=emissions.dtype)  # two states in front, never reached
    out[0, :, 2] = 0
    barred = module.broadcast_to(module.where(skips, 0, NEVER).astype(emissions.dtype), (rows, states))
    for t in range(steps):
        stay, step, skip = out[t, :, 2:], out[t, :, 1:-1], out[t, :, :-2] + barred
        top = module.maximum(module.maximum(stay, step), skip)
        total = module.exp(stay - top)
        total += module.exp(step - top)
        total += module.exp(skip - top)
        top += module.log(total)
        module.add(top, emissions[t], out=out[t + 1, :, 2:])
    return out[:, :, 2:]


@primitive
def _carried(shares: Any, values: Any, /, reverse: bool) -> Tensor:
    r""":math:`y_{t,s} = v_{t,s} + \sum_{k<3} w_{k,t,s}\, y_{t-1,s-k}`, or its transpose if ``reverse``.

    Args:
        shares: :math:`w`, what each of the ways into a state carries, ``(3, T, N, S)``.
        values: :math:`v`, ``(T + 1, N, S)``.
        reverse: run from the last step to the first.
    """
    steps, rows, states = shares.shape[1:]
    out = xp(values).zeros((steps + 1, rows, states + 2), dtype=values.dtype)
    out[:, :, 2:] = values
    to_come = range(steps - 1, -1, -1) if reverse else range(steps)
    for t in to_come:
        before, after = out[t], out[t + 1]
        if reverse:
            parts = shares[:, t] * after[:, 2:]
            before[:, 2:] += parts[0]
            before[:, 1:-1] += parts[1]
            before[:, :-2] += parts[2]
        else:
            after[:, 2:] += shares[0, t] * before[:, 2:]
            after[:, 2:] += shares[1, t] * before[:, 1:-1]
            after[:, 2:] += shares[2, t] * before[:, :-2]
    return out[:, :, 2:]


def _sources(states: Any, fill: float) -> tuple[Any, Any, Any]:
    """For each state what the three ways into it come from: itself, the one before, and the one before that."""
    before = scan._shift(states, -1, False, fill)
    return states, before, scan._shift(before, -1, False, fill)


def _forward_scores_rule(g: Any, skips: Any, out: Any) -> Any:
    stay, step, skip = _sources(out[:-1], NEVER)
    shares = activation.softmax(joining.stack([stay, step, selection.where(skips, skip, NEVER)]), 0)
    return _carried(shares, g, True)[1:]


defvjp(_forward_scores, emissions=_forward_scores_rule)


@defvjp_joint(_carried)
def _carried_rule(g: Any, shares: Any, out: Any, reverse: bool) -> Any:
    back = _carried(shares, g, not reverse)
    before, after = (back, out) if reverse else (out, back)
    return joining.stack([after[1:] * source for source in _sources(before[:-1], 0.0)]), back
