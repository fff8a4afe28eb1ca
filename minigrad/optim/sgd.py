"""Gradient descent with momentum."""

from __future__ import annotations

from typing import Any

from ..backend import xp
from ..node import Array
from .optimizer import Group, OptimError, Optimizer, State


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum if wanted.

    .. math::
        \begin{aligned}
        b_t &= \mu\, b_{t-1} + (1 - \tau)\, g_t \qquad (b_1 = g_1) \cr
        \theta_t &= \theta_{t-1} - \gamma\, b_t
        \quad\text{or, with Nesterov's,}\quad \theta_{t-1} - \gamma\, (g_t + \mu\, b_t)
        \end{aligned}

    with the gradient :math:`g_t`, to which weight decay adds :math:`\lambda\theta_{t-1}`. The learning rate stands
    outside the buffer, unlike in Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and
    momentum in deep learning", ICML 2013, section 2 (equations 1-4); the two agree while it does not change.

    Args:
        params: tensors, or groups of them as dicts.
        lr: :math:`\gamma`
        momentum: :math:`\mu`
        dampening: :math:`\tau`
        weight_decay: :math:`\lambda`
        nesterov: look ahead; needs momentum, and no dampening.
        maximize: go up instead of down.

    >>> import minigrad as mg
    >>> p = mg.tensor([4.0, 8.0], requires_grad=True)
    >>> (p * p).backward(gradient=mg.ones(2))
    >>> mg.optim.SGD([p], lr=0.25).step()
    >>> p.tolist()
    [2.0, 4.0]
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

    def add_param_group(self, param_group: Group) -> None:
        """Optimise more parameters; see :meth:`Optimizer.add_param_group`."""
        settings = {**self.defaults, **param_group}
        if settings["nesterov"] and (settings["momentum"] <= 0 or settings["dampening"] != 0):
            raise OptimError("SGD: nesterov needs a momentum above 0 and a dampening of 0")
        super().add_param_group(param_group)

    def buffers(self, group: Group) -> dict[str, float]:
        """The running sum of gradients, with momentum."""
        return {"momentum_buffer": 0.0} if group["momentum"] else {}

    def update(self, param: Array, grad: Array, state: State, group: Group) -> None:
        """One step."""
        momentum, scratch = group["momentum"], self.scratch(param)
        if momentum:
            buffer = state["momentum_buffer"]
            buffer *= momentum
            keep = 1 if state["step"] == 1 else 1 - group["dampening"]
            buffer += grad if keep == 1 else xp(param).multiply(grad, keep, out=scratch)
            if group["nesterov"]:
                xp(param).multiply(buffer, momentum, out=scratch)
                scratch += grad
                grad = scratch
            else:
                grad = buffer
        param -= xp(param).multiply(grad, group["lr"], out=scratch)
