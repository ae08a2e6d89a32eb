"""Writing files so that a crash leaves all of them or nothing, and a power cut loses nothing acknowledged."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_new_file(path: Path, content: bytes) -> None:
    """Make a file with mode 0600, whole and on disk; do nothing if there is one already.

    The content is written under another name and linked to the right one, so that nobody ever sees half of it.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        os.unlink(temporary)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
