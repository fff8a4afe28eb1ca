"""The fused path: which kernel runs a recurrence, or why none does."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy

import minigrad as mg

from .. import compiled
from ..cells import NONLINEARITIES, GRURecurrence, LSTMRecurrence, Recurrence, RNNRecurrence, State, Weights
from ..cells.noise import Zones
from ..cells.unroll import Run, Running
from ..kernels import gru_sequence, lstm_sequence, rnn_sequence
from ..kernels.gru_parts import KNOWN as GRU_KNOWN
from ..kernels.lstm_parts import KNOWN as LSTM_KNOWN
from ..kernels.rnn import KNOWN as RNN_KNOWN
from .path import inside_uncompiled

KERNELS: dict[type[Recurrence], tuple[Any, tuple[str, ...]]] = {  # each with the fields of Weights that it takes
    LSTMRecurrence: (lstm_sequence, LSTM_KNOWN),
    GRURecurrence: (gru_sequence, GRU_KNOWN),
    RNNRecurrence: (rnn_sequence, RNN_KNOWN),
}
UNKNOWN = {kind: [name for name in Weights._fields if name not in known] for kind, (_, known) in KERNELS.items()}
NONE = {
    "batch_norm": "batch_norm couples the sequences of a batch at every step, for which there is no kernel",
    "time_skips": "time_skips look back more than one step, for which there is no kernel",
}
COMPILED = {  # what compiled steps know besides the defaults
    (RNNRecurrence, "nonlinearity"): ("tanh", "relu"),
    (GRURecurrence, "update_gate"): ("keep", "new"),
    (LSTMRecurrence, "layer_norm"): (None, "ba", "torch"),
    (GRURecurrence, "layer_norm"): (None, "ba"),
    (RNNRecurrence, "layer_norm"): (None, "ba"),
}
ONLY_FIRST = ("init", "forget_bias")  # how parameters are drawn


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


def why_not_compiled(recurrence: Recurrence, w: Weights) -> str | None:
    """Why a kernel does not compile its steps, as far as it does not depend on a call; ``None`` if it does."""
    if inside_uncompiled():
        return "inside uncompiled()"
    if w.weight_hh.dtype not in compiled.DTYPES or not isinstance(w.weight_hh.data, numpy.ndarray):
        return f"steps are compiled for {compiled.DTYPES[0]} on the CPU"
    if w.weight_hr is not None:
        return "proj_size has no compiled steps"
    return _not_compiled(recurrence) or compiled.lacking()


@functools.lru_cache(256)
def _not_compiled(recurrence: Recurrence) -> str | None:
    for field in dataclasses.fields(recurrence):
        value = getattr(recurrence, field.name)
        if field.name not in ONLY_FIRST and value not in COMPILED.get((type(recurrence), field.name), (field.default,)):
            return f"{field.name}={value!r} has no compiled steps"
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
    """As :func:`~minigrad_rnn.cells.unroll.unroll`, in one op.

    Raises:
        ShapeError: weights, or zones, that do not fit inputs and state.
    """
    kernel, parts = KERNELS[type(recurrence)][0], len(recurrence.parts)
    inputs = _inputs(recurrence, x, state, w, zones)
    cells = (every,) if parts > 1 else ()  # all h are the outputs themselves
    shares = any(zone is not None and not zone.ndim for zone in zones)  # of zoneout in evaluation
    compile = not shares and why_not_compiled(recurrence, w) is None and _alike(inputs)
    output, *rest = kernel(*inputs, recurrence, reverse, running, _tracked(inputs), *cells, compile)
    return Run(output, tuple(rest[:parts]), (output, *rest[parts : 2 * parts - 1]) if every else ())


def _inputs(recurrence: Recurrence, x: mg.Tensor, state: State, w: Weights, zones: Zones) -> tuple[Any, ...]:
    """All that a kernel takes, of the weights those that it knows."""
    _, known = KERNELS[type(recurrence)]
    if unknown := [name for name in UNKNOWN[type(recurrence)] if getattr(w, name) is not None]:
        raise NotImplementedError(f"the kernel of {recurrence.title} knows no {', '.join(unknown)}")
    if (w.bias_ih is None) != (w.bias_hh is None):
        w = _both_biases(w)
    weights = [getattr(w, name) for name in known]
    _check(recurrence, x, [part.shape[-1] for part in state], weights, zones)
    return x, *state, *weights, *(zones or (None,) * len(recurrence.parts))


def _both_biases(w: Weights) -> Weights:
    """The weights with zeros for the one bias of the two that is not there."""
    if w.bias_ih is None:
        return w._replace(bias_ih=mg.zeros_like(w.bias_hh))
    return w._replace(bias_hh=mg.zeros_like(w.bias_ih))


def _check(recurrence: Recurrence, x: mg.Tensor, sizes: list[int], weights: list[Any], zones: Zones) -> None:
    """Refuse other shapes than the equations say: compiled steps would read and write beyond the ends of arrays."""
    steps, batch, inputs = x.shape
    for value, shape in zip(weights, _shapes(recurrence, batch, inputs, *sizes), strict=True):
        if value is not None and value.shape != shape:
            raise _misfit(recurrence, x, sizes, weights)
    for zone, size in zip(zones, sizes, strict=False):
        if zone is not None and zone.shape not in ((), (steps, batch, size)):
            raise mg.ShapeError(f"{recurrence.title}: zones must have shape {(steps, batch, size)}, not {zone.shape}")


@functools.lru_cache(256)
def _shapes(recurrence: Recurrence, batch: int, inputs: int, *sizes: int) -> list[tuple[int, ...] | None]:
    """The shapes of the weights that a kernel takes, for a state of these sizes: of h first, of all units last."""
    _, known = KERNELS[type(recurrence)]
    shapes = recurrence.shapes(inputs, sizes[-1], True, sizes[0])
    shapes["mask_hidden"] = (batch, sizes[0])
    return [shapes.get(name) for name in known]


def _misfit(recurrence: Recurrence, x: mg.Tensor, sizes: list[int], weights: list[Any]) -> mg.ShapeError:
    """What is said of the weights whose shapes are not those that they must have."""
    _, known = KERNELS[type(recurrence)]
    told = [
        f"{value.name or name} must have shape {shape}, not {value.shape}"
        for name, value, shape in zip(known, weights, _shapes(recurrence, *x.shape[1:], *sizes), strict=True)
        if value is not None and value.shape != shape
    ]
    state = ", ".join(f"{size} of {part}" for part, size in zip(recurrence.parts, sizes, strict=True))
    return mg.ShapeError(
        f"{recurrence.title}: {'; '.join(told)}\n  the input has {x.shape[-1]} features, and the state {state}"
    )


def _alike(tensors: tuple[mg.Tensor | None, ...]) -> bool:
    """Whether all numbers are of one dtype; integers become of that too."""
    dtypes = {x.dtype for x in tensors if x is not None}
    return len([dtype for dtype in dtypes if dtype.kind == "f"]) == 1


def _tracked(tensors: tuple[mg.Tensor | None, ...]) -> bool:
    """Whether an op on these tensors would be recorded."""
    return mg.is_grad_enabled() and any(x.requires_grad for x in tensors if x is not None)
