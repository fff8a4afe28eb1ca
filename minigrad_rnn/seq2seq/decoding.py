"""From a model that scores the next token to whole sequences: what all ways of decoding share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy

import minigrad as mg

Array = numpy.ndarray[Any, Any]


class Hypothesis(NamedTuple):
    """A sequence that was decoded.

    Attributes:
        tokens: without START and END.
        log_probability: of these tokens, and of END if it ended.
        score: by what hypotheses are ranked; the log-probability, unless the length was reckoned with.
        ended: whether END came, not only the greatest length.
        attention: the weights ``(steps, S)`` of each step, if they were asked for.
    """

    tokens: list[int]
    log_probability: float
    score: float
    ended: bool
    attention: Array | None = None


def select_rows(state: Any, rows: mg.Tensor, dim: int = 1) -> Any:
    """The state of some sequences, in any order and with repetitions; its tensors count the sequences in ``dim``."""
    if isinstance(state, mg.Tensor):
        return mg.index_select(state, dim, rows)
    if isinstance(state, (tuple, list)):
        parts = [select_rows(part, rows, dim) for part in state]
        return state._make(parts) if hasattr(state, "_make") else type(state)(parts)
    return state


@dataclasses.dataclass(frozen=True)
class Steps:
    """What decoding needs to know of a model: all of it, so that any model will do.

    Args:
        step: ``step(tokens, state)`` takes the last tokens ``(N,)`` and gives the log-probabilities, or scores whose
            softmax is meant, of the next ones ``(N, V)``, and the state to go on from.
        state: the state to begin with.
        first: the tokens to begin with, ``(N,)``: START, or the last one of a prompt.
        end: the number of END; ``None``: sequences go on to the greatest length.
        select: ``select(state, rows)`` gives the state of the sequences ``rows``, int64 with repetitions. Left out,
            tensors, alone or in tuples, count the sequences in dim 1, as the states of layers do.
        weights: ``weights(state)`` gives the attention weights ``(N, S)`` of the step that led to a state.

    >>> import minigrad as mg
    >>> from minigrad_rnn.seq2seq import greedy_decode
    >>> table = mg.tensor([[0.1, 0.7, 0.2], [0.1, 0.3, 0.6], [0.8, 0.1, 0.1]]).log()  # a chain: next row by token
    >>> chain = Steps(lambda tokens, state: (table[tokens], state), None, mg.tensor([0, 1]), end=None)
    >>> [hypothesis.tokens for hypothesis in greedy_decode(chain, max_length=4)]
    [[1, 2, 0, 1], [2, 0, 1, 2]]
    """

    step: Callable[[mg.Tensor, Any], tuple[mg.Tensor, Any]]
    state: Any
    first: mg.Tensor
    end: int | None
    select: Callable[[Any, mg.Tensor], Any] = select_rows
    weights: Callable[[Any], mg.Tensor] | None = None


def check_length(caller: str, max_length: int) -> None:
    """Refuse a greatest length that is none."""
    if isinstance(max_length, bool) or not isinstance(max_length, int) or max_length < 1:
        raise mg.MinigradError(f"{caller}: max_length must be a whole number from 1, not {max_length!r}")


def check_attention(caller: str, steps: Steps, attention: bool) -> None:
    """Refuse to give weights where there are none."""
    if attention and steps.weights is None:
        raise mg.MinigradError(f"{caller}: this model has no attention, and so no weights")


def greedy_decode(steps: Steps, max_length: int = 100, *, attention: bool = False) -> list[Hypothesis]:
    """At each step the likeliest token; of several the one with the lowest number.

    Args:
        steps: the model, such as :meth:`Seq2Seq.steps`.
        max_length: how many tokens at most, END among them.
        attention: whether to give the attention weights.

    Returns:
        One hypothesis for each sequence of the batch.
    """
    check_length("greedy_decode", max_length)
    check_attention("greedy_decode", steps, attention)
    return run(steps, lambda log_probabilities: log_probabilities.argmax(-1), max_length, attention)


@mg.no_grad()
def run(
    steps: Steps, choose: Callable[[Array], Array], max_length: int, attention: bool
) -> list[Hypothesis]:
    """Go on, with what ``choose`` makes of the log-probabilities ``(N, V)``, until all have ended."""
    state, tokens, batch = steps.state, steps.first, len(steps.first)
    alive, total = numpy.ones(batch, bool), numpy.zeros(batch)
    written: list[Array] = []
    lengths = numpy.zeros(batch, numpy.int64)
    seen: list[Array] = []
    while alive.any() and len(written) < max_length:
        scores, state = steps.step(tokens, state)
        log_probabilities = mg.log_softmax(scores.double(), -1).numpy()
        chosen = choose(log_probabilities)
        total += numpy.where(alive, numpy.take_along_axis(log_probabilities, chosen[:, None], 1)[:, 0], 0)
        lengths += alive
        alive &= chosen != (-1 if steps.end is None else steps.end)
        written.append(chosen)
        if attention and steps.weights is not None:
            seen.append(steps.weights(state).numpy())
        tokens = mg.tensor(chosen, device=steps.first.device)
    table = numpy.array(written).reshape(len(written), batch)
    return [
        Hypothesis(
            table[: lengths[n] - (not alive[n]), n].tolist(),
            float(total[n]),
            float(total[n]),
            not bool(alive[n]),
            numpy.array([step[n] for step in seen[: lengths[n]]]) if attention else None,
        )
        for n in range(batch)
    ]
