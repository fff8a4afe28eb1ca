"""Models that commands saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import minigrad as mg
from minigrad import nn

from ..training.checkpoint import BEST, LAST
from .task import Task

Model = TypeVar("Model", bound=nn.Module)


def metadata_of(path: Path, name: str, file: str = LAST) -> dict[str, Any]:
    """What the run in a folder, or a file, says of itself.

    Raises:
        FileError: there is none, or it is of another command.
    """
    place = _file(path, file)
    found = mg.load_metadata(place)
    if found.get("command") != name or not isinstance(found.get("config"), dict):
        made = f"by `minigrad-rnn {found['command']}`" if isinstance(found.get("command"), str) else "by something else"
        raise mg.FileError(f"{place} was made {made}, not by `minigrad-rnn {name}`")
    return found


def load(path: Path, name: str, kind: type[Task]) -> tuple[Task, nn.Module]:
    """The task and the best model of the run in a folder, or those in a file; ready to be used.

    Raises:
        FileError: there is none, or it holds something else.
    """
    tasks: list[Task] = []

    def build(config: dict[str, Any]) -> nn.Module:
        tasks.append(kind(config))
        return tasks[0].build()

    _, model = load_with(path, name, build)
    return tasks[0], model


def load_with(path: Path, name: str, build: Callable[[dict[str, Any]], Model]) -> tuple[dict[str, Any], Model]:
    """The configuration and the best model of a run, which ``build`` makes of that; ready to be used.

    Raises:
        FileError: there is none, or it holds something else.
    """
    config = metadata_of(path, name, BEST)["config"]
    file = _file(path, BEST)
    try:
        model = build(config)
        model.load_state_dict(mg.load(file))
    except (KeyError, TypeError, ValueError, mg.MinigradError) as error:
        reason = str(error).partition("\n")[0]
        raise mg.FileError(f"{file} does not hold what `minigrad-rnn {name}` saves: {reason}") from error
    model.eval()
    return config, model


def _file(path: Path, name: str) -> Path:
    file = path / name if path.is_dir() else path
    if not file.exists():
        raise mg.FileError(f"there is no model {str(file)!r}")
    return file
