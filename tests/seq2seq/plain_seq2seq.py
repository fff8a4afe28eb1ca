"""Encoder, attention and decoder in plain NumPy: one sequence at a time, one step at a time.

Nothing here uses minigrad. ``p`` holds the arrays of a ``state_dict``.
"""

from __future__ import annotations

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def softmax(a):
    e = np.exp(a - a.max())
    return e / e.sum()


def cell_step(kind, p, end, x, state):
    """One step of one layer; ``end`` ends the names of its parameters."""
    ih = p[f"weight_ih{end}"] @ x + p[f"bias_ih{end}"]
    hh = p[f"weight_hh{end}"] @ state[0] + p[f"bias_hh{end}"]
    if kind == "RNN":
        return (np.tanh(ih + hh),)
    if kind == "LSTM":
        i, f, g, o = np.split(ih + hh, 4)
        c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    (ir, iz, inn), (hr, hz, hn) = np.split(ih, 3), np.split(hh, 3)
    r, z = sigmoid(ir + hr), sigmoid(iz + hz)
    return ((1 - z) * np.tanh(inn + r * hn) + z * state[0],)


def below(p, prefix):
    return {name.removeprefix(prefix): value for name, value in p.items() if name.startswith(prefix)}


def encode(kind, p, tokens, bidirectional):
    """Outputs (S, features), and the last state of each direction."""
    table, p = p["embedding.weight"], below(p, "layer.")
    size = p["weight_hh_l0"].shape[1]
    streams, lasts = [], []
    for end in ("_l0", "_l0_reverse")[: 1 + bidirectional]:
        state = (np.zeros(size),) * (2 if kind == "LSTM" else 1)
        order = range(len(tokens)) if end == "_l0" else range(len(tokens))[::-1]
        outputs = np.zeros((len(tokens), size))
        for s in order:
            state = cell_step(kind, p, end, table[tokens[s]], state)
            outputs[s] = state[0]
        streams.append(outputs)
        lasts.append(state)
    return np.concatenate(streams, -1), lasts


def attend(p, kind, query, memory, scaled=False):
    """Context and weights of one query over a memory (S, features)."""
    scores = []
    for m in memory:
        if kind == "additive":
            e = p["direction"] @ np.tanh(p["query_map.weight"] @ query + p["memory_map.weight"] @ m)
        elif kind == "concat":
            e = p["direction"] @ np.tanh(p["map.weight"] @ np.concatenate([query, m]))
            e = e / np.sqrt(len(p["direction"])) if scaled else e
        else:
            e = query @ (p["map.weight"] @ m if kind == "general" else m)
            e = e / np.sqrt(len(query)) if scaled else e
        scores.append(e)
    if not len(memory):
        return np.zeros(p["map.weight"].shape[1] if "map.weight" in p else len(query)), np.zeros(0)
    weights = softmax(np.array(scores))
    return weights @ memory, weights


def decode(kind, p, tokens, state, options, memory=None, context=None, answers=None):
    """Scores (T, V) and weights (T, S) of one sequence; ``answers``: a function from scores to the next token.

    ``options``: mode, attention (a kind or None), scaled, attend, input_feeding.
    """
    mode, attention = options.get("mode", "state"), options.get("attention")
    cell, scorer = below(p, "layer."), below(p, "attention.")
    state, scores, weights = list(state), [], []
    layers = sum(name.startswith("weight_hh") for name in cell)
    feed = np.zeros(cell[f"weight_hh_l{layers - 1}"].shape[1])
    for t, given in enumerate(tokens):
        token = answers(scores[-1]) if answers is not None and t else given
        if mode == "autonomous":
            x = np.zeros(cell["weight_ih_l0"].shape[1])
        else:
            x = p["embedding.weight"][token]
            if mode == "peeky":
                x = np.concatenate([x, context])
            if options.get("attend") == "before":
                seen, alpha = attend(scorer, attention, state[-1][0], memory, options.get("scaled"))
                x = np.concatenate([x, seen])
            if options.get("input_feeding"):
                x = np.concatenate([x, feed])
        for layer in range(layers):
            state[layer] = cell_step(kind, cell, f"_l{layer}", x, state[layer])
            x = state[layer][0]
        if attention:
            if options.get("attend", "after") == "after":
                seen, alpha = attend(scorer, attention, x, memory, options.get("scaled"))
            x = feed = np.tanh(p["combine.weight"] @ np.concatenate([seen, x]))
            weights.append(alpha)
        elif options.get("input_feeding"):
            feed = x
        if mode == "peeky":
            x = np.concatenate([x, context])
        scores.append(p["output.weight"] @ x + p["output.bias"])
    return np.array(scores), np.array(weights)
