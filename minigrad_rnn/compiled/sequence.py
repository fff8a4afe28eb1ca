"""What the compiled recurrent networks share: how a sequence goes in, and what is done for many steps at once."""

from __future__ import annotations

from typing import Any

import numpy

from ..cells import Weights
from ..cells.unroll import Running
from ..kernels.batch import Batch, ranges
from ..kernels.memory import empty
from .products import DEEP, Hoisted, gradient, rows_of, square

Array = Any


class Sequence(Batch):
    """The inputs, in the order in which they are processed.

    Attributes:
        ends: booleans ``(T, N)``, true where a row is over.
    """

    def __init__(self, x: Array, reverse: bool, running: Running | None) -> None:
        super().__init__(x, reverse, running)
        self.dtype = x.dtype
        shape = (self.steps, self.size)
        self.ends = numpy.zeros(shape, bool) if self.over is None else self.over.reshape(shape)

    def spans(self, weight: Array) -> list[tuple[int, int]]:
        """Ranges of steps over which the gradient of the recurrent weight is summed at once.

        As few as a small piece may sum over, where the weight can be cut into some: then what they read is in the
        cache. Or else so many that adding up costs little.
        """
        rows, hidden = weight.shape
        if square(rows, hidden)[1]:
            return ranges(0, self.steps, DEEP // max(1, self.size))
        return self.chunks(rows, least=rows)

    def empty(self, steps: int, columns: int) -> Array:
        """Memory ``(steps, N, columns)``."""
        return empty(numpy, (steps, self.size, columns), self.dtype)

    def zeros(self, columns: int) -> Array:
        """``(N, columns)``."""
        return numpy.zeros((self.size, columns), self.dtype)

    def output(self, states: Array, kept: bool) -> Array:
        """States ``(T, N, features)`` as outputs, as :meth:`Batch.output`."""
        if kept and self.over is not None:
            copy = self.empty(self.steps, states.shape[2])
            copy[...] = states
            states = copy
        self.silence(states, 0, self.steps)
        return self.ordered(states)

    def silence(self, steps: Array, start: int, stop: int) -> None:
        """Put zeros into ``(steps, N, columns)`` where rows are over."""
        if self.over is not None:
            steps[self.ends[start:stop]] = 0

    def arriving(self, g: Array, start: int, stop: int, writable: bool = False) -> Array:
        """A gradient of the outputs, of a range of steps in order of processing; anything where rows are over."""
        there = self.ordered(g)[start:stop]
        return there.copy() if writable else numpy.ascontiguousarray(there)


class Gradients:
    """Sums the gradients of the weights over ranges of steps, and computes those of the inputs."""

    def __init__(self, sequence: Sequence, w: Weights, hs: Array, needs_x: bool) -> None:
        self.sequence, self.w, self.hs, self.found = sequence, w, hs, dict[str, Array]()
        self.x = empty(numpy, sequence.x.shape, sequence.dtype) if needs_x else None
        self.to_x = Hoisted(w.weight_ih, sequence.size) if needs_x else None

    def take(
        self, start: int, stop: int, at_inputs: Array, at_states: Array, at_biases: tuple[Array, Array] | None = None
    ) -> None:
        """What arrives at the products of a range of steps with inputs and with states, ``(steps, N, columns)``.

        And at the biases, if that is not the same.
        """
        inputs, states = rows_of(at_inputs), rows_of(at_states)
        nonzero = start > 0 or bool(self.hs[0].any())
        seen = self.hs[start if nonzero else 1 : stop]
        if self.w.mask_hidden is not None:
            seen = seen * self.w.mask_hidden
        self._add("weight_ih", inputs, rows_of(self.sequence.inputs(start, stop)))
        self._add("weight_hh", states[len(states) - seen.shape[0] * seen.shape[1] :], rows_of(seen))
        if self.w.bias_ih is not None:
            of_inputs, of_states = at_biases or (at_inputs, at_states)
            self._add("bias_ih", rows_of(of_inputs))
            if of_states is not of_inputs:
                self._add("bias_hh", rows_of(of_states))
        if self.to_x is not None and self.x is not None:
            self.to_x(at_inputs, self.x[start:stop])

    def _add(self, name: str, gates: Array, others: Array = None) -> None:
        part = numpy.ones(len(gates), gates.dtype) @ gates if others is None else gradient(gates, others)
        if name in self.found:
            self.found[name] += part
        else:
            self.found[name] = part

    def by_name(self) -> dict[str, Array]:
        """Those of the weights."""
        if not self.found:  # there was no step
            return {name: numpy.zeros_like(value) for name, value in self.w._asdict().items() if value is not None}
        if "bias_ih" in self.found and "bias_hh" not in self.found:
            self.found["bias_hh"] = self.found["bias_ih"].copy()
        return self.found

    def of_x(self) -> Array | None:
        """That of ``x``, if it is wanted, in the order of its steps."""
        return self.sequence.leaving(self.x)


def bias(w: Weights, columns: int, dtype: Any) -> Array:
    """The sum of the biases, or zeros."""
    return numpy.zeros(columns, dtype) if w.bias_ih is None else w.bias_ih + w.bias_hh
