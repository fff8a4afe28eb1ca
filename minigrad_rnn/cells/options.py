"""Options given by keyword, sorted by who understands them."""

from __future__ import annotations

import dataclasses
import difflib
from typing import Any


def sorted_options(caller: str, options: dict[str, Any], *kinds: Any) -> list[Any]:
    """An instance of each of the dataclasses ``kinds``, made of the options that are its fields.

    Raises:
        TypeError: an option that is a field of none.
    """
    fields = {field.name: kind for kind in kinds for field in dataclasses.fields(kind)}
    for name in options:
        if name not in fields:
            close = difflib.get_close_matches(name, fields, 1)
            guess = f"; did you mean {close[0]}?" if close else ""
            raise TypeError(f"{caller}: there is no option {name}{guess}\n  options: {', '.join(fields)}")
    return [kind(**{name: value for name, value in options.items() if fields[name] is kind}) for kind in kinds]
