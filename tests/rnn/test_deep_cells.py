"""The deep family and the other cells: against their equations in plain NumPy, and what must be the same as what."""

from __future__ import annotations

import copy
import math
import re

import numpy as np
import pytest

import minigrad as mg
from minigrad.check import check_module
from minigrad_rnn import GRUCell, RecurrentLayer, RNNCell
from minigrad_rnn.cells import ClockworkCell, DeepTransitionCell, IndRNNCell, MGUCell, RHNCell

INPUTS, UNITS, ROWS, STEPS = 3, 4, 2, 9
RNG = np.random.default_rng(0)
XS, H0 = RNG.normal(size=(STEPS, ROWS, INPUTS)), RNG.normal(size=(ROWS, UNITS))
ACTIVATIONS = {"tanh": np.tanh, "relu": lambda a: np.maximum(a, 0)}

# ---- the equations -----------------------------------------------------------------------------------------------


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def bias_of(p, name):
    return p.get(name, 0.0)


def rows(p, name, block):
    return p[name][block * UNITS : (block + 1) * UNITS] if name in p else 0.0


def mgu(x, h, p):
    def argument(block, h):
        recurrent = h @ rows(p, "weight_hh", block).T + rows(p, "bias_hh", block)
        return x @ rows(p, "weight_ih", block).T + rows(p, "bias_ih", block) + recurrent

    f = sigmoid(argument(0, h))
    return (1 - f) * h + f * np.tanh(argument(1, f * h))


def indrnn(x, h, p, nonlinearity="relu"):
    after = np.empty_like(h)
    for unit in range(UNITS):
        a = x @ p["weight_ih"][unit] + p["weight_hh"][unit] * h[:, unit]
        after[:, unit] = ACTIVATIONS[nonlinearity](a + (p["bias_ih"][unit] if "bias_ih" in p else 0.0))
    return after


def rhn(x, h, p, depth, coupled=True):
    def argument(layer, block, s):
        a = s @ rows(p, f"weight_hh.{layer}", block).T + rows(p, f"bias_hh.{layer}", block)
        return a + x @ rows(p, "weight_ih", block).T if layer == 0 else a

    s = h
    for layer in range(depth):
        a, g = np.tanh(argument(layer, 0, s)), sigmoid(argument(layer, 1, s))
        c = 1 - g if coupled else sigmoid(argument(layer, 2, s))
        s = a * g + s * c
    return s


def elman(x, h, p):
    return np.tanh(x @ p["weight_ih"].T + h @ p["weight_hh"].T + bias_of(p, "bias_ih") + bias_of(p, "bias_hh"))


def clockwork(x, h, t, p, periods, full=False):
    """Group by group and row by row; each row has its own count."""
    size = UNITS // len(periods)
    after = h.copy()
    for row in range(len(h)):
        for group, period in enumerate(periods):
            if t[row] % period:
                continue
            own = slice(group * size, (group + 1) * size)
            a = p["weight_ih"][own] @ x[row] + p["bias_ih"][own] + p["bias_hh"][own]
            for other, slower in enumerate(periods):
                if full or slower >= period:
                    seen = slice(other * size, (other + 1) * size)
                    a = a + p["weight_hh"][own, seen] @ h[row, seen]
            after[row, own] = np.tanh(a)
    return after


def layers_of(p, name):
    count = sum(key.startswith(name) and key.endswith("weight") for key in p)
    return [(p[f"{name}.{k}.weight"], bias_of(p, f"{name}.{k}.bias")) for k in range(count)]


def through(layers, a):
    for weight, bias in layers:
        a = np.tanh(a @ weight.T + bias)
    return a


def deep_transition(x, h, p, input_to="first"):
    projected = through(layers_of(p, "input_layers"), x) @ p["weight_ih"].T + bias_of(p, "bias_ih")
    layers = layers_of(p, "transition_layers")
    if layers and input_to == "first":
        (weight, bias), *layers = layers
        deep, beside = through(layers, np.tanh(h @ weight.T + bias + projected)), 0.0
    else:
        deep, beside = through(layers, h), projected
    shortcut = h @ p["weight_shortcut"].T if "weight_shortcut" in p else 0.0
    return np.tanh(deep @ p["weight_hh"].T + bias_of(p, "bias_hh") + beside + shortcut)


# ---- cells -------------------------------------------------------------------------------------------------------

