"""What a review of the layers found at their edges: inputs, sizes and cells that are right, but not the usual ones."""

from __future__ import annotations

import numpy as np
import pytest
from option_helpers import parts_of

import minigrad as mg
from minigrad import nn
from minigrad_rnn import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    ClockworkCell,
    DeepTransitionCell,
    GRUCell,
    LSTMCell,
    MGUCell,
    RecurrentLayer,
    StackedCells,
    last_state,
    unrolled,
)
from minigrad_rnn.patterns import Tagger
from minigrad_rnn.sequences import pack_padded_sequence

KINDS = [RNN, LSTM, GRU]


def drawn(*shape, seed=0):
    return mg.tensor(np.random.default_rng(seed).normal(size=shape).astype("f4"))


def same(first, second, tolerance=1e-6):
    np.testing.assert_allclose(first.numpy(), second.numpy(), rtol=tolerance, atol=tolerance)


# ---- integers as inputs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("noise", [{"zoneout": 0.5}, {"variational": 0.5}, {"weight_dropout": 0.5}])
@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
def test_integers_and_booleans_are_inputs_like_floats(noise, training, dtype):
    numbers = np.arange(36).reshape(6, 2, 3) % 2
    for layer in (LSTM(3, 4, dtype=dtype, **noise), RecurrentLayer(GRUCell(3, 4, dtype=dtype, **noise))):
        layer.train(training)
        outputs = []
        for x in (numbers.astype(dtype), numbers, numbers == 1):
            mg.manual_seed(0)
            outputs.append(layer(mg.tensor(x))[0])
        same(outputs[0], outputs[1])
        same(outputs[0], outputs[2])


def test_a_cell_in_evaluation_holds_for_integers_too():
    cell, x = GRUCell(3, 4, zoneout=0.5).eval(), np.arange(6).reshape(2, 3)
    state = drawn(2, 4)
    same(cell(mg.tensor(x), state), cell(mg.tensor(x.astype("f4")), state))


# ---- two directions of different sizes ------------------------------------------------------------------------------


def test_the_size_of_an_output_is_that_of_both_directions():
    layer, x = RecurrentLayer(LSTMCell(3, 4), backward=GRUCell(3, 5)), drawn(6, 2, 3)
    assert layer.output_size == layer(x)[0].shape[-1] == 9
    assert Tagger(layer, 2)(x, [6, 4]).shape == (6, 2, 2)


@pytest.mark.parametrize("merge", ["sum", "mul", "ave"])
def test_directions_of_different_sizes_are_not_added(merge):
    for make in (
        lambda: RecurrentLayer(GRUCell(3, 1), backward=GRUCell(3, 5), merge_mode=merge),
        lambda: Bidirectional(GRU(3, 1), GRU(3, 5), merge),
    ):
        with pytest.raises(mg.ShapeError, match=f'"{merge}" needs two directions .* of one size, not 1 and 5'):
            make()


def test_highways_have_the_sizes_of_what_they_carry():
    x = drawn(6, 2, 3)
    both = RecurrentLayer([LSTMCell(3, 4), GRUCell(9, 4)], backward=[GRUCell(3, 5), MGUCell(9, 5)], highway=True)
    assert both(x)[0].shape == (6, 2, 9)
    apart = RecurrentLayer(
        [LSTMCell(3, 4), GRUCell(4, 4)], backward=[GRUCell(3, 5), MGUCell(5, 5)], highway=True, merge_mode="none"
    )
    assert [y.shape for y in apart(x)[0]] == [(6, 2, 4), (6, 2, 5)]


def test_residual_connections_need_each_stream_to_keep_its_size():
    with pytest.raises(mg.ShapeError, match=r"need layers with outputs of one size, not \[\(4, 1\), \(4, 4\)\]"):
        RecurrentLayer(
            [GRUCell(3, 4), GRUCell(4, 4)], backward=[GRUCell(3, 1), GRUCell(1, 4)], residual=True, merge_mode="none"
        )


# ---- cells inside of others -----------------------------------------------------------------------------------------


def test_zoneout_leaves_the_count_of_a_stacked_clockwork_alone():
    cell, x = ClockworkCell(3, 4, (1, 2)), drawn(5, 2, 3)
    stacked, alone = (RecurrentLayer(c, zoneout=0.5).eval() for c in (StackedCells([cell]), cell))
    (y, state), (expected, last) = stacked(x), alone(x)
    same(y, expected)
    assert state[1].tolist() == last[1].tolist()


def test_zoneout_and_learned_states_skip_a_part_between_others():
    cells = StackedCells([ClockworkCell(3, 4, (1, 2)), GRUCell(4, 2)])
    layer = RecurrentLayer(cells, zoneout=(0.0, 1.0), learn_initial_state=True)
    assert {name for name, _ in layer.named_parameters() if name.startswith("initial")} == {
        "initial_h0_l0", "initial_h1_l0",
    }  # fmt: skip
    output, (_, count, _) = layer(drawn(3, 2, 3))
    assert not output.numpy().any()  # the upper state stays what it was
    assert count.tolist() == [[[1.0], [1.0]]]


