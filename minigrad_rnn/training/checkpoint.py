"""Where a training run stands, and writing that down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import minigrad as mg

from .history import Log, Report
from .meter import Meter

LAST, BEST, LOG = "last.safetensors", "best.safetensors", "log.jsonl"  # what is left in the folder of a run


@dataclass
class Progress:
    """Where a run stands between two steps: with the parameters and the state of the optimiser, all there is to know.

    Attributes:
        epoch: epochs finished.
        position: batches taken from the data in the epoch that has begun.
        step: steps of the optimiser.
        carried: the recurrent state.
        rng: the state of the random generator now; ``epoch_rng``, ``data`` and ``validation`` are those of it, of the
            data and of the validation's when the epoch began, so that their orders can be drawn once more.
        meter, recent: figures of the epoch so far, and since the last line of the log.
        seconds: time spent in training.
        lines: lines in the log.
        records: of the epochs finished.
        waited: epochs since the best.
    """

    epoch: int = 0
    position: int = 0
    step: int = 0
    carried: Any = None
    rng: Any = None
    epoch_rng: Any = None
    data: Any = None
    validation: Any = None
    meter: Meter = field(default_factory=Meter)
    recent: Meter = field(default_factory=Meter)
    seconds: float = 0.0
    lines: int = 0
    records: list[Report] = field(default_factory=list)
    waited: int = 0

    def plain(self) -> dict[str, Any]:
        """As data that can be saved."""
        return {**vars(self), "meter": asdict(self.meter), "recent": asdict(self.recent)}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Progress:
        """The inverse of :meth:`plain`."""
        return cls(**{**plain, "meter": Meter(**plain["meter"]), "recent": Meter(**plain["recent"])})


class RunFolder:
    """The files of a run: the log, the last checkpoint, the best model. Without a path there are none.

    Checkpoints are safetensors files, with what is no array as JSON in their headers; each is replaced only when the
    new one is whole.
    """

    def __init__(self, path: str | Path | None) -> None:
        self.path = None if path is None else Path(path)
        self.log = Log(None)

    def open(self, lines: int, resumed: Path | None) -> None:
        """Begin the log, or go on behind its first lines.

        Raises:
            FileError: the folder cannot be made.
            MinigradError: there is another run, not the one that was resumed.
        """
        if self.path is None or self.log.path is not None:
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise mg.FileError(f"cannot make the folder {self.path}: {error.strerror or error}") from None
        last = self.path / LAST
        if last.exists() and (resumed is None or resumed.resolve() != last.resolve()):
            raise mg.MinigradError(
                f"{self.path} holds another run, which would be lost\n"
                "  hint: resume() goes on with it; or choose another folder"
            )
        self.log = Log(self.path / LOG, lines)

    def save_best(self, model: mg.nn.Module, metadata: Mapping[str, Any]) -> None:
        """Save the model."""
        if self.path is not None:
            mg.save(model, self.path / BEST, metadata)

    def save_last(
        self, model: mg.nn.Module, optimizer: mg.optim.Optimizer, schedules: list[Any], progress: Progress,
        metadata: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Save all that a run needs to go on."""
        if self.path is None:
            return
        progress.lines = self.log.lines
        content = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedules": [schedule.state_dict() for schedule in schedules],
            "progress": progress.plain(),
        }
        mg.save(content, self.path / LAST, metadata)


def read_checkpoint(
    path: Path, model: mg.nn.Module, optimizer: mg.optim.Optimizer, schedules: list[Any]
) -> Progress:
    """Load what :meth:`RunFolder.save_last` saved, in place.

    Raises:
        FileError: there is no such file, or it is no checkpoint, or that of a run with other schedules.
        StateError, OptimError: it is that of another model or another optimiser; the message says what differs.
    """
    content = mg.load(path)
    try:
        progress, states = Progress.of(content["progress"]), content["schedules"]
        if len(states) != len(schedules):
            raise mg.FileError(f"{path} is of a run with {len(states)} schedules, this one has {len(schedules)}")
        model.load_state_dict(content["model"])
        optimizer.load_state_dict(content["optimizer"])
        for schedule, state in zip(schedules, states, strict=True):
            schedule.load_state_dict(state)
    except (KeyError, TypeError, AttributeError) as error:
        raise mg.FileError(f"{path} is no checkpoint of a training run ({error!r})") from None
    mg.set_rng_state(progress.rng)
    return progress
