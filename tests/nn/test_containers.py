"""Sequential, ModuleList, ModuleDict."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn


def test_sequential_runs_in_order() -> None:
    first, second = nn.Linear(3, 4), nn.Linear(4, 2)
    net = nn.Sequential(first, nn.Tanh(), second)
    x = mg.randn(5, 3)
    np.testing.assert_array_equal(net(x).numpy(), second(first(x).tanh()).numpy())
    assert len(net) == 3
    assert net[0] is first
    assert net[-1] is second
    assert list(net)[2] is second
    with pytest.raises(IndexError, match="index 3 of a Sequential of 3"):
        net[3]


def test_a_slice_shares_its_modules_and_leaves_their_names() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    part = net[1:]
    assert isinstance(part, nn.Sequential)
    assert list(part) == list(net)[1:]
    assert net[2].weight.name == "2.weight"


def test_sequential_with_names() -> None:
    net = nn.Sequential(OrderedDict(first=nn.Linear(3, 4), second=nn.Linear(4, 2)))
    assert next(name for name, _ in net.named_parameters()) == "first.weight"
    assert net.first is net[0]  # type: ignore[attr-defined]
    assert [name for name, _ in net[:1].named_children()] == ["first"]
    with pytest.raises(AttributeError, match="no attribute 'third'"):
        _ = net.third  # type: ignore[attr-defined]


def test_an_item_can_be_replaced() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    net[1] = nn.Identity()
    assert net(mg.ones(1, 3)).shape == (1, 4)


def test_empty_containers() -> None:
    assert nn.Sequential()(3) == 3
    assert not list(nn.ModuleList())
    assert bool(nn.ModuleList())
    assert len(nn.ModuleDict()) == 0


def test_module_list() -> None:
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))
    assert layers.append(nn.Tanh()) is layers
    layers.extend([nn.Linear(2, 1)])
    assert [name for name, _ in layers.named_children()] == ["0", "1", "2", "3"]
    assert [p.name for p in layers.parameters()][-1] == "3.bias"
    assert isinstance(layers[:2], nn.ModuleList)
    assert len(layers[:2]) == 2
    with pytest.raises(mg.MinigradError, match="ModuleList holds modules, not int"):
        layers.append(3)  # type: ignore[arg-type]


def test_module_dict() -> None:
    heads = nn.ModuleDict({"a": nn.Linear(2, 1)})
    heads["b"] = nn.Linear(2, 1)
    heads.update({"c": nn.Tanh()})
    assert list(heads) == list(heads.keys()) == ["a", "b", "c"]
    assert "a" in heads
    assert next(iter(heads.values())) is heads["a"]
    assert dict(heads.items())["b"] is heads["b"]
    del heads["a"]
    assert [name for name, _ in heads.named_parameters()] == ["b.weight", "b.bias"]
    with pytest.raises(KeyError, match="'z'"):
        heads["z"]
    with pytest.raises(mg.MinigradError, match="names of a ModuleDict are strings, not int 1"):
        nn.ModuleDict({1: nn.Tanh()})  # type: ignore[dict-item]


def test_module_dict_keeps_its_order_and_takes_pairs() -> None:
    heads = nn.ModuleDict([("a", nn.Linear(2, 1)), ("b", nn.Tanh())])
    new, old = nn.Linear(2, 1), heads["a"]
    heads.update(nn.ModuleDict({"c": nn.Tanh(), "a": new}))
    assert [name for name, _ in heads.items()] == ["a", "b", "c"]
    assert heads["a"] is new
    assert heads.pop("a") is new
    assert list(heads) == ["b", "c"]
    with pytest.raises(KeyError, match="'a'; there are 'b', 'c'"):
        heads.pop("a")
    heads.clear()
    assert not list(heads)
    assert nn.ModuleList([nn.Tanh(), old])[1].weight.name == "1.weight"  # what was replaced is named anew


def names(holder: nn.Module) -> list[str]:
    return [str(p.name) for p in holder.parameters()]


@pytest.mark.parametrize("kind", [nn.ModuleList, lambda modules: nn.Sequential(*modules)], ids=["list", "sequential"])
def test_insert_and_pop_number_the_modules_anew(kind: Any) -> None:
    a, b, c, d = (nn.Linear(1, 1, bias=False) for _ in range(4))
    layers = kind([a, b])
    assert layers.insert(0, c) is layers
    layers.insert(-1, d)
    layers.insert(4, nn.Tanh())
    assert list(layers)[:4] == [c, a, d, b]
    assert names(layers) == ["0.weight", "1.weight", "2.weight", "3.weight"]
    assert list(layers.state_dict()) == names(layers)
    assert layers.pop(1) is a
    assert type(layers.pop()) is nn.Tanh
    assert list(layers) == [c, d, b]
    assert a.weight.name == "weight"
    del layers[0]
    assert names(layers) == ["0.weight", "1.weight"]
    del layers[:1]
    assert list(layers) == [b]
    assert b.weight.name == "0.weight"
    layers.extend(layers)
    assert list(layers) == [b, b]
    for wrong in (lambda: layers.insert(3, a), lambda: layers.pop(2), lambda: layers.__delitem__(-3)):
        with pytest.raises(IndexError, match="of 2 modules"):
            wrong()
    with pytest.raises(mg.MinigradError, match="holds modules, not int"):
        layers.insert(0, 3)
    assert list(layers) == [b, b]


def test_inserting_leaves_scopes_true() -> None:
    net = nn.Sequential(nn.Sequential(nn.Linear(3, 4)), nn.Linear(5, 2)).insert(0, nn.Identity())
    with pytest.raises(mg.ShapeError, match=r'(?s)in sequential\[1\]\[0\].*"2\.weight"'):
        net(mg.ones(1, 3))
    assert net[1][0].weight.name == "1.0.weight"


def test_names_given_to_a_sequential_stay_and_are_never_taken_twice() -> None:
    net = nn.Sequential({"first": nn.Tanh(), "2": nn.ReLU()}).append(nn.Sigmoid())
    assert [name for name, _ in net.named_children()] == ["first", "1", "2"]
    net.insert(0, nn.Identity())
    assert [name for name, _ in net.named_children()] == ["0", "first", "2", "3"]
    assert [type(module).__name__ for module in net] == ["Identity", "Tanh", "ReLU", "Sigmoid"]
