"""Which step and gate an anomaly is in, where one op computes several of them at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy

import minigrad as mg

from .recurrence import Recurrence
from .weights import Weights


@contextlib.contextmanager
def blaming(
    recurrence: Recurrence | None = None, w: Weights | None = None, x: mg.Tensor | None = None
) -> Iterator[None]:
    """Add step and gate to the report of an anomaly in an op that computes several gates, or all steps.

    The product of the inputs with the weights is one op for all steps and gates. Its elements tell which it was.

    Args:
        recurrence: tells the gates, if there are several in one op.
        w: tells the number of their rows.
        x: the inputs ``(T, N, input_size)``, to tell whether they were not finite already.
    """
    outer = mg.inspect.places()
    try:
        yield
    except mg.inspect.AnomalyError as error:
        rows = 0 if w is None or w.weight_hh is None else w.weight_hh.shape[0]
        told = list(_told(error, outer, () if recurrence is None else recurrence.gate_names, rows, x))
        if not told:
            raise
        head, *rest = str(error).split("\n")
        raise mg.inspect.AnomalyError("\n".join([head, *told, *rest]), error.places, error.bad) from None


def _told(
    error: mg.inspect.AnomalyError, outer: mg.inspect.Places, gates: tuple[str, ...], rows: int, x: mg.Tensor | None
) -> Iterator[str]:
    """Lines that say more of the place."""
    bad, place = error.bad, error.places
    projected = place[-1:] == (("input", None),)
    if projected:
        place = place[:-1]
    inner = place[len(outer) :]
    if bad.ndim != 3 or any(step is not None for _, step in inner):
        if not any(name for name, _ in inner):  # else it is in the scope of one gate, or of something else
            yield from _gates_told(bad, place, gates, rows)
        return
    steps = bad.any((1, 2)).nonzero()[0]
    first = int(steps[0])
    more = f", and {len(steps) - 1} more after it" if len(steps) > 1 else ""
    place = (*outer, ("", first), *inner)
    named = list(_gates_told(bad[first], place, gates, rows, more)) if projected and bad.shape[-1] == rows else []
    yield from named or [_place_told(place) + more]
    if x is not None:
        yield from _input_told(x, first, bad[first].any(-1))


def _gates_told(bad: Any, place: mg.inspect.Places, gates: tuple[str, ...], rows: int, more: str = "") -> Iterator[str]:
    """The gates, where the elements of several stand side by side."""
    size = rows // max(len(gates), 1)
    if not size or bad.shape[-1] == size or bad.shape[-1] % size:
        return
    beside = gates[: bad.shape[-1] // size]
    found = [gate for i, gate in enumerate(beside) if bad[..., i * size : (i + 1) * size].any()]
    if len(found) == 1:
        yield _place_told((*place, (found[0], None))) + more
    else:
        yield f"{_place_told(place)} in {', '.join(found)}{more}"


def _place_told(place: mg.inspect.Places) -> str:
    return f"  that is {mg.inspect.path(place)}"


def _input_told(x: mg.Tensor, step: int, rows: Any) -> Iterator[str]:
    """Whether the input of a step was not finite already, in those rows of the batch."""
    values = x.detach()[step].numpy()
    found = (~numpy.isfinite(values) & rows[:, None]).nonzero()
    if len(found[0]):
        row, feature = (int(index[0]) for index in found)
        yield f"  the input has {values[row, feature]} there already: step {step}, row {row}, feature {feature}"