DEEP = {"input_layers": (5,), "transition_layers": (6, 3), "output_layers": (2,)}
CASES = {
    "mgu": (MGUCell, {}, mgu),
    "mgu without bias": (MGUCell, {"bias": False}, mgu),
    "indrnn": (IndRNNCell, {}, indrnn),
    "indrnn tanh": (
        IndRNNCell,
        {"nonlinearity": "tanh", "bias": False},
        lambda x, h, p: indrnn(x, h, p, "tanh"),
    ),
    "rhn": (RHNCell, {"depth": 3}, lambda x, h, p: rhn(x, h, p, 3)),
    "rhn carry": (RHNCell, {"depth": 2, "coupled": False}, lambda x, h, p: rhn(x, h, p, 2, coupled=False)),
    "rhn without bias": (RHNCell, {"depth": 2, "bias": False}, lambda x, h, p: rhn(x, h, p, 2)),
    "deep": (DeepTransitionCell, DEEP, deep_transition),
    "deep shortcut": (DeepTransitionCell, {**DEEP, "shortcut": True, "bias": False}, deep_transition),
    "deep last": (
        DeepTransitionCell,
        {**DEEP, "shortcut": True, "input_to": "last"},
        lambda x, h, p: deep_transition(x, h, p, "last"),
    ),
}
ONE_PART = pytest.mark.parametrize(("kind", "options", "expected"), CASES.values(), ids=CASES)
ALL = {name: case[:2] for name, case in CASES.items()} | {
    "clockwork": (ClockworkCell, {"periods": (1, 2)}),
    "clockwork full": (ClockworkCell, {"periods": (4, 1, 2, 1), "full": True}),
}
EVERY = pytest.mark.parametrize(("kind", "options"), ALL.values(), ids=ALL)


def made(kind, *, seed=0, double=True, **options):
    """A cell with larger weights than the usual ones, so that nothing is nearly linear."""
    mg.manual_seed(seed)
    cell = kind(INPUTS, UNITS, **options)
    for parameter in cell.parameters():
        mg.nn.init.normal_(parameter)
    return cell.double() if double else cell


def arrays(cell):
    return {name: p.numpy() for name, p in cell.named_parameters()}


def same(value, expected):
    np.testing.assert_allclose(value.numpy(), expected, rtol=1e-12, atol=1e-13)


def h_of(state):
    return state[0] if isinstance(state, tuple) else state


@ONE_PART
def test_the_equations(kind, options, expected):
    cell = made(kind, **options)
    h, state = H0, mg.tensor(H0)
    for x in XS:
        h, state = expected(x, h, arrays(cell)), cell(mg.tensor(x), state)
        same(state, h)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("periods", [(1, 2), (1, 2, 4, 8), (3, 1), (1, 1, 5, 2)])
def test_the_equations_of_the_clockwork(periods, full):
    cell = made(ClockworkCell, periods=periods, full=full)
    start = np.array([0, 3])
    h, state = H0, (mg.tensor(H0), mg.tensor(start[:, None]))
    for t, x in enumerate(XS):
        h, state = clockwork(x, h, t + start, arrays(cell), periods, full), cell(mg.tensor(x), state)
        same(state[0], h)
    cycle = math.lcm(*periods)
    assert state[1].tolist() == [[STEPS % cycle], [(STEPS + 3) % cycle]]
    assert state[1].dtype == cell(mg.tensor(x))[1].dtype == mg.int64


def test_the_output_of_a_deep_transition_cell():
    cell = made(DeepTransitionCell, **DEEP)
    same(cell.output(mg.tensor(H0)), through(layers_of(arrays(cell), "output_layers"), H0))
    assert cell.output_size == 2
    shallow = made(DeepTransitionCell)
    assert shallow.output_size == UNITS
    same(shallow.output(mg.tensor(H0)), H0)


# ---- what is the same as what ------------------------------------------------------------------------------------


def test_mgu_is_a_gru_whose_gates_are_one():
    cell = made(MGUCell)
    gru = GRUCell(INPUTS, UNITS, reset_after=False, update_gate="new").double()
    gru.load_state_dict({name: np.concatenate([value[:UNITS], value]) for name, value in arrays(cell).items()})
    same(cell(mg.tensor(XS[0]), mg.tensor(H0)), gru(mg.tensor(XS[0]), mg.tensor(H0)).numpy())


