"""The gated recurrent unit over trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import minigrad as mg

from ..cells.cell import check_sizes, draw, parameter
from .network import TreeNetwork
from .shared import Shared
from .terms import Below, State, added, on_word, plus


class _Weights(NamedTuple):
    """The parameters in the order in which levels want them.

    Attributes:
        words, bias: W and b, the rows of z and n in front of those of r, which leaves do without.
        states_r, states_z, states_n: U.
    """

    words: mg.Tensor
    bias: Any
    states_r: Shared
    states_z: Shared
    states_n: Shared


class TreeGRU(TreeNetwork):
    r"""Gated recurrent unit over trees with any number of children, whose order does not count.

    Like the child-sum LSTM of Tai et al. 2015, it has one gate for the node, and one for each child. For node j with
    word :math:`x_j` and children :math:`k \in C(j)`:

    .. math::
        \tilde h_j &= \sum_{k \in C(j)} h_k \\
        r_{jk} &= \sigma(W_r x_j + U_r h_k + b_r) \\
        z_j &= \sigma(W_z x_j + U_z \tilde h_j + b_z) \\
        n_j &= \tanh(W_n x_j + U_n \sum_{k \in C(j)} r_{jk} \odot h_k + b_n) \\
        h_j &= (1 - z_j) \odot n_j + z_j \odot \tilde h_j

    A node without a word has :math:`x_j = 0`. Of a chain it is the GRU with ``reset_after=False``, with the same
    weights, and with one bias for the sum of the two.

    Args:
        input_size: features of what stands for a word.
        hidden_size: features of the state.
        bias: whether there is a bias.
        device, dtype: of the parameters.

    Attributes:
        weight_ih: W, ``(3 * hidden_size, input_size)``, rows of r, z, n.
        weight_hh: U, ``(3 * hidden_size, hidden_size)``, likewise.
        bias: b, ``(3 * hidden_size,)``, or ``None``.

    >>> import minigrad as mg
    >>> from minigrad_rnn.tree import Tree, TreeGRU
    >>> output, root = TreeGRU(3, 5)(Tree("S", [Tree(word="It"), Tree(word="works")]), mg.ones(2, 3))
    >>> output.shape, root.shape
    ((3, 5), (1, 5))
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size)
        check_sizes(self, input_size=input_size, hidden_size=hidden_size)
        self.weight_ih = parameter((3 * hidden_size, input_size), device, dtype)
        self.weight_hh = parameter((3 * hidden_size, hidden_size), device, dtype)
        self.bias: Any = parameter((3 * hidden_size,), device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Draw the parameters anew, uniform within :math:`\pm 1/\sqrt{\text{hidden\_size}}`."""
        draw(self, self.hidden_size)

    def prepare(self) -> _Weights:
        """The parameters in that order."""
        bias = None if self.bias is None else _turned(self.bias)
        return _Weights(_turned(self.weight_ih), bias, *map(Shared, self.weight_hh.chunk(3)))

    def leaves(self, x: mg.Tensor, w: _Weights) -> State:
        """The states of leaves: there is nothing to keep."""
        rows = 2 * self.hidden_size
        z, n = mg.linear(x, w.words[:rows], None if w.bias is None else w.bias[:rows]).chunk(2, -1)
        return ((1 - mg.sigmoid(z)) * mg.tanh(n),)

    def project(self, x: mg.Tensor, w: _Weights) -> mg.Tensor:
        """What words contribute at inner nodes."""
        return mg.linear(x, w.words, w.bias)

    def node(self, x: mg.Tensor | None, children: Sequence[State | None], w: _Weights) -> State:
        """The equations, for one node."""
        below = [state[0] for state in children if state is not None]
        z, n, r = on_word(x, w.words, w.bias).chunk(3)
        h, read = added(below), []
        for k, h_k in enumerate(below):
            with mg.scope("reset_gate"), mg.scope(f"[{k}]"):
                read.append(mg.sigmoid(r + w.states_r(h_k)) * h_k)
        with mg.scope("update_gate"):
            z = mg.sigmoid(z if h is None else z + w.states_z(h))
        with mg.scope("candidate"):
            n = mg.tanh(n if h is None else n + w.states_n(added(read)))
        return ((1 - z) * n if h is None else n + z * (h - n),)

    def level(self, projected: mg.Tensor | None, below: Below, w: _Weights) -> State:
        """The equations, for all inner nodes of a level."""
        h_k = below.children(0)
        h = below.total(h_k)
        z_word = n_word = r_word = None
        if projected is not None:
            z_word, n_word, r_word = projected.chunk(3, 1)
            r_word = below.spread(r_word)
        elif w.bias is not None:
            z_word, n_word, r_word = w.bias.chunk(3)
        r = mg.sigmoid(plus(w.states_r(h_k), r_word))
        z = mg.sigmoid(plus(w.states_z(h), z_word))
        n = mg.tanh(plus(w.states_n(below.total(r * h_k)), n_word))
        return (n + z * (h - n),)

    def extra_repr(self) -> str:
        """The sizes, and what is not as by default."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias is not None else ", bias=False")


def _turned(rows: mg.Tensor) -> mg.Tensor:
    """Rows of r, z, n as those of z, n, r."""
    r, z, n = rows.chunk(3)
    return mg.concat([z, n, r])
