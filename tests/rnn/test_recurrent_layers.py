"""Recurrent layers: PyTorch's numbers, shapes, lengths, streaming, errors."""

from __future__ import annotations

import json

import numpy as np
import pytest
from recurrent_cases import group, load, weights

import minigrad as mg
import minigrad_rnn
from minigrad.check import check_module
from minigrad_rnn import GRU, LSTM, RNN, unrolled

CASES = {key: case for key, case in load().items() if not key[0].endswith("Cell")}
KINDS = [RNN, LSTM, GRU]


def flat(result):
    """Output and parts of the state, of any layer."""
    output, state = result
    return [output, *(state if isinstance(state, tuple) else (state,))]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(("kind", "options"), CASES)
def test_values_and_gradients_are_pytorchs(kind, options, fused):
    case = CASES[kind, options]
    layer = getattr(minigrad_rnn, kind)(3, 4, **json.loads(options)).double()
    layer.fused = fused
    layer.load_state_dict(weights(case))
    x, *state = (mg.tensor(a, requires_grad=True) for a in group(case, "input"))
    outputs = flat(layer(x, tuple(state) if len(state) > 1 else state[0]))
    cotangents = [mg.tensor(g) for g in group(case, "cotangent")]
    parameters = dict(layer.named_parameters())
    assert list(parameters) == list(weights(case))
    results = [*outputs, *mg.grad(outputs, [x, *state, *parameters.values()], cotangents)]
    for value, expected in zip(results, group(case, "output") + group(case, "gradient"), strict=True):
        np.testing.assert_allclose(value.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_first_weights_are_uniform_within_the_root_of_the_size(kind):
    mg.manual_seed(0)
    for parameter in kind(20, 25, 2).parameters():
        assert parameter.numpy().min() >= -0.2
        assert parameter.numpy().max() < 0.2
        if parameter.ndim == 2:
            assert parameter.numpy().std() == pytest.approx(0.2 / 3**0.5, rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_no_state_is_a_state_of_zeros(kind):
    mg.manual_seed(0)
    layer, x, zeros = kind(2, 3, 2), mg.randn(4, 2, 2), mg.zeros(2, 2, 3)
    for a, b in zip(flat(layer(x)), flat(layer(x, (zeros, zeros) if kind is LSTM else zeros)), strict=True):
        assert np.array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_batch(kind):
    mg.manual_seed(0)
    layer, x = kind(2, 3, 2, bidirectional=True), mg.randn(4, 2)
    output, *state = flat(layer(x))
    batched, *states = flat(layer(x.unsqueeze(1)))
    assert output.shape == (4, 6)
    assert state[0].shape == (4, 3)
    for a, b in zip([output, *state], [batched, *states], strict=True):
        assert np.array_equal(a.numpy(), b.squeeze(1).numpy())
    again = layer(x, tuple(state) if kind is LSTM else state[0])
    assert flat(again)[1].shape == (4, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_state_is_layer_by_layer_and_the_direction_within(kind):
    mg.manual_seed(0)
    layer = kind(2, 3, 2, bidirectional=True)
    output, h, *_ = flat(layer(mg.randn(5, 2, 2)))
    assert np.array_equal(h[2].numpy(), output[-1, :, :3].numpy())
    assert np.array_equal(h[3].numpy(), output[0, :, 3:].numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_two_halves_with_the_state_carried_are_the_whole(kind):
    mg.manual_seed(0)
    layer, x = kind(2, 3, 2), mg.randn(6, 2, 2)
    whole, *last = flat(layer(x))
    first, state = layer(x[:3])
    second, *after = flat(layer(x[3:], state))
    np.testing.assert_allclose(mg.concat([first, second]).numpy(), whole.numpy(), rtol=1e-5, atol=1e-6)
    for a, b in zip(after, last, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_gives_the_whole_sequence(kind, batch_first):
    mg.manual_seed(0)
    layer, x = kind(2, 3, 2, batch_first=batch_first), mg.randn(2, 6, 2)
    whole, *_ = flat(layer(x))
    state, outputs = None, []
    for x_t in x.unbind(1 if batch_first else 0):
        y, state = layer.step(x_t, state)
        outputs.append(y)
    np.testing.assert_allclose(mg.stack(outputs, 1 if batch_first else 0).numpy(), whole.numpy(), rtol=1e-5, atol=1e-6)
    y, _ = layer.step(x[0, 0])
    assert y.shape == (3,)
    with pytest.raises(mg.MinigradError, match="reads a sequence from its end"):
        kind(2, 3, bidirectional=True).step(x[0])


# ---- lengths -----------------------------------------------------------------------------------------------------

LENGTHS = [3, 5, 0, 1]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_different_length_are_as_if_alone(kind, fused):
    mg.manual_seed(0)
    layer = kind(2, 3, 2, bidirectional=True).double()
    layer.fused = fused
    x, h0 = mg.randn(5, 4, 2).double(), mg.randn(4, 4, 3).double()
    state = (h0, h0 * 0.5) if kind is LSTM else h0
    output, *last = flat(layer(x, state, lengths=LENGTHS))
    for row, length in enumerate(LENGTHS):
        own = tuple(s[:, row : row + 1] for s in state) if kind is LSTM else state[:, row : row + 1]
        alone, *end = flat(layer(x[:length, row : row + 1], own))
        np.testing.assert_allclose(output[:length, row].numpy(), alone[:, 0].numpy(), rtol=1e-12, atol=1e-14)
        assert not output[length:, row].numpy().any()
        for part, alone_part in zip(last, end, strict=True):
            np.testing.assert_allclose(part[:, row].numpy(), alone_part[:, 0].numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_padding_reaches_nothing(kind, bad, fused):
    mg.manual_seed(0)
    layer = kind(2, 3, 2, bidirectional=True)
    layer.fused = fused
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(5, 4, 2)).astype("f4")
    seen = np.arange(5)[:, None] < np.array(LENGTHS)
    results = []
    for filler in (0.0, bad):
        x = mg.tensor(np.where(seen[..., None], clean, np.float32(filler)), requires_grad=True)
        outputs = flat(layer(x, lengths=mg.tensor(LENGTHS)))
        g = np.where(seen[..., None], 1.0, filler).astype("f4") * np.ones((1, 1, 6), "f4")
        cotangents = [mg.tensor(g), *(mg.ones_like(s) for s in outputs[1:])]
        results.append([*outputs, *mg.grad(outputs, [x, *layer.parameters()], cotangents)])
    for a, b in zip(*results, strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
        assert np.isfinite(a.numpy()).all()
    assert not results[0][len(outputs)].numpy()[~seen].any()


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(("steps", "size"), [(0, 2), (3, 0), (0, 0)])
@pytest.mark.parametrize("kind", KINDS)
def test_no_steps_and_no_rows(kind, steps, size, fused):
    mg.manual_seed(0)
    layer = kind(2, 3, 2, bidirectional=True)
    layer.fused = fused
    h0 = mg.randn(4, size, 3)
    x = mg.zeros(steps, size, 2, requires_grad=True)
    for lengths in (None, [0] * size):
        output, *last = flat(layer(x, (h0, h0) if kind is LSTM else h0, lengths=lengths))
        assert output.shape == (steps, size, 6)
        assert all(part.tolist() == h0.tolist() for part in last)
        if output.requires_grad:
            gradients = mg.grad(output.sum(), [x, *layer.parameters()], allow_unused=True)
            assert all(g is None or not g.numpy().any() for g in gradients)


def test_lengths_of_the_wrong_kind():
    layer, x = GRU(2, 3), mg.zeros(4, 2, 2)
    with pytest.raises(mg.ShapeError, match="3 lengths for 2 sequences"):
        layer(x, lengths=[1, 2, 3])
    with pytest.raises(mg.ShapeError, match="sequence 1 cannot have length 5; there are 4 steps"):
        layer(x, lengths=[4, 5])
    with pytest.raises(mg.ShapeError, match="cannot have length -1"):
        layer(x, lengths=[4, -1])
    with pytest.raises(mg.DtypeError, match="must be integers"):
        layer(x, lengths=[1.5, 2])


# ---- dropout, plan, errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_acts_between_layers_in_training_only(kind):
    mg.manual_seed(0)
    plain, x = kind(2, 3, 2), mg.randn(4, 2, 2)
    layer = kind(2, 3, 2, dropout=0.5)
    layer.load_state_dict(plain.state_dict())
    assert np.array_equal(layer.eval()(x)[0].numpy(), plain(x)[0].numpy())
    layer.train()
    below, above = kind(2, 3), kind(3, 3)
    for alone, number in ((below, 0), (above, 1)):
        named = ((name, name.replace("_l0", f"_l{number}")) for name, _ in alone.named_parameters())
        alone.load_state_dict({name: plain.state_dict()[whole] for name, whole in named})
    for layer.fused in (True, False):
        mg.manual_seed(3)
        found = flat(layer(x))
        mg.manual_seed(3)
        between, *first = flat(below(x))
        dropped = mg.dropout(between, 0.5)  # neither the inputs, nor the outputs, nor the states
        assert 0 < (dropped.numpy() == 0).sum() < dropped.numpy().size
        output, *second = flat(above(dropped))
        expected = [output, *(mg.concat(parts) for parts in zip(first, second, strict=True))]
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    results = []
    for layer.fused in (True, False):
        mg.manual_seed(3)
        output, _ = layer(x)
        results.append([output, *mg.grad(output.sum(), list(layer.parameters()))])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-6)
    with pytest.warns(UserWarning, match="acts between layers, and there is only one"):
        kind(2, 3, dropout=0.5)


def test_the_plan_says_which_path_and_why():
    layer = LSTM(2, 3, 2, bidirectional=True)
    assert [row.part for row in layer.plan()] == ["layer0.fwd", "layer0.bwd", "layer1.fwd", "layer1.bwd"]
    assert {row.path for row in layer.plan()} == {"fused"}
    with unrolled():
        assert {(row.path, row.reason) for row in layer.plan()} == {
            ("unrolled", "every op is recorded: inside unrolled()")
        }
    layer.fused = False
    assert layer.plan()[0] == ("layer0.fwd", "unrolled", "every op is recorded: fused is False")


@pytest.mark.parametrize("kind", KINDS)
def test_contract(kind):
    mg.manual_seed(0)
    assert check_module(kind(2, 3, 2, bidirectional=True), mg.randn(3, 2, 2))


def test_wrong_shapes_are_explained():
    layer = LSTM(2, 3)
    with pytest.raises(mg.ShapeError, match=r"LSTM: .*\(steps, batch, 2\).*\(steps, 2\), not \(5, 4, 3\)\n.*=2"):
        layer(mg.zeros(5, 4, 3))
    with pytest.raises(mg.ShapeError, match=r"\(batch, steps, 2\)"):
        LSTM(2, 3, batch_first=True)(mg.zeros(5, 4, 3))
    with pytest.raises(mg.ShapeError, match=r"not \(5,\)\n.*unsqueeze"):
        layer(mg.zeros(5))
    with pytest.raises(mg.ShapeError, match=r"the state c must have shape \(1, 4, 3\), not \(1, 4, 2\)"):
        layer(mg.zeros(5, 4, 2), (mg.zeros(1, 4, 3), mg.zeros(1, 4, 2)))
    with pytest.raises(mg.ShapeError, match=r"the state h must have shape \(2, 4, 3\), not \(4, 3\)"):
        RNN(2, 3, bidirectional=True)(mg.zeros(5, 4, 2), mg.zeros(4, 3))
    with pytest.raises(mg.ShapeError, match=r"the state is \(h, c\), not a list"):
        layer(mg.zeros(5, 4, 2), [mg.zeros(1, 4, 3)])
    with pytest.raises(mg.DtypeError):
        layer(mg.zeros(5, 4, 2, dtype=mg.float64))


def test_wrong_options_are_explained():
    with pytest.raises(mg.ShapeError, match="num_layers must be at least 1, not 0"):
        GRU(2, 3, 0)
    for size in (3, 4, -1):
        with pytest.raises(mg.ShapeError, match=f"proj_size={size} must be from 0 .* 2"):
            LSTM(2, 3, proj_size=size)
    with pytest.raises(mg.ShapeError, match=r"num_layers must be a whole number, not 2\.0"):
        GRU(2, 3, 2.0)
    for p in (-0.1, 1.5, True, "a"):
        with pytest.raises(mg.MinigradError, match="dropout is a probability"):
            GRU(2, 3, 2, dropout=p)
    shown = repr(LSTM(2, 3, 2, proj_size=1, bidirectional=True))
    assert shown.startswith("LSTM(2, 3, num_layers=2, bidirectional=True, proj_size=1)")
