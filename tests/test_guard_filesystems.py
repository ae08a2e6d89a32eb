"""Telling the kernel's file systems from those with data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wellhead.guard.filesystems import is_of_the_kernel

KERNEL = ("/proc", "/proc/self/status", "/sys", "/sys/fs/cgroup", "/dev/pts", "/dev/mqueue", "/sys/kernel/debug")


@contextmanager
def opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_PATH)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("path", KERNEL)
def test_F_07_the_kernels_file_systems_are_known(path: str) -> None:
    mounts = {line.split()[1]: line.split()[2] for line in Path("/proc/mounts").read_text().splitlines()}
    place = next(str(above) for above in (Path(path), *Path(path).parents) if str(above) in mounts)
    if mounts[place] in {"tmpfs", "devtmpfs", "overlay", "ext4"}:
        pytest.skip(f"nothing of the kernel is mounted at {path}")

    with opened(path) as descriptor:
        assert is_of_the_kernel(descriptor)


@pytest.mark.parametrize("path", ["/", "/dev/shm", "/etc"])
def test_file_systems_with_data_are_not_refused(path: str) -> None:
    with opened(path) as descriptor:
        assert not is_of_the_kernel(descriptor)


def test_what_does_not_tell_is_an_error_and_not_a_yes() -> None:
    with pytest.raises(OSError, match="descriptor"):
        is_of_the_kernel(-1)


def test_a_temporary_directory_has_data(tmp_path: Path) -> None:
    with opened(str(tmp_path)) as descriptor:
        assert not is_of_the_kernel(descriptor)
