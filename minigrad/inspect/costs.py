"""Time and memory, op by op."""

from __future__ import annotations

from collections import Counter, defaultdict
from time import perf_counter
from typing import Any

from .. import backend
from ..context import current
from ..graph import align
from ..op import Event
from .observer import Observer


def scope_of(event: Event) -> str:
    """Path of the place in the model that an event belongs to."""
    scope = event.node.scope if event.node is not None else current().scope
    return str(scope) if scope is not None else ""


class profile(Observer):
    """Count and time the ops that run inside, forward and backward.

    An op is given the time since the op before it: its own, and that of the Python which led to it. The times
    therefore add up to that of the whole block. Printing the object prints a table.

    Args:
        synchronize: wait for a GPU after every op; otherwise its work is counted where something waits for it.

    Attributes:
        calls: how often, by op and ``"forward"`` or ``"backward"``.
        seconds: how long, by the same.

    >>> import minigrad as mg
    >>> with mg.inspect.profile() as times:
    ...     (mg.ones(3, requires_grad=True) * 2).sum().backward()
    >>> times.calls["mul", "forward"], times.calls["mul", "backward"]
    (1, 1)
    """

    def __init__(self, synchronize: bool = False) -> None:
        super().__init__()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._synchronize = synchronize
        self._last = 0.0

    def __enter__(self) -> Any:
        self._last = perf_counter()
        return super().__enter__()

    def see(self, event: Event) -> None:
        """Count an op, and the time since the one before."""
        if self._synchronize:
            backend.of(getattr(event.arrays[0], "_data", event.arrays[0])).synchronize()
        key = (event.op.name, "forward" if event.phase == "forward" else "backward")
        self.calls[key] += event.phase != "rule"
        self.seconds[key] += perf_counter() - self._last
        self._last = perf_counter()

    def to_text(self) -> str:
        """The table: the slowest first."""
        total = sum(self.seconds.values()) or 1.0
        rows: list[tuple[Any, ...]] = [("op", "pass", "calls", "ms", "µs/call", "share")]
        for key, seconds in sorted(self.seconds.items(), key=lambda item: -item[1]):
            calls = self.calls[key]
            per_call = f"{seconds / max(calls, 1) * 1e6:.1f}"
            rows.append((*key, calls, f"{seconds * 1e3:.3f}", per_call, f"{seconds / total:.1%}"))
        return align(rows, right=(2, 3, 4, 5))

    __str__ = to_text


class memory(Observer):
    """Count the bytes that the results of ops inside take; a view of another array takes none.

    Results that nothing keeps are freed again, so this is what was asked for, not what was held at one time. What a
    graph holds for backward is ``mg.graph(y).stats()["saved_bytes"]``. Printing the object prints a table.

    Attributes:
        by_op: bytes by name of op.
        by_scope: bytes by place in the model.

    >>> import minigrad as mg
    >>> with mg.inspect.memory() as made:
    ...     y = (mg.ones(2, 8) * 2).reshape(16)
    >>> made.by_op["mul"], made.by_op["reshape"]
    (64, 0)
    """

    def __init__(self) -> None:
        super().__init__()
        self.by_op: Counter[str] = Counter()
        self.by_scope: Counter[str] = Counter()

    def see(self, event: Event) -> None:
        """Count the bytes of an op's results."""
        if event.phase == "forward":
            made = sum(array.nbytes for array in event.arrays if array.flags.owndata)
            self.by_op[event.op.name] += made
            self.by_scope[scope_of(event)] += made

    def to_text(self) -> str:
        """The table: by op, then by place, the largest first."""
        tables = []
        for what, counts in (("op", self.by_op), ("place", self.by_scope)):
            rows = [(name or "-", f"{made:,}") for name, made in counts.most_common()]
            tables.append(align([(what, "bytes"), *rows], right=(1,)))
        return "\n\n".join(tables)

    __str__ = to_text
