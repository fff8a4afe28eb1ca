"""``minigrad-rnn tag``: a label for each word, or each character, of a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import minigrad as mg
from minigrad import nn

from ..data import labelled_pieces, read_columns, standard_library
from ..language import Vocabulary
from ..patterns import Tagger
from ..seq2seq.symbols import IGNORED
from ..sequences import pad_sequence
from .arguments import Defaults, add_training, add_use
from .fit import run
from .task import Labelling, first, network_options, padded, share

DEFAULTS = Defaults(epochs=3, cell="gru")
PROGRAMS = 20  # of the standard library

Sentence = list[tuple[str, str]]


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "tag",
        help="learn a label for each word of a sentence, and tell them",
        description="Train a bidirectional recurrent tagger on labelled sentences, or use one.",
        epilog='minigrad-rnn tag --data train.conll --out run; minigrad-rnn tag --model run "She lives in Rome"',
    )
    add_training(command, DEFAULTS, "sentences in columns, the word in the first and its label in the last (default:"
                 " the characters of Python's standard library, and the kinds of token that they belong to)")
    add_use(command, "what to label")
    command.set_defaults(run=lambda options: run("tag", Tag, DEFAULTS, options))


class Tag(Labelling):
    """A label for each element of a text."""

    unit = "words"

    @classmethod
    def examples(cls, data: Path | None, options: dict[str, Any]) -> list[Sentence]:  # noqa: ARG003
        """Labelled sentences, or pieces of programs."""
        return labelled_pieces(standard_library(PROGRAMS)) if data is None else read_columns(data)

    @classmethod
    def of(cls, examples: list[Sentence], options: dict[str, Any]) -> Tag:
        """Sentences of words, or, from programs, of characters."""
        kind = "characters" if options["data"] is None else "words"
        symbols = Vocabulary([symbol for sentence in examples for symbol, _ in sentence], kind=kind).symbols
        labels = sorted({label for sentence in examples for _, label in sentence})
        return cls({"kind": kind, "symbols": symbols, "labels": labels, **network_options(options)})

    def build(self) -> Tagger:
        """Embedding, a layer in two directions, a linear head at every step."""
        c = self.config
        embedding = nn.Embedding(len(self.vocabulary), c["embedding"])
        layer = self.layer(c["embedding"], c["hidden"], bidirectional=True)
        return Tagger(layer, len(self.labels), embedding=embedding, dropout=c["dropout"])

    def length(self, example: Sentence) -> int:
        """Of the sentence."""
        return len(example)

    def batch(self, examples: list[Sentence]) -> Any:
        """Numbers, lengths and labels ``(T, N)``; padding and labels that were never learned are left out."""
        wanted = [mg.tensor(self.numbers(label for _, label in sentence)) for sentence in examples]
        inputs = padded(self.vocabulary, [[symbol for symbol, _ in sentence] for sentence in examples])
        return *inputs, pad_sequence(wanted, padding_value=IGNORED)

    def loss(self, model: Tagger, batch: Any) -> tuple[mg.Tensor, int]:
        """Cross entropy, the mean over all real elements."""
        x, lengths, wanted = batch
        loss = nn.functional.cross_entropy(model(x, lengths), wanted, dim=-1, ignore_index=IGNORED)
        return loss, int((wanted != IGNORED).sum().item())

    def figures(self, model: Tagger, batches: Iterable[Any]) -> dict[str, float]:
        """The share of right labels."""
        right = total = 0
        for x, lengths, wanted in batches:
            found = (model(x, lengths).argmax(-1) == wanted).numpy()
            real = wanted.numpy() != IGNORED
            right, total = right + int(found[real].sum()), total + int(real.sum())
        return {"accuracy": share(right, total)}

    def sample(self, steps: int) -> Sentence:
        """A sentence with one label after the other."""
        return list(zip(first(self.vocabulary.symbols, steps), first(["", *self.labels], steps), strict=True))

    def answers(self, model: Tagger, texts: Sequence[str]) -> Iterator[str]:
        """Each word and its label in a line, an empty line behind each text."""
        sentences = [list(text) if self.config["kind"] == "characters" else text.split() for text in texts]
        x, lengths = padded(self.vocabulary, sentences)
        best = model(x, lengths).argmax(-1).numpy()
        for n, sentence in enumerate(sentences):
            for t, symbol in enumerate(sentence):
                yield f"{symbol}\t{self.labels[best[t, n]]}"
            yield ""
