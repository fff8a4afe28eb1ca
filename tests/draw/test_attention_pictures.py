"""Where a decoder looks: the weights are those of the model, and the pictures show all of them."""

import itertools

import numpy as np
import pytest

import minigrad as mg
import minigrad_rnn as mr
from minigrad.draw.sheet import Sheet
from minigrad_rnn.draw.attention_step import COLUMNS
from minigrad_rnn.inspect import attention_trace
from minigrad_rnn.seq2seq import AdditiveAttention, Decoder, DotAttention, Encoder, Seq2Seq, greedy_decode

WAYS = {
    "after": lambda: Decoder(12, mr.LSTM(4, 5), attention=DotAttention(5, 5)),
    "after, fed back": lambda: Decoder(12, mr.LSTM(9, 5), attention=DotAttention(5, 5), input_feeding=True),
    "before": lambda: Decoder(12, mr.LSTM(9, 5), attention=AdditiveAttention(5, 5, 6), attend="before"),
}
SOURCE, TARGET = mg.tensor([[3, 4], [5, 4], [7, 2], [4, 1]]), mg.tensor([[8, 8], [9, 9]])


def model_of(way):
    mg.manual_seed(0)
    return Seq2Seq(Encoder(10, mr.LSTM(4, 5)), WAYS[way]())


def shapes(drawing):
    assert isinstance(drawing.diagram, Sheet)
    return {shape.id: shape for shape in drawing.diagram.shapes}


@pytest.mark.parametrize("way", WAYS)
def test_the_trace_has_the_weights_that_the_model_returns(way):
    model = model_of(way)
    _, weights = model(SOURCE, TARGET, [4, 2], return_weights=True)
    trace = attention_trace(model, SOURCE, TARGET, [4, 2])
    np.testing.assert_allclose(trace.weights, weights.numpy(), atol=1e-6)
    assert trace.weights.shape == (3, 2, 4)
    np.testing.assert_array_equal(trace.result.shape, (3, 2, 12))


def test_a_trace_prints_a_table():
    text = attention_trace(model_of("after"), SOURCE, TARGET).to_text(["a", "b"], ["c"], row=1)
    lines = text.splitlines()
    assert lines[0].split() == ["a", "b", "s=2", "s=3"]
    assert [line.split()[0] for line in lines[1:]] == ["c", "t=1", "t=2"]
    assert all(abs(sum(map(float, line.split()[1:])) - 1) < 0.03 for line in lines[1:])


def test_a_model_without_attention_is_told():
    model = Seq2Seq(Encoder(10, mr.LSTM(4, 5)), Decoder(12, mr.LSTM(4, 5)))
    with pytest.raises(mg.MinigradError, match="no attention ran inside a time step"):
        attention_trace(model, SOURCE, TARGET)
    with pytest.raises(TypeError, match="takes a model"):
        attention_trace(3)


def test_an_attention_of_ones_own_shows_by_its_scope():
    def decode(lengths=(3, 3)):
        for t, length in enumerate(lengths):
            with mg.scope("mine", step=t), mg.scope("weights"):
                mg.softmax(mg.arange(length).float() * t, -1)

    np.testing.assert_allclose(attention_trace(decode).weights[0, 0], [1 / 3] * 3, atol=1e-6)
    with pytest.raises(mg.MinigradError, match="weights of different shapes"):
        attention_trace(decode, (3, 4))


def test_a_matrix_has_a_cell_for_each_weight_with_its_colour_and_number():
    weights = np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])
    drawn = shapes(mr.draw.attention(weights, source=["le", "chat", "dort"], target=["the", "cat"]))
    assert [drawn[f"a0_{s}"].lines for s in range(3)] == [(".90",), (".10",), (".00",)]
    assert drawn["source1"].lines == ("chat",)
    assert drawn["target1"].lines == ("cat",)
    assert drawn["a1_2"].at.x == drawn["source2"].at.x
    assert drawn["a1_2"].at.y == drawn["target1"].at.y
    assert drawn["a0_0"].fill != drawn["a0_1"].fill != drawn["a0_2"].fill
    assert "writing cat, looking at dort" in drawn["a1_2"].tooltip


def test_a_large_matrix_has_no_numbers_and_every_fifth_name():
    drawn = shapes(mr.draw.attention(np.full((20, 30), 1 / 30)))
    assert not drawn["a3_3"].lines
    assert [name for name in drawn if name.startswith("source")] == ["source4", "source9", "source14", "source19",
                                                                     "source24", "source29"]  # fmt: skip
    named = shapes(mr.draw.attention(np.full((20, 30), 1 / 30), source=["elephant"] * 30))
    assert named["source7"].lines == tuple("elephant"), "one letter below the other"


def test_too_large_a_matrix_is_refused_with_its_size():
    with pytest.raises(mg.GraphError, match=r"100 x 50 weights are 5,000 cells, more than 3,000"):
        mr.draw.attention(np.full((100, 50), 0.02))


