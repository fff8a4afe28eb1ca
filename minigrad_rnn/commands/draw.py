"""``minigrad-rnn draw``: pictures of networks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import minigrad as mg

from ..draw import models, tree
from ..draw.drawing import VIEWS
from ..language import LanguageModel
from ..layers import KINDS
from ..training.checkpoint import BEST
from . import language
from .arguments import fields_of, positive
from .classify import Classify
from .saved import load, load_with
from .tag import Tag
from .task import Task
from .translate import Translate
from .tree import OnTrees, Trees

TASKS: dict[str, type[Task]] = {"classify": Classify, "tag": Tag, "translate": Translate, "train-tree": Trees}


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "draw",
        help="draw a network, unrolled or folded, a cell of it, how its gradient flows, or its modules",
        description="Run a network for some steps and draw what it does.",
        epilog="minigrad-rnn draw lstm --view cell; minigrad-rnn draw minigrad-demo --view flow --steps 48",
    )
    defaults = models.Options("")
    built_in = ", ".join(KINDS)
    command.add_argument("model", metavar="MODEL", help=f"a built-in network ({built_in}), or the folder, or a file"
                         " in it, that the demo or a command that trains left")
    command.add_argument("--view", choices=(*VIEWS, models.OVERVIEW), default=defaults.view, help="both: folded beside"
                         " unrolled; cell: the ops inside; flow: the gradient of the last step's loss at each step;"
                         " overview: the modules, what they give, and their parameters (default: %(default)s)")
    command.add_argument("--steps", type=positive(int), default=defaults.steps, metavar="N", help="how many steps to"
                         " run; from 13 on, those in the middle are drawn as a strip (default: %(default)s)")
    command.add_argument("--out", type=Path, metavar="FILE", help="the picture: .svg, .png, .pdf, .html, .dot (default:"
                         " MODEL-VIEW.svg in this folder)")
    command.add_argument("--layer", metavar="PLACE", help="whose cell to draw, such as layer1 (default: the first)")
    sizes = command.add_argument_group("the built-in networks")
    sizes.add_argument("--hidden", type=positive(int), metavar="N", help=f"features of the state (default:"
                       f" {models.HIDDEN})")
    sizes.add_argument("--layers", type=positive(int), metavar="N", help="layers stacked (default: 1)")
    sizes.add_argument("--bidirectional", action="store_true", default=None, help="a second direction, from the end")
    command.set_defaults(run=_run, stopped="drawn")


def _run(options: argparse.Namespace) -> int:
    wanted = models.Options(**fields_of(models.Options, options))
    print(f"written to {models.run(wanted, _of_a_run(wanted))}")
    return 0


def _of_a_run(options: models.Options) -> models.Subject | None:
    """What a command trained and left in a folder; ``None`` if it is something else."""
    path = Path(options.model)
    file = path / BEST if path.is_dir() else path
    command = mg.load_metadata(file).get("command") if options.model not in KINDS and file.exists() else None
    if command is None:
        return None
    models.refuse_sizes(options)
    name = (path if path.is_dir() else path.parent).resolve().name
    if command == language.NAME:
        config, model = load_with(path, command, lambda config: LanguageModel(**config["model"]))
        return models.language_subject(name, model, len(config["symbols"]), options.steps)
    if command not in TASKS:
        raise mg.FileError(f"{file} was made by `minigrad-rnn {command}`, which this version does not know")
    task, trained = load(path, command, TASKS[command])
    sample = task.sample(options.steps)
    batch = task.batch([sample])
    subject = models.Subject(name, trained, tuple(batch[: task.arguments]), lambda _: task.loss(trained, batch)[0])
    if not isinstance(trained, OnTrees):
        return subject
    return subject._replace(unrolled=lambda: tree(sample, lambda: subject.loss(False), network=trained.network))
