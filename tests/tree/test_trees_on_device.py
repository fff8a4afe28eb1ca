"""Networks over trees on a device that is not the host: the same numbers, and no waiting in a training step."""

from __future__ import annotations

import numpy as np
import pytest
from tree_cases import NETWORKS, TOP_DOWN, words_for

import minigrad as mg
from minigrad_rnn.tree import TopDown, Tree, TreeBatch, parse_trees


@pytest.mark.parametrize("name", [*NETWORKS, *TOP_DOWN])
def test_a_training_step_without_waiting(cuda, name):
    network = {**NETWORKS, **TOP_DOWN}[name]()
    missing = Tree("n", [None, Tree(word="a"), Tree()], word="b")
    batch = TreeBatch([*parse_trees("((a b) c (d)) ((a) (b c d)) a", labels=False), missing])
    x = words_for(network, batch).float().numpy()
    rows, gradients = [], []
    for device in ("cpu", "cuda"):
        network = network.to(device)
        network.zero_grad()
        inputs = mg.tensor(x, device=device, requires_grad=True)
        network(batch, inputs)  # the places are brought to the device once
        with cuda.waits(0):
            output = network(batch, inputs)
            output = output if isinstance(network, TopDown) else output[0]
            (output * output).sum().backward()
        rows.append(output.numpy())
        gradients.append([p.grad.numpy() for p in (inputs, *network.parameters())])
    np.testing.assert_allclose(rows[1], rows[0], rtol=1e-4, atol=1e-6)
    for here, there in zip(*gradients, strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-6)
