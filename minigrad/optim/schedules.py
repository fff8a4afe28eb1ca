"""Learning rates that change as training goes on.

Every schedule is a factor in closed form, a function of the number of its own steps; the learning rate of a group is

    ``initial_lr`` times the present factor of every schedule made for the optimiser.

So several schedules on one optimiser multiply, in whatever order they are stepped and without rounding errors that
pile up, and a schedule may be stepped before the optimiser without harm (it is one step early, no more). The learning
rate itself is overwritten at every step of a schedule; to change it by hand, change ``group["initial_lr"]``.

Groups added to the optimiser later than a schedule are not governed by it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from .optimizer import Group, OptimError, Optimizer

Lambda = Callable[[int], float]


class LRScheduler:
    """Base of the schedules: a subclass says by :meth:`factor` what the initial learning rate is multiplied with.

    Args:
        optimizer: whose learning rates are set, at once and with every :meth:`step`.
        last_epoch: number of the step before the first: to continue, the number of steps done so far.

    Attributes:
        last_epoch: number of the present step, from 0.
    """

    _unsaved: ClassVar[tuple[str, ...]] = ("optimizer", "_factors")

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise OptimError(f"{type(self).__name__} is made for an optimiser, not for a {type(optimizer).__name__}")
        self.optimizer = optimizer
        self._factors = [1.0] * len(optimizer.param_groups)
        optimizer.lr_factors.append(self._factors)
        self.last_epoch = last_epoch + 1
        self._apply()

    def factor(self) -> float | list[float]:
        """The factor at step ``last_epoch``: one for all groups, or a list with one for each."""
        raise NotImplementedError

    @property
    def base_lrs(self) -> list[float]:
        """The initial learning rate of each group."""
        groups = self.optimizer.param_groups[: len(self._factors)]
        for group in groups:
            group.setdefault("initial_lr", group["lr"])
        return [group["initial_lr"] for group in groups]

    def step(self) -> None:
        """Go on by one, and set the learning rates."""
        self.last_epoch += 1
        self._apply()

    def get_last_lr(self) -> list[float]:
        """The learning rates that the last step of this schedule set."""
        return list(self._last_lr)

    def _apply(self) -> None:
        factor, base_lrs = self.factor(), self.base_lrs
        self._factors[:] = factor if isinstance(factor, list) else [factor] * len(base_lrs)
        for i, lr in enumerate(base_lrs):
            group = self.optimizer.param_groups[i]
            group["lr"] = math.prod([factors[i] for factors in self.optimizer.lr_factors if i < len(factors)], start=lr)
            self._adjust(group)
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups[: len(base_lrs)]]

    def _adjust(self, group: Group) -> None:
        """Set what else a schedule sets."""

    def state_dict(self) -> dict[str, Any]:
        """Settings and the number of the present step, as plain data. Functions are not part of it."""
        return {
            key: list(value) if isinstance(value, list) else value
            for key, value in self.__dict__.items()
            if key not in self._unsaved
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a :meth:`state_dict`, and set the learning rates accordingly.

        Raises:
            OptimError: it is the state of another kind of schedule; the message names what differs.
        """
        here = set(self.state_dict())
        missing, unknown = sorted(here - set(state_dict)), sorted(set(state_dict) - here)
        if missing or unknown:
            name = type(self).__name__
            raise OptimError(f"{name}.load_state_dict: entries differ: missing {missing}, unexpected {unknown}")
        if len(state_dict["_last_lr"]) != len(self._factors):
            raise OptimError(
                f"{type(self).__name__}.load_state_dict: saved for {len(state_dict['_last_lr'])} groups,"
                f" this schedule is for {len(self._factors)}"
            )
        self.__dict__.update({k: list(v) if isinstance(v, (list, tuple)) else v for k, v in state_dict.items()})
        self._apply()

    def __repr__(self) -> str:
        settings = ", ".join(f"{key}={value!r}" for key, value in self.state_dict().items() if key[0] != "_")
        return f"{type(self).__name__}({settings})"


class StepLR(LRScheduler):
    r"""Multiply by ``gamma`` every ``step_size`` steps: :math:`\gamma^{\lfloor t / s \rfloor}`.

    >>> import minigrad as mg
    >>> opt = mg.optim.SGD([mg.ones(2, requires_grad=True)], lr=1.0)
    >>> schedule = mg.optim.StepLR(opt, step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     opt.step()
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        if step_size < 1:
            raise OptimError(f"StepLR: step_size must be 1 or more, got {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def factor(self) -> float:
        """Gamma to the number of whole stretches."""
        return float(self.gamma ** (self.last_epoch // self.step_size))


class MultiStepLR(LRScheduler):
    r"""Multiply by ``gamma`` at each of the ``milestones``: :math:`\gamma^{|\{m \le t\}|}`."""

    def __init__(
        self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def factor(self) -> float:
        """Gamma to the number of milestones reached."""
        return float(self.gamma ** bisect_right(self.milestones, self.last_epoch))


class ExponentialLR(LRScheduler):
    r"""Multiply by ``gamma`` at every step: :math:`\gamma^t`."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self) -> float:
        """Gamma to the number of steps."""
        return float(self.gamma**self.last_epoch)


