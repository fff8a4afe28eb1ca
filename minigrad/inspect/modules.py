"""The modules of a model, and what there is to know about each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..nn import Module, Parameter
from ..node import Node
from .calls import Calls


class Level(NamedTuple):
    """A module in its place: the dotted path, the last piece of it, how deep it is, and the path it is held at.

    A list or dictionary of modules, which is not called itself, is no level: ``blocks[0]`` is held by the model.
    """

    path: str
    label: str
    depth: int
    above: str
    module: Module


def levels(model: Module) -> list[Level]:
    """A model and all modules below it, each once, parents first.

    >>> import minigrad as mg
    >>> [level.label for level in levels(mg.nn.Sequential(mg.nn.Linear(2, 3), mg.nn.Tanh()))]
    ['Sequential', '[0]', '[1]']
    """
    found = {"": Level("", type(model).__name__, 0, "", model)}
    for path, module in model.named_modules():
        if path and type(module).forward is not Module.forward:
            above = path
            while (above := above.rpartition(".")[0]) not in found:
                pass
            label = re.sub(r"(^|\.)(\d+)(?=\.|$)", r"[\2]", path.removeprefix(above).removeprefix("."))
            found[path] = Level(path, label, found[above].depth + 1, above, module)
    return list(found.values())


@dataclass(frozen=True)
class ModuleRow:
    """What there is to know about one module, with all below it.

    Attributes:
        path: dotted; ``""`` is the model itself.
        label: the last piece of it.
        depth: how many modules are around it.
        kind: the class.
        options: the settings, as ``repr`` shows them.
        calls: how often it was called; ``None`` if the model was not run.
        outputs: shapes of the tensors that its first call gave.
        parameters: how many numbers its parameters are.
        trainable: how many of them ask for a gradient.
        bytes: of the parameters.
        unreached: names of parameters that ask for a gradient, and that none of what the model returns gives one.
        unreached_size: how many numbers these are.
    """

    path: str
    label: str
    depth: int
    kind: str
    options: str
    calls: int | None
    outputs: tuple[tuple[int, ...], ...]
    parameters: int
    trainable: int
    bytes: int
    unreached: tuple[str, ...]
    unreached_size: int

    @property
    def frozen(self) -> int:
        """How many of the numbers ask for no gradient."""
        return self.parameters - self.trainable


def module_rows(modules: list[Level], calls: Calls | None) -> list[ModuleRow]:
    """What there is to know about modules, in the same order."""
    ran: dict[Module, list[list[tuple[int, ...]]]] = {}
    for call in () if calls is None else calls.calls:
        ran.setdefault(call.module, []).append([x.shape for x in call.outputs])
    trained = None if calls is None else calls.trained()
    return [_row(level, None if calls is None else ran.get(level.module, []), trained) for level in modules]


def _row(level: Level, ran: list[list[tuple[int, ...]]] | None, trained: set[Node] | None) -> ModuleRow:
    module = level.module
    own = dict(module.named_parameters())
    asks = {name: p for name, p in own.items() if p.requires_grad}
    unreached = {name: p for name, p in asks.items() if trained is not None and p._node not in trained}
    return ModuleRow(
        level.path,
        level.label,
        level.depth,
        type(module).__name__,
        module.extra_repr(),
        None if ran is None else len(ran),
        tuple(ran[0]) if ran else (),
        _numel(own.values()),
        _numel(asks.values()),
        byte_count(own.values()),
        tuple(unreached),
        _numel(unreached.values()),
    )


def _numel(parameters: Iterable[Parameter]) -> int:
    return sum(p.numel() for p in parameters)


def byte_count(tensors: Iterable[Any]) -> int:
    """Of tensors, all together."""
    return sum(x.numel() * x.dtype.itemsize for x in tensors)
