"""Zoneout, compiled: units that keep their state of the step before; see :mod:`.steps` for the conventions."""

from __future__ import annotations

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
    """

    def __init__(self, sequence: Sequence, zone: Array, first: int = 0) -> None:
        self.zone, self.first = numpy.ascontiguousarray(sequence.ordered(zone)), first
        self.straight = numpy.zeros(zone.shape[1:], sequence.dtype)
        self._hold, self._part = compiled(hold, sequence.dtype), compiled(part, sequence.dtype)
        self._part_all = compiled(part_all, sequence.dtype)

    def __call__(self, t: int, start: int, states: Array) -> None:
        """After step ``t`` of those from ``start`` on, put back what is held."""
        self._hold(t, start, self.zone, self.first, states)

    def part(self, t: int, start: int, at: Array) -> None:
        """Before a step back, add to ``at`` what came straight, and take out what goes on so."""
        self._part(t, start, self.zone, at, self.straight)

    def part_all(self, t: int, start: int, over: Array, arriving: Array, at_h: Array, carry: Array) -> None:
        """Likewise of all that arrives at h, which is added up in ``at_h``."""
        self._part_all(t, start, self.zone, over, arriving, at_h, carry, self.straight)

    def join(self, at: Array) -> None:
        """After the last step back, add what came straight."""
        numpy.add(at, self.straight, out=at)


def held(sequence: Sequence, zone: Array, first: int = 0) -> Held | None:
    """``None`` where nothing is."""
    return None if zone is None else Held(sequence, zone, first)


def hold(t: int, offset: int, zone: Units, first: int, states: NewSteps) -> None:
    """After a step, put back what is held. The state begins at column ``first``, and ``zone`` is ``offset`` longer."""
    _, rows, hidden = zone.shape
    for row in range(rows):
        held = zone[offset + t, row]
        before, after = states[t, row, first : first + hidden], states[t + 1, row, first : first + hidden]
        for u in range(hidden):
            after[u] = before[u] if held[u] else after[u]


def part(t: int, offset: int, zone: Units, at: NewState, straight: NewState) -> None:
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
    t: int,
    offset: int,
    zone: Units,
    over: Flags,
    arriving: NewSteps,
    at_h: NewState,
    carry: NewState,
    straight: NewState,
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