class LinearLR(LRScheduler):
    r"""Go from ``start_factor`` to ``end_factor`` in ``total_iters`` equal steps, and stay there.

    Warm-up, as in Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017, section 2.2. It
    multiplies with another schedule that is stepped beside it.

    >>> import minigrad as mg
    >>> opt = mg.optim.SGD([mg.ones(2, requires_grad=True)], lr=2.0)
    >>> warm_up, decay = mg.optim.LinearLR(opt, 0.5, total_iters=2), mg.optim.ExponentialLR(opt, 0.5)
    >>> lrs = []
    >>> for _ in range(4):
    ...     lrs.append(opt.param_groups[0]["lr"])
    ...     warm_up.step()
    ...     decay.step()
    >>> lrs
    [1.0, 0.75, 0.5, 0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise OptimError(f"LinearLR: factors lie between 0 and 1; got {start_factor} and {end_factor}")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def factor(self) -> float:
        """Along the line."""
        part = min(self.last_epoch, self.total_iters) / self.total_iters if self.total_iters else 1.0
        return self.start_factor + (self.end_factor - self.start_factor) * part


class CosineAnnealingLR(LRScheduler):
    r"""Down from the initial rate :math:`\gamma_0` to ``eta_min`` along half a cosine, in ``T_max`` steps.

    .. math::
        \gamma_t = \gamma_{\min} + \tfrac12 (\gamma_0 - \gamma_{\min}) \Big(1 + \cos \frac{\pi t}{T_{\max}}\Big)

    Beyond ``T_max`` it goes up again. Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts",
    ICLR 2017, equation 5, without the restarts.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:  # noqa: N803
        if T_max < 1:
            raise OptimError(f"CosineAnnealingLR: T_max must be 1 or more, got {T_max}")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def factor(self) -> list[float]:
        """Along the cosine."""
        height = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        floors = [self.eta_min / base_lr if base_lr else 0.0 for base_lr in self.base_lrs]
        return [floor + (1 - floor) * height for floor in floors]


class LambdaLR(LRScheduler):
    """Multiply by a function of the number of the step.

    Args:
        optimizer: whose learning rates are set.
        lr_lambda: the function, or a list with one for each group. Not part of the ``state_dict``.
        last_epoch: see :class:`LRScheduler`.
    """

    _unsaved = (*LRScheduler._unsaved, "lr_lambdas")

    def __init__(self, optimizer: Optimizer, lr_lambda: Lambda | Sequence[Lambda], last_epoch: int = -1) -> None:
        self.lr_lambdas = _per_group(lr_lambda, optimizer, "LambdaLR: lr_lambda")
        super().__init__(optimizer, last_epoch)

    def factor(self) -> list[float]:
        """What the functions say."""
        return [float(function(self.last_epoch)) for function in self.lr_lambdas]


