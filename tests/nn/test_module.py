"""Module: what it holds, names, scopes, state, hooks, repr."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn


class Model(nn.Module):
    def __init__(self) -> None:
        self.scale = nn.Parameter(mg.ones(2))
        self.layers = [nn.Linear(2, 2) for _ in range(2)]
        self.heads = {"a": nn.Linear(2, 1), "b": (nn.Linear(2, 1),)}
        self.biases = [nn.Parameter(mg.zeros(2))]
        self.register_buffer("seen", mg.zeros(1))
        self.register_buffer("scratch", mg.zeros(1), persistent=False)
        self.words = ["not", "a", "module"]

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x).tanh()
        return x * self.scale + self.biases[0]


NAMES = [
    "scale",
    "biases.0",
    "layers.0.weight",
    "layers.0.bias",
    "layers.1.weight",
    "layers.1.bias",
    "heads.a.weight",
    "heads.a.bias",
    "heads.b.0.weight",
    "heads.b.0.bias",
]


# ---- what it holds


def test_dezero_8_layers_in_plain_lists_and_dictionaries_are_visible_in_order() -> None:
    assert [name for name, _ in Model().named_parameters()] == NAMES


def test_dezero_8_order_does_not_depend_on_the_hash_seed() -> None:
    code = (
        "from minigrad import nn\n"
        "m = nn.Module()\n"
        "for n in 'qwertyuiop': setattr(m, n, nn.Linear(1, 1))\n"
        "print([n for n, _ in m.named_parameters()])"
    )
    seeds = [{**os.environ, "PYTHONHASHSEED": seed} for seed in ("1", "2")]
    runs = [subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True) for env in seeds]  # noqa: S603
    assert runs[0].stdout == runs[1].stdout
    assert b"'q.weight', 'q.bias', 'w.weight'" in runs[0].stdout


def test_dezero_8_wrong_shapes_are_refused() -> None:
    model = nn.Linear(2, 3)
    before = model.weight.numpy().copy()
    with pytest.raises(mg.StateError, match=r"weight  \(3, 3\) given, \(3, 2\) needed"):
        model.load_state_dict({"weight": np.zeros((3, 3), "f4"), "bias": np.ones(3, "f4")})
    np.testing.assert_array_equal(model.weight.numpy(), before)
    assert not (model.bias.numpy() == 1).any()


def test_minitorch_unknown_attributes_raise_and_name_what_was_meant() -> None:
    with pytest.raises(AttributeError, match=r"Linear has no attribute 'wieght'; did you mean weight\?"):
        _ = nn.Linear(2, 2).wieght  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"no attribute 'zzz'$"):
        _ = nn.Linear(2, 2).zzz  # type: ignore[attr-defined]
    assert not hasattr(nn.Linear(2, 2), "__array__")


def test_an_error_inside_a_property_is_the_one_that_is_seen() -> None:
    class Model(nn.Module):
        @property
        def foo(self) -> Any:
            return self.bar

    with pytest.raises(AttributeError, match=r"^Model has no attribute 'bar'$"):
        _ = Model().foo


def test_items_appended_to_a_plain_list_are_found() -> None:
    model = Model()
    model.layers.append(nn.Linear(2, 2))
    model.biases.append(nn.Parameter(mg.zeros(1)))
    names = [name for name, _ in model.named_parameters()]
    assert "layers.2.weight" in names
    assert "biases.1" in names
    assert model.layers[2].weight.name == "layers.2.weight"
    assert model.biases[1].name == "biases.1"


def test_a_set_of_modules_is_refused() -> None:
    model = Model()
    with pytest.raises(mg.MinigradError, match=r"Model\.layers is a set of modules"):
        model.layers = {nn.Linear(1, 1)}  # type: ignore[assignment]
    model.words = {"a", "set", "of", "words"}  # type: ignore[assignment]


def test_modules_and_children() -> None:
    model = Model()
    assert [name for name, _ in model.named_modules()] == ["", "layers.0", "layers.1", "heads.a", "heads.b.0"]
    assert next(iter(model.modules())) is model
    assert [name for name, _ in model.named_children()] == ["layers.0", "layers.1", "heads.a", "heads.b.0"]
    assert list(model.children()) == list(model.modules())[1:]


def test_shared_modules_and_parameters_come_once_but_have_both_names_in_the_state() -> None:
    model = nn.Module()
    model.a = nn.Linear(2, 2)
    model.b = model.a
    model.c = nn.Linear(2, 2, bias=False)
    model.c.weight = model.a.weight
    assert [name for name, _ in model.named_parameters()] == ["a.weight", "a.bias"]
    assert list(model.state_dict()) == ["a.weight", "a.bias", "b.weight", "b.bias", "c.weight"]
    assert model.count_parameters() == 6
    assert model.a.weight.name == "a.weight"
    assert len(list(model.children())) == 2


def test_a_child_may_know_its_parent() -> None:
    model = Model()
    model.layers[0].parent = model
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert "layers.0.weight" in model.state_dict()


def test_buffers() -> None:
    model = Model()
    assert [name for name, _ in model.named_buffers()] == ["seen", "scratch"]
    assert len(list(model.buffers())) == 2
    assert "seen" in model.state_dict()
    assert "scratch" not in model.state_dict()
    model.seen = mg.ones(1)
    assert dict(model.named_buffers())["seen"].item() == 1
    model.register_buffer("later", None)
    assert "later" not in dict(model.named_buffers())
    model.later = mg.ones(2)
    assert "later" in model.state_dict()


def test_nothing_to_call_in_init_and_nothing_to_forget() -> None:
    class Careless(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(2, 2)

    assert Careless().count_parameters() == 6
    with pytest.raises(NotImplementedError, match="Careless has no forward"):
        Careless()(1)


def test_count_and_freeze() -> None:
    model = Model()
    total = model.count_parameters()
    assert model.layers[0].requires_grad_(False) is model.layers[0]
    assert model.count_parameters(trainable=True) == total - 6
    assert model.layers[0].weight.name == "layers.0.weight"
    assert "6 parameters, 6 frozen" in repr(model)
    model.zero_grad()


# ---- names and scopes


def test_parameters_know_their_full_name() -> None:
    model = Model()
    assert [p.name for p in model.parameters()] == NAMES
    outer = nn.Module()
    outer.encoder = model
    assert [p.name for p in model.parameters()] == [f"encoder.{name}" for name in NAMES]


def test_a_name_given_by_hand_stays() -> None:
    layer = nn.Linear(2, 2)
    layer.weight.name = "mine"
    nn.Sequential(layer)
    assert layer.weight.name == "mine"
    assert layer.bias.name == "0.bias"
    assert copy.deepcopy(layer).weight.name == "mine"


def test_what_is_held_twice_goes_by_the_name_it_had_first() -> None:
    first, second = nn.Sequential(nn.Linear(2, 2)), nn.Module()
    second.again = nn.ModuleList([nn.Linear(2, 2), first[0]])
    assert [p.name for p in second.parameters()] == ["again.0.weight", "again.0.bias", "0.weight", "0.bias"]
    assert scopes(second.again[0](mg.ones(1, 2))) == ["module.again[0]"]
    assert scopes(second.again[1](mg.ones(1, 2))) == ["[0]"]


def test_errors_name_parameter_and_scope() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 2))
    with pytest.raises(mg.ShapeError, match=r'(?s)in sequential\[0\].*"1\.weight"'):
        model(mg.ones(1, 3))


def scopes(y: Any) -> list[str]:
    return sorted({str(node.scope) for node in mg.graph(y).nodes if node.scope is not None and node.op is not None})


def test_scopes_are_paths_of_attributes() -> None:
    model = Model()
    assert scopes(model(mg.ones(1, 2))) == ["model", "model.layers[0]", "model.layers[1]"]

    class Outer(nn.Module):
        def __init__(self) -> None:
            self.cells = nn.ModuleList([nn.Linear(2, 2)])
            self.by_name = nn.ModuleDict({"only": nn.Linear(2, 2)})
            self.net = nn.Sequential(nn.Linear(2, 2))

        def forward(self, x: Any) -> Any:
            with mg.scope(step=3):
                x = self.cells[0](x)
            return self.net(self.by_name["only"](x))

    outer = Outer()
    outer.cells.append(nn.Linear(2, 2))
    assert outer.cells[1].weight.name == "cells.1.weight"
    assert scopes(outer(mg.ones(1, 2))) == ["outer.by_name.only", "outer.net[0]", "outer/t=3/cells[0]"]


def test_the_scope_is_left_when_forward_fails() -> None:
    with pytest.raises(mg.MinigradError):
        nn.Linear(3, 4)(mg.ones(2))
    assert mg.context.current().scope is None


# ---- copies


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"])  # noqa: S301
def test_copies_are_independent_and_named_after_their_own_place(duplicate: Any) -> None:
    outer = nn.Module()
    outer.model = Model()
    model = duplicate(outer.model.eval())
    assert not model.training
    assert [p.name for p in model.parameters()] == NAMES
    assert list(model.state_dict()) == list(outer.model.state_dict())
    assert [name for name, _ in model.named_buffers()] == ["seen", "scratch"]
    model.scale.data = np.zeros(2, "f4")
    assert outer.model.scale.tolist() == [1, 1]
    assert [p.name for p in outer.parameters()] == [f"model.{name}" for name in NAMES]
    np.testing.assert_array_equal(model.layers[0].weight.numpy(), outer.model.layers[0].weight.numpy())


def test_clones_of_a_held_layer_go_by_their_new_place() -> None:
    held = nn.Sequential(nn.Linear(2, 2))
    clones = nn.ModuleList([copy.deepcopy(held[0]) for _ in range(2)])
    assert [p.name for p in clones.parameters()] == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_parameter() -> None:
    values = np.ones(2, "f4")
    p = nn.Parameter(values)
    values[0] = 5
    assert p.tolist() == [1, 1]
    assert p.is_leaf
    assert nn.Parameter(mg.ones(2) * 2).data.flags.writeable
    assert type(copy.deepcopy(p)) is type(pickle.loads(pickle.dumps(p))) is nn.Parameter  # noqa: S301
    assert type(p * 2) is mg.Tensor
    with pytest.raises(mg.DtypeError, match="only floating"):
        nn.Parameter([1, 2])


# ---- changing all of it


def test_train_eval_apply() -> None:
    model = Model()
    assert model.eval() is model
    assert not any(m.training for m in model.modules())
    model.train()
    assert all(m.training for m in model.modules())
    order: list[nn.Module] = []
    model.apply(order.append)
    assert order[-1] is model
    assert set(order) == set(model.modules())


def test_to_dtype_keeps_the_objects_and_takes_gradients_along() -> None:
    model = nn.BatchNorm1d(2)
    model(mg.randn(4, 2)).sum().backward()
    weight = model.weight
    assert model.double() is model
    assert model.weight is weight
    assert weight is not None
    assert weight.grad is not None
    assert {weight.dtype, weight.grad.dtype, model.running_mean.dtype} == {mg.float64}
    assert model.num_batches_tracked.dtype == mg.int64
    assert weight.data.flags.writeable
    assert model.float().weight.dtype == mg.float32
    model.cpu()
    with pytest.raises(mg.DtypeError, match="not int64"):
        model.to(mg.int64)


def test_zero_grad() -> None:
    model = nn.Linear(2, 2)
    model(mg.ones(1, 2)).sum().backward()
    assert model.weight.grad is not None
    model.zero_grad()
    assert model.weight.grad is None


# ---- hooks


def test_hooks_see_and_replace() -> None:
    model = nn.Linear(2, 2)
    seen: list[Any] = []
    remove_before = model.register_forward_pre_hook(lambda m, args: (args[0] * 0,))
    remove_after = model.register_forward_hook(lambda m, args, out: seen.append((m, args[0].tolist())))
    np.testing.assert_array_equal(model(mg.ones(2)).numpy(), model.bias.numpy())
    assert seen == [(model, [0, 0])]
    remove_before()
    model.register_forward_pre_hook(lambda m, args: None)
    remove_after()
    remove_after()
    assert (model(mg.ones(2)).numpy() != model.bias.numpy()).any()
    model.register_forward_pre_hook(lambda m, args: args[0] * 0)
    model.register_forward_hook(lambda m, args, out: "replaced")
    assert model(mg.ones(2)) == "replaced"


def test_a_remover_called_twice_removes_its_own_hook_only() -> None:
    model = nn.Identity()
    seen: list[str] = []
    remove = model.register_forward_hook(lambda m, args, out: seen.append("first"))
    remove()
    model.register_forward_hook(lambda m, args, out: seen.append("second"))
    remove()
    model(1)
    assert seen == ["second"]


# ---- state


@pytest.mark.parametrize(
    ("attributes", "places"),
    [
        ({"d": {1: nn.Parameter(mg.ones(2)), "1": nn.Parameter(mg.ones(3))}}, r"d\[1\] \(2,\).*d\['1'\] \(3,\)"),
        ({"d": [nn.Parameter(mg.ones(2))], "d.0": nn.Parameter(mg.ones(3))}, r"d\[0\] \(2,\).*\['d\.0'\] \(3,\)"),
        ({"a": {"b.weight": nn.Parameter(mg.ones(2)), "b": nn.Linear(1, 1)}}, r"a\['b\.weight'\].*a\['b'\]\.weight"),
    ],
)
def test_a_state_has_room_for_every_parameter(attributes: dict[str, Any], places: str) -> None:
    model = nn.Module()
    for name, value in attributes.items():
        setattr(model, name, value)
    outer = nn.Module()
    outer.inner, outer.parent = model, outer
    for collide in (model.state_dict, outer.state_dict, lambda: model.load_state_dict({})):
        with pytest.raises(mg.StateError, match=r"two tensors go by the name .*: .*" + places):
            collide()


def test_a_state_is_names_and_tensors() -> None:
    with pytest.raises(mg.StateError, match=r"a state is a dictionary .* state_dict\(\) .*, not a list"):
        nn.Linear(1, 1).load_state_dict([mg.ones(1, 1)])  # type: ignore[arg-type]


def test_a_state_is_a_snapshot() -> None:
    model = nn.Linear(2, 2)
    state = model.state_dict()
    before = model.weight.numpy().copy()
    model.weight.data[...] = 7
    np.testing.assert_array_equal(state["weight"].numpy(), before)
    result = model.load_state_dict(state)
    assert result == ([], [])
    np.testing.assert_array_equal(model.weight.numpy(), before)
    state["weight"].data[...] = 3
    np.testing.assert_array_equal(model.weight.numpy(), before)
    assert not state["weight"].requires_grad


def test_loading_tells_a_graph_that_kept_the_old_values() -> None:
    model = nn.Linear(2, 2)
    x = mg.ones(1, 2, requires_grad=True)
    y = model(x).sum()
    model.load_state_dict(model.state_dict())
    with pytest.raises(mg.GraphError, match="was changed at"):
        y.backward()


def test_one_error_names_everything_that_does_not_fit() -> None:
    model = Model()
    before = model.state_dict()
    state: dict[str, Any] = dict(before)
    state["layers.0.wieght"] = state.pop("layers.0.weight")
    state["scale"] = np.zeros(3, "f4")
    state["biases.0"] = np.zeros(2)
    state["seen"] = object()
    state["layers.1.bias"] = [[1.0], [1.0, 2.0]]
    with pytest.raises(mg.StateError) as caught:
        model.load_state_dict(state)
    lines = str(caught.value).splitlines()
    assert lines[0] == "this state does not fit Model; nothing was loaded"
    assert [line.split() for line in lines[1:-1]] == [
        ["missing", "layers.0.weight", "(2,", "2)", "float32"],
        ["shape", "scale", "(3,)", "given,", "(2,)", "needed"],
        ["dtype", "biases.0", "float64", "given,", "float32", "needed"],
        ["not", "array", "seen", "is", "object"],
        ["not", "array", "layers.1.bias", "is", "list"],
        ["unexpected", "layers.0.wieght", "(is", "it", "layers.0.weight?)"],
    ]
    assert lines[-1].startswith("  hint: convert what is float64 to float32, or ")
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name].numpy())


def test_not_strict_loads_what_there_is_but_no_wrong_shapes() -> None:
    model = nn.Linear(2, 2)
    result = model.load_state_dict({"bias": np.ones(2, "f4"), "more": np.ones(1)}, strict=False)
    assert result.missing == ["weight"]
    assert result.unexpected == ["more"]
    assert model.bias.tolist() == [1, 1]
    with pytest.raises(mg.StateError, match="shape"):
        model.load_state_dict({"bias": np.ones(3, "f4")}, strict=False)


def test_a_state_of_anything_that_numpy_reads() -> None:
    class Foreign:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.full((2,), 3, "f4")

    model = nn.Linear(2, 2, bias=True)
    model.load_state_dict({"weight": np.zeros((2, 2), "f4"), "bias": Foreign()})
    assert model.bias.tolist() == [3, 3]


def test_tensors_that_give_no_array_come_with_a_remedy() -> None:
    class Tracked:
        """Like another library's tensor that needs a gradient, or is of a type that NumPy has not."""

        def detach(self) -> Tracked:
            return self

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad")

    state = {"weight": Tracked(), "bias": Tracked()}
    with pytest.raises(mg.StateError, match=r"not array +bias +is Tracked\n  hint: .*state_dict\(\)") as caught:
        nn.Linear(2, 2).load_state_dict(state)
    assert str(caught.value).count("hint") == 1
    assert ".detach().float().cpu()" in str(caught.value)
    with pytest.raises(mg.StateError) as caught:
        nn.Linear(2, 2).load_state_dict({"weight": object(), "bias": "no"})
    assert "hint" not in str(caught.value)


