"""The terms of a shared weight's gradient: as data, and as colours on rails."""

import re

import numpy as np
import pytest

import minigrad as mg
import minigrad_rnn as mr
from minigrad import nn
from minigrad.draw.colours import shade
from minigrad_rnn.inspect import gradient_terms

cross_entropy = nn.functional.cross_entropy


class Model(nn.Module):
    def __init__(self, kind, layers=1, **options):
        self.emb = nn.Embedding(10, 4, dtype=mg.float64)
        self.rnn = kind(4, 5, layers, dtype=mg.float64, **options)
        self.out = nn.Linear(10 if options.get("bidirectional") else 5, 10, dtype=mg.float64)

    def forward(self, x, **options):
        return self.out(self.rnn(self.emb(x), **options)[0])


def recorded(model, steps=4, batch=2, **options):
    mg.manual_seed(0)
    x = mg.tensor(np.random.default_rng(0).integers(0, 9, (steps, batch)))
    with mr.unrolled():
        return cross_entropy(model(x, **options), x, dim=-1)


MODELS = {
    "rnn": lambda: (Model(mr.RNN), {}),
    "lstm, two directions and lengths": lambda: (Model(mr.LSTM, 2, bidirectional=True), {"lengths": [4, 2]}),
    "gru, masked weights": lambda: (Model(mr.GRU, weight_dropout=0.5), {}),
    "peepholes and normalised gates": lambda: (Model(mr.LSTM, peephole=True, layer_norm="ba"), {}),
    "skips across time": lambda: (Model(mr.RNN, time_skips=(2,)), {}),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_terms_add_up_to_the_gradient(name):
    model, options = MODELS[name]()
    loss = recorded(model, **options)
    loss.backward(retain_graph=True)
    for parameter_name, parameter in model.named_parameters():
        found = gradient_terms(loss, parameter)
        total = sum(term.gradient.numpy() for term in found.terms)
        np.testing.assert_allclose(total, parameter.grad.numpy(), atol=1e-12, err_msg=parameter_name)
        np.testing.assert_allclose(found.gradient.numpy(), parameter.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize(("weight", "place"), [("emb.weight", "emb"), ("rnn.weight_ih_l0", "rnn.layer0"),
                                               ("rnn.weight_hh_l0", "rnn.layer0"), ("out.weight", "out")])  # fmt: skip
def test_every_step_has_a_term(weight, place):
    model = Model(mr.RNN)
    found = gradient_terms(recorded(model), dict(model.named_parameters())[weight])
    assert found.name.endswith(weight)
    assert [(term.place, term.step) for term in found.terms] == [(f"model.{place}", t) for t in range(4)]


def test_a_term_is_the_outer_product_of_what_arrives_and_the_state_before():
    rnn = mr.RNN(2, 3, nonlinearity="relu", dtype=mg.float64)
    rnn.weight_ih_l0.data = np.full((3, 2), 0.5)
    rnn.weight_hh_l0.data = np.eye(3) * 0.5
    rnn.bias_ih_l0.data, rnn.bias_hh_l0.data = np.zeros(3), np.zeros(3)
    x = mg.ones(3, 1, 2, dtype=mg.float64)
    terms = gradient_terms(lambda: rnn(x)[0][-1].sum(), rnn.weight_hh_l0).terms
    before = [0.0, 1.0, 1.5]  # h of the step before, in each unit
    expected = [np.full((3, 3), 0.5 ** (2 - t) * before[t]) for t in range(3)]
    for term, value in zip(terms, expected, strict=True):
        np.testing.assert_allclose(term.gradient.numpy(), value)
        assert term.norm == pytest.approx(np.linalg.norm(value))


def test_what_uses_a_weight_outside_of_time_is_a_term_too():
    model = Model(mr.RNN)
    x = mg.tensor([[1], [2]])

    def loss():
        return model(x).sum() + (model.rnn.weight_hh_l0**2).sum()

    terms = gradient_terms(loss, model.rnn.weight_hh_l0).terms
    assert [term.step for term in terms] == [None, 0, 1]
    np.testing.assert_allclose(terms[0].gradient.numpy(), 2 * model.rnn.weight_hh_l0.numpy())


def test_two_calls_of_a_layer_are_told_apart():
    rnn = mr.RNN(3, 3)
    found = gradient_terms(lambda: rnn(rnn(mg.ones(2, 1, 3))[0])[0].sum(), rnn.weight_ih_l0)
    assert list(found.norms()) == ["rnn.layer0", "rnn.layer0 (call 2)"]


def test_nothing_is_accumulated_and_norms_alone_keep_no_terms():
    rnn = mr.RNN(2, 3)
    found = gradient_terms(lambda: rnn(mg.ones(3, 1, 2))[0].sum(), rnn.weight_hh_l0, norms_only=True)
    assert rnn.weight_hh_l0.grad is None
    assert all(term.gradient is None for term in found.terms)
    assert found.norm > 0


def test_the_table_has_a_line_for_each_term_and_their_sum():
    rnn = mr.RNN(2, 3)
    lines = str(gradient_terms(lambda: rnn(mg.ones(3, 1, 2))[0].sum(), rnn.weight_hh_l0)).splitlines()
    assert "weight_hh_l0" in lines[0]
    assert len(lines) == 6
    assert lines[-1].startswith("sum")


def test_a_fused_layer_says_how_to_see_its_steps():
    rnn = mr.RNN(2, 3)
    with pytest.raises(mg.GraphError, match=r"(?s)ran as one op.*gradient_terms\(lambda.*unrolled\(\)"):
        gradient_terms(rnn(mg.ones(3, 1, 2))[0].sum(), rnn.weight_hh_l0)


def test_arguments_are_checked():
    rnn = mr.RNN(2, 3)
    with mr.unrolled():
        output, _ = rnn(mg.ones(3, 1, 2))
    loss = output.sum()
    with pytest.raises(TypeError, match=r"takes the loss first.*not RNN"):
        gradient_terms(rnn, rnn.weight_hh_l0)
    with pytest.raises(mg.GraphError, match="not the result of an op"):
        gradient_terms(loss, output)
    with pytest.raises(mg.GraphError, match="not a str"):
        gradient_terms(loss, "weight_hh_l0")
    with pytest.raises(mg.GraphError, match="a Tensor that requires none"):
        gradient_terms(loss, mg.ones(2))
    with pytest.raises(mg.GraphError, match="does not depend on this weight"):
        gradient_terms(loss, mr.RNN(2, 3).weight_hh_l0)


# ---- uses, which the terms are made of ------------------------------------------------------------------------------


def test_uses_are_seen_through_what_prepares_a_weight():
    w = mg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    top, bottom = w.T.split([1, 2])
    loss = (top * 2.0).sum() + (bottom * bottom).sum()
    loss.backward(retain_graph=True)
    through = [node.id for node in mg.graph(loss) if node.op in {"transpose", "_permute", "permute", "split"}]
    found = mg.inspect.uses(loss, w, through)
    assert [mg.graph(loss).nodes[use.node].op for use in found] == ["mul", "mul"]
    np.testing.assert_allclose(sum(use.adds().numpy() for use in found), w.grad.numpy())


def test_what_an_op_adds_is_linear_in_what_arrives():
    w, x = mg.tensor([[1.0, 2.0]], requires_grad=True), mg.tensor([[3.0], [4.0]])
    (use,) = mg.inspect.uses((x * w).sum(), w)
    parts = [np.array([[1.0, 1.0], [0.0, 0.0]], "f4"), np.array([[0.0, 0.0], [1.0, 1.0]], "f4")]
    assert [use.adds(part).tolist() for part in parts] == [[[3.0, 3.0]], [[4.0, 4.0]]]
    assert use.adds().tolist() == [[7.0, 7.0]]


def test_an_input_without_a_rule_adds_nothing():
    w = mg.tensor([1.0, -1.0], requires_grad=True)
    (use,) = [use for use in mg.inspect.uses((w.sign() + w).sum(), w) if use.node == 1]
    assert use.adds().tolist() == [0.0, 0.0]
    with pytest.raises(mg.GraphError, match="a tensor that requires a gradient"):
        mg.inspect.uses(w.sum(), mg.ones(2))


# ---- pictures -------------------------------------------------------------------------------------------------------


def shapes(drawing):
    return {shape.id: shape for shape in drawing.diagram.shapes}


def last_output(steps=3):
    rnn = mr.RNN(1, 1, nonlinearity="relu")
    for weight, value in zip(rnn.parameters(), (1.0, 0.1, 0.0, 0.0), strict=True):
        weight.data = weight.data * 0 + value
    return lambda: rnn(mg.ones(steps, 1, 1))[0][-1].sum()


def test_aliases_have_the_colours_and_numbers_of_their_terms():
    found = shapes(mr.draw(last_output(), color_by="terms"))
    aliases = [found[f"rail1_r1_{t}"] for t in range(3)]
    assert [alias.lines for alias in aliases] == [("W_ih", "0.01"), ("W_ih", "0.1"), ("W_ih", "1")]
    assert [alias.fill for alias in aliases] == [shade(x).fill for x in (0.01, 0.1, 1.0)]
    assert found["rail0_r1_0"].lines == ("W_hh", "0")  # the state before the first step is zero
    assert "‖term‖ = 1" in aliases[2].tooltip
    assert found["rail1_head"].lines[0].endswith("‖Σ‖ = 1.1")
    assert "scale" in found


def test_folded_steps_are_stripes_of_their_terms():
    found = shapes(mr.draw(last_output(60), color_by="terms"))
    assert sum(bool(re.fullmatch(r"rail\d_r1_strip_s\d+", id)) for id in found) == 2 * 55


def test_a_weight_of_two_layers_has_the_terms_of_each():
    cell, x = mr.RNNCell(3, 3), mg.ones(3, 1, 3)
    stack = mr.RecurrentLayer(mr.StackedCells([cell, cell]))
    drawing = mr.draw(lambda: stack(x)[0].sum(), color_by="terms")
    assert "<drawing" in repr(drawing)


def test_terms_need_rails_and_the_loss_itself():
    with pytest.raises(mg.GraphError, match='needs weights="rail"'):
        mr.draw(last_output(), weights="color", color_by="terms")
    with mr.unrolled():
        graph = mg.graph(last_output()())
    with pytest.raises(mg.GraphError, match="needs the loss itself"):
        mr.draw(graph, color_by="terms")
