"""Figures over many steps."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Meter:
    """The mean loss of what was seen, weighted by the real items in it, and how its gradients were clipped.

    >>> meter = Meter()
    >>> meter.see(2.0, 30)
    >>> meter.see(4.0, 10)
    >>> meter.figures()
    {'loss': 2.5}
    """

    total: float = 0.0
    count: float = 0
    seconds: float = 0.0
    steps: int = 0
    norms: float = 0.0
    largest: float = 0.0
    clipped: int = 0

    def see(self, loss: float, count: float) -> None:
        """A batch: its mean loss, and over how many items that is the mean."""
        self.total += loss * count
        self.count += count

    def clip(self, norm: float, limit: float) -> None:
        """A step: the norm of its gradients before they were clipped to ``limit``."""
        self.steps += 1
        self.norms += norm
        self.largest = max(self.largest, norm)
        self.clipped += norm > limit

    def figures(self) -> dict[str, float]:
        """The mean loss, and what else is known.

        That is, where gradients are clipped, the mean and the largest norm, and the share of steps with a norm beyond
        the limit; and the speed, where seconds were counted.
        """
        figures = {"loss": self.total / self.count if self.count else math.nan}
        if self.steps:
            figures["norm"], figures["largest_norm"] = self.norms / self.steps, self.largest
            figures["clipped"] = self.clipped / self.steps
        if self.seconds:
            figures["items_per_second"] = round(self.count / self.seconds, 1)
        return figures
