"""Zoneout, compiled: units that keep their state of the step before; see :mod:`.steps` for the conventions."""

from __future__ import annotations

import functools

import numpy

from .sequence import Array, Sequence
from .steps import Flags, NewState, NewSteps, Units, compiled


class Held:
    """The units of one part of the state that are held, booleans ``(T, N, hidden)``.

    Args:
        zone: in the order of the user.
        first: the column with which the state begins in the arrays that have it.

    Attributes:
        straight: on the way back, what goes from the step before, past everything, to the next.
        hold, part, part_all: the functions below, with what is always the same filled in.
    """

    def __init__(self, sequence: Sequence, zone: Array, first: int = 0) -> None:
        zone, dtype = numpy.ascontiguousarray(sequence.ordered(zone)), sequence.dtype
        self.straight = numpy.zeros(zone.shape[1:], dtype)
        self.hold = functools.partial(compiled(hold, dtype), zone, first)
        self.part = functools.partial(compiled(part, dtype), zone, self.straight)
        self.part_all = functools.partial(compiled(part_all, dtype), zone, self.straight)

    def join(self, at: Array) -> None:
        """After the last step back, add what came straight."""
        numpy.add(at, self.straight, out=at)


def held(sequence: Sequence, zone: Array, first: int = 0) -> Held | None:
    """``None`` where nothing is."""
    return None if zone is None else Held(sequence, zone, first)


def hold(zone: Units, first: int, t: int, offset: int, states: NewSteps) -> None:
    """After step ``t`` of those from ``offset`` on, put back what is held. The state begins at column ``first``."""
    _, rows, hidden = zone.shape
    for row in range(rows):
        held = zone[offset + t, row]
        before, after = states[t, row, first : first + hidden], states[t + 1, row, first : first + hidden]
        for u in range(hidden):
            old, new = before[u], after[u]  # both are read, or the loop would not be vectorised
            after[u] = old if held[u] else new


def part(zone: Units, straight: NewState, t: int, offset: int, at: NewState) -> None:
    """Before a step back, add what came straight to ``at``, and take out what arrives at the held units."""
    _, rows, hidden = zone.shape
    zero = at.dtype.type(0)
    for row in range(rows):
        held, d, past = zone[offset + t, row], at[row], straight[row]
        for u in range(hidden):
            total = d[u] + past[u]
            past[u] = total if held[u] else zero
            d[u] = zero if held[u] else total


def part_all(
    zone: Units,
    straight: NewState,
    t: int,
    offset: int,
    over: Flags,
    arriving: NewSteps,
    at_h: NewState,
    carry: NewState,
) -> None:
    """Likewise of the sum of all that arrives at h, which is left in ``at_h`` alone."""
    _, rows, hidden = zone.shape
    zero = at_h.dtype.type(0)
    for row in range(rows):
        held, d, past, more, d_out = zone[offset + t, row], at_h[row], straight[row], carry[row], arriving[t, row]
        if over[t, row]:
            continue
        for u in range(hidden):
            total = d[u] + more[u] + d_out[u] + past[u]
            past[u] = total if held[u] else zero
            d[u] = zero if held[u] else total
            more[u] = 0
            d_out[u] = 0
