"""What gradients are multiplied by on their way through a gated recurrent unit, for a range of steps at once."""

from __future__ import annotations

from typing import Any

from ..cells import GRURecurrence
from .batch import Array, by_block
from .gru_parts import Saved
from .holding import Holding
from .squash import slope


class Factors:
    """Multiples of the gradient of h for the arguments of the gates, and of what goes straight back.

    With the base and the other of n and h, :math:`h_{new} = base + z (other - base)`.
    """

    def __init__(self, module: Any, recurrence: GRURecurrence, saved: Saved, holding: Holding) -> None:
        self.module, self.saved, self.holding = module, saved, holding
        self.hidden, self.keeps = saved.hs.shape[1], recurrence.update_gate == "keep"
        self.of_gate, self.of_candidate = slope(recurrence.gate_nonlinearity), slope(recurrence.nonlinearity)
        # Then h_new - base is z (other - base), or 0 where h is held and what is multiplied by it does not matter.
        self.shortcut = recurrence.gate_nonlinearity == "sigmoid" and holding.chance is None

    def after(self, start: int, stop: int, factors: Array) -> Array:
        """Fills in those of q, r, z, n for the reset gate after the product; returns those straight back."""
        multiply, (to_q, to_r, to_z, to_n) = self.module.multiply, by_block(factors, self.hidden)
        straight = self._update(start, stop, to_z, to_n)
        multiply(to_n, by_block(self.saved.gates[start:stop], self.hidden)[0], out=to_r)
        multiply(to_n, self._reset(start, stop, to_r), out=to_q)
        return straight

    def before(self, start: int, stop: int, factors: Array) -> tuple[Array, Array]:
        """Fills in those of z and n for the reset gate before the product, and for r multiples of the gradient of r h.

        Returns those straight back, and from r h to h.
        """
        _, to_r, to_z, to_n = by_block(factors, self.hidden)
        straight = self._update(start, stop, to_z, to_n)
        to_r[...] = self.saved.hs[start:stop]
        return straight, self._reset(start, stop, to_r)

    def _update(self, start: int, stop: int, to_z: Array, to_n: Array) -> Array:
        module, saved = self.module, self.saved
        before, after = saved.hs[start:stop], saved.hs[start + 1 : stop + 1]
        _, _, z, n = by_block(saved.gates[start:stop], self.hidden)
        rest = module.subtract(1, z)
        straight, share, base, other = (z, rest, n, before) if self.keeps else (rest, z, before, n)
        module.multiply(share, self.of_candidate(n), out=to_n)
        module.subtract(after if self.shortcut else other, base, out=to_z)
        module.multiply(to_z, rest if self.shortcut else self.of_gate(z), out=to_z)
        held = self.holding.share(start, stop, n.dtype)
        if held is not None:
            free = 1 - held
            to_z *= free
            to_n *= free
            straight = straight * free + held
        if saved.within is not None:
            within = saved.within[start:stop]
            to_z *= within[:, self.hidden : 2 * self.hidden]
            to_n *= within[:, 2 * self.hidden :]
        return straight

    def _reset(self, start: int, stop: int, to_r: Array) -> Array:
        """Multiplies by what leads from the reset gates to their arguments; returns the gates."""
        r = by_block(self.saved.gates[start:stop], self.hidden)[1]
        self.module.multiply(to_r, self.of_gate(r), out=to_r)
        if self.saved.within is not None:
            to_r *= self.saved.within[start:stop, : self.hidden]
        return r
