"""One step of the optimiser."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import minigrad as mg

from ..sequences import detach_state
from .blame import first_bad_op
from .options import TrainerOptions


class Outcome(NamedTuple):
    """What a loss function says about a batch: the mean loss, of how many items, and the recurrent state behind it."""

    loss: mg.Tensor
    items: float = 1
    state: Any = None


class Step(NamedTuple):
    """What a step was like: loss and items of each batch, the norm of the gradients before clipping, the state."""

    seen: list[tuple[float, float]]
    norm: float
    state: Any


class NotFiniteError(Exception):
    """A loss or a gradient is not finite: what, and the op that began it."""

    def __init__(self, what: str, found: str) -> None:
        super().__init__(what)
        self.what, self.found = what, found


@dataclass(frozen=True)
class Stepper:
    """Makes the steps: loss, backward, clipping, optimiser."""

    model: mg.nn.Module
    optimizer: mg.optim.Optimizer
    loss: Callable[..., Any]
    options: TrainerOptions

    def outcome(self, batch: Any, state: Any) -> Outcome:
        """The loss function's answer, in one form.

        Raises:
            MinigradError: it answered something else.
        """
        carry = self.options.carry
        result = self.loss(self.model, batch, *([state] if carry else []))
        parts = result if isinstance(result, tuple) else (result,)
        if len(parts) not in ((3,) if carry else (1, 2)) or not isinstance(parts[0], mg.Tensor):
            told = "with carry=True (loss, count, state)" if carry else "the loss, or (loss, count)"
            raise mg.MinigradError(
                f"Trainer: the loss function returns {told}, the loss a tensor; this one returned {result!r:.60}"
            )
        outcome = Outcome(*parts)
        return outcome._replace(items=outcome.items.item()) if hasattr(outcome.items, "item") else outcome

    def step(self, batches: list[Any], state: Any) -> Step:
        """A step from the gradients of one batch or several, as if these were one.

        Raises:
            NotFiniteError: nothing was changed but the gradients.
        """
        self.optimizer.zero_grad()
        seen, begun, alone = [], [], len(batches) == 1
        for batch in batches:
            begun.append((batch, state, mg.get_rng_state()))
            outcome = self.outcome(batch, state)
            value = outcome.loss.item() if outcome.items else 0.0
            if not math.isfinite(value):
                self._blame(f"the loss is {value}", begun[-1:])
            if outcome.items:  # the mean over nothing is NaN, with no gradient
                (outcome.loss if alone else outcome.loss * outcome.items).backward()
            state = detach_state(outcome.state)
            seen.append((value, outcome.items))
        total = sum(items for _, items in seen)
        if total and not alone:
            self._scale_gradients(1 / total)
        norm = self._clip()
        if not math.isfinite(norm):
            self._blame(f"the norm of the gradients is {norm}", begun)
        if total:
            self.optimizer.step()
        return Step(seen, norm, state)

    def _scale_gradients(self, factor: float) -> None:
        for p in self._parameters():
            if p.grad is not None:
                p.grad = p.grad * factor

    def _clip(self) -> float:
        limit = math.inf if self.options.clip_norm is None else self.options.clip_norm
        return float(mg.optim.clip_grad_norm_(self._parameters(), limit).item())

    def _parameters(self) -> list[mg.Tensor]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def _blame(self, what: str, begun: list[tuple[Any, Any, Any]]) -> NoReturn:
        """Compute batches again, with the state and the random numbers that each began with, and look at every op."""
        raise NotFiniteError(what, first_bad_op([functools.partial(self._again, *batch) for batch in begun]))

    def _again(self, batch: Any, state: Any, before: Any) -> mg.Tensor:
        mg.set_rng_state(before)
        return self.outcome(batch, state).loss