@pytest.mark.parametrize("nonlinearity", ["relu", "tanh"])
def test_indrnn_is_a_simple_network_with_a_diagonal_matrix(nonlinearity):
    cell = made(IndRNNCell, nonlinearity=nonlinearity)
    p = arrays(cell)
    simple = RNNCell(INPUTS, UNITS, nonlinearity=nonlinearity).double()
    simple.load_state_dict({**p, "weight_hh": np.diag(p["weight_hh"]), "bias_hh": np.zeros(UNITS)})
    same(cell(mg.tensor(XS[0]), mg.tensor(H0)), simple(mg.tensor(XS[0]), mg.tensor(H0)).numpy())


@pytest.mark.parametrize("input_to", ["first", "last"])
def test_deep_transition_without_layers_is_a_simple_network(input_to):
    simple = made(RNNCell)
    cell = DeepTransitionCell(INPUTS, UNITS, input_to=input_to).double()
    cell.load_state_dict(simple.state_dict())
    same(cell(mg.tensor(XS[0]), mg.tensor(H0)), simple(mg.tensor(XS[0]), mg.tensor(H0)).numpy())


@pytest.mark.parametrize(("periods", "full"), [((1, 1), False), ((1, 1, 1, 1), True), ((1,), False)])
def test_clockwork_of_periods_1_is_a_simple_network(periods, full):
    simple = made(RNNCell)
    cell = ClockworkCell(INPUTS, UNITS, periods, full=full).double()
    cell.load_state_dict(simple.state_dict())
    h, state = mg.tensor(H0), (mg.tensor(H0), mg.zeros(ROWS, 1, dtype=mg.int64))
    for x in XS:
        h, state = simple(mg.tensor(x), h), cell(mg.tensor(x), state)
        assert np.array_equal(state[0].numpy(), h.numpy())


@pytest.mark.parametrize("coupled", [True, False])
def test_a_highway_with_shut_transform_gates_is_the_identity(coupled):
    cell = made(RHNCell, depth=1, coupled=coupled, transform_bias=-1000.0)
    cell.reset_parameters()
    h = mg.tensor(H0, requires_grad=True)
    after = cell(mg.tensor(XS[0]), h)
    assert np.array_equal(after.numpy(), H0)
    (gradient,) = mg.grad(after.sum(), h)
    assert np.array_equal(gradient.numpy(), np.ones_like(H0))


def test_a_carry_gate_of_its_own_can_be_what_the_coupled_one_is():
    coupled = made(RHNCell, depth=2)
    apart = RHNCell(INPUTS, UNITS, depth=2, coupled=False).double()
    apart.load_state_dict({name: np.concatenate([v, -v[UNITS:]]) for name, v in arrays(coupled).items()})
    same(apart(mg.tensor(XS[0]), mg.tensor(H0)), coupled(mg.tensor(XS[0]), mg.tensor(H0)).numpy())


# ---- gradients ---------------------------------------------------------------------------------------------------


@EVERY
def test_contract(kind, options):
    cell = made(kind, **{**options, "output_layers": ()} if kind is DeepTransitionCell else options)
    assert check_module(cell, mg.tensor(XS[0]))


@EVERY
def test_gradients_and_their_gradients_over_two_steps(kind, options):
    cell = made(kind, **options)
    output = getattr(cell, "output", h_of)

    def run(x0, x1, h, *parameters):
        # Half the steps of a clockwork's slow groups are updates, half are not.
        state = cell(x0, h if len(cell.parts) == 1 else (h, mg.ones(ROWS, 1, dtype=mg.int64)))
        return output(cell(x1, state))

    inputs = [mg.tensor(a, requires_grad=True) for a in (XS[0], XS[1], H0)]
    assert mg.gradcheck(run, *inputs, *cell.parameters())
    assert mg.gradgradcheck(run, *inputs, *cell.parameters(), directional=True)


def test_what_a_clockwork_group_does_not_see_is_zero_and_gets_no_gradient():
    cell = ClockworkCell(INPUTS, UNITS, periods=(1, 2))
    faster = (slice(2, None), slice(None, 2))
    assert not cell.weight_hh.numpy()[faster].any()
    assert cell.weight_hh.numpy()[:2].all()
    h, _ = cell(mg.ones(1, INPUTS), (mg.ones(1, UNITS), mg.zeros(1, 1)))
    h.sum().backward()
    gradient = cell.weight_hh.grad.numpy()
    assert not gradient[faster].any()
    assert gradient[:2].all()