def test_cells_with_a_memory_of_older_states_can_be_stacked():
    cell = StackedCells([GRUCell(3, 4, time_skips=(3,)), LSTMCell(4, 2)])
    assert [part.shape[1] for part in cell(drawn(2, 3))] == [4, 8, 2, 2]


# ---- one step -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [{"variational": (0.5, 0.0, 0.0)}, {"weight_dropout": 0.5}])
def test_a_stream_has_no_masks_for_a_sequence(noise):
    layer, x = RNN(3, 3, **noise), drawn(4, 2, 3)
    with pytest.raises(mg.MinigradError, match=r"RNN\.step: variational and weight dropout draw one mask for a whole"):
        layer.step(x[0])
    layer.eval()
    state, outputs = None, []
    for row in x:
        output, state = layer.step(row, state)
        outputs.append(output)
    same(mg.stack(outputs), layer(x)[0])


def test_a_step_says_what_it_wants():
    for given in (np.ones((2, 3)), drawn(2, 4), drawn(2, 2, 3)):
        with pytest.raises(mg.ShapeError, match=r"LSTM: the input must have shape \(batch, 3\) or \(3,\), not"):
            LSTM(3, 4).step(given)


# ---- Bidirectional is a layer like others ----------------------------------------------------------------------------


@pytest.fixture
def built_in():
    """A bidirectional LSTM, and two LSTMs with its weights as two directions."""
    whole, fwd, bwd = LSTM(3, 4, bidirectional=True), LSTM(3, 4), LSTM(3, 4)
    state = whole.state_dict()
    fwd.load_state_dict({name: value for name, value in state.items() if not name.endswith("_reverse")})
    reverse = {name.removesuffix("_reverse"): v for name, v in state.items() if name.endswith("_reverse")}
    bwd.load_state_dict(reverse)
    return whole, Bidirectional(fwd, bwd)


@pytest.mark.parametrize("options", [{}, {"lengths": [5, 2]}, {"mask": [[1, 0], [0, 1], [1, 1], [0, 0], [1, 0]]}])
def test_all_states_of_two_layers_are_those_of_two_directions(built_in, options):
    whole, pair = built_in
    x = drawn(5, 2, 3)
    y, _, every = whole(x, return_all_states=True, **options)
    output, _, (forward, backward) = pair(x, return_all_states=True, **options)
    same(output, y)
    for part, one, other in zip(every, forward, backward, strict=True):
        same(part, mg.concat([one, other]))


def test_two_layers_count_steps_as_two_directions_do(built_in):
    x = drawn(3, 1, 3).requires_grad_()
    with unrolled():
        scopes = [
            [node.scope.split("bwd")[1] for node in mg.graph(layer(x)[0][0]) if "bwd" in node.scope]
            for layer in built_in
        ]
    assert {s.removeprefix(".layer0") for s in scopes[1]} >= {s for s in scopes[0] if s}


class Doubled(nn.Module):
    """A layer of somebody else's: outputs are twice the sum so far, and its last is the state."""

    def __init__(self, time=0, batch_first=False):
        super().__init__()
        self.time, self.batch_first = time, batch_first

    def forward(self, x, hx=None, *, mask=None, return_all_states=False):
        y = 2 * x.cumsum(self.time)
        last = y[:, -1] if self.time else y[-1]
        return (y, last, y) if return_all_states else (y, last)


def test_a_layer_of_another_kind_may_be_a_direction():
    x, layer = drawn(4, 2, 3), Bidirectional(GRU(3, 3), Doubled(), "none")
    output, (_, last), (_, every) = layer(x, return_all_states=True)
    same(output[1], 2 * x.flip(0).cumsum(0).flip(0))
    same(output[1][0], last)
    same(output[1], every)
    assert [plan.path for plan in layer.plan()] == ["fused", "unrolled"]


@pytest.mark.parametrize("shape", [(4, 2, 3), (4, 3)], ids=["batch first", "no batch"])
def test_a_layer_of_another_kind_turns_time_around(shape):
    layer = Doubled(time=1 if len(shape) == 3 else 0, batch_first=True)
    x, steps = drawn(*shape), layer.time
    output, _, (_, every) = Bidirectional(GRU(3, 3, batch_first=True), layer, "none")(x, return_all_states=True)
    same(output[1], 2 * x.flip(steps).cumsum(steps).flip(steps))
    same(output[1], every)


def test_what_is_no_layer_or_no_pair_of_states_is_refused():
    with pytest.raises(mg.MinigradError, match="Bidirectional: fwd and bwd are layers; GRU is the class"):
        Bidirectional(GRU, GRU)
    with pytest.raises(mg.ShapeError, match="Bidirectional: the state is a pair"):
        Bidirectional(GRU(3, 4), GRU(3, 4))(drawn(5, 2, 3), (None, None, None))


