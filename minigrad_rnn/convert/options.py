"""What the layer computes that weights are for: its options, and those of the other framework's layer."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Any

from ..cells import GRURecurrence, LSTMRecurrence, Recurrence, RNNRecurrence
from ..cells.options import sorted_options
from .parts import ConversionError, gates_of

RECURRENCES: dict[str, type[Recurrence]] = {"rnn": RNNRecurrence, "lstm": LSTMRecurrence, "gru": GRURecurrence}
HARMLESS = ("init", "forget_bias", "update_gate")  # how weights are drawn first, and what weights can make up for


def described(kind: str, options: dict[str, Any]) -> Any:
    """The equations of a layer with these options."""
    gates_of(kind)
    (recurrence,) = sorted_options(f"{kind.upper()} to convert", options, RECURRENCES[kind])
    return recurrence


def check_expressible(framework: str, kind: str, recurrence: Recurrence, known: Collection[str]) -> None:
    """Raise if a layer has an option that the other framework's layer has no counterpart of."""
    strange = [option for option in recurrence.changed() if option.split("=")[0] not in (*known, *HARMLESS)]
    if strange:
        raise ConversionError(f"{', '.join(strange)}: {framework}'s {kind.upper()} has nothing like it")


def check_same(kind: str, read: Mapping[str, Any], layer: Recurrence, maker: str) -> None:
    """Raise if the layer that gets the weights computes something else than the one they come from.

    Peepholes that are not needed do not count: they get zeros.

    Args:
        kind: of layer.
        read: the options of the layer they come from; what is not there is as by default.
        layer: the equations of the one that gets them.
        maker: the function that makes the layer that is wanted.
    """
    needed = {f.name: read.get(f.name, f.default) for f in dataclasses.fields(layer) if f.name not in HARMLESS}
    if getattr(layer, "peephole", False):
        needed["peephole"] = True
    others = [f"{name}={value!r}" for name, value in needed.items() if not _same(value, getattr(layer, name))]
    if others:
        raise ConversionError(
            f"these weights are for {kind.upper()}(..., {', '.join(others)}), and no weights make a layer do that which"
            f" is made otherwise\n  hint: {maker} makes that layer; to fill one that is made so already, name its"
            " options here too"
        )


def _same(a: Any, b: Any) -> bool:
    """Equal, numbers as far as float32 goes: the attributes of a model are that."""
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-6)
    return bool(a == b)


def check_reset(weights: bool, layer: bool, told_by: str) -> None:
    """Raise if a GRU's weights are for one convention of the reset gate and the layer has the other.

    Args:
        weights: whether they are for a reset after the product with the recurrent weights.
        layer: whether the layer resets there.
        told_by: what in the weights says so.
    """
    if weights == layer:
        return
    after, before = "r * (U h + b), after the product", "U (r * h) + b, before the product"
    raise ConversionError(
        f"{told_by}: this GRU resets {after if weights else before}; the layer they go to resets"
        f" {after if layer else before}\n"
        "  why: r and U do not commute unless U is diagonal, so no weights of the one compute what the other does\n"
        f"  hint: convert with reset_after={weights}, for a layer made as GRU(..., reset_after={weights})"
    )
