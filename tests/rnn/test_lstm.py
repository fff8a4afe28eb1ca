"""The LSTM: its equations, and what the unrolled path records."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.check import check_module
from minigrad_rnn import LSTM, unrolled


def test_against_the_equations_one_number_at_a_time():
    mg.manual_seed(0)
    lstm = LSTM(1, 1).double()
    weights = {name: p.numpy().ravel() for name, p in lstm.named_parameters()}
    xs = np.random.default_rng(0).normal(size=4)
    h = c = 0.0
    for x in xs:
        i, f, g, o = (
            weights["weight_ih_l0"][k] * x
            + weights["bias_ih_l0"][k]
            + weights["weight_hh_l0"][k] * h
            + weights["bias_hh_l0"][k]
            for k in range(4)
        )
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
    _, (last_h, last_c) = lstm(mg.tensor(xs.reshape(4, 1, 1)))
    assert last_h.item() == pytest.approx(h, rel=1e-12)
    assert last_c.item() == pytest.approx(c, rel=1e-12)


def test_the_forget_gate_matters():
    mg.manual_seed(0)
    lstm = LSTM(2, 3)
    c0 = mg.randn(1, 1, 3, requires_grad=True)
    _, (h, _) = lstm(mg.randn(4, 1, 2), (mg.zeros(1, 1, 3), c0))
    h.sum().backward()
    assert (c0.grad != 0).all()


def test_an_open_cell_carries_its_content_through_a_thousand_steps():
    lstm = LSTM(1, 2).double()
    for name, parameter in lstm.named_parameters():
        fill = [-1e3, -1e3, 1e3, 1e3, 0, 0, 0, 0] if name == "bias_ih_l0" else 0.0
        parameter.data = np.broadcast_to(np.array(fill, float), parameter.shape).copy()
    x, h0, c0 = mg.ones(1000, 1, 1).double(), mg.zeros(1, 1, 2).double(), mg.tensor([[[0.7, -2.0]]]).double()
    _, (_, c) = lstm(x, (h0, c0))
    assert c.tolist() == [[[pytest.approx(0.7, rel=1e-6), -2.0]]]


def test_contract():
    mg.manual_seed(0)
    assert check_module(LSTM(2, 3), mg.randn(3, 2, 2))


def test_scopes_name_layer_step_and_gate():
    with unrolled():
        output, _ = LSTM(2, 3, 2)(mg.ones(2, 1, 2))
    scopes = {node.scope for node in mg.graph(output)}
    assert {"lstm.layer0/t=0/forget_gate", "lstm.layer1/t=1/output_gate"} <= scopes
    with unrolled():
        output, _ = LSTM(2, 3, bidirectional=True)(mg.ones(2, 1, 2))
    scopes = {node.scope for node in mg.graph(output)}
    assert {"lstm.layer0.fwd/t=0/forget_gate", "lstm.layer0.bwd/t=1/input_gate"} <= scopes


def test_source_lines_are_those_of_the_equations():
    with unrolled():
        output, _ = LSTM(2, 3)(mg.ones(1, 1, 2))
    assert all(node.where.startswith("lstm.py:") for node in mg.graph(output) if node.op in ("sigmoid", "tanh"))


def test_the_fused_path_is_one_node_for_each_layer_and_direction():
    output, _ = LSTM(2, 3, 2, bidirectional=True)(mg.ones(9, 1, 2))
    nodes = [node for node in mg.graph(output) if node.op == "lstm_sequence"]
    assert [node.scope for node in nodes] == [f"lstm.layer{k}.{way}" for k in (0, 1) for way in ("fwd", "bwd")]
    assert len(mg.graph(output).nodes) < 50
