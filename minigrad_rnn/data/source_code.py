"""Python source with a label for each character: which kind of token it belongs to."""

from __future__ import annotations

import io
import keyword
import os
import tokenize
from pathlib import Path

import minigrad as mg

KINDS = ("space", "name", "keyword", "number", "string", "comment", "operator")

_OF_TOKEN = {tokenize.NUMBER: "number", tokenize.STRING: "string", tokenize.COMMENT: "comment", tokenize.OP: "operator"}
_FORMATTED = {
    getattr(tokenize, name) for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END") if hasattr(tokenize, name)
}  # Python 3.12 takes formatted strings to pieces


def token_kinds(source: str) -> list[str]:
    """The kind of each character of a program, one of :data:`KINDS`, as Python's own tokenizer sees it.

    Raises:
        FileError: the text is no Python.

    >>> kinds = token_kinds("if x: y = 1  # one")
    >>> "".join(kind[0] for kind in kinds)
    'kksnosnsosnssccccc'
    """
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    kinds = ["space"] * len(source)
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            kind = _kind(token)
            if kind is not None:
                first, last = (starts[row - 1] + column for row, column in (token.start, token.end))
                kinds[first:last] = [kind] * (last - first)
    except (tokenize.TokenError, SyntaxError) as error:
        raise mg.FileError(f"this is no Python: {error.args[0]}") from None
    return kinds


def _kind(token: tokenize.TokenInfo) -> str | None:
    if token.type == tokenize.NAME:
        return "keyword" if keyword.iskeyword(token.string) else "name"
    return "string" if token.type in _FORMATTED else _OF_TOKEN.get(token.type)


def standard_library(files: int = 40) -> list[str]:
    """Programs that every Python carries: modules of its standard library between 10 and 60 kB, by name.

    >>> programs = standard_library(3)
    >>> len(programs), all(10_000 < len(program) for program in programs)
    (3, True)
    """
    folder = Path(os.__file__).parent
    sizes = {path: path.stat().st_size for path in sorted(folder.glob("*.py"))}
    chosen = [path for path, size in sizes.items() if 10_500 < size < 60_000]
    programs = [path.read_text(encoding="utf-8") for path in chosen]
    return [program for program in programs if program.isascii()][:files]


def labelled_pieces(programs: list[str], length: int = 100) -> list[list[tuple[str, str]]]:
    """Programs cut into pieces of ``length`` characters, each character with its kind.

    A piece may begin in the middle of a string: what it belongs to then shows only later, or never.
    """
    pieces = []
    for program in programs:
        pairs = list(zip(program, token_kinds(program), strict=True))
        pieces += [pairs[i : i + length] for i in range(0, len(pairs), length)]
    return pieces
