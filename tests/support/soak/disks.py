"""Directories that cannot be written, and disks without room."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support.soak.firing import ImpossibleError


@contextlib.contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """Let nothing be made in a directory: by its mode, or by an attribute, as no mode keeps root out."""
    is_root = os.geteuid() == 0
    on, off = (["chattr", "+i"], ["chattr", "-i"]) if is_root else (["chmod", "0500"], ["chmod", "0700"])
    if subprocess.run([*on, directory], capture_output=True, check=False).returncode:
        raise ImpossibleError("this user may not make a directory immutable")
    try:
        yield
    finally:
        subprocess.run([*off, directory], check=True)


async def fill(ballast: Path) -> None:
    """Take all room there is, and what becomes free, until cancelled."""
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        while True:
            for size in (1 << 16, 1):
                with contextlib.suppress(OSError):
                    while os.write(descriptor, b"x" * size):
                        pass
            await asyncio.sleep(0.01)
    finally:
        os.close(descriptor)
