"""The language model: its parts, its losses, its state; and what is written with it."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad_rnn import MGUCell, RecurrentLayer
from minigrad_rnn.language import LanguageModel, Vocabulary, Windows, complete, generate, line_window, write
from minigrad_rnn.seq2seq import greedy_decode
from minigrad_rnn.training import Trainer, TrainerOptions

F = nn.functional


def numbers(*shape, size=7):
    return mg.tensor(np.random.default_rng(0).integers(0, size, shape))


class Decay(nn.Module):
    """A layer that knows nothing of this package: a running mean of a linear map."""

    def __init__(self, inputs, hidden_size, num_layers):
        self.hidden_size = hidden_size
        self.linear = nn.Linear(inputs, hidden_size)

    def forward(self, x, state=None):
        state = mg.zeros(1, x.shape[1], self.hidden_size, dtype=x.dtype) if state is None else state
        outputs = []
        for row in self.linear(x):
            state = 0.5 * state + row.unsqueeze(0)
            outputs.append(state)
        return mg.concat(outputs), state


VARIANTS = {
    "of one's own": {"layer": Decay},
    "lstm": {},
    "gru": {"layer": "gru"},
    "rnn": {"layer": "rnn", "nonlinearity": "relu"},
    "two layers": {"num_layers": 2, "dropout": 0.2},
    "tied": {"tied": True},
    "variational": {"variational": 0.2, "weight_dropout": 0.1},
    "custom": {"layer": lambda i, h, n: RecurrentLayer([MGUCell(i, h), *[MGUCell(h, h) for _ in range(n - 1)]])},
    "sizes": {"hidden_size": [5, 3], "num_layers": 2, "tied": True},
    "projection": {"proj_size": 2},
    "adaptive": {"cutoffs": [2, 4], "hidden_size": 16},
}


def make(variant="lstm", size=7):
    options = {"embedding_dim": 4, "hidden_size": 4, **VARIANTS[variant]}
    return LanguageModel(size, **options)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_loss_is_the_cross_entropy_of_the_logits_and_so_is_its_gradient(variant):
    model = make(variant).double().eval()
    x, targets = numbers(6, 3), numbers(6, 3)
    targets = mg.where(mg.arange(6).unsqueeze(1) < mg.tensor([6, 2, 0]), targets, -100)
    logits, state = model(x)
    expected = F.cross_entropy(logits, targets, dim=-1)
    loss, count, same = model.loss(x, targets)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    assert count == 8
    for a, b in zip(flat(state), flat(same), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    parameters = list(model.parameters())
    for a, b in zip(mg.grad(loss, parameters), mg.grad(expected, parameters), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-13)


def flat(state):
    return [state] if isinstance(state, mg.Tensor) else [part for one in state for part in flat(one)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_state_goes_on_where_it_ended(variant):
    model, x = make(variant).double().eval(), numbers(9, 2)
    whole, _ = model(x)
    first, state = model(x[:4])
    second, _ = model(x[4:], state)
    np.testing.assert_allclose(np.concatenate([first.numpy(), second.numpy()]), whole.numpy(), atol=1e-13)


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_keeps_what_modules_promise(variant):
    assert mg.check.check_module(make(variant), numbers(4, 2), directional=True)


@pytest.mark.parametrize("variant", ["lstm", "two layers", "tied", "variational", "adaptive"])
def test_the_gradients_of_the_loss_are_right(variant):
    model, x = make(variant).double(), numbers(3, 2)

    def loss(*parameters):
        mg.manual_seed(3)  # the same masks at every call
        return model.loss(x, numbers(3, 2))[0]

    assert mg.gradcheck(loss, *model.parameters(), directional=True)


def test_tied_weights_are_one_parameter():
    model = make("tied")
    assert model.head.weight is model.embedding.weight
    untied = LanguageModel(7, 4, 4)
    assert untied.count_parameters() - model.count_parameters() == 7 * 4
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    model.loss(numbers(3, 2), numbers(3, 2))[0].backward()
    optimizer.step()
    assert model.head.weight is model.embedding.weight
    again = make("tied")
    again.load_state_dict(model.state_dict())
    assert again.head.weight is again.embedding.weight


def test_tied_weights_of_another_size_are_behind_a_projection():
    model = LanguageModel(7, 4, 6, tied=True)
    assert model.projection.weight.shape == (4, 6)
    assert model(numbers(2, 1))[0].shape == (2, 1, 7)


def test_dropout_is_of_the_input_between_layers_and_of_the_output():
    model = LanguageModel(7, 4, 4, 2, dropout=(0.1, 0.2, 0.3))
    assert (model.drop_input.p, model.recurrent.dropout, model.drop_output.p) == (0.1, 0.2, 0.3)
    assert LanguageModel(7, 4, 4, dropout=0.5).drop_input.p == 0.5
    x = numbers(5, 2)
    assert (model(x)[0].numpy() != model(x)[0].numpy()).any()
    model.eval()
    assert (model(x)[0].numpy() == model(x)[0].numpy()).all()


def test_its_configuration_makes_one_alike():
    model = LanguageModel(7, 4, 5, 2, layer="gru", tied=True, dropout=[0.1, 0.2, 0.3], zoneout=0.1)
    again = LanguageModel(**model.config)
    again.load_state_dict(model.state_dict())
    assert again.config == model.config


def test_two_directions_would_read_what_is_to_be_predicted():
    with pytest.raises(mg.MinigradError, match="would read what is to be predicted"):
        LanguageModel(7, 4, 4, bidirectional=True)
    with pytest.raises(mg.MinigradError, match="batch_first"):
        LanguageModel(7, 4, 4, batch_first=True)
    with pytest.raises(mg.MinigradError, match="one of rnn, lstm, gru"):
        LanguageModel(7, 4, 4, layer="transformer")
    with pytest.raises(mg.MinigradError, match="not both"):
        LanguageModel(7, 4, 4, tied=True, cutoffs=[3])


def test_nothing_of_the_future_reaches_a_prediction():
    model, x = make("two layers").eval(), numbers(8, 1)
    changed = mg.concat([x[:5], numbers(8, 1)[:3] * 0])
    a, b = model(x)[0].numpy(), model(changed)[0].numpy()
    assert (a[:5] == b[:5]).all()


# ---- training --------------------------------------------------------------------------------------------------------


def cycle(length=60, size=6):
    return mg.arange(length).remainder(size)


def trained(variant="lstm", size=6, epochs=40):
    mg.manual_seed(0)
    model = make(variant, size)
    optimizer = mg.optim.Adam(model.parameters(), lr=0.03)
    options = TrainerOptions(epochs=epochs, carry=True, clip_norm=1.0, progress=False)
    Trainer(model, optimizer, lambda model, window, state: model.loss(*window, state), options).fit(
        Windows(cycle(size=size), streams=2, steps=5)
    )
    return model


@pytest.mark.parametrize("variant", ["lstm", "gru", "tied", "adaptive"])
def test_with_a_trainer_it_learns_what_repeats(variant):
    model = trained(variant)
    assert list(generate(model, mg.tensor([1, 2, 3]), 6, temperature=0)) == [4, 5, 0, 1, 2, 3]


def test_a_frozen_embedding_stays():
    model = make()
    before = model.embedding.weight.numpy().copy()
    model.embedding.weight.requires_grad_(False)
    model.loss(numbers(3, 2), numbers(3, 2))[0].backward()
    assert model.embedding.weight.grad is None
    assert (model.embedding.weight.numpy() == before).all()


# ---- writing ---------------------------------------------------------------------------------------------------------


def test_a_longer_prompt_is_read_whole():
    model = make().eval()
    prompt = numbers(5)
    logits, _ = model(prompt.unsqueeze(1))
    assert list(generate(model, prompt, 1, temperature=0)) == [int(logits[-1, 0].numpy().argmax())]


def test_several_prompts_at_once():
    model = make().eval()
    prompts = numbers(4, 3)
    together = greedy_decode(model.steps(prompts), 5)
    alone = [greedy_decode(model.steps(prompts[:, n]), 5)[0] for n in range(3)]
    assert [one.tokens for one in together] == [one.tokens for one in alone]
    layers = make("sizes").eval()  # whose states count the sequences in dim 0
    assert len(greedy_decode(layers.steps(prompts), 5)) == 3


def test_generation_is_in_evaluation_and_leaves_the_mode():
    model = make("two layers")
    first, second = (list(generate(model, numbers(2), 10, temperature=0)) for _ in range(2))
    assert first == second
    assert model.training


def test_only_the_likeliest_are_drawn():
    model = make().eval()
    likeliest = list(generate(model, numbers(2), 10, temperature=0))
    assert list(generate(model, numbers(2), 10, top_k=1)) == likeliest
    assert list(generate(model, numbers(2), 10, top_p=1e-9)) == likeliest


def test_a_text_ends_at_its_end():
    model = trained()
    assert list(generate(model, mg.tensor([4, 5, 0]), 20, temperature=0, end=4)) == [1, 2, 3]


def test_an_empty_prompt():
    with pytest.raises(mg.ShapeError, match="prompt"):
        next(generate(make(), mg.tensor([], dtype=mg.int64), 3))


def test_text_is_written_and_words_are_completed():
    vocabulary = Vocabulary("abc def\n")
    text = "abc def\n" * 12
    mg.manual_seed(0)
    model = LanguageModel(len(vocabulary), 8, 16)
    optimizer = mg.optim.Adam(model.parameters(), lr=0.03)
    options = TrainerOptions(epochs=40, carry=True, progress=False)
    Trainer(model, optimizer, lambda model, window, state: model.loss(*window, state), options).fit(
        Windows(vocabulary.encode(text), streams=2, steps=8)
    )
    assert write(model, vocabulary, "abc", 5, temperature=0) == "abc def\n"
    assert write(model, vocabulary, "", 4, temperature=0) == "abc "
    assert write(model, vocabulary, "äbc", 5, temperature=0).startswith("äbc")  # as it was, though ä is unknown
    ways = complete(model, vocabulary, "abc def\na", count=3)
    assert ways[0][0] == "bc"
    assert ways[0][1] > 0.8
    assert sorted((p for _, p in ways), reverse=True) == [p for _, p in ways]


def test_words_are_written_with_blanks_between():
    vocabulary = Vocabulary("a b\nc", kind="words")
    model = LanguageModel(len(vocabulary), 4, 4)
    for prompt, before in (("a b", "a b "), ("a\n", "a\n"), ("", "")):
        mg.manual_seed(1)
        drawn = vocabulary.decode(generate(model, mg.tensor(vocabulary.encode(prompt or "\n")), 6))
        mg.manual_seed(1)
        expected = (before.rstrip(" ") if drawn[0] == "\n" else before) + drawn
        assert write(model, vocabulary, prompt, 6, temperature=1.0) == expected


def test_completion_by_words():
    vocabulary = Vocabulary("a b c d", kind="words")
    model = LanguageModel(len(vocabulary), 4, 4)
    ways = complete(model, vocabulary, "a b", count=2)
    logits, _ = model(mg.tensor(vocabulary.encode("a b")).unsqueeze(1))
    p = mg.softmax(logits[-1, 0], -1).numpy()
    best = np.argsort(-p)[:2]
    assert [way for way, _ in ways] == [vocabulary.decode([number]) for number in best]
    np.testing.assert_allclose([q for _, q in ways], p[best], rtol=1e-5)


# ---- separate lines --------------------------------------------------------------------------------------------------


def test_lines_side_by_side_with_start_and_end():
    window = line_window([np.array([5, 6]), np.array([7]), np.array([], np.int64)], start=1, end=2)
    assert window.inputs.T.tolist() == [[1, 5, 6], [1, 7, 2], [1, 2, 2]]
    assert window.targets.T.tolist() == [[5, 6, 2], [7, 2, -100], [2, -100, -100]]


def test_the_loss_of_lines_side_by_side_is_that_of_each():
    model = make().double().eval()
    lines = [numbers(n).numpy() for n in (6, 1, 3)]
    loss, count, _ = model.loss(*line_window(lines, start=1, end=2))
    each = [model.loss(*line_window([line], start=1, end=2))[:2] for line in lines]
    assert count == 6 + 1 + 3 + 3
    assert loss.item() * count == pytest.approx(sum(one.item() * n for one, n in each), rel=1e-12)


def test_dropout_is_one_number_or_three():
    with pytest.raises(mg.MinigradError, match=r"dropout is one number, or three, not \(0.1, 0.2\)"):
        LanguageModel(7, 4, 4, dropout=(0.1, 0.2))