@pytest.mark.parametrize(("own", "given"), [(mg.float32, "float64"), (mg.float64, "float32"), (mg.float32, "int64")])
def test_the_remedies_for_a_wrong_dtype_help(own: Any, given: str) -> None:
    model = nn.Linear(2, 2, dtype=own)
    state = {"weight": np.ones((2, 2), given), "bias": np.ones(2, given)}
    with pytest.raises(mg.StateError, match=f"hint: convert what is {given} to {own}") as caught:
        model.load_state_dict(state)
    assert str(caught.value).count("hint") == 1
    model.load_state_dict({name: array.astype(own) for name, array in state.items()})
    assert (f"module.to(mg.{given})" in str(caught.value)) == given.startswith("float")
    if given.startswith("float"):
        model.to(getattr(mg, given)).load_state_dict(state)
    assert model.bias.tolist() == [1, 1]


# ---- repr


def test_repr_is_a_tree_with_counts() -> None:
    assert repr(Model()) == (
        "Model(\n"
        "  (layers.0): Linear(in_features=2, out_features=2)  6 parameters\n"
        "  (layers.1): Linear(in_features=2, out_features=2)  6 parameters\n"
        "  (heads.a): Linear(in_features=2, out_features=1)  3 parameters\n"
        "  (heads.b.0): Linear(in_features=2, out_features=1)  3 parameters\n"
        ")  22 parameters"
    )
    assert repr(nn.Tanh()) == "Tanh()"
    assert repr(nn.Sequential(nn.Sequential(nn.Linear(1, 1, bias=False)))) == (
        "Sequential(\n"
        "  (0): Sequential(\n"
        "    (0): Linear(in_features=1, out_features=1, bias=False)  1 parameter\n"
        "  )  1 parameter\n"
        ")  1 parameter"
    )
