"""The encoder: a source sequence to its outputs, its last state, and the context vector."""

from __future__ import annotations

from typing import Any, NamedTuple

import minigrad as mg
from minigrad import nn

from ..sequences import lengths_to_mask
from .states import Layout, features_of, run


class Encoded(NamedTuple):
    """What is known of a batch of sources.

    Attributes:
        outputs: of every step, ``(S, N, features)``: what attention looks at.
        state: the last state, as the layer returns it.
        mask: where there is an element, ``(S, N)``; ``None``: everywhere.
        context: one vector for each source, ``(N, context_size)``: the last h of the uppermost layer.
    """

    outputs: Any = None
    state: Any = None
    mask: Any = None
    context: Any = None

    @property
    def batch(self) -> int:
        """How many sources there are."""
        if self.outputs is not None:
            return int(self.outputs.shape[1])
        if self.context is None:
            raise mg.MinigradError("Encoded: neither outputs nor a context tell how many sources there are; give one")
        return len(self.context)


class Encoder(nn.Module):
    """Reads a source sequence: embedding, then any recurrent layer (Sutskever et al. 2014; Cho et al. 2014).

    Args:
        embedding: how many different tokens there are, for a table of ``layer.input_size`` features; or a module that
            makes features of the source; or ``None`` if the source has the features already.
        layer: :class:`~minigrad_rnn.RNN`, :class:`~minigrad_rnn.LSTM`, :class:`~minigrad_rnn.GRU`,
            :class:`~minigrad_rnn.RecurrentLayer` of any cell, or :class:`~minigrad_rnn.Bidirectional`.
        dropout: probability of dropping a feature of the embedding, in training.

    Attributes:
        memory_size: features of the outputs.
        context_size: features of the context.

    Shape:
        - source: tokens ``(S, N)``, or whatever ``(S, N, ...)`` the embedding takes.
        - lengths: N numbers from 0 to S. What stands behind the end of a source, be it no token at all or NaN, is not
          looked at. A ``mask`` ``(S, N)`` may have gaps.

    Raises:
        MinigradError: a layer that is none of those above, or whose two directions are not merged.

    >>> import minigrad as mg
    >>> from minigrad_rnn import GRU
    >>> encoded = Encoder(10, GRU(4, 5, bidirectional=True))(mg.tensor([[1, 2], [3, 9]]), lengths=[2, 1])
    >>> encoded.outputs.shape, encoded.state.shape, encoded.context.shape
    ((2, 2, 10), (2, 2, 5), (2, 10))
    """

    def __init__(self, embedding: int | nn.Module | None, layer: nn.Module, dropout: float = 0.0) -> None:
        self.memory_size = features_of("Encoder", layer)
        self.embedding = table("Encoder", embedding, getattr(layer, "input_size", None))
        self.layer, self.dropout = layer, dropout
        self._layout = Layout("Encoder", layer)
        self.context_size = self._layout.context_size

    def forward(self, source: Any, lengths: Any = None, mask: Any = None) -> Encoded:
        """Read a batch of sources."""
        source = source if isinstance(source, mg.Tensor) else mg.tensor(source)
        if source.ndim < 2:
            raise mg.ShapeError(f"Encoder: the source must have shape (steps, batch) or more dims, not {source.shape}")
        if lengths is not None:
            known: mg.Tensor | None = lengths_to_mask(lengths, len(source)).to(source.device)
        else:
            known = None if mask is None else (mask if isinstance(mask, mg.Tensor) else mg.tensor(mask)).bool()
        if known is not None:
            if known.shape != source.shape[:2]:
                raise mg.ShapeError(
                    f"Encoder: mask or lengths are for {known.shape} steps and sequences, the source has shape"
                    f" {source.shape}"
                )
            source = mg.where(known.reshape(*known.shape, *[1] * (source.ndim - 2)), source, 0)
        x = source if self.embedding is None else self.embedding(source)
        x = mg.dropout(x, self.dropout, self.training) if self.dropout else x
        outputs, state = run(self.layer, x, None, lengths, known if lengths is None else None)
        return Encoded(outputs, state, known, self._layout.context(state, outputs.shape[1]))

    def extra_repr(self) -> str:
        """What is not as by default."""
        return f"dropout={self.dropout}" if self.dropout else ""


def table(caller: str, embedding: int | nn.Module | None, features: int | None) -> nn.Module | None:
    """An embedding of so many features, if it is given by its number of tokens."""
    if isinstance(embedding, int):
        if not features:
            raise mg.MinigradError(
                f"{caller}: the layer does not tell its input_size, which an embedding needs to know\n"
                "  hint: give an embedding, nn.Embedding(tokens, features), instead of the number of tokens"
            )
        return nn.Embedding(embedding, features)
    return embedding
