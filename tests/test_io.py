"""Saving and loading: round trips, atomicity, and what is said of files that are something else."""

from __future__ import annotations

import json
import math
import os
import pickle
import re
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.safetensors"


def same(a: Any, b: Any) -> bool:
    """Equal structures, types and values."""
    if isinstance(a, mg.Tensor):
        return isinstance(b, mg.Tensor) and a.dtype == b.dtype and np.array_equal(a.numpy(), b.numpy())
    if isinstance(a, dict):
        return type(b) is dict and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(b) is type(a) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


# ---- round trips


def test_a_module(path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    mg.save(model, path, metadata={"layers": 2, "name": "small", "sizes": [3, 4], "rate": 0.1, "more": {"x": None}})
    state = mg.load(path)
    assert same(state, model.state_dict())
    assert all(tensor.data.flags.writeable and not tensor.requires_grad for tensor in state.values())
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    other.load_state_dict(state)
    np.testing.assert_array_equal(other[0].weight.numpy(), model[0].weight.numpy())
    assert mg.load_metadata(path) == {"layers": 2, "name": "small", "sizes": [3, 4], "rate": 0.1, "more": {"x": None}}


def test_a_training_state(path: Path) -> None:
    state = {
        "model": {"weight": mg.randn(2, 3), "bias": mg.zeros(2, dtype=mg.float64)},
        "optim": {
            "state": {0: {"step": 3, "mean": mg.randn(2)}, 1: {}},
            "groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1]}],
            ("a", 1): None,
        },
        "epoch": 3,
        "best": math.inf,
        "done": False,
        "name": "ümlaut",
        "rng": mg.get_rng_state(),
        "$odd": {"$tensor": "not one"},
        "empty": [{}, [], ()],
    }
    mg.save(state, path)
    assert same(mg.load(path), state)
    assert mg.load_metadata(path) == {}


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "?"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_dtypes_and_shapes(path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    array = (np.arange(math.prod(shape)).reshape(shape) % 2).astype(dtype)
    mg.save({"x": mg.tensor(array)}, path)
    assert same(mg.load(path), {"x": mg.tensor(array)})


def test_arrays_come_back_as_tensors_and_strides_do_not_matter(path: Path) -> None:
    array = np.arange(6.0).reshape(2, 3)
    mg.save([array.T, array[:, ::2], mg.tensor(array).T, array.astype(">f8"), np.float32(2)], path)
    transposed, every_other, tensor, foreign_order, number = mg.load(path)
    assert transposed.tolist() == tensor.tolist() == array.T.tolist()
    assert every_other.tolist() == array[:, ::2].tolist()
    assert foreign_order.tolist() == array.tolist()
    assert number == 2
    assert type(number) is float


def test_one_tensor(path: Path) -> None:
    mg.save(mg.ones(2), path)
    assert same(mg.load(path), mg.ones(2))


def test_paths_that_clash(path: Path) -> None:
    state = {"a": {"b": mg.ones(1)}, "a.b": mg.zeros(2), "__metadata__": mg.ones(3)}
    mg.save(state, path)
    assert same(mg.load(path), state)


def test_a_file_is_the_same_every_time(path: Path) -> None:
    state = {"b": mg.ones(2), "a": mg.zeros(3)}
    mg.save(state, path)
    first = path.read_bytes()
    mg.save(state, path)
    assert path.read_bytes() == first


@pytest.mark.parametrize("value", [object(), {1, 2}, {"x": [np.array(["text"], object), b"bytes"]}, 1j])
def test_what_cannot_be_saved(path: Path, value: Any) -> None:
    with pytest.raises(mg.MinigradError, match="cannot be saved"):
        mg.save({"deep": [value]}, path)
    assert not path.exists()


@pytest.mark.parametrize(
    "array",
    [np.ones(2, complex), np.array(["a"]), np.array([None]), np.array(["2020-01-01"], "M8[D]"), np.array([b"a"])]
    + [np.ones(2, np.longdouble)] * (np.dtype(np.longdouble).itemsize > 8),
    ids=lambda array: str(array.dtype),
)
def test_element_types_that_cannot_be_saved(path: Path, array: Any) -> None:
    kind = re.escape(str(array.dtype))
    with pytest.raises(mg.MinigradError, match=rf"deep\.0 is an array of {kind}, which cannot be saved"):
        mg.save({"deep": [array]}, path)
    assert not path.exists()


def test_names_that_are_no_text(path: Path) -> None:
    state = {"\ud800": mg.ones(1), "plain": "\udfff"}
    mg.save(state, path)
    assert same(mg.load(path), state)


def test_what_holds_itself_cannot_be_saved(path: Path) -> None:
    state: dict[str, Any] = {}
    state["self"] = [state]
    with pytest.raises(mg.MinigradError, match="too deep, or holds itself"):
        mg.save(state, path)
    with pytest.raises(mg.MinigradError, match="cannot be saved"):
        mg.save({"number": 10**6000}, path)
    with pytest.raises(mg.FileError, match="null"):
        mg.save({}, "state\0")
    with pytest.raises(mg.FileError, match="null"):
        mg.load("state\0")


def test_metadata_holds_no_tensors(path: Path) -> None:
    with pytest.raises(mg.MinigradError, match=r"metadata\.x is a Tensor"):
        mg.save({}, path, metadata={"x": mg.ones(1)})


def test_onto_a_device(path: Path, cuda: Any) -> None:
    mg.save({"x": mg.ones(2, device="cuda")}, path)
    assert str(mg.load(path)["x"].device) == "cpu"
    assert str(mg.load(path, device="cuda")["x"].device) == "cuda:0"


# ---- files of other programs


def written(path: Path, header: dict[str, Any], data: bytes) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_safetensors_of_another_program(path: Path) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "z": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        "a": {"dtype": "BF16", "shape": [2], "data_offsets": [8, 12]},
    }
    written(path, header, np.array([1, 2], "<f4").tobytes() + np.array([0x3F80, 0xC000], "<u2").tobytes())
    state = mg.load(path)
    assert list(state) == ["z", "a"]
    assert state["a"].tolist() == [1, -2]
    assert state["a"].dtype == mg.float32
    assert mg.load_metadata(path) == {"format": "pt"}


def test_a_type_that_numpy_does_not_have(path: Path) -> None:
    written(path, {"x": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}, b"0")
    with pytest.raises(mg.FileError, match="F8_E4M3"):
        mg.load(path)


# ---- what is no such file


def zipped(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")


def numpy_file(path: Path, write: Any) -> None:
    with path.open("wb") as file:
        write(file, np.ones(2))


def torn(path: Path, keep: int | None) -> None:
    mg.save({"x": mg.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:keep])


class Trap:
    def __reduce__(self) -> Any:
        return os.mkdir, ("sprung",)


FOREIGN = {
    "it is empty": lambda p: p.write_bytes(b""),
    "looks like a pickle; nothing is unpickled": lambda p: p.write_bytes(pickle.dumps(Trap())),
    "it is a PyTorch file": lambda p: zipped(p, "model/data.pkl", "model/data/0"),
    r"it is a NumPy archive \(.npz\): dict\(numpy.load": lambda p: numpy_file(p, np.savez),
    "it is a zip archive$": lambda p: zipped(p, "readme.txt"),
    "a damaged one": lambda p: p.write_bytes(b"PK\x03\x04 and nothing else"),
    r"it is a NumPy array \(.npy\)": lambda p: numpy_file(p, np.save),
    "it is an HDF5 file": lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50)),
    "compressed by gzip": lambda p: p.write_bytes(b"\x1f\x8b" + bytes(50)),
    "it is a Git LFS pointer": lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0"),
    "it looks like a web page": lambda p: p.write_text("<!doctype html><title>Not found</title>"),
    "it looks like text": lambda p: p.write_text("Once upon a time there was a file."),
    "its contents are unknown": lambda p: p.write_bytes(bytes(range(200, 256))),
    "it is truncated: its header alone is": lambda p: torn(p, 60),
    "it is truncated: .* bytes are there": lambda p: torn(p, -3),
    "truncated: its header alone": lambda p: torn(p, 5),
    "bytes too many": lambda p: (torn(p, None), p.write_bytes(p.read_bytes() + b"12")),
    "its header is damaged": lambda p: p.write_bytes(struct.pack("<Q", 10) + b'{"x":[123}' + bytes(10)),
    "it is damaged ": lambda p: written(p, {"x": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, bytes(8)),
}


@pytest.mark.parametrize("message", FOREIGN)
def test_other_files(path: Path, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    FOREIGN[message](path)
    with pytest.raises(mg.FileError, match=r"state\.safetensors is not a safetensors file: ") as caught:
        mg.load(path)
    assert caught.match(message.rstrip("$") + (r" \(" if message.endswith("$") else ""))
    assert not Path("sprung").exists()


def test_a_structure_that_does_not_fit(path: Path) -> None:
    for ours in ('{"structure": {"x": {"$tensor": "y"}}}', "{", "{}", "[]", '{"structure": {"$dict": [1]}}'):
        written(path, {"__metadata__": {"minigrad": ours}}, b"")
        with pytest.raises(mg.FileError, match="is damaged: its structure does not fit"):
            mg.load(path)
        with pytest.raises(mg.FileError, match="is damaged: its metadata cannot be read"):
            mg.load_metadata(path)


def test_headers_that_other_programs_would_refuse(path: Path) -> None:
    written(path, {"__metadata__": None}, b"")
    assert mg.load(path) == mg.load_metadata(path) == {}
    deep = "[" * 100_000 + "]" * 100_000
    for ours in (deep, f'{{"structure": {deep}, "metadata": {deep}}}'):
        written(path, {"__metadata__": {"minigrad": ours}}, b"")
        for read in (mg.load, mg.load_metadata):
            with pytest.raises(mg.FileError, match="is damaged"):
                read(path)
    for shape, size in (([1] * 65, 4), ([0, 2**63], 0), ([0, 2**40, 2**40], 0)):
        written(path, {"x": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}, bytes(size))
        with pytest.raises(mg.FileError, match=r"state\.safetensors"):
            mg.load(path)


def test_damage_anywhere_is_noticed_or_harmless(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = {"model": {"weight": mg.ones(2, 3), "bias": mg.zeros(2)}, ("a", 1): [(1, 2.5, None)], "name": "x"}
    mg.save(state, path, metadata={"sizes": [3, 4]})
    whole = path.read_bytes()
    damaged = np.empty(len(whole), np.uint8)
    monkeypatch.setattr(Path, "read_bytes", lambda path: damaged.tobytes())  # 4,000 files would take seconds
    rng = np.random.default_rng(0)
    refusals: list[str] = []

    def note_refusal(read: Any) -> None:
        try:
            read(path)
        except mg.FileError as error:
            refusals.append(str(error))

    for _ in range(2000):
        damaged[:] = np.frombuffer(whole, np.uint8)
        at = rng.integers(0, len(whole), rng.integers(1, 4))
        damaged[at] = rng.choice(np.frombuffer(b'0123456789[]{}:,"\\$nul\0\xff', np.uint8), at.size)
        note_refusal(mg.load)
        note_refusal(mg.load_metadata)
    assert len(refusals) > 1000
    assert all("state.safetensors" in message for message in refusals)


def test_no_file_and_folders(path: Path, tmp_path: Path) -> None:
    with pytest.raises(mg.FileError, match=r"there is no file .*state\.safetensors"):
        mg.load(path)
    with pytest.raises(mg.FileError, match=r"cannot read .*: it is a folder"):
        mg.load(tmp_path)
    with pytest.raises(mg.FileError, match=r"cannot write .*: it is a folder"):
        mg.save({}, tmp_path)
    with pytest.raises(mg.FileError, match=r"there is no folder .*missing"):
        mg.save({}, tmp_path / "missing" / "x")
    assert issubclass(mg.FileError, OSError)


# ---- all or nothing


def test_a_failure_leaves_the_old_file_and_nothing_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mg.save({"x": mg.ones(1)}, path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(mg.FileError, match="No space left"):
        mg.save({"x": mg.zeros(1)}, path)

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mg.save({"x": mg.zeros(1)}, path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "latest"
    link.symlink_to(path.name)
    mg.save({"x": mg.ones(1)}, link)
    assert link.is_symlink()
    assert mg.load(path)["x"].item() == 1
