"""Compiled steps are the NumPy kernels: outputs, states and gradients, to rounding in double precision.

Layers compile their steps in single precision only. The same steps can be compiled for double, and are here, because
there rounding hides nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from option_helpers import COMPILED, filled, parts_of

pytest.importorskip("numba")

import minigrad as mg
from minigrad_rnn import GRU, LSTM, RNN, compiled, uncompiled
from minigrad_rnn.compiled.sequence import Sequence
from minigrad_rnn.kernels.batch import ranges

KINDS = [RNN, LSTM, GRU]
NORMS = {RNN: [None, "ba"], GRU: [None, "ba"], LSTM: [None, "ba", "torch"]}
PATHS = [contextlib.nullcontext, uncompiled]


@pytest.fixture(autouse=True, scope="module")
def double_precision() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "DTYPES", [np.dtype("float32"), np.dtype("float64")])
        yield


def flat(result):
    """The outputs, the parts of the last state and, if they were asked for, those of the states of every step."""
    output, *states = result
    return [output, *(part for state in states for part in parts_of(state))]


def reasons(layer):
    """How each layer and direction runs, without repetition."""
    return {plan.reason.removeprefix("one op for the whole sequence, ") for plan in layer.plan()}


def random(rng, *shape):
    return mg.tensor(rng.normal(size=shape), requires_grad=True)


def as_hx(state):
    return tuple(state) if len(state) > 1 else state[0]


def close(results):
    """Assert that both lists hold the same tensors, up to rounding; ``None`` at the same places."""
    for first, second in zip(*results, strict=True):
        assert (first is None) == (second is None)
        if first is not None:
            a, b = first.numpy(), second.numpy()
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12 * max(1.0, np.abs(b).max(initial=0)))


class Configuration(NamedTuple):
    """A layer, what to give it, and what arrives at its outputs."""

    kind: Any
    options: dict[str, Any]
    noise: dict[str, Any]
    steps: int
    rows: int
    gaps: str
    batched: bool
    state_from: str
    every: bool
    training: bool
    chunked: bool
    arriving: tuple[str, ...]
    seed: int

    def input(self, rng):
        """Inputs with NaN in the gaps, and which elements there are."""
        there, given = np.ones((self.steps, self.rows), bool), {}
        if self.gaps == "lengths":
            lengths = rng.integers(0, self.steps + 1, self.rows)
            there, given = np.arange(self.steps)[:, None] < lengths, {"lengths": lengths.tolist()}
            if not self.batched:
                given = {"lengths": int(lengths[0])}
        elif self.gaps == "mask":
            there = rng.random(there.shape) < 0.6
            given = {"mask": self.arranged(there)}
        x = rng.normal(size=(self.steps, self.rows, self.options["input_size"]))
        x[~there] = np.nan
        return mg.tensor(self.arranged(x), requires_grad=True), given

    def arranged(self, steps):
        """In the layer's order of dims."""
        if not self.batched:
            return steps[:, 0]
        return steps.swapaxes(0, 1) if self.options["batch_first"] else steps

    def state(self, layer, rng):
        if self.state_from == "nothing":
            return []
        rows, share = (self.rows,) if self.batched else (), 0.0 if self.state_from == "zeros" else 1.0
        shapes = [(layer.num_layers * len(layer.reverses), *rows, n) for n in layer.sizes_of(0, False)]
        return [mg.tensor(share * rng.normal(size=shape), requires_grad=True) for shape in shapes]

    def cotangents(self, outputs, rng):
        """For the numbers of some of the outputs, what arrives there, in any layout."""
        forms = {
            "dense": lambda shape: mg.tensor(rng.normal(size=shape)),
            "strided": lambda shape: mg.from_numpy(rng.normal(size=shape[::-1]).T),
            "broadcast": lambda shape: mg.tensor(rng.normal()).expand(*shape),
        }
        reached = {i: form for i, form in enumerate(self.arriving[: len(outputs)]) if form != "nothing"}
        return {i: forms[form](outputs[i].shape) for i, form in (reached or {1: "dense"}).items()}


