"""Modules made of modules: Sequential, ModuleList, ModuleDict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import MinigradError
from .module import Module, _join


class _Container(Module):
    """Children by name, kept beside the attributes."""

    __slots__ = ("_items",)

    _items: dict[str, Module]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls, *args, **kwargs)
        self._items = {}
        return self

    def _contents(self) -> Iterable[tuple[str, Any]]:
        return [*self._items.items(), *vars(self).items()]

    def _put(self, name: str, module: Module) -> None:
        """Hold a module, in the place of the one of that name if there is one."""
        if not isinstance(module, Module):
            raise _no_module(self, module, name)
        if not isinstance(name, str):
            raise MinigradError(f"the names of a {type(self).__name__} are strings, not {type(name).__name__} {name!r}")
        if name in self._items and self._items[name] is not module:
            self._let_go(name, self._items[name])
        self._items[name] = module
        self._adopt(name, module)

    def _let_go(self, name: str, module: Module) -> None:
        """Take back the name that a module has from being held here."""
        if module._path == _join(self._path, name):
            module._place(type(module).__name__.lower())
            module._rename("")

    def _take(self, name: str) -> Module:
        """Hold a module no longer."""
        self._let_go(name, self._items[name])
        return self._items.pop(name)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "items": dict(self._items)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for name, module in state["items"].items():
            self._put(name, module)

    if not TYPE_CHECKING:  # pragma: no branch

        def __getattr__(self, name: str) -> Any:
            return self._items[name] if name in self._items else super().__getattr__(name)

    def __len__(self) -> int:
        return len(self._items)

    def __bool__(self) -> bool:
        return True


def _no_module(container: Module, value: Any, name: str) -> MinigradError:
    return MinigradError(f"{type(container).__name__} holds modules, not {type(value).__name__} (at {name!r})")


class _Numbered(_Container):
    """Children in a row."""

    __slots__ = ()

    def _name_at(self, index: int) -> str:
        names = list(self._items)
        if not -len(names) <= index < len(names):
            raise IndexError(f"index {index} of a {type(self).__name__} of {len(names)} modules")
        return names[index]

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._part(dict(list(self._items.items())[index]))
        return self._items[self._name_at(index)]

    def _part(self, items: dict[str, Module]) -> Any:
        return type(self)(list(items.values()))

    def __setitem__(self, index: int, module: Module) -> None:
        self._put(self._name_at(index), module)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._items.values())

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._items)[index] if isinstance(index, slice) else [self._name_at(index)]
        for name in names:
            self._take(name)
        self._number(list(self._items.items()))

    def _number(self, items: list[tuple[str, Module]]) -> None:
        """Hold these, each by its position but for the names that are no numbers."""
        for name in list(self._items):
            self._take(name)
        for position, (name, module) in enumerate(items):
            self._put(str(position) if name.isdecimal() else name, module)

    def append(self, module: Module) -> Any:
        """Add a module at the end; gives this container back."""
        return self.insert(len(self), module)

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add modules at the end; gives this container back."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Add a module before position ``index``; those behind it are numbered anew. Gives this container back."""
        size = len(self)
        if not -size <= index <= size:
            raise IndexError(f"no place {index} in a {type(self).__name__} of {size} modules")
        position, name = index % size if index < 0 else index, str(size)
        if position == size and name not in self._items:
            self._put(name, module)
        elif isinstance(module, Module):
            items = list(self._items.items())
            self._number([*items[:position], (name, module), *items[position:]])
        else:
            raise _no_module(self, module, str(position))
        return self

    def pop(self, index: int = -1) -> Module:
        """Remove the module at a position, the last one if left out, and return it."""
        module: Module = self[index]
        del self[index]
        return module


class Sequential(_Numbered):
    """Modules one after the other: each gets what the one before it returned.

    Takes the modules, or one dictionary of them by name. A slice shares its modules with the whole.

    >>> import minigrad as mg
    >>> mg.nn.Sequential(mg.nn.Linear(3, 4), mg.nn.Tanh())
    Sequential(
      (0): Linear(in_features=3, out_features=4)  16 parameters
      (1): Tanh()
    )  16 parameters
    """

    __slots__ = ()

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        for position, value in enumerate(modules):
            if isinstance(value, Mapping):
                for name, module in value.items():
                    self._put(name, module)
            else:
                self._put(str(position), value)

    def forward(self, x: Any) -> Any:
        """``x`` through all modules."""
        for module in self._items.values():
            x = module(x)
        return x

    def _part(self, items: dict[str, Module]) -> Any:
        numbered = all(name.isdecimal() for name in items)
        return Sequential(*items.values()) if numbered else Sequential(items)


class ModuleList(_Numbered):
    """A list of modules. A plain list in an attribute does as well; this one is itself a module.

    >>> import minigrad as mg
    >>> layers = mg.nn.ModuleList([mg.nn.Linear(2, 2) for _ in range(3)])
    >>> len(layers), [name for name, _ in layers.named_parameters()][-1]
    (3, '2.bias')
    """

    __slots__ = ()

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)


class ModuleDict(_Container):
    """Modules by name, in order of insertion.

    >>> import minigrad as mg
    >>> heads = mg.nn.ModuleDict({"mean": mg.nn.Linear(4, 1), "scale": mg.nn.Linear(4, 1)})
    >>> list(heads), heads["mean"].weight.name
    (['mean', 'scale'], 'mean.weight')
    """

    __slots__ = ()

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        self.update(modules or {})

    def __getitem__(self, name: str) -> Any:
        if name not in self._items:
            raise KeyError(f"{name!r}; there are {', '.join(map(repr, self._items)) or 'none'}")
        return self._items[name]

    def __setitem__(self, name: str, module: Module) -> None:
        self._put(name, module)

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._items.keys()

    def values(self) -> Iterable[Module]:
        """The modules."""
        return self._items.values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Names and modules."""
        return self._items.items()

    def pop(self, name: str) -> Module:
        """Remove a module and return it."""
        module: Module = self[name]
        self._take(name)
        return module

    def clear(self) -> None:
        """Remove all modules."""
        for name in list(self._items):
            self._take(name)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules, or put others in the place of those that bear the same names."""
        for name, module in dict(modules).items():
            self._put(name, module)
