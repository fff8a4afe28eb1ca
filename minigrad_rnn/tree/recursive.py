"""Recursive networks without gates: one composition, the same at every node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import minigrad as mg

from ..cells.cell import check_sizes, draw, parameter
from ..cells.nonlinearity import NONLINEARITIES, nonlinearity
from .network import TreeNetwork
from .shared import Shared
from .terms import Below, State, beside, on_word, plus


class _Weights(NamedTuple):
    """The parameters, and for an RNTN the tensor as a matrix ``(hidden_size * N * hidden_size, N * hidden_size)``."""

    words: mg.Tensor
    bias: Any
    states: Shared
    tensor: Any = None


class RecursiveNet(TreeNetwork):
    r"""A recursive network: a node is composed of its word and its children (Pollack 1990; Socher et al. 2011).

    .. math:: h_j = \tanh(W x_j + \sum_l U_l h_{jl} + b)

    with the same weights at every node. A missing child has a state of zeros, and a node without a word has
    :math:`x_j = 0`. Of a chain it is the RNN.

    Args:
        input_size: features of what stands for a word.
        hidden_size: features of the state.
        arity: how many children a node may have at most.
        bias: whether there is a bias.
        nonlinearity: by name: see :data:`~minigrad_rnn.cells.NONLINEARITIES`.
        device, dtype: of the parameters.

    Attributes:
        weight_ih: W, ``(hidden_size, input_size)``.
        weight_hh: U, ``(hidden_size, arity * hidden_size)``: beside each other what each child contributes.
        bias: b, ``(hidden_size,)``, or ``None``.

    >>> import minigrad as mg
    >>> from minigrad_rnn.tree import RecursiveNet, parse_trees
    >>> trees = parse_trees("((It works) well)", labels=False)
    >>> output, root = RecursiveNet(3, 5)(trees, mg.ones(3, 3))
    >>> output.shape, root.shape
    ((5, 5), (1, 5))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        arity: int = 2,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size)
        check_sizes(self, input_size=input_size, hidden_size=hidden_size, arity=arity)
        self.arity: int = arity
        self.nonlinearity = _checked(type(self).__name__, nonlinearity)
        self.weight_ih = parameter((hidden_size, input_size), device, dtype)
        self.weight_hh = parameter((hidden_size, arity * hidden_size), device, dtype)
        self.bias: Any = parameter((hidden_size,), device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Draw the parameters anew, uniform within :math:`\pm 1/\sqrt{\text{hidden\_size}}`."""
        draw(self, self.hidden_size)

    def prepare(self) -> _Weights:
        """The parameters, for the rows of levels."""
        return _Weights(self.weight_ih, self.bias, Shared(self.weight_hh))

    def compose(self, h: mg.Tensor, w: _Weights) -> mg.Tensor:
        """What the children contribute, side by side ``(..., arity * hidden_size)``."""
        return w.states(h)

    def leaves(self, x: mg.Tensor, w: _Weights) -> State:
        """The states of leaves."""
        return (self._activated(self.project(x, w)),)

    def project(self, x: mg.Tensor, w: _Weights) -> mg.Tensor:
        """What words contribute."""
        return mg.linear(x, w.words, w.bias)

    def node(self, x: mg.Tensor | None, children: Sequence[State | None], w: _Weights) -> State:
        """The equation, for one node."""
        argument = on_word(x, w.words, w.bias)
        h = beside(children, self.arity)
        argument = argument if h is None else argument + self.compose(h, w)
        return (self._activated(argument),)

    def level(self, projected: mg.Tensor | None, below: Below, w: _Weights) -> State:
        """The equation, for all inner nodes of a level."""
        argument = self.compose(below.side_by_side(0), w)
        return (self._activated(plus(argument, w.bias if projected is None else projected)),)

    def _activated(self, argument: mg.Tensor) -> mg.Tensor:
        state: mg.Tensor = NONLINEARITIES[self.nonlinearity].function(argument)
        return state

    def extra_repr(self) -> str:
        """The sizes, and what is not as by default."""
        usual = {"arity": 2, "nonlinearity": "tanh"}
        changed = [f"{name}={getattr(self, name)!r}" for name, value in usual.items() if getattr(self, name) != value]
        no_bias = [] if self.bias is not None else ["bias=False"]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *changed, *no_bias])


class RNTN(RecursiveNet):
    r"""Recursive neural tensor network: children also multiply each other (Socher et al. 2013, section 4.3).

    With the states of the children one below the other, :math:`h = [h_{j1}; \dots; h_{jN}]`, and one slice of the
    tensor :math:`V` for each feature k of the state:

    .. math:: h_{jk} = \tanh((W x_j + U h + b)_k + h^T V_k h)

    Args:
        input_size: features of what stands for a word.
        hidden_size: features of the state.
        arity: how many children a node may have at most.
        bias: whether there is a bias.
        nonlinearity: by name: see :data:`~minigrad_rnn.cells.NONLINEARITIES`.
        device, dtype: of the parameters.

    Attributes:
        weight_tensor: V, ``(hidden_size, arity * hidden_size, arity * hidden_size)``; small at first.
        weight_ih, weight_hh, bias: as of :class:`RecursiveNet`.

    >>> import minigrad as mg
    >>> from minigrad_rnn.tree import RNTN, parse_sentiment
    >>> trees = parse_sentiment("(3 (2 It) (4 works))")
    >>> output, root = RNTN(3, 5)(trees, mg.ones(2, 3))
    >>> output.shape, root.shape
    ((3, 5), (1, 5))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        arity: int = 2,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        check_sizes(self, hidden_size=hidden_size, arity=arity)
        both = arity * hidden_size
        self.weight_tensor = parameter((hidden_size, both, both), device, dtype)
        super().__init__(input_size, hidden_size, arity, bias, nonlinearity, device, dtype)

    def reset_parameters(self) -> None:
        r"""Draw the parameters anew; V uniform within :math:`\pm 1/(2 N \cdot \text{hidden\_size})`."""
        super().reset_parameters()
        bound = 1 / (2 * self.weight_tensor.shape[-1])
        mg.nn.init.uniform_(self.weight_tensor, -bound, bound)

    def prepare(self) -> _Weights:
        """The parameters, the tensor as a matrix."""
        both = self.weight_tensor.shape[-1]
        return super().prepare()._replace(tensor=Shared(self.weight_tensor.reshape(-1, both)))

    def compose(self, h: mg.Tensor, w: _Weights) -> mg.Tensor:
        """What the children contribute, each alone and each with each."""
        with mg.scope("tensor"):
            pairs = w.tensor(h).reshape(*h.shape[:-1], self.hidden_size, h.shape[-1])
            products: mg.Tensor = (pairs @ h.unsqueeze(-1)).squeeze(-1)
        return plus(super().compose(h, w), products)


def _checked(caller: str, name: str) -> str:
    nonlinearity(name, caller, "nonlinearity")
    return name
