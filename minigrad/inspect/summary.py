"""A model as a table: modules, the shapes of what they give, and their parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import GraphError
from ..graph import align
from ..nn import Module
from .calls import calls_of
from .modules import ModuleRow, byte_count, levels, module_rows

WIDTH = 80  # columns of a terminal


@dataclass(frozen=True)
class Summary:
    """A table of modules. Made by :func:`summary`; printing it prints the table.

    Attributes:
        rows: a :class:`ModuleRow` for each module, in the order of the model; the first is the model itself.
        buffer_bytes: of what belongs to the model and is not trained.
        input_bytes, output_bytes: of the tensors that the model was given, and that it returned.
    """

    rows: tuple[ModuleRow, ...]
    buffer_bytes: int
    input_bytes: int
    output_bytes: int

    @property
    def parameters(self) -> int:
        """How many numbers all parameters are; what is shared counts once."""
        return self.rows[0].parameters

    @property
    def trainable(self) -> int:
        """How many of them ask for a gradient."""
        return self.rows[0].trainable

    def never_called(self) -> set[str]:
        """Paths of the modules that did not run, and in which nothing did."""
        ran = [row.path for row in self.rows if row.calls is None or row.calls]
        called = {"", *(path[:i] for path in ran for i, letter in enumerate(path + ".") if letter == ".")}
        return {row.path for row in self.rows} - called

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return asdict(self)

    def to_text(self) -> str:
        """The table and the totals. The settings of modules are left out where it would be wider than 80 columns."""
        ran = self.rows[0].calls is not None
        trees, idle = _trees([row.depth for row in self.rows]), self.never_called()
        brief, full = ([row.kind + f"({row.options})" * bool(row.options and i) for row in self.rows] for i in (0, 1))
        for kinds in (full, brief):
            table = [("module", "", "output shape" * ran, "parameters", "trainable", "")]
            for tree, row, kind in zip(trees, self.rows, kinds, strict=True):
                notes = _notes(row, row.path in idle)
                table.append((tree + row.label, kind * bool(row.path), _output(row), *_counts(row), notes))
            kept = [i for i, column in enumerate(zip(*table, strict=True)) if i == 0 or any(column)]
            text = align([[cells[i] for i in kept] for cells in table], [kept.index(i) for i in (3, 4) if i in kept])
            if max(map(len, text.split("\n"))) <= WIDTH:
                break
        return "\n".join([text, "", *self._totals()])

    __str__ = to_text

    def _totals(self) -> list[str]:
        whole = self.rows[0]
        frozen = f", {whole.frozen:,} frozen" if whole.frozen else ""
        rows = [("parameters", f"{whole.parameters:,}", f"{size(whole.bytes)}{frozen}")]
        sizes = (("buffers", self.buffer_bytes), ("input", self.input_bytes), ("output", self.output_bytes))
        rows += [(name, "", size(number)) for name, number in sizes if number]
        lines = align(rows, right=(1,)).split("\n")
        if whole.unreached:
            lines.append(f"no gradient reaches {some(whole.unreached)}")
        return lines


def summary(model: Module, inputs: Any = None) -> Summary:
    """Tell for each module of a model what it gives, and how many parameters it has.

    The model runs once on the inputs, in evaluation mode, and stays as it was.

    Args:
        model: the outermost module.
        inputs: what to call it with: a tuple of positional arguments, a dictionary of keyword arguments, or the one
            argument. Left out, the model is not run, and there are no shapes.

    Raises:
        GraphError: ``model`` is no module, or cannot be called with these inputs.

    >>> import minigrad as mg
    >>> model = mg.nn.Sequential(mg.nn.Linear(3, 4), mg.nn.Tanh(), mg.nn.Linear(4, 2))
    >>> print(mg.inspect.summary(model, mg.ones(5, 3)))
    module              output shape  parameters  trainable
    Sequential          (5, 2)                26         26
    ├─ [0]      Linear  (5, 4)                16         16
    ├─ [1]      Tanh    (5, 4)
    └─ [2]      Linear  (5, 2)                10         10
    <BLANKLINE>
    parameters  26  104 B
    input           60 B
    output          40 B
    """
    if not isinstance(model, Module):
        raise GraphError(f"summary takes a module, not {type(model).__name__}")
    calls = None if inputs is None else calls_of(model, inputs)
    given = [] if calls is None else [one.tensor for one in calls.given]
    returned = [] if calls is None else calls.returned
    return Summary(tuple(module_rows(levels(model), calls)), *map(byte_count, (model.buffers(), given, returned)))


# ---- text --------------------------------------------------------------------------------------------------------


def size(number: int) -> str:
    """Bytes for people.

    >>> size(104), size(12_008), size(3_500_000_000)
    ('104 B', '12.0 kB', '3.5 GB')
    """
    amount, units = float(number), ["B", "kB", "MB", "GB", "TB"]
    while amount >= 999.95 and len(units) > 1:
        amount /= 1000
        del units[0]
    return f"{amount:.0f} B" if units[0] == "B" else f"{amount:.1f} {units[0]}"


def some(names: Iterable[str], most: int = 3) -> str:
    """The first few of several names, and how many more there are.

    >>> some("abcde")
    'a, b, c and 2 more'
    """
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _trees(depths: list[int]) -> list[str]:
    """The branches before each label."""
    trees, open_ = [], set[int]()  # depths at which a branch goes on below
    for depth in reversed(depths):
        open_ = {d for d in open_ if d <= depth}
        before = "".join("│  " if d in open_ else "   " for d in range(1, depth))
        trees.append(before + ("├─ " if depth in open_ else "└─ ") if depth else "")
        open_.add(depth)
    return trees[::-1]


def _output(row: ModuleRow) -> str:
    more = f" +{len(row.outputs) - 1}" if len(row.outputs) > 1 else ""
    return f"{row.outputs[0]}{more}" if row.outputs else ""


def _counts(row: ModuleRow) -> tuple[str, str]:
    return (f"{row.parameters:,}", f"{row.trainable:,}") if row.parameters else ("", "")


def _notes(row: ModuleRow, idle: bool) -> str:
    notes = [f"×{row.calls}"] if (row.calls or 0) > 1 else []
    notes += ["never called"] if idle else []
    notes += ["no gradient"] if row.unreached and row.calls and row.path else []
    return ", ".join(notes)
