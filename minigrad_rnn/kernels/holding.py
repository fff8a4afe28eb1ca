"""Which units keep the state that they have: zoneout, and rows that are over."""

from __future__ import annotations

from typing import Any

from .batch import Array, Batch


class Holding:
    r"""What one part of the state keeps at each step: with a share s, :math:`h \leftarrow h + s (h_{before} - h)`.

    The share is 0 or 1 for the units of zoneout in training, the probability in evaluation, and 1 in rows that are
    over. On the way back, s times the gradient goes straight to the step before, and the rest through the equations.

    Args:
        batch: tells which rows are over.
        zone: booleans ``(T, N, features)``, or the probability without dims, or ``None`` without zoneout.

    Attributes:
        any: whether anything is held at any step.
    """

    def __init__(self, batch: Batch, zone: Array) -> None:
        self.batch, self.chance, self.units = batch, None, None
        if zone is not None and zone.ndim:
            units = batch.module.ascontiguousarray(batch.ordered(zone).transpose(0, 2, 1))
            self.units = units if batch.over is None else units | batch.over
        elif zone is not None:
            self.chance = zone
        self.any = zone is not None or batch.over is not None

    @property
    def zoned(self) -> bool:
        """Whether zoneout holds anything, and not only the end of a row."""
        return self.units is not None or self.chance is not None

    def stay(self, t: int, after: Array, before: Array) -> None:
        """Make ``after`` what was ``before`` where it is held at step ``t``."""
        module = self.batch.module
        if self.units is not None:
            module.copyto(after, before, where=self.units[t])
            return
        if self.chance is not None:
            after += self.chance * (before - after)
        self.batch.stay(t, after, before)

    def share(self, start: int, stop: int, dtype: Any) -> Array | None:
        """The share of a range of steps, ``(steps, features or 1, N or 1)``; ``None`` where nothing is held."""
        batch = self.batch
        if self.units is not None:
            return self.units[start:stop].astype(dtype)
        pauses = any(batch.pauses[start:stop])
        if self.chance is None:
            return batch.over[start:stop].astype(dtype) if pauses else None
        chances = batch.module.empty((stop - start, 1, 1), dtype)
        chances[...] = self.chance
        return batch.still(chances, start, stop, 1.0) if pauses else chances

    def by_step(self, shares: Array | None, start: int, stop: int) -> list[Array | None]:
        """What :meth:`share` gave, step by step; ``None`` for a step at which nothing is held."""
        if shares is None:
            return [None] * (stop - start)
        if self.zoned:
            return list(shares)
        pauses = self.batch.pauses[start:stop]
        return [share if pause else None for share, pause in zip(shares, pauses, strict=True)]
