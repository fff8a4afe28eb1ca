"""Corners of the attention layers and of the losses over many classes."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("target", [np.zeros(0, int), np.full(3, -100)], ids=["no rows", "none counts"])
def test_a_linear_cross_entropy_over_nothing_has_a_recorded_gradient_of_zeros(reduction, target):
    x, weight = mg.ones(len(target), 4, requires_grad=True), mg.ones(5, 4, requires_grad=True)
    bias = mg.zeros(5, requires_grad=True)
    loss = nn.functional.linear_cross_entropy(x, weight, target, bias, reduction=reduction)
    for gradient, of in zip(mg.grad(loss.sum(), [x, weight, bias], create_graph=True), (x, weight, bias), strict=True):
        assert gradient.shape == of.shape
        assert not gradient.numpy().any()


@pytest.mark.parametrize("shape", [(2, 3, 3), (5, 3, 3), (3,), (1, 2, 3, 3)])
def test_an_attention_mask_of_another_shape_is_refused_and_not_spread_over_the_heads(shape):
    """With as many rows as heads, ``(N, L, S)`` would fit as a mask for each head, and be wrong."""
    layer, x = nn.MultiheadAttention(4, 2), mg.ones(3, 2, 4)
    with pytest.raises(mg.ShapeError, match=r"attn_mask is \(L, S\) = \(3, 3\) or \(N h, L, S\) = \(4, 3, 3\), not"):
        layer(x, x, x, attn_mask=np.zeros(shape, bool))


def test_a_mask_that_would_make_more_scores_than_there_are_is_refused():
    q, k = mg.ones(3, 4), mg.ones(2, 4)
    with pytest.raises(mg.ShapeError, match=r"mask \(5, 3, 2\) does not broadcast to the scores \(3, 2\)"):
        nn.functional.scaled_dot_product_attention(q, k, k, np.ones((5, 3, 2), bool))
