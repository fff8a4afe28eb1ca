"""What a step does besides its matrix products, as loops over rows and units that Numba compiles.

NumPy computes a gate, a cell, a state by one function after another, each of which goes over memory. Compiled, a row is
done with while it is in the cache, 16 units at once where the processor has room for them. A row takes a few loops, not
one, because before a loop compiled code has to make sure that none of the arrays written to overlaps another one: with
all gates in one loop that takes as long as 50 units.

Arrays are batch-major: a state is ``(N, hidden)``, the gates of a step stand side by side in ``(N, gates * hidden)``,
in the order of the weights. A block of them is taken out as a slice before the loop over the units, because a sum of
indices could be negative for all that the compiler knows, and it would not vectorise. In the names, ``at_`` is the
gradient that arrives somewhere. ``over`` tells which rows are over: their states stay, nothing arrives at their gates,
and everything goes straight back, in ``carry``, past the product.

A step is given the arrays of a range of steps, ``(steps, N, columns)``, and its number ``t`` in it, because views of
them would cost as much as the loop where N is small. States have one step more: those of ``t`` come before the step.

The annotations are the signatures that are compiled, see :data:`KINDS`.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numba

from . import activations
from .activations import sigmoid, tanh

Steps: TypeAlias = Any
NewSteps: TypeAlias = Any
State: TypeAlias = Any
NewState: TypeAlias = Any
Row: TypeAlias = Any
NewRow: TypeAlias = Any
Units: TypeAlias = Any
Flags: TypeAlias = Any
KINDS = {  # dims, and whether it may be read-only
    "Steps": (3, True),
    "NewSteps": (3, False),
    "State": (2, True),
    "NewState": (2, False),
    "Row": (1, True),
    "NewRow": (1, False),
}

OPTIONS: dict[str, Any] = {"fastmath": {"contract", "reassoc"}, "error_model": "numpy"}  # sums of many at once


@functools.cache
def compiled(step: Callable[..., None], dtype: Any) -> Callable[..., None]:
    """A step for arrays of a dtype. Compiled when first asked for, which takes a second; kept on disk where it can."""
    of = numba.from_dtype(dtype)
    kinds: dict[str, Any] = {
        name: numba.types.Array(of, dims, "C", readonly) for name, (dims, readonly) in KINDS.items()
    }
    flag = numba.types.boolean
    kinds |= {"Flags": numba.types.Array(flag, 2, "C", readonly=True), "Units": numba.types.Array(flag, 3, "C", True)}
    kinds |= {"bool": flag, "int": numba.types.intp}
    signature = numba.types.void(*[kinds[p.annotation] for p in inspect.signature(step).parameters.values()])
    function = types.FunctionType(step.__code__, step.__globals__, step.__name__, step.__defaults__, step.__closure__)
    function.__qualname__ = f"{step.__qualname__}_{_digest()}"
    try:
        made: Any = numba.njit(signature, cache=True, **OPTIONS)(function)
    except Exception:  # noqa: BLE001 - what lies on the disk is damaged, or there is no place for it
        made = numba.njit(signature, **OPTIONS)(function)
    return made  # type: ignore[no-any-return]


@functools.cache
def _digest() -> str:
    """Of what all steps depend on, for the names of Numba's files: it asks only for the file that a step is in."""
    texts = [Path(file).read_bytes() for file in (__file__, activations.__file__)]
    return hashlib.sha256(b"".join(texts)).hexdigest()[:16]


