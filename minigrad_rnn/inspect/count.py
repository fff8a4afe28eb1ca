"""How many parameters each part of a model has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import minigrad as mg
from minigrad.graph import align

KINDS = {
    "weight_ih": "input weights",
    "weight_hh": "recurrent weights",
    "weight_skip": "weights across time",
    "weight_hr": "projection",
    "weight_peephole": "peepholes",
    "weight_highway": "highway",
    "bias_highway": "highway",
    "bias_ih": "biases",
    "bias_hh": "biases",
    "bias": "biases",
    "gain_ih": "normalisation",
    "gain_hh": "normalisation",
    "gain_cell": "normalisation",
    "bias_cell": "normalisation",
    "weight": "weights",
}
_OF_LAYER = re.compile(r"(?P<base>\w+?)_l(?P<layer>\d+)(?P<reverse>_reverse)?$")


class PartCount(NamedTuple):
    """The parameters of one kind in one part of a model.

    Attributes:
        part: path of the module; of a recurrent layer the path that scopes have, ``lstm.layer0.bwd``.
        kind: ``"input weights"``, ``"recurrent weights"``, ``"biases"`` ..., or the parameter's own name.
        size: how many numbers.
        trainable: how many of them ask for a gradient.
        names: of the parameters.
    """

    part: str
    kind: str
    size: int
    trainable: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class ParameterCount:
    """Parameters by part and kind. Made by :func:`count_parameters`; printing it prints a table.

    Attributes:
        rows: a :class:`PartCount` for each part and kind, in the order of the model.
    """

    rows: tuple[PartCount, ...]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(row.size for row in self.rows)

    @property
    def trainable(self) -> int:
        """Those that ask for a gradient."""
        return sum(row.trainable for row in self.rows)

    def by_part(self) -> dict[str, int]:
        """How many each part has."""
        return self._by("part")

    def by_kind(self) -> dict[str, int]:
        """How many there are of each kind."""
        return self._by("kind")

    def _by(self, what: str) -> dict[str, int]:
        counts: dict[str, int] = {}
        for row in self.rows:
            counts[getattr(row, what)] = counts.get(getattr(row, what), 0) + row.size
        return counts

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {"rows": [row._asdict() for row in self.rows], "total": self.total, "trainable": self.trainable}

    def to_text(self) -> str:
        """The table."""
        table: list[tuple[Any, ...]] = [("part", "kind", "parameters", "share", "")]
        for row in self.rows:
            frozen = row.size - row.trainable
            note = "frozen" if frozen == row.size else f"{frozen:,} frozen" if frozen else ""
            table.append((row.part or "-", row.kind, f"{row.size:,}", f"{row.size / max(self.total, 1):.1%}", note))
        frozen = self.total - self.trainable
        table.append(("total", "", f"{self.total:,}", "", f"{frozen:,} frozen" if frozen else ""))
        return align(table, right=(2, 3))

    __str__ = to_text


def count_parameters(model: mg.nn.Module) -> ParameterCount:
    """Count parameters by part of a model and kind; one that is shared counts once, where it comes first.

    Raises:
        TypeError: ``model`` is no module.

    >>> from minigrad_rnn import LSTM
    >>> print(count_parameters(LSTM(3, 5)))
    part    kind               parameters  share
    layer0  input weights              60  30.0%
    layer0  recurrent weights         100  50.0%
    layer0  biases                     40  20.0%
    total                             200
    """
    if not isinstance(model, mg.nn.Module):
        raise TypeError(f"count_parameters takes a module, not {type(model).__name__}")
    found = dict(model.named_parameters())
    both = {name.removesuffix("_reverse") for name in found if name.endswith("_reverse")}
    groups: dict[tuple[str, str], list[str]] = {}
    for name in found:
        groups.setdefault(_part_and_kind(name, name.removesuffix("_reverse") in both), []).append(name)
    rows = []
    for (part, kind), names in groups.items():
        sizes = [(found[name].numel(), found[name].requires_grad) for name in names]
        trainable = sum(size for size, asks in sizes if asks)
        rows.append(PartCount(part, kind, sum(size for size, _ in sizes), trainable, tuple(names)))
    return ParameterCount(tuple(rows))


def _part_and_kind(name: str, both_directions: bool) -> tuple[str, str]:
    path, _, own = name.rpartition(".")
    if path and own.isdigit():  # a list of parameters
        path, _, own = path.rpartition(".")
    layered = _OF_LAYER.fullmatch(own)
    if layered is None or not (layered["base"] in KINDS or layered["base"].startswith("initial_")):
        return path, KINDS.get(own, own)
    direction = ("", ".bwd" if layered["reverse"] else ".fwd")[both_directions]
    layer = f"layer{layered['layer']}{direction}"
    kind = "initial state" if layered["base"].startswith("initial_") else KINDS[layered["base"]]
    return (f"{path}.{layer}" if path else layer), kind
