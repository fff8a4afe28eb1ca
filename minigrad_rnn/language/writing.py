"""Text out of a model."""

from __future__ import annotations

import math
from collections.abc import Iterator

import minigrad as mg

from ..seq2seq import beam_search, sample
from ..training.evaluating import evaluating
from .model import LanguageModel
from .vocabulary import END_OF_LINE, Vocabulary


def generate(
    model: LanguageModel,
    prompt: mg.Tensor,
    length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    end: int | None = None,
) -> Iterator[int]:
    """Draw characters or words one by one, each from the model's prediction after all before it.

    Args:
        model: the model; in evaluation meanwhile.
        prompt: numbers to start from, ``(T,)`` int64, at least one.
        length: how many to draw.
        temperature: divides the logits: below 1 safer, above 1 wilder; 0 always takes the likeliest.
        top_k: only from so many, the likeliest.
        top_p: only from the fewest that have this probability together; see :func:`minigrad_rnn.seq2seq.sample`.
        end: a number that ends the text.
    """
    with evaluating(model):
        steps = model.steps(prompt, end)
        (drawn,) = sample(steps, length, temperature=temperature, top_k=top_k, top_p=top_p)
    return iter(drawn.tokens)


def write(
    model: LanguageModel,
    vocabulary: Vocabulary,
    prompt: str,
    length: int = 200,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float | None = None,
) -> str:
    """A text that begins with the prompt. Arguments as for :func:`generate`; without a prompt it begins a line."""
    given = mg.tensor(vocabulary.encode(prompt or "\n"))
    return joined(prompt, vocabulary.decode(generate(model, given, length, temperature, top_k, top_p)), vocabulary.kind)


def joined(prompt: str, way: str, kind: str) -> str:
    """A prompt and what comes after it; between words there is a blank."""
    apart = kind == "words" and bool(prompt and way) and not (prompt[-1].isspace() or way[0].isspace())
    return prompt + " " * apart + way


def complete(
    model: LanguageModel,
    vocabulary: Vocabulary,
    prompt: str,
    count: int = 5,
    length: int | None = None,
    stop: str | None = None,
) -> list[tuple[str, float]]:
    """The likeliest ways to go on, with their probabilities, as far as a beam search finds them.

    Args:
        model: the model; in evaluation meanwhile.
        vocabulary: its vocabulary.
        prompt: what is there, at least one character or word.
        count: how many ways.
        length: of each, at most; left out, one word, or 20 characters.
        stop: what ends a way: left out, a blank, and for words the end of a line.

    Returns:
        What comes next (nothing, where it may end here), and its probability: with that of the end if it ended. The
        likeliest first.

    Raises:
        ShapeError: an empty prompt.
    """
    words = vocabulary.kind == "words"
    end = vocabulary[stop or (END_OF_LINE if words else " ")] or None  # 0 is what is not in the vocabulary
    with evaluating(model):
        steps = model.steps(mg.tensor(vocabulary.encode(prompt)), end)
        (found,) = beam_search(steps, beam=2 * count, max_length=length or (1 if words else 20), n_best=count)
    ways = [(vocabulary.decode(way.tokens), math.exp(way.log_probability)) for way in found]
    return sorted(ways, key=lambda way: -way[1])
