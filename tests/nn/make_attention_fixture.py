"""Writes attention.npz: PyTorch's attention and Transformer layer, with all gradients.

Run by hand, with PyTorch installed: ``python tests/nn/make_attention_fixture.py``. The tests read the file only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

rng = np.random.default_rng(0)
arrays: dict[str, np.ndarray] = {}
specs: list[dict[str, Any]] = []
N, L, S, E, H = 2, 4, 5, 6, 3


def keep(name: str, value: Any) -> None:
    arrays[f"{len(specs)}.{name}"] = value.detach().numpy() if isinstance(value, torch.Tensor) else value


def normal(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape)


def backward(outputs: list[torch.Tensor], leaves: dict[str, torch.Tensor]) -> None:
    cotangents = [normal(*y.shape) for y in outputs]
    torch.autograd.backward(outputs, [torch.tensor(c) for c in cotangents])
    for i, (y, c) in enumerate(zip(outputs, cotangents, strict=True)):
        keep(f"output{i}", y)
        keep(f"cotangent{i}", c)
    for name, leaf in leaves.items():
        keep(f"input.{name}", leaf)
        keep(f"gradient.{name}", leaf.grad)


def dot_product(shapes: tuple[tuple[int, ...], ...], masks: dict[str, np.ndarray], **options: Any) -> None:
    leaves = {n: torch.tensor(normal(*s), requires_grad=True) for n, s in zip("qkv", shapes, strict=True)}
    given = {name: torch.tensor(mask) for name, mask in masks.items()}
    y = torch.nn.functional.scaled_dot_product_attention(*leaves.values(), **given, **options)
    backward([y], leaves)
    finish("dot_product", {}, options, masks)


def module(kind: str, settings: dict[str, Any], inputs: dict[str, np.ndarray], masks: dict[str, np.ndarray],
           **options: Any) -> None:
    torch.manual_seed(len(specs))
    layer = getattr(torch.nn, kind)(**settings, dtype=torch.float64)
    for parameter in layer.parameters():
        parameter.data = torch.tensor(normal(*parameter.shape) * 0.5)
    layer.train(settings.get("dropout", 0.1) == 0)  # in evaluation PyTorch may take another path: the same numbers
    leaves = {name: torch.tensor(x, requires_grad=True) for name, x in inputs.items()}
    parts = layer(*leaves.values(), **{name: torch.tensor(mask) for name, mask in masks.items()}, **options)
    outputs = [y for y in parts if y is not None] if isinstance(parts, tuple) else [parts]
    for name, value in layer.state_dict().items():
        keep(f"state.{name}", value)
    backward(outputs, leaves)
    for name, parameter in layer.named_parameters():
        keep(f"weight.{name}", parameter.grad)
    finish(kind, settings, options, masks)


def finish(kind: str, settings: dict[str, Any], options: dict[str, Any], masks: dict[str, np.ndarray]) -> None:
    for name, mask in masks.items():
        keep(f"mask.{name}", mask)
    specs.append({"kind": kind, "settings": settings, "options": options, "masks": list(masks)})


def self_attention(**inputs: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {name: normal(*shape) for name, shape in inputs.items()}


if __name__ == "__main__":
    shapes = ((N, H, L, E), (N, H, S, E), (N, H, S, 2))
    looks = rng.random((L, S)) < 0.6
    looks[0] = False
    numbers = np.where(rng.random((N, 1, L, S)) < 0.7, normal(N, 1, L, S), -np.inf)
    dot_product(shapes, {})
    dot_product(shapes, {}, is_causal=True)
    dot_product(shapes, {}, scale=0.3)
    dot_product(shapes, {"attn_mask": looks})
    dot_product(shapes, {"attn_mask": numbers}, scale=1.5)
    dot_product(((L, E), (S, E), (S, E)), {"attn_mask": rng.random((L, S)) < 0.8})

    padding = np.array([[False, False, False, True, True], [True, False, False, False, False]])
    hidden = rng.random((L, S)) < 0.3
    hidden[:, 1] = False
    inputs = self_attention(query=(L, N, E), key=(S, N, E), value=(S, N, E))
    first = {name: np.ascontiguousarray(x.swapaxes(0, 1)) for name, x in inputs.items()}
    settings = {"embed_dim": E, "num_heads": H}
    module("MultiheadAttention", settings, inputs, {})
    module("MultiheadAttention", {**settings, "bias": False}, inputs, {"key_padding_mask": padding})
    module("MultiheadAttention", {**settings, "batch_first": True}, first,
           {"key_padding_mask": padding, "attn_mask": hidden}, average_attn_weights=False)
    module("MultiheadAttention", settings, inputs, {"attn_mask": normal(N * H, L, S)}, need_weights=False)
    module("MultiheadAttention", {**settings, "kdim": 4, "vdim": 3},
           self_attention(query=(L, N, E), key=(S, N, 4), value=(S, N, 3)),
           {"key_padding_mask": np.where(padding, -np.inf, 0.25), "attn_mask": normal(L, S)})
    module("MultiheadAttention", settings, self_attention(query=(L, E), key=(S, E), value=(S, E)),
           {"key_padding_mask": padding[0]})

    settings = {"d_model": E, "nhead": H, "dim_feedforward": 8, "dropout": 0.0}
    x = self_attention(src=(S, N, E))
    later = np.triu(np.ones((S, S), bool), 1)
    module("TransformerEncoderLayer", settings, x, {})
    module("TransformerEncoderLayer", {**settings, "norm_first": True, "activation": "gelu"}, x,
           {"src_mask": later}, is_causal=True)
    module("TransformerEncoderLayer", {**settings, "batch_first": True, "bias": False},
           {"src": np.ascontiguousarray(x["src"].swapaxes(0, 1))}, {"src_key_padding_mask": padding})
    layout, offset = {}, 0
    for name, array in arrays.items():
        layout[name] = [array.dtype.kind, list(array.shape), offset]
        offset += array.size
    # one array: an entry of its own for each of hundreds would be mostly zip headers
    values = np.concatenate([array.ravel().astype(float) for array in arrays.values()])
    contents = np.array(json.dumps({"specs": specs, "layout": layout}))
    np.savez_compressed(Path(__file__).with_name("attention.npz"), contents=contents, values=values)