def lstm(t: int, kept: NewSteps, product: State, bias: Row, over: Flags, hs: NewSteps) -> None:
    """One step, from the cell before it in ``kept`` to that before the next.

    A row of ``kept`` is: i, f, g, o (at first what the inputs contribute to them), the cell, tanh of the new one.
    """
    _, rows, hidden = hs.shape
    for n in range(rows):
        at, p, h, after = kept[t, n], product[n], hs[t + 1, n], kept[t + 1, n, 4 * hidden : 5 * hidden]
        i, f, g, o = at[:hidden], at[hidden : 2 * hidden], at[2 * hidden : 3 * hidden], at[3 * hidden : 4 * hidden]
        before, seen, both = at[4 * hidden : 5 * hidden], at[5 * hidden :], at[: 2 * hidden]
        p_both, p_g, p_o = p[: 2 * hidden], p[2 * hidden : 3 * hidden], p[3 * hidden :]
        b_both, b_g, b_o = bias[: 2 * hidden], bias[2 * hidden : 3 * hidden], bias[3 * hidden :]
        if over[t, n]:
            after[:] = before
            h[:] = hs[t, n]
            continue
        for u in range(2 * hidden):
            both[u] = sigmoid(both[u] + p_both[u] + b_both[u])
        for u in range(hidden):
            g[u] = tanh(g[u] + p_g[u] + b_g[u])
        for u in range(hidden):
            o[u] = sigmoid(o[u] + p_o[u] + b_o[u])
        for u in range(hidden):
            cell = f[u] * before[u] + i[u] * g[u]
            seen_u = tanh(cell)
            after[u], seen[u], h[u] = cell, seen_u, o[u] * seen_u


def lstm_back(
    t: int,
    kept: Steps,
    arriving: Steps,
    over: Flags,
    shown: bool,
    at_h: State,
    carry: NewState,
    at_c: NewState,
    at_gates: NewSteps,
) -> None:
    """One step back: from what arrives at h and c to what arrives at the arguments of the gates, and at c before.

    With ``shown``, what arrives at c by way of h is in ``at_c`` already.
    """
    rows, hidden = carry.shape
    zero, one = kept.dtype.type(0), kept.dtype.type(1)
    for n in range(rows):
        to, straight, d_h, d_out, d_c, at = at_gates[t, n], carry[n], at_h[n], arriving[t, n], at_c[n], kept[t, n]
        i, f, g, o = at[:hidden], at[hidden : 2 * hidden], at[2 * hidden : 3 * hidden], at[3 * hidden : 4 * hidden]
        gates, before, seen = at[: 4 * hidden], at[4 * hidden : 5 * hidden], at[5 * hidden :]
        to_i, to_f, to_g, to_o = to[:hidden], to[hidden : 2 * hidden], to[2 * hidden : 3 * hidden], to[3 * hidden :]
        if over[t, n]:
            straight[:] += d_h
            to[:] = 0
            continue
        for u in range(4 * hidden):  # in the order of memory, which is fetched ahead then
            to[u] = gates[u] * (one - gates[u])
        for u in range(hidden):
            d = d_h[u] + straight[u] + d_out[u]
            d_c[u] += zero if shown else d * o[u] * (one - seen[u] * seen[u])
            to_o[u] *= d * seen[u]
            straight[u] = 0
        for u in range(hidden):
            to_i[u] *= d_c[u] * g[u]
            to_g[u] = d_c[u] * i[u] * (one - g[u] * g[u])
        for u in range(hidden):
            to_f[u] *= d_c[u] * before[u]
            d_c[u] *= f[u]


def gru(
    t: int, kept: NewSteps, product: State, bias: Row, bias_q: Row, over: Flags, keeps: bool, hs: NewSteps
) -> None:
    """One step, with the reset gate behind the product.

    A row of ``kept`` is: r, z, n (at first what the inputs contribute to them), and q, what r is multiplied by. With
    ``keeps`` z is the share of the old state, else that of n.
    """
    _, rows, hidden = hs.shape
    for n in range(rows):
        before, after, at, p = hs[t, n], hs[t + 1, n], kept[t, n], product[n]
        r, z, new, q = at[:hidden], at[hidden : 2 * hidden], at[2 * hidden : 3 * hidden], at[3 * hidden :]
        both, p_both, b_both = at[: 2 * hidden], p[: 2 * hidden], bias[: 2 * hidden]
        p_q, b_n = p[2 * hidden :], bias[2 * hidden :]
        if over[t, n]:
            after[:] = before
            continue
        for u in range(2 * hidden):
            both[u] = sigmoid(both[u] + p_both[u] + b_both[u])
        for u in range(hidden):
            q_u = p_q[u] + bias_q[u]
            n_u = tanh(new[u] + b_n[u] + r[u] * q_u)
            new[u], q[u] = n_u, q_u
            after[u] = n_u + z[u] * (before[u] - n_u) if keeps else before[u] + z[u] * (n_u - before[u])


