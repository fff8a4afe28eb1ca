"""``minigrad-rnn classify``: which label a text belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import minigrad as mg
from minigrad import nn

from ..data import Labelled, read_labelled, reviews
from ..patterns import Classifier
from ..seq2seq.symbols import IGNORED
from .arguments import Defaults, add_training, add_use
from .fit import run
from .task import Labelling, first, network_options, numbered, padded, share, text_of

DEFAULTS = Defaults()
MADE_UP = 8000  # reviews


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "classify",
        help="learn which label a text belongs to, and tell it",
        description="Train a bidirectional recurrent classifier on labelled texts, or use one.",
        epilog='minigrad-rnn classify --data names/ --out run --characters; minigrad-rnn classify --model run "Nguyen"',
    )
    add_training(command, DEFAULTS, "a file with 'label TAB text' in each line, or a folder with a file of texts for"
                 " each label (default: reviews that are made up)")
    command.add_argument("--characters", action="store_true", help="read texts letter by letter (default: word by"
                         " word)")
    add_use(command, "what to classify")
    command.set_defaults(run=lambda options: run("classify", Classify, DEFAULTS, options))


class Classify(Labelling):
    """A label for a text."""

    @classmethod
    def examples(cls, data: Path | None, options: dict[str, Any]) -> list[Labelled]:
        """Labelled texts."""
        return reviews(MADE_UP, options["seed"]) if data is None else read_labelled(data)

    @classmethod
    def of(cls, examples: list[Labelled], options: dict[str, Any]) -> Classify:
        """Texts as characters or words."""
        kind = "characters" if options["characters"] else "words"
        symbols = numbered((example.text for example in examples), kind).symbols
        labels = sorted({example.label for example in examples})
        return cls({"kind": kind, "symbols": symbols, "labels": labels, **network_options(options)})

    def build(self) -> Classifier:
        """Embedding, a layer in two directions, a linear head."""
        c = self.config
        embedding = nn.Embedding(len(self.vocabulary), c["embedding"])
        layer = self.layer(c["embedding"], c["hidden"], bidirectional=True)
        return Classifier(layer, len(self.labels), embedding=embedding, dropout=c["dropout"])

    def length(self, example: Labelled) -> int:
        """Of the text, in letters."""
        return len(example.text)

    def batch(self, examples: list[Labelled]) -> Any:
        """Numbers, lengths and labels."""
        wanted = mg.tensor(self.numbers(example.label for example in examples))
        return *padded(self.vocabulary, [example.text for example in examples]), wanted

    def loss(self, model: Classifier, batch: Any) -> tuple[mg.Tensor, int]:
        """Cross entropy, the mean over all texts with a label that was learned."""
        x, lengths, wanted = batch
        loss = nn.functional.cross_entropy(model(x, lengths), wanted, ignore_index=IGNORED)
        return loss, int((wanted != IGNORED).sum().item())

    def figures(self, model: Classifier, batches: Iterable[Any]) -> dict[str, float]:
        """The share of right labels."""
        found = [(model(x, lengths).argmax(-1) == wanted).numpy() for x, lengths, wanted in batches]
        return {"accuracy": share(sum(int(right.sum()) for right in found), sum(map(len, found)))}

    def sample(self, steps: int) -> Labelled:
        """A text with the first label."""
        return Labelled(text_of(self.vocabulary, first(self.vocabulary.symbols, steps)), self.labels[0])

    def answers(self, model: Classifier, texts: Sequence[str]) -> Iterator[str]:
        """Label, probability and text, with tabs between."""
        x, lengths = padded(self.vocabulary, texts)
        probabilities = model(x, lengths).softmax(-1).numpy()
        for text, row in zip(texts, probabilities, strict=True):
            yield f"{self.labels[row.argmax()]}\t{row.max():.3f}\t{text}"
