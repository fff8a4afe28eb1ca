"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from .errors import FileError


def replace_file(path: str | os.PathLike[str], content: bytes | str) -> Path:
    """Write beside the file, make sure it is on the disk, and move it into place in one step.

    So a reader sees the old file or the new one, and a failure leaves the old one as it was.

    Args:
        path: the file; a link is followed.
        content: bytes, or text that is written as UTF-8.

    Returns:
        The path written to.

    Raises:
        FileError: it cannot be written; the message says why.
    """
    try:
        path = Path(os.path.realpath(path))
    except ValueError as error:
        raise FileError(f"cannot write {os.fspath(path)!r}: {error}") from None
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with beside.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            # the methods of a path refuse to tell this of a name that is too long
            reason = "it is a folder" if os.path.isdir(path) else error.strerror or str(error)  # noqa: PTH112
            if not path.parent.is_dir():
                reason = f"there is no folder {path.parent}"
            raise FileError(f"cannot write {path}: {reason}") from error
        raise
    return path
