"""Adam, and Adam with decoupled weight decay."""

from __future__ import annotations

import math
from typing import Any

from ..backend import xp
from ..node import Array
from .optimizer import Group, Optimizer, State


class Adam(Optimizer):
    r"""Momentum, divided by the root mean square of the gradient, both corrected for starting at zero.

    .. math::
        \begin{aligned}
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \cr
        \theta_t &= \theta_{t-1} - \gamma\; \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}
        \end{aligned}

    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1. With ``amsgrad`` the largest
    :math:`v` so far stands in the denominator: Reddi, Kale and Kumar, "On the convergence of Adam and beyond", ICLR
    2018, algorithm 2.

    Args:
        params: tensors, or groups of them as dicts.
        lr: :math:`\gamma`
        betas: :math:`\beta_1, \beta_2`
        eps: :math:`\epsilon`
        weight_decay: :math:`\lambda`; adds :math:`\lambda\theta_{t-1}` to the gradient. For decay that the division
            does not touch see :class:`AdamW`.
        amsgrad: never let the denominator shrink.
        maximize: go up instead of down.

    >>> import minigrad as mg
    >>> p = mg.tensor([1.0, 1.0], requires_grad=True)
    >>> p.grad = mg.tensor([0.001, -1000.0])
    >>> mg.optim.Adam([p], lr=0.5).step()  # the first step is as long for every number
    >>> [round(v, 4) for v in p.tolist()]
    [0.5, 1.5]
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
            },
        )

    def buffers(self, group: Group) -> dict[str, float]:
        """Mean and mean square of the gradient; with ``amsgrad`` the largest mean square."""
        names = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * bool(group["amsgrad"])
        return dict.fromkeys(names, 0.0)

    def update(self, param: Array, grad: Array, state: State, group: Group) -> None:
        """One step. The corrections are numbers: they are drawn out of the fraction, which saves passes over arrays."""
        m, scratch = xp(param), self.scratch(param)
        (beta1, beta2), t = group["betas"], state["step"]
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean *= beta1
        mean += m.multiply(grad, 1 - beta1, out=scratch)
        square *= beta2
        m.multiply(grad, grad, out=scratch)
        scratch *= 1 - beta2
        square += scratch
        if group["amsgrad"]:
            square = m.maximum(state["max_exp_avg_sq"], square, out=state["max_exp_avg_sq"])
        correction = math.sqrt(1 - beta2**t)
        m.sqrt(square, out=scratch)
        scratch += group["eps"] * correction
        m.divide(mean, scratch, out=scratch)
        scratch *= group["lr"] * correction / (1 - beta1**t)
        param -= scratch


class AdamW(Adam):
    r"""Adam with decoupled weight decay: parameters shrink at one rate, whatever their gradients have been.

    .. math::
        \theta_t = (1 - \gamma\lambda)\, \theta_{t-1}
                   - \gamma\; \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2. Arguments as in
    :class:`Adam`; the decay is 0.01 unless given.

    >>> import minigrad as mg
    >>> p = mg.tensor([1.0], requires_grad=True)
    >>> p.grad = mg.tensor([0.0])
    >>> mg.optim.AdamW([p], lr=0.5, weight_decay=0.5).step()
    >>> p.tolist()
    [0.75]
    """

    decoupled = True

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
