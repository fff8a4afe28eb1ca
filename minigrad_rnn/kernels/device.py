"""A step of a recurrent layer in one kernel of a GPU's.

What a step does besides its matrix product is little work: a few operations for each unit. As functions of the array
module these are about nine, and a GPU is told of each of them by itself, which takes longer than computing it. Here
they are one kernel: for unit ``i`` it reads what the product gave, computes gates and states while they are in
registers, and writes each result once. So a step is two launches, forward and backward.

A kernel is a text of assignments, compiled when it is first needed. ``T`` is the dtype of the arrays; the GPU runs
the text once for each unit of each row, and ``i`` tells which of the ``n`` it is. A name without an index is an array's
element there. An array of blocks of n, as the gates are, has an index: ``gates[i + n]`` is in its second block. Since i
and n have their meaning, the input gate is called p here, and the GRU's candidate m.

The way back computes what gradients are multiplied by in the same kernel, from the values of the gates, where it costs
neither a launch nor memory. What arrives at a state is ``dh`` (from the step after, through the product), plus
``straight`` (from there, past the product), plus ``arrived`` (from the output). What the kernel leaves in ``d`` is what
the next product makes the new ``dh`` of.

Where ``over`` is true, the row is over: its state stays, nothing arrives at its gates, and everything goes straight.
A choice and no factor, because 0 times NaN is NaN.

NumPy has no such kernels: there a step remains a row of functions, each over memory that is in the cache, unless Numba
compiles it (:mod:`minigrad_rnn.compiled`).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy

LSTM_FORWARD = """
    T o = (T)tanh(gates[i] + product[i]) * (T)0.5 + (T)0.5;
    T p = (T)tanh(gates[i + n] + product[i + n]) * (T)0.5 + (T)0.5;
    T f = (T)tanh(gates[i + 2 * n] + product[i + 2 * n]) * (T)0.5 + (T)0.5;
    T g = (T)tanh(gates[i + 3 * n] + product[i + 3 * n]);
    T cell = f * c + p * g;
    T shown = (T)tanh(cell);
    T state = o * shown;
    gates[i] = o;
    gates[i + n] = p;
    gates[i + 2 * n] = f;
    gates[i + 3 * n] = g;
    tanh_c = shown;
    c_new = over ? c : cell;
    h_new = over ? h : state
"""
LSTM_BACK = """
    T o = gates[i];
    T p = gates[i + n];
    T f = gates[i + 2 * n];
    T g = gates[i + 3 * n];
    T at_h = dh + straight + arrived;
    T at_c = dc + at_h * o * ((T)1 - tanh_c * tanh_c);
    T to_o = at_h * tanh_c * o * ((T)1 - o);
    T to_p = at_c * g * p * ((T)1 - p);
    T to_f = at_c * c * f * ((T)1 - f);
    T to_g = at_c * p * ((T)1 - g * g);
    T to_c = at_c * f;
    d[i] = over ? (T)0 : to_o;
    d[i + n] = over ? (T)0 : to_p;
    d[i + 2 * n] = over ? (T)0 : to_f;
    d[i + 3 * n] = over ? (T)0 : to_g;
    dc = over ? dc : to_c;
    straight = over ? at_h : (T)0
"""
GRU_AFTER_FORWARD = """
    T q = product[i] + bias;
    T r = (T)tanh(gates[i + n] + product[i + n]) * (T)0.5 + (T)0.5;
    T z = (T)tanh(gates[i + 2 * n] + product[i + 2 * n]) * (T)0.5 + (T)0.5;
    T m = (T)tanh(gates[i + 3 * n] + r * q);
    T state = BASE + z * (OTHER - BASE);
    gates[i] = q;
    gates[i + n] = r;
    gates[i + 2 * n] = z;
    gates[i + 3 * n] = m;
    h_new = over ? h : state
"""
GRU_AFTER_BACK = """
    T q = gates[i];
    T r = gates[i + n];
    T z = gates[i + 2 * n];
    T m = gates[i + 3 * n];
    T at_h = dh + straight + arrived;
    T to_m = at_h * SHARE * ((T)1 - m * m);
    T to_q = to_m * r;
    T to_r = to_m * q * r * ((T)1 - r);
    T to_z = at_h * (OTHER - BASE) * z * ((T)1 - z);
    T rest = at_h * REST;
    d[i] = over ? (T)0 : to_q;
    d[i + n] = over ? (T)0 : to_r;
    d[i + 2 * n] = over ? (T)0 : to_z;
    d[i + 3 * n] = over ? (T)0 : to_m;
    straight = over ? at_h : rest
