"""train-lm and generate: a model of characters or of words, gone on with, and what it writes."""

import ast

import pytest

import minigrad as mg
from minigrad_rnn.__main__ import main

SMALL = ["--hidden", "8", "--embedding", "6", "--batch-size", "4", "--window", "20"]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat, and the dog sat on the cat.\n" * 120, encoding="utf-8")
    return path


def run(*arguments):
    return main([str(argument) for argument in arguments])


def trained(text, folder, *options):
    assert run("train-lm", "--data", text, "--out", folder, "--epochs", 2, *SMALL, *options) == 0
    return folder


KINDS = [[], ["--words"], ["--words", "--raw", "--vocabulary", 5], ["--tied", "--cell", "gru"]]


@pytest.mark.parametrize("options", KINDS)
def test_a_model_is_trained_and_writes(options, text, tmp_path, capsys):
    folder = trained(text, tmp_path / "run", *options)
    printed = capsys.readouterr().out
    assert ("perplexity" if "--words" in options else "bits per character") in printed
    assert f"minigrad-rnn generate --model {folder}" in printed
    assert run("generate", "--model", folder, "--prompt", "the cat", "--length", 12) == 0
    first = capsys.readouterr().out
    if "--vocabulary" not in options:
        assert first.startswith("the cat")
    run("generate", "--model", folder, "--prompt", "the cat", "--length", 12)
    assert capsys.readouterr().out == first, "the same seed, the same text"
    run("generate", "--model", folder, "--prompt", "the cat", "--length", 12, "--top-k", 1)
    run("generate", "--model", folder, "--prompt", "the cat", "--length", 12, "--temperature", 0)
    a, b = capsys.readouterr().out.split("the cat")[1:] if "--vocabulary" not in options else (1, 1)
    assert a == b


def test_completions_have_probabilities(text, tmp_path, capsys):
    folder = trained(text, tmp_path / "run")
    capsys.readouterr()
    assert run("generate", "--model", folder, "--prompt", "the c", "--complete", 2) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    shares = [float(line.split()[0]) for line in lines]
    assert 1 >= shares[0] >= shares[1] >= 0


def test_small_probabilities_and_ends_of_lines_can_be_read(text, tmp_path, capsys, monkeypatch):
    folder = trained(text, tmp_path / "run")
    capsys.readouterr()
    ways = [("at\n", 0.51234), ("ow", 1.23456e-7)]
    monkeypatch.setattr("minigrad_rnn.commands.language.complete", lambda *arguments: ways)
    run("generate", "--model", folder, "--prompt", "the c", "--complete", 2)
    assert capsys.readouterr().out.splitlines() == ["0.512     'the cat\\n'", "1.23e-07  'the cow'"]


def test_completed_words_are_apart(text, tmp_path, capsys):
    folder = trained(text, tmp_path / "run", "--words")
    for prompt in ("the cat", "the cat "):
        capsys.readouterr()
        run("generate", "--model", folder, "--prompt", prompt, "--complete", 3)
        ways = [ast.literal_eval(line.split(maxsplit=1)[1]) for line in capsys.readouterr().out.splitlines()]
        assert len(ways) == 3
        assert all(way.startswith("the cat ") or way == "the cat" for way in ways)


def test_a_folder_with_a_run_can_be_resumed(text, tmp_path, capsys):
    folder = trained(text, tmp_path / "run")
    told = failed(capsys, "train-lm", "--data", text, "--out", folder, *SMALL)
    assert told == (
        f"minigrad-rnn: train-lm: {folder} holds another run, which would be lost;"
        f" hint: --resume {folder} goes on with it; or choose another --out"
    )


def test_a_run_goes_on(text, tmp_path):
    whole, part = trained(text, tmp_path / "whole"), tmp_path / "part"
    run("train-lm", "--data", text, "--out", part, "--epochs", 1, *SMALL)
    assert run("train-lm", "--resume", part, "--epochs", 2) == 0
    a, b = (mg.load(folder / "best.safetensors") for folder in (whole, part))
    assert {k: v.tolist() for k, v in a.items()} == {k: v.tolist() for k, v in b.items()}


def test_another_text_can_be_held_out(text, tmp_path, capsys):
    other = tmp_path / "other.txt"
    other.write_text("the dog sat. " * 20)
    trained(text, tmp_path / "run", "--valid", other)
    assert "260 held out" in capsys.readouterr().out
    assert run("train-lm", "--resume", tmp_path / "run", "--epochs", 3) == 0


def failed(capsys, *arguments):
    capsys.readouterr()
    assert run(*arguments) == 1
    (message,) = capsys.readouterr().err.splitlines()
    return message


def test_what_is_wrong_is_told_in_a_line(text, tmp_path, capsys):
    assert "cannot read" in failed(capsys, "train-lm", "--data", tmp_path / "nowhere", "--out", tmp_path / "run")
    text.write_bytes(b"caf\xe9" * 1000)
    assert "not UTF-8" in failed(capsys, "train-lm", "--data", text, "--out", tmp_path / "run")
    text.write_text("short")
    assert "at least 1000 are needed" in failed(capsys, "train-lm", "--data", text, "--out", tmp_path / "run")
    assert "too few for 999 streams" in failed(
        capsys, "train-lm", "--data", _long(text), "--out", tmp_path / "run", "--batch-size", 999
    )
    assert "there is no model" in failed(capsys, "generate", "--model", tmp_path / "nowhere")
    assert not (tmp_path / "run").exists()


def _long(path):
    path.write_text("abcd " * 201)
    return path


@pytest.mark.parametrize("view", ["both", "cell", "flow", "overview"])
def test_a_language_model_can_be_drawn(view, text, tmp_path):
    folder, out = trained(text, tmp_path / "run"), tmp_path / "picture.dot"
    assert run("draw", folder, "--view", view, "--out", out) == 0
    assert "lstm" in out.read_text(encoding="utf-8")
