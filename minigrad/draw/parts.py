"""Which modules of a model an overview draws, and as what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..inspect.modules import Level, ModuleRow

ALIKE = 4  # modules in a row that are the same, from which on only the first and the last are drawn


@dataclass(frozen=True)
class Part:
    """A module to be drawn.

    Attributes:
        level: its place in the model.
        row: what there is to say about it.
        look: ``"panel"``, ``"box"``, ``"idle"`` (a box that nothing is in, because it was never called), ``"run"`` (it
            stands for itself and the like modules behind it) or ``"hidden"`` (it is drawn by another).
        home: the path of the module that draws it.
        others: of a run what there is to say about the modules behind it.
    """

    level: Level
    row: ModuleRow
    look: str
    home: str
    others: tuple[ModuleRow, ...] = ()


def module_parts(modules: Sequence[Level], rows: Sequence[ModuleRow], depth: int) -> dict[str, Part]:
    """How each module is drawn, by path."""
    row_of = dict(zip([level.path for level in modules], rows, strict=True))
    children: dict[str, list[Level]] = {}
    for level in modules[1:]:
        children.setdefault(level.above, []).append(level)
    ran = {level.path for level in modules if row_of[level.path].calls}
    for level in reversed(modules):  # a module of which only parts were called is no idle one
        if level.path in ran and level.path:
            ran.add(level.above)
    parts: dict[str, Part] = {}
    for level in modules:
        around = parts.get(level.above) if level.path else None
        if around is not None and around.look != "panel":
            parts[level.path] = Part(level, row_of[level.path], "hidden", around.home)
            continue
        if level.path in parts:  # in a run
            continue
        open_ = level.depth < depth and any(child.path in ran for child in children.get(level.path, []))
        look = "panel" if open_ else "box" if level.path in ran else "idle"
        parts[level.path] = Part(level, row_of[level.path], look, level.path)
        if open_:
            parts |= dict(_runs(children[level.path], row_of, children))
    return parts


def _runs(
    siblings: list[Level], row_of: Mapping[str, ModuleRow], children: Mapping[str, list[Level]]
) -> Iterator[tuple[str, Part]]:
    """The modules in the middle of each row of like ones."""
    start = 0
    while start < len(siblings):
        end = start + 1
        while end < len(siblings) and _alike(siblings[start], siblings[end], row_of, children):
            end += 1
        if end - start >= ALIKE:
            first, *others = siblings[start + 1 : end - 1]
            yield first.path, Part(first, row_of[first.path], "run", first.path, tuple(row_of[x.path] for x in others))
            for other in others:
                yield other.path, Part(other, row_of[other.path], "hidden", first.path)
        start = end


def _alike(a: Level, b: Level, row_of: Mapping[str, ModuleRow], children: Mapping[str, list[Level]]) -> bool:
    """Whether two modules stand in one list, and are and do the same."""
    if a.label.partition("[")[0] != b.label.partition("[")[0] or "[" not in a.label:
        return False
    todo = [(a, b)]
    while todo:
        left, right = todo.pop()
        below = children.get(left.path, []), children.get(right.path, [])
        if _traits(row_of[left.path]) != _traits(row_of[right.path]) or len(below[0]) != len(below[1]):
            return False
        todo += zip(*below, strict=True)
    return True


def _traits(row: ModuleRow) -> tuple[Any, ...]:
    return row.kind, row.options, row.calls, row.outputs, row.parameters, row.trainable, len(row.unreached)
