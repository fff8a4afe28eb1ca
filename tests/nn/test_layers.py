"""Layers: contract, values, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.check import check_module
from minigrad.nn import functional as F  # noqa: N812


def _away_from_kinks(*shape: int) -> mg.Tensor:
    return mg.tensor(np.random.default_rng(1).uniform(0.2, 0.9, shape) * np.resize([1, -1], shape))


LAYERS: dict[str, tuple[Any, Any]] = {
    "linear": (lambda: nn.Linear(3, 2), lambda: mg.randn(4, 3)),
    "linear without bias": (lambda: nn.Linear(3, 2, bias=False), lambda: mg.randn(2, 4, 3)),
    "embedding": (lambda: nn.Embedding(5, 3), lambda: mg.tensor([[0, 4], [2, 2]])),
    "dropout": (lambda: nn.Sequential(nn.Dropout(0.3), nn.Tanh()), lambda: mg.randn(4, 3)),
    "layer norm": (lambda: nn.LayerNorm((2, 3)), lambda: mg.randn(4, 2, 3)),
    "layer norm without bias": (lambda: nn.LayerNorm(3, bias=False), lambda: mg.randn(4, 3)),
    "layer norm without parameters": (lambda: nn.LayerNorm(3, elementwise_affine=False), lambda: mg.randn(4, 3)),
    "batch norm": (lambda: nn.BatchNorm1d(3), lambda: mg.randn(4, 3)),
    "batch norm over length": (lambda: nn.BatchNorm1d(3), lambda: mg.randn(4, 3, 5)),
    "batch norm, no tracking": (
        lambda: nn.BatchNorm1d(3, affine=False, track_running_stats=False),
        lambda: mg.randn(4, 3),
    ),
    "flatten": (nn.Flatten, lambda: mg.randn(2, 3, 2)),
    "identity": (lambda: nn.Sequential(nn.Identity("whatever", it=1), nn.Tanh()), lambda: mg.randn(2, 3)),
    "sequential": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), lambda: mg.randn(2, 3)),
    **{
        kind.__name__: (kind, lambda: _away_from_kinks(3, 4))
        for kind in (
            nn.Sigmoid,
            nn.Tanh,
            nn.ReLU,
            nn.LeakyReLU,
            nn.ELU,
            nn.SELU,
            nn.GELU,
            nn.SiLU,
            nn.Softplus,
            nn.Softsign,
            nn.Hardtanh,
            nn.Hardsigmoid,
            nn.LogSigmoid,
        )
    },
    "softmax": (lambda: nn.Softmax(dim=-1), lambda: mg.randn(2, 3)),
    "log softmax": (lambda: nn.LogSoftmax(dim=0), lambda: mg.randn(2, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_contract(name: str) -> None:
    make, inputs = LAYERS[name]
    check_module(make(), inputs())


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.LeakyReLU(0.2), "LeakyReLU(negative_slope=0.2)"),
        (nn.Softmax(dim=1), "Softmax(dim=1)"),
        (nn.GELU("tanh"), "GELU(approximate='tanh')"),
        (nn.Softplus(2.0), "Softplus(beta=2.0, threshold=20.0)"),
        (nn.Dropout(0.1), "Dropout(p=0.1)"),
        (nn.Embedding(4, 2, padding_idx=-1), "Embedding(4, 2, padding_idx=3)  8 parameters"),
        (nn.LayerNorm(4), "LayerNorm((4,), eps=1e-05)  8 parameters"),
        (nn.BatchNorm1d(4), "BatchNorm1d(4, eps=1e-05, momentum=0.1)  8 parameters"),
        (nn.CrossEntropyLoss(), "CrossEntropyLoss(reduction='mean', ignore_index=-100, label_smoothing=0.0, dim=1)"),
    ],
    ids=lambda value: value.split("(")[0] if isinstance(value, str) else "",
)
def test_repr(module: nn.Module, expected: str) -> None:
    assert repr(module) == expected


def test_settings_reach_the_function() -> None:
    x = mg.tensor([[-2.0, 1.0]])
    assert nn.LeakyReLU(0.5)(x).tolist() == [[-1, 1]]
    assert nn.Hardtanh(-0.5, 0.5)(x).tolist() == [[-0.5, 0.5]]
    assert nn.ELU(0.0)(x).tolist() == [[0, 1]]


def test_linear_starts_like_pytorch() -> None:
    layer = nn.Linear(100, 400)
    for p in layer.parameters():
        assert p.data.min() >= -0.1
        assert p.data.max() < 0.1
        assert abs(p.data.std() - 0.1 / 3**0.5) < 0.005
    assert nn.Linear(3, 2, dtype=mg.float64).weight.dtype == mg.float64


def test_the_same_seed_makes_the_same_layer() -> None:
    layers = []
    for _ in range(2):
        mg.manual_seed(3)
        layers.append(nn.Linear(3, 2).weight.tolist())
    assert layers[0] == layers[1]


def test_embedding_padding() -> None:
    layer = nn.Embedding(5, 3, padding_idx=-2)
    assert layer.padding_idx == 3
    assert layer.weight.data[3].tolist() == [0, 0, 0]
    layer(mg.tensor([3, 3, 1])).sum().backward()
    assert layer.weight.grad.data[3].tolist() == [0, 0, 0]
    assert layer.weight.grad.data[1].tolist() == [1, 1, 1]
    with pytest.raises(mg.ShapeError, match="padding_idx 5 is not one of the 5 rows"):
        nn.Embedding(5, 3, padding_idx=5)
    with pytest.raises(mg.ShapeError, match="5"):
        layer(mg.tensor([5]))


def test_embedding_from_pretrained() -> None:
    table = np.arange(6, dtype="f4").reshape(3, 2)
    layer = nn.Embedding.from_pretrained(table, padding_idx=0)
    assert layer(mg.tensor([2])).tolist() == [[4, 5]]
    assert not layer.weight.requires_grad
    assert layer.weight.name == "weight"
    assert (layer.num_embeddings, layer.embedding_dim, layer.padding_idx) == (3, 2, 0)
    assert nn.Embedding.from_pretrained(mg.tensor(table), freeze=False).weight.requires_grad
    with pytest.raises(mg.ShapeError, match="a table of rows"):
        nn.Embedding.from_pretrained(table[0])


def test_dropout() -> None:
    layer = nn.Dropout(0.5)
    out = layer(mg.ones(1000)).numpy()
    assert set(out.tolist()) == {0.0, 2.0}
    assert 400 < (out == 0).sum() < 600
    x = mg.ones(3)
    assert layer.eval()(x) is x
    with pytest.raises(mg.MinigradError, match="probability"):
        nn.Dropout(1.5)


def test_batch_norm_tracks_batches() -> None:
    layer = nn.BatchNorm1d(2, momentum=None)
    batches = np.random.default_rng(0).standard_normal((3, 8, 2)).astype("f4")
    for batch in batches:
        layer(mg.tensor(batch))
    assert layer.num_batches_tracked.item() == 3
    np.testing.assert_allclose(layer.running_mean.numpy(), batches.mean((0, 1)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.running_var.numpy(), batches.var(1, ddof=1).mean(0), rtol=1e-5)
    layer.eval()(mg.tensor(batches[0]))
    assert layer.num_batches_tracked.item() == 3


def test_batch_norm_twice_before_backward() -> None:
    layer = nn.BatchNorm1d(2)
    (layer(mg.randn(4, 2)) + layer(mg.randn(4, 2))).sum().backward()
    assert layer.bias.grad.tolist() == [8, 8]


@pytest.mark.parametrize("shape", [(4, 3), (4,), (4, 2, 3, 1)])
def test_batch_norm_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(mg.ShapeError, match=r"the input is \(N, 2\) or \(N, 2, L\)"):
        nn.BatchNorm1d(2)(mg.ones(shape))


def test_batch_norm_needs_more_than_one_value() -> None:
    with pytest.raises(mg.ShapeError, match="one value per channel"):
        nn.BatchNorm1d(2)(mg.ones(1, 2))
    assert nn.BatchNorm1d(2).eval()(mg.ones(1, 2)).shape == (1, 2)
    with pytest.raises(mg.ShapeError, match=r"\(N, C\)"):
        F.batch_norm(mg.ones(3))


def test_layer_norm_refuses_other_shapes() -> None:
    with pytest.raises(mg.ShapeError, match=r"the input \(2, 3\) does not end in \(4,\)"):
        nn.LayerNorm(4)(mg.ones(2, 3))


def test_layer_norm_of_half_precision_does_not_overflow() -> None:
    out = F.layer_norm(mg.tensor([[-3e4, 3e4]], dtype=mg.float16), 2)
    assert out.dtype == mg.float16
    assert out.tolist() == [[-1, 1]]


def test_one_hot() -> None:
    assert F.one_hot(mg.tensor([[2], [0]]), 3).tolist() == [[[0, 0, 1]], [[1, 0, 0]]]
    with pytest.raises(mg.ShapeError, match="indices 0 to 3, but classes 0 to 2"):
        F.one_hot([0, 3], 3)
    with pytest.raises(mg.DtypeError, match="integers"):
        F.one_hot(mg.ones(2), 3)
