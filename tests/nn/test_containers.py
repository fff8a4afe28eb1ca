"""Sequential, ModuleList, ModuleDict."""

from __future__ import annotations

from collections import OrderedDict

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
