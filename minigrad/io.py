"""Saving and loading without pickle.

A file is in the safetensors format: a header that says where each array lies, and the arrays. Whatever is not an array
(numbers, strings, and how lists and dictionaries hold the tensors) stands in the header as JSON. So reading a file runs
nothing that is in it, and other programs can read the tensors too.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy

from . import backend
from .creation import tensor
from .errors import FileError, MinigradError
from .files import replace_file
from .nn.module import Module
from .tensor import Tensor

_KEY = "minigrad"  # of the one entry in a file's header that is ours; with two their order would be left to chance
_DAMAGE = (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError)  # what damaged JSON leads to
_MARK = "$"  # a dictionary with one key that begins so stands for something that JSON does not have


def save(obj: Any, path: str | os.PathLike[str], metadata: Mapping[str, Any] | None = None) -> None:
    """Write tensors to a file, all or nothing: a file that was there before is replaced only when the new one is whole.

    Args:
        obj: a module (its ``state_dict`` is saved), a tensor, or dictionaries, lists and tuples of tensors, arrays,
            numbers, strings, booleans and ``None``, however nested: a training state, for example.
        path: where to. By custom it ends in ``.safetensors``.
        metadata: more about it, of the same plain values but without tensors; :func:`load_metadata` gives it back.

    Raises:
        FileError: the file cannot be written.
        MinigradError: something in ``obj`` is none of these things; the message names its place.

    >>> import minigrad as mg, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "state.safetensors")
    >>> mg.save({"weights": [mg.ones(2), mg.zeros(3)], "epoch": 7}, path)
    >>> mg.load(path)["epoch"], mg.load(path)["weights"][0].tolist()
    (7, [1.0, 1.0])
    """
    if isinstance(obj, Module):
        obj = obj.state_dict()
    tensors: dict[str, numpy.ndarray[Any, Any]] = {}
    try:
        described = {"structure": _packed(obj, "", tensors), "metadata": _packed(metadata or {}, "metadata", None)}
        content = _safetensors().save(tensors, {_KEY: json.dumps(described)})
    except RecursionError:
        raise MinigradError("this cannot be saved: it is nested too deep, or holds itself") from None
    except ValueError as error:  # a whole number of thousands of digits
        raise MinigradError(f"this cannot be saved: {error}") from None
    try:
        replace_file(path, content)
    except ValueError as error:  # a path that no file can have
        raise FileError(f"cannot write {path!r}: {error}") from None


def load(path: str | os.PathLike[str], device: Any = None) -> Any:
    """Read what :func:`save` wrote: the same structure, with tensors where tensors or arrays were.

    A safetensors file of another program gives a dictionary of its tensors.

    Args:
        path: the file.
        device: where to put the tensors; left out, on the host.

    Raises:
        FileError: there is no such file, it is truncated or damaged, or it is something else: the message says what
            it looks like.
    """
    header, content = _read(Path(path))
    tensors = {name: tensor(_array(entry, name, path), device=device) for name, entry in content}
    if _KEY not in header:
        return tensors
    try:
        return _unpacked(json.loads(header[_KEY])["structure"], tensors)
    except _DAMAGE as error:
        raise FileError(f"{path} is damaged: its structure does not fit its tensors ({error!r})") from None


def load_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The ``metadata`` that was given to :func:`save`; of another program's file, the strings in its header."""
    header, _ = _read(Path(path))
    if _KEY not in header:
        return header
    try:
        metadata: dict[str, Any] = _unpacked(json.loads(header[_KEY])["metadata"], {})
    except _DAMAGE as error:
        raise FileError(f"{path} is damaged: its metadata cannot be read ({error!r})") from None
    return metadata


def _safetensors() -> Any:
    return importlib.import_module("safetensors.numpy")  # at first use: it takes 15 ms


# ---- structure ---------------------------------------------------------------------------------------------------


def _packed(value: Any, path: str, tensors: dict[str, Any] | None) -> Any:
    """``value`` as JSON has it, its tensors put aside under their paths. Without ``tensors`` there may be none."""
    if isinstance(value, numpy.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Tensor) or backend.is_array(value):
        if tensors is not None:
            return {f"{_MARK}tensor": _put_aside(value, path, tensors)}
    elif isinstance(value, (list, tuple)):
        items = [_packed(item, _join(path, str(i)), tensors) for i, item in enumerate(value)]
        return items if isinstance(value, list) else {f"{_MARK}tuple": items}
    elif isinstance(value, Mapping):
        pairs = [(key, _packed(item, _join(path, str(key)), tensors)) for key, item in value.items()]
        if all(isinstance(key, str) and not key.startswith(_MARK) for key, _ in pairs):
            return dict(pairs)
        return {f"{_MARK}dict": [[_packed(key, path, None), item] for key, item in pairs]}
    raise MinigradError(
        f"{path or 'this'} is a {type(value).__name__}, which cannot be saved here\n"
        "  hint: tensors, arrays, numbers, strings, None, and lists, tuples and dictionaries of them can"
    )


def _put_aside(value: Any, path: str, tensors: dict[str, Any]) -> str:
    kind = "?" if value.dtype.kind == "b" else f"{value.dtype.kind}{value.dtype.itemsize}"
    if kind not in _KINDS:
        raise MinigradError(
            f"{path or 'this'} is an array of {value.dtype}, which cannot be saved here\n"
            "  hint: booleans, integers, and floating numbers of up to 64 bits can"
        )
    name = base = (path or "tensor").encode(errors="backslashreplace").decode()  # half a surrogate pair is no text
    number = 1
    while name in tensors or name == "__metadata__":  # "a.b" and "b" in "a" have the same path
        number += 1
        name = f"{base}~{number}"
    array = value._data if isinstance(value, Tensor) else value
    tensors[name] = numpy.asarray(backend.of(array).to_host(array), order="C")
    return name


