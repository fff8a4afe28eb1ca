"""Layers with compiled steps as they are used: in single precision, chosen by themselves, with or without Numba."""

from __future__ import annotations

import contextlib
import copy
import importlib
import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from option_helpers import COMPILED, parts_of
from recurrent_cases import group, load, weights

pytest.importorskip("numba")

import minigrad as mg
import minigrad_rnn
from minigrad_rnn import GRU, LSTM, RNN, uncompiled

KINDS = [RNN, LSTM, GRU]
PLAIN = [
    *COMPILED,
    (LSTM, {"num_layers": 2, "bidirectional": True, "bias": False}),
    (GRU, {"variational": 0.3, "weight_dropout": 0.2, "batch_first": True}),
    (LSTM, {"init": "keras", "forget_bias": 1.0, "learn_initial_state": True}),
]
OTHERS = [  # options that may be compiled or not
    (LSTM, {"layer_norm": "ba", "zoneout": 0.4}),
    (LSTM, {"layer_norm": "torch"}),
    (GRU, {"layer_norm": "ba", "zoneout": 0.4}),
    (RNN, {"layer_norm": "ba", "zoneout": 0.4}),
]
LENGTHS = [3, 5, 0, 1]


def flat(result):
    output, state = result
    return [output, *parts_of(state)]


def reasons(layer):
    """How each layer and direction runs, without repetition."""
    return {plan.reason.removeprefix("one op for the whole sequence, ") for plan in layer.plan()}


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("f4")


def computed(layer, x, state=None, seed=0, **given):
    """Outputs, states and gradients of everything, as arrays."""
    mg.manual_seed(seed)
    x = mg.tensor(x, requires_grad=True)
    outputs = flat(layer(x, state, **given))
    loss = sum((y * mg.tensor(drawn(*y.shape, seed=i), dtype=y.dtype)).sum() for i, y in enumerate(outputs))
    return [y.numpy() for y in (*outputs, *mg.grad(loss, [x, *layer.parameters()]))]


def close(results, rtol=1e-4, atol=2e-5):
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol * max(1.0, np.abs(b).max(initial=0)))


def identical(results):
    for a, b in zip(*results, strict=True):
        assert a.tobytes() == b.tobytes()


# ---- which layers are compiled -----------------------------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch):
    """Which functions of the compiled sequences are called."""
    seen = []
    for name in ("rnn", "lstm", "gru"):
        module = importlib.import_module(f"minigrad_rnn.compiled.{name}")
        for way in ("run", "back"):
            inner = getattr(module, way)
            monkeypatch.setattr(module, way, lambda *a, _f=inner, _n=(name, way), **k: seen.append(_n) or _f(*a, **k))
    return seen


@pytest.mark.parametrize(("kind", "options"), PLAIN)
def test_plain_layers_are_compiled(kind, options, calls):
    layer, name = kind(3, 4, **options), kind.__name__.lower()
    assert reasons(layer) == {"compiled"}
    computed(layer, drawn(2, 2, 3))
    assert set(calls) == {(name, "run"), (name, "back")}
    calls.clear()
    with uncompiled():
        assert reasons(layer) == {"in NumPy: inside uncompiled()"}
        computed(layer, drawn(2, 2, 3))
    with minigrad_rnn.unrolled():
        assert {plan.path for plan in layer.plan()} == {"unrolled"}
        computed(layer, drawn(2, 2, 3))
    assert not calls


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        (LSTM, {"peephole": True}, "peephole=True has no compiled steps"),
        (LSTM, {"coupled": True}, "coupled=True has no compiled steps"),
        (LSTM, {"proj_size": 2}, "proj_size has no compiled steps"),
        (LSTM, {"cell_clip": 0.5}, "cell_clip=0.5 has no compiled steps"),
        (LSTM, {"output_nonlinearity": "identity"}, "output_nonlinearity='identity' has no compiled steps"),
        (GRU, {"reset_after": False}, "reset_after=False has no compiled steps"),
        (GRU, {"gate_nonlinearity": "hardsigmoid"}, "gate_nonlinearity='hardsigmoid' has no compiled steps"),
        (RNN, {"nonlinearity": "sigmoid"}, "nonlinearity='sigmoid' has no compiled steps"),
        (RNN, {"gate_clip": 0.5}, "gate_clip=0.5 has no compiled steps"),
        *[(kind, {"dtype": mg.float64}, "steps are compiled for float32 on the CPU") for kind in KINDS],
    ],
)
def test_others_say_why_they_are_not_and_work(kind, options, reason, calls):
    layer = kind(3, 4, **options)
    assert reasons(layer) == {f"in NumPy: {reason}"}
    output = layer(mg.tensor(drawn(3, 2, 3), dtype=layer.dtype))[0]
    output.sum().backward()
    assert not calls
    assert np.isfinite(layer.weight_ih_l0.grad.numpy()).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_states_of_every_step_are_those_of_the_compiled_layer(kind):
    layer, x = kind(3, 4, 2), mg.tensor(drawn(5, 2, 3))
    *results, every = layer(x, lengths=[5, 2], return_all_states=True)
    close([[y.numpy() for y in flat(done)] for done in (results, layer(x, lengths=[5, 2]))])
    assert parts_of(every)[0].shape == (2, 5, 2, 4)


