"""What the gates of a recurrent layer do, step by step."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy

import minigrad as mg
from minigrad.graph import align

from ..cells.watch import watching
from ..layers.path import unrolled
from ..layers.stack import Stack

Array = numpy.ndarray[Any, Any]
Position = tuple[int, ...]
_CELL = re.compile(r"^(backward_)?cells\[\d+\](\.|$)")  # what a layer of any cell calls it


class GateTrace(Mapping[tuple[str, str], Array]):
    """What gates did: arrays ``(T, N, H)`` on the host, by place and name. Made by :func:`gate_trace`.

    ``trace["layer0", "forget_gate"]`` is one of them. Printing the object prints a table.

    Attributes:
        result: what the layer returned.
    """

    def __init__(self, arrays: dict[tuple[str, str], Array], result: Any) -> None:
        self._arrays, self.result = arrays, result

    def __getitem__(self, key: tuple[str, str]) -> Array:
        if key not in self._arrays:
            raise KeyError(f"{key!r}; there are {', '.join(map(repr, self._arrays))}")
        return self._arrays[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def places(self) -> list[str]:
        """The layers and directions."""
        return list(dict.fromkeys(place for place, _ in self))

    def gates(self, place: str) -> dict[str, Array]:
        """What there is of one place, by name."""
        return {name: array for (where, name), array in self.items() if where == place}

    def to_text(self) -> str:
        """A table of means and ranges, over all that is running."""
        rows: list[tuple[Any, ...]] = [("place", "gate", "shape", "mean", "std", "min", "max")]
        for (place, name), array in self.items():
            seen = array[~numpy.isnan(array)].astype(numpy.float64)
            numbers = [seen.mean(), seen.std(), seen.min(), seen.max()] if seen.size else [numpy.nan] * 4
            rows.append((place or "-", name, array.shape, *(f"{number:.3g}" for number in numbers)))
        return align(rows, right=(3, 4, 5, 6))

    __str__ = to_text


def gate_trace(layer: Callable[..., Any], *args: Any, **kwargs: Any) -> GateTrace:
    """Run a layer and note what every gate does: its value at every step, in every row of the batch and every unit.

    What is noted is all that runs in a named scope inside a time step, and the parts of the state: for an LSTM
    ``input_gate``, ``forget_gate``, ``candidate``, ``output_gate``, ``cell``, and ``h``, ``c``; for a GRU
    ``reset_gate``, ``update_gate``, ``candidate``, and ``h``. The ``transform_gate`` of a highway between layers is at
    the place ``highway1``, above the layer of that number. In a cell of one's own,
    ``with mg.scope("my_gate"): ...`` adds a gate; its value is that of the last op inside. What runs in a scope
    ``input``, the part of the input in all gates together, is left out.

    Args:
        layer: a layer, a cell (which takes one step: T is 1), or a model that holds some.
        *args: what to call it with: the input, a state. It runs under ``no_grad`` and on the unrolled path; call
            ``layer.eval()`` before, if it is not to drop anything.
        **kwargs: the same by keyword: ``lengths`` ...

    Returns:
        Arrays ``(T, N, H)`` by place inside ``layer`` (``"layer0"``, ``"layer1.bwd"``) and name, whatever
        ``batch_first``. Step t is that of the sequence, in both directions. Where a row is over, or has a gap, they
        are NaN, and so they are at steps where a gate did not run: take ``numpy.nanmean`` and its like.

    Raises:
        MinigradError: nothing in ``layer`` runs in a scope inside a time step.

    >>> import minigrad as mg
    >>> from minigrad_rnn import LSTM
    >>> trace = gate_trace(LSTM(3, 5), mg.zeros(7, 2, 3), lengths=[7, 4])
    >>> trace["layer0", "forget_gate"].shape
    (7, 2, 5)
    >>> bool(numpy.isnan(trace["layer0", "forget_gate"][4:, 1]).all())
    True
    """
    if not callable(layer):
        raise TypeError(f"gate_trace takes a layer, and then what to call it with; not {type(layer).__name__}")
    recorder = _Recorder(len(mg.inspect.places()) + isinstance(layer, mg.nn.Module))
    with mg.no_grad(), unrolled(), mg.observe(recorder.see), watching(recorder.show):
        result = layer(*args, **kwargs)
    arrays = recorder.arrays(only_steps=isinstance(layer, Stack))
    if not arrays:
        raise mg.MinigradError(
            f"gate_trace: nothing in {type(layer).__name__} ran in a scope inside a time step\n"
            '  hint: a layer needs at least one step; in a cell of your own name the gates, with mg.scope("my_gate"):'
        )
    return GateTrace(arrays, result)


class _Recorder:
    """Keeps the last result of every scope in every step."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.found: dict[tuple[str, str], dict[Position, Any]] = {}
        self.running: dict[tuple[str, Position], Array] = {}
        self.layers: set[str] = set()  # places that have a state of their own

    def see(self, event: Any) -> None:
        """Note the result of an op under every scope inside the step."""
        place, position, inner = self._here()
        if len(event.arrays) == 1:
            for end in range(1, len(inner) + 1):
                self._note(place, mg.inspect.place(inner[:end]), position, event.arrays[0])

    def show(self, names: Sequence[str], state: Sequence[mg.Tensor], running: Array | None) -> None:
        """Note the state after a step, and which rows are running."""
        place, position, inner = self._here()
        for name, part in zip(names, state, strict=True):
            self._note(place, mg.inspect.place((*inner, (name, None))), position, part.data)
        if running is not None:
            self.running[place, position] = running
        if position and not inner:
            self.layers.add(place)

    def _here(self) -> tuple[str, Position, mg.inspect.Places]:
        """The place up to the innermost step, the steps, and what is inside the step."""
        places = mg.inspect.places()[self.depth :]
        position = tuple([step for _, step in places if step is not None])
        last = max((i + 1 for i, (_, step) in enumerate(places) if step is not None), default=0)
        return mg.inspect.place(places[:last]), position, places[last:]

    def _note(self, place: str, name: str, position: Position, array: Any) -> None:
        if name and array.dtype.kind == "f" and name.rpartition(".")[2] != "input":
            self.found.setdefault((place, name), {})[position] = array

    def arrays(self, only_steps: bool) -> dict[tuple[str, str], Array]:
        """All that was noted, with NaN where nothing ran; outside of steps only if there are none, as in a cell."""
        stepped = only_steps or any(position for found in self.found.values() for position in found)
        positions: dict[str, set[Position]] = {}
        for (place, _), found in self.found.items():
            positions.setdefault(place, set()).update(found)
        stacked: dict[tuple[str, str], Array] = {}
        for (place, name), found in self.found.items():
            short = _CELL.sub("", name, count=1) if place in self.layers else name
            alike = len({array.shape for array in found.values()}) == 1
            if short and alike and (not stepped or all(found)):
                stacked.setdefault((place, short), self._stacked(place, found, sorted(positions[place])))
        return stacked

    def _stacked(self, place: str, found: dict[Position, Any], positions: list[Position]) -> Array:
        shape, dtype = next((array.shape, array.dtype) for array in found.values())
        stacked = numpy.full((len(positions), *shape), numpy.nan, dtype)
        for t, position in enumerate(positions):
            if position in found:
                stacked[t] = mg.tensor(found[position]).numpy()
                running = self.running.get((place, position))
                if running is not None and shape[:1] == running.shape:
                    stacked[t, ~running] = numpy.nan
        return stacked
