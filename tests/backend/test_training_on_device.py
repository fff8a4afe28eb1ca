"""A step of training never waits for the device; reading the loss waits once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg


class Recurrent(mg.nn.Module):
    """An unrolled Elman network over characters."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = mg.nn.Embedding(7, 4)
        self.hidden = mg.nn.Linear(4 + 5, 5)
        self.norm = mg.nn.LayerNorm(5)
        self.drop = mg.nn.Dropout(0.1)
        self.head = mg.nn.Linear(5, 7)

    def forward(self, tokens: Any) -> Any:
        h = mg.zeros(tokens.shape[1], 5, device=tokens.device)
        outputs = []
        for t in range(tokens.shape[0]):
            h = mg.tanh(self.hidden(mg.concat([self.embedding(tokens[t]), h], dim=1)))
            outputs.append(self.head(self.drop(self.norm(h))))
        return mg.stack(outputs)


def mlp(device: str) -> tuple[Any, Callable[[], Any]]:
    rng = np.random.default_rng(0)
    model = mg.nn.Sequential(mg.nn.Linear(3, 8), mg.nn.Tanh(), mg.nn.BatchNorm1d(8), mg.nn.Linear(8, 2)).to(device)
    x, y = (mg.tensor(rng.normal(size=(5, n)), mg.float32, device) for n in (3, 2))
    return model, lambda: mg.nn.functional.mse_loss(model(x), y)


def rnn(device: str) -> tuple[Any, Callable[[], Any]]:
    rng = np.random.default_rng(0)
    model = Recurrent().to(device)
    x, y = (mg.tensor(rng.integers(0, 7, (6, 3)), device=device) for _ in range(2))
    return model, lambda: mg.nn.functional.cross_entropy(model(x).reshape(-1, 7), y.reshape(-1))


def step(loss: Callable[[], Any], optimizer: Any, params: list[Any]) -> Any:
    optimizer.zero_grad()
    value = loss()
    value.backward()
    mg.optim.clip_grad_norm_(params, 0.5)
    optimizer.step()
    return value


OPTIMIZERS = {
    "SGD": lambda p: mg.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "Adagrad": lambda p: mg.optim.Adagrad(p, lr=0.1),
    "RMSprop": lambda p: mg.optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
    "Adadelta": mg.optim.Adadelta,
    "Adam": lambda p: mg.optim.Adam(p, lr=0.01),
    "AdamW": lambda p: mg.optim.AdamW(p, lr=0.01, amsgrad=True),
}


@pytest.mark.parametrize("build", [mlp, rnn])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_step_never_waits(cuda: Any, build: Any, kind: str) -> None:
    model, loss = build("cuda")
    params = list(model.parameters())
    optimizer = OPTIMIZERS[kind](params)
    first = step(loss, optimizer, params)  # makes the optimiser's state
    with cuda.waits(0, uploads=0):
        for _ in range(3):
            last = step(loss, optimizer, params)
    with cuda.waits(1, uploads=0):
        value = last.item()
    assert value < first.item()
    assert {str(p.device) for p in params} == {"cuda:0"}
    assert {str(p.grad.device) for p in params} == {"cuda:0"}


def test_the_same_numbers_as_on_the_host(cuda: Any) -> None:
    def run(device: str) -> list[Any]:
        mg.manual_seed(3)
        model, loss = mlp(device)
        params = list(model.parameters())
        optimizer = mg.optim.Adam(params, lr=0.01)
        for _ in range(5):
            step(loss, optimizer, params)
        return [p.numpy() for p in params]

    for on_host, on_device in zip(run("cpu"), run("cuda"), strict=True):
        np.testing.assert_allclose(on_device, on_host, rtol=1e-4, atol=1e-5)
