"""What all optimisers share: parameter groups, state, saving, and the walk over the parameters.

An optimiser proper is one method, :meth:`Optimizer.update`, that changes one parameter array in place. Everything
around it happens once, here: which parameters have a gradient, weight decay, the sign for maximising, the arrays
that are kept from step to step, scratch memory, and telling the graph that the parameter has changed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy

from .. import backend
from ..call import wrap
from ..context import enable_grad
from ..errors import MinigradError
from ..node import Array
from ..tensor import Tensor

Group = dict[str, Any]
State = dict[str, Any]

class OptimError(MinigradError, ValueError):
    """Parameters, settings or a saved state that an optimiser or a schedule cannot work with."""


class Optimizer:
    """Base of all optimisers.

    A subclass writes :meth:`update` and, if it keeps arrays from step to step, :meth:`buffers`; it passes its
    settings to ``__init__`` by name. The settings ``weight_decay`` and ``maximize`` are seen to here.

    Attributes:
        param_groups: a list of dicts, each with its tensors under ``"params"`` and every setting by name.
        state: for each parameter that has been updated: ``"step"``, the number of updates, and the arrays it keeps.
        defaults: the settings of groups that do not say otherwise.
        lr_factors: one list per learning rate schedule, with its present factor for each group.

    >>> import minigrad as mg
    >>> class SignDescent(mg.optim.Optimizer):
    ...     def update(self, param, grad, state, group):
    ...         param -= group["lr"] * backend.xp(grad).sign(grad)
    >>> p = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> p.grad = mg.tensor([0.3, -5.0])
    >>> SignDescent([p], {"lr": 0.5}).step()
    >>> p.tolist()
    [0.5, 2.5]
    """

    decoupled: ClassVar[bool] = False  # weight decay shrinks the parameter itself instead of joining the gradient

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, State] = {}
        self.lr_factors: list[list[float]] = []
        self._scratch: dict[Any, Array] = {}
        for group in _groups(params, type(self).__name__):
            self.add_param_group(group)

    def update(self, param: Array, grad: Array, state: State, group: Group) -> None:
        """Change ``param`` in place: one step.

        Args:
            param: the parameter's array.
            grad: the direction to go against: sign and weight decay are in it already. Not to be written to.
            state: ``"step"``, counted from 1, and the arrays named by :meth:`buffers`, to be changed in place.
            group: the settings.
        """
        raise NotImplementedError

    def buffers(self, group: Group) -> dict[str, float]:  # noqa: ARG002 (subclasses look at the settings)
        """The arrays kept for every parameter, by name, and what they are filled with at first."""
        return {}

    def scratch(self, like: Array, number: int = 0) -> Array:
        """Memory of the shape and dtype of ``like`` for intermediate results; the same again for the same number."""
        key = (number, like.shape, like.dtype, backend.of(like).device_of(like))
        known = self._scratch.get(key)
        if known is None:
            known = self._scratch[key] = backend.xp(like).empty_like(like)
        return known

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, each by its own group's settings.

        Args:
            closure: computes the loss again, with its backward, and returns it.

        Returns:
            What the closure returned, or ``None``.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._step_one(p, p.grad.data, group)
        return loss

    def _step_one(self, p: Tensor, grad: Array, group: Group) -> None:
        array = p.data if backend.is_writable(p.data) else p.data.copy()  # the result of an op made a leaf is read-only
        state = self.state.setdefault(p, {"step": 0})
        state["step"] += 1
        for name, value in self.buffers(group).items():
            kept = state.get(name)
            if kept is None:
                state[name] = backend.xp(array).full_like(array, value)
            elif kept.dtype != array.dtype or type(kept) is not type(array):  # the model has moved since
                state[name] = backend.move(kept, p.device).astype(array.dtype, copy=False)
        self.update(array, self._direction(array, grad, group), state, group)
        p.data = array  # the setter notes the change, so that a graph that kept the old values refuses a backward

    def _direction(self, param: Array, grad: Array, group: Group) -> Array:
        """The gradient of what is minimised: its sign, and the weight decay."""
        xp = backend.xp(param)
        decay = group.get("weight_decay", 0)
        if decay and self.decoupled:
            param *= 1 - group["lr"] * decay
        elif decay:
            direction = xp.multiply(param, decay, out=self.scratch(param, -1))
            return (xp.subtract if group.get("maximize") else xp.add)(direction, grad, out=direction)
        return xp.negative(grad, out=self.scratch(param, -1)) if group.get("maximize") else grad

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or fill them with zeros where ``set_to_none`` is false."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad = None if set_to_none else wrap(backend.xp(p.data).zeros_like(p.data))

    # ---- groups ---------------------------------------------------------------------------------------------

    def add_param_group(self, param_group: Group) -> None:
        """Optimise more parameters.

        Args:
            param_group: a dict with the tensors under ``"params"``, and the settings that differ from the defaults.

        Raises:
            OptimError: a setting that makes no sense, or a parameter that cannot be optimised or is there already.
        """
        name = type(self).__name__
        group = {key: _plain(value) for key, value in {**self.defaults, **param_group}.items()}
        group["params"] = tensors_of(param_group.get("params"), f'{name}: "params" of a group')
        for key in param_group:
            close = difflib.get_close_matches(key, [*self.defaults, "params"], n=1)
            if key != "params" and key not in self.defaults and close:
                raise OptimError(f'{name} has no setting "{key}"\n  hint: did you mean "{close[0]}"?')
        for key, value in group.items():
            _check_setting(name, key, value)
        self._check_new([*group["params"]])
        self.param_groups.append(group)

    def _check_new(self, params: list[Tensor]) -> None:
        known = {id(p): i for i, group in enumerate(self.param_groups) for p in group["params"]}
        seen: dict[int, int] = {}
        for i, p in enumerate(params):
            what = f"{type(self).__name__}: parameter {i}{called(p)}"
            if not p.is_leaf and p.node is not None:
                raise OptimError(
                    f"{what} is a result (made at {p.node.where()}), not a leaf: changing it changes nothing that"
                    " is computed next\n  hint: optimise the tensors it was computed from"
                )
            if not p.requires_grad:
                raise OptimError(
                    f"{what} does not require a gradient, so it would never change\n"
                    "  hint: p.requires_grad_() before the optimiser is made, or leave it out"
                )
            if id(p) in seen or id(p) in known:
                where = f"as parameter {seen[id(p)]}" if id(p) in seen else f"in group {known[id(p)]}"
                raise OptimError(f"{what} is there already, {where}: it would be updated twice in every step")
            seen[id(p)] = i

    # ---- saving ---------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """A snapshot of settings and state, for :meth:`load_state_dict`.

        Returns:
            ``{"state": {index: {"step": 3, name: tensor, ...}}, "param_groups": [{"params": [indices], ...}]}``;
            parameters are numbered through all groups. Tensors are copies; all else is numbers and tuples of them.
        """
        indices = {id(p): i for i, p in enumerate(self._params())}
        return {
            "state": {
                indices[id(p)]: {k: wrap(v.copy()) if backend.is_array(v) else v for k, v in state.items()}
                for p, state in self.state.items()
            },
            "param_groups": [{**g, "params": [indices[id(p)] for p in g["params"]]} for g in self.param_groups],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a :meth:`state_dict`: the following steps are bit for bit those of the saved optimiser.

        The parameters themselves are not part of it; they are saved with the model. Arrays are copied, to the
        parameter's device and dtype.

        Raises:
            OptimError: groups, parameters, settings or kept arrays differ; the message names them. Nothing is loaded.
        """
        name = type(self).__name__
        _same(f"{name}.load_state_dict: entries", {"state", "param_groups"}, set(state_dict))
        saved, groups, params = state_dict["state"], state_dict["param_groups"], self._params()
        if [len(g["params"]) for g in groups] != [len(g["params"]) for g in self.param_groups]:
            raise OptimError(
                f"{name}.load_state_dict: the saved groups have {[len(g['params']) for g in groups]} parameters,"
                f" this optimiser's {[len(g['params']) for g in self.param_groups]}"
            )
        merged = [self._merge(i, new) for i, new in enumerate(groups)]
        group_of = [group for group in merged for _ in group["params"]]
        state = {}
        for index, entry in saved.items():
            if not 0 <= int(index) < len(params):
                raise OptimError(f"{name}.load_state_dict: state of parameter {index}, but there are {len(params)}")
            state[params[int(index)]] = self._restore(int(index), entry, params[int(index)], group_of[int(index)])
        self.param_groups[:] = merged
        self.state = state

    def _params(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def _merge(self, i: int, saved: Group) -> Group:
        """Group ``i`` with the saved settings; ``initial_lr`` is a schedule's and may be on either side only."""
        where = f"{type(self).__name__}.load_state_dict: settings of group {i}"
        here = self.param_groups[i]
        _same(where, set(here) - {"initial_lr"}, set(saved) - {"initial_lr"})
        group = {key: _plain(value) for key, value in saved.items()}
        for key, value in group.items():
            _check_setting(where, key, value)
        return {**group, "params": here["params"]}

    def _restore(self, index: int, entry: State, p: Tensor, group: Group) -> State:
        where = f"{type(self).__name__}.load_state_dict: state of parameter {index}{called(p)}"
        _same(where, {"step", *self.buffers(group)}, set(entry))
        state: State = {}
        for key, value in entry.items():
            if key == "step":
                state[key] = int(value)
                continue
            array = value.data if isinstance(value, Tensor) else value
            if tuple(array.shape) != p.shape:
                raise OptimError(f"{where}: {key!r} has shape {tuple(array.shape)}, the parameter {p.shape}")
            state[key] = backend.move(array, p.device).astype(p.dtype)  # always a copy
        return state

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            settings = ", ".join(f"{key}={value}" for key, value in group.items() if key != "params")
            numbers_in = sum(p.numel() for p in group["params"])
            lines.append(f"  group {i}: {len(group['params'])} tensors, {numbers_in} numbers; {settings}")
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])


