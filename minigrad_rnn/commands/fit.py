"""Training from the command line, and using what was trained."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import minigrad as mg
from minigrad.graph import align

from ..data import split
from ..training import Batches, History, Trainer, TrainerOptions
from ..training.checkpoint import LAST
from .arguments import Defaults, given
from .saved import load, metadata_of
from .task import Task

ANEW = ("epochs", "patience")  # what may be another way when a run goes on
PATHS = ("data", "valid")
HIDDEN = ("epoch", "step", "best", "lr", "norm", "largest_norm", "clipped", "items_per_second")


class Run(NamedTuple):
    """What is to be trained, on what, and by which command it is used then."""

    trainer: Trainer
    data: Iterable[Any]
    validation: Iterable[Any] | None
    use: str


def run(name: str, kind: type[Task], defaults: Defaults, options: argparse.Namespace) -> int:
    """Train, go on training, or use what was trained, as the options want it; returns the exit code."""
    if hasattr(options, "model"):
        check_alone(name, options)
        return _use(name, kind, options)
    return train(name, defaults, options, lambda wanted, folder: _fit(name, kind, wanted, folder))


def train(
    name: str, defaults: Defaults, options: argparse.Namespace, fit: Callable[[dict[str, Any], Path], Run]
) -> int:
    """Train, or go on training, and tell how it went.

    Args:
        name: of the command.
        defaults: what it does where it is not told otherwise.
        options: what it was told.
        fit: makes the run of the options and a folder.
    """
    check_alone(name, options)
    resume = hasattr(options, "resume")
    folder = options.resume if resume else options.out
    if not resume and (folder / LAST).exists():
        raise mg.MinigradError(
            f"{name}: {folder} holds another run, which would be lost\n"
            f"  hint: --resume {folder} goes on with it; or choose another --out"
        )
    wanted = _taken_up(name, defaults, options) if resume else given(options, defaults)
    mg.manual_seed(wanted["seed"])
    options.stopped = "saved"
    run = fit(wanted, folder)
    if resume:
        _check_data(name, folder, run.trainer.metadata["config"])
        run.trainer.resume()
    try:
        history = run.trainer.fit(run.data, run.validation)
    except KeyboardInterrupt:  # the second one
        if not (folder / LAST).exists():
            raise
        print(f"stopped at once; go on from its last checkpoint with: minigrad-rnn {name} --resume {folder}")
        return 130
    if history.epochs:
        print(_table(history))
    if history.stopped:
        print(f"stopped by Ctrl-C; go on with: minigrad-rnn {name} --resume {folder}")
        return 130
    print(f"written to {folder}/; use it: minigrad-rnn {run.use} --model {folder}")
    return 0


def check_alone(name: str, options: argparse.Namespace) -> None:
    """Refuse options that say several things at once, or none."""
    wanted = [option for option in ("out", "resume", "model") if hasattr(options, option)]
    if len(wanted) != 1:
        use = ", --model DIR uses what was trained" if hasattr(options, "texts") else ""
        together = " and ".join(f"--{option}" for option in wanted) + " were given together"
        told = together if wanted else "none of them was given"
        raise mg.MinigradError(f"{name}: --out DIR trains, --resume DIR goes on{use}; {told}")


def _taken_up(name: str, defaults: Defaults, options: argparse.Namespace) -> dict[str, Any]:
    """The options of a run that goes on."""
    others = [key for key in vars(defaults) if hasattr(options, key) and key not in ANEW]
    if others:
        raise mg.MinigradError(f"{name}: --{others[0].replace('_', '-')} cannot change in a run that goes on")
    known: dict[str, Any] = vars(defaults) | metadata_of(options.resume, name)["options"]
    paths = {key: Path(known[key]) for key in PATHS if known.get(key) is not None}
    return known | paths | {key: getattr(options, key) for key in ANEW if hasattr(options, key)}


def _check_data(name: str, folder: Path, config: dict[str, Any]) -> None:
    """Refuse to go on with other symbols or labels: even if as many, they are not those that the parameters know."""
    saved = metadata_of(folder, name)["config"]
    if any(saved.get(key, value) != value for key, value in json.loads(json.dumps(config)).items()):
        raise mg.FileError(
            f"the data have other symbols or labels than those that the run in {folder} began with\n"
            "  hint: put the file back as it was, or begin another run"
        )


def described(name: str, config: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """What is saved with a model, so that it can be made again, and its training gone on with."""
    paths = {key: str(options[key].resolve()) for key in PATHS if options.get(key) is not None}
    return {"command": name, "config": config, "options": options | paths}


def trainer_options(options: dict[str, Any], folder: Path, **others: Any) -> TrainerOptions:
    """How the trainer goes about it."""
    return TrainerOptions(
        epochs=options["epochs"], clip_norm=options["clip"], patience=options["patience"], folder=folder, **others
    )


def _fit(name: str, kind: type[Task], options: dict[str, Any], folder: Path) -> Run:
    """The run that learns a task."""
    examples = kind.examples(options["data"], options)
    learned, held_out = split(examples, options["held_out"], options["seed"])
    if not learned or not held_out:
        raise mg.MinigradError(f"{name}: {len(examples)} examples are too few to learn from and to hold some out")
    task = kind.of(learned, options)
    model = task.build()
    count = sum(p.numel() for p in model.parameters())
    print(f"{len(learned):,} examples to learn from, {len(held_out):,} held out; {count:,} parameters", flush=True)
    size, length = options["batch_size"], task.length
    validation = Batches(held_out, size, task.batch, length=length, shuffle=False)
    trainer = Trainer(
        model,
        mg.optim.Adam(model.parameters(), lr=options["lr"]),
        task.loss,
        trainer_options(options, folder, monitor=task.monitor, mode=task.mode, unit=task.unit),
        measure=lambda: task.figures(model, validation),
        metadata=described(name, task.config, options),
    )
    batches = Batches(learned, size, task.batch, length=length, seed=options["seed"])
    return Run(trainer, batches, validation, name)


def _use(name: str, kind: type[Task], options: argparse.Namespace) -> int:
    task, model = load(options.model, name, kind)
    texts: Iterable[str] = options.texts or (line.rstrip("\n") for line in sys.stdin)
    for some in _pieces(texts, 64 if options.texts else 1):
        with mg.no_grad():
            for line in task.answers(model, some):
                print(line, flush=True)
    return 0


def _pieces(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    piece: list[str] = []
    for text in texts:
        piece.append(text)
        if len(piece) == size:
            yield piece
            piece = []
    if piece:
        yield piece


def _table(history: History) -> str:
    """The figures of each epoch; the best one is marked."""
    names = ["epoch", *[name for name in history.epochs[-1] if name not in HIDDEN]]
    rows = [tuple(name.replace("_", " ") for name in names)]
    for record in history.epochs:
        cells = [f"{record[name]:.4g}" if isinstance(record[name], float) else str(record[name]) for name in names]
        rows.append((*cells[:-1], cells[-1] + (" *" if record["best"] else "")))
    return align(rows, right=range(len(names)))
