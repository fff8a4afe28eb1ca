"""Which way a layer computes: whole sequences as single ops, or every op recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import NamedTuple

import minigrad as mg

_unrolled: ContextVar[bool] = ContextVar("minigrad_rnn_unrolled", default=False)
_uncompiled: ContextVar[bool] = ContextVar("minigrad_rnn_uncompiled", default=False)


@contextlib.contextmanager
def unrolled() -> Iterator[None]:
    """Recurrent layers that run inside record every op, each in the scope of its layer, step and gate.

    The results are the same. Drawings, NaN reports and gradient flow then speak of gates and steps, which the fused
    path, one op for a whole sequence, cannot show. For one layer only, set its attribute ``fused`` to ``False``.

    >>> import minigrad as mg
    >>> from minigrad_rnn import LSTM
    >>> with unrolled():
    ...     output, _ = LSTM(2, 3)(mg.ones(2, 1, 2))
    >>> "lstm.layer0/t=1/forget_gate" in {node.scope for node in mg.graph(output)}
    True
    """
    token = _unrolled.set(True)
    try:
        yield
    finally:
        _unrolled.reset(token)


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """Recurrent layers that run inside compute with NumPy alone, even where Numba would compile their steps.

    The results differ by rounding.

    >>> from minigrad_rnn import GRU
    >>> with uncompiled():
    ...     GRU(2, 3).plan()[0].reason
    'one op for the whole sequence, in NumPy: inside uncompiled()'
    """
    token = _uncompiled.set(True)
    try:
        yield
    finally:
        _uncompiled.reset(token)


def inside_uncompiled() -> bool:
    """Whether the running code is inside of :func:`uncompiled`."""
    return _uncompiled.get()


def inside_unrolled() -> str:
    """What has every op recorded, ``"unrolled()"`` or ``"detect_anomaly()"``, if the running code is inside of it.

    A report about a NaN should speak of a step and a gate, which the fused path cannot.
    """
    if _unrolled.get():
        return "unrolled()"
    return "detect_anomaly()" if mg.inspect.detecting_anomalies() else ""


class Plan(NamedTuple):
    """How one layer runs in one direction: ``path`` is ``"fused"`` or ``"unrolled"``."""

    part: str
    path: str
    reason: str
