"""Whose update gate can be turned round, and what must be for it."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad_rnn import GRU, GRUCell
from minigrad_rnn.cells import NONLINEARITIES
from minigrad_rnn.convert import (
    ConversionError,
    flip_update_gate,
    from_keras,
    layer_from_keras,
    layer_from_onnx,
    layer_to_keras,
    layer_to_onnx,
    to_onnx,
)

SYMMETRIC = ["sigmoid", "hardsigmoid", "hardsigmoid_onnx"]
REFUSED = r"gate_nonlinearity='tanh': no weights turn(.|\n)*why: (.|\n)*hint: .*sigmoid, hardsigmoid, hardsigmoid_onnx"


@pytest.fixture
def x():
    return mg.tensor(np.random.default_rng(0).normal(size=(6, 2, 3)))


def drawn(update_gate="keep", **options):
    """A layer of two layers and directions with parameters that are not zero, gains and biases included."""
    rng = np.random.default_rng(1)
    gru = GRU(3, 4, 2, bidirectional=True, update_gate=update_gate, dtype=mg.float64, **options)
    for p in gru.parameters():
        p.data = rng.normal(size=p.shape)
    return gru


def same(result, expected):
    np.testing.assert_allclose(result.numpy(), expected.numpy(), rtol=1e-12, atol=1e-14)


def test_the_gates_that_can_be_turned_round_are_those_that_are_symmetric(x):
    a = mg.tensor(np.linspace(-7, 7, 57))
    for name, (function, _) in NONLINEARITIES.items():
        symmetric = np.allclose(function(-a).numpy(), 1 - function(a).numpy(), atol=1e-12)
        assert symmetric == (name in SYMMETRIC), name
        state = drawn(gate_nonlinearity=name).state_dict()
        if not symmetric:
            with pytest.raises(ConversionError, match=f"gate_nonlinearity='{name}'"):
                flip_update_gate(state, gate_nonlinearity=name)
            continue
        other = drawn("new", gate_nonlinearity=name)
        other.load_state_dict(flip_update_gate(state, gate_nonlinearity=name))
        same(other(x)[0], drawn(gate_nonlinearity=name)(x)[0])


@pytest.mark.parametrize(
    "options",
    [
        {"layer_norm": "ba"},
        {"layer_norm": "ba", "reset_after": False},
        {"layer_norm": "ba", "bias": False},
        {"time_skips": (2, 3)},
        {"batch_norm": 3},
        {"batch_norm": 3, "reset_after": False, "time_skips": (2,)},
        {"gate_clip": 0.4, "learn_initial_state": True, "highway": True},
    ],
    ids=str,
)
def test_every_option_stays_what_it_was(x, options):
    """In training, and in evaluation with the statistics that training has left."""
    ours, theirs = drawn(**options), drawn("new", **options)
    flipped = flip_update_gate(ours.state_dict())
    theirs.load_state_dict(flipped)
    for name, array in flip_update_gate(flipped).items():
        np.testing.assert_array_equal(array, ours.state_dict()[name].numpy(), err_msg=name)
    same(theirs(x)[0], ours(x)[0])
    theirs.load_state_dict(flip_update_gate(ours.state_dict()))  # with running statistics, for batch_norm
    same(theirs.eval()(x)[0], ours.eval()(x)[0])


def test_the_cell_of_a_model(x):
    ours, theirs = (mg.nn.ModuleDict({"cell": GRUCell(3, 4, layer_norm="ba", update_gate=gate)}) for gate in
                    ("keep", "new"))
    for p in ours.parameters():
        p.data = np.random.default_rng(2).normal(size=p.shape).astype("float32")
    theirs.load_state_dict(flip_update_gate(ours.state_dict()))
    step = x[0].float()
    np.testing.assert_allclose(theirs["cell"](step).numpy(), ours["cell"](step).numpy(), rtol=1e-5, atol=1e-6)


def test_gates_that_are_not_symmetric_are_not_converted():
    gru = GRU(3, 5, update_gate="new", gate_nonlinearity="tanh")
    for convert in (layer_to_keras, layer_to_onnx):
        with pytest.raises(ConversionError, match=REFUSED):
            convert(gru)
    with pytest.raises(ConversionError, match=REFUSED):
        to_onnx("gru", gru.state_dict(), update_gate="new", gate_nonlinearity="tanh")
    keep = GRU(3, 5, gate_nonlinearity="tanh")
    for there, back in ((layer_to_keras, layer_from_keras), (layer_to_onnx, layer_from_onnx)):
        assert back("gru", *there(keep)).recurrence == keep.recurrence
        with pytest.raises(ConversionError, match=REFUSED):
            back("gru", *there(keep), update_gate="new")
    with pytest.raises(ConversionError, match=REFUSED):
        from_keras("gru", layer_to_keras(keep)[0], update_gate="new", gate_nonlinearity="tanh")


def test_hard_gates_are_converted_with_the_update_gate_turned_round(x):
    gru = GRU(3, 5, update_gate="new", gate_nonlinearity="hardsigmoid", dtype=mg.float64)
    for there, back in ((layer_to_keras, layer_from_keras), (layer_to_onnx, layer_from_onnx)):
        made = back("gru", *there(gru))
        made.batch_first = False
        same(made(x)[0], gru(x)[0])


def test_the_state_of_another_network_is_refused():
    with pytest.raises(ConversionError, match=r"weight_hh has shape \(12, 3\): a GRU's has three blocks"):
        flip_update_gate({"weight_hh": np.ones((12, 3))})  # an LSTM's, whose rows divide by three too