# ---- what the constructor is given -------------------------------------------------------------------------------


def _groups(params: Any, name: str) -> list[Group]:
    """The groups that an optimiser is made with: one of all tensors, or those given as dicts."""
    if isinstance(params, dict):
        raise OptimError(f"{name} takes a list of groups, got one dict\n  hint: [{{...}}]")
    if isinstance(params, (list, tuple)) and params and isinstance(params[0], dict):
        for i, group in enumerate(params):
            if not isinstance(group, dict):
                raise OptimError(f"{name}: group {i} is a {type(group).__name__}; groups and tensors do not mix")
        return list(params)
    return [{"params": tensors_of(params, name)}]


def tensors_of(params: Any, what: str) -> list[Tensor]:
    """The list of tensors that ``params`` is or gives, for ``what``, which needs them."""
    if isinstance(params, Tensor):
        raise OptimError(f"{what} takes a list of tensors, got one tensor\n  hint: [p]")
    if not isinstance(params, Iterable):
        raise OptimError(f"{what} takes a list of tensors, got {type(params).__name__}\n  hint: model.parameters()")
    used_up = iter(params) is params
    tensors = list(params)
    if not tensors:
        raise OptimError(
            f"{what} has no parameters to optimise"
            + (
                "\n  hint: an iterator gives its tensors once only; was this one used before? Call model.parameters()"
                " again, or make a list of it first"
                if used_up
                else ""
            )
        )
    for i, p in enumerate(tensors):
        if isinstance(p, tuple):
            raise OptimError(f"{what}: entry {i} is a tuple\n  hint: model.parameters(), not named_parameters()")
        if not isinstance(p, Tensor):
            raise OptimError(f"{what}: entry {i} is a {type(p).__name__}, not a tensor")
    return tensors


