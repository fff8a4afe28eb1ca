"""Batches, logs and the curves drawn from them."""

from __future__ import annotations

import itertools
import json
import sys

import pytest
from hypothesis import given, strategies as st

import minigrad as mg
from minigrad_rnn.training import Batches, plot_logs, read_log

# ---- batches ---------------------------------------------------------------------------------------------------------


@given(st.integers(1, 30), st.integers(1, 8), st.booleans())
def test_every_example_comes_once_an_epoch(count, size, shuffle):
    batches = Batches(range(count), size, shuffle=shuffle)
    for _ in range(2):
        got = list(batches)
        assert len(got) == len(batches)
        assert sorted(itertools.chain(*got)) == list(range(count))
        assert {len(batch) for batch in got[:-1]} <= {size}


def test_a_short_last_batch_can_be_left_out():
    assert [len(batch) for batch in Batches(range(7), 3, drop_last=True)] == [3, 3]


@pytest.mark.parametrize("shuffle", [True, False])
def test_examples_of_about_one_length_come_together(shuffle):
    batches = Batches(["x" * (7 * i % 23) for i in range(46)], 5, length=len, shuffle=shuffle, drop_last=True)
    for _ in range(2):
        got = list(batches)
        assert len(got) == len(batches) == 9
        assert all(len(batch) == 5 for batch in got)
        assert all(max(map(len, batch)) - min(map(len, batch)) <= 4 for batch in got)
    assert (list(batches) == list(batches)) != shuffle


def test_the_order_follows_the_seed_alone_and_changes_every_epoch():
    first, second = Batches(range(20), 5, seed=4), Batches(range(20), 5, seed=4)
    epochs = [list(first) for _ in range(3)]
    mg.rand(10)
    assert [list(second) for _ in range(3)] == epochs
    assert epochs[0] != epochs[1] != epochs[2]
    assert list(Batches(range(20), 5, seed=5)) != epochs[0]


def test_a_saved_order_goes_on():
    batches = Batches(range(20), 5)
    list(batches)
    state = json.loads(json.dumps(batches.state_dict()))
    expected = list(batches)
    batches.load_state_dict(state)
    assert list(batches) == expected


@pytest.mark.parametrize(("examples", "options"), [([], {}), ([1], {"batch_size": 0}), ([1], {"drop_last": True})])
def test_no_batch_can_be_made(examples, options):
    with pytest.raises(mg.MinigradError, match="Batches"):
        Batches(examples, **{"batch_size": 2, **options})


# ---- logs ------------------------------------------------------------------------------------------------------------


def report(step, loss, kind="train", **more):
    return {"kind": kind, "epoch": 1 + step // 10, "step": step, "loss": loss, "lr": 0.1, "seconds": step / 2, **more}


@pytest.fixture
def run(tmp_path):
    def make(name, scale=1.0, valid=True):
        folder = tmp_path / name
        folder.mkdir()
        lines = []
        for step in range(1, 31):
            lines.append(report(step, scale * 4 / step, norm=1.0 / step))
            if step % 10 == 0:
                more = {"valid_loss": scale * 5 / step, "accuracy": step / 40} if valid else {}
                lines.append(report(step, scale * 4.2 / step, "epoch", best=step < 30, **more))
        (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return folder

    return make


def test_a_log_is_read_and_a_last_line_cut_off_is_passed_over(run):
    folder = run("a")
    whole = read_log(folder)
    assert len(whole) == 33
    log = folder / "log.jsonl"
    log.write_text(log.read_text(encoding="utf-8") + '{"kind": "tra', encoding="utf-8")
    assert read_log(log) == whole


def test_files_that_are_no_logs(tmp_path):
    def refused(content, sentence):
        path = tmp_path / "log"
        path.write_bytes(content)
        with pytest.raises(mg.FileError, match=sentence):
            read_log(path)

    refused(b"", "without any report")
    refused(b"\xff\xfe", "not UTF-8")
    refused(b"[1]\n[2]\n", "line 1")
    refused(b'{"step": 1}\nhello\n{"step": 2}\n', "line 2")
    with pytest.raises(mg.FileError, match="No such file"):
        read_log(tmp_path / "missing")


# ---- curves ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", ["step", "epoch", "seconds"])
def test_curves_of_several_runs(run, tmp_path, over):
    out = plot_logs([run("first"), run("second", 0.7, valid=False) / "log.jsonl"], tmp_path / "curves.svg", over=over)
    drawn = out.read_text(encoding="utf-8")
    assert "<svg" in drawn
    for name in ("first: training", "first: validation", ">second", "gradient norm", "accuracy"):
        assert name in drawn.replace("<!-- ", ">").replace(" -->", "<"), name
    assert "learning rate" not in drawn  # it never changed


def test_more_figures_than_stand_side_by_side(run, tmp_path):
    names = ["loss", "accuracy", "lr", "norm"]
    drawn = plot_logs([run("one")], tmp_path / "curves.svg", figures=names).read_text(encoding="utf-8")
    assert all(name in drawn for name in ("loss", "accuracy", "learning rate", "gradient norm"))


def test_one_figure_of_one_run_as_png(run, tmp_path):
    out = plot_logs([run("one")], tmp_path / "curve.png", figures=["loss"])
    assert out.read_bytes().startswith(b"\x89PNG")


def test_curves_that_cannot_be_drawn(run, tmp_path, monkeypatch):
    folder = run("a")
    with pytest.raises(mg.MinigradError, match=r"no figure 'bleu'.*loss, accuracy"):
        plot_logs([folder], tmp_path / "a.png", figures=["bleu"])
    with pytest.raises(mg.MinigradError, match="over is"):
        plot_logs([folder], tmp_path / "a.png", over="time")
    with pytest.raises(mg.MinigradError, match="xyz"):
        plot_logs([folder], tmp_path / "a.xyz")
    with pytest.raises(mg.FileError, match="no folder"):
        plot_logs([folder], tmp_path / "none" / "a.png")
    diverged = tmp_path / "diverged.jsonl"
    diverged.write_text('{"kind": "diverged", "epoch": 1, "step": 1, "message": "nan"}\n', encoding="utf-8")
    with pytest.raises(mg.MinigradError, match="nothing to draw"):
        plot_logs([diverged], tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(mg.MinigradError, match="minigrad\\[plot\\]"):
        plot_logs([folder], tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()
