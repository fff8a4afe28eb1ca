"""The command line: a module for each command, or for two that belong together."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import minigrad as mg

from . import classify, demo, draw, language, plot, tag, translate, tree

COMMANDS = (demo, language, translate, tag, classify, tree, draw, plot)  # in the order in which --help lists them


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 1 failed with a message on stderr, 130 stopped by Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except mg.MinigradError as error:
        print("minigrad-rnn:", "; ".join(line.strip() for line in str(error).splitlines()), file=sys.stderr)
        return 1
    except OSError as error:
        print(f"minigrad-rnn: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"minigrad-rnn: stopped before anything was {getattr(options, 'stopped', 'learned')}", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="minigrad-rnn", description="Recurrent networks on minigrad.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser
