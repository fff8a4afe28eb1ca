"""Looking at the steps of a recurrence while every op is recorded."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import minigrad as mg

from .recurrence import Recurrence, State

Watcher = Callable[[Sequence[str], Sequence[mg.Tensor], Any], None]

_watcher: ContextVar[Watcher | None] = ContextVar("minigrad_rnn_watcher", default=None)


def show(recurrence: Recurrence, state: State, running: Any = None) -> None:
    """Name the parts of the state after a step, and show them to whoever watches.

    By these names drawings and reports know the state among all that a step computes. A tensor that has a name keeps
    it, and one that the step was given and hands on, such as a parameter, is not renamed. What a recurrence with skips
    across time remembers of the past is left out: it is all in the states before.

    Args:
        recurrence: tells the names.
        state: the parts, ``(N, size)``.
        running: which rows have an element at this step, booleans ``(N,)`` on the host; ``None``: all.
    """
    parts = len(state) - bool(recurrence.time_skips)
    names, state = recurrence.names[:parts], state[:parts]
    for name, part in zip(names, state, strict=True):
        if part.requires_grad and not part.is_leaf and part.name is None:
            part.name = name
    watcher = _watcher.get()
    if watcher is not None:
        watcher(names, state, running)


def show_steps(name: str, values: mg.Tensor, running: Any = None) -> None:
    """Show what was computed for all steps at once to whoever watches, as if it had been step by step.

    Args:
        name: what it is.
        values: ``(T, N, size)``.
        running: where there is an element, booleans ``(T, N)`` on the host; ``None``: everywhere.
    """
    watcher = _watcher.get()
    if watcher is not None:
        for t, value in enumerate(values.unbind()):
            with mg.scope(step=t):
                watcher((name,), (value,), None if running is None else running[t])


@contextlib.contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Have ``watcher(names, values, running)`` called for every step that runs inside, in the scope of the step."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


_RUNNING = re.compile(r"(\d+) of (\d+) sequences")


def name_running(here: mg.Tensor, running: Any) -> None:
    """Name the mask of a step where some of the sequences have no element: ``"2 of 3 sequences"``.

    A graph keeps no values; by this name drawings know which steps are empty.
    """
    count = int(running.sum())
    if count < len(running):
        here.name = f"{count} of {len(running)} sequences"


def running_in(name: str | None) -> tuple[int, int] | None:
    """What :func:`name_running` wrote: how many sequences have an element, and how many there are.

    >>> running_in("2 of 3 sequences"), running_in("h")
    ((2, 3), None)
    """
    found = _RUNNING.fullmatch(name or "")
    return None if found is None else (int(found[1]), int(found[2]))
