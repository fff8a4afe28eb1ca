"""The scripts in examples/ run, and leave what they say."""

import os
import re
import runpy
import signal
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
import minigrad_rnn  # noqa: F401 - declares its ops before a test looks whether any were added

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a script as from the command line, on a temporary folder if nothing else is given; gives what it printed."""
    monkeypatch.syspath_prepend(EXAMPLES)

    def script(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments or (tmp_path,))])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return script


def test_custom_op(run, tmp_path, scratch_ops):
    printed = run("custom_op.py")
    assert "keeps every promise" in printed
    assert "squareplus" in (tmp_path / "custom_op.svg").read_text(encoding="utf-8")


def test_xor(run, tmp_path):
    answers = [float(line.split("=")[1]) for line in run("xor.py").splitlines() if " xor " in line]
    assert [round(p) for p in answers] == [0, 1, 1, 0]
    assert {path.name for path in tmp_path.iterdir()} == {"xor.safetensors", "xor.svg"}


@pytest.fixture
def text(tmp_path):
    """A text of 1,500 characters in a file."""
    path = tmp_path / "text.txt"
    path.write_text("hello world, " * 115, encoding="utf-8")
    return path


def figure(picture):
    """Whether there is a picture in the file, and something in the picture."""
    return picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 5000


def number(printed, after):
    return float(re.search(rf"{after}\s+([\d.e+-]+)", printed).group(1))


def test_temporal_xor(run, tmp_path):
    printed = run("temporal_xor.py", "--steps", 150, "--plot", tmp_path / "xor.png")
    assert number(printed, "Elman") > 98
    assert number(printed, "FeedForward") < 55
    assert figure(tmp_path / "xor.png")


def test_adding_problem(run, tmp_path):
    arguments = ("--length", 4, "--steps", 250, "--hidden", 16, "--plot", tmp_path / "adding.png")
    printed = run("adding_problem.py", *arguments, "--networks", "IRNN", "LSTM")
    assert number(printed, "LSTM  mean squared error") < 0.02
    assert number(printed, "IRNN  mean squared error") < 0.1
    assert figure(tmp_path / "adding.png")


def test_memory_span(run, tmp_path):
    arguments = ("--lags", 2, 4, "--seeds", 0, "--steps", 80, "--plot", tmp_path / "span.png")
    printed = run("memory_span.py", *arguments)
    assert len(re.findall(r"bit: .*\n  lag     2: ( 99|100)%", printed)) == 6
    assert printed.count("number: ") == 6
    assert figure(tmp_path / "span.png")


def test_memory_span_in_two_processes(run):
    arguments = ("--tasks", "bit", "--networks", "RNN", "--lags", 3, "--seeds", 0, 1, "--steps", 60)
    one = run("memory_span.py", *arguments)
    command = [sys.executable, EXAMPLES / "memory_span.py", *map(str, arguments), "--jobs", "2"]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    two = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout  # noqa: S603
    assert one.splitlines()[:-1] == two.splitlines()[:-1]  # the last tells the time


def test_copy_memory(run, tmp_path):
    arguments = ("--count", 1, "--delay", 2, "--steps", 300, "--hidden", 16, "--lr", 0.02)
    printed = run("copy_memory.py", *arguments, "--plot", tmp_path / "copy.png")
    assert "guessing: cross entropy 0.520, recall 0.125" in printed
    assert number(printed, r"LSTM  .* recall") > 0.9
    assert figure(tmp_path / "copy.png")


def test_vanishing(run, tmp_path):
    printed = run("vanishing.py", "--steps", 60, "--plot", tmp_path / "vanishing.png")
    measured = re.findall(r"RNN, r = .*per step ([\d.]+), in theory ([\d.]+)", printed)
    assert [float(m) for m, _ in measured] == pytest.approx([float(t) for _, t in measured], abs=0.01)
    assert figure(tmp_path / "vanishing.png")


def test_min_char_rnn(run, text, tmp_path):
    printed = run("min_char_rnn.py", text, "--iterations", 300, "--hidden", 20, "--plot", tmp_path / "loss.png")
    assert "9 different; guessing is 54.9" in printed
    assert number(printed, "smoothed loss") < 50
    assert figure(tmp_path / "loss.png")


def test_char_lstm(run, text, tmp_path):
    arguments = ("--seconds", 0.5, "--every", 0.2, "--hidden", 16, "--plot", tmp_path / "nats.png")
    printed = run("char_lstm.py", text, *arguments)
    assert "1,345 characters to learn from, 150 held out" in printed
    assert number(printed, "step +[\\d,]+ +held out") < 4
    assert figure(tmp_path / "nats.png")


def test_seq2seq_reverse_sort(run, tmp_path):
    arguments = ("--length", 4, "--symbols", 4, "--steps", 150, "--hidden", 16, "--lr", 0.02)
    printed = run("seq2seq_reverse_sort.py", *arguments, "--plot", tmp_path / "attention.png")
    assert number(printed, "reverse +attention +exact") > 80
    assert printed.count("exact") == 4
    assert figure(tmp_path / "attention.png")


def test_seq2seq_dates_from_a_file(run, tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("one\tun\ntwo\tdeux\n" * 20, encoding="utf-8")
    printed = run("seq2seq_dates.py", "--data", path, "--epochs", 12, "--hidden", 16, "--batch", 4, "--lr", 0.02)
    assert "36 pairs to learn from, 4 held out" in printed
    assert "exact 100.00%" in printed


def test_seq2seq_dates(run):
    printed = run("seq2seq_dates.py", "--pairs", 2000, "--epochs", 2, "--hidden", 32, "--batch", 32, "--lr", 0.01)
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", printed)]
    assert losses[1] < losses[0] < 2.5
    assert len(re.findall(r"^'.*' -> ", printed, re.MULTILINE)) == 3


@pytest.mark.parametrize("form", [(), ("--plain", "--forwards")])
def test_seq2seq_addition(run, form):
    printed = run("seq2seq_addition.py", "--pairs", 1000, "--epochs", 3, "--hidden", 16, "--batch", 32, *form)
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", printed)]
    assert len(losses) == 3
    assert losses[2] < losses[0]


def test_trees_listops(run, tmp_path):
    arguments = ("--count", 150, "--epochs", 1, "--batch", 10, "--plot", tmp_path / "listops.png")
    printed = run("trees_listops.py", *arguments)
    assert len(re.findall(r"right: 1: [\d.]+%, .* 5: [\d.]+%", printed)) == 3
    assert number(printed, "Tree-LSTM .* right: 1:") > 10
    assert figure(tmp_path / "listops.png")


def test_trees_listops_from_a_file(run, tmp_path):
    path = tmp_path / "listops.tsv"
    path.write_text("".join(f"{i}\t( ( ( [MAX {i} ) 0 ) ] )\n" for i in range(10)), encoding="utf-8")
    printed = run("trees_listops.py", "--networks", "LSTM", "--data", path, "--batch", 3, "--epochs", 1)
    assert "9 expressions to learn from, 1 new ones" in printed
    for text in ("7\t( ( [MAX 7 )", "7\t( ( ( [MAX 3 ) 0 ) ] )"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(SystemExit, match=r"listops\.tsv.*(never closed|values are wrong)"):
            run("trees_listops.py", "--data", path)


def test_trees_python(run):
    commonest, words, trees = shares(run("trees_python.py", "--programs", 2, "--epochs", 3))
    assert commonest < words < trees


def test_trees_sentiment(run, tmp_path):
    nodes, roots, clear = shares(run("trees_sentiment.py", "--trees", 200, "--epochs", 2))
    assert nodes > 0.6
    assert roots == clear, "no review is neither good nor bad"
    path = tmp_path / "sentiment.txt"
    path.write_text("(3 (2 It) (4 (4 's) (2 good)))\n(1 (2 Not) (3 good))\n" * 10, encoding="utf-8")
    assert "16 trees to learn from, 4 held out" in run("trees_sentiment.py", "--data", path, "--epochs", 1)


def test_word_lm(run, text):
    """More in tests/language/test_word_lm.py."""
    text.write_text("hello world, " * 400, encoding="utf-8")
    printed = run("word_lm.py", "--data", text, "--raw", "--epochs", 1, "--hidden", 8, "--streams", 4, "--lr", 2)
    assert number(printed, "held-out perplexity") < 5
    assert "it is ..." in printed


def shares(printed):
    """The percentages, as numbers from 0 to 1."""
    return [float(found) / 100 for found in re.findall(r"([\d.]+)%", printed)]


def test_one_to_one(run):
    printed = run("one_to_one.py", "--examples", 2000, "--epochs", 8)
    recurrent, feed_forward = shares(printed)
    assert recurrent == feed_forward > 0.5
    assert number(printed, "largest difference of a logit:") < 1e-4


def test_one_to_many(run):
    printed = run("one_to_many.py", "--examples", 500, "--epochs", 1)
    assert "400 pictures to learn from, 100 held out" in printed
    assert len(re.findall(r"written: \w*; it is \w+", printed)) == 2


def test_one_to_many_from_a_table(run, tmp_path):
    table = tmp_path / "digits.csv"
    table.write_text("\n".join(",".join(["0", "16"] * 32 + [str(i % 10)]) for i in range(20)), encoding="utf-8")
    assert "16 pictures to learn from, 4 held out" in run("one_to_many.py", "--data", table, "--epochs", 1)


def test_many_to_one(run):
    counts, lstm = shares(run("many_to_one.py", "--examples", 1500, "--epochs", 4))
    assert counts < 0.75
    assert lstm > counts


def test_many_to_one_from_a_folder(run, tmp_path):
    for label, texts in {"numbers": ["one", "two", "three"] * 5, "colours": ["red", "blue", "green"] * 5}.items():
        (tmp_path / f"{label}.txt").write_text("\n".join(texts), encoding="utf-8")
    printed = run("many_to_one.py", "--data", tmp_path, "--epochs", 1)
    assert "24 texts to learn from, 6 held out, 2 labels" in printed


def test_aligned(run):
    printed = run("aligned.py", "--programs", 2, "--epochs", 1, "--hidden", 16)
    commonest, one, _, both, _ = shares(printed)
    assert commonest < one < both


def test_aligned_from_columns(run, tmp_path):
    (tmp_path / "words.conll").write_text("the\tO\nRhine\tPLACE\n\n" * 10, encoding="utf-8")
    assert "always" in run("aligned.py", "--data", tmp_path / "words.conll", "--epochs", 1, "--hidden", 4)


def test_forecast(run):
    printed = run("forecast.py", "--examples", 1000, "--epochs", 20)
    last, line, gru = (float(found) for found in re.findall(r"error ([\d.]+)", printed))
    assert gru < min(last, line) / 2


def test_forecast_from_a_table(run, tmp_path):
    (tmp_path / "table.csv").write_text("day,tide\n" + "1,2.5\n2,\n3,4.5\n" * 20, encoding="utf-8")
    printed = run("forecast.py", "--data", tmp_path / "table.csv", "--column", "tide", "--epochs", 1)
    assert "48 numbers to learn from, 12 held out" in printed


def test_sounds(run):
    printed = run("sounds.py", "--examples", 150, "--epochs", 8)
    assert "120 sounds to learn from, 30 held out, 6 labels" in printed
    assert shares(printed)[0] > 0.3  # guessing is 0.17


@pytest.fixture
def recordings(tmp_path):
    """A folder of 20 short sounds, low ones and high ones."""
    for i in range(20):
        label, hertz = (("low", 300), ("high", 900))[i % 2]
        samples = np.sin(2 * np.pi * hertz * np.arange(800) / 8000) * 2**14
        with wave.open(str(tmp_path / f"{label}_{i}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(samples.astype("<i2").tobytes())
    return tmp_path


def test_sounds_from_a_folder(run, recordings):
    printed = run("sounds.py", "--data", recordings, "--epochs", 2)
    assert "16 sounds to learn from, 4 held out, 2 labels" in printed


def test_spoken_ctc(run):
    printed = run("spoken_ctc.py", "--steps", 120, "--tests", 20, "--hidden", 24)
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", printed)]
    assert losses[-1] < losses[0]
    greedy, _, beam, _ = shares(printed)
    assert max(greedy, beam) < 0.95  # saying nothing is 1


def test_spoken_ctc_from_a_folder(run, recordings):
    printed = run("spoken_ctc.py", "--data", recordings, "--steps", 4, "--tests", 5, "--hidden", 8)
    assert re.search(r"played (low|high)( (low|high))+, heard", printed)


def test_scheduled_sampling(run, tmp_path):
    arguments = ("--columns", 6, "--rows", 4, "--hidden", 16, "--steps", 60, "--k", 10, "--seeds", 0)
    printed = run("scheduled_sampling.py", *arguments, "--plot", tmp_path / "free.png")
    told, free = re.findall(r"told +([\d.]+)%  free +([\d.]+)%", printed)[0]
    assert float(told) > 60
    assert float(free) > 60  # guessing is 25
    assert figure(tmp_path / "free.png")


def test_transformer_comparison(run):
    arguments = ("--epochs", 1, "--programs", 3, "--examples", 100, "--size", 16, "--lengths", 20, 40)
    printed = run("transformer_comparison.py", *arguments)
    memory = [float(found) for found in re.findall(r"([\d.]+) MB", printed)]
    assert len(shares(printed)) == 6
    assert memory[2] / memory[0] < memory[3] / memory[1]  # from 20 steps to 40, LSTM and Transformer


@pytest.mark.parametrize("script", ["min_char_rnn.py", "char_lstm.py"])
def test_a_missing_text_is_told(run, script, tmp_path):
    with pytest.raises(SystemExit, match=r"(?s)cannot read .*missing.txt: .*hint: .*tinyshakespeare"):
        run(script, tmp_path / "missing.txt")


@pytest.mark.parametrize("script", ["xor.py", "custom_op.py"])
def test_what_is_no_folder_is_not_taken_for_one(run, script, capsys, scratch_ops):
    assert status(run, script, "--help") == 0
    assert "FOLDER" in capsys.readouterr().out
    assert status(run, script, "--verbose") == 2


def status(run, *command):
    with pytest.raises(SystemExit) as end:
        run(*command)
    return end.value.code


def test_fewer_updates_than_the_mean_is_taken_of(run, tmp_path):
    printed = run("adding_problem.py", "--networks", "RNN", "--length", 4, "--steps", 20, "--plot", tmp_path / "p.png")
    assert "; 20 updates, " in printed
    printed = run("copy_memory.py", "--networks", "RNN", "--count", 1, "--delay", 1, "--steps", 20)
    assert 0 <= number(printed, "recall") <= 1
    assert "; 20 updates, " in printed


INTERRUPTED = {  # arguments of each script, and what is told of the updates before the Ctrl-C in the 70th
    "adding_problem.py": (["--networks", "RNN", "LSTM", "--length", 4], "; 69 updates, "),
    "copy_memory.py": (["--count", 1, "--delay", 1, "--hidden", 8], "; 69 updates, "),
    "memory_span.py": (["--networks", "RNN", "GRU", "--lags", 2, 3, "--seeds", 0, "--steps", 20], "GRU\n  lag     2"),
    "vanishing.py": (["--lag", 8], "rate 0.001, not clipped: "),
    "min_char_rnn.py": (["text.txt", "--hidden", 20], "iteration      69"),
    "char_lstm.py": (["text.txt", "--hidden", 16], "step     69"),
}


@pytest.mark.parametrize("script", INTERRUPTED)
def test_ctrl_c_keeps_what_there_is(run, script, text, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    press_in_backward(monkeypatch, 70)
    arguments, told = INTERRUPTED[script]
    assert status(run, script, *arguments, "--plot", tmp_path / "curve.png") == 130
    printed = capsys.readouterr().out
    assert printed.count("stopped by Ctrl-C") == 1
    assert told in printed
    assert figure(tmp_path / "curve.png")


@pytest.mark.parametrize("script", INTERRUPTED)
def test_ctrl_c_in_the_first_update_leaves_nothing_to_plot(run, script, text, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    press_in_backward(monkeypatch, 1)
    assert status(run, script, *INTERRUPTED[script][0], "--plot", tmp_path / "curve.png") == 130
    assert capsys.readouterr().out.count("stopped by Ctrl-C") == 1


def press_in_backward(monkeypatch, count):
    """Ctrl-C in that call of backward."""
    calls, backward = [], mg.Tensor.backward

    def pressed(loss, *arguments, **options):
        calls.append(1)
        if len(calls) == count:
            signal.raise_signal(signal.SIGINT)
        return backward(loss, *arguments, **options)

    monkeypatch.setattr(mg.Tensor, "backward", pressed)


@pytest.mark.skipif(sys.platform == "win32", reason="no groups of processes")
def test_ctrl_c_ends_the_other_processes_too(text, tmp_path):
    """As from a terminal, which sends it to all of them."""
    arguments = ["--tasks", "bit", "--networks", "RNN", "--lags", "3", "2000", "--seeds", "0", "--jobs", "2"]
    command = [sys.executable, EXAMPLES / "memory_span.py", *arguments, "--plot", tmp_path / "span.png"]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, start_new_session=True, **pipes) as script:  # noqa: S603
        lines = [script.stdout.readline() for _ in range(2)]  # the first lag is done, the second takes minutes
        os.killpg(script.pid, signal.SIGINT)
        rest, errors = script.communicate()
    assert lines[1].startswith("  lag     3: 100%")
    assert "stopped by Ctrl-C" in rest
    assert (script.returncode, errors) == (130, "")
    assert figure(tmp_path / "span.png")


def test_a_plot_without_matplotlib_says_how_to_get_it(run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    arguments = ("--networks", "RNN", "--length", 2, "--steps", 60, "--plot", tmp_path / "adding.png")
    with pytest.raises(SystemExit, match="pip install"):
        run("adding_problem.py", *arguments)


def test_every_example_has_a_test():
    scripts = [path for path in EXAMPLES.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")]
    assert {f"test_{path.stem}" for path in scripts} <= set(globals())
