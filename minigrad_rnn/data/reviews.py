"""Reviews that are made up, and whether they praise or blame, where the order of the words decides."""

from __future__ import annotations

import numpy

from .labelled import Labelled

GOOD = ("brilliant", "charming", "clever", "funny", "gripping", "lovely", "moving", "warm")
BAD = ("awful", "boring", "clumsy", "dull", "flat", "noisy", "silly", "weak")
THINGS = ("acting", "camera", "ending", "film", "music", "plot", "story", "writing")
TURNS = ("not", "never", "hardly")
DEGREES = ("really", "quite", "very", "rather")


def review(rng: numpy.random.Generator) -> Labelled:
    """A review of one to three statements, the last of which decides.

    A statement praises or blames a thing; ``not`` and its like turn it around, as does ``not`` before them again. So
    the same words in another order may mean the opposite, and who only counts them has to guess.
    """
    statements, good = [], False
    for _ in range(rng.integers(1, 4)):
        praises = bool(rng.integers(2))
        turns = [TURNS[rng.integers(len(TURNS))] for _ in range(rng.integers(0, 3))]
        degree = [DEGREES[rng.integers(len(DEGREES))]] * int(rng.integers(2))
        word = (GOOD if praises else BAD)[rng.integers(8)]
        statements.append(" ".join(["the", THINGS[rng.integers(len(THINGS))], "was", *turns, *degree, word]))
        good = praises != (len(turns) % 2 == 1)
    return Labelled(" but ".join(statements), "good" if good else "bad")


def reviews(count: int, seed: int = 0) -> list[Labelled]:
    """So many reviews.

    >>> for review in reviews(2, seed=4):
    ...     print(f"{review.label}: {review.text}")
    bad: the film was never hardly rather brilliant but the music was quite moving but the acting was hardly not weak
    bad: the writing was not rather warm but the film was hardly never rather boring
    """
    rng = numpy.random.default_rng(seed)
    return [review(rng) for _ in range(count)]
