"""The state of a recurrent layer between calls: cut off from the graph, carried on, reset."""

from __future__ import annotations

import copy
import numbers
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy

import minigrad as mg
from minigrad import nn

from .packed import PackedSequence

T = TypeVar("T")


def detach_state(state: Any) -> Any:
    """A state with every tensor in it cut off from the graph, so that no gradient flows into what came before.

    Between two chunks of a long sequence this is what makes backpropagation through time a truncated one.

    Args:
        state: tensors in any nesting of tuples (named ones too), lists and dictionaries. Numbers, arrays, strings and
            ``None`` among them stay as they are.

    Raises:
        DtypeError: an object that cannot be looked into, and so might hold a tensor that stays attached.

    >>> x = mg.ones(2, requires_grad=True)
    >>> h, (c, nothing) = detach_state((x * 2, [x * 3, None]))
    >>> h.requires_grad, c.tolist(), nothing
    (False, [3.0, 3.0], None)
    """
    return _mapped(state, mg.Tensor, mg.Tensor.detach)


def _mapped(state: Any, kind: type[T], function: Callable[[T], Any]) -> Any:
    """A state with ``function`` applied to everything of a kind in it."""
    if isinstance(state, kind):
        return function(state)
    if isinstance(state, dict):
        result = copy.copy(state)
        result.update((key, _mapped(value, kind, function)) for key, value in state.items())
        return result
    if isinstance(state, (tuple, list)):
        parts = [_mapped(value, kind, function) for value in state]
        return state._make(parts) if hasattr(state, "_make") else type(state)(parts)
    if state is None or isinstance(state, (numbers.Number, numpy.generic, numpy.ndarray, str, bytes)):
        return state
    raise mg.DtypeError(
        f"a state is made of tensors in tuples, lists and dictionaries; {type(state).__name__} cannot be looked into"
    )


