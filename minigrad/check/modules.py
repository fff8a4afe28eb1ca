"""The promises that every module makes, as a check to run on any module."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy

from ..context import enable_grad, no_grad
from ..nn import Module
from ..tensor import Tensor
from .gradients import CheckError, difference, gradcheck, outputs_of, random_like, to_host


def check_module(module: Module, *inputs: Any, directional: bool = False) -> bool:
    """Check that a module keeps every promise that modules make.

    The clauses: every parameter that requires a gradient gets one; in float64 the gradients of parameters and inputs
    agree with central differences; a state saved from it and loaded into a copy makes the copy compute the same;
    evaluating it twice gives the same result; ``train`` and ``eval`` reach every part. The module itself is left as it
    was: the checks run on copies.

    Args:
        module: the module; gradients are checked in evaluation mode, where nothing is random.
        inputs: what to call it with: small tensors, and whatever else it takes.
        directional: check gradients along one random direction for each tensor: for modules of many parameters.

    Returns:
        ``True``: a failure raises.

    Raises:
        CheckError: says which clause failed, and with what numbers or names.

    >>> import minigrad as mg
    >>> check_module(mg.nn.Linear(3, 2), mg.ones(4, 3))
    True
    """
    contract = _Contract(module, inputs)
    with enable_grad():
        contract.clause("every parameter gets a gradient", _Contract.all_get_gradients)
        contract.clause("gradients", partial(_Contract.gradients, directional=directional))
        contract.clause("state", _Contract.state_round_trip)
        contract.clause("evaluation", _Contract.evaluates_alike)
        contract.clause("train and eval", _Contract.train_and_eval)
    return True


class _Contract:
    """A module in float64 with inputs, and one method for each clause."""

    def __init__(self, module: Module, inputs: tuple[Any, ...]) -> None:
        self.original = module
        self.inputs = [x.detach().double() if _is_float(x) else x for x in inputs]
        self.module = module

    def clause(self, name: str, check: Callable[[_Contract], None]) -> None:
        """Run a clause on a fresh copy of the module; say which it was if it fails."""
        self.module = copy.deepcopy(self.original).double()
        try:
            check(self)
        except Exception as error:
            kind = type(error) if isinstance(error, CheckError) else CheckError
            said = str(error) if isinstance(error, CheckError) else f"{type(error).__name__}: {error}"
            raise kind(f"{type(self.original).__name__}, clause {name!r}: {said}") from error

    def trained(self) -> dict[str, Tensor]:
        """The parameters that require a gradient, by name."""
        return {name: p for name, p in self.module.named_parameters() if p.requires_grad}

    def all_get_gradients(self) -> None:
        self.module.zero_grad()
        rng = numpy.random.default_rng(0)
        for y in _flat(self.module(*self.inputs)):
            if isinstance(y, Tensor) and y.requires_grad:
                y.backward(random_like(y, rng), retain_graph=True)
        without = [name for name, p in self.trained().items() if p.grad is None]
        if without:
            raise CheckError(f"no gradient reaches {', '.join(without)}")

    def gradients(self, directional: bool) -> None:
        self.module.eval()
        tracked = [x.detach().requires_grad_() if _is_float(x) else x for x in self.inputs]
        parameters = self.trained()
        if not parameters and not any(map(_is_float, tracked)):
            return
        try:
            gradcheck(
                lambda *args: _flat(self.module(*args[: len(tracked)])),
                *tracked,
                *parameters.values(),
                directional=directional,
            )
        except CheckError as error:
            listed = ", ".join(f"{i} is {name}" for i, name in enumerate(parameters, len(tracked)))
            raise type(error)(f"{error}\n  of the inputs {listed}" if listed else str(error)) from error

    def state_round_trip(self) -> None:
        self.module.eval()
        other = copy.deepcopy(self.module)
        for p in other.parameters():
            p.data = p.data + 1.0
        other.load_state_dict(self.module.state_dict())
        self._same(_evaluate(other, self.inputs), "a copy into which its state was loaded")

    def evaluates_alike(self) -> None:
        self.module.eval()
        self._same(_evaluate(self.module, self.inputs), "a second call in evaluation mode")

    def train_and_eval(self) -> None:
        for mode in (True, False):
            self.module.train(mode)
            for name, part in self.module.named_modules():
                if part.training is not mode:
                    raise CheckError(f"train({mode}) does not reach {name or 'the module itself'}")

    def _same(self, found: list[Any], what: str) -> None:
        for k, (y, z) in enumerate(zip(_evaluate(self.module, self.inputs), found, strict=True)):
            first, second = to_host(y), to_host(z)
            if not numpy.array_equal(first, second, equal_nan=True):
                raise CheckError(f"{what} gives another output {k} ({difference(first, second)})")


def _evaluate(module: Module, inputs: list[Any]) -> list[Any]:
    with no_grad():
        return _flat(module(*inputs))


def _flat(result: Any) -> list[Any]:
    """The outputs of a module, out of nested tuples such as those of an LSTM."""
    flat = []
    for y in outputs_of(result):
        flat += _flat(y) if isinstance(y, (tuple, list)) else [y]
    return flat


def _is_float(x: Any) -> bool:
    return isinstance(x, Tensor) and x.dtype.kind == "f"
