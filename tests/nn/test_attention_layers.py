"""Attention and the Transformer layer: PyTorch's numbers (see make_attention_fixture.py), masks, and refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.check import gradcheck
from minigrad.nn import functional as F  # noqa: N812

RNG = np.random.default_rng(0)
with np.load(Path(__file__).with_name("attention.npz")) as _file:
    _contents, _values = json.loads(str(_file["contents"])), _file["values"]
SPECS: list[dict[str, Any]] = _contents["specs"]
ARRAYS = {
    name: _values[start : start + int(np.prod(shape))].reshape(shape).astype({"f": float, "b": bool}[kind])
    for name, (kind, shape, start) in _contents["layout"].items()
}


def group(number: int, kind: str) -> dict[str, np.ndarray]:
    start = f"{number}.{kind}"
    return {name.removeprefix(start): array for name, array in ARRAYS.items() if name.startswith(start)}


def normal(*shape: int, dtype: Any = mg.float64) -> mg.Tensor:
    return mg.tensor(RNG.standard_normal(shape), dtype=dtype, requires_grad=True)


def _name(number: int) -> str:
    spec = SPECS[number]
    settings = [f"{key}={value}" for key, value in (spec["settings"] | spec["options"]).items()]
    return f"{number}-{spec['kind']}-{','.join(settings + spec['masks'])}"


@pytest.mark.parametrize("number", range(len(SPECS)), ids=_name)
def test_values_and_gradients_are_pytorchs(number: int) -> None:
    spec = SPECS[number]
    inputs = {name: mg.tensor(x, requires_grad=True) for name, x in group(number, "input.").items()}
    masks = {name: mg.tensor(mask) for name, mask in group(number, "mask.").items()}
    layer: Any = F.scaled_dot_product_attention
    if spec["kind"] != "dot_product":
        layer = getattr(nn, spec["kind"])(**spec["settings"], dtype=mg.float64)
        layer.load_state_dict({name: mg.tensor(x) for name, x in group(number, "state.").items()})
    results = layer(*inputs.values(), **masks, **spec["options"])
    outputs = [y for y in results if y is not None] if isinstance(results, tuple) else [results]
    expected = group(number, "output")
    assert len(outputs) == len(expected)
    for y, z in zip(outputs, expected.values(), strict=True):
        np.testing.assert_allclose(y.numpy(), z, rtol=1e-10, atol=1e-12)
    weights = dict(layer.named_parameters()) if isinstance(layer, nn.Module) else {}
    gradients = group(number, "gradient.") | group(number, "weight.")
    cotangents = [mg.tensor(c) for c in group(number, "cotangent").values()]
    given = mg.grad(outputs, [*inputs.values(), *weights.values()], cotangents)
    for name, g in zip([*inputs, *weights], given, strict=True):
        np.testing.assert_allclose(g.numpy(), gradients[name], rtol=1e-9, atol=1e-12, err_msg=name)


# ---- masks


def test_a_query_that_may_look_at_nothing_gives_zeros() -> None:
    q, k, v = (normal(3, 4) for _ in range(3))
    looks = np.array([[True, False, True], [False] * 3, [False] * 3])
    for mask in (looks, np.where(looks, 0.0, -np.inf), looks.tolist()):
        y = F.scaled_dot_product_attention(q, k, v, mask)
        assert not y.numpy()[1:].any()
        for g in mg.grad(y, (q, k, v), mg.ones_like(y)):
            assert np.isfinite(g.numpy()).all()
    x = normal(3, 2, 4)
    layer = nn.MultiheadAttention(4, 2, dtype=mg.float64)
    y, weights = layer(x, x, x, key_padding_mask=[[False] * 3, [True] * 3])
    np.testing.assert_array_equal(y.numpy()[:, 1], 0)
    np.testing.assert_array_equal(weights.numpy()[1], 0)
    for g in mg.grad(y, [x, *layer.parameters()], mg.ones_like(y)):
        assert np.isfinite(g.numpy()).all()


def test_what_is_hidden_changes_nothing() -> None:
    x, other = RNG.standard_normal((2, 5, 1, 6))
    other[:3] = x[:3]
    layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, dtype=mg.float64)
    padding = [[False] * 3 + [True] * 2]
    for options in ({"src_key_padding_mask": padding}, {"is_causal": True}):
        first, second = (layer(mg.tensor(values), **options).numpy()[:3] for values in (x, other))
        np.testing.assert_allclose(first, second, rtol=1e-12)
    later = np.triu(np.ones((5, 5), bool), 1)
    np.testing.assert_allclose(layer(mg.tensor(x), is_causal=True).numpy(), layer(mg.tensor(x), later).numpy())


def test_masks_add_up() -> None:
    x = normal(4, 2, 6)
    layer = nn.MultiheadAttention(6, 3, dtype=mg.float64)
    padding, hidden = np.array([[False] * 3 + [True]] * 2), RNG.random((4, 4)) < 0.3
    together = layer(x, x, x, padding, attn_mask=hidden, is_causal=True)[0]
    numbers = np.where(hidden | np.triu(np.ones((4, 4), bool), 1), -np.inf, 0.0)
    added = layer(x, x, x, np.where(padding, -np.inf, 0.0), attn_mask=numbers)[0]
    np.testing.assert_allclose(together.numpy(), added.numpy())
    mixed = layer(x, x, x, padding, attn_mask=numbers)[0]
    np.testing.assert_allclose(together.numpy(), mixed.numpy())


def test_masked_softmax_hides_anything_and_is_softmax_elsewhere() -> None:
    x = np.array([[1.0, np.nan, 3.0], [np.inf, 1e300, 0.0]])
    mask = np.array([[True, False, True], [False, True, True]])
    y = F.masked_softmax(mg.tensor(x), mask)
    np.testing.assert_allclose(y.numpy(), [[1 / (1 + np.e**2), 0, np.e**2 / (1 + np.e**2)], [0, 1, 0]])
    half = F.masked_softmax(mg.tensor([60000.0, -60000.0], dtype=mg.float16), mg.tensor([False, True]))
    assert half.tolist() == [0, 1]
    assert half.dtype == mg.float16
    columns = F.masked_softmax(mg.zeros(2, 2), mg.tensor([[True, True], [False, True]]), dim=0)
    assert columns.tolist() == [[1, 0.5], [0, 0.5]]


# ---- derivatives


def test_gradients_to_second_order() -> None:
    q, k, v = normal(2, 3, 4), normal(2, 2, 4), normal(2, 2, 3)
    mask = mg.tensor([[True, False], [True, True], [False, False]])
    assert gradcheck(lambda *x: F.scaled_dot_product_attention(*x, mask), q, k, v, order=2)
    bias = normal(3, 2)
    assert gradcheck(lambda b: F.scaled_dot_product_attention(q, k, v, b), bias, order=2)
    layer = nn.TransformerEncoderLayer(4, 2, 3, 0.0, "gelu", dtype=mg.float64)
    assert gradcheck(lambda x: layer(x, is_causal=True), normal(3, 1, 4), order=2)


# ---- dropout, dtypes, settings


def test_dropout_in_training_only() -> None:
    x = mg.ones(6, 2, 4)
    layer = nn.MultiheadAttention(4, 2, dropout=0.5)
    dropped, weights = layer(x, x, x)
    assert (weights.numpy() == 0).any()
    layer.eval()
    kept, weights = layer(x, x, x)
    np.testing.assert_allclose(weights.numpy(), 1 / 6, rtol=1e-5)
    assert not np.allclose(dropped.numpy(), kept.numpy())
    y = F.scaled_dot_product_attention(x, x, x, dropout_p=1.0)
    assert not y.numpy().any()
    encoder = nn.TransformerEncoderLayer(4, 2, 8)
    assert [m.p for m in encoder.modules() if isinstance(m, nn.Dropout)] == [0.1] * 3
    assert encoder.self_attn.dropout == 0.1
    encoder.eval()
    assert encoder(x).tolist() == encoder(x).tolist()


def test_float32_stays() -> None:
    x = normal(3, 2, 4, dtype=mg.float32)
    y, weights = nn.MultiheadAttention(4, 2)(x, x, x, attn_mask=np.zeros((3, 3)))
    assert y.dtype == weights.dtype == mg.float32
    assert F.sinusoidal_positions(3, 4).dtype == mg.float32


def test_first_weights_are_those_of_glorot_and_biases_zero() -> None:
    layer = nn.MultiheadAttention(64, 4)
    bound = np.sqrt(6 / (4 * 64))
    assert 0.95 * bound < np.abs(layer.in_proj_weight.numpy()).max() < bound
    assert not layer.in_proj_bias.numpy().any()
    assert not layer.out_proj.bias.numpy().any()
    assert list(nn.MultiheadAttention(4, 2, kdim=3).state_dict()) == [
        "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias",
    ]  # fmt: skip
    assert "kdim=3, vdim=4" in str(nn.MultiheadAttention(4, 2, kdim=3))


def test_positions_tell_steps_apart() -> None:
    waves = F.sinusoidal_positions(50, 7, dtype=mg.float64).numpy()
    assert waves.shape == (50, 7)
    np.testing.assert_allclose(waves[:, 2], np.sin(np.arange(50) / 10000 ** (2 / 7)))
    np.testing.assert_allclose(waves[:, 3], np.cos(np.arange(50) / 10000 ** (2 / 7)))
    distances = np.square(waves[:, None] - waves).sum(-1) + np.eye(50)
    assert distances.min() > 1e-3


def test_any_activation() -> None:
    layer = nn.TransformerEncoderLayer(4, 2, 8, 0.0, activation=mg.tanh, norm_first=True)
    x = mg.ones(2, 1, 4)
    h = x + layer.self_attn(*[layer.norm1(x)] * 3)[0]
    expected = h + layer.linear2(mg.tanh(layer.linear1(layer.norm2(h))))
    np.testing.assert_allclose(layer(x).numpy(), expected.numpy(), rtol=1e-6)


def test_refusals() -> None:
    x = normal(3, 2, 4)
    layer = nn.MultiheadAttention(4, 2, dtype=mg.float64)
    for call, error, message in (
        (lambda: nn.MultiheadAttention(5, 2), mg.ShapeError, "embed_dim=5 cannot be cut into 2 equal heads"),
        (lambda: nn.MultiheadAttention(4, 2, dropout=2.0), mg.MinigradError, "dropout is a probability"),
        (lambda: nn.TransformerEncoderLayer(4, 2, activation="swish"), mg.MinigradError, "'relu', 'gelu' or a f"),
        (lambda: layer(x, x[0], x), mg.ShapeError, r"all \(L, N, E\) or all \(L, E\), not \(3, 2, 4\), \(2, 4\)"),
        (lambda: layer(x, x, x, [[True] * 3]), mg.ShapeError, r"key_padding_mask is \(N, S\) = \(2, 3\), not \(1, 3\)"),
        (lambda: layer(x, x, x, attn_mask=np.ones((2, 2), bool)), mg.ShapeError, r"= \(4, 3, 3\), not \(2, 2\)"),
        (lambda: layer(x, x, x, attn_mask=np.ones((3, 3, 3), bool)), mg.ShapeError, r"not \(3, 3, 3\)"),
        (lambda: layer(x, x, x, attn_mask=np.ones((3, 3), int)), mg.DtypeError, "booleans or of .*not of int64"),
        (lambda: F.scaled_dot_product_attention(x, x, x, True, is_causal=True), mg.MinigradError, "say one of them"),
        (lambda: F.scaled_dot_product_attention(x, x[..., :3], x), mg.ShapeError, "must be equal"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_on_a_device_without_waiting(cuda: Any) -> None:
    mg.manual_seed(1)
    here = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0)
    there = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, device="cuda")
    there.load_state_dict(here.state_dict())
    x, padding = RNG.standard_normal((3, 2, 4)).astype("f4"), np.array([[False, False, True], [True] * 3])
    for layer, device in ((here, "cpu"), (there, "cuda")):
        inputs, mask = mg.tensor(x, device=device), mg.tensor(padding, device=device)
        with cuda.waits(0):
            layer(inputs, src_key_padding_mask=mask, is_causal=True).square().sum().backward()
    for p, q in zip(here.parameters(), there.parameters(), strict=True):
        np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=1e-4, atol=1e-5)
    with mg.default_device("cuda"):
        assert str(F.sinusoidal_positions(2, 2).device) == "cuda:0"
