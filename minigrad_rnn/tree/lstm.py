"""Long short-term memory over trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import minigrad as mg

from ..cells.cell import check_sizes, draw, parameter
from .memory_cell import memory_cell
from .network import TreeNetwork
from .shared import Shared
from .terms import Below, State, added, beside, on_word

FORGET_INPUTS = ("shared", "each")


class _Weights(NamedTuple):
    """What levels and nodes use of the parameters.

    Attributes:
        states: U; for a child-sum, the rows of i, g and o.
        states_f: for a child-sum, the rows of f.
        words, bias: W and b, with the rows of f as often as there are forget gates.
    """

    states: Shared
    states_f: Any
    words: Any
    bias: Any


class TreeLSTM(TreeNetwork):
    """What the two networks share: parameters, a state of h and c, and nodes without children."""

    parts = ("h", "c")
    weight_ih: mg.nn.Parameter
    weight_hh: mg.nn.Parameter
    bias: Any

    def __init__(
        self, input_size: int, hidden_size: int, shape: tuple[int, int, int], bias: bool, device: Any, dtype: Any
    ) -> None:
        super().__init__(input_size, hidden_size)
        check_sizes(self, input_size=input_size, hidden_size=hidden_size)
        by_word, by_state, columns = [number * hidden_size for number in shape]
        self.weight_ih = parameter((by_word, input_size), device, dtype)
        self.weight_hh = parameter((by_state, columns), device, dtype)
        self.bias = parameter((by_word,), device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Draw the parameters anew, uniform within :math:`\pm 1/\sqrt{\text{hidden\_size}}`."""
        draw(self, self.hidden_size)

    def leaves(self, x: mg.Tensor, w: _Weights) -> State:  # noqa: ARG002
        """The states of leaves: there is nothing to forget."""
        bias = None if self.bias is None else self._without_forget(self.bias)
        return memory_cell(mg.linear(x, self._without_forget(self.weight_ih), bias))

    def _without_forget(self, rows: mg.Tensor) -> mg.Tensor:
        """Of rows of i, f, g and o those of i, g and o."""
        size = self.hidden_size
        i, _, g_o = rows.split((size, rows.shape[0] - 3 * size, 2 * size))
        return mg.concat([i, g_o])

    def project(self, x: mg.Tensor, w: _Weights) -> mg.Tensor:
        """What words contribute at inner nodes."""
        return mg.linear(x, w.words, w.bias)

    def extra_repr(self) -> str:
        """The sizes, and what is not as by default."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias is not None else ", bias=False")


class ChildSumTreeLSTM(TreeLSTM):
    r"""Long short-term memory over trees with any number of children, whose order does not count.

    Tai, Socher and Manning 2015, section 3.1. For node j with word :math:`x_j` and children :math:`k \in C(j)`:

    .. math::
        \tilde h_j &= \sum_{k \in C(j)} h_k \\
        i_j &= \sigma(W_i x_j + U_i \tilde h_j + b_i) \\
        f_{jk} &= \sigma(W_f x_j + U_f h_k + b_f) \\
        g_j &= \tanh(W_g x_j + U_g \tilde h_j + b_g) \\
        o_j &= \sigma(W_o x_j + U_o \tilde h_j + b_o) \\
        c_j &= i_j \odot g_j + \sum_{k \in C(j)} f_{jk} \odot c_k \\
        h_j &= o_j \odot \tanh(c_j)

    A node without a word has :math:`x_j = 0`. Of a chain it is the LSTM, with the same weights, and with one bias for
    the sum of the two.

    Args:
        input_size: features of what stands for a word.
        hidden_size: features of the state.
        bias: whether there is a bias.
        device, dtype: of the parameters.

    Attributes:
        weight_ih: W, ``(4 * hidden_size, input_size)``, rows of i, f, g, o.
        weight_hh: U, ``(4 * hidden_size, hidden_size)``, likewise.
        bias: b, ``(4 * hidden_size,)``, or ``None``.

    >>> import minigrad as mg
    >>> from minigrad_rnn.tree import ChildSumTreeLSTM, Tree, TreeBatch
    >>> batch = TreeBatch([Tree("S", [Tree(word="It"), Tree(word="works")]), Tree(word="Yes")])
    >>> output, (h, c) = ChildSumTreeLSTM(3, 5)(batch, mg.ones(3, 3))
    >>> output.shape, h.shape, c.shape
    ((4, 5), (2, 5), (2, 5))
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, (4, 4, 1), bias, device, dtype)

    def prepare(self) -> _Weights:
        """The rows of f apart from the others, because they see each child alone."""
        states_f = self.weight_hh[self.hidden_size : 2 * self.hidden_size]
        states = self._without_forget(self.weight_hh)
        return _Weights(Shared(states), Shared(states_f), self.weight_ih, self.bias)

    def node(self, x: mg.Tensor | None, children: Sequence[State | None], w: _Weights) -> State:
        """The equations, for one node."""
        below = [state for state in children if state is not None]
        i, f, g, o = on_word(x, w.words, w.bias).chunk(4)
        h = added([h_k for h_k, _ in below])
        if h is not None:
            i, g, o = [a + b for a, b in zip((i, g, o), w.states(h).chunk(3), strict=True)]
        kept = []
        for k, (h_k, c_k) in enumerate(below):
            with mg.scope("forget_gate"), mg.scope(f"[{k}]"):
                kept.append(mg.sigmoid(f + w.states_f(h_k)) * c_k)
        return _remembered(i, g, o, kept)

    def level(self, projected: mg.Tensor | None, below: Below, w: _Weights) -> State:
        """The equations, for all inner nodes of a level."""
        h, c = below.children(0), below.children(1)
        total = below.total(h)
        if projected is not None:
            i, f, g_o = projected.split((self.hidden_size, self.hidden_size, 2 * self.hidden_size), 1)
            arguments = w.states(total) + mg.concat([i, g_o], 1)
            forget = w.states_f(h) + below.spread(f)
        elif w.bias is not None:
            bias_f = w.bias[self.hidden_size : 2 * self.hidden_size]
            arguments, forget = w.states(total, self._without_forget(w.bias)), w.states_f(h, bias_f)
        else:
            arguments, forget = w.states(total), w.states_f(h)
        return memory_cell(arguments, c, forget, counts=below.level.counts)


