"""What the gradients of a long short-term memory are multiplied by on their way, for many steps at once."""

from __future__ import annotations

from ..cells import LSTMRecurrence
from .batch import Array, Batch, by_block
from .lstm_parts import Saved
from .memory import empty
from .squash import slope


def factors(
    batch: Batch, recurrence: LSTMRecurrence, saved: Saved, start: int, stop: int, out: Array
) -> tuple[Array, Array]:
    """Fills ``out`` with the factors from h to the argument of o, and from c to those of i, f and g.

    Returns:
        Those from h to what it sees of c, and from c to the one a step before.
    """
    names = (recurrence.gate_nonlinearity, recurrence.nonlinearity, recurrence.output_nonlinearity)
    usual = names == ("sigmoid", "tanh", "tanh") and not recurrence.coupled
    into_c, kept = _usual(batch, saved, start, stop, out) if usual else _any(recurrence, saved, start, stop, out)
    if saved.within is not None:
        out *= saved.within[start:stop]
    batch.silence(out, start, stop)
    batch.silence(into_c, start, stop)
    return into_c, batch.still(kept, start, stop)


def _usual(batch: Batch, saved: Saved, start: int, stop: int, out: Array) -> tuple[Array, Array]:
    """Where gates are sigmoids and the rest hyperbolic tangents: ``y - y y`` and ``1 - y y``."""
    module, hidden = batch.module, saved.tanhs.shape[1]
    gates, tanhs, before = saved.gates[start:stop], saved.tanhs[start:stop], saved.cells[start:stop]
    o, i, f, g = (gates[:, k * hidden : (k + 1) * hidden] for k in range(4))
    to_o, to_i, to_f, to_g = (out[:, k * hidden : (k + 1) * hidden] for k in range(4))
    into_c, scratch = empty(module, tanhs.shape, gates.dtype), empty(module, tanhs.shape, gates.dtype)
    for gate, other, to_gate, to_other in ((o, tanhs, to_o, into_c), (i, g, to_i, to_g), (f, before, to_f, None)):
        product = module.multiply(gate, other, out=scratch)
        module.subtract(product, module.multiply(product, gate, out=to_gate), out=to_gate)
        if to_other is not None:
            module.subtract(gate, module.multiply(product, other, out=to_other), out=to_other)
    return into_c, f


def _any(recurrence: LSTMRecurrence, saved: Saved, start: int, stop: int, out: Array) -> tuple[Array, Array]:
    """With any nonlinearities."""
    hidden, shown, before = saved.tanhs.shape[1], saved.tanhs[start:stop], saved.cells[start:stop]
    o, i, *forget, g = by_block(saved.gates[start:stop], hidden)
    to_o, to_i, *to_forget, to_g = by_block(out, hidden)
    gate, candidate = slope(recurrence.gate_nonlinearity), slope(recurrence.nonlinearity)
    to_o[...] = shown * gate(o)
    to_g[...] = i * candidate(g)
    if recurrence.coupled:
        to_i[...] = (g - before) * gate(i)
        kept = 1 - i
    else:
        (kept,) = forget
        to_i[...] = g * gate(i)
        to_forget[0][...] = before * gate(kept)
    return o * slope(recurrence.output_nonlinearity)(shown), kept
