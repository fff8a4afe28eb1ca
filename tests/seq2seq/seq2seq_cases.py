"""Models of every form, small and in float64, for the tests."""

from __future__ import annotations

import numpy as np

import minigrad as mg
import minigrad_rnn as rnn
from minigrad_rnn.seq2seq import AdditiveAttention, Decoder, DotAttention, Encoder, Seq2Seq

SOURCES, TARGETS, EMBEDDED, UNITS = 9, 8, 3, 4
FORMS = {
    "state": {},
    "peeky": {"mode": "peeky"},
    "autonomous": {"mode": "autonomous"},
    "dot": {"attention": "dot"},
    "scaled dot": {"attention": "dot", "scaled": True},
    "general": {"attention": "general"},
    "concat": {"attention": "concat"},
    "scaled concat": {"attention": "concat", "scaled": True},
    "additive": {"attention": "additive"},
    "additive before": {"attention": "additive", "attend": "before"},
    "general before": {"attention": "general", "attend": "before"},
    "input feeding": {"attention": "general", "input_feeding": True},
    "both": {"attention": "additive", "attend": "before", "input_feeding": True},
    "peeky with attention": {"mode": "peeky", "attention": "dot"},
    "autonomous with attention": {"mode": "autonomous", "attention": "general"},
}
BACKWARD = [name for name, options in FORMS.items() if options.get("attend") or options.get("input_feeding")]


def attention_of(kind, query, memory, scaled=False):
    if kind == "additive":
        return AdditiveAttention(query, memory, 5)
    return DotAttention(query, memory, kind, scaled=scaled)


def model_of(form, kind="LSTM", *, directions=1, layers=1, bridge="copy", units=UNITS, end=2, **more):
    """A model of a form; the encoder has half the units for each of two directions."""
    options, layer = dict(FORMS[form]), getattr(rnn, kind)
    attention, scaled = options.pop("attention", None), options.pop("scaled", False)
    extra = 0
    if options.get("mode") == "peeky":
        options["context_size"] = units
        extra += units
    if attention:
        options["attention"] = attention_of(attention, units, units, scaled)
        extra += units * (options.get("attend") == "before") + units * options.get("input_feeding", False)
    encoder = Encoder(SOURCES, layer(EMBEDDED, units // directions, bidirectional=directions == 2))
    decoder = Decoder(TARGETS, layer(EMBEDDED + extra, units, num_layers=layers), end=end, **options, **more)
    return filled(Seq2Seq(encoder, decoder, bridge))


def filled(module, seed=0):
    """The module in float64, its parameters random and large enough to matter."""
    rng, module = np.random.default_rng(seed), module.double()
    for p in module.parameters():
        p.data = rng.normal(size=p.shape) * 0.6
    return module


def arrays(module):
    return {name: value.numpy() for name, value in module.state_dict().items()}


def batch_of(source_lengths, target_lengths, seed=1, steps=None):
    """Sources and targets padded with tokens that are none."""
    rng = np.random.default_rng(seed)
    padded = []
    for lengths, count in ((source_lengths, SOURCES), (target_lengths, TARGETS)):
        table = np.full((steps or max(lengths), len(lengths)), -7)
        for n, length in enumerate(lengths):
            table[:length, n] = rng.integers(3, count, length)
        padded.append(mg.tensor(table))
    return padded


def same(value, expected, tolerance=1e-12):
    value, expected = (a.numpy() if isinstance(a, mg.Tensor) else np.asarray(a) for a in (value, expected))
    np.testing.assert_allclose(value, expected, rtol=tolerance, atol=tolerance)
