"""A recurrent model of characters."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy

import minigrad as mg
from minigrad import nn

from ..layers import LSTM
from ..layers.lstm import State
from .corpus import windows


class CharacterModel(nn.Module):
    """Predicts the next character at every step: embedding, LSTM, linear head.

    Args:
        vocabulary_size: number of different characters.
        embedding_dim: features of a character.
        hidden_size: features of the LSTM's state.
        num_layers: LSTMs stacked.

    Shape:
        - input: characters ``(T, N)``, int64.
        - output: logits ``(T, N, vocabulary_size)`` and the LSTM's state.
    """

    def __init__(self, vocabulary_size: int, embedding_dim: int, hidden_size: int, num_layers: int = 1) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_dim)
        self.lstm = LSTM(embedding_dim, hidden_size, num_layers)
        self.head = nn.Linear(hidden_size, vocabulary_size)

    def forward(self, x: mg.Tensor, state: State | None = None) -> tuple[mg.Tensor, State]:
        """Logits for the character after each of ``x``, and the state to go on from."""
        hidden, state = self.lstm(self.embedding(x), state)
        return self.head(hidden), state


def bits_per_character(model: CharacterModel, numbers: mg.Tensor, streams: int = 16, steps: int = 128) -> float:
    r"""Mean of :math:`-\log_2 p` that the model gives to the characters of a text.

    The text is read as parallel streams with the state carried along; each stream starts from zeros.
    """
    total, count = 0.0, 0
    state: State | None = None
    with mg.no_grad():
        for inputs, targets in windows(numbers, streams, steps):
            logits, state = model(inputs, state)
            total += nn.functional.cross_entropy(logits, targets, dim=-1, reduction="sum").item()
            count += targets.numel()
    return total / count / math.log(2)


def generate(
    model: CharacterModel, prompt: mg.Tensor, length: int, temperature: float = 1.0
) -> Iterator[int]:
    """Sample characters one by one, each drawn from the model's prediction after all before it.

    Args:
        model: the model.
        prompt: characters to start from, ``(T,)`` int64, at least one.
        length: how many characters to draw.
        temperature: divides the logits: below 1 safer, above 1 wilder; 0 always takes the likeliest.
    """
    with mg.no_grad():
        logits, state = model(prompt.unsqueeze(1))
        for _ in range(length):
            scores = logits[-1, 0].double().numpy()
            number = int(scores.argmax()) if temperature == 0 else _draw(scores / temperature)
            yield number
            logits, state = model(mg.tensor([[number]]), state)


def _draw(scores: numpy.ndarray[tuple[int], numpy.dtype[numpy.float64]]) -> int:
    """A number with probability proportional to the exponential of its score."""
    weights = numpy.exp(scores - scores.max()).cumsum()
    return int(numpy.searchsorted(weights, mg.rand(1, dtype=mg.float64).item() * weights[-1], side="right"))
