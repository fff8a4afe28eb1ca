"""Optimisers with a step size of its own for every number, from the squares of its past gradients."""

from __future__ import annotations

from typing import Any

from ..backend import xp
from ..node import Array
from .optimizer import Group, Optimizer, State


class Adagrad(Optimizer):
    r"""Steps that shrink with all the gradients seen so far.

    .. math::
        \begin{aligned}
        s_t &= s_{t-1} + g_t^2 \cr
        \theta_t &= \theta_{t-1} - \frac{\gamma}{1 + (t-1)\,\eta}\; \frac{g_t}{\sqrt{s_t} + \epsilon}
        \end{aligned}

    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 12,
    2011, section 1.1, with diagonal matrices.

    Args:
        params: tensors, or groups of them as dicts.
        lr: :math:`\gamma`
        lr_decay: :math:`\eta`
        weight_decay: :math:`\lambda`; adds :math:`\lambda\theta_{t-1}` to the gradient.
        initial_accumulator_value: :math:`s_0`
        eps: :math:`\epsilon`
        maximize: go up instead of down.

    >>> import minigrad as mg
    >>> p = mg.tensor([1.0, 1.0], requires_grad=True)
    >>> p.grad = mg.tensor([0.001, 1000.0])
    >>> mg.optim.Adagrad([p], lr=0.5).step()  # the first step is as long for every number
    >>> [round(v, 4) for v in p.tolist()]
    [0.5, 0.5]
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "eps": eps,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "maximize": maximize,
            },
        )

    def buffers(self, group: Group) -> dict[str, float]:
        """The sum of squares."""
        return {"sum": group["initial_accumulator_value"]}

    def update(self, param: Array, grad: Array, state: State, group: Group) -> None:
        """One step."""
        m, total, scratch = xp(param), state["sum"], self.scratch(param)
        total += m.multiply(grad, grad, out=scratch)
        m.sqrt(total, out=scratch)
        scratch += group["eps"]
        m.divide(grad, scratch, out=scratch)
        scratch *= group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
        param -= scratch


class RMSprop(Optimizer):
    r"""Steps divided by a running root mean square of the gradient.

    .. math::
        \begin{aligned}
        v_t &= \alpha v_{t-1} + (1 - \alpha)\, g_t^2, \qquad \bar g_t = \alpha \bar g_{t-1} + (1 - \alpha)\, g_t \cr
        d_t &= \sqrt{v_t} + \epsilon \quad\text{or, centred,}\quad \sqrt{v_t - \bar g_t^2} + \epsilon \cr
        b_t &= \mu\, b_{t-1} + g_t / d_t, \qquad \theta_t = \theta_{t-1} - \gamma\, b_t
        \end{aligned}

    Tieleman and Hinton, "Neural networks for machine learning", lecture 6.5, 2012. Centred and with momentum: Graves,
    "Generating sequences with recurrent neural networks", 2013, equations 38-45. The variance
    :math:`v_t - \bar g_t^2` is taken as 0 where rounding makes it negative.

    Args:
        params: tensors, or groups of them as dicts.
        lr: :math:`\gamma`
        alpha: :math:`\alpha`
        eps: :math:`\epsilon`
        weight_decay: :math:`\lambda`; adds :math:`\lambda\theta_{t-1}` to the gradient.
        momentum: :math:`\mu`
        centered: divide by the standard deviation, not by the root mean square.
        maximize: go up instead of down.

    >>> import minigrad as mg
    >>> p = mg.tensor([1.0, 1.0], requires_grad=True)
    >>> p.grad = mg.tensor([0.5, 2.0])
    >>> mg.optim.RMSprop([p], lr=0.5, alpha=0.0).step()
    >>> p.tolist()
    [0.5, 0.5]
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "alpha": alpha,
                "eps": eps,
                "centered": centered,
                "weight_decay": weight_decay,
                "maximize": maximize,
            },
        )

    def buffers(self, group: Group) -> dict[str, float]:
        """The mean square; the mean if centred; the running sum of steps with momentum."""
        names = ["square_avg"] + ["grad_avg"] * bool(group["centered"]) + ["momentum_buffer"] * bool(group["momentum"])
        return dict.fromkeys(names, 0.0)

    def update(self, param: Array, grad: Array, state: State, group: Group) -> None:
        """One step."""
        m, scratch, alpha = xp(param), self.scratch(param), group["alpha"]
        square = state["square_avg"]
        _decay_square(m, square, alpha, grad, scratch)
        if group["centered"]:
            mean = state["grad_avg"]
            mean *= alpha
            mean += m.multiply(grad, 1 - alpha, out=scratch)
            m.multiply(mean, mean, out=scratch)
            m.subtract(square, scratch, out=scratch)
            m.maximum(scratch, 0.0, out=scratch)
            m.sqrt(scratch, out=scratch)
        else:
            m.sqrt(square, out=scratch)
        scratch += group["eps"]
        m.divide(grad, scratch, out=scratch)
        if group["momentum"]:
            buffer = state["momentum_buffer"]
            buffer *= group["momentum"]
            buffer += scratch
            m.multiply(buffer, group["lr"], out=scratch)
        else:
            scratch *= group["lr"]
        param -= scratch


