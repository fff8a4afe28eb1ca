"""The command line: ``minigrad-rnn`` or ``python -m minigrad_rnn``."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import minigrad as mg

from . import demo

Number = TypeVar("Number", int, float)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 1 failed with one line on stderr, 130 stopped by Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        stopped = demo.run(demo.Options(**{k: v for k, v in vars(options).items() if k != "command"}))
    except mg.MinigradError as error:
        print(f"minigrad-rnn: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"minigrad-rnn: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("minigrad-rnn: stopped before anything was learned", file=sys.stderr)
        return 130
    return 130 if stopped else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="minigrad-rnn", description="Recurrent networks on minigrad.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
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
    return parser


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
