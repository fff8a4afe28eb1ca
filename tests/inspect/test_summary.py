"""A model as a table."""

from __future__ import annotations

import pytest

import minigrad as mg
from minigrad import nn
from minigrad.inspect.modules import levels
from minigrad.inspect.summary import size


class Net(nn.Module):
    def __init__(self):
        self.emb = nn.Embedding(10, 4)
        self.blocks = [nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(2)]
        self.spare = nn.Sequential(nn.Linear(4, 4))
        self.out = nn.Linear(4, 3)
        self.out.requires_grad_(False)
        self.norm = nn.BatchNorm1d(3)

    def forward(self, words):
        x = self.emb(words)
        for block in self.blocks:
            x = block(x)
        return self.norm(self.out(x)), x


TABLE = """\
module                      output shape       parameters  trainable
Net                         (2, 3) +1                 121        106
├─ emb          Embedding   (2, 4)                     40         40
├─ blocks[0]    Sequential  (2, 4)                     20         20
│  ├─ [0]       Linear      (2, 4)                     20         20
│  └─ [1]       ReLU        (2, 4)
├─ blocks[1]    Sequential  (2, 4)                     20         20
│  ├─ [0]       Linear      (2, 4)                     20         20
│  └─ [1]       ReLU        (2, 4)
├─ spare        Sequential                             20         20  never called
│  └─ [0]       Linear                                 20         20  never called
├─ out          Linear      (2, 3)                     15          0
└─ norm         BatchNorm1d (2, 3)                      6          6

parameters  121  484 B, 15 frozen
buffers          32 B
input            16 B
output           56 B
no gradient reaches spare.0.weight, spare.0.bias"""


def squeezed(text):
    return [line.split() for line in text.split("\n")]


def test_the_table():
    table = mg.inspect.summary(Net(), mg.tensor([1, 2]))
    assert squeezed(str(table)) == squeezed(TABLE)
    assert table.to_text() == str(table)
    assert max(map(len, str(table).split("\n"))) <= 80


def test_the_numbers_as_data():
    table = mg.inspect.summary(Net(), mg.tensor([1, 2]))
    assert (table.parameters, table.trainable, table.input_bytes, table.output_bytes) == (121, 106, 16, 56)
    out = next(row for row in table.rows if row.path == "out")
    assert (out.kind, out.outputs, out.calls) == ("Linear", ((2, 3),), 1)
    assert (out.parameters, out.frozen, out.bytes) == (15, 15, 60)
    assert table.to_dict()["rows"][0]["unreached"] == ("spare.0.weight", "spare.0.bias")
    assert table.never_called() == {"spare", "spare.0"}


def test_settings_are_shown_where_there_is_room():
    lines = str(mg.inspect.summary(Net())).split("\n")
    assert lines[0].split() == ["module", "parameters", "trainable"]
    assert "Embedding(10, 4)" in lines[2]
    assert max(map(len, lines)) <= 80
    wide = nn.ModuleDict({"a_name_that_is_longer_than_any_table_can_hold_and_so_is_not_cut_either": nn.Linear(2, 3)})
    assert "Linear" in str(mg.inspect.summary(nn.Sequential(wide)))
    named = {"a_layer_with_a_name_of_some_length": nn.Linear(100, 1000)}
    assert "in_features" not in str(mg.inspect.summary(nn.Sequential(nn.ModuleDict(named))))


def test_without_inputs_nothing_runs():
    table = mg.inspect.summary(Net())
    assert {row.calls for row in table.rows} == {None}
    assert table.never_called() == set()
    assert "never called" not in str(table)


def test_what_is_shared_counts_once_and_calls_are_counted():
    class Tied(nn.Module):
        def __init__(self):
            self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(self.a(self.a(x)))

    table = mg.inspect.summary(Tied(), mg.ones(1, 3))
    assert [row.parameters for row in table.rows] == [15, 12, 12]
    assert str(table).split("\n")[2].endswith("×2")


def test_a_part_that_gets_no_gradient_is_marked():
    class Cut(nn.Module):
        def __init__(self):
            self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x):
            return self.b(self.a(x).detach())

    lines = str(mg.inspect.summary(Cut(), mg.ones(1, 3))).split("\n")
    assert lines[2].endswith("no gradient")
    assert lines[-1] == "no gradient reaches a.weight, a.bias"


def test_lists_of_modules_are_no_level():
    model = nn.ModuleDict({"x": nn.ModuleList([nn.Tanh()])})
    assert [(level.path, level.label, level.depth) for level in levels(model)] == [
        ("", "ModuleDict", 0),
        ("x.0", "x[0]", 1),
    ]


def test_sizes_are_rounded_to_the_next_unit():
    assert [size(n) for n in (0, 999, 1000, 999_949, 999_950, 10**16)] == [
        "0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "10000.0 TB",
    ]  # fmt: skip


def test_wrong_arguments():
    with pytest.raises(mg.GraphError, match="summary takes a module, not Tensor"):
        mg.inspect.summary(mg.ones(2))
    with pytest.raises(mg.GraphError, match=r"hand over mg\.zeros\(3, 4\)"):
        mg.inspect.summary(Net(), (3, 4))