def gru_back(
    t: int,
    kept: Steps,
    hs: Steps,
    arriving: Steps,
    over: Flags,
    keeps: bool,
    at_h: State,
    carry: NewState,
    at_gates: NewSteps,
    at_products: NewSteps,
) -> None:
    """One step back: to the arguments of the gates, which are the products of the inputs, and to those of the state."""
    rows, hidden = carry.shape
    one = kept.dtype.type(1)
    for n in range(rows):
        to, to_p, straight, at = at_gates[t, n], at_products[t, n], carry[n], kept[t, n]
        before, d_h, d_out = hs[t, n], at_h[n], arriving[t, n]
        r, z, new, q = at[:hidden], at[hidden : 2 * hidden], at[2 * hidden : 3 * hidden], at[3 * hidden :]
        to_r, to_z, to_n = to[:hidden], to[hidden : 2 * hidden], to[2 * hidden :]
        p_r, p_z, p_q = to_p[:hidden], to_p[hidden : 2 * hidden], to_p[2 * hidden :]
        both, to_both = at[: 2 * hidden], to[: 2 * hidden]
        if over[t, n]:
            straight[:] += d_h
            to[:] = 0
            to_p[:] = 0
            continue
        for u in range(2 * hidden):  # in the order of memory, as above
            to_both[u] = both[u] * (one - both[u])
        for u in range(hidden):
            d = d_h[u] + straight[u] + d_out[u]
            old, share = (z[u], one - z[u]) if keeps else (one - z[u], z[u])
            step = before[u] - new[u] if keeps else new[u] - before[u]
            to_z[u] *= d * step
            to_n[u] = d * share * (one - new[u] * new[u])
            straight[u] = d * old
        for u in range(hidden):
            p_q[u] = to_n[u] * r[u]
            to_r[u] *= to_n[u] * q[u]
            p_r[u], p_z[u] = to_r[u], to_z[u]


def rnn(t: int, product: State, bias: Row, over: Flags, relu: bool, hs: NewSteps) -> None:
    """One step; the state after it is what the inputs contribute at first."""
    _, rows, hidden = hs.shape
    zero = hs.dtype.type(0)
    for n in range(rows):
        p, after = product[n], hs[t + 1, n]
        if over[t, n]:
            after[:] = hs[t, n]
        elif relu:
            for u in range(hidden):
                a = after[u] + p[u] + bias[u]
                after[u] = zero if a < zero else a
        else:
            for u in range(hidden):
                after[u] = tanh(after[u] + p[u] + bias[u])


def rnn_back(
    t: int,
    hs: Steps,
    arriving: Steps,
    over: Flags,
    relu: bool,
    at_h: State,
    carry: NewState,
    at_arguments: NewSteps,
) -> None:
    """One step back."""
    _, rows, hidden = hs.shape
    zero, one = hs.dtype.type(0), hs.dtype.type(1)
    for n in range(rows):
        to, straight, d_h, d_out, value = at_arguments[t, n], carry[n], at_h[n], arriving[t, n], hs[t + 1, n]
        if over[t, n]:
            straight[:] += d_h
            to[:] = 0
        else:
            for u in range(hidden):
                d = d_h[u] + straight[u] + d_out[u]
                slope = (one if value[u] > zero else zero) if relu else one - value[u] * value[u]
                to[u] = d * slope
                straight[u] = 0
