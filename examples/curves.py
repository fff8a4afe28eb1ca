"""Curves of noisy figures. Not a script: the experiments import it."""

from typing import NamedTuple

import numpy as np

LATEST = 50


class Curve(NamedTuple):
    """The mean of the latest 50 figures, behind every update from the 50th on; of all, where there are fewer."""

    updates: np.ndarray
    means: np.ndarray


def smoothed(figures: list[float]) -> Curve:
    """The curve of one figure for each update; there has to be one."""
    width = min(LATEST, len(figures))
    means = np.convolve(figures, np.full(width, 1 / width), "valid")
    return Curve(np.arange(width, width + len(means)), means)