# ---- values ------------------------------------------------------------------------------------------------------

CASES = {
    key: case
    for key, case in load().items()
    if not key[0].endswith("Cell") and "proj_size" not in json.loads(key[1])
}


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_values_and_gradients_are_pytorchs(kind, options):
    case = CASES[kind, options]
    layer = getattr(minigrad_rnn, kind)(3, 4, **json.loads(options))
    layer.load_state_dict({name: np.float32(value) for name, value in weights(case).items()})
    assert reasons(layer) == {"compiled"}
    x, *state = (mg.tensor(np.float32(a), requires_grad=True) for a in group(case, "input"))
    outputs = flat(layer(x, tuple(state) if len(state) > 1 else state[0]))
    cotangents = [mg.tensor(np.float32(g)) for g in group(case, "cotangent")]
    results = [*outputs, *mg.grad(outputs, [x, *state, *layer.parameters()], cotangents)]
    close([[y.numpy() for y in results], group(case, "output") + group(case, "gradient")], rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(3, 4, 5, 4), (20, 64, 30, 32), (5, 16, 200, 4)])
@pytest.mark.parametrize(("kind", "options"), PLAIN + OTHERS)
def test_as_exact_as_single_precision_allows(kind, options, size):
    """Against the same layer in double precision; where normalisation makes much of little, NumPy is as far off."""
    input_size, hidden_size, steps, rows = size
    layer = kind(input_size, hidden_size, **options).train("zoneout" in options)
    precise = copy.deepcopy(layer).double()
    x = drawn(rows, steps, input_size) if layer.batch_first else drawn(steps, rows, input_size)
    lengths = [*np.random.default_rng(0).integers(0, steps + 1, rows)]
    exact = computed(precise, x.astype("f8"), lengths=lengths)
    single = computed(layer, x, lengths=lengths)
    with uncompiled():
        other = computed(layer, x, lengths=lengths)
    assert {y.dtype for y in single} == {np.dtype("f4")}
    assert distance(single, exact) < max(3e-6, 8 * distance(other, exact) if layer.recurrence.layer_norm else 0)


def distance(results, exact):
    """The largest error, in parts of the largest number of an array, or of one."""
    pairs = zip(results, exact, strict=True)
    return max(np.abs(a - b).max(initial=0) / max(1.0, np.abs(b).max(initial=0)) for a, b in pairs)


