"""Looking at a model without training it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import minigrad as mg
from minigrad import nn


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Inside, a model is in evaluation and nothing is recorded; afterwards every part of it is as it was before.

    >>> from minigrad import nn
    >>> model = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5).eval())
    >>> with evaluating(model):
    ...     model(mg.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    >>> [part.training for part in model]
    [True, False]
    """
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with mg.no_grad():
            yield
    finally:
        for module, training in before:
            module.training = training
