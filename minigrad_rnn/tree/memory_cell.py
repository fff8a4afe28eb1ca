"""What the gates of an LSTM make of their arguments and of the children's cells, for all nodes of a level, as one op.

As separate ops it is a dozen for each level, and what they cost beside their arithmetic is most of the time.
"""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad.backend import xp

from .moves import add_children, to_children

Array = Any
Counts = tuple[int, ...]


@mg.primitive(outputs=True)
def _memory_cell(
    arguments: Array, below: Array = None, forget: Array = None, /, arity: int = 0, counts: Counts = ()
) -> Any:
    r"""The states of nodes: :math:`c = i \odot g + \sum_k f_k \odot c_k` and :math:`h = o \odot \tanh(c)`.

    Args:
        arguments: of the gates i, f of each child, g, o, ``(nodes, (3 + arity) * features)``.
        below: the cells of the children, ``(nodes, arity * features)``; with ``forget``, slot by slot.
        forget: where f is not among the arguments, those of f, for children slot by slot, ``(children, features)``.
        arity: how many f there are among the arguments.
        counts: of children slot by slot, how many are in each slot.

    Returns:
        h and c, ``(nodes, features)``, and for the rule all gates, those of ``forget``, and :math:`\tanh(c)`.
    """
    module = xp(arguments)
    i, f, g, o = _blocks(arguments, arity)
    gates = module.empty(arguments.shape, arguments.dtype)
    in_order = _blocks(gates, arity)
    first = (1 + arity) * i.shape[1]
    gates[:, :first] = mg.sigmoid(arguments[:, :first])
    in_order[2][...] = module.tanh(g)
    in_order[3][...] = mg.sigmoid(o)
    i, f, g, o = in_order
    c = i * g
    kept = gates[:0]
    if arity:
        c += (f * below.reshape(f.shape)).sum(1)
    elif forget is not None:
        kept = mg.sigmoid(forget)
        c += add_children(kept * below, counts)
    shown = module.tanh(c)
    return o * shown, c, gates, kept, shown


def _blocks(rows: Any, arity: int) -> tuple[Any, Any, Any, Any]:
    """What belongs to i, to f, ``(nodes, arity, features)``, to g and to o."""
    size = rows.shape[1] // (3 + arity)
    first = (1 + arity) * size
    f = rows[:, size:first].reshape(len(rows), arity, size) if arity else None
    return rows[:, :size], f, rows[:, first : first + size], rows[:, first + size :]


@mg.defvjp_joint(_memory_cell, fresh=True)
def _memory_cell_back(
    g: Any,
    arguments: Any,
    below: Any,
    forget: Any,
    out: Any,
    arity: int,
    counts: Counts,
    needs: tuple[bool, ...],
) -> tuple[Any, ...]:
    if isinstance(arguments, mg.Tensor):
        return _recorded(g, (arguments, below, forget), arity, counts, needs)
    _, _, gates, kept, shown = out
    module = xp(gates)
    i, f, candidate, o = _blocks(gates, arity)
    slopes = gates - gates * gates
    d_i, d_f, d_g, d_o = _blocks(slopes, arity)
    d_g[...] = 1 - candidate * candidate
    dc = g[1].copy() if 1 in g else module.zeros_like(shown)
    if 0 in g:
        d_o *= g[0] * shown
        dc += g[0] * o * (1 - shown * shown)
    else:
        d_o[...] = 0
    d_i *= dc * candidate
    d_g *= dc * i
    if arity:
        dc = dc[:, None]
        d_f *= dc * below.reshape(f.shape)
        return slopes, (dc * f).reshape(below.shape), None
    if forget is None:
        return slopes, None, None
    dc = to_children(dc, counts)
    return slopes, dc * kept, dc * below * (kept - kept * kept)


def _recorded(
    g: Any, inputs: tuple[Any, ...], arity: int, counts: Counts, needs: tuple[bool, ...]
) -> tuple[Any, ...]:
    """The gradients with the graph of their computation: the same, op by op, is differentiated."""
    copies = [x.clone() if need else x for x, need in zip(inputs, needs, strict=True)]
    outputs = _in_ops(*copies, arity=arity, counts=counts)
    ys, cotangents = zip(*[(y, g[i]) for i, y in enumerate(outputs) if i in g], strict=True)
    wanted = [x for x, need in zip(copies, needs, strict=True) if need]
    gradients = iter(mg.grad(ys, wanted, cotangents, create_graph=True, allow_unused=True))
    return tuple([next(gradients) if need else None for need in needs])


def _in_ops(arguments: Any, below: Any, forget: Any, *, arity: int, counts: Counts) -> tuple[Any, Any]:
    """The states, each op on its own."""
    i, f, g, o = _blocks(arguments, arity)
    c = mg.sigmoid(i) * mg.tanh(g)
    if arity:
        c = c + (mg.sigmoid(f) * below.reshape(f.shape)).sum(1)
    elif forget is not None:
        c = c + add_children(mg.sigmoid(forget) * below, counts)
    return mg.sigmoid(o) * mg.tanh(c), c


def memory_cell(
    arguments: mg.Tensor, below: Any = None, forget: Any = None, arity: int = 0, counts: Counts = ()
) -> tuple[mg.Tensor, mg.Tensor]:
    """The states h and c of all nodes of a level. See :func:`_memory_cell`."""
    h, c, *_ = _memory_cell(arguments, below, forget, arity, counts)
    return h, c
