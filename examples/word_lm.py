"""A word language model: two LSTMs of 200 units, as the small one of Zaremba et al. (2014).

    python examples/word_lm.py [--data FILE [--valid FILE]] [--epochs N] [--folder DIR [--resume]]

Without --data it reads the text that every Python carries. A file may be any UTF-8 text with --raw, or one prepared as
Penn Treebank and WikiText are: words between blanks, a sentence or paragraph in each line. The last tenth is held out
unless --valid gives another file. Words beyond the 10,000 most frequent ones are <unk>.

20 streams of the text are read 35 words at a time with the state carried over, and learned by plain SGD with clipped
gradients, as in the paper. There the loss is a sum over the steps of a window and here it is the mean, so learning rate
and clipping are 20 and 0.25 where they are 1 and 5 there. The rate is halved whenever the held-out perplexity gets no
better.
"""

import argparse
import math
from pathlib import Path

import minigrad as mg
from minigrad_rnn.language import (
    Corpus,
    LanguageModel,
    Windows,
    builtin_text,
    complete,
    perplexity,
    read_text,
    spaced,
    write,
)
from minigrad_rnn.training import Trainer, TrainerOptions


def read(options: argparse.Namespace) -> Corpus:
    """The words to learn from and those held out."""
    raw = options.raw or options.data is None
    texts = [builtin_text() if options.data is None else read_text(options.data)]
    texts += [read_text(options.valid)] if options.valid else []
    text, *held_out = [spaced(text, lower=True) for text in texts] if raw else texts
    return Corpus(text, held_out[0] if held_out else 0.1, kind="words", max_size=options.words)


def train(model: LanguageModel, corpus: Corpus, options: argparse.Namespace) -> None:
    """Prints a line for every epoch."""

    def measure() -> dict[str, float]:
        figure = perplexity(model, corpus.held_out, streams=options.streams)
        print(f"epoch {trainer.progress.epoch + 1:2}  held-out perplexity {figure:7.1f}", end="", flush=True)
        speed = trainer.progress.meter.figures()["items_per_second"]
        loss = trainer.progress.meter.figures()["loss"]
        print(f"  training {math.exp(loss):7.1f}  {speed:6,.0f} words/s", flush=True)
        return {"perplexity": figure}

    optimizer = mg.optim.SGD(model.parameters(), lr=options.lr)
    trainer = Trainer(
        model,
        optimizer,
        lambda model, window, state: model.loss(*window, state),
        TrainerOptions(
            epochs=options.epochs, carry=True, clip_norm=0.25, monitor="perplexity", folder=options.folder, unit="words"
        ),
        schedule=mg.optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=0.005),
        measure=measure,
        metadata={"model": model.config, "symbols": corpus.vocabulary.symbols},
    )
    if options.resume:
        trainer.resume()
    history = trainer.fit(Windows(corpus.train, options.streams, options.window))
    if history.stopped:
        print("stopped by Ctrl-C" + (f"; --resume goes on from {options.folder}" if options.folder else ""))
    if history.epochs:
        trainer.load_best()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="FILE", help="text to learn from (Python's own)")
    parser.add_argument("--valid", type=Path, metavar="FILE", help="text held out (the last tenth)")
    parser.add_argument("--raw", action="store_true", help="the text is not prepared: split off punctuation")
    parser.add_argument("--words", type=int, default=10_000, help="size of the vocabulary (%(default)s)")
    parser.add_argument("--epochs", type=int, default=6, help="(%(default)s)")
    parser.add_argument("--hidden", type=int, default=200, help="units of each layer (%(default)s)")
    parser.add_argument("--streams", type=int, default=20, help="pieces of text read in parallel (%(default)s)")
    parser.add_argument("--window", type=int, default=35, help="words that the gradient flows back (%(default)s)")
    parser.add_argument("--dropout", type=float, default=0.0, help="(%(default)s)")
    parser.add_argument("--tied", action="store_true", help="one table of vectors for input and output")
    parser.add_argument("--lr", type=float, default=20.0, help="learning rate (%(default)s)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep log and checkpoints there")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    options = parser.parse_args()

    mg.manual_seed(options.seed)
    try:
        corpus = read(options)
    except mg.MinigradError as error:
        raise SystemExit(str(error)) from None
    words = len(corpus.vocabulary)
    print(f"{len(corpus.train):,} words to learn from, {len(corpus.held_out):,} held out, {words:,} different")
    model = LanguageModel(words, options.hidden, options.hidden, 2, tied=options.tied, dropout=options.dropout)
    for weight in model.parameters():
        mg.nn.init.uniform_(weight, -0.1, 0.1)  # as in the paper
    print(f"{model.count_parameters():,} parameters")
    try:
        train(model, corpus, options)
    except mg.MinigradError as error:
        raise SystemExit(str(error)) from None
    print(write(model, corpus.vocabulary, "the", 40))
    for prompt in ("it is", "the name of"):
        ways = complete(model, corpus.vocabulary, prompt)
        print(f"{prompt} ... " + ", ".join(f"{way or 'end of line'} ({chance:.0%})" for way, chance in ways))


if __name__ == "__main__":
    main()
