"""Which op made the first NaN?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy

from .. import backend
from ..context import current
from ..edges import Joint
from ..errors import GraphError
from ..node import Handle, Node, next_number, user_line
from ..op import Event
from .observer import Observer
from .place import Places, places


class AnomalyError(GraphError):
    """What :func:`detect_anomaly` raises when an op has run. In backward it is a plain :class:`GraphError`.

    Attributes:
        places: the place in the model, see :func:`minigrad.inspect.places`.
        bad: where in the output it is: booleans of its shape, an array on the host.
    """

    def __init__(self, message: str, places: Places, bad: Any) -> None:
        super().__init__(message)
        self.places, self.bad = places, bad


class detect_anomaly(Observer):
    """Raise at the first op whose output, or whose gradient, has a NaN or an infinity in it.

    The error names op, source line, place in the model, the elements concerned, and the range of those inputs that the
    op kept for its rules. An op that only moves what it is given, as transposing and joining do, is not blamed. NumPy's
    own warnings about such elements are silent inside. Checking waits for a GPU after every op, so this is for
    hunting, not for training. Have forward and backward inside: what went wrong forward is found at its first op then.

    Args:
        inf: whether infinities are anomalies too; ``False`` for models that mask with ``-inf``.

    Raises:
        GraphError: inside the block, from backward, or as an :class:`AnomalyError` from the op.

    >>> import minigrad as mg
    >>> x = mg.tensor([1.0, 0.0], requires_grad=True)
    >>> with mg.inspect.detect_anomaly():
    ...     try:
    ...         x.sqrt().sum().backward()
    ...     except mg.GraphError as error:
    ...         print(str(error).splitlines()[0])
    the gradient that sqrt sends to its input x has inf in it: 1 of 2 elements, the first at (1,)
    """

    def __init__(self, inf: bool = True) -> None:
        super().__init__()
        self._inf = inf
        self._quiet: list[Any] = []
        self._since = 0

    def __enter__(self) -> Any:
        self._since = next_number()
        self._quiet.append(numpy.errstate(all="ignore"))
        self._quiet[-1].__enter__()
        return super().__enter__()

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self._quiet.pop().__exit__(*exc)

    def see(self, event: Event) -> None:
        """Raise if something in the event is not finite."""
        if event.phase == "forward" and event.op.moves:
            return
        for i, value in enumerate(event.arrays):
            array = value._data if isinstance(value, Handle) else value
            bad = self._bad(array)
            if bad is not None:
                message = "\n".join(self._report(event, i, _told(array, bad)))
                raise AnomalyError(message, places(), bad) if event.phase == "forward" else GraphError(message)

    def _bad(self, array: Any) -> Any:
        """Where an array is not finite, on the host; ``None`` if it is nowhere."""
        if not backend.is_array(array) or array.dtype.kind != "f":
            return None
        xp = backend.xp(array)
        bad = ~xp.isfinite(array) if self._inf else xp.isnan(array)
        return backend.of(bad).to_host(bad) if bool(bad.any()) else None

    def _report(self, event: Event, position: int, found: str) -> Iterator[str]:
        op, node = event.op, event.node
        if event.phase == "forward":
            output = f"output {position} of {op.name}" if op.outputs else f"the output of {op.name}"
            place = user_line() + (f" in {scope}" if (scope := current().scope) is not None else "")
            yield f"{output} {found}"
            yield f"  made at {node.where() if node is not None else place}"
        elif event.phase == "backward":
            yield f"the gradient that arrived at the output of {op.name} {found}"
        else:
            assert node is not None  # noqa: S101  (rules run on recorded nodes only)
            names = op.inputs if not op.variadic else [f"{op.inputs[0]}[{i}]" for i in range(len(node.inputs))]
            name = next((f" {n}" for n, x in zip(names, node.inputs, strict=False) if x is event.source), "")
            yield f"the gradient that {op.name} sends to its input{name} {found}"
        if node is not None:
            kept = {name: array for name, array in _kept(node).items() if name != "out" or event.phase != "forward"}
            yield from (f"  {name}  {_range(array)}" for name, array in kept.items())
        if event.phase != "forward" and node is not None and node.seq < self._since:
            yield "  hint: run the forward inside detect_anomaly() too: what went wrong there is found at its first op"
        if self._inf and " inf in " in found.replace("-inf", "inf"):
            yield "  hint: if the infinity is meant, as in a mask, use detect_anomaly(inf=False)"


def detecting_anomalies() -> bool:
    """Whether the code that is running now is inside :class:`detect_anomaly`.

    For code that has a quick way and one in smaller steps: inside, the report should speak of the small steps.

    >>> detecting_anomalies()
    False
    """
    return any(isinstance(getattr(see, "__self__", None), detect_anomaly) for see in current().observers)


def _told(array: Any, bad: Any) -> str:
    """What is wrong with an array."""
    first = tuple(int(i) for i in numpy.unravel_index(int(bad.argmax()), bad.shape)) if bad.shape else ()
    where = f"{int(bad.sum())} of {bad.size} elements, the first at {first}" if first else "its only element"
    return f"has {array[first].item()} in it: {where}"


def _kept(node: Node) -> dict[str, Any]:
    """The arrays that a node keeps for its rules, by the names that the rules know them by."""
    op, edges = node.op, node.edges
    assert op is not None  # noqa: S101  (events are of ops)
    parts = [(edges.rule, edges.kept)] if isinstance(edges, Joint) else [(rule, kept) for _, rule, kept in edges]
    named = {name: value for rule, kept in parts for name, value in zip(op.keeps.get(rule, ()), kept, strict=False)}
    return {name: value for name, value in named.items() if backend.is_array(value) and value.size}


def _range(array: Any) -> str:
    finite = array[backend.xp(array).isfinite(array)]
    if not finite.size:
        return f"{tuple(array.shape)} {array.dtype}, nothing in it is finite"
    others = f", {array.size - finite.size} not finite" if finite.size < array.size else ""
    return f"{tuple(array.shape)} {array.dtype}, from {finite.min().item():.6g} to {finite.max().item():.6g}{others}"
