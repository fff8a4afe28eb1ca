"""Layers of one's own: RecurrentLayer, StackedCells, Bidirectional."""

from __future__ import annotations

import numpy as np
import pytest

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
    IndRNNCell,
    LSTMCell,
    MGUCell,
    RecurrentLayer,
    RHNCell,
    RNNCell,
    StackedCells,
    pack_sequence,
    unrolled,
)


class LeakyCell(nn.Module):
    """What a student writes: one class, one forward."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.both = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        with mg.scope("leak"):
            return 0.9 * h + 0.1 * mg.tanh(self.both(mg.concat([x, h], -1)))


class TwoPartCell(nn.Module):
    """A state of two parts of different size, and an output that is neither."""

    parts, sizes, hidden_size, input_size, output_size = ("fast", "slow"), (4, 2), 4, 3, 5

    def __init__(self):
        super().__init__()
        self.fast, self.slow, self.out = nn.Linear(9, 4), nn.Linear(6, 2), nn.Linear(4, 5)

    def forward(self, x, state):
        fast, slow = state
        fast = mg.tanh(self.fast(mg.concat([x, fast, slow], -1)))
        return fast, 0.5 * slow + 0.5 * self.slow(mg.concat([fast, slow], -1))

    def output(self, state):
        return self.out(state[0])


CELLS = {
    "leaky": lambda: LeakyCell(3, 4),
    "two parts": TwoPartCell,
    "rnn": lambda: RNNCell(3, 4),
    "lstm": lambda: LSTMCell(3, 4, peephole=True),
    "gru": lambda: GRUCell(3, 4, time_skips=(2,)),
    "mgu": lambda: MGUCell(3, 4),
    "indrnn": lambda: IndRNNCell(3, 4),
    "highway": lambda: RHNCell(3, 4, 2),
    "deep": lambda: DeepTransitionCell(3, 4, transition_layers=(5,), output_layers=(6,)),
    "clockwork": lambda: ClockworkCell(3, 4, periods=(1, 2)),
    "stacked": lambda: StackedCells([LSTMCell(3, 4), GRUCell(4, 2)]),
}


def values(rng, *shape):
    return mg.tensor(rng.normal(size=shape), requires_grad=True)


def parts_of(state):
    return list(state) if isinstance(state, (tuple, list)) else [state]


def close(a, b):
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-12)


@pytest.fixture(params=CELLS)
def cell(request):
    mg.manual_seed(0)
    return CELLS[request.param]().double()


def by_hand(cell, x, state=None):
    """The outputs and the last state of one sequence, cell call by cell call."""
    names = getattr(cell, "parts", ("h",))
    if state is None:
        sizes = getattr(cell, "sizes", (cell.hidden_size,) * len(names))
        state = tuple(mg.zeros(x.shape[1], size, dtype=x.dtype) for size in sizes)
    outputs = []
    for step in x.unbind():
        state = cell(step, state if len(names) > 1 else state[0])
        outputs.append(cell.output(state) if hasattr(cell, "output") else parts_of(state)[0])
        state = tuple(parts_of(state))
    return mg.stack(outputs), state


def test_a_layer_is_the_cell_called_at_every_step(cell):
    x = values(np.random.default_rng(0), 5, 2, 3)
    layer = RecurrentLayer(cell)
    output, state = layer(x)
    expected, last = by_hand(cell, x)
    close(output, expected)
    for a, b in zip(parts_of(state), last, strict=True):
        close(a.squeeze(0), b)
    sources = [x, *cell.parameters()]
    gradients = [mg.grad(y.square().sum(), sources, allow_unused=True) for y in (output, expected)]
    for a, b in zip(*gradients, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            close(a, b)


def test_rows_of_different_length_are_the_rows_alone(cell):
    x = values(np.random.default_rng(0), 5, 3, 3)
    layer = RecurrentLayer(cell, backward=cell)
    lengths = [3, 5, 0]
    output, state = layer(x, lengths=lengths)
    for row, length in enumerate(lengths):
        alone, last = layer(x[:length, row : row + 1])
        close(output[:length, row : row + 1], alone)
        assert not output[length:, row].numpy().any()
        for a, b in zip(parts_of(state), parts_of(last), strict=True):
            close(a[:, row : row + 1], b)


def test_streaming_is_the_whole_sequence(cell):
    x = values(np.random.default_rng(0), 4, 2, 3)
    layer = RecurrentLayer(cell)
    whole, last = layer(x)
    state = None
    for t in range(4):
        output, state = layer.step(x[t], state)
        close(output, whole[t])
    for a, b in zip(parts_of(state), parts_of(last), strict=True):
        close(a, b)


def test_lists_and_unbatched_sequences(cell):
    rng = np.random.default_rng(0)
    layer = RecurrentLayer(cell)
    sequences = [values(rng, length, 3) for length in (2, 4)]
    outputs, _ = layer(sequences)
    packed, _ = layer(pack_sequence(sequences))
    assert packed.data.shape[0] == 6
    for sequence, output in zip(sequences, outputs, strict=True):
        alone, _ = layer(sequence)
        close(output, alone)


@pytest.mark.parametrize(("kind", "cell_kind"), [(LSTM, LSTMCell), (GRU, GRUCell), (RNN, RNNCell)])
def test_our_own_cells_are_our_own_layers(kind, cell_kind):
    mg.manual_seed(0)
    layer, x = kind(3, 4, 2, bidirectional=True).double(), values(np.random.default_rng(0), 5, 2, 3)
    cells = [[cell_kind(3 if i == 0 else 8, 4).double() for i in range(2)] for _ in range(2)]
    custom = RecurrentLayer(*cells)
    for i in range(2):
        for row, end in zip(cells, ("", "_reverse"), strict=True):
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            row[i].load_state_dict({name: layer.state_dict()[f"{name}_l{i}{end}"] for name in names})
    assert [plan.path for plan in custom.plan()] == ["fused"] * 4
    (a, s), (b, r) = layer(x, lengths=[5, 2]), custom(x, lengths=[5, 2])
    close(a, b)
    for p, q in zip(parts_of(s), parts_of(r), strict=True):
        close(p, q)


def test_a_students_cell_says_why_it_runs_op_by_op_and_in_which_scope():
    layer = RecurrentLayer(LeakyCell(3, 4))
    assert layer.plan()[0][1:] == ("unrolled", "LeakyCell has no kernel")
    output, _ = layer(mg.ones(2, 1, 3))
    assert any("/t=1/" in node.scope and "leak" in node.scope for node in mg.graph(output))


def test_everything_a_layer_can_do_a_students_cell_gets():
    mg.manual_seed(0)
    cells = [LeakyCell(3, 4), LeakyCell(4, 4)]
    backward = [MGUCell(3, 4), RNNCell(4, 4)]
    layer = RecurrentLayer(
        cells, backward, dropout=0.3, merge_mode="ave", residual=True, zoneout=0.2, variational=(0.1, 0.0, 0.1),
        learn_initial_state=True, batch_first=True,
    )
    output, h, states = layer(mg.ones(2, 5, 3), return_all_states=True)
    assert output.shape == (2, 5, 4)
    assert h.shape == (4, 2, 4)
    assert states.shape == (4, 2, 5, 4)
    output.sum().backward()
    assert all(p.grad is not None for p in layer.parameters())
    close(layer.eval()(mg.ones(2, 5, 3))[0], layer(mg.ones(2, 5, 3))[0])


def test_a_different_cell_for_the_backward_direction():
    mg.manual_seed(0)
    fwd, bwd = GRUCell(3, 4).double(), LSTMCell(3, 2).double()
    x = values(np.random.default_rng(0), 5, 2, 3)
    output, (h, (g, c)) = RecurrentLayer(fwd, backward=bwd)(x)
    first, last = RecurrentLayer(fwd)(x)
    second, (other_g, other_c) = RecurrentLayer(bwd)(x.flip(0))
    close(output, mg.concat([first, second.flip(0)], -1))
    for a, b in ((h, last), (g, other_g), (c, other_c)):
        close(a, b.squeeze(0))
    again, _ = RecurrentLayer(fwd, backward=bwd)(x, (h, (g, c)))
    assert not np.allclose(again.numpy(), output.numpy())


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", "none"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_two_layers_as_two_directions_are_a_bidirectional_layer(merge, batch_first):
    mg.manual_seed(0)
    layer = LSTM(3, 4, bidirectional=True, merge_mode=merge, batch_first=batch_first).double()
    halves = [LSTM(3, 4, batch_first=batch_first).double() for _ in range(2)]
    state = layer.state_dict()
    for half, end in zip(halves, ("", "_reverse"), strict=True):
        half.load_state_dict({name: state[name + end] for name in half.state_dict()})
    x = values(np.random.default_rng(0), *((2, 5) if batch_first else (5, 2)), 3)
    mask = np.array([[1, 1, 0, 1, 1], [0, 0, 1, 1, 0]], bool)
    mask = mask if batch_first else mask.T
    output, (h, c) = layer(x, mask=mask)
    both, (one, two) = Bidirectional(*halves, merge=merge)(x, mask=mask)
    for a, b in zip(parts_of(output), parts_of(both), strict=True):
        close(a, b)
    for i in range(2):
        close((h, c)[i], mg.concat([one[i], two[i]]))


def test_two_directions_take_lists_and_states():
    mg.manual_seed(0)
    layer, rng = Bidirectional(GRU(3, 4), LSTM(3, 5)).double(), np.random.default_rng(0)
    sequences = [values(rng, length, 3) for length in (2, 4)]
    outputs, state = layer(sequences)
    assert [y.shape for y in outputs] == [(2, 9), (4, 9)]
    again, _ = layer(sequences, state)
    assert not np.allclose(again[0].numpy(), outputs[0].numpy())


def test_stacked_cells_are_stacked_layers():
    mg.manual_seed(0)
    cells = [LSTMCell(3, 4).double(), LSTMCell(4, 4).double()]
    x = values(np.random.default_rng(0), 5, 2, 3)
    output, _ = RecurrentLayer(cells)(x)
    stacked, state = RecurrentLayer(StackedCells(cells))(x)
    close(output, stacked)
    assert [part.shape for part in state] == [(2, 4)] * 4 or [part.shape for part in state] == [(1, 2, 4)] * 4


def test_both_paths_of_our_cells_in_a_custom_layer_agree():
    mg.manual_seed(0)
    layer = RecurrentLayer(LSTMCell(3, 4), backward=GRUCell(3, 4)).double()
    x = values(np.random.default_rng(0), 4, 2, 3)
    fused, _ = layer(x)
    with unrolled():
        recorded, _ = layer(x)
    close(fused, recorded)


def test_state_dict_goes_round():
    mg.manual_seed(0)
    first, second = (RecurrentLayer(LeakyCell(3, 4), backward=LeakyCell(3, 4), highway=False) for _ in range(2))
    second.load_state_dict(first.state_dict())
    assert set(first.state_dict()) >= {"cells.0.both.weight", "backward_cells.0.both.bias"}
    close(first(mg.ones(3, 1, 3))[0], second(mg.ones(3, 1, 3))[0])


class NegatedCell(GRUCell):
    def forward(self, input, hx=None):
        return -super().forward(input, hx)


class DoubledCell(GRUCell):
    def output(self, state):
        return 2.0 * state


@pytest.mark.parametrize("kind", [NegatedCell, DoubledCell])
def test_a_class_derived_from_one_of_our_cells_runs_by_its_own_methods(kind):
    mg.manual_seed(0)
    cell, x = kind(3, 4).double(), values(np.random.default_rng(0), 4, 2, 3)
    layer = RecurrentLayer(cell)
    output, _ = layer(x)
    close(output, by_hand(cell, x)[0])
    assert layer.plan()[0][1:] == ("unrolled", f"{kind.__name__} has no kernel")


def test_regularisers_of_the_layer_leave_the_others_of_the_cell():
    layer = RecurrentLayer(LSTMCell(3, 4, variational=0.5, zoneout=0.1), zoneout=0.2)
    noise = layer.noise_of(0, False)
    assert (noise.variational, noise.zoneout) == (0.5, 0.2)


def test_one_cell_of_one_part_stacked_is_that_cell():
    mg.manual_seed(0)
    cell, x = GRUCell(3, 4).double(), values(np.random.default_rng(0), 5, 2, 3)
    (output, h), (expected, last) = (RecurrentLayer(c)(x, lengths=[5, 2]) for c in (StackedCells([cell]), cell))
    close(output, expected)
    close(h, last)


def test_a_cell_put_in_the_place_of_another_in_stacked_cells_is_used():
    mg.manual_seed(0)
    stacked, x = StackedCells([GRUCell(3, 4), GRUCell(4, 2)]), mg.ones(2, 3)
    stacked.cells[0] = first = GRUCell(3, 4)
    close(stacked(x)[0], first(x))


def test_two_directions_of_one_sequence_without_a_batch():
    mg.manual_seed(0)
    for batch_first in (False, True):
        layer = Bidirectional(GRU(3, 4, batch_first=batch_first), LSTM(3, 5, batch_first=batch_first)).double()
        x = values(np.random.default_rng(0), 6, 3)
        output, (h, (g, c)) = layer(x, lengths=4)
        batch, _ = layer(x.unsqueeze(0 if batch_first else 1), lengths=[4])
        close(output, batch.squeeze(0 if batch_first else 1))
        assert [part.shape for part in (h, g, c)] == [(1, 4), (1, 5), (1, 5)]
        assert not np.allclose(layer(x, (h, (g, c)), lengths=4)[0].numpy(), output.numpy())


def test_the_options_of_a_layer_are_shown():
    shown = repr(RecurrentLayer(GRUCell(3, 4), batch_first=True, zoneout=0.1, learn_initial_state=True))
    assert "RecurrentLayer(batch_first=True, zoneout=0.1, learn_initial_state=True" in shown


class Wrong(nn.Module):
    hidden_size = 4

    def forward(self, x, h):
        return mg.concat([x, h], -1)


def test_what_is_wrong_is_explained():
    with pytest.raises(mg.MinigradError, match="hidden_size, the size of its state; Linear is none"):
        RecurrentLayer(nn.Linear(2, 3))
    with pytest.raises(mg.MinigradError, match="GRUCell is the class, not a cell made of it"):
        RecurrentLayer(GRUCell)
    with pytest.raises(mg.MinigradError, match="there are no cells"):
        RecurrentLayer([])
    with pytest.raises(mg.MinigradError, match="2 cells, but 1 of the backward direction"):
        RecurrentLayer([GRUCell(2, 3), GRUCell(3, 3)], backward=[GRUCell(2, 3)])
    with pytest.raises(mg.ShapeError, match="Wrong: forward must return the parts of the state, h"):
        RecurrentLayer(Wrong())(mg.ones(2, 1, 3))
    with pytest.raises(mg.MinigradError, match="what happens inside LeakyCell is its own"):
        RecurrentLayer(LeakyCell(2, 3), variational=0.5)
    with pytest.raises(mg.MinigradError, match="weight_dropout is for RNNCell, LSTMCell and GRUCell"):
        RecurrentLayer(IndRNNCell(2, 3), weight_dropout=0.5)
    with pytest.raises(mg.MinigradError, match=r"variational of GRUCell .* begin anew at every step"):
        StackedCells([GRUCell(2, 3, variational=0.5)])
    with pytest.raises(mg.MinigradError, match=r"weight_dropout and batch_norm of NegatedCell .* at every step"):
        RecurrentLayer(NegatedCell(2, 3, weight_dropout=0.5, batch_norm=4))
    with pytest.raises(mg.MinigradError, match="LSTM is a layer, and runs over sequences; give its cell"):
        RecurrentLayer(LSTM(2, 3))
    with pytest.raises(mg.ShapeError, match=r"StackedCells: the state is \(h0, c0, h1\), not a tuple of 2"):
        StackedCells([LSTMCell(2, 3), GRUCell(3, 3)])(mg.ones(1, 2), (mg.zeros(1, 3), mg.zeros(1, 3)))
    with pytest.raises(mg.MinigradError, match="Bidirectional: the output of LSTM is a tuple, not one tensor"):
        Bidirectional(LSTM(2, 3, bidirectional=True, merge_mode="none"), GRU(2, 3))(mg.ones(2, 1, 2))
    with pytest.raises(mg.ShapeError, match="RecurrentLayer: the input must have shape"):
        RecurrentLayer(GRUCell(2, 3))(mg.ones(2, 1, 3))
    with pytest.raises(mg.MinigradError, match="batch_first is False in one layer and True in the other"):
        Bidirectional(GRU(2, 3), GRU(2, 3, batch_first=True))
    with pytest.raises(mg.MinigradError, match="merge_mode is one of"):
        Bidirectional(GRU(2, 3), GRU(2, 3), merge="add")
    with pytest.raises(TypeError, match="no option zonout; did you mean zoneout"):
        RecurrentLayer(GRUCell(2, 3), zonout=0.1)


def test_only_states_are_learned_not_counts_and_not_the_past():
    clock = RecurrentLayer(ClockworkCell(3, 4, periods=(1, 2)), learn_initial_state=True)
    skips = GRU(3, 4, time_skips=(2,), learn_initial_state=True)
    for layer in (clock, skips):
        learned = {name for name, _ in layer.named_parameters() if name.startswith("initial")}
        assert learned == {"initial_h_l0"}
        layer(mg.ones(3, 2, 3))[0].sum().backward()
        assert all(p.grad is not None for p in layer.parameters())
