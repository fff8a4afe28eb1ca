"""Long sequences: no more steps are recorded than are drawn, and the drawing is the same."""

import dataclasses

import numpy as np
import pytest

import minigrad as mg
import minigrad_rnn as mr
from minigrad import nn
from minigrad_rnn.cells.ends import NotRecordedError, ends_of, recording_ends
from minigrad_rnn.draw.assemble import read

STEPS, ENDS = 30, 5


class Language(nn.Module):
    def __init__(self, kind, layers=1, **options):
        self.emb, self.rnn = nn.Embedding(10, 4), kind(4, 6, layers, **options)
        self.out = nn.Linear(12 if options.get("bidirectional") else 6, 10)

    def forward(self, x):
        return self.out(self.rnn(self.emb(x))[0])


class LeakyCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        self.hidden_size, self.both = hidden_size, nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        return 0.9 * h + 0.1 * mg.tanh(self.both(mg.concat([x, h], -1)))


class Translator(nn.Module):
    def __init__(self):
        self.encoder, self.decoder = mr.LSTM(3, 5), mr.LSTM(3, 5)

    def forward(self, x, y):
        return self.decoder(y, self.encoder(x)[1])[0]


def language(kind, layers=1, **options):
    model, x = Language(kind, layers, **options), mg.tensor([[1]] * STEPS)
    return lambda: nn.functional.cross_entropy(model(x), x, dim=-1)


def last(made, step=-1):
    return lambda: made(mg.ones(STEPS, 1, 3))[0][step].sum()


def translated(made):
    return lambda: made(mg.ones(STEPS, 1, 3), mg.ones(STEPS, 1, 3))


def padded(made):
    return lambda: made(mg.ones(STEPS, 2, 3), lengths=[STEPS, 20])[0].sum()


def layer(made, batch_first=False):
    return lambda: made(mg.ones(*((1, STEPS) if batch_first else (STEPS, 1)), 3))[0]


LAYERS = {
    "lstm": lambda: language(mr.LSTM, 2),
    "gru, both ways": lambda: language(mr.GRU, bidirectional=True),
    "residual": lambda: language(mr.RNN, 3, residual=True),
    "highway": lambda: language(mr.GRU, 2, highway=True),
    "own cell": lambda: layer(mr.RecurrentLayer(LeakyCell(3, 5))),
    "cells in a step": lambda: layer(mr.RecurrentLayer(mr.StackedCells([mr.LSTMCell(3, 5), mr.GRUCell(5, 4)]))),
    "two layers side by side": lambda: layer(mr.Bidirectional(mr.GRU(3, 4), mr.LSTM(3, 5))),
    "batch first": lambda: layer(mr.GRU(3, 5, 2, batch_first=True), batch_first=True),
    "learned start": lambda: layer(mr.LSTM(3, 4, learn_initial_state=True)),
    "dropout between layers": lambda: layer(mr.LSTM(3, 4, 2, dropout=0.5)),
    "last output": lambda: last(mr.GRU(3, 4)),
    "an output in the middle": lambda: last(mr.GRU(3, 4), STEPS // 2),
    "translator": lambda: translated(Translator()),
}
RECORDED = {  # as a whole all the same, because steps differ
    "lengths": lambda: padded(mr.LSTM(3, 4)),
    "skips across time": lambda: layer(mr.RNN(3, 4, time_skips=(2,))),
    "zoneout": lambda: layer(mr.LSTM(3, 4, zoneout=0.1)),
}


def graph_of(made):
    mg.manual_seed(0)
    with mr.unrolled():
        y = made()
    return mg.graph(y[0] if isinstance(y, tuple) else y)


def told(net):
    """All that a network says, but for the numbers of nodes."""
    names = {number: weight.name for number, weight in net.weights.items()}
    rows = [str(dataclasses.replace(row, nodes=(), weights=())) for row in net.rows]
    links = [
        (link.tail, link.head, link.part, link.lag, sorted(link.pairs, key=str), [names[w] for w in link.weights])
        for link in net.links
    ]
    return rows, sorted(links, key=str), [len(row.nodes) for row in net.rows]


@pytest.mark.parametrize("name", LAYERS)
def test_the_network_is_the_same_from_its_ends(name):
    made = LAYERS[name]()
    whole = graph_of(made)
    with recording_ends(ENDS):
        short = graph_of(made)
    assert len(short) < 0.6 * len(whole)
    assert told(read(short)) == told(read(whole))


@pytest.mark.parametrize("name", RECORDED)
def test_steps_that_differ_are_all_recorded(name):
    made = RECORDED[name]()
    with recording_ends(ENDS):
        assert len(graph_of(made)) == len(graph_of(made))
        assert not any(node.op == "passed_over" for node in graph_of(made))


@pytest.mark.parametrize("kind", [mr.RNN, mr.LSTM, mr.GRU])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_results_are_the_same(kind, bidirectional):
    made, x = kind(3, 4, bidirectional=bidirectional), mg.randn(STEPS, 2, 3)
    with mr.unrolled():
        expected, state = made(x)
        with recording_ends(ENDS):
            output, last = made(x)
    assert output.tolist() == expected.tolist()
    assert mg.stack(list(last) if isinstance(last, tuple) else [last]).tolist() == (
        mg.stack(list(state) if isinstance(state, tuple) else [state]).tolist()
    )


def test_short_sequences_are_recorded_whole():
    with recording_ends(ENDS):
        assert [ends_of(steps) for steps in (2 * ENDS + 1, 2 * ENDS + 2)] == [0, ENDS]
    assert ends_of(1000) == 0


def test_a_backward_pass_is_refused():
    made = mr.GRU(3, 4)
    with mr.unrolled(), recording_ends(ENDS):
        loss = made(mg.ones(STEPS, 1, 3))[0].sum()
    with pytest.raises(mg.GraphError, match="were not recorded") as caught:
        loss.backward()
    assert isinstance(caught.value.__cause__, NotRecordedError)
    assert made.weight_hh_l0.grad is None


def test_a_function_that_runs_backward_itself_is_drawn_from_all_steps():
    made = mr.GRU(3, 4)

    def step():
        loss = made(mg.ones(STEPS, 1, 3))[0].sum()
        loss.backward(retain_graph=True)
        return loss

    assert mr.draw(step).dot == mr.draw(lambda: made(mg.ones(STEPS, 1, 3))[0].sum()).dot
    made.zero_grad()
    mr.draw(step)
    first = made.weight_hh_l0.grad.numpy().copy()
    made.zero_grad()
    made(mg.ones(STEPS, 1, 3))[0].sum().backward()
    np.testing.assert_allclose(first, made.weight_hh_l0.grad.numpy(), rtol=1e-4)


def test_other_errors_of_the_function_are_passed_on():
    def broken():
        raise mg.GraphError("something else")

    with pytest.raises(mg.GraphError, match="something else"):
        mr.draw(broken)


def test_more_steps_are_recorded_if_more_are_drawn():
    made = mr.RNN(3, 4)
    sheet = mr.draw(lambda: made(mg.ones(STEPS, 1, 3))[0], steps=STEPS).diagram
    assert sum(shape.id.startswith("panel") for shape in sheet.shapes) == STEPS
