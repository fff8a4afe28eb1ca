"""Normalisation inside a cell."""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad import nn

from .weights import Weights

EPS = 1e-5  # what is added to a variance


def weighted(
    place: str, w: Weights, x: mg.Tensor, weight: Any, bias: Any, gain: Any, blocks: tuple[int, ...] = (1,)
) -> mg.Tensor:
    r""":math:`W x + b`, or with normalisation :math:`g \odot \mathrm{norm}(W x) + b`.

    Args:
        place: ``"ih"``, ``"hh"`` or ``"cell"``: what is normalised, for statistics over the batch.
        w: says whether to normalise over the rows of each example, or over the batch.
        x: ``(..., features)``.
        weight: ``(rows, features)``.
        bias: ``(rows,)`` or ``None``.
        gain: likewise; without it nothing is normalised.
        blocks: in which shares the rows are normalised, apart from each other.
    """
    if gain is None:
        return mg.linear(x, weight, bias)
    return normalised(place, w, mg.linear(x, weight), gain, bias, blocks)


def normalised(
    place: str, w: Weights, a: mg.Tensor, gain: Any, bias: Any, blocks: tuple[int, ...] = (1,)
) -> mg.Tensor:
    r""":math:`g \odot \mathrm{norm}(a) + b`; see :func:`weighted`."""
    if w.statistics is not None:
        normal = w.statistics.normalise(place, a)
    elif len(blocks) == 1:
        normal = nn.functional.layer_norm(a, a.shape[-1], eps=EPS)
    else:
        share = a.shape[-1] // sum(blocks)
        parts = a.split(tuple([share * block for block in blocks]), -1)
        normal = mg.concat([nn.functional.layer_norm(part, part.shape[-1], eps=EPS) for part in parts], -1)
    scaled: mg.Tensor = normal * gain
    return scaled if bias is None else scaled + bias


def dropped(h: mg.Tensor, w: Weights) -> mg.Tensor:
    """The state as the recurrent product sees it: times the mask of variational dropout, if there is one."""
    return h if w.mask_hidden is None else h * w.mask_hidden
