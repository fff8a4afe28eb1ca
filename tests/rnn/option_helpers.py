"""Layers and cells with random parameters, and what to give them, for the tests of options."""

from __future__ import annotations

import numpy as np

import minigrad as mg
from minigrad_rnn import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell

CELLS = {LSTM: LSTMCell, GRU: GRUCell, RNN: RNNCell}
COMPILED = [(RNN, {}), (RNN, {"nonlinearity": "relu"}), (LSTM, {}), (GRU, {}), (GRU, {"update_gate": "new"})]
INPUTS, UNITS, STEPS, ROWS = 3, 4, 5, 3


def filled(module, seed=0):
    """The module in float64, all parameters random."""
    rng, module = np.random.default_rng(seed), module.double()
    module.load_state_dict(
        {
            name: rng.normal(size=p.shape) * 0.7 + name.startswith("gain") if "." not in name else p
            for name, p in module.state_dict().items()
        }
    )
    return module


def cell_of(layer):
    """The cell with the weights of a layer."""
    kind = type(layer)
    options = {**vars(layer.recurrence), **vars(layer.noise)}
    cell = CELLS[kind](layer.input_size, layer.hidden_size, bias=layer.bias, **options).double()
    cell.load_state_dict({name.replace("_l0", ""): value for name, value in layer.state_dict().items()})
    return cell.train(layer.training)


def arrays_of(layer):
    return {name.removesuffix("_l0"): p.numpy() for name, p in layer.named_parameters()}


def drawn(layer, steps=STEPS, rows=ROWS, seed=1):
    """Inputs and a state; before the state, for skips across time, there were zeros."""
    rng = np.random.default_rng(seed)
    sizes, parts = layer.sizes_of(0, False), layer.recurrence.names
    state = [rng.normal(size=(rows, n)) * (part != "past") for part, n in zip(parts, sizes, strict=True)]
    return rng.normal(size=(steps, rows, layer.input_size)), state


def parts_of(state):
    return state if isinstance(state, tuple) else (state,)


def as_state(parts, layers=False):
    """A state as a cell takes it, or a layer."""
    parts = tuple([mg.tensor(part)[None] if layers else mg.tensor(part) for part in parts])
    return parts if len(parts) > 1 else parts[0]


def same(value, expected, rtol=1e-12):
    value, expected = (a.numpy() if isinstance(a, mg.Tensor) else a for a in (value, expected))
    np.testing.assert_allclose(value, expected, rtol=rtol, atol=1e-12)
