"""Opening files on a user's behalf."""

from __future__ import annotations

import errno
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wellhead.errors import CheckFailedError
from wellhead.guard import files as guard_files
from wellhead.guard.files import FileGuard


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory that the settings list, with a file in it."""
    path = tmp_path / "root"
    path.mkdir()
    (path / "shared.csv").write_text("shared")
    return path


@pytest.fixture
def guard(workspace: Path, root: Path) -> Iterator[FileGuard]:
    """A guard of a workspace with a file `in/side.csv`, and of one more root."""
    (workspace / "in").mkdir()
    (workspace / "in" / "side.csv").write_text("inside")
    (workspace.parent / "outside.csv").write_text("outside")
    made = FileGuard(workspace, [root])
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_descriptor_left() -> Iterator[None]:
    before = len(_descriptors())
    yield
    assert len(_descriptors()) == before


def _descriptors() -> list[str]:
    return os.listdir("/proc/self/fd")  # noqa: PTH208  # names are all that is wanted


def read(guard: FileGuard, path: str) -> bytes:
    with guard.open(path) as file:
        return file.read()


def refused(guard: FileGuard, path: str) -> str:
    with pytest.raises(CheckFailedError) as raised:
        guard.open(path)
    assert raised.value.__cause__ is None
    assert (raised.value.text, raised.value.hint, raised.value.fields) == (None, None, None)
    return raised.value.check_code


def test_files_below_the_workspace_and_below_a_root_are_opened(guard: FileGuard, root: Path) -> None:
    assert read(guard, "in/side.csv") == b"inside"
    assert read(guard, str(root / "shared.csv")) == b"shared"


UNWANTED = [
    "../outside.csv", "in/../../outside.csv", "..", ".", "", "/", "in", "in/", "in//side.csv", "./in/side.csv",
    "/etc/passwd", "/proc/self/status", "/sys/kernel/notes", "~/x", "in/side.csv/x", "missing.csv", "x" * 300,
    "in/" + "y/" * 400 + "z", "https://example.com/a.csv", "file:///etc/passwd", "in\\side.csv",
]  # fmt: skip


@pytest.mark.parametrize("path", UNWANTED)
def test_F_01_f_18_whatever_is_not_a_file_below_a_root_gives_one_answer(guard: FileGuard, path: str) -> None:
    assert refused(guard, path) == "file_unavailable"


@pytest.mark.parametrize("path", ["in/side.csv\0.png", "\0", "in/\ud800", "in/side.csv\n"])
def test_F_08_a_path_that_no_file_can_have_gives_the_same_answer(guard: FileGuard, path: str) -> None:
    assert refused(guard, path) == "file_unavailable"


def test_F_01_the_root_itself_and_its_neighbours_are_refused(guard: FileGuard, root: Path, tmp_path: Path) -> None:
    (tmp_path / "root-other.csv").write_text("no")

    for path in (str(root), f"{root}/", f"{root}-other.csv", f"{root}/../outside.csv", f"/{root}/shared.csv"):
        assert refused(guard, path) == "file_unavailable"


def test_F_02_links_are_not_followed_wherever_they_lead(guard: FileGuard, workspace: Path) -> None:
    (workspace / "link.csv").symlink_to(workspace.parent / "outside.csv")
    (workspace / "inner.csv").symlink_to(workspace / "in" / "side.csv")
    (workspace / "there").symlink_to(workspace.parent)
    (workspace / "loop").symlink_to("loop")
    (workspace / "magic").symlink_to("/proc/self/fd/0")

    for path in ("link.csv", "inner.csv", "there/outside.csv", "loop", "loop/x", "magic"):
        assert refused(guard, path) == "file_unavailable"


def test_F_03_a_file_that_is_swapped_for_a_link_never_leads_out(guard: FileGuard, workspace: Path) -> None:
    place, spare, link = workspace / "swap.csv", workspace / "spare.csv", workspace / "link.csv"
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            spare.write_text("inside")
            spare.replace(place)
            link.unlink(missing_ok=True)
            link.symlink_to(workspace.parent / "outside.csv")
            link.replace(place)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set()
    end = time.monotonic() + 1
    while time.monotonic() < end:
        try:
            seen.add(read(guard, "swap.csv"))
        except CheckFailedError as error:
            seen.add(error.check_code.encode())
    over.set()
    swapper.join()

    assert seen == {b"inside", b"file_unavailable"}


def test_F_03_a_directory_that_is_swapped_for_a_link_never_leads_out(guard: FileGuard, workspace: Path) -> None:
    (workspace.parent / "elsewhere").mkdir()
    (workspace.parent / "elsewhere" / "side.csv").write_text("outside")
    place, aside, link = workspace / "in", workspace / "aside", workspace / "link"
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            place.rename(aside)
            link.symlink_to(workspace.parent / "elsewhere")
            link.rename(place)
            place.unlink()
            aside.rename(place)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set()
    end = time.monotonic() + 1
    while time.monotonic() < end:
        try:
            seen.add(read(guard, "in/side.csv"))
        except CheckFailedError as error:
            seen.add(error.check_code.encode())
    over.set()
    swapper.join()

    assert seen == {b"inside", b"file_unavailable"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_F_04_a_hard_link_to_somebody_elses_file_is_refused(guard: FileGuard, workspace: Path) -> None:
    other = workspace.parent / "outside.csv"
    os.link(other, workspace / "hard.csv")
    assert read(guard, "hard.csv") == b"outside"

    os.chown(other, 12345, 12345)

    assert refused(guard, "hard.csv") == "file_unavailable"


def test_F_05_f_06_what_is_no_ordinary_file_is_refused_at_once(guard: FileGuard, workspace: Path) -> None:
    os.mkfifo(workspace / "fifo")
    (workspace / "directory").mkdir()
    inside = os.open(workspace, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{inside}/socket")
    os.close(inside)
    started = time.monotonic()

    for path in ("fifo", "directory", "socket"):
        assert refused(guard, path) == "file_unavailable"
    assert time.monotonic() - started < 0.5


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make devices")
def test_F_06_devices_are_refused(guard: FileGuard, workspace: Path) -> None:
    try:
        os.mknod(workspace / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("devices cannot be made here")

    assert refused(guard, "zero") == "file_unavailable"


def test_F_07_files_of_the_kernel_are_refused_even_below_a_root(workspace: Path) -> None:
    guard = FileGuard(workspace, [Path("/")])
    try:
        for path in ("/proc/self/environ", "/proc/version", "/sys/kernel/uevent_seqnum", "/proc/1/maps"):
            assert refused(guard, path) == "file_unavailable"
        assert read(guard, "/etc/hostname")
    finally:
        guard.close()


def test_F_07_what_is_mounted_below_the_kernels_directories_is_refused_too(workspace: Path) -> None:
    inner = next((path for path in Path("/sys/fs/cgroup").rglob("cgroup.procs") if path.is_file()), None)
    if inner is None:
        pytest.skip("no cgroup file system is mounted")
    guard = FileGuard(workspace, [Path("/")])
    try:
        assert refused(guard, str(inner)) == "file_unavailable"
    finally:
        guard.close()


def test_F_09_hidden_files_and_the_store_are_refused(guard: FileGuard, workspace: Path) -> None:
    (workspace / ".datasources").mkdir()
    (workspace / ".datasources" / "x.json").write_text("{}")
    (workspace / ".env").write_text("KEY=1")
    (workspace / "in" / ".hidden").write_text("x")

    for path in (".datasources/x.json", ".env", "in/.hidden", "in/../.env"):
        assert refused(guard, path) == "file_unavailable"


def test_F_09_forbidden_files_are_refused_by_whatever_path_they_are_reached(workspace: Path, root: Path) -> None:
    keys = root / "keys.json"
    keys.write_text("key")
    (root / "store").mkdir()
    (root / "store" / "record.json").write_text("record")
    os.link(keys, workspace / "hard.csv")
    guard = FileGuard(workspace, [root], forbidden=[keys, root / "store", root / "not made yet"])
    try:
        for path in (str(keys), str(root / "store" / "record.json"), "hard.csv"):
            assert refused(guard, path) == "file_unavailable"
        keys.unlink()
        (root / "new").write_text("new key")
        (root / "new").rename(keys)
        assert refused(guard, str(keys)) == "file_unavailable"
        assert read(guard, str(root / "shared.csv")) == b"shared"
    finally:
        guard.close()


def test_F_10_what_counts_is_what_was_read_not_what_the_file_says(workspace: Path) -> None:
    (workspace / "large.csv").write_bytes(b"x" * 3000)
    guard = FileGuard(workspace, max_bytes=1000)
    try:
        with guard.open("large.csv") as file, pytest.raises(CheckFailedError) as raised:
            file.read()
        assert raised.value.check_code == "file_too_large"
    finally:
        guard.close()


def test_F_10_a_file_that_grows_while_it_is_read_ends(workspace: Path) -> None:
    place = workspace / "growing.csv"
    place.write_bytes(b"x" * 100)
    guard = FileGuard(workspace, max_bytes=200_000)
    total = 0
    try:
        with guard.open("growing.csv") as file, pytest.raises(CheckFailedError):
            while chunk := file.read(10):
                total += len(chunk)
                with place.open("ab") as more:
                    more.write(b"x" * 10_000)
    finally:
        guard.close()
    assert total <= 200_000


def test_F_19_a_root_that_is_replaced_by_a_link_stays_what_it_was(guard: FileGuard, root: Path, tmp_path: Path) -> None:
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "shared.csv").write_text("evil")
    root.rename(tmp_path / "moved")
    root.symlink_to(tmp_path / "evil")

    assert read(guard, str(root / "shared.csv")) == b"shared"


def test_an_error_of_the_disk_is_told_from_a_missing_file(guard: FileGuard, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_keywords: object) -> int:
        raise OSError(errno.EIO, "disk")

    monkeypatch.setattr(guard_files.os, "open", broken)

    assert refused(guard, "in/side.csv") == "file_unreadable"


def test_what_is_opened_is_not_inherited_and_closes(guard: FileGuard) -> None:
    file = guard.open("in/side.csv")
    descriptor = file.fileno()
    assert not os.get_inheritable(descriptor)

    file.close()
    file.close()

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
