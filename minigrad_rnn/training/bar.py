"""The progress bar."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

from .meter import Meter


class Bar:
    """A bar over the batches of an epoch, with loss and speed: a context manager.

    Args:
        epoch, epochs: which, of how many.
        total: batches in it; ``None`` if that is not known.
        done: batches it begins with.
        unit: what is counted.
        shown: whether there is a bar at all.
    """

    def __init__(self, epoch: int, epochs: int, total: int | None, done: int, unit: str, shown: bool) -> None:
        seldom = 0.5 if sys.stderr.isatty() else 10.0  # seconds; into a file, every update is a line
        self._bar = tqdm(
            total=total, initial=done, desc=f"epoch {epoch}/{epochs}", bar_format=_FORMAT if total else None,
            mininterval=seldom, leave=False, disable=not shown,
        )  # fmt: skip
        self._unit = unit

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.close()

    def show(self, meter: Meter, batches: int) -> None:
        """After a step of so many batches, with the figures of the epoch so far."""
        if self._bar.disable:
            return
        figures: dict[str, Any] = meter.figures()
        speed = f"{figures['items_per_second']:,.0f} {self._unit}/s"
        self._bar.set_postfix_str(f"loss {figures['loss']:.4f}, {speed}", refresh=False)
        self._bar.update(batches)


_FORMAT = "{desc}  {percentage:3.0f}%|{bar:30}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]  {postfix}"
