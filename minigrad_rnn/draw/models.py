"""Networks to draw from the command line: the built-in ones by name, and those that the demo saved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import minigrad as mg
from minigrad import nn
from minigrad.draw import Drawing

from ..language import LanguageModel
from ..layers import KINDS
from .drawing import draw

INPUTS, HIDDEN, CLASSES = 8, 16, 10  # features of the built-in networks
OVERVIEW = "overview"  # the view of modules, which knows nothing of time
WEIGHTS = "weights.safetensors"  # what the demo calls them in its folder


@dataclass(frozen=True)
class Options:
    """What the command line sets; what is ``None`` was not given."""

    model: str
    out: Path | None = None
    view: str = "unrolled"
    steps: int = 4
    hidden: int | None = None
    layers: int | None = None
    bidirectional: bool | None = None
    layer: str | None = None


class Subject(NamedTuple):
    """What is to be drawn.

    Attributes:
        name: what a picture of it is called.
        model: a network.
        inputs: what it is called with: one argument, or a tuple of several.
        loss: computes a loss by it; with ``True``, that of the last step alone, if it has one.
        unrolled: makes the picture of the view ``"unrolled"``, where that is another one: of a network over trees.
    """

    name: str
    model: nn.Module
    inputs: Any
    loss: Callable[[bool], mg.Tensor]
    unrolled: Callable[[], Drawing] | None = None


class Tagger(nn.Module):
    """A built-in network: a recurrent layer, whose place in the model is its kind, and a linear head at every step."""

    def __init__(self, kind: str, hidden: int = HIDDEN, layers: int = 1, bidirectional: bool = False) -> None:
        super().__init__()
        layer = KINDS[kind](INPUTS, hidden, layers, bidirectional=bidirectional)
        setattr(self, kind, layer)
        self.kind = kind
        self.head = nn.Linear(hidden * (1 + bidirectional), CLASSES)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        """Logits ``(T, N, 10)`` for inputs ``(T, N, 8)``."""
        logits: mg.Tensor = self.head(getattr(self, self.kind)(x)[0])
        return logits


def run(options: Options, subject: Subject | None = None) -> Path:
    """Draw a network and write the picture; returns the path written to.

    Args:
        options: what to draw, and how.
        subject: the network; left out, the one that the options name.

    Raises:
        FileError: there is no such model, or the picture cannot be written.
        GraphError: this view cannot be had of this network.
        RenderError: the suffix is that of no format, or there is nothing to draw with.
    """
    if subject is None:
        subject = _built_in(options) if options.model in KINDS else _saved(options)
    if options.view == OVERVIEW:
        drawing = mg.draw(subject.model, subject.inputs)
    elif options.view == "unrolled" and subject.unrolled is not None:
        drawing = subject.unrolled()
    else:
        at_the_end = options.view == "flow"  # gradients flow from the last step's loss
        drawing = draw(lambda: subject.loss(at_the_end), view=options.view, layer=options.layer)
    return drawing.save(options.out or Path(f"{subject.name}-{options.view}.svg"))


def _built_in(options: Options) -> Subject:
    mg.manual_seed(0)
    sizes = {"hidden": options.hidden or HIDDEN, "layers": options.layers or 1}
    model = Tagger(options.model, **sizes, bidirectional=bool(options.bidirectional))
    x, targets = mg.randn(options.steps, 1, INPUTS), mg.arange(options.steps).remainder(CLASSES).unsqueeze(1)
    return Subject(options.model, model, x, lambda at_the_end: next_symbols(model(x), targets, at_the_end))


def _saved(options: Options) -> Subject:
    """A character model that the demo saved."""
    refuse_sizes(options)
    path = _weights(options.model)
    model, size = load_character_model(path)
    return language_subject(path.stem, model, size, options.steps)


def refuse_sizes(options: Options) -> None:
    """A model that was saved has its sizes already.

    Raises:
        FileError: others were asked for.
    """
    given = [name for name in ("hidden", "layers", "bidirectional") if getattr(options, name) is not None]
    if given:
        raise mg.FileError(f"--{given[0]} is for the built-in models; {options.model} says itself what it is")


def language_subject(name: str, model: LanguageModel, size: int, steps: int) -> Subject:
    """A language model on a text of so many symbols, each the next of its vocabulary."""
    text = mg.arange(steps + 1).remainder(size).unsqueeze(1)
    x, targets = text[:-1], text[1:]
    return Subject(name, model, x, lambda at_the_end: next_symbols(model(x)[0], targets, at_the_end))


def next_symbols(logits: mg.Tensor, targets: mg.Tensor, at_the_end: bool) -> mg.Tensor:
    """The loss of all steps, or of the last one."""
    chosen = slice(-1, None) if at_the_end else slice(None)
    return nn.functional.cross_entropy(logits[chosen], targets[chosen], dim=-1)


def _weights(model: str) -> Path:
    """The file of a saved model that was named, or that is in the folder that was."""
    path = Path(model)
    if path.is_dir():
        path /= WEIGHTS
    if not path.exists():
        kinds = ", ".join(KINDS)
        raise mg.FileError(f"there is no model {str(path)!r}; the built-in ones are {kinds}")
    return path


def load_character_model(path: Path) -> tuple[LanguageModel, int]:
    """A model that the demo saved, and the size of its vocabulary.

    Raises:
        FileError: the file holds something else.
    """
    described = mg.load_metadata(path)
    names = ("embedding_dim", "hidden_size", "num_layers")
    missing = [name for name in (*names, "symbols") if name not in described]
    if missing:
        raise mg.FileError(f"{path} holds no model that `minigrad-rnn demo` saved: it does not say its {missing[0]}")
    try:
        size = len(described["symbols"])
        model = LanguageModel(size, *[described[name] for name in names])
        model.load_state_dict(mg.load(path))
    except (mg.MinigradError, KeyError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise mg.FileError(f"{path} holds no model that `minigrad-rnn demo` saved: {reason}") from error
    return model, size
