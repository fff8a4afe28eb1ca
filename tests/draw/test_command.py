"""Pictures from the command line: of the built-in networks, and of models that the demo saved."""

from __future__ import annotations

import pytest

import minigrad as mg
from minigrad_rnn.__main__ import main
from minigrad_rnn.draw.models import load_character_model
from minigrad_rnn.language import LanguageModel


@pytest.fixture
def saved(tmp_path):
    """A folder as the demo leaves it."""
    folder = tmp_path / "trained"
    folder.mkdir()
    config = {"embedding_dim": 3, "hidden_size": 4, "num_layers": 2}
    described = {**config, "symbols": "?abcd"}
    mg.save(LanguageModel(5, *config.values()), folder / "weights.safetensors", metadata=described)
    return folder


def drawn(tmp_path, *arguments):
    out = tmp_path / "picture.dot"
    assert main(["draw", *arguments, "--out", str(out)]) == 0
    return out.read_text(encoding="utf-8")


def failed(capsys, *arguments):
    assert main(["draw", *map(str, arguments)]) == 1
    message = capsys.readouterr().err
    assert message.startswith("minigrad-rnn: ")
    assert message.count("\n") == 1
    return message


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("view", ["unrolled", "folded", "both", "cell", "flow", "overview"])
def test_built_in_networks_are_drawn_in_all_views(kind, view, tmp_path):
    assert drawn(tmp_path, kind, "--view", view).startswith("digraph {")


def test_sizes_and_steps_are_those_asked_for(tmp_path):
    dot = drawn(tmp_path, "gru", "--hidden", "6", "--layers", "2", "--steps", "5")
    assert "weight_hh_l1 (18, 6)" in dot
    assert "t = 4" in dot
    assert "t = 5" not in dot
    assert "weight_hh_l0_reverse" in drawn(tmp_path, "rnn", "--bidirectional")


def test_the_same_command_draws_the_same_picture(tmp_path):
    assert drawn(tmp_path, "lstm", "--view", "flow") == drawn(tmp_path, "lstm", "--view", "flow")


def test_a_long_sequence_is_folded_in_the_middle(tmp_path):
    assert "t = 3 … 37" in drawn(tmp_path, "rnn", "--steps", "40")


def test_the_cell_of_a_chosen_layer(tmp_path):
    assert "weight_hh_l1" in drawn(tmp_path, "lstm", "--layers", "2", "--view", "cell", "--layer", "layer1")


@pytest.mark.parametrize("view", ["unrolled", "folded", "both", "cell", "flow", "overview"])
def test_saved_models_are_drawn_in_all_views(saved, view, tmp_path):
    assert drawn(tmp_path, str(saved), "--view", view) == drawn(
        tmp_path, str(saved / "weights.safetensors"), "--view", view
    )


def test_a_saved_model_comes_back_with_its_weights(saved):
    model, size = load_character_model(saved / "weights.safetensors")
    assert size == 5
    kept = mg.load(saved / "weights.safetensors")
    assert all((tensor == kept[name]).all().item() for name, tensor in model.state_dict().items())


def test_without_a_file_the_picture_is_called_like_model_and_view(saved, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["draw", "rnn", "--view", "folded"]) == 0
    assert main(["draw", str(saved)]) == 0
    assert (tmp_path / "rnn-folded.svg").exists()
    assert (tmp_path / "weights-unrolled.svg").exists()
    assert "rnn-folded.svg" in capsys.readouterr().out


def test_the_overview_tells_of_modules_and_parameters(saved, tmp_path):
    dot = drawn(tmp_path, "gru", "--layers", "2", "--view", "overview")
    assert all(text in dot for text in ("8, 16, num_layers=2", "2,880 parameters", "4×1×16"))
    assert "4, num_layers=2" in drawn(tmp_path, str(saved), "--view", "overview")


def test_a_model_that_does_not_exist_is_named_beside_those_that_do(capsys):
    message = failed(capsys, "lsmt")
    assert "'lsmt'" in message
    assert "rnn, lstm, gru" in message


def test_a_folder_without_weights_and_a_file_of_something_else(tmp_path, capsys):
    assert "weights.safetensors" in failed(capsys, tmp_path)
    other = tmp_path / "other.safetensors"
    other.write_text("no weights", encoding="utf-8")
    assert "other.safetensors" in failed(capsys, other)
    mg.save({"w": mg.ones(2)}, other)
    assert "does not say its embedding_dim" in failed(capsys, other)


@pytest.mark.parametrize("changed", [{"hidden_size": 7}, {"hidden_size": ""}, {"num_layers": -1}, {"symbols": None}])
def test_weights_that_do_not_fit_what_is_said_of_them(saved, changed, capsys):
    path = saved / "weights.safetensors"
    weights, described = mg.load(path), mg.load_metadata(path)
    mg.save(weights, path, metadata={**described, **changed})
    assert "holds no model that `minigrad-rnn demo` saved" in failed(capsys, saved)


@pytest.mark.parametrize("option", [["--hidden", "3"], ["--layers", "2"], ["--bidirectional"]])
def test_a_saved_model_has_its_sizes_already(saved, option, capsys):
    assert option[0] in failed(capsys, saved, *option)


def test_pictures_that_cannot_be_written(tmp_path, capsys):
    assert ".svg, .png, .pdf, " in failed(capsys, "rnn", "--out", "rnn.jpeg")
    assert "there is no folder" in failed(capsys, "rnn", "--out", tmp_path / "nowhere" / "rnn.svg")
    assert "layer0" in failed(capsys, "rnn", "--view", "cell", "--layer", "layer5", "--out", tmp_path / "x.dot")


@pytest.mark.parametrize("wrong", [["--view", "sideways"], ["--steps", "0"], ["--hidden", "-2"], []])
def test_wrong_options_end_with_two(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["draw", "rnn", *wrong] if wrong else ["draw"])
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err