def called(p: Tensor) -> str:
    """A parameter's name and shape, to follow its number in a message."""
    return f' "{p.name}" {p.shape}' if p.name else f" {p.shape}"


_LIMITS: dict[str, tuple[float, float]] = {  # a setting of this name must be a number from .. to
    "lr": (0, float("inf")),
    "initial_lr": (0, float("inf")),
    "momentum": (0, float("inf")),
    "weight_decay": (0, float("inf")),
    "eps": (0, float("inf")),
    "lr_decay": (0, float("inf")),
    "initial_accumulator_value": (0, float("inf")),
    "alpha": (0, 1),
    "rho": (0, 1),
}


def _check_setting(name: str, key: str, value: Any) -> None:
    if key == "betas":
        if not (isinstance(value, tuple) and len(value) == 2 and all(0 <= beta < 1 for beta in value)):
            raise OptimError(f"{name}: betas must be two numbers, each at least 0 and below 1; got {value}")
    elif key in _LIMITS:
        low, high = _LIMITS[key]
        if not isinstance(value, (int, float)) or not low <= value <= high:
            limits = f"between {low} and {high}" if high < float("inf") else "0 or more"
            raise OptimError(f"{name}: {key} must be a number, {limits}; got {value!r}")


def _plain(value: Any) -> Any:
    """A setting as Python's own number: a NumPy scalar would widen what it is multiplied with."""
    if isinstance(value, numpy.generic):
        return value.item()
    return tuple(_plain(v) for v in value) if isinstance(value, (list, tuple)) else value


def _same(what: str, here: set[str], saved: set[str]) -> None:
    if here != saved:
        missing, unknown = sorted(here - saved), sorted(saved - here)
        parts = [f"missing {missing}"] * bool(missing) + [f"unexpected {unknown}"] * bool(unknown)
        raise OptimError(f"{what} differ: {', '.join(parts)}")
