"""Text files, plain or compressed."""

from __future__ import annotations

import gzip
import zlib
from os import PathLike, fspath
from pathlib import Path

import minigrad as mg


def read_lines(path: str | PathLike[str]) -> list[str]:
    """The lines of a file without their ends; see :func:`read_text`."""
    return read_text(path).splitlines()


def read_text(path: str | PathLike[str]) -> str:
    """The text of a UTF-8 file; of a compressed one if its name ends in ``.gz``.

    Raises:
        FileError: no such file, a folder, no permission, broken compression, or bytes that are not UTF-8; for these
            with the line.
    """
    file = Path(path)
    try:
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise mg.FileError(f"{fspath(path)} is not a whole gzip file: {error}") from None
    except OSError as error:
        raise mg.FileError(f"cannot read {fspath(path)}: {error.strerror or error}") from None
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise mg.FileError(
            f"{fspath(path)}, line {line}: byte 0x{raw[error.start]:02x} is not UTF-8\n"
            "  hint: convert the file first: iconv -f LATIN1 -t UTF-8"
        ) from None
