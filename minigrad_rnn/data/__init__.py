"""Files in the usual formats, read; tasks that are generated exactly; and examples put together in batches.

Every reader returns plain lists of Python strings or NumPy arrays, and raises :class:`minigrad.FileError` with the file
and the line where it cannot read on.
"""

from .batches import bucketed, split
from .columns import read_columns
from .dates import dates
from .digits import drawn_digits, read_digits
from .labelled import Labelled, read_labelled
from .lines import read_lines, read_text
from .pairs import Pair, read_pairs
from .reviews import reviews
from .series import read_series
from .sounds import log_spectrogram, read_sound, read_sounds
from .source_code import labelled_pieces, standard_library, token_kinds

__all__ = [
    "Labelled",
    "Pair",
    "bucketed",
    "dates",
    "drawn_digits",
    "labelled_pieces",
    "log_spectrogram",
    "read_columns",
    "read_digits",
    "read_labelled",
    "read_lines",
    "read_pairs",
    "read_series",
    "read_sound",
    "read_sounds",
    "read_text",
    "reviews",
    "split",
    "standard_library",
    "token_kinds",
]
