"""Scheduled sampling: the decoder is weaned from the right answers."""

from __future__ import annotations

import math
from typing import Any

import minigrad as mg

KINDS = ("linear", "exponential", "inverse_sigmoid")
CHOICES = ("likeliest", "drawn")


class ScheduledSampling:
    r"""How often the decoder reads the right token instead of its own last answer (Bengio et al. 2015, section 2.4).

    In training a decoder reads right tokens, in use its own; a first mistake then leads where it has never been. So a
    coin is tossed for each token: with probability :math:`\varepsilon_i` it is the right one, else what the decoder
    itself answered, through which no gradient flows. With the number of training steps i,

    .. math::
        \varepsilon_i = \begin{cases}
            \max(\varepsilon_{\min}, k - c\,i) & \text{linear} \\
            k^i, \quad k < 1 & \text{exponential} \\
            k / (k + e^{i/k}), \quad k \ge 1 & \text{inverse sigmoid}
        \end{cases}

    Args:
        kind: ``"linear"``, ``"exponential"`` or ``"inverse_sigmoid"``.
        k: the constant above; left out, 1 for ``"linear"``.
        c: the slope of ``"linear"``.
        floor: :math:`\varepsilon_{\min}`; a lower limit for all kinds.
        choice: which answer of its own the decoder reads: the ``"likeliest"``, or one ``"drawn"`` from its
            distribution.

    Attributes:
        iteration: the number i of training steps so far; :meth:`step` counts.

    Raises:
        MinigradError: no such kind or choice, or constants outside of their range.

    >>> schedule = ScheduledSampling("inverse_sigmoid", k=100)
    >>> for _ in range(460):
    ...     schedule.step()
    >>> round(schedule.probability, 2)
    0.5
    """

    def __init__(
        self, kind: str, k: float | None = None, c: float = 0.0, floor: float = 0.0, choice: str = "likeliest"
    ) -> None:
        if kind not in KINDS:
            raise mg.MinigradError(f"ScheduledSampling: the kind is one of {', '.join(KINDS)}, not {kind!r}")
        k = 1.0 if k is None and kind == "linear" else k
        if k is None or not {"linear": 0 <= k <= 1, "exponential": 0 < k < 1, "inverse_sigmoid": k >= 1}[kind]:
            span = {"linear": "from 0 to 1", "exponential": "between 0 and 1", "inverse_sigmoid": "at least 1"}[kind]
            raise mg.MinigradError(f"ScheduledSampling: k of {kind!r} must be {span}, not {k}")
        if c < 0 or not 0 <= floor <= 1:
            raise mg.MinigradError(f"ScheduledSampling: c={c} must not be negative, floor={floor} is from 0 to 1")
        check_choice(choice)
        self.kind, self.k, self.c, self.floor, self.choice = kind, k, c, floor, choice
        self.iteration = 0

    @property
    def probability(self) -> float:
        r""":math:`\varepsilon_i`: the share of right tokens at present."""
        if self.kind == "linear":
            present = self.k - self.c * self.iteration
        elif self.kind == "exponential":
            present = self.k**self.iteration
        else:
            present = 1 / (1 + math.exp(min(self.iteration / self.k, 700.0)) / self.k)
        return max(self.floor, present)

    def step(self) -> None:
        """One training step is over."""
        self.iteration += 1

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs to go on from here."""
        return {"iteration": self.iteration}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.iteration = int(state["iteration"])

    def __repr__(self) -> str:
        return f"ScheduledSampling({self.kind!r}, k={self.k}, c={self.c}, floor={self.floor}, choice={self.choice!r})"


def check_choice(choice: str) -> None:
    """Refuse what is no choice."""
    if choice not in CHOICES:
        raise mg.MinigradError(f'ScheduledSampling: the choice is "likeliest" or "drawn", not {choice!r}')


def coins(probability: float, shape: tuple[int, ...], device: Any) -> mg.Tensor:
    """For each token, whether the right one is read."""
    right: mg.Tensor = mg.rand(*shape, device=device) < probability
    return right


@mg.no_grad()
def own_answer(scores: mg.Tensor, choice: str) -> mg.Tensor:
    r"""A token for each row of scores ``(N, V)``: the likeliest, or drawn from the softmax of the scores.

    Drawn by the largest of :math:`s_j - \ln(-\ln u_j)` with uniform :math:`u` (Gumbel 1954), which needs no sum.
    """
    scores = scores.detach()
    if choice == "drawn":
        tiny = 1e-30 if scores.dtype.itemsize > 2 else 1e-7
        scores = scores - (-(mg.rand_like(scores) + tiny).log() + tiny).log()
    tokens: mg.Tensor = scores.argmax(-1)
    return tokens
