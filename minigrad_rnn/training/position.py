"""Where in the data an epoch stands, so that it can be taken up there."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import minigrad as mg

from .checkpoint import Progress
from .meter import Meter


def begin_epoch(progress: Progress, data: Any, validation: Any) -> None:
    """Note what decides the order of the epoch that begins."""
    progress.rng = progress.epoch_rng = mg.get_rng_state()
    progress.data, progress.validation = _state(data), _state(validation)
    progress.position, progress.carried, progress.meter = 0, None, Meter()


def put_back(progress: Progress, data: Any, validation: Any) -> None:
    """Put both to where the epoch began: their orders are drawn once more."""
    for batches, state in ((data, progress.data), (validation, progress.validation)):
        if state is not None and hasattr(batches, "load_state_dict"):
            batches.load_state_dict(state)


def _state(batches: Any) -> Any:
    return batches.state_dict() if hasattr(batches, "state_dict") else None


def remaining(progress: Progress, data: Iterable[Any], accumulate: int) -> Iterator[list[Any]]:
    """The batches of each step that is still to be made, from where the epoch stands.

    Its order is drawn as it was when the epoch began, what was taken is passed over, and the random numbers of training
    go on where they were.

    Raises:
        MinigradError: there are not so many batches.
    """
    mg.set_rng_state(progress.epoch_rng)
    batches = iter(data)
    taken = sum(1 for _ in itertools.islice(batches, progress.position))
    if taken < progress.position:
        raise mg.MinigradError(
            f"the checkpoint stands at batch {progress.position} of an epoch, and these data have {taken} only\n"
            "  hint: resume with the data, batch size and window that the run began with"
        )
    if taken:
        mg.set_rng_state(progress.rng)
    while group := list(itertools.islice(batches, accumulate)):
        yield group


def check_batches(batches: Any) -> None:
    """Refuse what is empty from the second epoch on."""
    if hasattr(batches, "__next__"):
        raise mg.MinigradError(
            f"the batches are an iterator ({type(batches).__name__}), which can be gone through only once\n"
            "  hint: a list of batches, or an object whose __iter__ begins anew, such as Batches"
        )
