"""Attention with several heads, as a layer."""

from __future__ import annotations

from typing import Any

from ..creation import zeros
from ..errors import ShapeError, check_probability
from ..ops import joining, linalg, reduction, shape
from ..tensor import Tensor
from . import init
from .attention import Mask, attend, causal, read_mask
from .linear import Linear
from .module import Module, Parameter


class MultiheadAttention(Module):
    r"""Several attentions side by side, each to linear maps of its own of query, key and value.

    .. math:: \mathrm{head}_i = \mathrm{softmax}(q W_i^Q (k W_i^K)^T / \sqrt{d})\, v W_i^V

    The heads, :math:`d = E / h` features each, are put side by side and mapped once more. Masks are PyTorch's, and
    **the other way round** than in :func:`scaled_dot_product_attention`: true is what may *not* be looked at.

    Args:
        embed_dim: :math:`E`, features of queries and of the result.
        num_heads: :math:`h`, a divisor of ``embed_dim``.
        dropout: the probability with which a weight is dropped in training.
        bias: whether the maps add a bias.
        kdim: features of keys, if not ``embed_dim``.
        vdim: features of values, if not ``embed_dim``.
        batch_first: sequences are ``(N, L, E)`` instead of ``(L, N, E)``.
        device, dtype: of the parameters.

    Attributes:
        in_proj_weight: the maps of query, key and value one below the other, ``(3 E, E)``; ``None`` with ``kdim`` or
            ``vdim``, and then there are ``q_proj_weight``, ``k_proj_weight`` and ``v_proj_weight``.
        in_proj_bias: ``(3 E,)``.
        out_proj: the last map, a :class:`Linear`.

    Shape:
        - query ``(L, N, E)``, key ``(S, N, kdim)``, value ``(S, N, vdim)``, or without ``N`` for one sequence.
        - output ``(L, N, E)``; weights ``(N, L, S)``, or ``(N, h, L, S)``.

    >>> import minigrad as mg
    >>> x = mg.ones(5, 2, 8)
    >>> y, weights = mg.nn.MultiheadAttention(8, 2)(x, x, x)
    >>> y.shape, weights.shape
    ((5, 2, 8), (2, 5, 5))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if num_heads < 1 or embed_dim % num_heads:
            raise ShapeError(f"MultiheadAttention: embed_dim={embed_dim} cannot be cut into {num_heads} equal heads")
        check_probability("MultiheadAttention: dropout", dropout)
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        alike = self.kdim == self.vdim == embed_dim

        def weight(rows: int, columns: int, wanted: bool) -> Parameter | None:
            return Parameter(zeros(rows, columns, device=device, dtype=dtype)) if wanted else None

        self.in_proj_weight = weight(3 * embed_dim, embed_dim, alike)
        self.q_proj_weight = weight(embed_dim, embed_dim, not alike)
        self.k_proj_weight = weight(embed_dim, self.kdim, not alike)
        self.v_proj_weight = weight(embed_dim, self.vdim, not alike)
        self.in_proj_bias = Parameter(zeros(3 * embed_dim, device=device, dtype=dtype)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights of the maps anew; biases are 0."""
        self.out_proj.reset_parameters()
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None and self.out_proj.bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Args:
            query: what asks.
            key: what the query is compared with.
            value: what the result is made of.
            key_padding_mask: ``(N, S)``: booleans, true for a key that nobody may look at, or numbers that are added
                to the scores.
            need_weights: return the weights, too; else ``None``.
            attn_mask: ``(L, S)`` or ``(N h, L, S)``: booleans, true where the query may not look, or numbers.
            average_attn_weights: the mean of the weights over the heads, rather than those of each.
            is_causal: query ``i`` looks at keys 0 to ``i`` only. (PyTorch wants the mask as well.)

        Returns:
            The output and the weights; both are zero for a query that may look at nothing, apart from the bias of the
            last map. (PyTorch gives NaN there, if the weights are needed.)

        Raises:
            ShapeError: shapes that do not go together.
        """
        alone = query.ndim == 2
        if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
            shapes = ", ".join(str(tuple(x.shape)) for x in (query, key, value))
            raise ShapeError(f"MultiheadAttention: query, key and value are all (L, N, E) or all (L, E), not {shapes}")
        q, k, v = (self._heads(x, alone) for x in self._projected(query, key, value))
        mask = self._mask(q, k, key_padding_mask, attn_mask, is_causal)
        mixed, weights = attend(q, k, v, mask, self.dropout if self.training else 0.0, None)
        mixed = shape.reshape(shape.transpose(mixed, 1, 2), (mixed.shape[0], mixed.shape[2], self.embed_dim))
        mixed = mixed[0] if alone else mixed if self.batch_first else shape.transpose(mixed, 0, 1)
        output = self.out_proj(mixed)
        if not need_weights:
            return output, None
        weights = reduction.mean(weights, 1) if average_attn_weights else weights
        return output, weights[0] if alone else weights

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        """Query, key and value, each mapped by its own part of the weights."""
        weight, bias = self.in_proj_weight, self.in_proj_bias
        if weight is not None and query is key and key is value:
            return list(joining.chunk(linalg.linear(query, weight, bias), 3, -1))
        weights = (
            joining.chunk(weight, 3) if weight is not None
            else (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        )  # fmt: skip
        biases = (None, None, None) if bias is None else joining.chunk(bias, 3)
        return [linalg.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]

    def _heads(self, x: Tensor, alone: bool) -> Tensor:
        """``(L, N, E)`` as ``(N, h, L, d)``."""
        x = shape.unsqueeze(x, 0) if alone else x if self.batch_first else shape.transpose(x, 0, 1)
        rows, steps, features = x.shape
        return shape.transpose(shape.reshape(x, (rows, steps, self.num_heads, features // self.num_heads)), 1, 2)

    def _mask(self, query: Tensor, key: Tensor, padding: Any, mask: Any, is_causal: bool) -> Mask:
        """All masks in one, in its two parts."""
        keep, bias = causal(query, key) if is_causal else (None, None)
        for name, given in (("key_padding_mask", padding), ("attn_mask", mask)):
            shown, added = read_mask(name, given, query)
            if shown is None:
                continue
            if added is None:
                shown = ~shown
            else:
                added = self._spread(name, added, query, key)
                bias = added if bias is None else bias + added
            shown = self._spread(name, shown, query, key)
            keep = shown if keep is None else keep & shown
        return keep, bias

    def _spread(self, name: str, mask: Any, query: Tensor, key: Tensor) -> Any:
        """A mask with the dimensions of the scores, ``(N, h, L, S)``."""
        rows, _, steps, _ = key.shape
        given = tuple(mask.shape)
        if name == "key_padding_mask":
            if given not in ((rows, steps), (steps,)):
                raise ShapeError(f"MultiheadAttention: key_padding_mask is (N, S) = {(rows, steps)}, not {given}")
            return shape.reshape(mask, (-1, 1, 1, steps))
        asked = query.shape[2], steps
        if given == asked:
            return mask
        if given != (rows * self.num_heads, *asked):
            raise ShapeError(
                f"MultiheadAttention: attn_mask is (L, S) = {asked} or (N h, L, S) = {(rows * self.num_heads, *asked)},"
                f" not {given}"
            )
        return shape.reshape(mask, (rows, self.num_heads, *asked))

    def extra_repr(self) -> str:
        """Sizes."""
        other = "" if self.in_proj_weight is not None else f", kdim={self.kdim}, vdim={self.vdim}"
        return f"{self.embed_dim}, {self.num_heads}, dropout={self.dropout}{other}, batch_first={self.batch_first}"