class Adadelta(Optimizer):
    r"""Steps in the parameter's own unit: a running size of the steps over a running size of the gradients.

    .. math::
        \begin{aligned}
        v_t &= \rho v_{t-1} + (1 - \rho)\, g_t^2 \cr
        \Delta_t &= \frac{\sqrt{u_{t-1} + \epsilon}}{\sqrt{v_t + \epsilon}}\; g_t \cr
        u_t &= \rho u_{t-1} + (1 - \rho)\, \Delta_t^2, \qquad \theta_t = \theta_{t-1} - \gamma\, \Delta_t
        \end{aligned}

    Zeiler, "ADADELTA: an adaptive learning rate method", 2012, algorithm 1 (there :math:`\gamma = 1`).

    Args:
        params: tensors, or groups of them as dicts.
        lr: :math:`\gamma`
        rho: :math:`\rho`
        eps: :math:`\epsilon`
        weight_decay: :math:`\lambda`; adds :math:`\lambda\theta_{t-1}` to the gradient.
        maximize: go up instead of down.

    >>> import minigrad as mg
    >>> p = mg.tensor([1.0, 1.0], requires_grad=True)
    >>> p.grad = mg.tensor([0.0, 4.0])
    >>> mg.optim.Adadelta([p], rho=0.0, eps=9.0).step()  # the second step is 3 / 5 * 4
    >>> [round(v, 6) for v in p.tolist()]
    [1.0, -1.4]
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        )

    def buffers(self, group: Group) -> dict[str, float]:  # noqa: ARG002
        """The mean squares of gradients and of steps."""
        return {"square_avg": 0.0, "acc_delta": 0.0}

    def update(self, param: Array, grad: Array, state: State, group: Group) -> None:
        """One step."""
        m, rho, eps = xp(param), group["rho"], group["eps"]
        scratch, delta = self.scratch(param), self.scratch(param, 1)
        square, steps = state["square_avg"], state["acc_delta"]
        _decay_square(m, square, rho, grad, scratch)
        m.add(square, eps, out=scratch)
        m.sqrt(scratch, out=scratch)
        m.add(steps, eps, out=delta)
        m.sqrt(delta, out=delta)
        delta /= scratch
        delta *= grad
        _decay_square(m, steps, rho, delta, scratch)
        delta *= group["lr"]
        param -= delta


def _decay_square(m: Any, mean: Array, rate: float, value: Array, scratch: Array) -> None:
    """``mean = rate * mean + (1 - rate) * value**2`` in place."""
    mean *= rate
    m.multiply(value, value, out=scratch)
    scratch *= 1 - rate
    mean += scratch