def _unpacked(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpacked(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    kind = next(iter(value), "")
    if kind == f"{_MARK}tensor":
        return tensors[value[kind]]
    if kind == f"{_MARK}tuple":
        return tuple(_unpacked(item, tensors) for item in value[kind])
    if kind == f"{_MARK}dict":
        return {_unpacked(key, tensors): _unpacked(item, tensors) for key, item in value[kind]}
    return {key: _unpacked(item, tensors) for key, item in value.items()}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


# ---- files -------------------------------------------------------------------------------------------------------


def _read(path: Path) -> tuple[dict[str, str], list[tuple[str, dict[str, Any]]]]:
    """The strings in a file's header, and name, dtype, shape and bytes of each array."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FileError(f"there is no file {path}") from None
    except ValueError as error:  # a path that no file can have
        raise FileError(f"cannot read {str(path)!r}: {error}") from None
    except OSError as error:
        reason = "it is a folder" if path.is_dir() else error.strerror or str(error)
        raise FileError(f"cannot read {path}: {reason}") from None
    _safetensors()
    library = importlib.import_module("safetensors")
    try:
        entries = library.deserialize(data)
    except (library.SafetensorError, ValueError, OverflowError) as error:
        raise FileError(f"{path} is not a safetensors file: {_looks_like(path, data)} ({error})") from None
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        order = {name: position for position, name in enumerate(header)}
        return header.get("__metadata__") or {}, sorted(entries, key=lambda entry: order[entry[0]])
    except _DAMAGE as error:
        raise FileError(f"{path} is damaged: its header cannot be read ({error!r})") from None


def _array(entry: dict[str, Any], name: str, path: Any) -> numpy.ndarray[Any, Any]:
    """An array from its bytes."""
    kind, shape = entry["dtype"], entry["shape"]
    if kind != "BF16" and kind not in _DTYPES:
        raise FileError(f"the tensor {name!r} in {path} is {kind}, which NumPy has no type for")
    try:
        if kind == "BF16":  # the upper half of a float32, which NumPy does not have
            wide = numpy.frombuffer(entry["data"], "<u2").astype(numpy.uint32) << 16
            return wide.view(numpy.float32).reshape(shape)
        return numpy.frombuffer(entry["data"], _DTYPES[kind]).reshape(shape)
    except (ValueError, OverflowError, TypeError) as error:
        raise FileError(f"{path} is damaged: the tensor {name!r} of shape {shape}: {error}") from None


_DTYPES = {
    "BOOL": "?",
    **{f"{letter.upper()}{8 * size}": f"<{letter}{size}" for letter in "iu" for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
}

_KINDS = {kind.lstrip("<") for kind in _DTYPES.values()}

_BEGINNINGS = {
    b"\x80": "it looks like a pickle; nothing is unpickled here, because that runs whatever stands in it",
    b"\x93NUMPY": "it is a NumPy array (.npy): numpy.load reads it",
    b"\x89HDF": "it is an HDF5 file",
    b"\x1f\x8b": "it is compressed by gzip: unpack it first",
    b"version https://git-lfs": "it is a Git LFS pointer: the file itself is still to be fetched with git lfs pull",
    b"<": "it looks like a web page: the download went wrong",
}


def _looks_like(path: Path, data: bytes) -> str:
    """What a file is, if it is not what it should be, and what to do about it."""
    if not data:
        return "it is empty"
    if data.startswith(b"PK"):
        return _archive(path)
    for beginning, description in _BEGINNINGS.items():
        if data.startswith(beginning) and data[8:9] != b"{":
            return description
    length = int.from_bytes(data[:8], "little")
    if data[8:9] == b"{" or len(data) < 8:
        return _shortage(data, length)
    return "it looks like text" if data[:512].isascii() and b"\0" not in data[:512] else "its contents are unknown"


def _archive(path: Path) -> str:
    library = importlib.import_module("zipfile")  # 10 ms, and hardly ever needed
    try:
        with library.ZipFile(path) as archive:
            names = archive.namelist()
    except (library.BadZipFile, OSError):
        return "it looks like a zip archive, and a damaged one"
    if any(name.endswith("data.pkl") for name in names):
        return "it is a PyTorch file, which is a pickle; in PyTorch, write it anew with safetensors.torch.save_file"
    if names and all(name.endswith(".npy") for name in names):
        return "it is a NumPy archive (.npz): dict(numpy.load(path)) reads it"
    return "it is a zip archive"


def _shortage(data: bytes, length: int) -> str:
    """What is wrong with a file that begins like a safetensors file."""
    if len(data) < 8 + length:
        return f"it is truncated: its header alone is {8 + length:,} bytes and the file {len(data):,}"
    try:
        header = json.loads(data[8 : 8 + length])
        whole = 8 + length + max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
    except (*_DAMAGE, AttributeError):
        return "its header is damaged"
    if len(data) < whole:
        return f"it is truncated: {len(data):,} of {whole:,} bytes are there"
    return "it is damaged" + (f": {len(data) - whole:,} bytes too many" if len(data) > whole else "")
