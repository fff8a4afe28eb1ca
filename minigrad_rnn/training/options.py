"""What a training run is told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import minigrad as mg


@dataclass(frozen=True)
class TrainerOptions:
    """How :class:`~minigrad_rnn.training.Trainer` goes about it.

    Args:
        epochs: how often all data are seen.
        clip_norm: the gradients of a step, together, are made no longer than this; see
            :func:`minigrad.optim.clip_grad_norm_`. Left out, they stay as they are, and no norm is reported.
        accumulate: how many batches make one step of the optimiser.
        carry: the loss takes the recurrent state of the batch before, and returns its own; see ``Trainer``.
        patience: stop after so many epochs without a new best. Left out, never.
        monitor: the figure that says which epoch is best, of those in the epoch's record. Left out, ``"valid_loss"``,
            and ``"loss"`` where there is no validation.
        mode: ``"min"`` if that figure is better when it is lower, ``"max"`` if higher.
        schedule_per: ``"epoch"`` or ``"step"``: when the schedules are stepped.
        folder: where the log and the checkpoints go. Left out, nothing is written.
        save_every: steps between checkpoints within an epoch. There is one at the end of every epoch in any case.
        report_every: steps between the lines of the log within an epoch.
        unit: what the counts that the loss returns are counts of, for the progress bar.
        progress: whether to show one.

    Raises:
        MinigradError: a value that makes no sense.
    """

    epochs: int = 10
    clip_norm: float | None = None
    accumulate: int = 1
    carry: bool = False
    patience: int | None = None
    monitor: str | None = None
    mode: str = "min"
    schedule_per: str = "epoch"
    folder: str | Path | None = None
    save_every: int | None = None
    report_every: int = 50
    unit: str = "items"
    progress: bool = True

    def __post_init__(self) -> None:
        for name in ("epochs", "accumulate", "patience", "save_every", "report_every"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise mg.MinigradError(f"TrainerOptions: {name} is a whole number from 1 on, not {value!r}")
        if self.clip_norm is not None and not 0 < self.clip_norm <= math.inf:
            raise mg.MinigradError(f"TrainerOptions: clip_norm is a number above 0, not {self.clip_norm!r}")
        for name, choices in (("mode", ("min", "max")), ("schedule_per", ("epoch", "step"))):
            if getattr(self, name) not in choices:
                told = " or ".join(f'"{choice}"' for choice in choices)
                raise mg.MinigradError(f"TrainerOptions: {name} is {told}, not {getattr(self, name)!r}")