@pytest.mark.parametrize(("kind", "options"), [COMPILED[0], *COMPILED[2:]])
def test_extreme_arguments_saturate_without_a_warning(kind, options):
    layer = kind(3, 4, **options)
    results = computed(layer, np.float32([[[1e4, -1e4, 1e4]], [[-1e30, 1e20, 0.0]]]))
    assert all(np.isfinite(y).all() for y in results)
    assert np.abs(results[0]).max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_nan_stays_one(kind):
    layer, x = kind(3, 4), drawn(4, 2, 3)
    x[1, 0, 0] = np.nan
    output = layer(mg.tensor(x))[0].numpy()
    assert np.isnan(output[1:, 0]).all()
    assert np.isfinite(output[0]).all()
    assert np.isfinite(output[:, 1]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("gaps", ["lengths", "mask"])
@pytest.mark.parametrize(("kind", "options"), PLAIN + OTHERS)
def test_what_stands_in_padding_reaches_nothing(kind, options, gaps, bad):
    layer = kind(3, 4, **options)
    x, seen = drawn(5, 4, 3), np.arange(5)[:, None] < np.array(LENGTHS)
    if gaps == "mask":
        seen = np.random.default_rng(1).random((5, 4)) < 0.6
    results = []
    for filler in (0.0, bad):
        padded, there = np.where(seen[..., None], x, np.float32(filler)), seen
        if layer.batch_first:
            padded, there = padded.swapaxes(0, 1), seen.T
        given = {"mask": there} if gaps == "mask" else {"lengths": LENGTHS}
        mg.manual_seed(0)
        padded = mg.tensor(padded, requires_grad=True)
        outputs = flat(layer(padded, **given))
        arriving = np.where(there[..., None], np.float32(1), np.float32(filler)) + 0 * outputs[0].numpy()
        cotangents = [mg.tensor(arriving), *map(mg.ones_like, outputs[1:])]
        gradients = mg.grad(outputs, [padded, *layer.parameters()], cotangents)
        results.append([y.numpy() for y in (*outputs, *gradients)])
    identical(results)
    assert all(np.isfinite(y).all() for y in results[1])
    assert not results[1][0][~there].any()
    assert not results[1][len(outputs)][~there].any()


@pytest.mark.parametrize("size", [(3, 4, 4), (20, 96, 64)])
@pytest.mark.parametrize(("kind", "options"), PLAIN + OTHERS)
def test_twice_the_same_bits(kind, options, size):
    input_size, hidden_size, rows = size
    layer, x = kind(input_size, hidden_size, **options), drawn(rows, 6, input_size).swapaxes(0, 1)
    x = x.swapaxes(0, 1) if layer.batch_first else x
    identical([computed(layer, x) for _ in range(2)])


# ---- memory ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), PLAIN + OTHERS)
def test_nothing_that_goes_in_is_changed(kind, options):
    layer = kind(3, 8, **options)
    count = layer.num_layers * len(layer.reverses)
    x = drawn(4, 4, 3)
    state = tuple(drawn(count, 4, 8, seed=i) for i in range(2 if kind is LSTM else 1))
    mask = np.random.default_rng(0).random((4, 4)) < 0.7
    given = [x, mask, *state, *[p.numpy() for p in layer.parameters()]]
    before = [array.tobytes() for array in given]
    tensors = [mg.from_numpy(array) for array in (x, *state)]
    for tensor in tensors:
        tensor.requires_grad = True
    outputs = flat(layer(tensors[0], tuple(tensors[1:]) if kind is LSTM else tensors[1], mask=mask))
    cotangents = [drawn(*y.shape) for y in outputs]
    kept = [array.tobytes() for array in (*cotangents, *[y.numpy() for y in outputs])]
    mg.grad(outputs, [*tensors, *layer.parameters()], [mg.from_numpy(g) for g in cotangents], allow_unused=True)
    assert [array.tobytes() for array in given] == before
    assert [array.tobytes() for array in (*cotangents, *[y.numpy() for y in outputs])] == kept


@pytest.mark.parametrize(("kind", "options"), COMPILED + OTHERS)
def test_any_layout_of_what_goes_in(kind, options):
    layer, x = kind(3, 4, **options), drawn(5, 6, 3)
    states = [drawn(1, 6, 4, seed=i) for i in range(2 if kind is LSTM else 1)]

    def run(form):
        tensors = [mg.from_numpy(form(a)) for a in states]
        return computed(layer, form(x), tuple(tensors) if kind is LSTM else tensors[0])

    expected = run(np.copy)  # BLAS may add up in another order, which a norm of four units amplifies
    for form in (strided, np.asfortranarray, backwards, read_only):
        close([run(form), expected], rtol=0, atol=1e-4)
        for parameter in layer.parameters():
            kept = parameter.data
            parameter.data = form(kept)
            close([run(np.copy), expected], rtol=0, atol=1e-4)
            parameter.data = kept


def strided(a):
    wide = np.full((*a.shape, 2), np.nan, a.dtype)
    wide[..., 0] = a
    return wide[..., 0]


def backwards(a):
    return np.flip(np.flip(a).copy())


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_of_which_rows_are_one(kind):
    layer, x = kind(3, 4), drawn(5, 6, 3)
    row = mg.tensor(drawn(1, 1, 4), requires_grad=True)
    results = []
    for state in (row.expand(1, 6, 4), mg.concat([row] * 6, 1)):
        output = layer(mg.tensor(x), (state, state) if kind is LSTM else state)[0]
        results.append([output.numpy(), mg.grad(output.square().sum(), row)[0].numpy()])
    close(results)


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize(("kind", "options"), COMPILED + OTHERS)
def test_what_is_alive_is_not_overwritten_by_later_calls(kind, options, recorded):
    """The arrays are large enough to be lent by the store, whose buffers are used again."""
    layer, alive = kind(16, 64, **options), []
    for seed in range(4):
        with mg.enable_grad() if recorded else mg.no_grad():
            outputs = flat(layer(mg.tensor(drawn(16, 32, 16, seed=seed), requires_grad=True)))
        found = mg.grad(outputs[0].sum(), [*layer.parameters()], retain_graph=True) if recorded else []
        parts = [y.numpy()[1:] for y in (*outputs, *found)]  # views, while the tensors themselves die
        alive.append((parts, [part.copy() for part in parts]))
        del outputs, found
    for parts, copies in alive:
        identical([parts, copies])


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_results_cannot_be_written_to(kind, recorded):
    layer, x = kind(3, 4), mg.tensor(drawn(5, 2, 3))
    for lengths in (None, [5, 2]):
        with mg.enable_grad() if recorded else mg.no_grad():
            outputs = flat(layer(x, lengths=lengths))
        for y in outputs:
            with pytest.raises(ValueError, match="read-only"):
                y.numpy()[...] = 0


@pytest.mark.parametrize("kind", KINDS)
def test_copies_of_a_layer_compute_the_same(kind):
    layer, x = kind(3, 4, 2, bidirectional=True), drawn(5, 2, 3)
    expected = computed(layer, x)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301 - our own
        assert reasons(twin) == {"compiled"}
        identical([computed(twin, x), expected])


def test_layers_in_several_threads_at_once():
    layers = [kind(16, 48, **options) for kind, options in [(LSTM, {}), (GRU, {}), (LSTM, {}), (RNN, {})]]
    inputs = [drawn(12, 16, 16, seed=i) for i in range(4)]

    def work(i):
        return [computed(layers[i], inputs[i]) for _ in range(5)]

    alone = [work(i) for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(work, range(4)))
    for a, b in zip(alone, together, strict=True):
        for results in zip(a, b, strict=True):
            identical(results)


@pytest.mark.parametrize("kind", KINDS)
def test_dtypes_that_do_not_mix_are_refused_as_in_numpy(kind):
    layer, h = kind(3, 4), mg.zeros(1, 2, 4, dtype=mg.float64)
    messages = []
    for path in (contextlib.nullcontext, uncompiled):
        with path():
            with pytest.raises(mg.DtypeError) as of_input:
                layer(mg.zeros(5, 2, 3, dtype=mg.float64))
            with pytest.raises(mg.DtypeError) as of_state:
                layer(mg.zeros(5, 2, 3), (h, h) if kind is LSTM else h)
        messages.append([str(e.value).replace("compiled=True", "compiled=False") for e in (of_input, of_state)])
    assert messages[0] == messages[1]


@pytest.mark.parametrize("dtype", [bool, np.int32])
@pytest.mark.parametrize("kind", KINDS)
def test_inputs_that_are_no_floats_count_as_such(kind, dtype):
    layer, x = kind(3, 4), np.random.default_rng(0).integers(0, 2, (5, 2, 3)).astype(dtype)
    results = []
    for given in (x, x.astype("f4")):
        output = layer(mg.tensor(given))[0]
        results.append([y.numpy() for y in (output, *mg.grad(output.square().sum(), list(layer.parameters())))])
    close(results)