class NaryTreeLSTM(TreeLSTM):
    r"""Long short-term memory over trees with at most N children, each with weights of its own.

    Tai, Socher and Manning 2015, section 3.2. For node j with word :math:`x_j` and children 1 to N:

    .. math::
        i_j &= \sigma(W_i x_j + \sum_l U_{il} h_{jl} + b_i) \\
        f_{jk} &= \sigma(W_f x_j + \sum_l U_{fkl} h_{jl} + b_f) \\
        g_j &= \tanh(W_g x_j + \sum_l U_{gl} h_{jl} + b_g) \\
        o_j &= \sigma(W_o x_j + \sum_l U_{ol} h_{jl} + b_o) \\
        c_j &= i_j \odot g_j + \sum_l f_{jl} \odot c_{jl} \\
        h_j &= o_j \odot \tanh(c_j)

    A missing child has a state of zeros, and a node without a word has :math:`x_j = 0`.

    Args:
        arity: N, how many children a node may have at most.
        input_size: features of what stands for a word.
        hidden_size: features of the state.
        bias: whether there is a bias.
        forget_inputs: ``"shared"``: all forget gates see the word through the same :math:`W_f` and have the same bias,
            as in Tai's equation 10; ``"each"``: each has its own, :math:`W_{fk}` and :math:`b_{fk}`, as in Chainer.
        device, dtype: of the parameters.

    Attributes:
        weight_ih: W, ``(4 * hidden_size, input_size)``, rows of i, f, g, o; with ``"each"`` ``(3 + N) * hidden_size``
            rows of i, f of each child, g, o.
        weight_hh: U, ``((3 + N) * hidden_size, N * hidden_size)``: rows of i, f of each child, g, o; beside each other
            what the first child contributes, the second, ...
        bias: b, as the rows of W, or ``None``.

    >>> import minigrad as mg
    >>> from minigrad_rnn.tree import NaryTreeLSTM, Tree, TreeBatch
    >>> batch = TreeBatch([Tree("S", [Tree(word="It"), Tree(word="works")]), Tree(word="Yes")])
    >>> output, (h, c) = NaryTreeLSTM(2, 3, 5)(batch, mg.ones(3, 3))
    >>> output.shape, h.shape, c.shape
    ((4, 5), (2, 5), (2, 5))
    """

    arity: int

    def __init__(
        self,
        arity: int,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        forget_inputs: str = "shared",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        check_sizes(self, arity=arity)
        if forget_inputs not in FORGET_INPUTS:
            raise mg.MinigradError(f'NaryTreeLSTM: forget_inputs is "shared" or "each", not {forget_inputs!r}')
        self.arity, self.forget_inputs = arity, forget_inputs
        rows = 3 + (1 if forget_inputs == "shared" else arity)
        super().__init__(input_size, hidden_size, (rows, 3 + arity, arity), bias, device, dtype)

    def prepare(self) -> _Weights:
        """The rows of f for all children, if one is for all of them."""
        if self.forget_inputs == "each":
            return _Weights(Shared(self.weight_hh), None, self.weight_ih, self.bias)
        bias = None if self.bias is None else self._for_each_child(self.bias)
        return _Weights(Shared(self.weight_hh), None, self._for_each_child(self.weight_ih), bias)

    def _for_each_child(self, rows: mg.Tensor) -> mg.Tensor:
        i, f, g, o = rows.chunk(4)
        return mg.concat([i, *[f] * self.arity, g, o])

    def node(self, x: mg.Tensor | None, children: Sequence[State | None], w: _Weights) -> State:
        """The equations, for one node."""
        i, *f, g, o = on_word(x, w.words, w.bias).chunk(3 + self.arity)
        h, kept = beside(children, self.arity), []
        if h is not None:
            seen = w.states(h).chunk(3 + self.arity)
            i, *f, g, o = [a + b for a, b in zip((i, *f, g, o), seen, strict=True)]
        for k, state in enumerate(children):
            if state is not None:
                with mg.scope("forget_gate"), mg.scope(f"[{k}]"):
                    kept.append(mg.sigmoid(f[k]) * state[1])
        return _remembered(i, g, o, kept)

    def level(self, projected: mg.Tensor | None, below: Below, w: _Weights) -> State:
        """The equations, for all inner nodes of a level."""
        h = below.side_by_side(0)
        arguments = w.states(h, w.bias) if projected is None else w.states(h) + projected
        return memory_cell(arguments, below.side_by_side(1), arity=self.arity)

    def extra_repr(self) -> str:
        """The sizes, and what is not as by default."""
        each = ', forget_inputs="each"' if self.forget_inputs == "each" else ""
        return f"{self.arity}, {super().extra_repr()}{each}"


def _remembered(i: mg.Tensor, g: mg.Tensor, o: mg.Tensor, kept: Sequence[mg.Tensor]) -> State:
    """The state of one node, from the arguments of its gates and what is kept of the children's cells."""
    with mg.scope("input_gate"):
        i = mg.sigmoid(i)
    with mg.scope("candidate"):
        g = mg.tanh(g)
    with mg.scope("output_gate"):
        o = mg.sigmoid(o)
    with mg.scope("cell"):
        c = i * g
        for part in kept:
            c = c + part
    return o * c.tanh(), c
