"""``minigrad-rnn train-lm`` and ``generate``: a language model, and what it writes."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import minigrad as mg

from ..language import (
    Corpus,
    LanguageModel,
    Vocabulary,
    Windows,
    bits_per_character,
    builtin_text,
    complete,
    perplexity,
    read_text,
    spaced,
    write,
)
from ..language.writing import joined
from ..training import Trainer
from .arguments import Defaults, add_training, not_negative, positive
from .fit import Run, described, train, trainer_options
from .saved import load_with

NAME = "train-lm"


@dataclasses.dataclass(frozen=True)
class LanguageDefaults(Defaults):
    """What ``train-lm`` does where it is not told otherwise."""

    epochs: int = 5
    hidden: int = 160
    embedding: int = 48
    lr: float = 2e-3
    batch_size: int = 32
    window: int = 50
    valid: Path | None = None
    words: bool = False
    vocabulary: int = 10_000
    raw: bool = False
    tied: bool = False


DEFAULTS = LanguageDefaults()


def add(commands: Any) -> None:
    """Add both commands."""
    _add_train(commands)
    _add_generate(commands)


def _add_train(commands: Any) -> None:
    command = commands.add_parser(
        NAME,
        help="train a language model on characters or words",
        description="Train a recurrent language model on a text, character by character or word by word, by truncated"
        " backpropagation through time.",
        epilog="minigrad-rnn train-lm --data tiny.txt --out run; minigrad-rnn generate --model run --prompt ROMEO:",
    )
    add_training(command, DEFAULTS, "UTF-8 text (default: Python's own language reference)",
                 batch="pieces of the text that are read in parallel")
    command.add_argument("--valid", type=Path, metavar="FILE", help="a text held out (default: the end of the other)")
    command.add_argument("--window", type=positive(int), metavar="T", help="steps that the gradient flows back"
                         f" (default: {DEFAULTS.window})")
    command.add_argument("--words", action="store_true", help="words between blanks (default: characters)")
    command.add_argument("--raw", action="store_true", help="of words: split off punctuation and take small letters"
                         " first, as of a text that is not prepared")
    command.add_argument("--vocabulary", type=positive(int), metavar="N", help="of words: how many different ones"
                         f" (default: {DEFAULTS.vocabulary})")
    command.add_argument("--tied", action="store_true", help="one table for input and output")
    command.set_defaults(run=lambda options: train(NAME, DEFAULTS, options, _fit))


def _fit(options: dict[str, Any], folder: Path) -> Run:
    corpus = _corpus(options)
    vocabulary, kind = corpus.vocabulary, corpus.vocabulary.kind
    model = LanguageModel(
        len(vocabulary), options["embedding"], options["hidden"], options["layers"],
        layer=options["cell"], tied=options["tied"], dropout=options["dropout"],
    )  # fmt: skip
    count = model.count_parameters()
    print(
        f"{len(corpus.train):,} {kind} to learn from, {len(corpus.held_out):,} held out, {len(vocabulary):,} different;"
        f" {count:,} parameters",
        flush=True,
    )
    figure = "perplexity" if options["words"] else "bits_per_character"

    def measure() -> dict[str, float]:
        measured = perplexity if options["words"] else bits_per_character
        return {figure: measured(model, corpus.held_out)}

    config = {"model": model.config, "symbols": vocabulary.symbols, "kind": kind}
    trainer = Trainer(
        model,
        mg.optim.Adam(model.parameters(), lr=options["lr"]),
        lambda model, window, state: model.loss(*window, state),
        trainer_options(options, folder, carry=True, monitor=figure, unit=kind),
        measure=measure,
        metadata=described(NAME, config, options),
    )
    return Run(trainer, Windows(corpus.train, options["batch_size"], options["window"]), None, "generate")


def _corpus(options: dict[str, Any]) -> Corpus:
    text = builtin_text() if options["data"] is None else read_text(options["data"])
    held_out = options["held_out"] if options["valid"] is None else read_text(options["valid"])
    kind = "words" if options["words"] else "characters"
    if options["words"] and (options["raw"] or options["data"] is None):
        text = spaced(text, lower=True)
        held_out = spaced(held_out, lower=True) if isinstance(held_out, str) else held_out
    corpus = Corpus(text, held_out, kind=kind, max_size=options["vocabulary"] if options["words"] else None)
    if len(corpus.held_out) < 2:
        raise mg.MinigradError(f"{NAME}: fewer than two {kind} are held out, too few to measure the model on")
    return corpus


def _add_generate(commands: Any) -> None:
    command = commands.add_parser(
        "generate",
        help="let a language model write",
        description="Let a language model that train-lm trained go on from a prompt, or show what it holds to be the"
        " likeliest ways to go on.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    command.add_argument("--model", type=Path, metavar="DIR", required=True, help="the folder of a run, or a file")
    command.add_argument("--prompt", default="", help="what to go on from")
    command.add_argument("--length", type=positive(int), default=300, metavar="N", help="characters or words to write")
    command.add_argument("--temperature", type=not_negative(float), default=0.8, metavar="X",
                         help="below 1 safer, above 1 wilder, 0 always the likeliest")
    command.add_argument("--top-k", type=positive(int), metavar="N", help="draw from the N likeliest only")
    command.add_argument("--top-p", type=positive(float), metavar="P", help="draw from the fewest that have this"
                         " probability together")
    command.add_argument("--complete", type=positive(int), metavar="N", help="show the N likeliest ways to go on to the"
                         " next blank instead")
    command.add_argument("--seed", type=not_negative(int), default=0, help="of the random numbers")
    command.set_defaults(run=_generate)


def _generate(options: argparse.Namespace) -> int:
    config, model = load_with(options.model, NAME, lambda config: LanguageModel(**config["model"]))
    vocabulary = Vocabulary.of_symbols(config["symbols"], config["kind"])
    mg.manual_seed(options.seed)
    if options.complete:
        for way, probability in complete(model, vocabulary, options.prompt, options.complete):
            print(f"{probability:<8.3g}  {joined(options.prompt, way, vocabulary.kind)!r}")
    else:
        drawn = options.temperature, options.top_k, options.top_p
        print(write(model, vocabulary, options.prompt, options.length, *drawn))
    return 0
