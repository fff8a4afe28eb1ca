"""Every option of the equations in plain NumPy, gate by gate, from the formulas as they were published.

Nothing here uses minigrad. Parameters are arrays by PyTorch's names without the end ``_l0``.
"""

from __future__ import annotations

import math

import numpy as np

ACTIVATIONS = {
    "tanh": np.tanh,
    "sigmoid": lambda a: (1 + np.tanh(a / 2)) / 2,
    "relu": lambda a: np.maximum(a, 0),
    "identity": lambda a: a,
    "hardsigmoid": lambda a: np.clip(a / 6 + 0.5, 0, 1),
    "hardsigmoid_onnx": lambda a: np.clip(0.2 * a + 0.5, 0, 1),
    "hardtanh": lambda a: np.clip(a, -1, 1),
    "softsign": lambda a: a / (1 + np.abs(a)),
    "softplus": lambda a: np.logaddexp(0, a),
    "elu": lambda a: np.where(a > 0, a, np.exp(np.minimum(a, 0)) - 1),
    "leaky_relu": lambda a: np.where(a > 0, a, 0.01 * a),
    "selu": lambda a: 1.0507009873554805 * np.where(a > 0, a, 1.6732632423543772 * np.expm1(np.minimum(a, 0))),
    "logsigmoid": lambda a: -np.logaddexp(0, -a),
    "silu": lambda a: a * (1 + np.tanh(a / 2)) / 2,
    "gelu": lambda a: a * np.vectorize(lambda v: 0.5 * (1 + math.erf(v / math.sqrt(2))))(a),
}
EPS = 1e-5


def over_units(place, a):
    """Layer normalisation: each row by its own mean and variance."""
    return (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + EPS)


class OverRows:
    """Recurrent batch normalisation (Cooijmans et al. 2017, section 3): statistics of their own for every step.

    Before a step, ``t`` and ``alive``, the rows that have an element, are set.
    """

    def __init__(self, steps):
        self.steps, self.training, self.t, self.alive, self.running = steps, True, 0, None, {}

    def __call__(self, place, a):
        means, variances = self.running.setdefault(
            place, (np.zeros((self.steps, a.shape[-1])), np.ones((self.steps, a.shape[-1])))
        )
        if not self.training:
            t = min(self.t, self.steps - 1)
            return (a - means[t]) / np.sqrt(variances[t] + EPS)
        seen = a[self.alive]
        if not len(seen):
            return a
        mean, variance = seen.mean(0), seen.var(0)
        if self.t < self.steps and len(seen) > 1:
            means[self.t] = 0.9 * means[self.t] + 0.1 * mean
            variances[self.t] = 0.9 * variances[self.t] + 0.1 * variance
        return (a - mean) / np.sqrt(variance + EPS)


def scaled(p, normal, place, a, rows=slice(None)):
    """What a product contributes: normalised and multiplied by its gain, if it has one."""
    gain = p.get(f"gain_{place[:2]}")
    return a if gain is None else normal(place, a) * gain[rows]


def clip(a, limit):
    return a if limit is None else np.clip(a, -limit, limit)


def lstm(o, p, x, h, c, normal, skipped=0.0):
    gates = "igo" if o.get("coupled") else "ifgo"
    act, candidate, shown = (
        ACTIVATIONS[o.get(name, usual)]
        for name, usual in [("gate_nonlinearity", "sigmoid"), ("nonlinearity", "tanh"), ("output_nonlinearity", "tanh")]
    )
    a = scaled(p, normal, "ih", x @ p["weight_ih"].T) + scaled(p, normal, "hh", h @ p["weight_hh"].T)
    a = a + p.get("bias_ih", 0.0) + p.get("bias_hh", 0.0) + skipped
    a = dict(zip(gates, np.split(a, len(gates), -1), strict=True))
    sees = dict.fromkeys(gates, 0.0)
    if "weight_peephole" in p:
        with_peephole = gates.replace("g", "")
        sees |= dict(zip(with_peephole, np.split(p["weight_peephole"], len(with_peephole)), strict=True))
    i = act(clip(a["i"] + sees["i"] * c, o.get("gate_clip")))
    f = 1 - i if o.get("coupled") else act(clip(a["f"] + sees["f"] * c, o.get("gate_clip")))
    g = candidate(clip(a["g"], o.get("gate_clip")))
    c = clip(f * c + i * g, o.get("cell_clip"))
    out = c
    if "gain_cell" in p:
        out = normal("cell", c) * p["gain_cell"] + p["bias_cell"]
    if o.get("layer_norm") == "torch":
        c = out
    h = act(clip(a["o"] + sees["o"] * c, o.get("gate_clip"))) * shown(out)
    return (h @ p["weight_hr"].T if "weight_hr" in p else h), c


