"""``minigrad-rnn translate``: from one text to another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import minigrad as mg

from ..data import Pair, dates, read_pairs
from ..language import Vocabulary
from ..seq2seq import Decoder, DotAttention, Encoder, Seq2Seq, beam_search, greedy_decode
from .arguments import Defaults, add_training, add_use
from .fit import run
from .task import Task, first, network_options, numbered, padded, share, text_of

DEFAULTS = Defaults(epochs=3, hidden=128, batch_size=128, lr=5e-3, clip=5.0)
MADE_UP = 50_000  # dates
START, END = 1, 2  # their numbers; 0 is that of the unknown
LONGEST = 200  # symbols of an answer


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "translate",
        help="learn to make one text of another, and do it",
        description="Train an encoder and a decoder with attention on pairs of texts, or use them.",
        epilog='minigrad-rnn translate --out dates; minigrad-rnn translate --model dates "27th of september 1994"',
    )
    add_training(command, DEFAULTS, "a file with 'source TAB target' in each line (default: dates in many formats, to"
                 " be written as ISO 8601 does)")
    command.add_argument("--characters", action="store_true", help="read and write letter by letter, as is always done"
                         " with dates (default: word by word)")
    add_use(command, "what to translate")
    command.set_defaults(run=lambda options: run("translate", Translate, DEFAULTS, options))


class Translate(Task):
    """A text of a text."""

    unit = "symbols"
    arguments = 4
    monitor, mode = "valid_loss", "min"

    @classmethod
    def examples(cls, data: Path | None, options: dict[str, Any]) -> list[Pair]:
        """Pairs of texts."""
        return dates(MADE_UP, options["seed"]) if data is None else read_pairs(data)

    @classmethod
    def of(cls, examples: list[Pair], options: dict[str, Any]) -> Translate:
        """Both texts as characters or words."""
        kind = "characters" if options["characters"] or options["data"] is None else "words"
        config: dict[str, Any] = {"kind": kind, **network_options(options)}
        for side in Pair._fields:
            symbols = numbered((getattr(pair, side) for pair in examples), kind).symbols
            config[side] = [symbols[0], "<s>", "</s>", *symbols[1:]]
        return cls(config)

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.source, self.target = (Vocabulary.of_symbols(config[side], config["kind"]) for side in Pair._fields)

    def build(self) -> Seq2Seq:
        """An encoder in two directions of half the size each, a decoder, and attention between them."""
        c = self.config
        size = c["hidden"] + c["hidden"] % 2
        reads, writes = self.layer(c["embedding"], size // 2, bidirectional=True), self.layer(c["embedding"], size)
        attention = DotAttention(size, size)
        return Seq2Seq(
            Encoder(len(self.source), reads, c["dropout"]),
            Decoder(len(self.target), writes, attention=attention, start=START, end=END, dropout=c["dropout"]),
        )

    def length(self, example: Pair) -> int:
        """Of both texts, in letters."""
        return len(example.source) + len(example.target)

    def batch(self, examples: list[Pair]) -> Any:
        """Sources and targets as numbers, and their lengths."""
        sources, targets = zip(*examples, strict=True)
        source, source_lengths = padded(self.source, sources)
        target, target_lengths = padded(self.target, targets)
        return source, target, source_lengths, target_lengths

    def loss(self, model: Seq2Seq, batch: Any) -> tuple[mg.Tensor, int]:
        """Cross entropy, the mean over all symbols and the ends."""
        return model.loss(*batch), sum(batch[3]) + len(batch[3])

    def figures(self, model: Seq2Seq, batches: Iterable[Any]) -> dict[str, float]:
        """The share of answers that are right to the last symbol."""
        right = total = 0
        for source, target, source_lengths, target_lengths in batches:
            found = greedy_decode(model.steps(source, source_lengths), max(target_lengths) + 1)
            wanted = [row[:n] for row, n in zip(target.T.tolist(), target_lengths, strict=True)]
            right += sum(one.tokens == row for one, row in zip(found, wanted, strict=True))
            total += len(wanted)
        return {"exact": share(right, total)}

    def sample(self, steps: int) -> Pair:
        """A text and one of the same length."""
        return Pair(*[text_of(side, first(side.symbols[2:], steps)) for side in (self.source, self.target)])

    def answers(self, model: Seq2Seq, texts: Sequence[str]) -> Iterator[str]:
        """The likeliest translations that a beam of four finds."""
        for found in beam_search(model.steps(*padded(self.source, texts)), 4, max_length=LONGEST):
            yield self.target.decode(found[0].tokens)
