"""``minigrad-rnn draw``: pictures of networks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..draw import models
from ..draw.drawing import VIEWS
from .arguments import fields_of, positive


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "draw",
        help="draw a network, unrolled or folded, a cell of it, how its gradient flows, or its modules",
        description="Run a network for some steps and draw what it does.",
        epilog="minigrad-rnn draw lstm --view cell; minigrad-rnn draw minigrad-demo --view flow --steps 48",
    )
    defaults = models.Options("")
    built_in = ", ".join(models.KINDS)
    command.add_argument("model", metavar="MODEL", help=f"a built-in network ({built_in}), a file of weights that the"
                         " demo saved, or the folder it left")
    command.add_argument("--view", choices=(*VIEWS, models.OVERVIEW), default=defaults.view, help="both: folded beside"
                         " unrolled; cell: the ops inside; flow: the gradient of the last step's loss at each step;"
                         " overview: the modules, what they give, and their parameters (default: %(default)s)")
    command.add_argument("--steps", type=positive(int), default=defaults.steps, metavar="N", help="how many steps to"
                         " run; from 13 on, those in the middle are drawn as a strip (default: %(default)s)")
    command.add_argument("--out", type=Path, metavar="FILE", help="the picture: .svg, .png, .pdf or .dot (default:"
                         " MODEL-VIEW.svg in this folder)")
    command.add_argument("--layer", metavar="PLACE", help="whose cell to draw, such as layer1 (default: the first)")
    sizes = command.add_argument_group("the built-in networks")
    sizes.add_argument("--hidden", type=positive(int), metavar="N", help=f"features of the state (default:"
                       f" {models.HIDDEN})")
    sizes.add_argument("--layers", type=positive(int), metavar="N", help="layers stacked (default: 1)")
    sizes.add_argument("--bidirectional", action="store_true", default=None, help="a second direction, from the end")
    command.set_defaults(run=_run, stopped="drawn")


def _run(options: argparse.Namespace) -> int:
    print(f"written to {models.run(models.Options(**fields_of(models.Options, options)))}")
    return 0
