"""What a command can train, save, load and use: a task."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import minigrad as mg
from minigrad import nn

from ..language import Vocabulary
from ..layers import KINDS
from ..seq2seq.symbols import IGNORED
from ..sequences import pad_sequence


class Task(ABC):
    """What is learned from examples, with all that it takes to make the network again from a file.

    Attributes:
        config: plain data, which is saved with the weights.
        unit: what the counts of the loss are counts of.
        arguments: how many parts of a batch, from the first, the network is called with.
        monitor, mode: the figure of an epoch that tells which one is best, and whether it is so when "max" or "min".
    """

    unit: ClassVar[str] = "texts"
    arguments: ClassVar[int] = 2
    monitor: ClassVar[str] = "accuracy"
    mode: ClassVar[str] = "max"

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    @classmethod
    @abstractmethod
    def examples(cls, data: Path | None, options: dict[str, Any]) -> list[Any]:
        """The examples in a file, or those that need none."""

    @classmethod
    @abstractmethod
    def of(cls, examples: list[Any], options: dict[str, Any]) -> Task:
        """The task of learning these."""

    @abstractmethod
    def build(self) -> nn.Module:
        """A new network."""

    @abstractmethod
    def length(self, example: Any) -> int:
        """How long an example is: those of a batch are to be about equally long."""

    @abstractmethod
    def batch(self, examples: list[Any]) -> Any:
        """Examples put together."""

    @abstractmethod
    def loss(self, model: Any, batch: Any) -> tuple[mg.Tensor, int]:
        """The mean loss of a batch, and over how many units it is the mean."""

    @abstractmethod
    def figures(self, model: Any, batches: Iterable[Any]) -> dict[str, float]:
        """How well it does on what was held out."""

    @abstractmethod
    def sample(self, steps: int) -> Any:
        """An example of that length, made of the first symbols and labels: to draw the network at work."""

    @abstractmethod
    def answers(self, model: Any, texts: Sequence[str]) -> Iterable[str]:
        """What the network makes of texts, as lines to print."""

    def layer(self, inputs: int, hidden: int, bidirectional: bool = False) -> Any:
        """A recurrent layer as the options want it."""
        c = self.config
        between = c["dropout"] if c["layers"] > 1 else 0.0
        return KINDS[c["cell"]](inputs, hidden, c["layers"], dropout=between, bidirectional=bidirectional)


class Labelling(Task):
    """A task whose answers are labels, of texts whose symbols are numbered.

    Attributes:
        labels: those that were learned.
        vocabulary: the symbols.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.labels: list[str] = config["labels"]
        self.vocabulary = Vocabulary.of_symbols(config["symbols"], config["kind"])

    def numbers(self, labels: Iterable[Any]) -> list[int]:
        """The numbers of labels; no label, and one that was never learned, does not count in a loss."""
        known = {label: number for number, label in enumerate(self.labels)}
        return [IGNORED if label is None else known.get(str(label), IGNORED) for label in labels]


def first(symbols: Sequence[str], count: int) -> list[str]:
    """As many of the symbols, from the first known one, again and again."""
    known = symbols[1:] or symbols
    return [known[i % len(known)] for i in range(count)]


def text_of(vocabulary: Vocabulary, symbols: Sequence[str]) -> str:
    """Symbols as a text."""
    return ("" if vocabulary.kind == "characters" else " ").join(symbols)


def network_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options that say how a network is made."""
    return {name: options[name] for name in ("cell", "hidden", "layers", "embedding", "dropout")}


def numbered(texts: Iterable[str], kind: str) -> Vocabulary:
    """The vocabulary of texts, of their characters or of their words."""
    tokens = itertools.chain.from_iterable(text if kind == "characters" else text.split() for text in texts)
    return Vocabulary(list(tokens), kind=kind)


def padded(vocabulary: Vocabulary, texts: Sequence[Sequence[str]]) -> tuple[mg.Tensor, list[int]]:
    """Texts as numbers ``(T, N)``, and their lengths."""
    rows = [mg.tensor(vocabulary.encode(text)) for text in texts]
    return pad_sequence(rows), [len(row) for row in rows]


def share(right: int, total: int) -> float:
    """A share; of nothing 0."""
    return right / max(1, total)