"""
GRU_RESET = """
    T r = (T)tanh(gates[i + n] + product[i]) * (T)0.5 + (T)0.5;
    T z = (T)tanh(gates[i + 2 * n] + product[i + n]) * (T)0.5 + (T)0.5;
    gates[i] = r * h;
    gates[i + n] = r;
    gates[i + 2 * n] = z
"""
GRU_UPDATE = """
    T z = gates[i + 2 * n];
    T m = (T)tanh(gates[i + 3 * n] + product[i]);
    T state = BASE + z * (OTHER - BASE);
    gates[i + 3 * n] = m;
    h_new = over ? h : state
"""
GRU_UPDATE_BACK = """
    T z = gates[i + 2 * n];
    T m = gates[i + 3 * n];
    T at_h = dh + straight + arrived;
    T to_m = at_h * SHARE * ((T)1 - m * m);
    T to_z = at_h * (OTHER - BASE) * z * ((T)1 - z);
    T rest = at_h * REST;
    d[i + 2 * n] = over ? (T)0 : to_z;
    d[i + 3 * n] = over ? (T)0 : to_m;
    straight = over ? at_h : rest
"""
GRU_RESET_BACK = """
    T r = gates[i + n];
    d[i + n] = dq * h * r * ((T)1 - r);
    straight = straight + dq * r
"""
RNN_FORWARD = """
    T a = h_new + product;
    T state = VALUE;
    h_new = over ? h : state
"""
RNN_BACK = """
    T at_h = dh + straight + arrived;
    T to_a = SLOPE;
    d = over ? (T)0 : to_a;
    straight = over ? at_h : (T)0
"""
KERNELS = {  # what is read, what is written or changed, the text
    "lstm_forward": (
        "raw T product, T c, T h, bool over, int32 n",
        "raw T gates, T c_new, T tanh_c, T h_new",
        LSTM_FORWARD,
    ),
    "lstm_back": (
        "raw T gates, T tanh_c, T c, T arrived, T dh, bool over, int32 n",
        "raw T d, T dc, T straight",
        LSTM_BACK,
    ),
    "gru_after_forward": ("raw T product, T h, T bias, bool over, int32 n", "raw T gates, T h_new", GRU_AFTER_FORWARD),
    "gru_after_back": ("raw T gates, T h, T arrived, T dh, bool over, int32 n", "raw T d, T straight", GRU_AFTER_BACK),
    "gru_reset": ("raw T product, T h, int32 n", "raw T gates", GRU_RESET),
    "gru_update": ("raw T product, T h, bool over, int32 n", "raw T gates, T h_new", GRU_UPDATE),
    "gru_update_back": (
        "raw T gates, T h, T arrived, T dh, bool over, int32 n",
        "raw T d, T straight",
        GRU_UPDATE_BACK,
    ),
    "gru_reset_back": ("raw T gates, T h, T dq, int32 n", "raw T d, T straight", GRU_RESET_BACK),
    "rnn_forward": ("T product, T h, bool over", "T h_new", RNN_FORWARD),
    "rnn_back": ("T h, T arrived, T dh, bool over", "T d, T straight", RNN_BACK),
}
VARIANTS = {  # what stands for the words in capitals
    "": {},
    "keep": {"BASE": "m", "OTHER": "h", "SHARE": "((T)1 - z)", "REST": "z"},
    "new": {"BASE": "h", "OTHER": "m", "SHARE": "z", "REST": "((T)1 - z)"},
    "tanh": {"VALUE": "(T)tanh(a)", "SLOPE": "at_h * ((T)1 - h * h)"},
    "relu": {"VALUE": "a < (T)0 ? (T)0 : a", "SLOPE": "h > (T)0 ? at_h : (T)0"},
}


def kernel(module: Any, name: str, variant: str = "") -> Any:
    """The kernel of that name, to be called with all that it reads and then all that it writes.

    Args:
        module: the array module.
        name: one of ``KERNELS``.
        variant: one of ``VARIANTS``.

    Returns:
        ``None`` if the array module is NumPy, or there is no such variant.
    """
    return None if module is numpy or variant not in VARIANTS else _compiled(module, name, variant)


@functools.cache
def _compiled(module: Any, name: str, variant: str) -> Any:
    inputs, outputs, text = KERNELS[name]
    for word, meaning in VARIANTS[variant].items():
        text = text.replace(word, meaning)
    return module.ElementwiseKernel(inputs, outputs, " ".join(text.split()), f"minigrad_{name}")