@st.composite
def configurations(draw, plain):
    kind, options = draw(st.sampled_from(COMPILED))
    options = options | {
        "input_size": draw(st.integers(1, 4)),
        "hidden_size": draw(st.integers(1, 5)),
        "num_layers": draw(st.integers(1, 2)),
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bidirectional": draw(st.booleans()),
    }
    noise = {
        "variational": draw(st.sampled_from([0.0, 0.4])),
        "weight_dropout": draw(st.sampled_from([0.0, 0.0, 0.3])),
    }
    if not plain:
        options["layer_norm"] = draw(st.sampled_from(NORMS[kind]))
        noise["zoneout"] = draw(st.sampled_from([0.0, 0.5, (0.6, 0.0), (0.0, 0.5), (0.3, 0.5)]))
        if kind is not LSTM and isinstance(noise["zoneout"], tuple):
            noise["zoneout"] = noise["zoneout"][0]
    batched = draw(st.booleans()) or draw(st.booleans())
    return Configuration(
        kind,
        options,
        noise,
        steps=draw(st.integers(0, 6)),
        rows=draw(st.integers(0, 4)) if batched else 1,
        gaps=draw(st.sampled_from(["none", "lengths", "mask"])),
        batched=batched,
        state_from=draw(st.sampled_from(["nothing", "zeros", "numbers"])),
        every=draw(st.booleans()),
        training=draw(st.booleans()),
        chunked=draw(st.booleans()),
        arriving=tuple(draw(st.sampled_from(["dense", "dense", "strided", "broadcast", "nothing"])) for _ in range(5)),
        seed=draw(st.integers(0, 100)),
    )


def compare(configuration):
    """Assert that the compiled layer and that of NumPy agree; returns the former's plan."""
    layer = filled(configuration.kind(**configuration.options, **configuration.noise), configuration.seed)
    layer.train(configuration.training)
    rng = np.random.default_rng(configuration.seed)
    x, given = configuration.input(rng)
    state = configuration.state(layer, rng)
    sources, results, arriving, plans = [x, *state, *layer.parameters()], [], None, []
    with pytest.MonkeyPatch.context() as patch:
        if configuration.chunked:
            patch.setattr("minigrad_rnn.kernels.batch.CHUNK", 1)
            patch.setattr("minigrad_rnn.kernels.batch.LEAST", 3)
            patch.setattr("minigrad_rnn.compiled.sequence.Sequence.spans", lambda self, _: ranges(0, self.steps, 2))
        for path in PATHS:
            with path():
                plans.append(reasons(layer))
                mg.manual_seed(configuration.seed)
                hx = as_hx(state) if state else None
                outputs = flat(layer(x, hx, return_all_states=configuration.every, **given))
                arriving = arriving or configuration.cotangents(outputs, rng)
                chosen = [outputs[i] for i in arriving]
                gradients = mg.grad(chosen, sources, list(arriving.values()), allow_unused=True)
            results.append([*outputs, *gradients])
    close(results)
    assert all(np.isfinite(y.numpy()).all() for y in results[0] if y is not None)
    assert plans[1] == {"in NumPy: inside uncompiled()"}
    return plans[0]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(configurations(plain=True))
def test_the_same_for_every_configuration(configuration):
    assert compare(configuration) == {"compiled"}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(configurations(plain=False))
def test_the_same_with_layer_norm_and_zoneout(configuration):
    compare(configuration)


@pytest.mark.usefixtures("small_are_quick")
@pytest.mark.parametrize("options", [{}, {"layer_norm": "ba"}, {"zoneout": 0.3}, {"variational": 0.3}])
@pytest.mark.parametrize(("kind", "equation"), COMPILED)
def test_the_same_where_products_are_cut_into_pieces(kind, equation, options):
    layer = kind(40, 256, bidirectional=True, **equation, **options).double()
    rng = np.random.default_rng(0)
    x = random(rng, 4, 24, 40)
    sources, results = [x, *layer.parameters()], []
    for path in PATHS:
        with path():
            mg.manual_seed(0)
            outputs = flat(layer(x, lengths=[4, 0, 2, 3] * 6))
            results.append([*outputs, *mg.grad([y.square().sum() for y in outputs], sources)])
    close(results)


@pytest.mark.usefixtures("small_are_quick")
@pytest.mark.parametrize(("rows", "batch", "last"), [(64, 50, (91, 100)), (64, 1000, (99, 100)), (65, 50, (50, 100))])
def test_the_gradient_of_a_small_weight_is_summed_over_few_steps(rows, batch, last):
    spans = Sequence(np.zeros((100, batch, 3)), False, None).spans(np.zeros((rows, 32)))
    assert [t for start, stop in spans for t in range(start, stop)] == list(range(100))
    assert spans[-1] == last


# ---- uses of the graph -------------------------------------------------------------------------------------------

