"""Which epoch is the best?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import minigrad as mg


@dataclass(frozen=True)
class Monitor:
    """Compares epochs by one of their figures.

    Args:
        name: of the figure; ``None`` for ``"valid_loss"``, and ``"loss"`` where there is no validation.
        mode: ``"min"`` or ``"max"``.

    >>> monitor = Monitor("accuracy", "max")
    >>> monitor.is_best({"accuracy": 0.5}, [{"accuracy": 0.4, "best": True}, {"accuracy": 0.3, "best": False}])
    True
    """

    name: str | None = None
    mode: str = "min"

    def value(self, figures: Mapping[str, Any]) -> float:
        """The figure.

        Raises:
            MinigradError: there is none of this name.
        """
        name = self.name or ("valid_loss" if "valid_loss" in figures else "loss")
        if name not in figures:
            raise mg.MinigradError(f"monitor={name!r}: an epoch has the figures {', '.join(figures)}")
        return float(figures[name])

    def is_best(self, figures: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> bool:
        """Whether an epoch is better than all before; NaN is worse than any number."""
        value = self.value(figures)
        former = [self.value(record) for record in records if record["best"]]
        if not former:
            return True
        if math.isnan(former[-1]):
            return not math.isnan(value)
        return value < former[-1] if self.mode == "min" else value > former[-1]
