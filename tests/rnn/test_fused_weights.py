"""Weights that a fused layer may not take as they are: of other shapes than its equations say, or of biases but one."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import minigrad as mg
from minigrad_rnn import GRU, LSTM, RNN, GRUCell, RecurrentLayer, uncompiled, unrolled
from minigrad_rnn.layers.fused import fused

KINDS = [RNN, LSTM, GRU]
PATHS = [contextlib.nullcontext, uncompiled]
LAYERS = [
    (RNN, {}),
    (LSTM, {}),
    (GRU, {}),
    (RNN, {"layer_norm": "ba"}),
    (LSTM, {"layer_norm": "ba", "peephole": True}),
    (LSTM, {"layer_norm": "torch"}),
    (LSTM, {"proj_size": 2, "coupled": True}),
    (GRU, {"layer_norm": "ba", "reset_after": False}),
]


def layer_of(kind, **options):
    mg.manual_seed(0)
    return kind(3, 4, **options)


def drawn(*shape):
    return mg.tensor(np.random.default_rng(0).normal(size=shape).astype("f4"), requires_grad=True)


# ---- shapes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("kind", "options"), LAYERS)
def test_a_weight_of_another_shape_is_named(kind, options, path):
    names = [name for name, _ in layer_of(kind, **options).named_parameters()]
    for name in names:
        layer = layer_of(kind, **options)
        weight = getattr(layer, name)
        right = weight.shape
        for wrong in ((2 * right[0], *right[1:]), (*right[:-1], right[-1] + 1), (1, *right[1:]), (*right, 1)):
            weight.data = np.zeros(wrong, "f4")
            with path(), pytest.raises(mg.ShapeError) as error:
                layer(drawn(5, 2, 3))
            assert f"{name} must have shape {right}, not {wrong}\n" in str(error.value)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_agree_on_twice_the_rows_are_refused(kind, path):
    layer = layer_of(kind)
    for weight in layer.parameters():
        weight.data = np.concatenate([weight.numpy()] * 2)
    with path(), pytest.raises(mg.ShapeError, match="weight_ih_l0 must have shape"):
        layer(drawn(5, 2, 3))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_state_that_was_learned_in_another_shape_is_refused(kind, path):
    layer = layer_of(kind, learn_initial_state=True)
    for state in [p for name, p in layer.named_parameters() if name.startswith("initial")]:
        right = state.data
        state.data = np.zeros(9, "f4")
        with path(), pytest.raises(mg.ShapeError):
            layer(drawn(5, 2, 3))
        state.data = right


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("shape", [(5, 2, 3), (4, 2, 4), (5, 1, 4), (4,)])
def test_zoneout_of_other_units_than_there_are_is_refused(path, shape):
    layer, state = layer_of(LSTM), (mg.zeros(2, 4), mg.zeros(2, 4))
    for zones in ((mg.ones(*shape) > 0, None), (None, mg.ones(*shape) > 0)):
        with path(), pytest.raises(mg.ShapeError, match=r"zones must have shape \(5, 2, 4\), not"):
            fused(layer.recurrence, drawn(5, 2, 3), state, layer.weights(0), zones)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("shape", [(2, 3), (3, 4), (4,)])
def test_a_mask_of_other_units_than_there_are_is_refused(path, shape):
    layer = layer_of(RNN)
    weights = layer.weights(0)._replace(mask_hidden=mg.ones(*shape))
    with path(), pytest.raises(mg.ShapeError, match=r"mask_hidden must have shape \(2, 4\), not"):
        fused(layer.recurrence, drawn(5, 2, 3), (mg.zeros(2, 4),), weights)


@pytest.mark.parametrize("path", PATHS)
def test_a_cell_inside_a_layer_is_looked_at_too(path):
    cell = GRUCell(3, 4)
    cell.bias_hh.data = np.zeros(3, "f4")
    with path(), pytest.raises(mg.ShapeError, match=r"GRU.*bias_hh must have shape \(12,\), not \(3,\)"):
        RecurrentLayer(cell)(drawn(5, 2, 3))


# ---- biases ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("missing", ["bias_ih_l0", "bias_hh_l0"])
@pytest.mark.parametrize(("kind", "options"), LAYERS)
def test_one_bias_is_used_as_if_the_other_were_zeros(kind, options, missing, path):
    whole, layer, x, results = layer_of(kind, **options), layer_of(kind, **options), drawn(5, 2, 3), []
    getattr(whole, missing).data = np.zeros_like(getattr(whole, missing).numpy())
    setattr(layer, missing, None)
    for one in (whole, layer):
        with path():
            output = one(x, lengths=[5, 3])[0]
            parameters = [p for name, p in one.named_parameters() if name != missing]
            results.append([output, *mg.grad(output.square().sum(), [x, *parameters])])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("missing", ["bias_ih_l0", "bias_hh_l0"])
@pytest.mark.parametrize(("kind", "options"), LAYERS)
def test_one_bias_is_the_same_on_every_path(kind, options, missing):
    layer, x, results = layer_of(kind, **options), drawn(5, 2, 3), []
    setattr(layer, missing, None)
    for path in (*PATHS, unrolled):
        with path():
            output = layer(x)[0]
            first = mg.grad(output.square().sum(), [x, *layer.parameters()], create_graph=True)
            second = mg.grad(sum(g.square().sum() for g in first), list(layer.parameters()))
        results.append([y.numpy() for y in (output, *first, *second)])
    for others in results[1:]:
        for a, b in zip(results[0], others, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * max(1.0, np.abs(b).max()))
