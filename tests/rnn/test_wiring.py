"""How layers are connected: directions, layers, initial states, and the states of every step."""

from __future__ import annotations

import numpy as np
import pytest
from option_helpers import INPUTS, ROWS, STEPS, UNITS, filled, parts_of, same

import minigrad as mg
from minigrad.check import check_module
from minigrad_rnn import GRU, LSTM, RNN

KINDS = [RNN, LSTM, GRU]


@pytest.fixture(params=[True, False], ids=["fused", "unrolled"])
def layer_of(request):
    """Makes layers with random parameters, in float64."""

    def make(kind, inputs=INPUTS, units=UNITS, *args, seed=0, **options):
        layer = filled(kind(inputs, units, *args, **options), seed)
        layer.fused = request.param
        return layer

    return make


def inputs_of(steps=STEPS, rows=ROWS, features=INPUTS):
    return mg.tensor(np.random.default_rng(5).normal(size=(steps, rows, features)))


def part_of(layer, make, number=0, reverse=False):
    """A layer of one layer and direction that has the weights of one of a stack."""
    end = f"_l{number}" + "_reverse" * reverse
    names = [name for name, _ in layer.named_parameters() if name.endswith(end) and name.startswith(("weight", "bias"))]
    state = {name.replace(end, "_l0"): layer.state_dict()[name] for name in names if "highway" not in name}
    single = make(type(layer), state["weight_ih_l0"].shape[1], state["weight_hh_l0"].shape[1])
    single.load_state_dict(state)
    return single


def directions(layer, make, x, number=0, lengths=None):
    """The outputs of the two directions of a layer, each by a layer of its own."""
    order = [list(range(n))[::-1] + list(range(n, len(x))) for n in lengths or [len(x)] * x.shape[1]]
    turn = np.array(order).T, np.arange(x.shape[1])
    forward, _ = part_of(layer, make, number)(x, lengths=lengths)
    backward, _ = part_of(layer, make, number, True)(mg.tensor(x.numpy()[turn]), lengths=lengths)
    return forward.numpy(), backward.numpy()[turn]


