"""Texts that any picture can hold."""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """A text without what XML and UTF-8 have no place for: control characters and lone surrogates become �."""
    return _UNPRINTABLE.sub("�", text)
