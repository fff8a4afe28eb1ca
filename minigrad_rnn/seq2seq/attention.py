"""Attention: which of the source's steps a step of the decoder looks at."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, NamedTuple

import minigrad as mg
from minigrad import nn

KINDS = ("dot", "general", "concat")


class Keys(NamedTuple):
    """A memory prepared for many queries.

    Attributes:
        values: the memory, ``(N, S, memory_size)``, zeros where the mask is false.
        keys: what queries are compared with, ``(N, S, features)``.
        mask: where there is an element, ``(N, 1, S)``; ``None``: everywhere.
    """

    values: mg.Tensor
    keys: mg.Tensor
    mask: mg.Tensor | None


class Attention(nn.Module):
    r"""What all kinds share: weights from scores, and their mean of the memory.

    .. math::
        \alpha_{ts} = \frac{e^{e_{ts}}}{\sum_{s'} e^{e_{ts'}}}, \qquad c_t = \sum_s \alpha_{ts} m_s

    A kind says how the score :math:`e_{ts}` of a query :math:`q_t` and a step :math:`m_s` of the memory is computed.
    Where the mask is false the weight is 0, and what the memory holds there, NaN included, reaches no result and no
    gradient. A row without any element has weights of 0 and a context of 0.

    Shape:
        - query: ``(N, query_size)``, or many at once, ``(T, N, query_size)``.
        - memory: ``(S, N, memory_size)`` with a mask ``(S, N)``; or what :meth:`prepare` made of them.
        - context and weights: ``(N, memory_size)`` and ``(N, S)``, or ``(T, N, memory_size)`` and ``(T, N, S)``.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        self.query_size, self.memory_size = query_size, memory_size

    @abstractmethod
    def keys(self, values: mg.Tensor) -> mg.Tensor:
        """What does not depend on the query, computed once: of ``(N, S, memory_size)``."""

    @abstractmethod
    def scores(self, query: mg.Tensor, keys: mg.Tensor) -> mg.Tensor:
        """``(N, T, query_size)`` and ``(N, S, features)`` to scores ``(N, T, S)``."""

    def prepare(self, memory: mg.Tensor, mask: Any = None) -> Keys:
        """Do once for a memory what does not depend on the query."""
        if memory.ndim != 3 or memory.shape[-1] != self.memory_size:
            raise mg.ShapeError(
                f"{type(self).__name__}: the memory must have shape (steps, batch, {self.memory_size}), not"
                f" {memory.shape}"
            )
        if mask is not None:
            mask = mask if isinstance(mask, mg.Tensor) else mg.tensor(mask, device=memory.device)
            if mask.shape != memory.shape[:2]:
                raise mg.ShapeError(
                    f"{type(self).__name__}: the mask must have the shape of the memory without its features,"
                    f" {memory.shape[:2]}, not {mask.shape}"
                )
            memory = mg.where(mask.bool().unsqueeze(-1), memory, 0.0)
            mask = mask.bool().T.unsqueeze(1)
        values = _row_by_row(memory.transpose(0, 1))
        with mg.scope("keys"):
            return Keys(values, self.keys(values), mask)

    def forward(self, query: mg.Tensor, memory: mg.Tensor | Keys, mask: Any = None) -> tuple[mg.Tensor, mg.Tensor]:
        """The context and the weights."""
        prepared = memory if isinstance(memory, Keys) else self.prepare(memory, mask)
        if query.ndim not in (2, 3) or query.shape[-1] != self.query_size:
            raise mg.ShapeError(
                f"{type(self).__name__}: the query must have shape (batch, {self.query_size}) or (steps, batch,"
                f" {self.query_size}), not {query.shape}"
            )
        many = _row_by_row(query.transpose(0, 1) if query.ndim == 3 else query.unsqueeze(1))
        with mg.scope("scores"):
            scores = self.scores(many, prepared.keys)
        weights = _weights(scores, prepared.mask)
        context = weights @ prepared.values
        if query.ndim == 2:
            return context.squeeze(1), weights.squeeze(1)
        return context.transpose(0, 1), weights.transpose(0, 1)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.query_size}, {self.memory_size}"


class AdditiveAttention(Attention):
    r"""The score is a network with one hidden layer (Bahdanau, Cho and Bengio 2015, section 3.1 and A.1.2).

    .. math:: e_{ts} = v^\top \tanh(W q_t + U m_s)

    Args:
        query_size: features of a query, the decoder's state.
        memory_size: features of a step of the memory, the encoder's output.
        hidden_size: units of the hidden layer.

    See :class:`Attention` for shapes.

    >>> import minigrad as mg
    >>> attention = AdditiveAttention(3, 4, hidden_size=5)
    >>> mask = mg.tensor([[True, True]] * 3 + [[True, False]] * 3)
    >>> context, weights = attention(mg.ones(2, 3), mg.ones(6, 2, 4), mask)
    >>> context.shape, weights.sum(-1).tolist(), weights[1, 3:].tolist()
    ((2, 4), [1.0, 1.0], [0.0, 0.0, 0.0])
    """

    def __init__(self, query_size: int, memory_size: int, hidden_size: int) -> None:
        super().__init__(query_size, memory_size)
        self.hidden_size = hidden_size
        self.query_map = nn.Linear(query_size, hidden_size, bias=False)
        self.memory_map = nn.Linear(memory_size, hidden_size, bias=False)
        self.direction = _direction(hidden_size)

    def keys(self, values: mg.Tensor) -> mg.Tensor:
        """:math:`U m`."""
        keys: mg.Tensor = self.memory_map(values)
        return keys

    def scores(self, query: mg.Tensor, keys: mg.Tensor) -> mg.Tensor:
        """The scores of the class."""
        return _network(self.query_map(query), keys, self.direction)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{super().extra_repr()}, {self.hidden_size}"