class StatefulRNN(nn.Module):
    """A recurrent layer that goes on, at every call, where the call before ended.

    Layers keep no state of their own; this keeps it for them, cut off from the graph (:func:`detach_state`), so that
    one call's gradients never reach the call before. Row ``n`` of a batch continues row ``n`` of the last one.

    The tensors of the state are buffers ``state_0``, ``state_1``, ...: they move with the module, and are part of its
    ``state_dict`` when there is a state. To load such a dictionary into a new module give it a state of the same
    shapes first: ``stateful.state = zeros``.

    The second direction of a bidirectional layer ends where a call's chunk begins, and the next chunk does not go on
    from there: its state is carried like any other, but with a warning. With ``reverse=True`` the last chunk of a
    sequence comes first.

    Args:
        layer: called as ``layer(x, state, **options)``, returning ``(output, state)`` and maybe more.
        batch_dim: which dim of the tensors of the state counts the sequences. Left out, what the layer's own
            ``batch_dim`` says, and else 1, as in PyTorch's ``(layers, N, hidden)``.

    Shape:
        - input: the layer's, ``(T, N, ...)``, or ``(N, T, ...)`` where the layer has ``batch_first`` set, or a
          :class:`PackedSequence`, or a list of sequences.
        - output: what the layer returns. The state in it is attached to the graph of this call.

    Raises:
        ShapeError: a call with another number of sequences than the call before; the state stays as it was.

    >>> def running_sum(x, state):
    ...     total = x.sum(0) if state is None else state + x.sum(0)
    ...     return x, total
    >>> stateful = StatefulRNN(running_sum, batch_dim=0)
    >>> for _ in range(3):
    ...     output, total = stateful(mg.ones(5, 2, 1))
    >>> total.tolist()
    [[15.0], [15.0]]
    >>> stateful.reset([1])
    >>> stateful.state.tolist()
    [[15.0], [0.0]]
    """

    def __init__(self, layer: Callable[..., tuple[Any, ...]], *, batch_dim: int | None = None) -> None:
        if getattr(layer, "bidirectional", False):
            warnings.warn(
                "StatefulRNN: the state that this bidirectional layer has from the end of a chunk is that of the"
                " chunk's first step, which the next chunk does not follow",
                UserWarning,
                stacklevel=2,
            )
        self.layer = layer
        self.batch_dim = getattr(layer, "batch_dim", 1) if batch_dim is None else batch_dim
        self._form: Any = None  # the state with the names of buffers where its tensors are
        self._batch: int | None = None

    def forward(self, x: Any, **options: Any) -> tuple[Any, ...]:
        """Run the layer from the carried state, and carry its new one."""
        batch = _batch_of(x, self.layer)
        if None not in (self._batch, batch) and self._batch != batch:
            raise mg.ShapeError(
                f"StatefulRNN: this call has {batch} sequences, the state carried from the last one is for"
                f" {self._batch}\n"
                "  hint: reset() starts anew; leave out a last batch that is smaller than the others"
            )
        result = self.layer(x, self.state, **options)
        self.state = result[1]
        self._batch = batch
        return result

    @property
    def state(self) -> Any:
        """The state carried: ``None`` before the first call. Assignable: what is assigned is detached."""
        return _mapped(self._form, _Name, vars(self).__getitem__)

    @state.setter
    def state(self, state: Any) -> None:
        tensors: list[mg.Tensor] = []

        def place(tensor: mg.Tensor) -> _Name:
            tensors.append(tensor.detach())
            return _Name(f"state_{len(tensors) - 1}")

        form = _mapped(state, mg.Tensor, place)
        for name in [name for name in self._buffers if name.startswith("state_")]:
            self.register_buffer(name, None)
        for i, tensor in enumerate(tensors):
            self.register_buffer(f"state_{i}", tensor)
        self._form, self._batch = form, None

    def reset(self, rows: Any = None) -> None:
        """Forget the state: all of it, or of some sequences, whose states become zeros.

        Args:
            rows: which sequences: their numbers, or one boolean for each; left out, all, and the layer starts from
                its own initial state again, which it may have learned.

        Raises:
            ShapeError: a number that no sequence has, or booleans not one for each.
        """
        if rows is None or self._form is None:
            self.state = None
            return
        batch = self._batch
        self.state = _mapped(self.state, mg.Tensor, lambda tensor: self._cleared(tensor, rows))
        self._batch = batch

    def _cleared(self, tensor: mg.Tensor, rows: Any) -> mg.Tensor:
        count = tensor.shape[self.batch_dim] if -tensor.ndim <= self.batch_dim < tensor.ndim else None
        if count is None or self._batch not in (None, count):
            told = "the sequences" if self._batch is None else f"{self._batch} sequences"
            raise mg.ShapeError(
                f"StatefulRNN: the state has no dim {self.batch_dim} for {told}, its shape is {tensor.shape}\n"
                "  hint: batch_dim= tells which dim of the state counts the sequences; reset() forgets all of it"
            )
        chosen = numpy.zeros(count, bool)
        index = (rows if isinstance(rows, mg.Tensor) else mg.tensor(rows)).numpy()
        try:
            chosen[index if index.size else []] = True
        except IndexError as error:
            raise mg.ShapeError(
                f"StatefulRNN: reset({rows!r}) does not fit a state of {count} sequences: {error}"
            ) from None
        shape = [1] * tensor.ndim
        shape[self.batch_dim] = count
        kept: mg.Tensor = mg.where(mg.tensor(chosen.reshape(shape), device=tensor.device), 0, tensor)
        return kept

    def extra_repr(self) -> str:
        """Whether a state is carried, for ``repr``."""
        return "no state" if self._form is None else "with a state"


class _Name(str):
    """The name of the buffer that stands for a tensor of the state."""

    __slots__ = ()


def _batch_of(x: Any, layer: Any) -> int | None:
    """How many sequences an input has; ``None`` where its shape does not tell: tokens ``(T, N)``, or one sequence."""
    if isinstance(x, PackedSequence):
        return x.batch_size
    if isinstance(x, (list, tuple)):
        return len(x)
    if x.ndim > 2:
        return int(x.shape[0 if getattr(layer, "batch_first", False) else 1])
    return 1 if hasattr(layer, "input_size") and x.dtype.kind == "f" else None
