"""The log of uses: when which data source's secrets were given out in clear, to what. It holds no secret."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Literal

from wellhead import clock
from wellhead.access.principal import acting_user
from wellhead.errors import StorageIOError

Action = Literal["resolve", "run"]
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class UseLog:
    """A file of JSON Lines that is only ever appended to."""

    def __init__(self, path: Path, workspace: Path) -> None:
        self._path = path
        self._workspace = workspace

    def add(self, action: Action, source_id: str, name: str | None, revision: int | None) -> None:
        """Write that a data source was used.

        Raises:
            StorageIOError: It could not be written, so the use must not happen.
        """
        line = {
            "at": clock.to_text(clock.now()),
            "action": action,
            "workspace": str(self._workspace),
            "id": source_id,
            "name": name,
            "revision": revision,
            "user": acting_user(),
            "pid": os.getpid(),
        }
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, _APPEND, 0o600)
            try:
                text = json.dumps(line).encode() + b"\n"
                if os.write(descriptor, text) != len(text):
                    raise OSError(errno.ENOSPC, "the disk is full")
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageIOError(f"The log of uses {self._path} cannot be written: {error.strerror}.") from error
