"""The fused path: which kernel runs a recurrence, or why none does."""

from __future__ import annotations

import functools

import minigrad as mg

from ..cells import GRURecurrence, LSTMRecurrence, Noise, Recurrence, RNNRecurrence, State, Weights
from ..cells.noise import Zones
from ..cells.unroll import Run, Running, unroll
from ..kernels import gru_sequence, lstm_sequence, rnn_sequence

PLAIN = {LSTMRecurrence: set(), GRURecurrence: {"reset_after", "update_gate"}, RNNRecurrence: {"nonlinearity"}}


@functools.lru_cache(256)
def why_not(recurrence: Recurrence, noise: Noise) -> str | None:
    """Why a recurrence has no kernel; ``None`` if it has one."""
    if noise.zoneout or noise.variational:
        return "the kernel does not know zoneout"
    known = PLAIN.get(type(recurrence))
    if known is None:
        return f"{recurrence.title} has no kernel"
    for option in recurrence.changed():
        if option.split("=")[0] not in known | {"init", "forget_bias"}:
            return f"the kernel does not know {option}"
    if getattr(recurrence, "nonlinearity", "tanh") not in ("tanh", "relu"):
        return "the kernel does not know the nonlinearity"
    return None


def fused(
    recurrence: Recurrence,
    x: mg.Tensor,
    state: State,
    w: Weights,
    zones: Zones = (),
    reverse: bool = False,
    running: Running | None = None,
    every: bool = False,
) -> Run:
    """As :func:`~minigrad_rnn.cells.unroll.unroll`, in one op."""
    if every:  # the kernels put out no cells
        return unroll(recurrence, x, state, w, zones, reverse, running, every)
    if isinstance(recurrence, RNNRecurrence):
        output, *last = rnn_sequence(x, *state, *w[:4], recurrence.nonlinearity, reverse, running)[:2]
    elif isinstance(recurrence, GRURecurrence):
        keep = _tracked(x, *state, *w[:4])
        conventions = (recurrence.reset_after, recurrence.update_gate)
        output, *last = gru_sequence(x, *state, *w[:4], *conventions, reverse, running, keep)[:2]
    else:
        output, *last = lstm_sequence(x, *state, *w[:5], reverse, running, _tracked(x, *state, *w[:5]))[:3]
    return Run(output, tuple(last))


def _tracked(*tensors: mg.Tensor | None) -> bool:
    """Whether an op on these tensors would be recorded."""
    return mg.is_grad_enabled() and any(x.requires_grad for x in tensors if x is not None)
