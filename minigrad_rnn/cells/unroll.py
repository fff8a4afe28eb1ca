"""A recurrence over a sequence, every op recorded."""

from __future__ import annotations

import numpy

import minigrad as mg

from .recurrence import Recurrence, State, Weights

Lengths = tuple[int, ...]


def alive(lengths: Lengths, steps: int) -> numpy.ndarray[tuple[int, int], numpy.dtype[numpy.bool_]]:
    """Which rows are still running at which step: ``(steps, N)``, on the host."""
    return numpy.arange(steps)[:, None] < numpy.array(lengths, numpy.int64)


def unroll(
    recurrence: Recurrence,
    x: mg.Tensor,
    state: State,
    w: Weights,
    reverse: bool = False,
    lengths: Lengths | None = None,
) -> tuple[mg.Tensor, ...]:
    """Run a recurrence over ``(T, N, input_size)``, each step in a scope ``t=...``.

    Where ``lengths`` says that a row is over, its input is not looked at, its output is zeros and its state stays as
    it is. So the last state is that of the row's last step; and in reverse, where the padding comes first, the state
    is still the initial one when the row's last element is reached.

    Returns:
        The outputs ``(T, N, features)`` and the parts of the last state.
    """
    steps = x.shape[0]
    running = None if lengths is None else mg.tensor(alive(lengths, steps), device=x.device).unsqueeze(-1)
    if running is not None:
        x = mg.where(running, x, 0.0)
    inputs = list(enumerate(recurrence.project(x, w).unbind()))
    outputs = []
    for t, projected in reversed(inputs) if reverse else inputs:
        with mg.scope(step=t):
            after = recurrence.step(projected, state, w)
            if running is None:
                state, output = after, after[0]
            else:
                state = tuple(mg.where(running[t], new, old) for new, old in zip(after, state, strict=True))
                output = mg.where(running[t], after[0], 0.0)
        outputs.append(output)
    if not outputs:
        return (mg.zeros(0, *state[0].shape, dtype=state[0].dtype, device=state[0].device), *state)
    return (mg.stack(outputs[::-1] if reverse else outputs), *state)