def gru(o, p, x, h, normal, skipped=0.0):
    act, candidate = (
        ACTIVATIONS[o.get(name, usual)] for name, usual in [("gate_nonlinearity", "sigmoid"), ("nonlinearity", "tanh")]
    )
    units = p["weight_hh"].shape[0] // 3
    of_gates, of_candidate = slice(2 * units), slice(2 * units, None)
    bias_ih, bias_hh = (np.broadcast_to(p.get(name, 0.0), 3 * units) for name in ("bias_ih", "bias_hh"))
    skipped = np.broadcast_to(skipped, (*h.shape[:-1], 3 * units))

    def contribution(place, value, matrix, bias, rows):
        return scaled(p, normal, place, value @ matrix[rows].T, rows) + bias[rows]

    a = contribution("ih_gates", x, p["weight_ih"], bias_ih, of_gates) + skipped[..., of_gates]
    a = a + contribution("hh_gates", h, p["weight_hh"], bias_hh, of_gates)
    r, z = np.split(act(clip(a, o.get("gate_clip"))), 2, -1)
    a = contribution("ih_candidate", x, p["weight_ih"], bias_ih, of_candidate) + skipped[..., of_candidate]
    if o.get("reset_after", True):
        a = a + r * contribution("hh_candidate", h, p["weight_hh"], bias_hh, of_candidate)
    else:
        a = a + contribution("hh_candidate", r * h, p["weight_hh"], bias_hh, of_candidate)
    n = candidate(clip(a, o.get("gate_clip")))
    return (z * h + (1 - z) * n if o.get("update_gate", "keep") == "keep" else (1 - z) * h + z * n,)


def rnn(o, p, x, h, normal, skipped=0.0):
    bias = p.get("bias_ih", 0.0) + p.get("bias_hh", 0.0)
    if o.get("layer_norm"):
        a = scaled(p, normal, "hh", x @ p["weight_ih"].T + h @ p["weight_hh"].T + skipped) + bias
    else:
        a = scaled(p, normal, "ih", x @ p["weight_ih"].T) + scaled(p, normal, "hh", h @ p["weight_hh"].T)
        a = a + bias + skipped
    return (ACTIVATIONS[o.get("nonlinearity", "tanh")](clip(a, o.get("gate_clip"))),)


STEPS = {"LSTM": lstm, "GRU": gru, "RNN": rnn}


def sequence(kind, o, p, xs, state, normal=over_units, alive=None, zoneout=()):
    """The states of every step, each part ``(T, N, size)``, and the state after the last.

    Args:
        kind: name of the layer.
        o: its options.
        p: its parameters.
        xs: ``(T, N, input_size)``.
        state: to begin with; before it, for skips across time, there were zeros.
        normal: what normalises.
        alive: which rows have an element at which step, ``(T, N)``.
        zoneout: for each part of the state, what share of the old one stays: a number, or one for each step and unit.
    """
    states, hs, skips = [], [state[0]], o.get("time_skips", ())
    for t, x in enumerate(xs):
        here = np.ones(len(x), bool) if alive is None else alive[t]
        if isinstance(normal, OverRows):
            normal.t, normal.alive = t, here
        before = [hs[-k] if k <= len(hs) else np.zeros_like(hs[0]) for k in skips]
        skipped = np.concatenate(before, -1) @ p["weight_skip"].T if skips else 0.0
        after = STEPS[kind](o, p, x, *state, normal, skipped)
        for part, share in enumerate(zoneout):
            kept = np.broadcast_to(share, (len(xs), *after[part].shape))[t]
            after = (*after[:part], kept * state[part] + (1 - kept) * after[part], *after[part + 1 :])
        states.append(tuple(np.where(here[:, None], new, 0.0) for new in after))
        state = tuple(np.where(here[:, None], new, old) for new, old in zip(after, state, strict=True))
        hs.append(state[0])
    return [np.stack(part) for part in zip(*states, strict=True)], state