MERGED = {
    "concat": lambda a, b: np.concatenate([a, b], -1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
}


@pytest.mark.parametrize("lengths", [None, [4, 5, 0]])
@pytest.mark.parametrize("mode", MERGED)
@pytest.mark.parametrize("kind", KINDS)
def test_two_directions_are_merged(layer_of, kind, mode, lengths):
    """In every layer; the next one reads what came of it."""
    layer, x = layer_of(kind, num_layers=2, bidirectional=True, merge_mode=mode), inputs_of()
    seen = x
    for number in range(2):
        seen = mg.tensor(MERGED[mode](*directions(layer, layer_of, seen, number, lengths)))
    output, last = layer(x, lengths=lengths)
    same(output, seen)
    assert all(part.shape == (4, ROWS, UNITS) for part in parts_of(last))


@pytest.mark.parametrize("options", [{}, {"residual": True}, {"highway": True}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_directions_that_are_not_merged_are_two_stacks(layer_of, kind, options):
    """Neither has anything to do with the other, be it the gates of a highway."""
    layer, x = layer_of(kind, num_layers=3, bidirectional=True, merge_mode="none", **options), inputs_of()
    alone = [layer_of(kind, num_layers=3, **options) for _ in range(2)]
    for reverse, one in enumerate(alone):
        ours = {n: v for n, v in layer.state_dict().items() if n.endswith("_reverse") == reverse}
        one.load_state_dict({name.replace("_reverse", ""): value for name, value in ours.items()})
    (forward, backward), last, every = layer(x, return_all_states=True)
    for reverse, (output, one) in enumerate(zip((forward, backward), alone, strict=True)):
        expected, end, states = one(x.flip(0) if reverse else x, return_all_states=True)
        same(output.flip(0) if reverse else output, expected)
        for part, value in zip(parts_of(last), parts_of(end), strict=True):
            same(part[reverse::2], value)
        for part, value in zip(parts_of(every), parts_of(states), strict=True):
            same(part[reverse::2].flip(1) if reverse else part[reverse::2], value)


def test_an_output_that_is_a_pair_comes_back_in_the_form_of_the_input(layer_of):
    layer = layer_of(GRU, bidirectional=True, merge_mode="none", batch_first=True)
    x = inputs_of()
    pair, _ = layer(x.transpose(0, 1))
    assert [y.shape for y in pair] == [(ROWS, STEPS, UNITS)] * 2
    alone, _ = layer(x[:, 0])
    for y, expected in zip(alone, pair, strict=True):
        same(y, expected[0])
    listed, _ = layer([x[:4, 0], x[:, 1]])
    assert [[y.shape for y in side] for side in listed] == [[(4, UNITS), (5, UNITS)]] * 2


# ---- connections around layers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_residual_layers_that_put_out_nothing_are_the_identity(layer_of, kind, bidirectional):
    """The first layer, whose input may be of another size, has no connection around it."""
    layer, x = layer_of(kind, num_layers=3, bidirectional=bidirectional, residual=True), inputs_of()
    first = layer_of(kind, bidirectional=bidirectional)
    first.load_state_dict({name: v for name, v in layer.state_dict().items() if "_l0" in name})
    for name, p in layer.named_parameters():
        if "_l0" not in name:
            p.data = p.data * 0
    same(layer(x)[0], first(x)[0])


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_highway_whose_gates_are_shut_is_the_identity_and_wide_open_is_no_highway(layer_of, kind, bidirectional):
    layer, x = layer_of(kind, num_layers=3, bidirectional=bidirectional, highway=True), inputs_of()
    first, plain = (layer_of(kind, num_layers=n, bidirectional=bidirectional) for n in (1, 3))
    first.load_state_dict({name: v for name, v in layer.state_dict().items() if "_l0" in name})
    plain.load_state_dict({name: v for name, v in layer.state_dict().items() if "highway" not in name})
    for bias, expected in [(-1e4, first), (1e4, plain)]:
        for number in (1, 2):
            getattr(layer, f"bias_highway_l{number}").data = np.full(UNITS * (1 + bidirectional), bias)
        same(layer(x)[0], expected(x)[0])


def test_highway_gates_are_nearly_shut_at_first():
    layer = LSTM(2, 3, 2, highway=True)
    assert layer.bias_highway_l1.tolist() == [-1.0] * 3
    assert np.abs(layer.weight_highway_l1.numpy()).max() <= 3**-0.5
    assert not hasattr(layer, "bias_highway_l0")


@pytest.mark.parametrize("features", [INPUTS, UNITS])
@pytest.mark.parametrize("wiring", [{"residual": True}, {"highway": True}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_connections_follow_their_formula(layer_of, kind, wiring, features):
    """There is none around the first layer, even if sizes would allow it."""
    layer, x = layer_of(kind, features, num_layers=3, **wiring), inputs_of(features=features)
    y, _ = part_of(layer, layer_of)(x)
    for number in (1, 2):
        above, _ = part_of(layer, layer_of, number)(y)
        if "residual" in wiring:
            y = above + y
        else:
            w, b = (getattr(layer, f"{name}_highway_l{number}") for name in ("weight", "bias"))
            t = 1 / (1 + np.exp(-(y.numpy() @ w.numpy().T + b.numpy())))
            y = mg.tensor(t * above.numpy() + (1 - t) * y.numpy())
    same(layer(x)[0], y)


# ---- sizes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_layers_of_different_sizes_are_layers_on_top_of_each_other(layer_of, kind):
    """Each layer's state has a size of its own, so the state is one for each layer."""
    layer, x = layer_of(kind, INPUTS, [5, 2, 4]), inputs_of()
    rng = np.random.default_rng(6)
    first = [tuple(mg.tensor(rng.normal(size=(ROWS, n))) for _ in range(1 + (kind is LSTM))) for n in (5, 2, 4)]
    first = first if kind is LSTM else [part for (part,) in first]
    output, last, every = layer(x, tuple(first), return_all_states=True)
    y = x
    for number, state in enumerate(first):
        one = part_of(layer, layer_of, number)
        y, end = one(y, tuple(part[None] for part in state) if kind is LSTM else state[None])
        for part, expected in zip(parts_of(last[number]), parts_of(end), strict=True):
            same(part, expected[0])
        same(parts_of(every[number])[0], y)
    same(output, y)
    again, _ = layer(x, last)
    assert again.shape == (STEPS, ROWS, 4)
    alone, end = layer(x[:, 0])
    assert [parts_of(part)[0].shape for part in end] == [(5,), (2,), (4,)]
    assert alone.shape == (STEPS, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_sizes_given_one_by_one_are_as_one_number(layer_of, kind):
    one, many = layer_of(kind, num_layers=2), layer_of(kind, INPUTS, [UNITS, UNITS])
    for a, b in zip(one(inputs_of()), many(inputs_of()), strict=True):
        for x, y in zip(parts_of(a), parts_of(b), strict=True):
            assert np.array_equal(x.numpy(), y.numpy())


def test_sizes_go_with_two_directions_and_a_projection(layer_of):
    layer = layer_of(LSTM, INPUTS, [5, 4], bidirectional=True, proj_size=2)
    output, last = layer(inputs_of())
    assert output.shape == (STEPS, ROWS, 4)
    assert [[part.shape for part in state] for state in last] == [[(ROWS, 2), (ROWS, n)] for n in (5, 5, 4, 4)]


# ---- the initial state -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}, {"time_skips": (2, 3)}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_learned_initial_state_is_used_where_none_is_given(layer_of, kind, options):
    layer, plain, x = layer_of(kind, learn_initial_state=True, **options), layer_of(kind, **options), inputs_of()
    learned = {name: p for name, p in layer.named_parameters() if name.startswith("initial")}
    plain.load_state_dict({name: v for name, v in layer.state_dict().items() if name not in learned})
    count, names = layer.num_layers * (1 + layer.bidirectional), layer.recurrence.zoned  # all but the past
    assert len(learned) == count * len(names)
    ends = [f"_l{i}{end}" for i in range(layer.num_layers) for end in ["", "_reverse"][: 1 + layer.bidirectional]]
    state = [mg.stack([learned[f"initial_{part}{end}"].detach().expand(ROWS, -1) for end in ends]) for part in names]
    leaves = [part.numpy() for part in state]
    leaves = [mg.tensor(part, requires_grad=True) for part in leaves]
    past = [mg.zeros(count, ROWS, size, dtype=x.dtype) for size in layer.sizes_of(0, False)[len(names) :]]
    given = (*leaves, *past) if len(layer.recurrence.names) > 1 else leaves[0]
    output, expected = layer(x)[0], plain(x, given)[0]
    same(output, expected)
    found = mg.grad(output.square().sum(), list(learned.values()))
    for part, by_row in zip(names, mg.grad(expected.square().sum(), leaves), strict=True):
        for place, end in enumerate(ends):
            same(found[list(learned).index(f"initial_{part}{end}")], by_row.sum(1)[place])
    assert np.array_equal(layer(x, given)[0].numpy(), expected.numpy())
    same(layer(x[:, 0])[0], expected[:, 0])


def test_a_learned_initial_state_is_zeros_at_first():
    layer = LSTM(2, 3, learn_initial_state=True)
    assert layer.initial_h_l0.tolist() == layer.initial_c_l0.tolist() == [0.0] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_no_steps_ends_in_the_learned_state(layer_of, kind):
    layer = layer_of(kind, learn_initial_state=True)
    _, last = layer(inputs_of(), lengths=[2, 0, 5])
    for name, part in zip(layer.recurrence.names, parts_of(last), strict=True):
        learned = getattr(layer, f"initial_{name}_l0")
        same(part[0, 1], learned, 0)
        assert not np.isclose(part[0, 0].numpy(), learned.numpy()).any()


# ---- the states of every step ------------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [None, [2, 0, 5]])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}, {"time_skips": (2,)}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_the_states_of_every_step(layer_of, kind, options, lengths):
    """As the last states of all beginnings of the sequences; zeros where a row has ended."""
    layer, x = layer_of(kind, **options), inputs_of()
    output, last, every = layer(x, lengths=lengths, return_all_states=True)
    short, end = layer(x, lengths=lengths)
    same(output, short, 0)
    count = layer.num_layers * (1 + layer.bidirectional)
    lengths = np.array(lengths or [STEPS] * ROWS)
    for part, final, usual in zip(parts_of(every), parts_of(last), parts_of(end), strict=True):
        same(final, usual, 0)
        assert part.shape == (count, STEPS, ROWS, final.shape[-1])
        values = part.numpy()
        assert not values[:, np.arange(STEPS)[:, None] >= lengths].any()
        for row, n in enumerate(lengths):
            for place in range(count if n else 0):
                backward = layer.bidirectional and place % 2
                same(values[place, 0 if backward else n - 1, row], final.numpy()[place, row])
    top = parts_of(every)[0][-1 - layer.bidirectional :].unbind()
    same(output, mg.concat(top, -1))
    if not layer.bidirectional:
        for t in range(STEPS):
            _, after = layer(x[: t + 1])
            for part, expected in zip(parts_of(every), parts_of(after), strict=True):
                running = lengths > t
                same(part.numpy()[:, t, running], expected.numpy()[:, running])


@pytest.mark.parametrize("kind", KINDS)
def test_the_states_of_every_step_in_the_order_of_the_input(layer_of, kind):
    layer, x = layer_of(kind, num_layers=2), inputs_of()
    _, _, every = layer(x, return_all_states=True)
    layer.batch_first = True
    _, _, turned = layer(x.transpose(0, 1), return_all_states=True)
    _, _, alone = layer(x[:, 0], return_all_states=True)
    for part, other, one in zip(parts_of(every), parts_of(turned), parts_of(alone), strict=True):
        same(other, part.transpose(1, 2))
        same(one, part[:, :, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_through_the_states_of_every_step(layer_of, kind):
    layer = layer_of(kind, 2, 2, num_layers=2)

    def function(x, *parameters):
        return list(parts_of(layer(x, lengths=[3, 2], return_all_states=True)[2]))

    x = mg.tensor(inputs_of(3, 2, 2).numpy(), requires_grad=True)
    assert mg.gradcheck(function, x, *layer.parameters(), directional=True)
    assert mg.gradgradcheck(function, x, *layer.parameters(), directional=True)


# ---- errors, contract --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "options", "error", "told"),
    [
        ((2, 3), {"merge_mode": "add"}, mg.MinigradError, 'merge_mode is one of "concat", .*"none", not \'add\''),
        ((2, 3), {"merge_mode": None}, mg.MinigradError, "merge_mode is one of .* not None"),
        ((2, 3, 2), {"residual": True, "highway": True}, mg.MinigradError, "choose one"),
        ((2, [3, 4]), {"residual": True}, mg.ShapeError, r"outputs of one size, not \[3, 4\]"),
        ((2, [3, 4]), {"highway": True, "bidirectional": True}, mg.ShapeError, r"one size, not \[6, 8\]"),
        ((2, [3, 4], 3), {}, mg.ShapeError, "2 hidden sizes for num_layers=3"),
        ((2, [3, 0]), {}, mg.ShapeError, "hidden_size must be at least 1, not 0"),
        ((2, []), {}, mg.ShapeError, "hidden_size"),
    ],
)
def test_what_cannot_be_wired_is_explained(args, options, error, told):
    with pytest.raises(error, match=told):
        GRU(*args, **options)


def test_states_of_layers_of_different_sizes_are_explained():
    layer = LSTM(2, [3, 4])
    with pytest.raises(mg.ShapeError, match="a tuple of 2, one for each layer and direction, since their sizes differ"):
        layer(mg.zeros(5, 1, 2), (mg.zeros(1, 3), mg.zeros(1, 3), mg.zeros(1, 4)))
    with pytest.raises(mg.ShapeError, match=r"the state c must have shape \(1, 4\), not \(1, 3\)"):
        layer(mg.zeros(5, 1, 2), [(mg.zeros(1, 3), mg.zeros(1, 3)), (mg.zeros(1, 4), mg.zeros(1, 3))])


WIRED = [
    {"num_layers": 2, "residual": True},
    {"num_layers": 2, "highway": True, "bidirectional": True},
    {"num_layers": 2, "highway": True, "bidirectional": True, "merge_mode": "none", "learn_initial_state": True},
    {"bidirectional": True, "merge_mode": "mul"},
    {"learn_initial_state": True, "num_layers": 2},
]


@pytest.mark.parametrize("options", WIRED, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_contract(kind, options):
    if options.get("merge_mode") == "none":
        with mg.no_grad():
            (forward, backward), _ = kind(2, 3, **options)(mg.zeros(3, 2, 2))
        assert forward.shape == backward.shape == (3, 2, 3)
        return
    assert check_module(kind(2, 3, **options), mg.randn(3, 2, 2), directional=True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"residual": True}, "residual acts between layers, and there is only one"),
        ({"highway": True}, "highway acts between layers, and there is only one"),
        ({"merge_mode": "sum"}, "merge_mode=.sum. puts two directions together, and there is only one"),
    ],
)
def test_what_does_nothing_says_so(options, told):
    with pytest.warns(UserWarning, match=told) as caught:
        GRU(2, 3, **options)
    assert caught[0].filename == __file__
