"""The fused path is the unrolled path: outputs, gradients of any order, any use of the graph."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import minigrad as mg
from minigrad_rnn import GRU, LSTM, RNN, unrolled

KINDS = [RNN, LSTM, GRU]


def flat(result):
    output, state = result
    return [output, *(state if isinstance(state, tuple) else (state,))]


def random(rng, *shape):
    return mg.tensor(rng.normal(size=shape), requires_grad=True)


def layer_of(kind, seed=0, input_size=3, hidden_size=4, **options):
    mg.manual_seed(seed)
    return kind(input_size, hidden_size, **options).double()


@st.composite
def configurations(draw):
    kind = draw(st.sampled_from(KINDS))
    options = {
        "num_layers": draw(st.integers(1, 2)),
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bidirectional": draw(st.booleans()),
        "hidden_size": draw(st.integers(2, 4)),
        "input_size": draw(st.integers(1, 3)),
    }
    if kind is RNN:
        options["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    if kind is GRU:
        options["reset_after"] = draw(st.booleans())
        options["update_gate"] = draw(st.sampled_from(["keep", "new"]))
    if kind is LSTM and draw(st.booleans()):
        options["proj_size"] = 1
    steps, size = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    lengths = draw(st.none() | st.lists(st.integers(0, steps), min_size=size, max_size=size))
    reached = draw(st.sets(st.integers(0, 2 if kind is LSTM else 1), min_size=1))
    return kind, options, steps, size, lengths, reached, draw(st.booleans())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(configurations())
def test_the_same_for_every_configuration(configuration):
    kind, options, steps, size, lengths, reached, with_state = configuration
    layer, rng = layer_of(kind, **options), np.random.default_rng(1)
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    x = random(rng, *((size, steps) if layer.batch_first else (steps, size)), layer.input_size)
    sizes = [layer.proj_size or layer.hidden_size, layer.hidden_size][: 2 if kind is LSTM else 1]
    state = [random(rng, count, size, features) for features in sizes]
    hx = (tuple(state) if kind is LSTM else state[0]) if with_state else None
    sources = [x, *(state if with_state else []), *layer.parameters()]
    results, cotangents = [], None
    for layer.fused in (True, False):
        outputs = flat(layer(x, hx, lengths=lengths))
        cotangents = cotangents or [mg.tensor(rng.normal(size=y.shape)) for y in outputs]
        chosen = [i for i in reached if outputs[i].requires_grad]
        gradients = mg.grad(
            [outputs[i] for i in chosen], sources, [cotangents[i] for i in chosen], allow_unused=True
        )
        results.append([y.numpy() for y in outputs] + [0 if g is None else g.numpy() for g in gradients])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b + 0 * a, rtol=1e-12, atol=1e-12)


VARIANTS = [
    (RNN, {}),
    (RNN, {"nonlinearity": "relu"}),
    (LSTM, {}),
    (LSTM, {"proj_size": 2}),
    (LSTM, {"bias": False, "bidirectional": True}),
    (GRU, {}),
    (GRU, {"reset_after": False, "update_gate": "new"}),
    (GRU, {"num_layers": 2}),
]


@pytest.mark.parametrize("lengths", [None, [3, 0]])
@pytest.mark.parametrize(("kind", "options"), VARIANTS)
def test_gradients_of_first_and_second_order(kind, options, lengths):
    layer, rng = layer_of(kind, input_size=2, hidden_size=3, **options), np.random.default_rng(0)
    x = random(rng, 3, 2, 2)

    def function(x, *parameters):
        return flat(layer(x, lengths=lengths))

    parameters = list(layer.parameters())
    assert mg.gradcheck(function, x, *parameters)
    assert mg.gradgradcheck(function, x, *parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_recorded_is_the_gradient(kind):
    layer, rng = layer_of(kind, bidirectional=True), np.random.default_rng(0)
    x = random(rng, 4, 2, 3)
    sources = [x, *layer.parameters()]
    first = mg.grad(layer(x)[0].square().sum(), sources)
    recorded = mg.grad(layer(x)[0].square().sum(), sources, create_graph=True)
    with unrolled():
        outside = mg.grad(layer(x)[0].square().sum(), sources, create_graph=True)
    second = [mg.grad(sum(g.square().sum() for g in gradients), sources) for gradients in (recorded, outside)]
    for a, b in [*zip(first, recorded, strict=True), *zip(*second, strict=True)]:
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_second_order_of_a_layer_that_reads_itself(kind):
    layer = layer_of(kind, input_size=4, hidden_size=4)
    x = random(np.random.default_rng(0), 3, 2, 4)
    results = []
    for layer.fused in (True, False):
        loss = layer(layer(x)[0])[0].square().sum()
        gradients = mg.grad(loss, [x, *layer.parameters()], create_graph=True)
        results.append([*gradients, *mg.grad(sum(g.square().sum() for g in gradients), [x, *layer.parameters()])])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_backward_twice_with_the_graph_retained(kind):
    layer, x = layer_of(kind), random(np.random.default_rng(0), 4, 2, 3)
    loss = layer(x, lengths=[4, 2])[0].square().sum()
    first = mg.grad(loss, [x, *layer.parameters()], retain_graph=True)
    second = mg.grad(loss, [x, *layer.parameters()])
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
    with pytest.raises(mg.GraphError, match="a second time"):
        loss.backward()


@pytest.mark.parametrize("kind", KINDS)
def test_two_forwards_and_one_without_gradients_before_one_backward(kind):
    layer, rng = layer_of(kind), np.random.default_rng(0)
    x, y = random(rng, 4, 2, 3), random(rng, 4, 2, 3)
    alone = [mg.grad(layer(v)[0].square().sum(), [v, *layer.parameters()]) for v in (x, y)]
    first = layer(x)[0]
    kept = first.numpy().copy()
    second = layer(y)[0]
    with mg.no_grad():
        layer(x * 3)
    assert np.array_equal(first.numpy(), kept)
    together = mg.grad(first.square().sum() + second.square().sum(), [x, y, *layer.parameters()])
    expected = [alone[0][0], alone[1][0], *(a + b for a, b in zip(alone[0][1:], alone[1][1:], strict=True))]
    for a, b in zip(together, expected, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_without_gradients_and_in_evaluation_the_outputs_are_the_same(kind):
    layer, x = layer_of(kind, num_layers=2, bidirectional=True), random(np.random.default_rng(0), 6, 3, 3)
    tracked = flat(layer(x, lengths=[6, 0, 4]))
    with mg.no_grad():
        plain = flat(layer.eval()(x, lengths=[6, 0, 4]))
    for a, b in zip(tracked, plain, strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
        assert not b.requires_grad
    mg.grad(flat(layer(x))[0].sum(), x)


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_weights_and_inputs_that_need_nothing(kind):
    layer, x = layer_of(kind), random(np.random.default_rng(0), 4, 2, 3)
    (expected,) = mg.grad(layer(x)[0].sum(), layer.weight_ih_l0)
    layer.weight_hh_l0.requires_grad = False
    layer(x.detach())[0].sum().backward()
    assert layer.weight_hh_l0.grad is None
    np.testing.assert_allclose(layer.weight_ih_l0.grad.numpy(), expected.numpy(), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_strides_of_the_input_do_not_matter(kind):
    layer, rng = layer_of(kind), np.random.default_rng(0)
    wide = rng.normal(size=(3, 4, 10))
    views = [wide[:, :, ::-2][:, :, :3].transpose(1, 0, 2), wide[::-1, :, 1:4].transpose(1, 0, 2)]
    for view in views:
        results = []
        for array in (view, np.ascontiguousarray(view)):
            x = mg.tensor(array, requires_grad=True)
            output = layer(x)[0]
            results.append((output.numpy(), mg.grad(output.square().sum(), x)[0].numpy()))
        for a, b in zip(*results, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_many_chunks_are_one(kind, monkeypatch):
    layer, x = layer_of(kind), random(np.random.default_rng(0), 9, 2, 3)
    results = []
    for chunk in (1 << 20, 1):
        monkeypatch.setattr("minigrad_rnn.kernels.batch.CHUNK", chunk)
        monkeypatch.setattr("minigrad_rnn.kernels.batch.LEAST", 8)
        monkeypatch.setattr("minigrad_rnn.kernels.batch.BLOCK", chunk)
        output = layer(x, lengths=[9, 3])[0]
        results.append([output, *mg.grad(output.square().sum(), [x, *layer.parameters()])])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_arguments_saturate_without_a_warning(kind):
    layer = layer_of(kind)
    output = layer(mg.tensor([[[1e4, -1e4, 1e4]], [[-1e4, 1e4, 0.0]]], requires_grad=True).double())[0]
    output.sum().backward()
    assert np.isfinite(output.numpy()).all()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_float32_stays_float32(kind):
    layer = kind(3, 4, 2, bidirectional=True)
    x = mg.ones(3, 2, 3, requires_grad=True)
    outputs = flat(layer(x, lengths=[3, 1]))
    assert {y.dtype for y in outputs} == {mg.float32}
    assert {g.dtype for g in mg.grad(outputs[0].sum(), [x, *layer.parameters()])} == {mg.float32}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_for_the_garbage_collector(kind):
    layer, x = kind(3, 4), mg.ones(3, 2, 3)
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            layer(x)[0].sum().backward()
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("lengths", [None, [3, 0]])
@pytest.mark.parametrize(("kind", "options"), VARIANTS)
def test_the_same_on_a_device_without_waiting(cuda, kind, options, lengths):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 2, 2)).astype("f4")

    def run(device):
        mg.manual_seed(0)
        layer = kind(2, 3, **options).to(device)
        x = mg.tensor(values, device=device, requires_grad=True)
        with cuda.waits(0) if device == "cuda" else cuda.waits(None):
            outputs = flat(layer(x, lengths=lengths))
            gradients = mg.grad(outputs[0].square().sum(), [x, *layer.parameters()])
        return [*outputs, *gradients]

    for a, b in zip(run("cpu"), run("cuda"), strict=True):
        assert b.device == "cuda:0"
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_without_gradients_memory_does_not_grow_with_the_steps_beyond_the_outputs(kind):
    layer = kind(8, 32)
    beyond = []
    for steps in (3000, 6000):
        x = mg.zeros(steps, 8, 8)
        tracemalloc.start()
        with mg.no_grad():
            output, _ = layer(x)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        beyond.append(peak - output.numpy().nbytes)
    assert beyond[1] < beyond[0] + 200_000


def test_a_hundred_thousand_steps():
    layer, x = LSTM(1, 2), mg.zeros(100_000, 1, 1)
    output, _ = layer(x)
    output.sum().backward()
    assert np.isfinite(layer.weight_hh_l0.grad.numpy()).all()
