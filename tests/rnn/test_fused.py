"""The fused path is the unrolled path: outputs, gradients of any order, any use of the graph."""

from __future__ import annotations

import contextlib
import gc
import tracemalloc
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from option_helpers import filled

import minigrad as mg
from minigrad_rnn import GRU, LSTM, RNN, uncompiled, unrolled
from minigrad_rnn.kernels import memory

KINDS = [RNN, LSTM, GRU]
PATHS = [contextlib.nullcontext, uncompiled]


def flat(result):
    output, state = result
    return [output, *(state if isinstance(state, tuple) else (state,))]


def random(rng, *shape):
    return mg.tensor(rng.normal(size=shape), requires_grad=True)


def layer_of(kind, seed=0, input_size=3, hidden_size=4, **options):
    mg.manual_seed(seed)
    return kind(input_size, hidden_size, **options).double()


GATES = ["sigmoid", "sigmoid", "hardsigmoid", "hardsigmoid_onnx", "tanh", "softsign"]
OTHERS = ["tanh", "tanh", "relu", "sigmoid", "identity", "hardtanh", "softsign", "elu", "leaky_relu"]
NORMS = {RNN: [None, "ba"], GRU: [None, "ba"], LSTM: [None, "ba", "torch"]}


@st.composite
def equations(draw, kind):
    """Options of the equations that have a kernel."""
    options = {
        "nonlinearity": draw(st.sampled_from(OTHERS)),
        "gate_clip": draw(st.sampled_from([None, None, 0.7])),
        "layer_norm": draw(st.sampled_from(NORMS[kind])),
    }
    if kind is not RNN:
        options["gate_nonlinearity"] = draw(st.sampled_from(GATES))
    if kind is GRU:
        options["reset_after"] = draw(st.booleans())
        options["update_gate"] = draw(st.sampled_from(["keep", "new"]))
    if kind is LSTM:
        options["output_nonlinearity"] = draw(st.sampled_from(OTHERS))
        options["peephole"], options["coupled"] = draw(st.booleans()), draw(st.booleans())
        options["cell_clip"] = draw(st.sampled_from([None, None, 0.4]))
        options["proj_size"] = draw(st.sampled_from([0, 0, 1]))
    return options


@st.composite
def configurations(draw):
    """A layer with any options, what to give it, and how to look at it."""
    kind = draw(st.sampled_from(KINDS))
    options = {
        "num_layers": draw(st.integers(1, 2)),
        "bias": draw(st.booleans()),
        "bidirectional": draw(st.booleans()),
        "hidden_size": draw(st.integers(2, 4)),
        "input_size": draw(st.integers(1, 3)),
        "zoneout": draw(st.sampled_from([0.0, 0.0, 0.5, (0.6, 0.0), (0.3, 0.5)])),
        "variational": draw(st.sampled_from([0.0, 0.0, 0.4])),
        "weight_dropout": draw(st.sampled_from([0.0, 0.0, 0.3])),
    }
    if kind is not LSTM and isinstance(options["zoneout"], tuple):
        options["zoneout"] = options["zoneout"][0]
    if draw(st.booleans()):
        options |= draw(equations(kind))
    return Configuration(
        kind,
        options,
        steps=draw(st.integers(0, 6)),
        rows=draw(st.integers(1, 4)),
        gaps=draw(st.sampled_from(["none", "lengths", "mask"])),
        training=draw(st.booleans()),
        every=draw(st.booleans()),
        seed=draw(st.integers(0, 100)),
    )


class Configuration(NamedTuple):
    kind: Any
    options: dict[str, Any]
    steps: int
    rows: int
    gaps: str
    training: bool
    every: bool
    seed: int

    def inputs(self, rng):
        """Inputs with NaN in the gaps, and which elements there are."""
        x = rng.normal(size=(self.steps, self.rows, self.options["input_size"]))
        gaps, there = {}, np.ones(x.shape[:2], bool)
        if self.gaps == "lengths":
            gaps["lengths"] = rng.integers(0, self.steps + 1, self.rows).tolist()
            there = np.arange(self.steps)[:, None] < gaps["lengths"]
        elif self.gaps == "mask":
            gaps["mask"] = there = rng.random(x.shape[:2]) < 0.7
        x[~there] = np.nan
        return mg.tensor(x, requires_grad=True), gaps

    def state(self, layer, rng):
        count = layer.num_layers * len(layer.reverses)
        return [random(rng, count, self.rows, size) for size in layer.sizes_of(0, False)]


