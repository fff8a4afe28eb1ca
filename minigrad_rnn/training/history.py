"""What a run has to tell: a record for every epoch, and a log file with a line for every report."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import minigrad as mg
from minigrad.files import replace_file

Report = dict[str, Any]


@dataclass
class History:
    """The result of a training run.

    Attributes:
        epochs: for each whole epoch its figures by name: ``epoch``, ``step``, ``loss``, ``valid_loss``, what was
            measured besides, ``lr``, ``norm``, ``clipped``, ``best``, ``seconds``, ...
        reason: why it ended: ``"finished"``, ``"patience"``, or ``"interrupted"`` by Ctrl-C.

    >>> history = History([{"epoch": 1, "loss": 2.0, "best": True}, {"epoch": 2, "loss": 2.5, "best": False}])
    >>> history["loss"], history.best["epoch"], history.stopped
    ([2.0, 2.5], 1, False)
    """

    epochs: list[Report] = field(default_factory=list)
    reason: str = "finished"

    @property
    def stopped(self) -> bool:
        """Whether Ctrl-C ended it."""
        return self.reason == "interrupted"

    @property
    def best(self) -> Report:
        """The record of the best epoch.

        Raises:
            MinigradError: no epoch was finished.
        """
        for record in reversed(self.epochs):
            if record["best"]:
                return record
        raise mg.MinigradError("no epoch was finished, so none is the best")

    def __getitem__(self, name: str) -> list[Any]:
        return [record.get(name) for record in self.epochs]


class Log:
    """A file of JSON lines, one for each report, that anything can read while it grows.

    A line is written in one go. Should the machine stop in the middle of it, :func:`read_log` passes over what is
    there of it.
    """

    def __init__(self, path: Path | None, lines: int = 0) -> None:
        """Begin a log, or go on behind the first ``lines`` of one: what came after a checkpoint will come again."""
        self.path, self.lines = path, 0
        if path is not None:
            kept = path.read_text(encoding="utf-8").splitlines(keepends=True)[:lines] if lines and path.exists() else []
            replace_file(path, "".join(kept))
            self.lines = len(kept)

    def write(self, report: Report) -> None:
        """Add a line. JSON has no NaN and no infinity: they become ``null``.

        Raises:
            FileError: it cannot be written.
        """
        if self.path is None:
            return
        known = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in report.items()}
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(known, allow_nan=False) + "\n")
        except OSError as error:
            raise mg.FileError(f"cannot write {self.path}: {error.strerror or error}") from None
        self.lines += 1


def read_log(path: str | Path) -> list[Report]:
    """The reports in the log of a training run.

    Args:
        path: the log, or the folder that it is in.

    Raises:
        FileError: there is no such file, or it is something else; the message has the number of the line.
    """
    path = Path(path)
    path = path / "log.jsonl" if path.is_dir() else path
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise mg.FileError(f"{path} is no log of a training run: it is not UTF-8 text") from None
    except OSError as error:
        raise mg.FileError(f"cannot read {path}: {error.strerror or error}") from None
    reports: list[Report] = []
    for number, line in enumerate(lines, 1):
        try:
            report = json.loads(line)
            if not isinstance(report, dict) or "step" not in report:
                raise ValueError("a report has a step")
        except ValueError as error:
            if number == len(lines) and reports:
                break  # the end of a log that is being written, or was when the machine stopped
            raise mg.FileError(f"{path} is no log of a training run: line {number}: {error}") from None
        reports.append(report)
    if not reports:
        raise mg.FileError(f"{path} is a log without any report")
    return reports
