"""Long sequences of which only the ends are recorded, for drawings that show no more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import minigrad as mg

from .recurrence import Recurrence, State
from .watch import show
from .weights import Weights

_ends: ContextVar[int] = ContextVar("minigrad_rnn_ends", default=0)

Steps = Sequence[tuple[int, mg.Tensor]]


class NotRecordedError(mg.GraphError):
    """A backward pass came to steps that were not recorded."""


@contextlib.contextmanager
def recording_ends(steps: int) -> Iterator[None]:
    """Have long sequences on the unrolled path record so many steps at their beginning and at their end.

    The steps between compute, but record nothing; in the graph a single op, ``passed_over``, stands for them. Results
    are the same. A backward pass raises :class:`NotRecordedError`.
    """
    token = _ends.set(steps)
    try:
        yield
    finally:
        _ends.reset(token)


def ends_of(steps: int) -> int:
    """How many steps of a sequence are to be recorded at either end; 0: all."""
    ends = _ends.get()
    return ends if steps > 2 * ends + 1 else 0


@mg.primitive
def passed_over(before: Any, after: Any, /, steps: int) -> mg.Tensor:  # noqa: ARG001 - what is recorded of the op
    """A part of the state ``after`` so many steps, made of what it was ``before``."""
    result: mg.Tensor = after.copy()
    return result


def _refuse(_: Any) -> Any:
    raise NotRecordedError("the steps in the middle of a long sequence were not recorded, because they are not drawn")


mg.defvjp(passed_over, before=_refuse, after=None)


def ends_recorded(
    recurrence: Recurrence, x: mg.Tensor, state: State, w: Weights, reverse: bool, ends: int
) -> tuple[mg.Tensor, State]:
    """The outputs ``(T, N, features)`` and the last state, with ``ends`` steps recorded at either end."""
    steps = list(enumerate(recurrence.project(x, w).unbind()))[:: -1 if reverse else 1]
    first, state = _run(recurrence, steps[:ends], state, w)
    with mg.no_grad():
        middle, after = _run(recurrence, steps[ends:-ends], state, w)
    passed = len(steps) - 2 * ends
    state = tuple([passed_over(old, new, steps=passed) for old, new in zip(state, after, strict=True)])
    last, state = _run(recurrence, steps[-ends:], state, w)
    pieces = [mg.stack(some[:: -1 if reverse else 1]) for some in (first, middle, last)]
    return mg.concat(pieces[:: -1 if reverse else 1]), state


def _run(recurrence: Recurrence, steps: Steps, state: State, w: Weights) -> tuple[list[mg.Tensor], State]:
    outputs = []
    for t, projected in steps:
        with mg.scope(step=t):
            state = recurrence.advance(projected, state, w)
            show(recurrence, state)
            outputs.append(recurrence.output(state))
    return outputs, state
