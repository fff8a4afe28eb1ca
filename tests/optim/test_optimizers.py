"""Optimisers: equal to PyTorch step for step, resumable bit for bit, and clear about misuse."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optim_cases import RECORDED, STEPS, WITHOUT_GRADIENT, gradients, optimizer_cases, starts

import minigrad as mg
from minigrad import optim
from minigrad.optim import OptimError

CASES = optimizer_cases()
FIXTURES = np.load(Path(__file__).parent / "fixtures.npz")
KINDS = [
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.2}),
    (optim.Adagrad, {"lr_decay": 0.1}),
    (optim.RMSprop, {"momentum": 0.5, "centered": True}),
    (optim.Adadelta, {}),
    (optim.Adam, {"amsgrad": True, "weight_decay": 0.1}),
    (optim.AdamW, {}),
]


def leaf(values, dtype=mg.float64):
    return mg.tensor(values, dtype=dtype, requires_grad=True)


def parameters(dtype=mg.float64):
    return [leaf(start, dtype) for start in starts()]


def run(params, optimizer, first, last):
    grads = gradients()
    for step in range(first, last + 1):
        for i, p in enumerate(params):
            p.grad = None if (step, i) in WITHOUT_GRADIENT else mg.tensor(grads[step - 1][i], dtype=p.dtype)
        optimizer.step()
        yield step


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{name}-{i}" for i, (name, _) in enumerate(CASES)])
def test_equals_pytorch(number):
    name, options = CASES[number]
    params = parameters()
    optimizer = getattr(optim, name)(params, **options)
    expected = iter(FIXTURES[f"optimizer{number}"])
    for step in run(params, optimizer, 1, STEPS):
        if step in RECORDED:
            got = np.concatenate([p.data.ravel() for p in params])
            np.testing.assert_allclose(got, next(expected), rtol=1e-12, atol=1e-14, err_msg=f"{name} {options} {step}")


@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
@pytest.mark.parametrize("through", ["copy", "pickle"])
def test_resumes_bit_for_bit(kind, options, dtype, through):
    params = parameters(dtype)
    optimizer = kind(params, **options)
    list(run(params, optimizer, 1, 9))
    saved, values = optimizer.state_dict(), [p.data.copy() for p in params]
    if through == "pickle":
        saved = pickle.loads(pickle.dumps(saved))  # noqa: S301
    list(run(params, optimizer, 10, STEPS))

    again = [leaf(value, dtype) for value in values]
    other = kind(again)
    other.load_state_dict(saved)
    list(run(again, other, 10, STEPS))
    for p, q in zip(params, again, strict=True):
        assert p.data.tobytes() == q.data.tobytes()


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(KINDS), st.integers(1, 8), st.integers(1, 8), st.integers(0, 100))
def test_saving_at_any_step_changes_nothing(kind_and_options, before, after, seed):
    kind, options = kind_and_options
    rng = np.random.default_rng(seed)
    grads = rng.standard_normal((before + after, 5))
    p, q = leaf(np.ones(5)), leaf(np.ones(5))
    one, two = kind([p], **options), kind([q], **options)
    for i, g in enumerate(grads):
        if i == before:
            saved = two.state_dict()
            two = kind([q], **options)
            two.load_state_dict(saved)
        p.grad, q.grad = mg.tensor(g), mg.tensor(g)
        one.step()
        two.step()
    assert p.data.tobytes() == q.data.tobytes()


def test_state_dict_is_numbers_and_tensors_and_a_snapshot():
    params = parameters()
    optimizer = optim.Adam(params, betas=(0.5, 0.5))
    list(run(params, optimizer, 1, 3))
    saved = optimizer.state_dict()
    kinds = {type(value) for entry in saved["state"].values() for value in entry.values()}
    assert kinds == {int, mg.Tensor}
    assert json.loads(json.dumps(saved["param_groups"]))[0]["params"] == [0, 1, 2, 3]
    before = saved["state"][1]["exp_avg"].tolist()
    list(run(params, optimizer, 4, 6))
    assert saved["state"][1]["exp_avg"].tolist() == before


def test_state_dict_survives_json_keys():
    params = parameters()
    optimizer = optim.SGD(params, momentum=0.9)
    list(run(params, optimizer, 1, 2))
    saved = optimizer.state_dict()
    groups = json.loads(json.dumps(saved["param_groups"]))
    optimizer.load_state_dict({"state": {str(k): v for k, v in saved["state"].items()}, "param_groups": groups})
    assert optimizer.state_dict()["param_groups"] == saved["param_groups"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s.pop("state"), "missing .'state'"),
        (lambda s: s["param_groups"][0]["params"].pop(), r"\[3\] parameters.*\[4\]"),
        (lambda s: s["param_groups"][0].pop("betas"), "settings of group 0 differ: missing .'betas'"),
        (lambda s: s["param_groups"][0].update(rho=1), "unexpected .'rho'"),
        (lambda s: s["param_groups"][0].update(lr=-1), "lr must be a number, 0 or more; got -1"),
        (lambda s: s["state"].update({9: {}}), "parameter 9, but there are 4"),
        (lambda s: s["state"][2].pop("exp_avg"), r"parameter 2 \(2, 3\) differ: missing .'exp_avg'"),
        (lambda s: s["state"][1].update(exp_avg=mg.ones(2)), r"'exp_avg' has shape \(2,\), the parameter \(3,\)"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_whole(spoil, message):
    params = parameters()
    optimizer = optim.Adam(params)
    list(run(params, optimizer, 1, 2))
    spoiled = optimizer.state_dict()
    spoil(spoiled)
    before = optimizer.state_dict()
    with pytest.raises(OptimError, match=message):
        optimizer.load_state_dict(spoiled)
    assert repr(optimizer.state_dict()) == repr(before)


def test_groups_have_their_own_settings():
    p, q, r = leaf([1.0]), leaf([1.0]), leaf([1.0])
    optimizer = optim.SGD([{"params": [p]}, {"params": q_only(q), "lr": 0.25}], lr=0.5)
    optimizer.add_param_group({"params": [r], "lr": np.float64(0.125), "name": "late"})
    for t in (p, q, r):
        t.grad = mg.tensor([1.0], dtype=mg.float64)
    optimizer.step()
    assert (p.item(), q.item(), r.item()) == (0.5, 0.75, 0.875)
    late = optimizer.state_dict()["param_groups"][2]
    assert late == {**optimizer.defaults, "lr": 0.125, "name": "late", "params": [2]}
    assert type(optimizer.param_groups[2]["lr"]) is float
    assert "group 2: 1 tensors, 1 numbers; lr=0.125" in repr(optimizer)


def q_only(q):
    yield q


def test_step_runs_the_closure_with_recording_on():
    p = leaf([2.0])
    optimizer = optim.SGD([p], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).neg().neg()
        loss.backward()
        return loss

    with mg.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 4.0
    assert p.item() == 0.0
    assert optimizer.step() is None


def test_zero_grad():
    p, q = leaf([2.0]), leaf([2.0])
    optimizer = optim.SGD([p, q])
    p.grad = mg.tensor([1.0], dtype=mg.float64)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    assert q.grad is None
    optimizer.zero_grad()
    assert p.grad is None


def test_the_gradient_and_the_array_stay_what_they_are():
    p = leaf([1.0, 2.0])
    array, g = p.data, mg.tensor([0.5, -1.0], dtype=mg.float64)
    for kind, options in KINDS:
        p.grad = g
        kind([p], **{**options, "weight_decay": 0.1, "maximize": True}).step()
    assert p.data is array
    assert p.grad is g
    assert g.tolist() == [0.5, -1.0]


@pytest.mark.parametrize("create_graph", [False, True])
def test_parameters_that_share_a_gradient_are_each_changed_once(create_graph):
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    g = mg.tensor([1.0, 1.0], dtype=mg.float64)
    (a + b).backward(gradient=g, create_graph=create_graph)
    optim.clip_grad_value_([a, b], 0.5)
    optim.SGD([a, b], lr=1.0, weight_decay=1.0).step()
    assert a.tolist() == [-0.5, -0.5]
    assert b.tolist() == [-0.5, -0.5]
    (a + b).backward(gradient=g)
    assert a.grad.tolist() == b.grad.tolist() == [1.5, 1.5]
    assert g.tolist() == [1.0, 1.0]


def test_a_leaf_made_of_a_result_can_be_optimised():
    w = (mg.ones(3) * 0.5).requires_grad_()
    w.grad = mg.ones(3)
    optim.SGD([w], lr=0.5).step()
    assert w.tolist() == [0.0, 0.0, 0.0]


def test_float32_stays_float32():
    p = leaf([1.0], mg.float32)
    for kind, options in KINDS:
        p.grad = mg.tensor([0.5])
        optimizer = kind([p], **options)
        optimizer.step()
        assert p.dtype == mg.float32
        assert {v.dtype for v in optimizer.state[p].values() if hasattr(v, "dtype")} <= {np.dtype("float32")}


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_the_state_goes_along_when_the_model_changes_its_dtype(kind, options):
    model = mg.nn.Linear(2, 2)
    optimizer = kind(model.parameters(), **options)

    def steps(count):
        for _ in range(count):
            for p in model.parameters():
                p.grad = mg.full(p.shape, 0.5, dtype=p.dtype)
            optimizer.step()

    steps(3)
    kept = {p: {k: v.copy() for k, v in entry.items() if k != "step"} for p, entry in optimizer.state.items()}
    values = {p: p.data.astype("f8") for p in model.parameters()}
    model.double()
    steps(1)
    for p, entry in optimizer.state.items():
        assert p.dtype == mg.float64
        assert {v.dtype for k, v in entry.items() if k != "step"} <= {np.dtype("float64")}
        assert entry["step"] == 4
    again = [leaf(value) for value in values.values()]
    other = kind(again, **options)  # one that was float64 from the start goes on in the same way
    for p, q in zip(values, again, strict=True):
        other.state[q] = {"step": 3, **{k: v.astype("f8") for k, v in kept[p].items()}}
        q.grad = mg.full(q.shape, 0.5, dtype=mg.float64)
    other.step()
    for p, q in zip(values, again, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    model.float()
    steps(1)
    assert {v.dtype for v in optimizer.state[p].values() if hasattr(v, "dtype")} <= {np.dtype("float32")}


def test_a_graph_made_before_the_step_refuses_and_names_the_line():
    p = leaf([2.0])
    y = p * p
    p.grad = mg.tensor([1.0], dtype=mg.float64)
    optimizer = optim.Adam([p])
    optimizer.step()  # the line
    line = test_a_graph_made_before_the_step_refuses_and_names_the_line.__code__.co_firstlineno + 5
    with pytest.raises(mg.GraphError, match=rf"changed at test_optimizers\.py:{line} after mul used it"):
        y.backward()
    (p * p).backward()


def test_nan_is_not_looked_at():
    p, q = leaf([1.0]), leaf([1.0])
    p.grad, q.grad = mg.tensor([float("nan")], dtype=mg.float64), mg.tensor([1.0], dtype=mg.float64)
    optim.Adam([p, q]).step()
    assert np.isnan(p.item())
    assert q.item() < 1


def test_centred_rmsprop_with_a_constant_gradient_stays_finite():
    p = leaf([1.0], mg.float32)
    optimizer = optim.RMSprop([p], alpha=0.5, centered=True)
    for _ in range(100):
        p.grad = mg.tensor([0.1])
        optimizer.step()
    assert np.isfinite(p.item())


def test_deep_copy_goes_on_alone():
    params = parameters()
    optimizer = optim.Adam(params)
    list(run(params, optimizer, 1, 2))
    others, other = copy.deepcopy((params, optimizer))
    list(run(others, other, 3, 4))
    assert optimizer.state[params[0]]["step"] == 2
    assert other.state[others[0]]["step"] == 4


def p_():
    return leaf([1.0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.SGD([]), "no parameters to optimise$"),
        (lambda: optim.SGD(iter([])), "used before. Call model.parameters.. again"),
        (lambda: optim.SGD(p_()), "got one tensor\n  hint: .p."),
        (lambda: optim.SGD(3), "got int"),
        (lambda: optim.SGD({"params": [p_()]}), "a list of groups, got one dict"),
        (lambda: optim.SGD([{"params": [p_()]}, p_()]), "group 1 is a Tensor"),
        (lambda: optim.SGD([{"params": []}]), '"params" of a group has no parameters'),
        (lambda: optim.SGD([("w", p_())]), "not named_parameters"),
        (lambda: optim.SGD([np.ones(2)]), "entry 0 is a ndarray, not a tensor"),
        (lambda: optim.SGD([mg.ones(2)]), "parameter 0 .2,. does not require a gradient"),
        (lambda: optim.SGD([p_(), p_() * 2]), r"parameter 1 \(1,\) is a result \(made at test_optimizers.py:\d+"),
        (lambda: optim.SGD([p_()] * 2), "there already, as parameter 0"),
        (lambda: optim.SGD([p_()], lr=-0.1), "SGD: lr must be a number, 0 or more; got -0.1"),
        (lambda: optim.SGD([p_()], lr="fast"), "lr must be a number.*got 'fast'"),
        (lambda: optim.SGD([{"params": [p_()], "lr": -1}]), "lr must be"),
        (lambda: optim.SGD([{"params": [p_()], "weight_decy": 1}]), 'did you mean "weight_decay"'),
        (lambda: optim.SGD([p_()], nesterov=True), "nesterov needs a momentum"),
        (lambda: optim.SGD([p_()], nesterov=True, momentum=0.9, dampening=0.1), "dampening of 0"),
        (lambda: optim.Adam([p_()], betas=(0.9, 1.0)), "betas must be two numbers"),
        (lambda: optim.Adam([p_()], betas=0.9), "betas must be two numbers"),
        (lambda: optim.RMSprop([p_()], alpha=2), "alpha must be a number, between 0 and 1"),
        (lambda: optim.Adadelta([p_()], rho=2), "rho must be"),
        (lambda: optim.Adagrad([p_()], eps=-1), "eps must be"),
    ],
)
def test_misuse_is_explained(make, message):
    with pytest.raises(OptimError, match=message):
        make()


def test_a_parameter_in_two_groups_is_refused_and_named():
    p = leaf([1.0])
    p.name = "embedding"
    with pytest.raises(OptimError, match=r'parameter 0 "embedding" \(1,\) is there already, in group 0'):
        optim.SGD([{"params": [p]}, {"params": [p]}])
