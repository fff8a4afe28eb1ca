"""Options that several commands share, and checks of what they are given."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

Number = TypeVar("Number", int, float)

CELLS = ("lstm", "gru", "rnn")  # the kinds of layers, in the order of --help


@dataclasses.dataclass(frozen=True)
class Defaults:
    """What a command that trains does where it is not told otherwise."""

    data: Path | None = None
    epochs: int = 10
    cell: str = "lstm"
    hidden: int = 64
    layers: int = 1
    embedding: int = 32
    dropout: float = 0.0
    batch_size: int = 32
    lr: float = 3e-3
    clip: float = 1.0
    patience: int | None = None
    held_out: float = 0.1
    seed: int = 0
    characters: bool = False


def add_training(
    command: argparse.ArgumentParser,
    defaults: Defaults,
    data: str,
    batch: str = "examples in a batch",
    cells: Iterable[str] = CELLS,
) -> None:
    """The options of all commands that train; what is not given is left out of the result, so that it can be told."""
    command.argument_default = argparse.SUPPRESS
    where = command.add_argument_group("data and results")
    where.add_argument("--data", type=Path, metavar="PATH", help=data)
    where.add_argument("--out", type=Path, metavar="DIR", help="train, and leave model, log and checkpoint in a folder")
    where.add_argument("--resume", type=Path, metavar="DIR", help="go on with the run in a folder, with the options"
                       " that it began with; only --epochs and --patience may be given anew")
    where.add_argument("--held-out", type=_share, metavar="SHARE", help="share of the examples that is held out"
                       f" (default: {defaults.held_out})")
    where.add_argument("--seed", type=not_negative(int), metavar="N", help=f"of all random numbers (default:"
                       f" {defaults.seed})")
    network = command.add_argument_group("network")
    network.add_argument("--cell", choices=list(cells), help=f"kind of network (default: {defaults.cell})")
    sizes = {"hidden": "features of the state", "layers": "layers stacked", "embedding": "features of a symbol"}
    for name, told in sizes.items():
        network.add_argument(f"--{name}", type=positive(int), metavar="N", help=f"{told} (default:"
                             f" {getattr(defaults, name)})")
    network.add_argument("--dropout", type=_share, metavar="P", help="probability of dropping a feature, in training"
                         f" (default: {defaults.dropout})")
    training = command.add_argument_group("training")
    training.add_argument("--epochs", type=positive(int), metavar="N", help="how often all examples are seen"
                          f" (default: {defaults.epochs})")
    training.add_argument("--batch-size", type=positive(int), metavar="N", help=f"{batch} (default:"
                          f" {defaults.batch_size})")
    training.add_argument("--lr", type=positive(float), metavar="X", help=f"learning rate of Adam (default:"
                          f" {defaults.lr})")
    training.add_argument("--clip", type=positive(float), metavar="X", help="greatest norm of the gradients (default:"
                          f" {defaults.clip})")
    training.add_argument("--patience", type=positive(int), metavar="N", help="stop after so many epochs without a new"
                          " best (default: never)")


def add_use(command: argparse.ArgumentParser, what: str) -> None:
    """The options of using what was trained."""
    use = command.add_argument_group("use")
    use.add_argument("--model", type=Path, metavar="DIR", help="the folder of a run, or a file with a model: use it"
                     " instead of training")
    use.add_argument("texts", nargs="*", metavar="TEXT", default=[], help=f"{what}; without any, the lines of the"
                     " standard input")


def positive(kind: type[Number]) -> Callable[[str], Number]:
    """A converter to a number above 0."""
    return _checked(kind, lambda value: 0 < value < math.inf, "above 0")


def not_negative(kind: type[Number]) -> Callable[[str], Number]:
    """A converter to a number that is not below 0."""
    return _checked(kind, lambda value: 0 <= value < math.inf, "0 or above")


def _share(text: str) -> float:
    return _checked(float, lambda value: 0 <= value < 1, "from 0 to below 1")(text)


def _checked(kind: type[Number], fits: Callable[[Number], bool], what: str) -> Callable[[str], Number]:
    """A converter for argparse that refuses numbers out of range."""

    def convert(text: str) -> Number:
        value = kind(text)
        if not fits(value):
            raise argparse.ArgumentTypeError(f"must be {what}, not {text}")
        return value

    convert.__name__ = kind.__name__  # argparse says "invalid int value" with it
    return convert


def fields_of(kind: Any, options: argparse.Namespace) -> dict[str, Any]:
    """As many of the options as are fields of a dataclass."""
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: value for name, value in vars(options).items() if name in names}


def given(options: argparse.Namespace, defaults: Defaults) -> dict[str, Any]:
    """The options of a training run: those that were given, and else the defaults."""
    return {name: getattr(options, name, value) for name, value in dataclasses.asdict(defaults).items()}
