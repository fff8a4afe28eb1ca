"""Encoder, bridge and decoder in one, trained jointly."""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad import nn

from .bridge import Bridge
from .decoder import Decoder
from .decoder_state import Decoded, DecoderState, select
from .decoding import Steps
from .encoder import Encoded
from .symbols import IGNORED, framed


class Seq2Seq(nn.Module):
    r"""A sequence to another of any other length: :math:`p(y \mid x) = \prod_t p(y_t \mid y_1 \dots y_{t-1}, x)`.

    Encoder and decoder learn together from pairs (Sutskever et al. 2014; Cho et al. 2014). START and END are put
    around the targets here; users' targets do not have them.

    Args:
        encoder: reads the source: an :class:`Encoder`, or whatever returns an :class:`Encoded`.
        decoder: writes the target.
        bridge: how the decoder's state begins: a :class:`Bridge` or its kind.

    Shape:
        - source: tokens ``(S, N)``; target: tokens ``(T, N)``. What stands behind the length of a row is not looked at.
        - scores: ``(T + 1, N, vocabulary_size)``, the last step of each row being that for END; ``(T, N, ...)`` if the
          decoder has no END.

    >>> import minigrad as mg
    >>> from minigrad_rnn import LSTM
    >>> from minigrad_rnn.seq2seq import Encoder
    >>> model = Seq2Seq(Encoder(10, LSTM(4, 5)), Decoder(12, LSTM(4, 5)))
    >>> source, target = mg.tensor([[3, 4], [5, 6], [7, 0]]), mg.tensor([[8, 9], [10, 0]])
    >>> model(source, target, [3, 2], [2, 1]).shape
    (3, 2, 12)
    >>> model.loss(source, target, [3, 2], [2, 1]).backward()
    """

    def __init__(self, encoder: Any, decoder: Decoder, bridge: str | nn.Module = "copy") -> None:
        memory, attention = getattr(encoder, "memory_size", None), decoder.attention
        if attention is not None and memory not in (None, attention.memory_size):
            raise mg.ShapeError(
                f"Seq2Seq: the encoder's outputs have {memory} features, the attention is for {attention.memory_size}"
            )
        context = getattr(encoder, "context_size", None)
        if decoder.mode == "peeky" and context not in (None, decoder.context_size):
            raise mg.ShapeError(
                f"Seq2Seq: the encoder's context has {context} features, the decoder is for {decoder.context_size}"
            )
        self.encoder = encoder
        self.bridge = Bridge(bridge, encoder.layer, decoder.layer) if isinstance(bridge, str) else bridge
        self.decoder = decoder

    def forward(
        self,
        source: Any,
        target: Any,
        source_lengths: Any = None,
        target_lengths: Any = None,
        *,
        sampling: Any = None,
        return_weights: bool = False,
    ) -> Any:
        """The scores of every token of the target, and of END.

        Args:
            source: tokens.
            target: tokens.
            source_lengths: N numbers; left out, all sources are as long as the tensor.
            target_lengths: likewise.
            sampling: a :class:`ScheduledSampling`, or the probability that the decoder reads right tokens; left out, 1.
            return_weights: whether to return ``(scores, weights)``, the attention weights being ``(steps, N, S)``.
        """
        decoded, _ = self._run(source, target, source_lengths, target_lengths, sampling)
        return (decoded.scores, decoded.weights) if return_weights else decoded.scores

    def loss(
        self, source: Any, target: Any, source_lengths: Any = None, target_lengths: Any = None, *, sampling: Any = None
    ) -> mg.Tensor:
        """The mean cross entropy of all real tokens of the batch, END among them; padding does not count."""
        decoded, wanted = self._run(source, target, source_lengths, target_lengths, sampling)
        return nn.functional.cross_entropy(decoded.scores, wanted, ignore_index=IGNORED, dim=-1)

    def _run(
        self, source: Any, target: Any, source_lengths: Any, target_lengths: Any, sampling: Any
    ) -> tuple[Decoded, mg.Tensor]:
        inputs, wanted = framed(target, target_lengths, self.decoder.start, self.decoder.end)
        encoded: Encoded = self.encoder(source, source_lengths)
        state = self.bridge(encoded.state, inputs.shape[1])
        return self.decoder(inputs, state, encoded, sampling=sampling), wanted

    @mg.no_grad()
    def steps(self, source: Any, source_lengths: Any = None) -> Steps:
        """What :func:`greedy_decode`, :func:`sample` and :func:`beam_search` need to translate sources.

        Call ``model.eval()`` before, as for every use of a model outside of training.
        """
        source = source if isinstance(source, mg.Tensor) else mg.tensor(source)
        encoded: Encoded = self.encoder(source, source_lengths)
        batch, decoder = encoded.batch, self.decoder
        begun = decoder.begin(self.bridge(encoded.state, batch), encoded, batch)
        dim = decoder.layer.batch_dim
        return Steps(
            decoder.step,
            begun,
            mg.full((batch,), decoder.start, dtype=mg.int64, device=source.device),
            decoder.end,
            lambda state, rows: select(state, rows, dim),
            None if decoder.attention is None else _weights,
        )


def _weights(state: DecoderState) -> Any:
    return state.weights
