"""Module and Parameter: what a model is made of.

A module's children are what its attributes hold: modules and parameters, also inside plain lists, tuples and
dictionaries, in the order in which they were assigned. Nothing is converted or registered, so there is no list of
layers that training silently forgets, and no ``super().__init__()`` to forget either.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy

from .. import backend, creation
from ..context import current, enter, leave
from ..errors import DtypeError, MinigradError, StateError
from ..tensor import Tensor

T = TypeVar("T", bound="Module")
Remover = Callable[[], None]


class Parameter(Tensor):
    """A leaf that a module trains: a copy of ``data`` that requires a gradient.

    >>> Parameter([1.0, 2.0]).requires_grad
    True
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        self._data, self._node, self._constant = creation.tensor(data)._data, None, None
        self.requires_grad = requires_grad


class LoadResult(NamedTuple):
    """Names that a state lacked, and names it had that the module does not know."""

    missing: list[str]
    unexpected: list[str]


class Module:
    """Base of everything with parameters: assign parameters and modules to attributes, and write ``forward``.

    Calling the module runs its hooks and ``forward``, in a scope named after the attribute that holds it (a module
    that nobody holds goes by its class), so that errors and drawings speak of ``decoder.lstm[0]``.

    A plain tensor in an attribute belongs to the module only after :meth:`register_buffer`.

    Attributes:
        training: whether dropout and batch normalisation act as in training; see :meth:`train`.

    >>> import minigrad as mg
    >>> class Scale(mg.nn.Module):
    ...     def __init__(self):
    ...         self.factor = mg.nn.Parameter(mg.ones(3))
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> model = Scale()
    >>> [name for name, parameter in model.named_parameters()]
    ['factor']
    >>> model
    Scale()  3 parameters
    """

    # what the module needs for itself stands in slots: vars(module) is the user's attributes and nothing else
    __slots__ = ("__dict__", "__weakref__", "_buffers", "_hooks", "_label", "_path", "_pre_hooks", "training")

    training: bool
    _buffers: dict[str, bool]  # names of attributes that are buffers -> do they belong to the state
    _hooks: dict[object, Callable[..., Any]]
    _pre_hooks: dict[object, Callable[..., Any]]
    _label: str  # the piece of the scope's path that a call adds
    _path: str  # dotted path from the outermost module known to hold this one

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG004  (for __init__)
        """A module with nothing in it, ready for attributes: so a subclass need not call ``super().__init__()``."""
        self = super().__new__(cls)
        self.training = True
        self._buffers, self._hooks, self._pre_hooks = {}, {}, {}
        self._label, self._path = cls.__name__.lower(), ""
        return self

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes. Call the module itself rather than this, so that scope and hooks work."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run hooks and ``forward`` in the module's scope."""
        token = enter(current().inside(self._label))
        try:
            for before in list(self._pre_hooks.values()) if self._pre_hooks else ():
                changed = before(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
            output = self.forward(*args, **kwargs)
            for after in list(self._hooks.values()) if self._hooks else ():
                changed = after(self, args, output)
                if changed is not None:
                    output = changed
            return output
        finally:
            leave(token)

    # ---- what it holds --------------------------------------------------------------------------------------

    def _contents(self) -> Iterable[tuple[str, Any]]:
        """Names and values among which the children are looked for."""
        return vars(self).items()

    def _found(self, kind: Any) -> Iterator[tuple[str, Any]]:
        """Everything of a kind that the module holds directly, with its path: an object held twice comes twice."""
        for name, value in self._contents():
            if isinstance(value, _HOLDERS):
                yield from _search(name, value, kind)

    def _own_buffers(self, persistent_only: bool = False) -> Iterator[tuple[str, Tensor]]:
        for name, persistent in self._buffers.items():
            value = vars(self).get(name)
            if isinstance(value, Tensor) and (persistent or not persistent_only):
                yield name, value

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module (named ``""``) and all below it, each once, parents first."""
        seen = set()
        todo: list[tuple[str, Module]] = [("", self)]
        while todo:
            path, module = todo.pop()
            if module not in seen:
                seen.add(module)
                yield path, module
                held = list(module._found(Module))
                for name, child in held:
                    if not child._path:  # appended to a plain list since that was assigned
                        module._adopt(name, child)
                todo += [(_join(path, name), child) for name, child in reversed(held)]

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules held directly, each once, in order of assignment."""
        return _once(self._found(Module))

    def children(self) -> Iterator[Module]:
        """The modules held directly, each once."""
        return (module for _, module in self.named_children())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Names and parameters of this module and all below it; a shared parameter comes once, by its first name."""
        found = ((_join(p, n), value) for p, module in self.named_modules() for n, value in module._found(Parameter))
        for path, parameter in _once(found):
            if parameter.name is None:
                parameter.name = path
            yield path, parameter

    def parameters(self) -> Iterator[Parameter]:
        """The parameters of this module and all below it, each once."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Names and buffers of this module and all below it, each once."""
        return _once((_join(p, n), value) for p, module in self.named_modules() for n, value in module._own_buffers())

    def buffers(self) -> Iterator[Tensor]:
        """The buffers of this module and all below it, each once."""
        return (buffer for _, buffer in self.named_buffers())

    def count_parameters(self, trainable: bool = False) -> int:
        """Number of elements of all parameters, or only of those that require a gradient."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad or not trainable)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Hold a tensor that is not trained but moves with the module.

        Args:
            name: the attribute to assign it to.
            tensor: the tensor; ``None`` for one that may come later.
            persistent: whether it is part of ``state_dict``.
        """
        setattr(self, name, tensor)
        self._buffers[name] = persistent

    # ---- names ----------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if isinstance(value, _HOLDERS):
            for path, item in _search(name, value, (Module, Parameter)):
                self._adopt(path, item)
        elif isinstance(value, (set, frozenset)) and any(isinstance(v, (Module, Parameter)) for v in value):
            raise MinigradError(
                f"{type(self).__name__}.{name} is a set of modules or parameters, and a set has no order\n"
                "  hint: use a list or a dictionary; their order is the order of parameters()"
            )

    def _adopt(self, name: str, item: Module | Parameter) -> None:
        """Tell a module or parameter that it is held here, at dotted path ``name``: ``layers.0``.

        One that is held elsewhere already goes on by that name.
        """
        if isinstance(item, Parameter):
            if item.name is None:
                item.name = _join(self._path, name)
        elif not item._path:
            item._place(self._label_of(name))
            item._rename(_join(self._path, name))

    def _label_of(self, name: str) -> str:
        """A child's dotted path as a piece of a scope: ``layers[0]``.

        Where this module is no step of its own, because a list of modules is not called, its label comes first.
        """
        label = re.sub(r"(^|\.)(\d+)(?=\.|$)", r"[\2]", name)
        if type(self).forward is not Module.forward:
            return label
        return self._label + label if label.startswith("[") else _join(self._label, label)

    def _place(self, label: str) -> None:
        """Take ``label`` as the piece that a call adds to the scope."""
        self._label = label
        if type(self).forward is Module.forward:
            for name, child in self._found(Module):
                if child._path == _join(self._path, name):
                    child._place(self._label_of(name))

    def _rename(self, path: str) -> None:
        """Name everything here and below after a new path, except what bears a name from elsewhere."""
        old = self._path
        for inner, module in self.named_modules():
            before = _join(old, inner)
            if module._path == before:
                module._path = _join(path, inner)
                for name, parameter in module._found(Parameter):
                    if parameter.name in (None, _join(before, name)):
                        parameter.name = _join(module._path, name)

    def __getstate__(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("training", "_buffers", "_hooks", "_pre_hooks")}
        return {"attributes": dict(vars(self)), "own": own, "path": self._path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy; assigned anew, everything in it is named after its place in the copy."""
        for name, value in state["own"].items():
            object.__setattr__(self, name, value)
        for name, value in state["attributes"].items():
            for path, parameter in _search(name, value, Parameter):
                if parameter.name == _join(state["path"], path):
                    parameter.name = None
            setattr(self, name, value)

    if not TYPE_CHECKING:  # pragma: no branch (a checker would take it as leave to use any attribute)

        def __getattr__(self, name: str) -> Any:
            if any(name in vars(base) for base in type(self).__mro__):  # a property that failed: fail as it does
                return object.__getattribute__(self, name)
            message = f"{type(self).__name__} has no attribute {name!r}"
            close = [] if name.startswith("__") else difflib.get_close_matches(name, dir(self), 3)
            raise AttributeError(message + (f"; did you mean {' or '.join(close)}?" if close else ""))

    # ---- changing all of it ---------------------------------------------------------------------------------

    def train(self: T, mode: bool = True) -> T:
        """Set this module and all below it to training (or, with ``False``, to evaluation)."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: T) -> T:
        """Set this module and all below it to evaluation."""
        return self.train(False)

    def apply(self: T, function: Callable[[Module], Any]) -> T:
        """Call ``function`` with every module, children before the module that holds them."""
        for module in reversed(list(self.modules())):
            function(module)
        return self

    def zero_grad(self) -> None:
        """Drop the gradients of all parameters: they are ``None`` again."""
        for parameter in self.parameters():
            if parameter.requires_grad:
                parameter.grad = None

    def requires_grad_(self: T, requires_grad: bool = True) -> T:
        """Train all parameters here and below, or freeze them."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def to(self: T, *targets: Any, dtype: Any = None, device: Any = None) -> T:
        """Move all parameters and buffers, in place: to a dtype (floating tensors only) and / or a device.

        Takes what :meth:`Tensor.to <minigrad.Tensor.to>` takes. The parameters stay the same objects, so an
        optimiser that knows them need not be told.
        """
        for tensor in [*self.parameters(), *self.buffers()]:
            moved = tensor.detach().to(*targets, dtype=dtype, device=device)
            if tensor.dtype.kind != "f":
                moved = tensor.detach().to(moved.device)
            elif moved.dtype.kind != "f":
                raise DtypeError(f"a module is float16, float32 or float64, not {moved.dtype}")
            if moved._data is not tensor._data:
                gradient = tensor.grad
                tensor.data = moved.data if backend.is_writable(moved.data) else moved.data.copy()
                if gradient is not None:
                    tensor.grad = gradient.to(moved)
        return self

    def cpu(self: T) -> T:
        """Move to the host."""
        return self.to("cpu")

    def cuda(self: T) -> T:
        """Move to the first GPU."""
        return self.to("cuda")

    def float(self: T) -> T:
        """Make all floating parameters and buffers float32."""
        return self.to(backend.float32)

    def double(self: T) -> T:
        """Make all floating parameters and buffers float64."""
        return self.to(backend.float64)

    # ---- hooks ----------------------------------------------------------------------------------------------

    def register_forward_pre_hook(self, hook: Callable[[Any, tuple[Any, ...]], Any]) -> Remover:
        """Call ``hook(module, args)`` before ``forward``; what it returns, if anything, replaces the arguments.

        Returns:
            A function that removes the hook.
        """
        return _add(self._pre_hooks, hook)

    def register_forward_hook(self, hook: Callable[[Any, tuple[Any, ...], Any], Any]) -> Remover:
        """Call ``hook(module, args, output)`` after ``forward``; what it returns, if anything, replaces the output.

        Returns:
            A function that removes the hook.
        """
        return _add(self._hooks, hook)

    # ---- state ----------------------------------------------------------------------------------------------

    def _state(self, path: str = "", above: tuple[Module, ...] = ()) -> Iterator[tuple[str, Tensor]]:
        """Parameters and persistent buffers by every name they have: what is shared comes once for each place."""
        for name, tensor in [*self._found(Parameter), *self._own_buffers(persistent_only=True)]:
            yield _join(path, name), tensor
        for name, child in self._found(Module):
            if child not in above and child is not self:
                yield from child._state(_join(path, name), (*above, self))

    def _named_state(self) -> dict[str, Tensor]:
        """The tensors of the state by name."""
        named: dict[str, Tensor] = {}
        for name, tensor in self._state():
            if named.setdefault(name, tensor) is not tensor:
                places = (f"{next(_places('self', self, t), 'self')} {t.shape}" for t in (named[name], tensor))
                raise StateError(
                    f"two tensors go by the name {name!r}: {' and '.join(places)}; a state has room for one\n"
                    "  hint: give one of them another attribute or key"
                )
        return named

    def state_dict(self) -> dict[str, Tensor]:
        """All parameters and persistent buffers by name: copies, so later training does not change them.

        A parameter shared by two places is there under both names, as in PyTorch.

        Raises:
            StateError: two different tensors have the same name.
        """
        return {name: creation.tensor(tensor.detach()) for name, tensor in self._named_state().items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> LoadResult:
        """Copy a state into the parameters and buffers of this module.

        Everything is checked before anything is changed.

        Args:
            state: names and tensors, or arrays, or anything that NumPy makes an array of.
            strict: refuse a state with names missing or names that the module does not have.

        Returns:
            The names that were missing and those that were not expected.

        Raises:
            StateError: with every name, shape and dtype that does not fit.
        """
        if not isinstance(state, Mapping):
            raise StateError(
                "a state is a dictionary of names and tensors, as state_dict() gives it,"
                f" not a {type(state).__name__}"
            )
        own = self._named_state()
        given = {name: _array_of(value) for name, value in state.items()}
        missing = [name for name in own if name not in given]
        unexpected = [name for name in given if name not in own]
        wrong = [_misfit(name, given[name], own[name]) for name in own if name in given]
        lines = [line for line in wrong if line]
        if strict:
            lines = [f"missing     {name}  {own[name].shape} {own[name].dtype}" for name in missing] + lines
            lines += [f"unexpected  {name}{_meant(name, missing)}" for name in unexpected]
        if lines:
            lines.insert(0, f"this state does not fit {type(self).__name__}; nothing was loaded")
            remedies = dict.fromkeys(_remedy(given[name], own[name]) for name in own if name in given)
            lines += filter(None, remedies)
            raise StateError("\n  ".join(lines))
        for name, tensor in own.items():
            if name in given:
                tensor.data = creation.tensor(given[name], device=tensor.device)
        return LoadResult(missing, unexpected)

    # ---- repr -----------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands between the brackets of ``repr``: the settings of the module."""
        return ""

    def __repr__(self) -> str:
        inner = [f"({name}): {module!r}".replace("\n", "\n  ") for name, module in self.named_children()]
        lines = "".join(f"\n  {line}" for line in inner) + "\n" * bool(inner)
        return f"{type(self).__name__}({self.extra_repr()}{lines}){self._counted()}"

    def _counted(self) -> str:
        total = self.count_parameters()
        frozen = total - self.count_parameters(trainable=True)
        if not total:
            return ""
        return f"  {total:,} parameter{'s' * (total != 1)}" + (f", {frozen:,} frozen" if frozen else "")


_HOLDERS = (Module, Parameter, list, tuple, dict)


def _search(path: str, value: Any, kind: Any) -> Iterator[tuple[str, Any]]:
    """Objects of a kind in an attribute's value: itself, or in the lists, tuples and dictionaries it is made of."""
    if isinstance(value, kind):
        yield path, value
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            if isinstance(item, _HOLDERS):
                yield from _search(f"{path}.{i}", item, kind)
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, _HOLDERS):
                yield from _search(f"{path}.{key}", item, kind)


def _places(place: str, value: Any, tensor: Tensor, above: tuple[Any, ...] = ()) -> Iterator[str]:
    """Where in a value a tensor is held, as Python spells it: ``self.layers[0].weight``."""
    if value is tensor:
        yield place
    elif isinstance(value, _HOLDERS) and not any(value is holder for holder in above):
        held: Iterable[tuple[Any, Any]] = ()
        if isinstance(value, Module):
            held = value._contents()
        elif not isinstance(value, Parameter):
            held = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in held:
            spelled = f".{key}" if isinstance(value, Module) and key.isidentifier() else f"[{key!r}]"
            yield from _places(place + spelled, item, tensor, (*above, value))


def _once(named: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    seen = set()
    for name, value in named:
        if value not in seen:
            seen.add(value)
            yield name, value


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


def _add(hooks: dict[object, Callable[..., Any]], hook: Callable[..., Any]) -> Remover:
    key = object()  # equal to no other, also beside the hooks of an unpickled module
    hooks[key] = hook
    return lambda: (hooks.pop(key, None), None)[1]


def _array_of(value: Any) -> Any:
    """The array of an entry of a state, or the value itself where it is none."""
    if isinstance(value, Tensor):
        return value._data
    if backend.is_array(value):
        return value
    try:
        array = numpy.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        return value
    return array if array.dtype.kind in "biuf" else value


def _misfit(name: str, given: Any, own: Tensor) -> str:
    """What is wrong with an entry of a state, or nothing."""
    if not backend.is_array(given):
        return f"not array   {name}  is {type(given).__name__}"
    if tuple(given.shape) != own.shape:
        return f"shape       {name}  {tuple(given.shape)} given, {own.shape} needed"
    if given.dtype != own.dtype:
        return f"dtype       {name}  {given.dtype} given, {own.dtype} needed"
    return ""


def _remedy(given: Any, own: Tensor) -> str:
    """How to mend an entry of the wrong kind, or nothing."""
    if not backend.is_array(given):
        if not hasattr(given, "detach"):
            return ""
        return (
            "hint: NumPy reads a tensor of another library only detached, in main memory and of a type that it has:"
            " give value.detach().float().cpu() of each; state_dict() there has them detached"
        )
    if given.dtype == own.dtype:
        return ""
    first = f", or make the module {given.dtype} first: module.to(mg.{given.dtype})" * (given.dtype.kind == "f")
    return f"hint: convert what is {given.dtype} to {own.dtype}{first}"


def _meant(name: str, missing: list[str]) -> str:
    close = difflib.get_close_matches(name, missing, 1)
    return f"  (is it {close[0]}?)" if close else ""