class OneCycleLR(LRScheduler):
    r"""Up from a low rate to ``max_lr`` and down to a much lower one, the momentum the other way round.

    From ``max_lr / div_factor`` to ``max_lr`` in the first ``pct_start`` of the steps, then down to ``max_lr /
    div_factor / final_div_factor``. Smith and Topin, "Super-convergence: very fast training of neural networks using
    large learning rates", 2019. It is stepped after every batch. What it sets does not depend on the optimiser's own
    learning rate, which must not be 0.

    Args:
        optimizer: whose learning rates are set.
        max_lr: the highest rate; a list has one for each group.
        total_steps: the length of the cycle; or give ``epochs`` and ``steps_per_epoch``.
        epochs: how often all data are seen.
        steps_per_epoch: how many batches they make.
        pct_start: the part of the cycle that goes up.
        anneal_strategy: along a cosine (``"cos"``) or a straight line (``"linear"``).
        cycle_momentum: set ``momentum``, or the first of ``betas``, too.
        base_momentum: the lowest momentum, when the rate is highest.
        max_momentum: the highest momentum, at both ends.
        div_factor: ``max_lr`` over the first rate.
        final_div_factor: the first rate over the last.
        three_phase: come down as slowly as it went up, and only then go below the first rate.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        OptimError: from :meth:`step`, when the cycle is over.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None and epochs is not None and steps_per_epoch is not None:
            total_steps = epochs * steps_per_epoch
        if total_steps is None or total_steps < 1:
            raise OptimError("OneCycleLR needs total_steps, or epochs and steps_per_epoch; all 1 or more")
        if not 0 <= pct_start <= 1 or anneal_strategy not in {"cos", "linear"}:
            raise OptimError('OneCycleLR: pct_start lies between 0 and 1, anneal_strategy is "cos" or "linear"')
        if cycle_momentum and not {"momentum", "betas"} & set(optimizer.defaults):
            raise OptimError(f"OneCycleLR: {type(optimizer).__name__} has no momentum to cycle: cycle_momentum=False")
        self.max_lrs = _per_group(max_lr, optimizer, "OneCycleLR: max_lr")
        self.total_steps, self.anneal_strategy, self.cycle_momentum = total_steps, anneal_strategy, cycle_momentum
        self.base_momentum, self.max_momentum = base_momentum, max_momentum
        # where each phase ends, and what part of max_lr is reached there: 1 at the top
        self.ends = [pct_start * total_steps - 1, total_steps - 1.0]
        self.levels = [1 / div_factor, 1.0, 1 / (div_factor * final_div_factor)]
        if three_phase:
            self.ends.insert(1, 2 * pct_start * total_steps - 2)
            self.levels.insert(2, 1 / div_factor)
        super().__init__(optimizer, last_epoch)

    def step(self) -> None:
        """Go on by one, and set learning rates and momenta."""
        if self.last_epoch + 1 > self.total_steps:
            raise OptimError(f"OneCycleLR: the cycle of {self.total_steps} steps is over; make it longer")
        super().step()

    def factor(self) -> list[float]:
        """The rate at this point of the cycle, as a factor to the initial rate."""
        if not all(self.base_lrs):
            raise OptimError("OneCycleLR: the optimiser's own learning rate must not be 0")
        level = self._along(self.levels)
        return [level * max_lr / base_lr for max_lr, base_lr in zip(self.max_lrs, self.base_lrs, strict=True)]

    def _adjust(self, group: Group) -> None:
        if not self.cycle_momentum:
            return
        tops = [self.base_momentum if level == 1.0 else self.max_momentum for level in self.levels]
        momentum = self._along(tops)
        if "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum

    def _along(self, levels: Sequence[float]) -> float:
        """Between two of the levels: those at the ends of the phase that the present step is in."""
        step = self.last_epoch
        phase = next((i for i, end in enumerate(self.ends) if step <= end), len(self.ends) - 1)
        begin = self.ends[phase - 1] if phase else 0.0
        length = self.ends[phase] - begin
        part = (step - begin) / length if length else 1.0
        if self.anneal_strategy == "cos":
            part = (1 - math.cos(math.pi * part)) / 2
        return levels[phase] + (levels[phase + 1] - levels[phase]) * part


class ReduceLROnPlateau(LRScheduler):
    """Multiply by ``factor`` when a measure has stopped improving.

    Args:
        optimizer: whose learning rates are set.
        mode: ``"min"`` if lower is better, ``"max"`` if higher is.
        factor: what to multiply with.
        patience: how many steps without improvement are borne.
        threshold: by how much a value must beat the best one to count.
        threshold_mode: ``"rel"``, a part of the best value, or ``"abs"``.
        cooldown: how many steps after a reduction are not counted.
        min_lr: no learning rate gets below; a list has one for each group.
        eps: a reduction by less than this is left out.

    >>> import minigrad as mg
    >>> opt = mg.optim.SGD([mg.ones(2, requires_grad=True)], lr=1.0)
    >>> schedule = mg.optim.ReduceLROnPlateau(opt, factor=0.5, patience=1)
    >>> for loss in [3.0, 2.0, 2.0, 2.0]:
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1:
            raise OptimError(f"ReduceLROnPlateau: factor must be below 1, got {factor}")
        if mode not in {"min", "max"} or threshold_mode not in {"rel", "abs"}:
            raise OptimError('ReduceLROnPlateau: mode is "min" or "max", threshold_mode "rel" or "abs"')
        self.mode, self.reduce_by, self.patience, self.cooldown = mode, factor, patience, cooldown
        self.threshold, self.threshold_mode, self.eps = threshold, threshold_mode, eps
        self.min_lrs = _per_group(min_lr, optimizer, "ReduceLROnPlateau: min_lr")
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        self.reached = [1.0] * len(optimizer.param_groups)
        super().__init__(optimizer)

    def factor(self) -> list[float]:
        """The product of the reductions so far."""
        return self.reached

    def step(self, metrics: Any) -> None:  # type: ignore[override]
        """Look at a new value of the measure: a number, or a tensor of one element (which waits for a GPU)."""
        value = float(metrics)
        if self._better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        super().step()

    def _better(self, value: float) -> bool:
        margin = -self.threshold if self.mode == "min" else self.threshold
        bar = self.best * (1 + margin) if self.threshold_mode == "rel" else self.best + margin
        return value < bar if self.mode == "min" else value > bar

    def _reduce(self) -> None:
        for i, group in enumerate(self.optimizer.param_groups[: len(self.reached)]):
            lower = max(group["lr"] * self.reduce_by, self.min_lrs[i])
            if group["lr"] - lower > self.eps:
                self.reached[i] *= lower / group["lr"]


def _per_group(value: Any, optimizer: Optimizer, what: str) -> list[Any]:
    """A setting for every group: the one given, or one each."""
    count = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * count
    if len(values) != count:
        raise OptimError(f"{what}: {len(values)} values for {count} groups")
    return values