def all_of(result):
    """Every tensor in what a layer returns."""
    return [result] if isinstance(result, mg.Tensor) else [tensor for part in result for tensor in all_of(part)]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(configurations())
def test_the_same_for_every_configuration(configuration):
    kind, options = configuration[:2]
    layer, rng = filled(kind(**options), configuration.seed).train(configuration.training), np.random.default_rng(1)
    x, gaps = configuration.inputs(rng)
    state = configuration.state(layer, rng)
    sources, results, cotangents = [x, *state, *layer.parameters()], [], None
    for layer.fused in (True, False):
        mg.manual_seed(0)
        outputs = all_of(layer(x, as_hx(state), return_all_states=configuration.every, **gaps))
        cotangents = cotangents or [mg.tensor(rng.normal(size=y.shape)) for y in outputs]
        reached = [i for i, y in enumerate(outputs) if 0 not in y.shape and looked_at(configuration.seed, i)] or [1]
        chosen, arriving = [outputs[i] for i in reached], [cotangents[i] for i in reached]
        gradients = mg.grad(chosen, sources, arriving, allow_unused=True)
        results.append([y.numpy() for y in outputs] + [0 if g is None else g.numpy() for g in gradients])
    assert all(plan.path == "unrolled" for plan in layer.plan())
    layer.fused = True
    assert all(plan.path == "fused" for plan in layer.plan())
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b + 0 * a, rtol=1e-11, atol=1e-12 * max(1.0, np.abs(b).max(initial=0)))


def as_hx(state):
    return tuple(state) if len(state) > 1 else state[0]


def looked_at(seed, i):
    """Whether anything arrives at output ``i``."""
    return np.random.default_rng([seed, i]).random() < 0.6


VARIANTS = [
    (RNN, {}),
    (RNN, {"nonlinearity": "relu"}),
    (LSTM, {}),
    (LSTM, {"proj_size": 2}),
    (LSTM, {"bias": False, "bidirectional": True}),
    (GRU, {}),
    (GRU, {"reset_after": False, "update_gate": "new"}),
    (GRU, {"num_layers": 2}),
    (LSTM, {"layer_norm": "ba", "zoneout": 0.4}),
    (LSTM, {"layer_norm": "torch", "peephole": True, "variational": 0.3}),
    (LSTM, {"coupled": True, "peephole": True, "cell_clip": 0.3, "gate_clip": 0.6, "proj_size": 2}),
    (LSTM, {"gate_nonlinearity": "softsign", "nonlinearity": "softplus", "output_nonlinearity": "identity"}),
    (GRU, {"layer_norm": "ba", "zoneout": 0.4, "gate_clip": 0.6}),
    (GRU, {"layer_norm": "ba", "variational": 0.3, "reset_after": False, "update_gate": "new"}),
    (GRU, {"gate_nonlinearity": "softsign", "nonlinearity": "sigmoid", "reset_after": False, "gate_clip": 0.3}),
    (GRU, {"gate_nonlinearity": "hardsigmoid", "update_gate": "new", "variational": 0.3, "zoneout": 0.4}),
    (RNN, {"layer_norm": "ba", "zoneout": 0.4, "nonlinearity": "sigmoid"}),
    (RNN, {"nonlinearity": "softplus", "gate_clip": 0.6, "variational": 0.3}),
]


@pytest.mark.parametrize("lengths", [None, [3, 0]])
@pytest.mark.parametrize(("kind", "options"), VARIANTS)
def test_gradients_of_first_and_second_order(kind, options, lengths):
    layer, rng = layer_of(kind, input_size=2, hidden_size=3, **options), np.random.default_rng(0)
    x = random(rng, 3, 2, 2)

    def function(x, *parameters):
        mg.manual_seed(0)
        return all_of(layer(x, lengths=lengths, return_all_states=kind is LSTM))

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


