"""Ctrl-C that waits for the step to end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass
class Request:
    """Whether Ctrl-C was pressed."""

    made: bool = False


@contextlib.contextmanager
def waiting_interrupts() -> Iterator[Request]:
    """Inside, the first Ctrl-C only leaves a note, so that no step is left half done; the second one interrupts.

    Outside the main thread, which alone gets signals, nothing changes.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(signum: int, frame: Any) -> None:  # noqa: ARG001
        if request.made:
            raise KeyboardInterrupt
        request.made = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield request
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.default_int_handler)
