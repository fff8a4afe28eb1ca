"""What is behind the picture of a graph: for a page, on which all of it can be opened and looked into."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import backend
from ..errors import GraphError
from ..node import Handle
from .diagram import Diagram
from .results import results

FEW = 4  # numbers that are told one by one


def unpainted(diagram: Diagram) -> Diagram:
    """The diagram as it is."""
    return diagram


@dataclass(frozen=True)
class Whole:
    """A diagram with all panels open, and what it takes to close them.

    Attributes:
        diagram: the diagram.
        depth: panels nested this deep are closed at first; ``None``: none is.
        paint: gives boxes the colours and the numbers of ``color_by``, those of closed panels too.
        roots: the tensors that it was drawn from, held weakly: a drawing keeps no graph alive.
    """

    diagram: Diagram
    depth: int | None = None
    paint: Callable[[Diagram], Diagram] = unpainted
    roots: tuple[weakref.ref[Handle], ...] = ()

    def values(self) -> dict[int, str]:
        """The values of each node in a few words: none if the tensors are gone, or were changed since."""
        alive = [tensor for root in self.roots if (tensor := root()) is not None]
        if not alive or len(alive) < len(self.roots):
            return {}
        try:
            return {number: values_told(array) for number, array in results(alive) if array is not None}
        except GraphError:  # a leaf was changed since
            return {}


def weakly(y: Any) -> tuple[weakref.ref[Handle], ...]:
    """Weak references to the tensors that something is or consists of, if there are any."""
    parts = y if isinstance(y, (list, tuple)) else [y]
    return tuple([weakref.ref(part) for part in parts if isinstance(part, Handle)])


def values_told(array: Any) -> str:
    """The values of an array in a few words, with a single copy from a GPU.

    >>> import numpy
    >>> values_told(numpy.array([1.0, 2.5]))
    'values 1, 2.5'
    >>> values_told(numpy.array([0, 1, 2, math.nan, 5]))
    'values 0 … 5, mean 2, 1 NaN of 5'
    """
    if isinstance(array, tuple):
        return "; ".join([values_told(part) for part in array[:FEW]]) + (" …" if len(array) > FEW else "")
    return f"value{'s' * (array.size != 1)} {in_short(array)}"


def in_short(array: Any, digits: int = 4) -> str:
    """The values themselves, if they are few, or the smallest, the largest and the mean: with a single copy.

    >>> import numpy
    >>> in_short(numpy.array([1.0, 2.5])), in_short(numpy.arange(9))
    ('1, 2.5', '0 … 8, mean 4')
    """
    if isinstance(array, tuple):
        return "; ".join([in_short(part, digits) for part in array[:FEW]]) + (" …" if len(array) > FEW else "")
    if array.size <= FEW:
        return ", ".join([f"{x:.{digits}g}" for x in backend.of(array).to_host(array).astype(float).ravel()]) or "none"
    low, high, total, finite, nan = _moments(array)
    parts = [f"{low:.{digits}g} … {high:.{digits}g}, mean {total / finite:.{digits}g}"] if finite else []
    parts += [f"{nan:,.0f} NaN of {array.size:,}"] if nan else []
    parts += [f"{infinite:,.0f} infinite of {array.size:,}"] if (infinite := array.size - finite - nan) else []
    return ", ".join(parts)


def _moments(array: Any) -> list[float]:
    """Smallest, largest and sum of the finite elements, and how many elements are finite, and NaN."""
    xp = backend.xp(array)
    wide = array.astype(xp.float64)
    finite = xp.isfinite(wide)
    found = [
        xp.where(finite, wide, math.inf).min(),
        xp.where(finite, wide, -math.inf).max(),
        xp.where(finite, wide, 0.0).sum(),
        finite.sum().astype(xp.float64),
        xp.isnan(wide).sum().astype(xp.float64),
    ]
    numbers: list[float] = xp.stack(found).tolist()
    return numbers