@pytest.mark.parametrize(("sizes", "dtype"), [((4, 2, 4), "f8"), ((20, 16, 64), "f8"), ((20, 16, 64), "f4")], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_two_forwards_and_one_without_gradients_before_one_backward(kind, sizes, dtype):
    """Arrays of the larger sizes are in memory that is used again, and must not be while anything needs them."""
    steps, batch, hidden = sizes
    layer, rng = layer_of(kind, hidden_size=hidden), np.random.default_rng(0)
    layer = layer if dtype == "f8" else layer.float()
    x, y = (mg.tensor(rng.normal(size=(steps, batch, 3)).astype(dtype), requires_grad=True) for _ in range(2))
    assert (layer(x)[0].numpy().nbytes >= memory.LEAST) == (hidden > 4)
    alone = [mg.grad(layer(v)[0].square().sum(), [v, *layer.parameters()]) for v in (x, y)]
    alone = [[mg.tensor(g.numpy().copy()) for g in gradients] for gradients in alone]
    first = layer(x)[0]
    kept = first.numpy().copy()
    second = layer(y)[0]
    with mg.no_grad():
        layer(x * 3)
    assert np.array_equal(first.numpy(), kept)
    together = mg.grad(first.square().sum() + second.square().sum(), [x, y, *layer.parameters()])
    expected = [alone[0][0], alone[1][0], *(a + b for a, b in zip(alone[0][1:], alone[1][1:], strict=True))]
    for a, b in zip(together, expected, strict=True):
        scale = np.abs(b.numpy()).max()
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0, atol=(1e-13 if dtype == "f8" else 1e-5) * scale)


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


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("kind", "options"), VARIANTS)
def test_keeping_no_more_than_a_step_gives_the_same_numbers(kind, options, training, every, monkeypatch):
    layer, x = layer_of(kind, **options).train(training), random(np.random.default_rng(0), 5, 2, 3)
    results = []
    for recorded, block in ((True, 1 << 18), (False, 1)):
        monkeypatch.setattr("minigrad_rnn.kernels.batch.BLOCK", block)
        mg.manual_seed(0)
        with mg.enable_grad() if recorded else mg.no_grad():
            results.append(all_of(layer(x, lengths=[5, 3], return_all_states=every)))
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

    def run(device, training=True):
        mg.manual_seed(0)
        layer = kind(2, 3, **options).to(device).train(training)
        x = mg.tensor(values, device=device, requires_grad=True)
        with cuda.waits(0) if device == "cuda" else cuda.waits(None):
            outputs = flat(layer(x, lengths=lengths))
            gradients = mg.grad(outputs[0].square().sum(), [x, *layer.parameters()])
        return [*outputs, *gradients]

    drawn = not kind(2, 3, **options).noise.quiet
    if drawn:  # each device draws its own masks
        run("cuda")
    for a, b in zip(run("cpu", not drawn), run("cuda", not drawn), strict=True):
        assert b.device == "cuda:0"
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("options", [{}, {"layer_norm": "ba"}])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", PATHS)
def test_without_gradients_memory_does_not_grow_with_the_steps_beyond_the_outputs(
    path, kind, options, padded, monkeypatch
):
    layer, beyond = kind(32, 64, **options), []
    with path(), mg.no_grad():
        layer(mg.zeros(2, 8, 32))  # compiles steps
        for steps in (800, 1600):
            monkeypatch.setattr(memory, "_store", memory.Store())
            x, given = mg.zeros(steps, 8, 32), {"lengths": [steps // 2] * 8} if padded else {}
            tracemalloc.start()
            output, _ = layer(x, **given)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            beyond.append(peak - output.numpy().nbytes)
    assert beyond[1] < beyond[0] + 400_000  # 800 steps of inputs are twice that, of outputs four times that


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_last_state_does_not_keep_all_others_alive(kind, path, recorded):
    layer = kind(3, 16)
    for lengths in (None, [20, 7]):
        with path(), mg.enable_grad() if recorded else mg.no_grad():
            _, *last = flat(layer(mg.zeros(20, 2, 3), lengths=lengths))
        for part in last:
            owner = part.numpy()
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            assert owner.nbytes == part.numpy().nbytes


def test_a_hundred_thousand_steps():
    layer, x = LSTM(1, 2), mg.zeros(100_000, 1, 1)
    output, _ = layer(x)
    output.sum().backward()
    assert np.isfinite(layer.weight_hh_l0.grad.numpy()).all()
