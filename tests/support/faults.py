"""Faults that tests bring about for real: small disks, read-only disks, limits, kills."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.programs import missing_service


@contextmanager
def mounted(directory: Path, *options: str) -> Iterator[Path]:
    """Mount a file system in memory; skip the test where that is not allowed."""
    done = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(directory)], capture_output=True, check=False)
    if done.returncode:
        missing_service(f"this user may not mount a file system: {done.stderr.decode().strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


@contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """Make a mounted file system read-only for a while."""
    subprocess.run(["mount", "-o", "remount,ro", str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(directory)], check=True)


@contextmanager
def limited(kind: int, value: int) -> Iterator[None]:
    """Set a limit of this process for a while."""
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


def give_away(path: Path) -> None:
    """Make a file somebody else's; skip the test where that is not allowed."""
    try:
        os.chown(path, 12345, 12345, follow_symlinks=False)
    except PermissionError:
        missing_service("this user may not give a file away")