def test_two_directions_tell_what_a_layer_tells(built_in):
    whole, pair = built_in
    x = drawn(5, 2, 3)
    assert pair.output_size == whole.output_size == 8
    assert [plan.part for plan in pair.plan()] == ["fwd.layer0", "bwd.layer0"]
    assert Tagger(pair, 2)(x, [5, 3]).shape == (5, 2, 2)
    for layer in built_in:
        with pytest.raises(mg.MinigradError, match="a bidirectional layer reads a sequence from its end"):
            layer.step(x[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"num_layers": 2, "batch_first": True}])
def test_a_layer_may_read_from_the_end(kind, options):
    layer, x, lengths = kind(3, 4, **options), drawn(5, 3, 3), [5, 0, 3]
    time = 1 if options.get("batch_first") else 0
    x = x.swapaxes(0, time)
    y, state = layer(x, lengths=lengths, reverse=True)
    for i, length in enumerate(lengths):
        row = x.swapaxes(0, time)[:length, i]
        expected, last = layer(row.flip(0))
        same(y.swapaxes(0, time)[:length, i], expected.flip(0))
        for part, whole in zip(parts_of(last), parts_of(state), strict=True):
            same(whole[:, i], part)


# ---- no steps -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layer",
    [
        *(kind(3, 4, **options) for kind in KINDS for options in ({}, {"time_skips": (2,)}, {"batch_norm": 3})),
        RecurrentLayer(MGUCell(3, 4)), RecurrentLayer(StackedCells([ClockworkCell(3, 4, (1, 2))])),
        LSTM(3, 4, proj_size=2), GRU(3, 4, variational=0.5), GRU(3, 4, zoneout=0.5),
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_no_steps_have_gradients_of_zeros(layer, rows):
    for path in (unrolled, mg.enable_grad):
        layer.zero_grad()
        with path():
            output, _, every = layer(mg.zeros(0, rows, 3), return_all_states=True)
            (output.sum() + parts_of(every)[0].sum()).backward()
        assert output.shape == (0, rows, layer.output_size)
        assert all(p.grad is not None and not p.grad.numpy().any() for p in layer.parameters())


# ---- cells of one's own ---------------------------------------------------------------------------------------------


class Sum(nn.Module):
    """A cell without parameters; ``returned`` replaces what it returns."""

    hidden_size = 3

    def __init__(self, returned=lambda h: h):
        self.returned = returned

    def forward(self, x, h):
        return self.returned(h + x)


def test_a_cell_without_parameters_computes_in_the_dtype_of_its_input():
    for dtype in (mg.float32, mg.float64):
        assert RecurrentLayer(Sum())(mg.ones(2, 1, 3, dtype=dtype))[0].dtype == dtype
    assert RecurrentLayer(Sum())(mg.ones(2, 1, 3, dtype=mg.int64))[0].dtype == mg.float32


@pytest.mark.parametrize(
    ("returned", "told"),
    [(lambda h: None, "None: is there a return"), (lambda h: h.numpy(), "ndarray"), (lambda h: [h, 1.0], "list")],
)
def test_a_cell_that_returns_no_state_is_told_so(returned, told):
    with pytest.raises(mg.MinigradError, match=f"Sum: forward must return the new state, h, made of tensors.*{told}"):
        RecurrentLayer(Sum(returned))(mg.ones(2, 1, 3))


# ---- options --------------------------------------------------------------------------------------------------------


def test_numbers_of_numpy_are_numbers():
    half, two = np.float32(0.5), np.int64(2)
    layer = LSTM(3, 4, two, dropout=half, weight_dropout=half, zoneout=half, cell_clip=half, forget_bias=half)
    assert layer(drawn(3, 2, 3))[0].shape == (3, 2, 4)
    assert GRU(3, 4, time_skips=(two,), batch_norm=two)(drawn(3, 2, 3))[0].shape == (3, 2, 4)
    assert ClockworkCell(3, 4, np.array([1, 2]))(drawn(2, 3))[0].shape == (2, 4)


def test_wrong_sizes_are_named():
    with pytest.raises(mg.ShapeError, match=r"LSTM: proj_size=1.5 must be from 0"):
        LSTM(3, 4, proj_size=1.5)
    with pytest.raises(mg.ShapeError, match=r"transition_layers\[1\] must be at least 1, not 0"):
        DeepTransitionCell(3, 4, transition_layers=(5, 0))
    with pytest.raises(mg.ShapeError, match=r"transition_layers are the sizes of layers, such as .* not 5"):
        DeepTransitionCell(3, 4, transition_layers=5)


# ---- masks and forms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [[[0.0, -np.inf]], [[0.5, 1.0]], [[np.nan, 1.0]], [[2, 1]]])
def test_masks_of_other_numbers_than_one_and_zero_are_refused(mask):
    with pytest.raises(mg.DtypeError, match="GRU: the mask says with true and false"):
        GRU(3, 4)(drawn(1, 2, 3), mask=np.array(mask))


def test_the_last_state_of_a_packed_batch_is_explained():
    output = pack_padded_sequence(drawn(3, 2, 4), [3, 2])
    with pytest.raises(mg.ShapeError, match="last_output: the input is a padded batch, one tensor, not a PackedSeq"):
        last_state(output, [3, 2])
