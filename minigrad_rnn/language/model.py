"""A recurrent language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import minigrad as mg
from minigrad import nn

from ..layers import KINDS
from ..seq2seq import Steps
from ..seq2seq.decoding import select_rows
from ..seq2seq.symbols import IGNORED


class LanguageModel(nn.Module):
    r"""Predicts the next character or word at every step: embedding, recurrent layers, linear head.

    .. math:: p(x_{t+1} \mid x_1, \dots, x_t) = \mathrm{softmax}(V h_t + b), \qquad h_t = \mathrm{RNN}(E_{x_t}, h_{t-1})

    Mikolov et al., "Recurrent neural network based language model", Interspeech 2010; with LSTMs and dropout as in
    Zaremba, Sutskever and Vinyals, "Recurrent neural network regularization", 2014.

    Args:
        vocabulary_size: number of different characters or words.
        embedding_dim: features of one.
        hidden_size: features of the recurrent state.
        num_layers: layers stacked.
        layer: ``"lstm"``, ``"gru"``, ``"rnn"``, or what makes a layer when called with the three sizes above and the
            options.
        tied: the head has the weights of the embedding, :math:`V = E` (Press and Wolf 2017; Inan et al. 2017), behind
            a projection if their sizes differ. The embedding then begins with variance ``1 / embedding_dim``.
        dropout: of what the first layer reads, between layers, and of what the head reads: one number for all three,
            or each its own.
        cutoffs: an adaptive softmax with these cutoffs, for large vocabularies numbered by frequency; see
            :class:`minigrad.nn.AdaptiveLogSoftmaxWithLoss`.
        options: of the layers, such as ``variational``, ``weight_dropout`` or ``zoneout``.

    Attributes:
        config: all of the above, as plain data, if the layer was named: ``LanguageModel(**config)`` makes one alike.

    Shape:
        - input: numbers ``(T, N)``, int64.
        - output: logits ``(T, N, vocabulary_size)`` and the state of the layers.

    Raises:
        MinigradError: two directions (the second would read what is to be predicted), or options that exclude one
            another.

    >>> model = LanguageModel(10, 4, 8, layer="gru", tied=True)
    >>> logits, state = model(mg.tensor([[1], [2], [3]]))
    >>> logits.shape, state.shape
    ((3, 1, 10), (1, 1, 8))
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        *,
        layer: str | Callable[..., Any] = "lstm",
        tied: bool = False,
        dropout: float | Sequence[float] = 0.0,
        cutoffs: Sequence[int] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.config = {"vocabulary_size": vocabulary_size, "embedding_dim": embedding_dim, "hidden_size": hidden_size,
                       "num_layers": num_layers, "layer": layer, "tied": tied, "dropout": dropout, "cutoffs": cutoffs,
                       **options}  # fmt: skip
        rates = tuple(dropout) if isinstance(dropout, Sequence) else (dropout,) * 3
        if len(rates) != 3:
            raise mg.MinigradError(f"LanguageModel: dropout is one number, or three, not {dropout!r}")
        before, between, after = rates
        self.embedding = nn.Embedding(vocabulary_size, embedding_dim)
        options = {"dropout": between, **options} if between and num_layers > 1 else options
        self.kind, made = _layer(layer, (embedding_dim, hidden_size, num_layers), options)
        setattr(self, self.kind, made)  # under its own name, by which drawings and files know it
        self.drop_input, self.drop_output = nn.Dropout(before), nn.Dropout(after)
        self._make_head(vocabulary_size, embedding_dim, tied, cutoffs)

    def _make_head(self, words: int, embedding_dim: int, tied: bool, cutoffs: Sequence[int] | None) -> None:
        layer = self.recurrent
        features = layer.output_size if hasattr(layer, "output_size") else layer.hidden_size
        self.projection: nn.Linear | None = None
        if cutoffs is not None and tied:
            raise mg.MinigradError("LanguageModel: the head is tied or adaptive (cutoffs), not both")
        if tied:
            if features != embedding_dim:
                self.projection = nn.Linear(features, embedding_dim, bias=False)
            nn.init.normal_(self.embedding.weight, std=embedding_dim**-0.5)
        self.head: Any = (
            nn.Linear(embedding_dim if tied else features, words)
            if cutoffs is None
            else nn.AdaptiveLogSoftmaxWithLoss(features, words, list(cutoffs))
        )
        if tied:
            self.head.weight = self.embedding.weight

    @property
    def recurrent(self) -> Any:
        """The recurrent layers."""
        return getattr(self, self.kind)

    def features(self, x: mg.Tensor, state: Any = None) -> tuple[mg.Tensor, Any]:
        """What the head reads, ``(T, N, features)``, and the state to go on from."""
        hidden, state = self.recurrent(self.drop_input(self.embedding(x)), state)
        hidden = self.drop_output(hidden)
        return hidden if self.projection is None else self.projection(hidden), state

    def forward(self, x: mg.Tensor, state: Any = None) -> tuple[mg.Tensor, Any]:
        """Logits for what comes after each of ``x`` (log-probabilities of an adaptive head), and the state."""
        hidden, state = self.features(x, state)
        return self.head(hidden) if self.config["cutoffs"] is None else self.head.log_prob(hidden), state

    def loss(self, x: mg.Tensor, targets: mg.Tensor, state: Any = None) -> tuple[mg.Tensor, int, Any]:
        r"""Mean of :math:`-\ln p` over the targets that count (all but -100), their number, and the state.

        The logits of all steps are never held at once; see :func:`minigrad.nn.functional.linear_cross_entropy`. It is
        what a :class:`~minigrad_rnn.training.Trainer` with ``carry`` asks for.
        """
        hidden, state = self.features(x, state)
        count = int((targets != IGNORED).sum().item())
        if self.config["cutoffs"] is not None:
            return self._adaptive_loss(hidden, targets), count, state
        weight, bias = self.head.weight, self.head.bias
        rows = max(_ROWS, _NUMBERS // len(weight))
        return nn.functional.linear_cross_entropy(hidden, weight, targets, bias, IGNORED, chunk_size=rows), count, state

    def _adaptive_loss(self, hidden: mg.Tensor, targets: mg.Tensor) -> mg.Tensor:
        counted = targets != IGNORED
        loss: mg.Tensor = self.head(hidden[counted], targets[counted]).loss
        return loss

    def steps(self, prompt: mg.Tensor, end: int | None = None) -> Steps:
        """The model behind a prompt, for ``greedy_decode``, ``beam_search`` and ``sample`` of ``minigrad_rnn.seq2seq``.

        Args:
            prompt: numbers ``(T,)`` or ``(T, N)``, at least one of each.
            end: the number that ends a text, if there is one.

        Raises:
            ShapeError: an empty prompt.
        """
        prompt = prompt if prompt.ndim == 2 else prompt.unsqueeze(1)
        if not len(prompt):
            raise mg.ShapeError("a prompt needs at least one character or word to go on from")
        state = None
        if len(prompt) > 1:
            with mg.no_grad():
                _, state = self.features(prompt[:-1])
        dim = getattr(self.recurrent, "batch_dim", 1)
        return Steps(self._next, state, prompt[-1], end, lambda state, rows: select_rows(state, rows, dim))

    def _next(self, tokens: mg.Tensor, state: Any) -> tuple[mg.Tensor, Any]:
        logits, state = self(tokens.unsqueeze(0), state)
        return logits[0], state


_ROWS, _NUMBERS = 256, 2**20  # logits at once: those of so many steps, and of more where these are few numbers


def _layer(layer: str | Callable[..., Any], sizes: tuple[Any, ...], options: dict[str, Any]) -> tuple[str, Any]:
    """The layer, and the name of its kind."""
    if isinstance(layer, str) and layer not in KINDS:
        raise mg.MinigradError(f"LanguageModel: layer is one of {', '.join(KINDS)}, or a function; not {layer!r}")
    made = (KINDS[layer] if isinstance(layer, str) else layer)(*sizes, **options)
    for option, why in (("bidirectional", "would read what is to be predicted"), ("batch_first", "is for (N, T)")):
        if getattr(made, option, False):
            raise mg.MinigradError(f"LanguageModel: {option} layers cannot be used here: {option} {why}")
    return type(made).__name__.lower(), made
