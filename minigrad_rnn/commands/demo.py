"""``minigrad-rnn demo``: the main job."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import demo
from .arguments import fields_of, not_negative, positive


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "demo",
        help="train a character language model for a minute, measure it, sample from it, draw it",
        description="Train a character language model (embedding, LSTM, linear head) for about a minute, compare it"
        " on held-out text with two models that only count, let it write, and leave the weights, the log, the loss"
        " curve, a drawing of the unrolled network and its gradient flow in a folder.",
        epilog="Ctrl-C ends the training early and keeps what was learned.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    defaults = demo.Options()
    data = command.add_argument_group("data and results")
    data.add_argument("--text", type=Path, metavar="FILE", help="UTF-8 text to learn from (default: Python's own"
                      " language reference, which every Python carries)", default=argparse.SUPPRESS)
    data.add_argument("--out", type=Path, default=defaults.out, metavar="DIR", help="folder for the results")
    data.add_argument("--seed", type=not_negative(int), default=defaults.seed, help="seed of all random numbers")
    training = command.add_argument_group("model and training")
    training.add_argument("--seconds", type=positive(float), default=defaults.seconds, metavar="S",
                          help="how long to train")
    training.add_argument("--steps", type=positive(int), default=argparse.SUPPRESS, metavar="N",
                          help="train for so many steps instead; the same seed then gives the same result")
    training.add_argument("--hidden", type=positive(int), default=defaults.hidden, metavar="N",
                          help="features of the LSTM's state")
    training.add_argument("--layers", type=positive(int), default=defaults.layers, metavar="N", help="LSTMs stacked")
    training.add_argument("--streams", type=positive(int), default=defaults.streams, metavar="N",
                          help="pieces of the text read in parallel")
    training.add_argument("--window", type=positive(int), default=defaults.window, metavar="T",
                          help="steps that the gradient flows back")
    training.add_argument("--path", choices=("unrolled", "fused"), default=defaults.path,
                          help="unrolled: the LSTM as the engine's own ops, one by one; fused: the whole sequence in"
                          " one op, with the same result in less time")
    training.add_argument("--lr", type=positive(float), default=defaults.lr, help="highest learning rate of Adam")
    writing = command.add_argument_group("writing")
    writing.add_argument("--prompt", default=defaults.prompt, help="what the model's text starts with")
    writing.add_argument("--length", type=positive(int), default=defaults.length, metavar="N",
                         help="characters to write")
    writing.add_argument("--temperature", type=not_negative(float), metavar="X", default=defaults.temperature,
                         help="below 1 safer, above 1 wilder, 0 always the likeliest character")
    command.set_defaults(run=_run, stopped="learned")


def _run(options: argparse.Namespace) -> int:
    return 130 if demo.run(demo.Options(**fields_of(demo.Options, options))) else 0
