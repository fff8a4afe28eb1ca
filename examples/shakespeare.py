"""The text that the character models learn from. Not a script: they import it."""

from pathlib import Path

import minigrad as mg
from minigrad_rnn.data import read_text

WHERE = "the text used here is data/tinyshakespeare/input.txt of github.com/karpathy/char-rnn; any UTF-8 text will do"


def read(path: Path) -> str:
    """The text of a file; where there is none, the script ends and says where to get it."""
    try:
        return read_text(path)
    except mg.MinigradError as error:
        raise SystemExit(f"{error}\n  hint: {WHERE}") from None
