"""The command line: ``minigrad-rnn`` or ``python -m minigrad_rnn``."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import minigrad as mg

from . import demo
from .draw import models
from .draw.drawing import VIEWS

Number = TypeVar("Number", int, float)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 1 failed with a message on stderr, 130 stopped by Ctrl-C."""
    options = vars(_parser().parse_args(arguments))
    command, stopped = options.pop("command"), False
    try:
        if command == "demo":
            stopped = demo.run(demo.Options(**options))
        else:
            print(f"written to {models.run(models.Options(**options))}")
    except mg.MinigradError as error:
        print(f"minigrad-rnn: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"minigrad-rnn: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        done = "learned" if command == "demo" else "drawn"
        print(f"minigrad-rnn: stopped before anything was {done}", file=sys.stderr)
        return 130
    return 130 if stopped else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="minigrad-rnn", description="Recurrent networks on minigrad.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_draw(commands)
    return parser


def _add_demo(commands: Any) -> None:
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
    data.add_argument("--seed", type=_not_negative(int), default=defaults.seed, help="seed of all random numbers")
    training = command.add_argument_group("model and training")
    training.add_argument("--seconds", type=_positive(float), default=defaults.seconds, metavar="S",
                          help="how long to train")
    training.add_argument("--steps", type=_positive(int), default=argparse.SUPPRESS, metavar="N",
                          help="train for so many steps instead; the same seed then gives the same result")
    training.add_argument("--hidden", type=_positive(int), default=defaults.hidden, metavar="N",
                          help="features of the LSTM's state")
    training.add_argument("--layers", type=_positive(int), default=defaults.layers, metavar="N", help="LSTMs stacked")
    training.add_argument("--streams", type=_positive(int), default=defaults.streams, metavar="N",
                          help="pieces of the text read in parallel")
    training.add_argument("--window", type=_positive(int), default=defaults.window, metavar="T",
                          help="steps that the gradient flows back")
    training.add_argument("--path", choices=("unrolled", "fused"), default=defaults.path,
                          help="unrolled: the LSTM as the engine's own ops, one by one; fused: the whole sequence in"
                          " one op, with the same result in less time")
    training.add_argument("--lr", type=_positive(float), default=defaults.lr, help="highest learning rate of Adam")
    writing = command.add_argument_group("writing")
    writing.add_argument("--prompt", default=defaults.prompt, help="what the model's text starts with")
    writing.add_argument("--length", type=_positive(int), default=defaults.length, metavar="N",
                         help="characters to write")
    writing.add_argument("--temperature", type=_not_negative(float), metavar="X", default=defaults.temperature,
                         help="below 1 safer, above 1 wilder, 0 always the likeliest character")


def _add_draw(commands: Any) -> None:
    command = commands.add_parser(
        "draw",
        help="draw a network, unrolled or folded, a cell of it, or how its gradient flows",
        description="Run a network for some steps and draw what it does.",
        epilog="minigrad-rnn draw lstm --view cell; minigrad-rnn draw minigrad-demo --view flow --steps 48",
    )
    defaults = models.Options("")
    built_in = ", ".join(models.KINDS)
    command.add_argument("model", metavar="MODEL", help=f"a built-in network ({built_in}), a file of weights that the"
                         " demo saved, or the folder it left")
    command.add_argument("--view", choices=VIEWS, default=defaults.view, help="both: folded beside unrolled; cell: the"
                         " ops inside; flow: the gradient of the last step's loss at each step (default: %(default)s)")
    command.add_argument("--steps", type=_positive(int), default=defaults.steps, metavar="N", help="how many steps to"
                         " run; from 13 on, those in the middle are drawn as a strip (default: %(default)s)")
    command.add_argument("--out", type=Path, metavar="FILE", help="the picture: .svg, .png, .pdf or .dot (default:"
                         " MODEL-VIEW.svg in this folder)")
    command.add_argument("--layer", metavar="PLACE", help="whose cell to draw, such as layer1 (default: the first)")
    sizes = command.add_argument_group("the built-in networks")
    sizes.add_argument("--hidden", type=_positive(int), metavar="N", help=f"features of the state (default:"
                       f" {models.HIDDEN})")
    sizes.add_argument("--layers", type=_positive(int), metavar="N", help="layers stacked (default: 1)")
    sizes.add_argument("--bidirectional", action="store_true", default=None, help="a second direction, from the end")


def _positive(kind: type[Number]) -> Callable[[str], Number]:
    return _checked(kind, lambda value: 0 < value < math.inf, "above 0")


def _not_negative(kind: type[Number]) -> Callable[[str], Number]:
    return _checked(kind, lambda value: 0 <= value < math.inf, "0 or above")


def _checked(kind: type[Number], fits: Callable[[Number], bool], what: str) -> Callable[[str], Number]:
    """A converter for argparse that refuses numbers out of range."""

    def convert(text: str) -> Number:
        value = kind(text)
        if not fits(value):
            raise argparse.ArgumentTypeError(f"must be {what}, not {text}")
        return value

    convert.__name__ = kind.__name__  # argparse says "invalid int value" with it
    return convert


if __name__ == "__main__":
    sys.exit(main())