@pytest.mark.parametrize("step", [0, 2])
def test_a_step_links_it_to_all_that_counts_as_wide_as_it_counts(step):
    model = model_of("before")
    trace = attention_trace(model, SOURCE, TARGET, [4, 2])
    drawing = mr.draw.attention(trace, step=step, row=0)
    links = {line.tail: line.stroke.width for line in drawing.diagram.lines if line.head == f"c{step}"}
    links.pop(f"s{step}")
    order = sorted(links, key=links.__getitem__)
    assert order == [f"h{s}" for s in np.argsort(trace.weights[step, 0])]
    bars = {name.split("_")[0] for name in shapes(drawing) if name.startswith("bar")}
    assert bars == {f"bar{s}" for s in range(4)}


def test_the_links_of_a_step_pass_below_the_other_contexts():
    drawing = mr.draw.attention(np.full((6, 4), 0.25), step=4)
    boxes = shapes(drawing)
    for line in drawing.diagram.lines:
        if line.head == "c4" and line.path:
            (x0, y0), (x1, y1) = line.path
            for other in ("c1", "c2", "c3"):
                box = boxes[other]
                for x in (box.at.x - box.width / 2, box.at.x + box.width / 2):
                    assert y0 + (y1 - y0) * (x - x0) / (x1 - x0) < box.at.y - box.height / 2


def test_padding_of_the_source_is_left_out():
    drawing = mr.draw.attention(lambda: model_of("after")(SOURCE, TARGET, [4, 2]), step=1, row=1)
    assert {name for name in shapes(drawing) if name.startswith("h")} == {"h0", "h1"}


def test_steps_far_from_the_one_that_is_shown_are_left_out():
    drawn = shapes(mr.draw.attention(np.full((30, 4), 0.25), step=12))
    assert [name for name in drawn if name[0] == "s" and name[1:].isdigit()] == [f"s{t}" for t in range(9, 16)]
    assert {"before", "after"} <= set(drawn)
    drawn = shapes(mr.draw.attention(np.full((3, 4), 0.25), step=0))
    assert not {"before", "after"} & set(drawn)


def test_boxes_never_overlap():
    words = ["a", "an extraordinarily long word", "x", "Ωμέγα", "日本語"]
    drawn = shapes(mr.draw.attention(np.full((5, 5), 0.2), step=2, source=words, target=words)).values()
    boxes = [shape for shape in drawn if shape.stroke and shape.id not in ("encoder", "decoder")]
    for a, b in itertools.combinations(boxes, 2):
        apart = abs(a.at.x - b.at.x) >= (a.width + b.width) / 2 or abs(a.at.y - b.at.y) >= (a.height + b.height) / 2
        assert apart, (a.id, b.id)


def test_an_encoder_of_two_directions_has_arrows_both_ways():
    lines = mr.draw.attention(np.full((2, 3), 1 / 3), step=0, bidirectional=True).diagram.lines
    ways = {(line.tail, line.head) for line in lines}
    assert {("h0", "h1"), ("h1", "h0"), ("h1", "h2"), ("h2", "h1")} <= ways


def test_a_hypothesis_can_be_drawn():
    model = model_of("after")
    found = greedy_decode(model.steps(SOURCE), max_length=4, attention=True)[0]
    assert "a0_3" in shapes(mr.draw.attention(found))
    with pytest.raises(mg.GraphError, match="decode with attention=True"):
        mr.draw.attention(greedy_decode(model.steps(SOURCE), max_length=4)[0])


@pytest.mark.parametrize(
    ("y", "options", "told"),
    [
        (np.ones((2, 2), complex), {}, r"weights \(steps, source\) .* are expected, not ndarray, complex128 \(2, 2\)"),
        (np.ones(3), {}, r"not ndarray, float64 \(3,\)"),
        (np.ones((0, 3)), {}, r"nothing to draw in weights of shape \(0, 3\)"),
        (np.ones((2, 3)), {"step": 2}, "step=2 is not there: the decoder made 2 steps"),
        (np.ones((2, 1, 3)), {"row": 1}, "row=1 is not there: the batch has 1 sequences"),
        (np.ones((2, 3)), {"source": "abc"}, "source is a list of words, not str 'abc'"),
        (np.ones((2, 3)), {"target": list("abc")}, "target is a list of at most 2 words"),
        (np.full((2, COLUMNS + 1), 0.1), {"step": 0}, "links to 25 elements of a source cannot be told apart"),
    ],
)
def test_what_cannot_be_drawn_is_explained(y, options, told):
    with pytest.raises(mg.GraphError, match=told):
        mr.draw.attention(y, **options)


def test_pictures_are_the_same_at_every_run_and_can_be_rendered():
    weights = np.array([[0.9, 0.1], [0.2, 0.8]])
    step, matrix = (mr.draw.attention(weights, step=k, source=['<&"\\', "b|{}"]) for k in (1, None))
    assert step.dot == mr.draw.attention(weights, step=1, source=['<&"\\', "b|{}"]).dot
    assert "<svg" in step.svg()
    assert "<svg" in matrix.svg()
