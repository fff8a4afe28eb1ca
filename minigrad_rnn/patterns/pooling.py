"""One vector for a whole sequence."""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad import nn

from ..sequences import last_state, lengths_to_mask

POOLINGS = ("last", "mean", "max", "attention")
LOWEST = -1e9  # below all that is real, and finite, so that no gradient becomes NaN


class Pooling(nn.Module):
    r"""Makes one vector of the outputs of a layer, whatever their number; what is padding has no part in it.

    ``"last"`` takes the last state of each direction, ``"mean"`` and ``"max"`` go over all steps, and ``"attention"``
    is a mean with learned weights (Yang et al. 2016, section 2.2, without the context's own layer):

    .. math:: \alpha_t = \operatorname{softmax}_t(q^\top \tanh(W y_t + b)), \qquad v = \sum_t \alpha_t y_t

    A sequence without elements has the vector 0.

    Args:
        features: of an output.
        kind: one of :data:`POOLINGS`.
        bidirectional: whether the outputs are those of two directions side by side.

    Shape:
        - input: ``(T, N, features)`` and N lengths.
        - output: ``(N, features)``.

    >>> y = mg.tensor([[[1.0], [4.0]], [[3.0], [9.0]]])
    >>> [Pooling(1, kind)(y, [2, 1]).tolist() for kind in ("last", "mean", "max")]
    [[[3.0], [4.0]], [[2.0], [4.0]], [[3.0], [4.0]]]
    """

    def __init__(self, features: int, kind: str = "last", bidirectional: bool = False) -> None:
        super().__init__()
        if kind not in POOLINGS:
            raise mg.MinigradError(f"Pooling: kind is one of {', '.join(map(repr, POOLINGS))}, not {kind!r}")
        self.kind, self.bidirectional = kind, bidirectional
        if kind == "attention":
            self.score = nn.Sequential(nn.Linear(features, features), nn.Tanh(), nn.Linear(features, 1, bias=False))

    def forward(self, outputs: mg.Tensor, lengths: Any) -> mg.Tensor:
        """``(N, features)``."""
        if self.kind == "last":
            return last_state(outputs, lengths, bidirectional=self.bidirectional)
        mask = lengths_to_mask(lengths, len(outputs)).to(outputs.device).unsqueeze(-1)
        present: mg.Tensor = mg.where(mask, outputs, 0.0)
        if self.kind == "mean":
            return present.sum(0) / mask.sum(0).clamp(min=1).to(outputs.dtype)
        if self.kind == "max":
            return self._largest(outputs, mask)
        return (self.weights(present, mask) * present).sum(0)

    def weights(self, outputs: mg.Tensor, mask: mg.Tensor) -> mg.Tensor:
        r"""The :math:`\alpha`, ``(T, N, 1)``, zero where ``mask``, ``(T, N, 1)``, says that there is no element."""
        scores: mg.Tensor = mg.where(mask, self.score(outputs), LOWEST)
        weights: mg.Tensor = mg.where(mask, scores.softmax(0), 0.0)
        return weights

    def _largest(self, outputs: mg.Tensor, mask: mg.Tensor) -> mg.Tensor:
        if not len(outputs):
            return outputs.sum(0)
        largest: mg.Tensor = mg.where(mask, outputs, LOWEST).amax(0)
        found: mg.Tensor = mg.where(mask.any(0), largest, 0.0)
        return found

    def extra_repr(self) -> str:
        """Which kind, for ``repr``."""
        return repr(self.kind)