VARIANTS = [
    *COMPILED,
    (LSTM, {"bias": False, "bidirectional": True}),
    (GRU, {"num_layers": 2, "variational": 0.3}),
    (LSTM, {"layer_norm": "ba", "zoneout": 0.4}),
    (LSTM, {"layer_norm": "torch", "zoneout": (0.0, 0.4)}),
    (GRU, {"layer_norm": "ba", "zoneout": 0.4}),
    (RNN, {"layer_norm": "ba", "zoneout": 0.4}),
]


def layer_of(kind, input_size=3, hidden_size=4, **options):
    return filled(kind(input_size, hidden_size, **options))


@pytest.mark.parametrize("lengths", [None, [2, 0]])
@pytest.mark.parametrize(("kind", "options"), VARIANTS)
def test_gradients_of_first_and_second_order(kind, options, lengths):
    layer, x = layer_of(kind, 2, 2, **options), random(np.random.default_rng(0), 3, 2, 2)

    def function(x, *parameters):
        mg.manual_seed(0)
        return tuple(flat(layer(x, lengths=lengths)))

    parameters = list(layer.parameters())
    assert mg.gradcheck(function, x, *parameters)
    assert mg.gradgradcheck(function, x, *parameters)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("kind", "options"), VARIANTS)
def test_the_gradient_may_be_computed_the_other_way(kind, options, path):
    layer, x = layer_of(kind, **options), random(np.random.default_rng(0), 4, 2, 3)
    sources, results = [x, *layer.parameters()], []
    for around in PATHS:
        mg.manual_seed(0)
        with around():
            outputs = flat(layer(x, lengths=[4, 2]))
        with path():
            results.append(mg.grad([y.square().sum() for y in outputs], sources))
    close(results)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_recorded_is_the_gradient(kind):
    layer, x = layer_of(kind, bidirectional=True), random(np.random.default_rng(0), 4, 2, 3)
    sources = [x, *layer.parameters()]
    first = mg.grad(layer(x)[0].square().sum(), sources)
    recorded = mg.grad(layer(x)[0].square().sum(), sources, create_graph=True)
    with uncompiled():
        other = mg.grad(layer(x)[0].square().sum(), sources, create_graph=True)
    close([first, recorded])
    close([mg.grad(sum(g.square().sum() for g in gradients), sources) for gradients in (recorded, other)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_that_reads_itself(kind):
    layer, x = layer_of(kind, 4, 4), random(np.random.default_rng(0), 3, 2, 4)
    results = []
    for path in PATHS:
        with path():
            output, state = layer(x)
            results.append(mg.grad(layer(output, state)[0].square().sum(), [x, *layer.parameters()]))
    close(results)


@pytest.mark.parametrize("kind", KINDS)
def test_backward_twice_with_the_graph_retained(kind):
    layer, x = layer_of(kind), random(np.random.default_rng(0), 4, 2, 3)
    loss = sum(y.square().sum() for y in flat(layer(x, lengths=[4, 2])))
    first = mg.grad(loss, [x, *layer.parameters()], retain_graph=True)
    layer(x * 2)
    second = mg.grad(loss, [x, *layer.parameters()])
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
    with pytest.raises(mg.GraphError, match="a second time"):
        loss.backward()


@pytest.mark.parametrize("kind", KINDS)
def test_two_forwards_before_one_backward(kind):
    layer, rng = layer_of(kind), np.random.default_rng(0)
    x, y = random(rng, 4, 2, 3), random(rng, 5, 3, 3)
    alone = [mg.grad(layer(v)[0].square().sum(), [v, *layer.parameters()]) for v in (x, y)]
    outputs = [layer(v)[0] for v in (x, y)]
    together = mg.grad(sum(output.square().sum() for output in outputs), [x, y, *layer.parameters()])
    close([together, [alone[0][0], alone[1][0], *(a + b for a, b in zip(alone[0][1:], alone[1][1:], strict=True))]])


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("chunk", [1, 1 << 18])
@pytest.mark.parametrize(("kind", "options"), VARIANTS)
def test_nothing_kept_for_the_way_back_gives_the_same_numbers(kind, options, chunk, every, monkeypatch):
    monkeypatch.setattr("minigrad_rnn.kernels.batch.CHUNK", chunk)
    monkeypatch.setattr("minigrad_rnn.kernels.batch.LEAST", 4)
    layer, x = layer_of(kind, **options), random(np.random.default_rng(0), 9, 2, 3)
    results = []
    for recorded in (True, False):
        mg.manual_seed(0)
        with mg.enable_grad() if recorded else mg.no_grad():
            results.append(flat(layer(x, lengths=[9, 5], return_all_states=every)))
    for a, b in zip(*results, strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
        assert a.requires_grad
        assert not b.requires_grad
