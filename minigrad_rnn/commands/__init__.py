"""The command line: a module for each command, or for two that belong together."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

import minigrad as mg

from . import classify, demo, draw, language, plot, tag, translate, tree

COMMANDS = (demo, language, translate, tag, classify, tree, draw, plot)  # in the order in which --help lists them


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 1 failed with a message on stderr, 130 stopped by Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        code = int(options.run(options))
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever reads the output has read enough, as `head` does
        _discard_output()
        return 1
    except mg.MinigradError as error:
        return _failed("; ".join(line.strip() for line in str(error).splitlines()))
    except OSError as error:
        return _failed(f"{error.filename or 'a file'}: {error.strerror or error}")
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        return _failed(f"a text cannot be read or written as {error.encoding}: {error.reason}")
    except MemoryError as error:
        return _failed(f"there is not enough memory: {error}")
    except KeyboardInterrupt:
        before = f" before anything was {options.stopped}" if hasattr(options, "stopped") else ""
        print(f"minigrad-rnn: stopped{before}", file=sys.stderr)
        return 130


def _failed(message: str) -> int:
    print("minigrad-rnn:", message, file=sys.stderr)
    return 1


def _discard_output() -> None:
    """Python writes what is still in its buffer when it ends, and would fail once more."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="minigrad-rnn", description="Recurrent networks on minigrad.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser
