"""Truncated backpropagation through time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import minigrad as mg

from ..sequences import detach_state


class Piece(NamedTuple):
    """The outputs of some steps of a sequence: ``steps`` is the slice that picks their targets."""

    outputs: mg.Tensor
    steps: slice
    state: Any


def tbptt(
    model: Callable[..., tuple[Any, Any]], inputs: mg.Tensor, k1: int, k2: int | None = None, state: Any = None
) -> Iterator[Piece]:
    r"""Run a recurrent model over a long sequence in pieces that each have a graph of their own.

    Every :math:`k_1` steps there are outputs to learn from, with a graph that reaches :math:`k_2` steps back from the
    last of them. The state is carried through the whole sequence, the gradient is not: for the loss :math:`L_t` of a
    step in a piece that ends before step :math:`e`

    .. math:: \partial L_t / \partial x_s = 0 \quad\text{exactly, for}\quad s < e - k_2

    Where :math:`k_2 > k_1` the graphs overlap. The overlap is computed again for each piece, with the parameters as
    they then are, so the optimiser may make its step after every piece; each output is handed out once. Where
    :math:`k_2 < k_1` the first :math:`k_1 - k_2` outputs of a piece have no gradient.
    Memory is that of one piece, however long the sequence, as long as the caller keeps no piece.

    Williams and Peng, "An efficient gradient-based algorithm for on-line training of recurrent network trajectories",
    Neural Computation 2, 1990: there :math:`\mathrm{BPTT}(h; h')` with :math:`h = k_2`, :math:`h' = k_1`.

    Args:
        model: called as ``model(inputs, state)``, returning outputs ``(T, ...)`` and the state: a layer, or a model
            around one.
        inputs: ``(T, ...)``, steps first.
        k1: steps from piece to piece.
        k2: how far the gradient reaches back; left out, ``k1``.
        state: what to begin with; it is detached.

    Yields:
        The outputs, the slice of steps that they belong to, and the state behind them (attached to their graph).

    Raises:
        MinigradError: ``k1`` or ``k2`` is below 1.

    >>> from minigrad_rnn import RNN
    >>> rnn, x = RNN(2, 3), mg.ones(7, 1, 2, requires_grad=True)
    >>> for outputs, steps, _ in tbptt(rnn, x, k1=3, k2=4):
    ...     (reached,) = mg.grad(outputs.sum(), [x])
    ...     print(steps.start, steps.stop, [bool(row.any()) for row in reached])
    0 3 [True, True, True, False, False, False, False]
    3 6 [False, False, True, True, True, True, False]
    6 7 [False, False, False, True, True, True, True]
    """
    k2 = k1 if k2 is None else k2
    if k1 < 1 or k2 < 1:
        raise mg.MinigradError(f"tbptt: k1 and k2 are 1 or more, not k1={k1}, k2={k2}")
    return _pieces(model, inputs, k1, k2, detach_state(state))


def _pieces(model: Any, inputs: mg.Tensor, k1: int, k2: int, state: Any) -> Iterator[Piece]:
    total, at = len(inputs), 0  # ``state`` is that before step ``at``: where the next graph begins, or earlier
    for start in range(0, total, k1):
        stop = min(start + k1, total)
        next_begin = stop if stop == total else max(0, min(stop + k1, total) - k2)
        piece, at, state = _piece(model, inputs, (start, stop), (at, max(0, stop - k2), next_begin), state)
        yield piece
        del piece  # its graph is freed as soon as the caller lets go of it


def _piece(
    model: Any, inputs: mg.Tensor, steps: tuple[int, int], places: tuple[int, int, int], state: Any
) -> tuple[Piece, int, Any]:
    """One piece; and the state to begin the next one with, detached, and before which step it is."""
    (start, stop), (at, begin, next_begin) = steps, places
    outputs = []
    if at < begin:  # steps that the graph does not reach back to
        with mg.no_grad():
            silent, state = model(inputs[at:begin], state)
        outputs.append(silent[max(0, start - at) :])
    state = kept = detach_state(state)
    middle = max(begin, min(next_begin, stop))
    for first, last in ((begin, middle), (middle, stop)):
        if first < last:
            result, state = model(inputs[first:last], state)
            outputs.append(result[max(0, start - first) :])
        if last == middle:
            kept = detach_state(state)
    shown = [output for output in outputs if len(output)]
    return Piece(shown[0] if len(shown) == 1 else mg.concat(shown), slice(start, stop), state), middle, kept