def test_while_a_clockwork_group_rests_its_gradient_passes_unchanged():
    cell = made(ClockworkCell, periods=(1, 4))
    h0 = mg.tensor(H0, requires_grad=True)
    state = h0, mg.ones(ROWS, 1, dtype=mg.int64)
    for x in XS[:3]:
        state = cell(mg.tensor(x), state)
    slow = state[0][:, UNITS // 2 :]
    assert np.array_equal(slow.numpy(), H0[:, UNITS // 2 :])
    (gradient,) = mg.grad(slow.sum(), h0)
    assert gradient.tolist() == [[0.0, 0.0, 1.0, 1.0]] * ROWS


def gradient_across(cell, steps):
    h0 = mg.tensor(H0, requires_grad=True)
    h = h0
    for x in XS[:steps]:
        h = cell(mg.tensor(0.1 * x), h)
    (gradient,) = mg.grad(h.sum(), h0)
    return float(np.linalg.norm(gradient.numpy()))


def test_depth_makes_gradients_vanish_and_the_shortcut_raises_them():
    mg.manual_seed(0)
    layers = (UNITS,) * 4
    deep = DeepTransitionCell(INPUTS, UNITS, transition_layers=layers).double()
    with_shortcut = DeepTransitionCell(INPUTS, UNITS, transition_layers=layers, shortcut=True).double()
    with_shortcut.load_state_dict({**deep.state_dict(), "weight_shortcut": 0.5 * np.eye(UNITS)})
    shallow = DeepTransitionCell(INPUTS, UNITS).double()
    assert gradient_across(deep, 5) < 1e-2 * gradient_across(shallow, 5)
    assert gradient_across(with_shortcut, 5) > 10 * gradient_across(deep, 5)


@pytest.mark.parametrize(("shortcut", "length"), [(True, 1), (False, 3)])
def test_the_shortcut_is_a_way_of_one_nonlinearity(shortcut, length):
    cell = DeepTransitionCell(INPUTS, UNITS, transition_layers=(5, 5), shortcut=shortcut)
    h = mg.zeros(1, UNITS, requires_grad=True)
    fewest = {}  # tanh on the way from h to a node, where there is a way
    for node in mg.graph(cell(mg.zeros(1, INPUTS), h)):
        before = [fewest[x.node] for x in node.inputs if getattr(x, "node", None) in fewest]
        if before or (node.kind == "leaf" and node.shape == h.shape):
            fewest[node.id] = min(before, default=0) + (node.op == "tanh")
    assert fewest[max(fewest)] == length


# ---- like every cell ---------------------------------------------------------------------------------------------


@EVERY
def test_without_a_batch_and_without_a_state(kind, options):
    cell, x = made(kind, **options), mg.tensor(XS[0])
    whole, one = cell(x), cell(mg.tensor(XS[0, 1]))
    zeros = mg.zeros(ROWS, UNITS, dtype=mg.float64)
    given = cell(x, zeros if len(cell.parts) == 1 else (zeros, mg.zeros(ROWS, 1)))
    assert np.array_equal(h_of(whole).numpy(), h_of(given).numpy())
    assert h_of(one).shape == (UNITS,)
    same(h_of(one), h_of(whole).numpy()[1])
    again = cell(mg.tensor(XS[1, 1]), one)
    same(h_of(again), h_of(cell(mg.tensor(XS[1]), whole)).numpy()[1])


@EVERY
@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
def test_the_dtype_is_kept(kind, options, dtype):
    cell = kind(INPUTS, UNITS, dtype=dtype, **options)
    state = None
    for x in XS[:2]:
        state = cell(mg.tensor(x, dtype=dtype), state)
    assert h_of(state).dtype == dtype
    h_of(state).sum().backward()
    reached = [p for name, p in cell.named_parameters() if not name.startswith("output_layers")]
    assert {p.grad.dtype for p in reached} == {p.dtype for p in cell.parameters()} == {dtype}


@EVERY
def test_a_saved_state_makes_another_cell_compute_the_same(kind, options):
    cell, other = made(kind, **options), made(kind, seed=1, **options)
    x = mg.tensor(XS[0])
    assert not np.array_equal(h_of(cell(x)).numpy(), h_of(other(x)).numpy())
    assert set(cell.state_dict()) == {name for name, _ in cell.named_parameters()}
    other.load_state_dict(copy.deepcopy(cell.state_dict()))
    assert np.array_equal(h_of(cell(x)).numpy(), h_of(other(x)).numpy())


@EVERY
def test_the_same_seed_draws_the_same(kind, options):
    drawn = []
    for _ in range(2):
        mg.manual_seed(3)
        drawn.append(arrays(kind(INPUTS, UNITS, **options)))
    assert all(np.array_equal(drawn[0][name], drawn[1][name]) for name in drawn[0])


@EVERY
def test_reset_draws_all_parameters_anew(kind, options):
    cell = made(kind, **options)
    before = {name: value.copy() for name, value in arrays(cell).items()}
    cell.reset_parameters()
    assert not any(np.array_equal(value, before[name]) for name, value in arrays(cell).items())


@EVERY
def test_on_another_device_without_waiting(cuda, kind, options):
    def run(device):
        cell = made(kind, **options).to(device)
        xs = mg.tensor(XS, device=device, requires_grad=True)
        with cuda.waits(0) if device == "cuda" else cuda.waits(None):
            state = None
            for x in xs[:4].unbind():
                state = cell(x, state)
            result = getattr(cell, "output", h_of)(state)
            gradients = mg.grad(result.sum(), [xs, *cell.parameters()])
        return [result, *gradients]

    for here, there in zip(run("cpu"), run("cuda"), strict=True):
        assert there.device == "cuda:0"
        np.testing.assert_allclose(there.numpy(), here.numpy(), rtol=1e-10, atol=1e-12)


@EVERY
def test_made_on_another_device(cuda, kind, options):
    cell = kind(INPUTS, UNITS, device="cuda", **options)
    assert {str(p.device) for p in cell.parameters()} == {"cuda:0"}
    assert h_of(cell(mg.zeros(ROWS, INPUTS, device="cuda"))).device == "cuda:0"


def test_scopes_name_the_gates():
    def scopes(cell):
        graph = mg.graph(h_of(cell(mg.zeros(1, INPUTS))))
        return {node.scope.partition(".")[2] for node in graph} - {""}

    assert scopes(MGUCell(INPUTS, UNITS)) == {"input", "forget_gate", "candidate"}
    micro_layers = {
        f"micro_layer{k}{gate}" for k in (0, 1) for gate in ("", ".candidate", ".transform_gate", ".carry_gate")
    }
    assert scopes(RHNCell(INPUTS, UNITS, 2, coupled=False)) == {"input"} | micro_layers
    assert scopes(ClockworkCell(INPUTS, UNITS)) == {"input", "candidate", "clock"}
    deep = DeepTransitionCell(INPUTS, UNITS, transition_layers=(2,), shortcut=True)
    assert {"input", "transition", "transition.transition_layers[0]", "shortcut"} == scopes(deep)


# ---- first values ------------------------------------------------------------------------------------------------


def test_first_values():
    mg.manual_seed(0)
    u = IndRNNCell(INPUTS, 1000).weight_hh.numpy()
    assert 0 <= u.min() < 0.01
    assert 0.99 < u.max() < 1
    near = IndRNNCell(INPUTS, 1000, recurrent_range=(0.99, 1.01)).weight_hh.numpy()
    assert 0.99 <= near.min() < near.max() < 1.01
    for bias in RHNCell(INPUTS, UNITS, depth=2, coupled=False, transform_bias=-4.0).bias_hh:
        assert bias.numpy()[UNITS:].tolist() == [-4.0] * UNITS + [4.0] * UNITS
        assert np.abs(bias.numpy()[:UNITS]).max() <= 0.5
    for cell in (MGUCell(INPUTS, UNITS), ClockworkCell(INPUTS, UNITS), DeepTransitionCell(INPUTS, UNITS)):
        assert all(np.abs(p.numpy()).max() <= 0.5 for p in cell.parameters())


def test_constrained_recurrent_weights_bound_the_gradient():
    cell = IndRNNCell(INPUTS, UNITS, recurrent_range=(-3.0, 3.0)).double()
    cell.constrain(STEPS, growth=2.0)
    assert np.abs(cell.weight_hh.numpy()).max() <= 2 ** (1 / STEPS)
    assert cell.weight_hh.requires_grad
    assert gradient_across(cell, STEPS) <= 2 * np.sqrt(UNITS * ROWS) + 1e-12


# ---- what is wrong is explained ----------------------------------------------------------------------------------


@EVERY
def test_wrong_shapes(kind, options):
    cell, name = kind(INPUTS, UNITS, **options), kind.__name__
    for shape in [(1, 2, 3), (2, 4), ()]:
        needed = rf"{name}: the input must have shape \(batch, 3\) or \(3,\), not {re.escape(str(shape))}\n"
        with pytest.raises(mg.ShapeError, match=needed):
            cell(mg.zeros(*shape))
    wrong = mg.zeros(1, UNITS)
    with pytest.raises(mg.ShapeError, match=rf"{name}: the state h must have shape \(2, 4\), not \(1, 4\)"):
        cell(mg.zeros(2, 3), wrong if len(cell.parts) == 1 else (wrong, mg.zeros(2, 1)))
    with pytest.raises(mg.ShapeError, match=f"{name}: hidden_size must be at least 1, not 0"):
        kind(INPUTS, 0, **options)


def test_wrong_options():
    with pytest.raises(mg.ShapeError, match=r"ClockworkCell: the state is \(h, t\), not \(2, 4\)"):
        ClockworkCell(INPUTS, UNITS)(mg.zeros(2, 3), mg.zeros(2, 4))
    with pytest.raises(mg.ShapeError, match=r"the state t must have shape \(2, 1\), not \(1,\)"):
        ClockworkCell(INPUTS, UNITS)(mg.zeros(2, 3), (mg.zeros(2, 4), mg.zeros(1)))
    with pytest.raises(mg.ShapeError, match="hidden_size=4 cannot be shared out among 3 groups"):
        ClockworkCell(INPUTS, UNITS, periods=(1, 2, 4))
    for periods in [(), (0, 1), (1.0, 2), (True, 1), (-1,)]:
        with pytest.raises(mg.MinigradError, match="ClockworkCell: periods must be whole numbers from 1"):
            ClockworkCell(INPUTS, UNITS, periods=periods)
    for kind in (IndRNNCell, ClockworkCell, DeepTransitionCell):
        with pytest.raises(mg.MinigradError, match=f"{kind.__name__}: nonlinearity is one of .*\"tanh\".* not 'sin'"):
            kind(INPUTS, UNITS, nonlinearity="sin")
    with pytest.raises(mg.MinigradError, match='input_to is "first" or "last", not \'middle\''):
        DeepTransitionCell(INPUTS, UNITS, input_to="middle")
    with pytest.raises(mg.ShapeError, match=r"_layers\[\d\] must be at least 1, not 0"):
        DeepTransitionCell(INPUTS, UNITS, transition_layers=(3, 0))
    with pytest.raises(mg.ShapeError, match="RHNCell: depth must be at least 1, not 0"):
        RHNCell(INPUTS, UNITS, 0)
    with pytest.raises(mg.MinigradError, match="steps must be at least 1 and growth above 0, not 0"):
        IndRNNCell(INPUTS, UNITS).constrain(0)


def test_repr_tells_what_is_not_as_usual():
    assert repr(MGUCell(2, 3, bias=False)).startswith("MGUCell(2, 3, bias=False)")
    assert repr(IndRNNCell(2, 3, nonlinearity="tanh")).startswith("IndRNNCell(2, 3, nonlinearity='tanh')")
    assert repr(RHNCell(2, 3, 4, coupled=False)).startswith("RHNCell(2, 3, depth=4, coupled=False)")
    assert repr(ClockworkCell(2, 4, (1, 2))).startswith("ClockworkCell(2, 4, periods=(1, 2))")
    assert repr(DeepTransitionCell(2, 3, shortcut=True)).startswith("DeepTransitionCell(2, 3, shortcut=True)")


def test_the_clock_keeps_time_in_half_precision():
    """A count of all steps would stop at 2048, the last whole number that float16 can add 1 to."""
    mg.manual_seed(0)
    layer = RecurrentLayer(ClockworkCell(1, 2, periods=(1, 2))).to(mg.float16)
    with mg.no_grad():
        _, (_, t) = layer(mg.zeros(2101, 1, 1, dtype=mg.float16))
    assert t.item() == 1.0
