"""The encoder layer of a Transformer, and where in a sequence things stand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from .. import backend
from ..context import current
from ..creation import tensor
from ..errors import MinigradError
from ..ops import activation
from ..tensor import Tensor
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .multihead import MultiheadAttention
from .normalization import LayerNorm

_ACTIVATIONS: dict[str, Callable[[Any], Tensor]] = {"relu": activation.relu, "gelu": activation.gelu}


def sinusoidal_positions(length: int, features: int, dtype: Any = None, device: Any = None) -> Tensor:
    r"""Waves of all lengths that tell each step of a sequence from the others (Vaswani et al. 2017, section 3.5).

    .. math:: p_{t,2i} = \sin(t / 10000^{2i/E}), \qquad p_{t,2i+1} = \cos(t / 10000^{2i/E})

    Attention does not see order; these are added to what stands at the steps, so that it does.

    Args:
        length: how many steps.
        features: :math:`E`.
        dtype: the default one if left out.
        device: where.

    Returns:
        ``(length, features)``.

    >>> sinusoidal_positions(2, 4).tolist()[0]
    [0.0, 1.0, 0.0, 1.0]
    """
    pairs = numpy.arange(features) // 2 * 2
    angles = numpy.arange(length)[:, None] * numpy.exp(pairs * (-math.log(10000.0) / max(1, features)))
    waves = numpy.where(numpy.arange(features) % 2 == 0, numpy.sin(angles), numpy.cos(angles))
    dtype = backend.get_default_dtype() if dtype is None else dtype
    return tensor(waves, dtype, current().device if device is None else device)


class TransformerEncoderLayer(Module):
    r"""Self-attention, then two linear maps at each step, each added to what it was given and normalised.

    .. math::
        h = \mathrm{norm}_1(x + \mathrm{attention}(x)), \qquad
        y = \mathrm{norm}_2(h + W_2\, \phi(W_1 h + b_1) + b_2)

    With ``norm_first`` what goes into each part is normalised instead of what comes out, which trains without a
    warm-up (Xiong et al. 2020). Positions are not added here: see :func:`sinusoidal_positions`.

    Args:
        d_model: features of each step.
        nhead: heads of the attention.
        dim_feedforward: features between the two linear maps.
        dropout: of the attention's weights, between the linear maps, and behind both parts.
        activation: :math:`\phi`: ``"relu"``, ``"gelu"``, or a function of a tensor.
        layer_norm_eps: keeps the normalisation away from dividing by 0.
        batch_first: sequences are ``(N, L, d_model)`` instead of ``(L, N, d_model)``.
        norm_first: normalise before each part instead of after it.
        bias: whether the linear maps and the normalisations add a bias.
        device, dtype: of the parameters.

    >>> import minigrad as mg
    >>> layer = mg.nn.TransformerEncoderLayer(8, 2, dim_feedforward=16)
    >>> layer(mg.ones(5, 3, 8), is_causal=True).shape
    (5, 3, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Any], Tensor] = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if isinstance(activation, str) and activation not in _ACTIVATIONS:
            known = ", ".join(map(repr, _ACTIVATIONS))
            raise MinigradError(f"TransformerEncoderLayer: activation is {known} or a function, not {activation!r}")
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, device=device, dtype=dtype
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias, device, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, device, dtype)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        self.activation = _ACTIVATIONS[activation] if isinstance(activation, str) else activation

    def forward(
        self, src: Tensor, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False
    ) -> Tensor:
        """``(L, N, d_model)``, the same shape.

        Args:
            src: the sequences.
            src_mask: the ``attn_mask`` of :class:`MultiheadAttention`: true is what may not be looked at.
            src_key_padding_mask: ``(N, L)``, true for padding.
            is_causal: no step looks at later ones.
        """
        masks = src_mask, src_key_padding_mask, is_causal
        if self.norm_first:
            src = src + self._attention(self.norm1(src), *masks)
            return src + self._feedforward(self.norm2(src))
        src = self.norm1(src + self._attention(src, *masks))
        result: Tensor = self.norm2(src + self._feedforward(src))
        return result

    def _attention(self, x: Tensor, mask: Any, padding: Any, is_causal: bool) -> Tensor:
        mixed, _ = self.self_attn(x, x, x, padding, False, mask, is_causal=is_causal)
        result: Tensor = self.dropout1(mixed)
        return result

    def _feedforward(self, x: Tensor) -> Tensor:
        result: Tensor = self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))
        return result
