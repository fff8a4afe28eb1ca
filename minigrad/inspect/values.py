"""What the parts of a model compute, in numbers."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from .. import backend
from ..graph import align
from ..op import Event
from .costs import scope_of
from .observer import Observer


@dataclass
class Moments:
    """Running statistics of numbers: of the finite ones, and how many were not."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    zeros: int = 0
    nonfinite: int = 0

    def add(self, array: Any) -> None:
        """Take in an array."""
        xp = backend.xp(array)
        finite = array[xp.isfinite(array)].astype(xp.float64)
        self.nonfinite += int(array.size - finite.size)
        if finite.size:
            self.count += int(finite.size)
            self.total += float(finite.sum())
            self.squares += float((finite * finite).sum())
            self.low, self.high = min(self.low, float(finite.min())), max(self.high, float(finite.max()))
            self.zeros += int((finite == 0).sum())

    @property
    def mean(self) -> float:
        """Their mean."""
        return self.total / self.count if self.count else math.nan

    @property
    def std(self) -> float:
        """Their standard deviation, as a population."""
        return math.sqrt(max(self.squares / self.count - self.mean**2, 0.0)) if self.count else math.nan


class activations(Observer):
    """Collect statistics of what ops compute, by place in the model and op. Printing the object prints a table.

    A place where ``std`` shrinks towards 0 has stopped to tell its inputs apart; ``zeros`` near 100 % after relu are
    dead units; tanh with most values near ±1 is saturated.

    Args:
        ops: names of the ops to look at; all if left out.

    Attributes:
        found: :class:`Moments` by (place, op).

    >>> import minigrad as mg
    >>> with mg.inspect.activations(ops=["relu"]) as seen:
    ...     y = mg.tensor([-1.0, -2.0, 3.0, -4.0]).relu()
    >>> seen.found["", "relu"].zeros
    3
    """

    def __init__(self, ops: Collection[str] | None = None) -> None:
        super().__init__()
        self.found: dict[tuple[str, str], Moments] = {}
        self._ops = ops

    def see(self, event: Event) -> None:
        """Add an op's results to the statistics of their place."""
        if event.phase == "forward" and (self._ops is None or event.op.name in self._ops):
            for array in event.arrays:
                if array.dtype.kind == "f":
                    self.found.setdefault((scope_of(event), event.op.name), Moments()).add(array)

    def to_text(self) -> str:
        """The table, in order of first appearance."""
        rows: list[tuple[Any, ...]] = [("place", "op", "mean", "std", "min", "max", "zeros", "nan/inf")]
        for (place, op), m in self.found.items():
            numbers = [f"{x:.3g}" for x in (m.mean, m.std, m.low, m.high)]
            rows.append((place or "-", op, *numbers, f"{m.zeros / max(m.count, 1):.0%}", m.nonfinite))
        return align(rows, right=range(2, 8))

    __str__ = to_text
