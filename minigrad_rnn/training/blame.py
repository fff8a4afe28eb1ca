"""A loss that is no number: which op began it?"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import minigrad as mg


class DivergedError(mg.MinigradError):
    """The loss or the gradients of a step are not finite. The step was not made: the parameters are those before it.

    Attributes:
        epoch, step: where in the run, each counted from 1.
    """

    def __init__(self, message: str, epoch: int, step: int) -> None:
        super().__init__(message)
        self.epoch, self.step = epoch, step


def first_bad_op(losses: Iterable[Callable[[], mg.Tensor]]) -> str:
    """What :class:`minigrad.inspect.detect_anomaly` says about losses that are computed once more, and backward.

    Recurrent layers record every op inside of it, so the report speaks of a step and a gate. An infinity is named
    where one comes first; since it may be meant, as in a mask, the first NaN is named too.
    """
    for compute in losses:
        if first := _report(compute, inf=True):
            nan = _report(compute, inf=False)
            return first if nan in (None, first) else f"{first}\nand the first NaN:\n{nan}"
    return "computed again op by op it is finite: a sum of finite numbers overflowed, or the loss is not repeatable"


def _report(compute: Callable[[], mg.Tensor], inf: bool) -> str | None:
    state = mg.get_rng_state()
    try:
        with mg.enable_grad(), mg.inspect.detect_anomaly(inf=inf):
            compute().backward()
    except mg.GraphError as error:
        hints = ("  hint: if the infinity is meant",)  # it is told below in words of our own
        return "\n".join(line for line in str(error).splitlines() if not line.startswith(hints))
    finally:
        mg.set_rng_state(state)
    return None
