"""The decoder: a state, and maybe a memory to look at, to a sequence of scores."""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad import nn

from ..layers.path import inside_unrolled
from .attention import Attention
from .decoder_options import check_options, check_stepwise
from .decoder_state import Decoded, DecoderState
from .encoder import Encoded, table
from .scheduled import ScheduledSampling, coins, own_answer
from .states import Layout, features_of, run


class Decoder(nn.Module):
    r"""Writes a sequence step by step, reading what it wrote before.

    With :math:`y_0` = START, the embedding E, the layer f and the context vector c of the encoder, the three forms are

    .. math::
        \text{state:} \quad & h_t = f(E y_{t-1}, h_{t-1}), & z_t &= h_t \\
        \text{peeky:} \quad & h_t = f([E y_{t-1}; c], h_{t-1}), & z_t &= [h_t; c] \\
        \text{autonomous:} \quad & h_t = f(0, h_{t-1}), & z_t &= h_t

    and the scores are :math:`W_o z_t + b_o`. The encoder's state, through a bridge, is :math:`h_0` in all of them
    (Sutskever et al. 2014; Cho et al. 2014). With attention, :math:`z_t = \tilde h_t` (in a peeky one
    :math:`[\tilde h_t; c]`) with

    .. math::
        \text{after:} \quad & h_t = f(E y_{t-1}, h_{t-1}), \quad a_t = \text{attention}(h_t) \\
        \text{before:} \quad & a_t = \text{attention}(h_{t-1}), \quad h_t = f([E y_{t-1}; a_t], h_{t-1}) \\
        & \tilde h_t = \tanh(W_c [a_t; h_t])

    as in Luong et al. 2015 (after) and in Bahdanau et al. 2015 (before, the maxout of their output layer being this
    tanh). With input feeding (Luong et al. 2015, section 3.3), f reads :math:`\tilde h_{t-1}` too.

    Given right answers to read, all steps run at once, unless attention before the step or input feeding makes a step
    depend on the whole of the one before.

    Args:
        vocabulary_size: how many different tokens there are, START and END among them.
        layer: a layer with one direction. It reads, side by side, the embedding; in a peeky decoder c; with attention
            before the step a; with input feeding the features that it puts out itself. What its ``input_size`` has
            more than those is the size of the embedding.
        mode: ``"state"``, ``"peeky"`` or ``"autonomous"``.
        context_size: of a peeky decoder, features of c: the encoder's ``context_size``.
        attention: one of :class:`AdditiveAttention` and :class:`DotAttention`; its queries are h, its memory the
            encoder's outputs.
        attend: ``"after"`` or ``"before"`` the step.
        input_feeding: see above.
        start, end: the numbers of START and END; ``end=None``: sequences do not end by a symbol.
        embedding: a module to use instead of a table of its own.
        dropout: probability of dropping a feature of the embedding, and of z, in training.

    Shape:
        - inputs: START and the right answers, ``(T, N)``. An autonomous decoder takes from them only how many.
        - scores: ``(T, N, vocabulary_size)``.

    Raises:
        MinigradError: options that do not go together; a layer with two directions.
        ShapeError: sizes that do not fit.

    >>> import minigrad as mg
    >>> from minigrad_rnn import LSTM
    >>> from minigrad_rnn.seq2seq import AdditiveAttention
    >>> decoder = Decoder(10, LSTM(4 + 6, 5), attention=AdditiveAttention(5, 6, 7), attend="before")
    >>> memory = Encoded(outputs=mg.randn(8, 2, 6))
    >>> scores, state, weights = decoder(mg.tensor([[1, 1], [3, 4], [5, 6]]), encoded=memory)
    >>> scores.shape, weights.shape
    ((3, 2, 10), (3, 2, 8))
    """

    def __init__(
        self,
        vocabulary_size: int,
        layer: Any,
        mode: str = "state",
        *,
        context_size: int = 0,
        attention: Attention | None = None,
        attend: str = "after",
        input_feeding: bool = False,
        start: int = 1,
        end: int | None = 2,
        embedding: nn.Module | None = None,
        dropout: float = 0.0,
    ) -> None:
        self.vocabulary_size, self.mode, self.attend, self.input_feeding = vocabulary_size, mode, attend, input_feeding
        self.context_size, self.start, self.end, self.dropout = context_size, start, end, dropout
        self._layout, self.features = Layout("Decoder", layer), features_of("Decoder", layer)
        check_options(self, attention)
        beside = context_size + (attend == "before") * getattr(attention, "memory_size", 0)
        beside += input_feeding * self.features
        inputs = getattr(layer, "input_size", None)
        if inputs is not None and mode != "autonomous" and inputs <= beside:
            raise mg.ShapeError(
                f"Decoder: the layer reads {inputs} features, but {beside} come beside the embedding (of the context,"
                f" the attention or what is fed back)\n  hint: make its input_size {beside} + the size of the embedding"
            )
        if mode != "autonomous":
            self.embedding = table(
                "Decoder", vocabulary_size if embedding is None else embedding, inputs and inputs - beside
            )
        self.layer, self.attention = layer, attention
        if attention is not None:
            self.combine = nn.Linear(attention.memory_size + self.features, self.features, bias=False)
        self.output = nn.Linear(self.features + context_size, vocabulary_size)

    # ---- a whole sequence ---------------------------------------------------------------------------------------

    def forward(
        self, inputs: Any, state: Any = None, encoded: Encoded | None = None, *, sampling: Any = None
    ) -> Decoded:
        """Scores for the token after each of ``inputs``.

        Args:
            inputs: what it reads, ``(T, N)``.
            state: that of the layer, to begin with; or the :class:`DecoderState` of an earlier call, to go on.
            encoded: what it knows of the sources.
            sampling: a :class:`ScheduledSampling`, or the probability that a right answer is read; left out, 1.
        """
        inputs = inputs if isinstance(inputs, mg.Tensor) else mg.tensor(inputs)
        if inputs.ndim != 2:
            raise mg.ShapeError(f"Decoder: the inputs must be tokens (steps, batch), not {inputs.shape}")
        begun = state if isinstance(state, DecoderState) else self.begin(state, encoded, inputs.shape[1])
        if not len(inputs):
            return Decoded(self._zeros(0, inputs.shape[1], self.vocabulary_size), begun, None)
        probability, choice = 1.0, "likeliest"
        if isinstance(sampling, ScheduledSampling):
            probability, choice = sampling.probability, sampling.choice
        elif sampling is not None:
            probability = float(sampling)
        if self.mode == "autonomous" or probability >= 1:
            return self._stepwise(inputs, begun) if self._looks_back else self._at_once(inputs, begun)
        return self._sampled(inputs, begun, coins(probability, inputs.shape, inputs.device), choice)

    @property
    def _looks_back(self) -> bool:
        """Whether a step needs more of the step before than the layer's state."""
        return self.input_feeding or (self.attention is not None and self.attend == "before")

    def begin(self, state: Any, encoded: Encoded | None, batch: int) -> DecoderState:
        """Where a batch of sequences begins: what does not change from step to step is computed here, once."""
        known = encoded or Encoded()
        context = known.context if self.mode == "peeky" else None
        if self.mode == "peeky" and (context is None or context.shape != (batch, self.context_size)):
            told = "there is none" if context is None else f"it is {context.shape}"
            raise mg.ShapeError(
                f"Decoder: a peeky decoder sees a context of shape {(batch, self.context_size)}; {told}"
            )
        keys = feed = None
        if self.attention is not None:
            if known.outputs is None:
                raise mg.MinigradError("Decoder: to attend it needs the encoder's outputs: give encoded=")
            with mg.scope("attention"):
                keys = self.attention.prepare(known.outputs, known.mask)
        if state is None and self.attend == "before":  # the layer's own, which may be learned: that after no steps
            _, state = run(self.layer, self._zeros(0, batch, self._width))
        if self.input_feeding:
            feed = self._zeros(batch, self.features)
        return DecoderState(state, context, keys, feed)

    def _at_once(self, inputs: mg.Tensor, state: DecoderState) -> Decoded:
        """All steps in one run of the layer, and one product with the memory."""
        hidden, last = run(self.layer, self._read(self._embedded(inputs), state), state.layer)
        weights = None
        if self.attention is not None and inside_unrolled():
            steps = []
            for t, h in enumerate(hidden.unbind()):  # each in the scope of its step, where drawings look for it
                with mg.scope(step=t):
                    steps.append(self._attended(h, state))
            hidden, weights = (mg.stack(part) for part in zip(*steps, strict=True)) if steps else (hidden, None)
        elif self.attention is not None:
            hidden, weights = self._attended(hidden, state)
        after = state._replace(layer=last, weights=state.weights if weights is None else weights[-1])
        return Decoded(self._scores(hidden, state), after, weights)

    def _stepwise(self, inputs: mg.Tensor, state: DecoderState) -> Decoded:
        """Step by step, except for the embedding and the scores."""
        outputs, weights = [], []
        for t, x in enumerate(self._embedded(inputs).unbind()):
            with mg.scope(step=t):
                output, state = self._step(x, state)
            outputs.append(output)
            weights.append(state.weights)
        return Decoded(self._scores(mg.stack(outputs), state), state, _together(weights))

    def _sampled(self, inputs: mg.Tensor, state: DecoderState, right: mg.Tensor, choice: str) -> Decoded:
        """Step by step, reading right tokens or its own answers, as the coins fell."""
        scores: list[mg.Tensor] = []
        weights = []
        for t, tokens in enumerate(inputs.unbind()):
            with mg.scope(step=t):
                read = mg.where(right[t], tokens, own_answer(scores[-1], choice)) if scores else tokens
                output, state = self._step(self._embedded(read), state)
                scores.append(self._scores(output, state))
            weights.append(state.weights)
        return Decoded(mg.stack(scores), state, _together(weights))

    # ---- one step -----------------------------------------------------------------------------------------------

    def step(self, tokens: mg.Tensor, state: DecoderState) -> tuple[mg.Tensor, DecoderState]:
        """Scores ``(N, vocabulary_size)`` for what comes after ``tokens`` ``(N,)``, and the state to go on from."""
        output, after = self._step(self._embedded(tokens), state)
        return self._scores(output, after), after

    def _step(self, x: mg.Tensor, state: DecoderState) -> tuple[mg.Tensor, DecoderState]:
        """What the scores are made of, and the state after."""
        if self.training:
            check_stepwise(self._layout)
        if self.attend == "before" and self.attention is not None:
            query = self._layout.context(state.layer, len(x))
            seen, weights = self.attention(query, state.keys)
            hidden, last = self.layer.step(self._read(x, state, seen), state.layer)
            output = self._combined(seen, hidden)
        else:
            output, last = self.layer.step(self._read(x, state), state.layer)
            weights = None
            if self.attention is not None:
                output, weights = self._attended(output, state)
        feed = output if self.input_feeding else None
        return output, state._replace(layer=last, feed=feed, weights=weights)

    def _embedded(self, tokens: mg.Tensor) -> mg.Tensor:
        """What the layer reads of the tokens: nothing, if it is autonomous."""
        if self.mode == "autonomous":
            return self._zeros(*tokens.shape, self._width)
        return self._dropped(self.embedding(tokens))  # type: ignore[misc]

    def _read(self, x: mg.Tensor, state: DecoderState, seen: mg.Tensor | None = None) -> mg.Tensor:
        """All that the layer reads."""
        if self.mode == "autonomous":
            return x
        beside = [vector for vector in (state.context, seen, state.feed) if vector is not None]
        return mg.concat([x, *[vector.expand(*x.shape[:-1], -1) for vector in beside]], -1) if beside else x

    def _attended(self, hidden: mg.Tensor, state: DecoderState) -> tuple[mg.Tensor, mg.Tensor]:
        seen, weights = self.attention(hidden, state.keys)  # type: ignore[misc]
        return self._combined(seen, hidden), weights

    def _combined(self, seen: mg.Tensor, hidden: mg.Tensor) -> mg.Tensor:
        combined: mg.Tensor = self.combine(mg.concat([seen, hidden], -1)).tanh()
        return combined

    def _scores(self, output: mg.Tensor, state: DecoderState) -> mg.Tensor:
        if state.context is not None:
            output = mg.concat([output, state.context.expand(*output.shape[:-1], -1)], -1)
        scores: mg.Tensor = self.output(self._dropped(output))
        return scores

    @property
    def _width(self) -> int:
        """Features that the layer reads; 1 if it does not tell, and so does not mind."""
        return getattr(self.layer, "input_size", None) or 1

    def _zeros(self, *shape: int) -> mg.Tensor:
        return mg.zeros(*shape, dtype=self.output.weight.dtype, device=self.output.weight.device)

    def _dropped(self, x: mg.Tensor) -> mg.Tensor:
        return mg.dropout(x, self.dropout, self.training) if self.dropout else x

    def extra_repr(self) -> str:
        """The size of the vocabulary, and what is not as by default."""
        usual = {"mode": "state", "context_size": 0, "attend": "after", "input_feeding": False, "start": 1, "end": 2}
        usual |= {"dropout": 0.0}
        changed = [f"{name}={getattr(self, name)!r}" for name, value in usual.items() if getattr(self, name) != value]
        return ", ".join([str(self.vocabulary_size), *changed])


def _together(weights: list[mg.Tensor | None]) -> mg.Tensor | None:
    known = [each for each in weights if each is not None]
    return mg.stack(known) if known else None