class DotAttention(Attention):
    r"""The score is a product (Luong, Pham and Manning 2015, section 3.1).

    .. math::
        e_{ts} = \begin{cases}
            q_t^\top m_s & \text{dot} \\
            q_t^\top W m_s & \text{general} \\
            v^\top \tanh(W [q_t; m_s]) & \text{concat}
        \end{cases}

    Args:
        query_size: features of a query.
        memory_size: features of a step of the memory; for ``"dot"`` the same.
        kind: ``"dot"``, ``"general"`` or ``"concat"``.
        scaled: divide the score by the square root of the number of features that are compared, so that its spread
            does not grow with it (Vaswani et al. 2017, section 3.2.1).
        hidden_size: for ``"concat"``, the rows of :math:`W`; left out, ``query_size``.

    See :class:`Attention` for shapes.

    Raises:
        MinigradError: no such kind.
        ShapeError: ``"dot"`` for two different sizes.

    >>> import minigrad as mg
    >>> attention = DotAttention(2, 2)
    >>> memory = mg.tensor([[[9.0, 0.0]], [[0.0, 9.0]]])  # two steps, the first like the query
    >>> context, weights = attention(mg.tensor([[1.0, 0.0]]), memory)
    >>> [[round(w, 4) for w in row] for row in weights.tolist()]
    [[0.9999, 0.0001]]
    """

    def __init__(
        self, query_size: int, memory_size: int, kind: str = "dot", scaled: bool = False, hidden_size: int | None = None
    ) -> None:
        super().__init__(query_size, memory_size)
        if kind not in KINDS:
            raise mg.MinigradError(f'DotAttention: the kind is "dot", "general" or "concat", not {kind!r}')
        if kind == "dot" and query_size != memory_size:
            raise mg.ShapeError(
                f'DotAttention: "dot" compares vectors of one size, not of {query_size} and {memory_size}\n'
                '  hint: kind="general" has a matrix between them'
            )
        self.kind, self.scaled, self.hidden_size = kind, scaled, hidden_size or query_size
        if kind == "general":
            self.map = nn.Linear(memory_size, query_size, bias=False)
        elif kind == "concat":
            self.map = nn.Linear(query_size + memory_size, self.hidden_size, bias=False)
            self.direction = _direction(self.hidden_size)

    def keys(self, values: mg.Tensor) -> mg.Tensor:
        """What queries are compared with."""
        if self.kind == "dot":
            return values
        weight = self.map.weight if self.kind == "general" else self.map.weight[:, self.query_size :]
        return mg.linear(values, weight)

    def scores(self, query: mg.Tensor, keys: mg.Tensor) -> mg.Tensor:
        """The scores of the class."""
        factor = 1 / math.sqrt(self.hidden_size if self.kind == "concat" else self.query_size) if self.scaled else 1.0
        if self.kind == "concat":
            scores = _network(mg.linear(query, self.map.weight[:, : self.query_size]), keys, self.direction)
            return scores * factor if self.scaled else scores
        return (query * factor if self.scaled else query) @ keys.transpose(1, 2)

    def extra_repr(self) -> str:
        """The sizes, the kind, and what is not as by default."""
        hidden = [f"hidden_size={self.hidden_size}"] if self.kind == "concat" else []
        return ", ".join([super().extra_repr(), repr(self.kind), *["scaled=True"] * self.scaled, *hidden])


def _row_by_row(x: mg.Tensor) -> mg.Tensor:
    """The same, but so in memory too: a layer lays its outputs out by features, of which BLAS makes no batched product.

    At (128, 1, 29) times (128, 29, 128) the product takes 3 ms without and 0.04 with it.
    """
    return x.reshape(-1).reshape(*x.shape)


def _weights(scores: mg.Tensor, mask: mg.Tensor | None) -> mg.Tensor:
    """One op, in a scope and under a name by which drawings and traces find it."""
    with mg.scope("weights"):
        weights = mg.softmax(scores, -1) if mask is None else nn.functional.masked_softmax(scores, mask)
    if weights.requires_grad and weights.name is None:
        weights.name = "weights"
    return weights


def _network(query: mg.Tensor, keys: mg.Tensor, direction: mg.Tensor) -> mg.Tensor:
    r""":math:`v^\top \tanh(q_t + k_s)` of ``(N, T, H)`` and ``(N, S, H)``."""
    return (query.unsqueeze(2) + keys.unsqueeze(1)).tanh() @ direction


def _direction(size: int) -> nn.Parameter:
    bound = 1 / math.sqrt(size)
    return nn.init.uniform_(nn.Parameter(mg.zeros(size)), -bound, bound)
