"""Normalisation over the batch inside a recurrent network, with statistics of its own for every step."""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad import nn

from .norm import EPS

MOMENTUM = 0.1


class StepStatistics(nn.Module):
    r"""Running means and variances of what is normalised over the batch, one for each step.

    Recurrent batch normalisation (Cooijmans et al. 2017): in training, :math:`(a - \mu_t) / \sqrt{\sigma_t^2 +
    \epsilon}` with mean and variance over the sequences that are running at step t, and the running values of that
    step are moved towards them, unless it is one sequence only, which has no variance. In evaluation the running values
    are used; steps beyond the last that has some use those of the last. Statistics that were pooled over steps would be
    wrong for the first ones, where the state is still close to zeros. For the same reason steps are counted from where
    a sequence begins for its direction: its end, for the one that goes backwards. A call of a layer begins at step 0,
    whatever state it is given.

    Attributes:
        mean_ih, var_ih, ...: ``(steps, rows)``, for each thing that is normalised.
    """

    def __init__(self, rows: dict[str, int], steps: int, device: Any, dtype: Any) -> None:
        super().__init__()
        self.steps = steps
        for place, count in rows.items():
            self.register_buffer(f"mean_{place}", mg.zeros(steps, count, device=device, dtype=dtype))
            self.register_buffer(f"var_{place}", mg.ones(steps, count, device=device, dtype=dtype))

    def reset(self) -> None:
        """Forget all that was seen: means 0 and variances 1."""
        for name, values in self.named_buffers():
            values.data[...] = name.startswith("var")

    def at(self, steps: range | int, running: mg.Tensor | None = None) -> StatisticsAt:
        """The statistics of one step, or of a range.

        Args:
            steps: which; a range may go backwards.
            running: for each of them and each row of the batch, whether there is anything; ``(..., N, 1)``.
        """
        return StatisticsAt(self, steps, running)

    def extra_repr(self) -> str:
        """For how many steps."""
        return f"steps={self.steps}"


class StatisticsAt:
    """Statistics of one step or of a range of steps."""

    def __init__(self, statistics: StepStatistics, steps: range | int, running: mg.Tensor | None) -> None:
        self.statistics, self.steps, self.running = statistics, steps, running

    def normalise(self, place: str, a: mg.Tensor) -> mg.Tensor:
        """``a``, ``(..., N, rows)``, with mean 0 and variance 1 over the batch, or by the running values."""
        means, variances = (getattr(self.statistics, f"{kind}_{place}") for kind in ("mean", "var"))
        if not self.statistics.training:
            chosen = self._known()
            return _standard(a, means[chosen].unsqueeze(-2), variances[chosen].unsqueeze(-2))
        if a.ndim < 2 or a.shape[-2] == 1:
            raise mg.ShapeError(
                f"batch_norm: in training a step is normalised over the batch, and this one has shape {a.shape}\n"
                "  hint: give at least two sequences at once, or call eval()"
            )
        if a.shape[-2] == 0:
            return a
        mean, variance, rate = self._moments(a)
        self._move(means, mean, rate)
        self._move(variances, variance, rate)
        return _standard(a, mean, variance)

    def _moments(self, a: mg.Tensor) -> tuple[mg.Tensor, mg.Tensor, Any]:
        """Mean and variance, and how far the running values of each step are to move towards them."""
        if self.running is None:
            return a.mean(-2, keepdim=True), a.var(-2, correction=0, keepdim=True), MOMENTUM
        counted = self.running.to(dtype=a.dtype)
        count = counted.sum(-2, keepdim=True)
        several, count = count > 1, mg.clamp(count, 1.0)
        mean = (a * counted).sum(-2, keepdim=True) / count
        variance = ((a - mean).square() * counted).sum(-2, keepdim=True) / count
        return mean, variance, several.to(dtype=a.dtype).data.reshape(-1, 1) * MOMENTUM

    def _known(self) -> Any:
        """The steps as indices, those beyond the last as the last."""
        last = self.statistics.steps - 1
        if isinstance(self.steps, int):
            return min(self.steps, last)
        return [min(t, last) for t in self.steps]

    def _move(self, running: mg.Tensor, now: mg.Tensor, rate: Any) -> None:
        """Move the running values towards those of now; steps beyond the last leave none."""
        steps = [self.steps] if isinstance(self.steps, int) else self.steps
        places = [place for place, t in enumerate(steps) if t < self.statistics.steps]
        if places:
            change = rate * (now.data.reshape(-1, now.shape[-1]) - running.data[self._known()])
            running.data[[steps[place] for place in places]] += change[places]


def _standard(a: mg.Tensor, mean: mg.Tensor, variance: mg.Tensor) -> mg.Tensor:
    return (a - mean) * (variance + EPS).rsqrt()
