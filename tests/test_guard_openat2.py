"""The system call openat2."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wellhead.guard import openat2

pytestmark = pytest.mark.skipif(not openat2.is_supported(), reason="this system has no openat2")

FLAGS = os.O_RDONLY | os.O_CLOEXEC


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    """A directory with a file `in/side.csv`, held open."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "side.csv").write_text("inside")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


class Kernel:
    """Answers the call with errors, one after the other, and then with a descriptor."""

    def __init__(self, *errors: int) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, *_arguments: object) -> int:
        self.calls += 1
        if not self.errors:
            return os.open("/", os.O_RDONLY)
        ctypes.set_errno(self.errors.pop(0))
        return -1


@pytest.mark.parametrize("name", ["in/side.csv", "./in/../in/side.csv"])
def test_what_is_below_is_opened(directory: int, name: str) -> None:
    descriptor = openat2.open_below(directory, name, FLAGS)
    assert os.read(descriptor, 10) == b"inside"
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("name", ["..", "in/../..", "/", "/etc/hostname", "../in/side.csv"])
def test_F_01_the_kernel_lets_no_name_lead_out(directory: int, name: str) -> None:
    with pytest.raises(OSError, match="link") as raised:
        openat2.open_below(directory, name, FLAGS)
    assert raised.value.errno == errno.EXDEV


@pytest.mark.parametrize("target", ["in", "in/side.csv", "/proc/self/fd/0", "nothing"])
def test_F_02_the_kernel_follows_no_link_anywhere_on_the_way(directory: int, tmp_path: Path, target: str) -> None:
    (tmp_path / "link").symlink_to(target)

    for name in ("link", "link/side.csv"):
        with pytest.raises(OSError, match="symbolic") as raised:
            openat2.open_below(directory, name, FLAGS)
        assert raised.value.errno == errno.ELOOP


@pytest.mark.parametrize("name", ["in/side.csv\0.png", "\0", "in/\ud800"])
def test_F_08_a_name_that_c_would_cut_off_is_refused(directory: int, name: str) -> None:
    with pytest.raises(ValueError, match=r"null|surrogates"):
        openat2.open_below(directory, name, FLAGS)


def test_F_03_a_tree_that_moves_is_tried_again(directory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(errno.EAGAIN, errno.EINTR, errno.EAGAIN)
    monkeypatch.setattr(openat2, "_syscall", kernel)

    os.close(openat2.open_below(directory, "in", FLAGS))

    assert kernel.calls == 4


def test_F_03_a_tree_that_never_stands_still_is_given_up(directory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(*[errno.EAGAIN] * 1000)
    monkeypatch.setattr(openat2, "_syscall", kernel)

    with pytest.raises(BlockingIOError):
        openat2.open_below(directory, "in", FLAGS)

    assert kernel.calls == 16


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM, errno.EINVAL])
def test_a_kernel_or_a_sandbox_without_the_call_is_noticed(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openat2, "_syscall", Kernel(code))

    assert not openat2.is_supported()


def test_other_systems_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel()
    monkeypatch.setattr(openat2, "_syscall", kernel)
    monkeypatch.setattr(openat2.sys, "platform", "darwin")

    assert not openat2.is_supported()
    assert kernel.calls == 0
