r"""Layer normalisation of what the input or the state contributes to the gates, :math:`g \odot \mathrm{norm}(a) + b`.

The weights behind ``a`` are :func:`~minigrad_rnn.kernels.norm.centred`, so that only the scale is left to do.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .batch import total
from .memory import empty
from .norm import Norm

Array = Any


class Normed:
    """Gain and bias around a norm, over a sequence; remembers what the way back needs.

    Where steps are named, an array ``(rows, N)`` is that step, and ``(steps, rows, N)`` a range that begins there.

    Args:
        module: the array module.
        gain: ``(rows,)``.
        bias: likewise, or ``None``.
        saved: the normalised rows and their scales, as :func:`room` makes them: filled in on the way forward.
        blocks: in which shares the rows are normalised, apart from each other.
    """

    norm: ClassVar[type[Norm]] = Norm

    def __init__(
        self, module: Any, gain: Array, bias: Array, saved: tuple[Array, Array], blocks: tuple[int, ...] = (1,)
    ) -> None:
        self.module, self.saved, self.blocks, self.norms = module, saved, blocks, dict[tuple[int, ...], Norm]()
        self.kept, rows, size = saved[0].shape
        self._sums = module.zeros((2, rows, size), gain.dtype)
        # A full array: multiplying by a column takes three times as long.
        self.gain: Array = gain.reshape(-1, 1).repeat(size, axis=1)
        self.bias = None if bias is None else bias.reshape(-1, 1).repeat(size, axis=1)

    def __call__(self, start: int, a: Array) -> Array:
        """Normalise ``a`` in place."""
        normal, scales = self._at(start, a)
        self._norm(a)(a, normal, scales)
        self.module.multiply(normal, self.gain, out=a)
        if self.bias is not None:
            self.module.add(a, self.bias, out=a)
        return a

    def back(self, start: int, g: Array, out: Array) -> Array:
        """From the gradient of what was put out that of ``a``, into ``out`` (which may be ``g``).

        Adds to the gradient of the gain.
        """
        self._norm(g).back(g, *self._at(start, g), out, self._sums[0])
        return out

    def collect(self, g: Array) -> None:
        """Add to the gradient of the bias, over a range of steps, from that of what was put out."""
        self._sums[1] += g.sum(0)

    def gradients(self) -> tuple[Array, Array]:
        """Those of gain and bias."""
        gain, bias = (total(part) for part in self._sums)
        return gain, bias

    def _at(self, start: int, a: Array) -> tuple[Array, Array]:
        first = start % self.kept
        at = first if a.ndim == 2 else slice(first, first + len(a))
        return self.saved[0][at], self.saved[1][at]

    def _norm(self, a: Array) -> Norm:
        """A norm of the shape of ``a``."""
        if a.shape not in self.norms:
            self.norms[a.shape] = self.norm(self.module, a.shape, self.gain, self.blocks)
        return self.norms[a.shape]


def room(module: Any, kept: int, rows: int, size: int, dtype: Any, units: int = 1) -> tuple[Array, Array]:
    """Memory for the normalised rows of ``kept`` steps and for their scales, see :class:`Norm`."""
    return empty(module, (kept, rows, size), dtype), empty(module, (kept, units, size), dtype)
