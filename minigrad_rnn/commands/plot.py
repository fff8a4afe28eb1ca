"""``minigrad-rnn plot``: curves of training runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..training import plot_logs


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "plot",
        help="draw the curves of training runs",
        description="Draw the figures of one training run, or of several in one picture.",
        epilog="minigrad-rnn plot run another --figures loss accuracy --out curves.png",
    )
    command.add_argument("logs", nargs="+", type=Path, metavar="RUN", help="the folder of a run, or its log.jsonl")
    command.add_argument("--out", type=Path, default=Path("curves.png"), metavar="FILE", help="the picture: .png, .svg"
                         " or .pdf (default: %(default)s)")
    command.add_argument("--figures", nargs="+", default=[], metavar="NAME", help="which ones, such as loss, accuracy,"
                         " norm or lr (default: all that change)")
    command.add_argument("--over", choices=("step", "epoch", "seconds"), default="step", help="what stands below"
                         " (default: %(default)s)")
    command.set_defaults(run=_run, stopped="drawn")


def _run(options: argparse.Namespace) -> int:
    print(f"written to {plot_logs(options.logs, options.out, figures=options.figures, over=options.over)}")
    return 0
