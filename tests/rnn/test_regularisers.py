"""Zoneout, variational dropout, weight dropout, dropout between layers: what is dropped, when, and what it does."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from option_helpers import STEPS, UNITS, arrays_of, as_state, cell_of, drawn, filled, parts_of, same
from plain_cells import sequence

import minigrad as mg
from minigrad_rnn import GRU, LSTM, RNN, ClockworkCell, MGUCell, RecurrentLayer

KINDS = [RNN, LSTM, GRU]
SEED = 7
VARIANTS = [
    (RNN, {}),
    (LSTM, {}),
    (LSTM, {"peephole": True, "layer_norm": "ba", "time_skips": (2,)}),
    (LSTM, {"proj_size": 2}),
    (GRU, {}),
    (GRU, {"reset_after": False, "update_gate": "new", "time_skips": (2, 3)}),
]


@pytest.fixture(params=[True, False], ids=["fused", "unrolled"])
def layer_of(request):
    """Makes layers with random parameters, in float64."""

    def make(kind, inputs=3, units=UNITS, **options):
        layer = filled(kind(inputs, units, **options))
        layer.fused = request.param
        return layer

    return make


def seeded(layer, *args, seed=SEED, **more):
    """What a layer computes after the seed was set."""
    mg.manual_seed(seed)
    return layer(*args, **more)


def draws_of(layer, xs):
    """What a layer of one layer draws after the seed was set: masks, zones, and the mask of the output."""
    mg.manual_seed(SEED)
    x, recurrence = mg.tensor(xs), layer.recurrence
    masks = layer.noise.draw(x, layer.weights(0), layer.training)
    sizes = layer.sizes_of(0, False)
    zones = layer.noise.zones(x, x.shape[:2], sizes[: len(recurrence.zoned)], layer.training)
    return masks, zones, layer.noise.draw_output(mg.zeros(*x.shape[:2], sizes[0], dtype=x.dtype), layer.training)


def numbers(mask):
    return 1.0 if mask is None else mask.numpy()


def gradients(layer, xs, state):
    """Of all results after the seed was set, by inputs, state and parameters."""
    xs, *state = [mg.tensor(a, requires_grad=True) for a in (xs, *[part[None] for part in state])]
    output, last = seeded(layer, xs, tuple(state) if len(state) > 1 else state[0])
    return mg.grad([output, *parts_of(last)], [xs, *state, *layer.parameters()], [output.detach() + 1, *parts_of(last)])


# ---- zoneout -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zoneout", [0.4, (0.5, 0.0), (0.0, 0.5), (0.3, 0.6)])
@pytest.mark.parametrize(("kind", "options"), VARIANTS, ids=str)
def test_units_in_a_zone_keep_their_state_and_no_others(layer_of, kind, options, zoneout):
    """h and c have zones of their own; the new h is made of the new c, whether that is taken or not."""
    if kind is not LSTM and isinstance(zoneout, tuple):
        zoneout = zoneout[0] or 0.2
    layer = layer_of(kind, zoneout=zoneout, **options)
    xs, state = drawn(layer)
    _, zones, _ = draws_of(layer, xs)
    zones = [0.0 if zone is None else zone.numpy() for zone in zones]
    output, last, every = seeded(layer, mg.tensor(xs), as_state(state, layers=True), return_all_states=True)
    states, after = sequence(kind.__name__, options, arrays_of(layer), xs, state[: len(zones)], zoneout=zones)
    same(output, states[0])
    for i, zone in enumerate(zones):
        part = parts_of(every)[i][0].numpy()
        same(part, states[i])
        same(parts_of(last)[i][0], after[i])
        held = np.broadcast_to(zone, part.shape) == 1
        before = np.concatenate([state[i][None], part[:-1]])
        assert np.array_equal(part[held], before[held])
        assert not np.isclose(part[~held], before[~held]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_zones_are_drawn_for_every_step_row_and_unit(layer_of, kind):
    layer = layer_of(kind, 3, 50, zoneout=0.3)
    xs, state = drawn(layer, 20, 10)
    _, _, every = layer(mg.tensor(xs), as_state(state, layers=True), return_all_states=True)
    for part, first in zip(parts_of(every), state, strict=True):
        before = np.concatenate([first[None], part[0].numpy()[:-1]])
        held = part[0].numpy() == before
        assert held.mean() == pytest.approx(0.3, abs=0.02)
        for dim in range(3):
            assert not np.array_equal(*np.split(held.take([0, 1], dim), 2, dim))


@pytest.mark.parametrize("kind", KINDS)
def test_zoneout_of_nothing_and_of_everything(layer_of, kind):
    plain, none, all_ = (layer_of(kind, zoneout=p) for p in (0, 0.0, 1.0))
    xs, state = drawn(plain)
    for a, b in zip(gradients(none, xs, state), gradients(plain, xs, state), strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
    first = [mg.tensor(part[None], requires_grad=True) for part in state]
    for all_.training in (True, False):
        output, last = all_(mg.tensor(xs), tuple(first) if kind is LSTM else first[0])
        same(output, np.broadcast_to(state[0], output.shape), 0)
        for part, given in zip(parts_of(last), first, strict=True):
            same(part, given, 0)
        assert all((g.numpy() == 1).all() for g in mg.grad([part.sum() for part in parts_of(last)], first))


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_of_zoneout_is_what_evaluation_takes(layer_of, kind):
    layer = layer_of(kind, 2, 2, zoneout=0.3)
    xs, state = drawn(layer, 1, 1)
    many = [np.repeat(part, 20_000, -2) for part in (xs, *state)]
    _, last = layer(mg.tensor(many[0]), as_state(many[1:], layers=True))
    _, expected = layer.eval()(mg.tensor(xs), as_state(state, layers=True))
    for part, mean in zip(parts_of(last), parts_of(expected), strict=True):
        np.testing.assert_allclose(part.numpy().mean(1), mean.numpy()[:, 0], atol=0.02)


def test_zoneout_holds_units_and_not_the_count_of_a_clockwork():
    layer = RecurrentLayer(ClockworkCell(3, 4, periods=(1, 2)), zoneout=1.0)
    x, state = mg.randn(5, 2, 3), (mg.randn(1, 2, 4), mg.zeros(1, 2, 1))
    for layer.training in (True, False):
        _, (h, t) = layer(x, state)
        np.testing.assert_allclose(h.numpy(), state[0].numpy(), rtol=1e-6)
        assert t.tolist() == [[[1.0], [1.0]]]  # five steps, and the periods meet at every other


# ---- variational dropout -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("variational", [0.5, (0.5, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.5)])
@pytest.mark.parametrize(("kind", "options"), VARIANTS, ids=str)
def test_one_mask_drops_the_same_features_at_every_step(layer_of, kind, options, variational):
    """As if the rows of the batch had networks of their own, some of whose columns are zeros."""
    layer, lengths = layer_of(kind, variational=variational, **options), [5, 2, 4]
    xs, state = drawn(layer)
    masks, _, mask_output = draws_of(layer, xs)
    output, last = seeded(layer, mg.tensor(xs), as_state(state, layers=True), lengths=lengths)
    count = len(layer.recurrence.parts)
    for row, length in enumerate(lengths):
        p, one = arrays_of(layer), slice(row, row + 1)
        hidden = numbers(masks.hidden)[row] if masks.hidden is not None else np.ones(p["weight_hh"].shape[1])
        p["weight_hh"] = p["weight_hh"] * hidden
        if "weight_skip" in p:
            p["weight_skip"] = p["weight_skip"] * np.tile(hidden, len(options["time_skips"]))
        seen = xs[:length, one] * (numbers(masks.input)[row] if masks.input is not None else 1)
        states, after = sequence(kind.__name__, options, p, seen, [part[one] for part in state[:count]])
        shown = states[0][:, 0] * (numbers(mask_output)[row] if mask_output is not None else 1)
        same(output[:length, row], shown)
        for part, expected in zip(parts_of(last)[:count], after, strict=True):
            same(part[0, one], expected)


def test_masks_keep_the_mean_and_differ_from_row_to_row_and_call_to_call():
    layer = filled(LSTM(400, 400, variational=0.25, weight_dropout=0.25))
    xs, _ = drawn(layer, 3, 2)
    masks, _, mask_output = draws_of(layer, xs)
    for mask in (*masks, mask_output):
        assert set(np.unique(mask.numpy())) == {0.0, 1 / 0.75}
        assert mask.numpy().mean() == pytest.approx(1, abs=0.1)
        assert not np.array_equal(mask[0].numpy(), mask[1].numpy())
    again = layer.noise.draw(mg.tensor(xs), layer.weights(0), True)
    assert not any(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(masks, again, strict=True))


@pytest.mark.parametrize("noise", [{"variational": 0.5}, {"weight_dropout": 0.5}, {"zoneout": 0.5}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_decides_and_earlier_batches_do_not(layer_of, kind, noise):
    layer = layer_of(kind, num_layers=2, bidirectional=True, **noise)
    xs, _ = drawn(layer)
    first, other = seeded(layer, mg.tensor(xs))[0], seeded(layer, mg.tensor(xs), seed=SEED + 1)[0]
    layer(mg.zeros(2, 5, 3, dtype=mg.float64))
    assert np.array_equal(seeded(layer, mg.tensor(xs))[0].numpy(), first.numpy())
    assert not np.array_equal(other.numpy(), first.numpy())
    assert not np.array_equal(layer(mg.tensor(xs))[0].numpy(), layer(mg.tensor(xs))[0].numpy())


@pytest.mark.parametrize("kind", [RNN, LSTM])
def test_dropped_hidden_features_never_enter_the_gates(layer_of, kind):
    """What is dropped gets a gradient of exactly 0."""
    layer = layer_of(kind, variational=(0.0, 0.5, 0.0))
    xs, state = drawn(layer)
    masks, _, _ = draws_of(layer, xs)
    _, first, *_ = gradients(layer, xs, state)
    assert (masks.hidden.numpy() == 0).any()
    assert np.array_equal(first[0].numpy() == 0, masks.hidden.numpy() == 0)


@pytest.mark.parametrize("kind", KINDS)
def test_variational_dropout_of_nothing_and_of_everything(layer_of, kind):
    plain, none = layer_of(kind), layer_of(kind, variational=0.0)
    xs, state = drawn(plain)
    x, hx = mg.tensor(xs), as_state(state, layers=True)
    assert np.array_equal(none(x, hx)[0].numpy(), plain(x, hx)[0].numpy())
    for place, p in enumerate(np.eye(3).tolist()):
        layer = layer_of(kind, variational=tuple(p))
        output, _ = layer(x, hx)
        cut = layer_of(kind)
        if place == 1:
            cut.weight_hh_l0.data = cut.weight_hh_l0.data * 0
        expected, _ = cut(x * 0 if place == 0 else x, hx)
        same(output, expected.numpy() * (place != 2))
        same(layer.eval()(x, hx)[0], plain(x, hx)[0])


# ---- weight dropout ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), VARIANTS, ids=str)
def test_dropped_weights_are_zeros_for_a_sequence_and_stay_what_they_were(layer_of, kind, options):
    layer, plain = layer_of(kind, weight_dropout=0.5, **options), layer_of(kind, **options)
    xs, state = drawn(layer)
    before = {name: value.numpy().copy() for name, value in layer.state_dict().items()}
    mask = draws_of(layer, xs)[0].weight.numpy()
    found = gradients(layer, xs, state)
    plain.load_state_dict(before | {"weight_hh_l0": before["weight_hh_l0"] * mask})
    expected = gradients(plain, xs, state)
    at = 1 + len(state) + [name for name, _ in layer.named_parameters()].index("weight_hh_l0")
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        same(a, b.numpy() * mask if i == at else b)
    assert not found[at].numpy()[mask == 0].any()
    for name, value in layer.state_dict().items():
        assert np.array_equal(value.numpy(), before[name])
    plain.load_state_dict(before)
    assert np.array_equal(layer.eval()(mg.tensor(xs))[0].numpy(), plain(mg.tensor(xs))[0].numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_training_moves_the_weights_that_were_kept(layer_of, kind):
    layer = layer_of(kind, weight_dropout=0.5)
    xs, _ = drawn(layer)
    before, mask = layer.weight_hh_l0.numpy().copy(), draws_of(layer, xs)[0].weight.numpy()
    optimiser = mg.optim.SGD(layer.parameters(), lr=0.1)
    seeded(layer, mg.tensor(xs))[0].sum().backward()
    optimiser.step()
    assert np.array_equal(layer.weight_hh_l0.numpy() != before, mask != 0)


@pytest.mark.parametrize("kind", KINDS)
def test_weight_dropout_of_everything(layer_of, kind):
    layer, cut = layer_of(kind, weight_dropout=1.0), layer_of(kind)
    cut.weight_hh_l0.data = cut.weight_hh_l0.data * 0
    xs, state = drawn(layer)
    same(layer(mg.tensor(xs), as_state(state, layers=True))[0], cut(mg.tensor(xs), as_state(state, layers=True))[0])


# ---- all together ------------------------------------------------------------------------------------------------

NOISE = {"variational": (0.2, 0.3, 0.4), "weight_dropout": 0.3, "zoneout": 0.3}


@pytest.mark.parametrize(("kind", "options"), VARIANTS, ids=str)
def test_gradients_with_everything_drawn(layer_of, kind, options):
    layer = layer_of(kind, 2, 3, **options, **NOISE)
    xs, state = drawn(layer, 3, 2)
    tensors = [mg.tensor(a, requires_grad=True) for a in (xs, *[part[None] for part in state])]

    def function(x, *rest):
        hx = rest[: len(state)]
        output, last = seeded(layer, x, hx if len(hx) > 1 else hx[0], lengths=[3, 2])
        return [output, *parts_of(last)]

    assert mg.gradcheck(function, *tensors, *layer.parameters(), directional=True)
    assert mg.gradgradcheck(function, *tensors, *layer.parameters(), directional=True)


@pytest.mark.parametrize("kind", KINDS)
def test_both_paths_see_the_same_masks(kind):
    layer = filled(kind(3, UNITS, 2, bidirectional=True, dropout=0.3, **NOISE))
    xs, _ = drawn(layer)
    results = []
    for layer.fused in (True, False):
        output, last = seeded(layer, mg.tensor(xs), lengths=[5, 3, 4])
        results.append([output, *parts_of(last), *mg.grad(output.square().sum(), list(layer.parameters()))])
    for a, b in zip(*results, strict=True):
        same(a, b, 1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_that_holds_its_masks_is_the_layer(layer_of, kind):
    layer = layer_of(kind, variational=(0.4, 0.4, 0.0), weight_dropout=0.4)
    cell = cell_of(layer)
    xs, first = drawn(layer)
    output, _ = seeded(layer, mg.tensor(xs), as_state(first, layers=True))
    mg.manual_seed(SEED)
    masks, state = cell.draw_masks(mg.tensor(xs[0])), as_state(first)
    for t, x in enumerate(xs):
        state = cell(mg.tensor(x), state, masks=masks)
        same(parts_of(state)[0], output[t])
    assert not np.allclose(parts_of(cell(mg.tensor(xs[0])))[0].numpy(), parts_of(cell(mg.tensor(xs[0])))[0].numpy())
    cell.eval()
    assert all(mask is None for mask in cell.draw_masks(mg.tensor(xs[0])))


@pytest.mark.parametrize("options", [NOISE, {"batch_norm": 3}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_made_of_a_cell_has_its_noise_and_its_statistics(kind, options):
    layer = filled(kind(3, UNITS, **options))
    made = RecurrentLayer(cell_of(layer))
    xs, _ = drawn(layer)
    for training in (True, False):
        layer.train(training)
        made.train(training)
        same(seeded(made, mg.tensor(xs))[0], seeded(layer, mg.tensor(xs))[0])


def test_a_layer_that_is_gone_takes_its_cell_with_it():
    cell = MGUCell(2, 3)
    RecurrentLayer(cell)(mg.ones(2, 1, 2))
    gone = weakref.ref(cell)
    del cell
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_between_layers_is_drawn_for_every_element(layer_of, kind):
    layer = layer_of(kind, num_layers=2, dropout=0.4)
    xs, _ = drawn(layer)
    single = [layer_of(kind, inputs) for inputs in (3, UNITS)]
    for i, part in enumerate(single):
        part.load_state_dict({n.replace(f"_l{i}", "_l0"): v for n, v in layer.state_dict().items() if f"_l{i}" in n})
    below, _ = single[0](mg.tensor(xs))
    mg.manual_seed(SEED)
    mask = mg.dropout(mg.ones(*below.shape, dtype=mg.float64), 0.4)
    assert len({tuple(step.ravel()) for step in mask.numpy()}) == STEPS
    same(seeded(layer, mg.tensor(xs))[0], single[1](below * mask)[0])
    same(layer.eval()(mg.tensor(xs))[0], single[1](below)[0])
