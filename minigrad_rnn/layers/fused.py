"""The fused path: which kernel runs a recurrence, or why none does."""

from __future__ import annotations

import functools
from typing import Any

import minigrad as mg

from ..cells import NONLINEARITIES, GRURecurrence, LSTMRecurrence, Recurrence, RNNRecurrence, State, Weights
from ..cells.noise import Zones
from ..cells.unroll import Run, Running
from ..kernels import gru_sequence, lstm_sequence, rnn_sequence
from ..kernels.gru_parts import KNOWN as GRU_KNOWN
from ..kernels.lstm_parts import KNOWN as LSTM_KNOWN
from ..kernels.rnn import KNOWN as RNN_KNOWN

KERNELS: dict[type[Recurrence], tuple[Any, tuple[str, ...]]] = {  # each with the fields of Weights that it takes
    LSTMRecurrence: (lstm_sequence, LSTM_KNOWN),
    GRURecurrence: (gru_sequence, GRU_KNOWN),
    RNNRecurrence: (rnn_sequence, RNN_KNOWN),
}
NONE = {
    "batch_norm": "batch_norm couples the sequences of a batch at every step, for which there is no kernel",
    "time_skips": "time_skips look back more than one step, for which there is no kernel",
}


def why_not(recurrence: Recurrence) -> str | None:
    """Why a recurrence has no kernel; ``None`` if it has one."""
    if type(recurrence) not in KERNELS:  # not cached: the cache would keep somebody's cell alive
        return f"{recurrence.title} has no kernel"
    return _lacking(recurrence)


@functools.lru_cache(256)
def _lacking(recurrence: Recurrence) -> str | None:
    for option, reason in NONE.items():
        if getattr(recurrence, option):
            return reason
    for option in ("nonlinearity", "gate_nonlinearity", "output_nonlinearity"):
        name = getattr(recurrence, option, "tanh")
        if NONLINEARITIES[name].slope is None:
            return f"{option}={name!r}: its value does not tell its derivative, and a kernel keeps values only"
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
    kernel, known = KERNELS[type(recurrence)]
    inputs, parts = _inputs(recurrence, x, state, w, known, zones), len(recurrence.parts)
    cells = (every,) if parts > 1 else ()  # all h are the outputs themselves
    output, *rest = kernel(*inputs, recurrence, reverse, running, _tracked(inputs), *cells)
    return Run(output, tuple(rest[:parts]), (output, *rest[parts : 2 * parts - 1]) if every else ())


def _inputs(
    recurrence: Recurrence, x: mg.Tensor, state: State, w: Weights, known: tuple[str, ...], zones: Zones
) -> tuple[Any, ...]:
    """All that a kernel takes, of the weights those that it knows."""
    unknown = [name for name, value in w._asdict().items() if value is not None and name not in known]
    if unknown:
        raise NotImplementedError(f"the kernel of {recurrence.title} knows no {', '.join(unknown)}")
    return x, *state, *[getattr(w, name) for name in known], *(zones or (None,) * len(recurrence.parts))


def _tracked(tensors: tuple[mg.Tensor | None, ...]) -> bool:
    """Whether an op on these tensors would be recorded."""
    return mg.is_grad_enabled() and any(x.requires_grad for x in tensors if x is not None)
