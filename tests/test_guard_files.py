"""Opening files on a user's behalf."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.probe import open_descriptors
from wellhead.errors import CheckFailedError
from wellhead.guard import files as guard_files
from wellhead.guard import openat2
from wellhead.guard.files import FileGuard, counted_file

NOBODY = 65534


@pytest.fixture(autouse=True, params=["openat2", "walk"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test runs over both ways of opening, with the system call and without."""
    if request.param == "walk":
        monkeypatch.setattr(openat2, "is_supported", lambda: False)
    elif not openat2.is_supported():
        pytest.skip("this system has no openat2")
    return str(request.param)


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
    before = open_descriptors()
    yield
    assert open_descriptors() == before


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


SWAPS = """
import os, sys
place, target = sys.argv[1:]
for _ in range(3_000):
    os.rename(place, place + "-aside")
    os.symlink(target, place)
    os.unlink(place)
    os.rename(place + "-aside", place)
"""


@pytest.mark.parametrize(
    ("swapped", "target"), [("in/side.csv", "outside.csv"), ("in", "elsewhere")], ids=["file", "directory"]
)
def test_F_03_what_is_swapped_for_a_link_never_leads_out(
    guard: FileGuard, workspace: Path, swapped: str, target: str
) -> None:
    outside = workspace.parent
    (outside / "elsewhere").mkdir()
    (outside / "elsewhere" / "side.csv").write_text("outside")
    seen = {read(guard, "in/side.csv")}

    with subprocess.Popen([sys.executable, "-ISc", SWAPS, workspace / swapped, outside / target]) as swapping:
        while swapping.poll() is None:
            try:
                seen.add(read(guard, "in/side.csv"))
            except CheckFailedError as error:
                seen.add(error.check_code.encode())

    assert swapping.returncode == 0
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


@pytest.mark.parametrize("place", ["/sys/fs/cgroup", "/proc/self", "/sys/kernel", "/proc/sys/kernel"])
def test_F_07_a_root_that_is_itself_of_the_kernel_gives_nothing(workspace: Path, place: str) -> None:
    inner = next((path for path in Path(place).rglob("*") if path.is_file()), None)
    if inner is None:
        pytest.skip(f"{place} is not mounted here")
    guard = FileGuard(workspace, [Path(place)])
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


def test_F_04_f_09_a_hard_link_to_a_record_of_the_store_is_refused(workspace: Path) -> None:
    store = workspace / ".datasources"
    (store / "history").mkdir(parents=True)
    for name in ("a.json", "history/b.json"):
        (store / name).write_text("record")
        os.link(store / name, workspace / f"{Path(name).stem}.json")
    (workspace / "c.json").write_text("data")
    os.link(workspace / "c.json", workspace / "d.json")
    guard = FileGuard(workspace, forbidden=[store])
    try:
        assert [refused(guard, name) for name in ("a.json", "b.json")] == ["file_unavailable"] * 2
        assert read(guard, "c.json") == read(guard, "d.json") == b"data"
    finally:
        guard.close()


@pytest.mark.parametrize("below", ["", "history"])
def test_F_09_a_root_that_leads_into_the_store_gives_nothing(workspace: Path, root: Path, below: str) -> None:
    store = workspace / ".datasources"
    (store / "history").mkdir(parents=True)
    (store / below / "a.json").write_text("record")
    (root / "link").symlink_to(store / below)
    guard = FileGuard(workspace, [root / "link"], forbidden=[store])
    try:
        assert refused(guard, f"{root}/link/a.json") == "file_unavailable"
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


@pytest.mark.parametrize(("size", "limit"), [(1000, 1000), (0, 0), (0, 1)])
def test_F_10_as_much_as_may_be_read_can_be_read(workspace: Path, size: int, limit: int) -> None:
    (workspace / "a.csv").write_bytes(b"x" * size)
    with counted_file(os.open(workspace / "a.csv", os.O_RDONLY), limit) as file:
        assert file.read() == b"x" * size


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Let go of root's rights, which would open everything."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)


def test_F_18_what_may_not_be_read_gives_the_same_answer_as_what_is_missing(guard: FileGuard, workspace: Path) -> None:
    (workspace / "denied.csv").write_text("x")
    (workspace / "closed").mkdir()
    (workspace / "closed" / "a.csv").write_text("x")
    for name in ("denied.csv", "closed"):
        (workspace / name).chmod(0)

    with as_nobody():
        for path in ("denied.csv", "closed/a.csv", "closed/missing.csv", "missing.csv"):
            assert refused(guard, path) == "file_unavailable"


def test_a_directory_that_may_be_entered_but_not_listed_is_entered(guard: FileGuard, workspace: Path) -> None:
    (workspace / "in").chmod(0o311)

    with as_nobody():
        assert read(guard, "in/side.csv") == b"inside"


class Opened:
    """What is opened below the roots, in whichever way; with an error set, it fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.error: int | None = None
        self._call, self._walk = openat2.open_below, os.open
        monkeypatch.setattr(openat2, "open_below", self.call)
        monkeypatch.setattr(guard_files.os, "open", self.walk)

    def call(self, directory: int, name: str, flags: int) -> int:
        self._note(name)
        return self._call(directory, name, flags)

    def walk(self, name: str, flags: int, *, dir_fd: int | None = None) -> int:
        if dir_fd is not None:
            self._note(name)
        return self._walk(name, flags, dir_fd=dir_fd)

    def _note(self, name: str) -> None:
        self.names.append(name)
        if self.error is not None:
            raise OSError(self.error, "private text")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """What is opened below the roots."""
    return Opened(monkeypatch)


def test_F_18_whether_a_file_outside_exists_changes_no_step_of_the_work(
    opened: Opened, guard: FileGuard, workspace: Path
) -> None:
    outside = workspace.parent
    for name, target in (("to_a_file", outside / "outside.csv"), ("to_nothing", outside / "nothing.csv")):
        (workspace / name).symlink_to(target)
    (workspace / "up").symlink_to(outside)

    for path, steps in {
        "to_a_file": ["to_a_file"],
        "to_nothing": ["to_nothing"],
        "up/outside.csv": ["up"],
        "up/nothing.csv": ["up"],
        str(outside / "outside.csv"): [],
        str(outside / "nothing.csv"): [],
        "../outside.csv": [],
        "../nothing.csv": [],
    }.items():
        opened.names.clear()
        assert refused(guard, path) == "file_unavailable"
        assert opened.names == steps


def test_F_19_a_root_that_is_replaced_by_a_link_stays_what_it_was(guard: FileGuard, root: Path, tmp_path: Path) -> None:
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "shared.csv").write_text("evil")
    root.rename(tmp_path / "moved")
    root.symlink_to(tmp_path / "evil")

    assert read(guard, str(root / "shared.csv")) == b"shared"


MACHINE = (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.EMFILE)
NAMES = (errno.EXDEV, errno.ENXIO, errno.ENODEV, errno.EINVAL, errno.EILSEQ, errno.EAGAIN, errno.EPERM, errno.ELOOP)


@pytest.mark.parametrize(
    ("code", "answer"),
    [*((code, "file_unreadable") for code in MACHINE), *((code, "file_unavailable") for code in NAMES)],
)
def test_F_18_only_an_error_of_the_machine_is_told_from_a_missing_file(
    opened: Opened, guard: FileGuard, code: int, answer: str
) -> None:
    opened.error = code

    assert refused(guard, "in/side.csv") == answer


def test_an_error_of_the_disk_while_it_is_read_is_told(workspace: Path) -> None:
    descriptor = os.open(workspace / "written.csv", os.O_WRONLY | os.O_CREAT)
    with counted_file(descriptor, 1000) as file, pytest.raises(CheckFailedError) as raised:
        file.read()

    assert raised.value.check_code == "file_unreadable"
    assert raised.value.__suppress_context__


def test_a_descriptor_is_all_that_another_process_needs(guard: FileGuard) -> None:
    descriptor = guard.open_descriptor("in/side.csv")
    program = f"from wellhead.guard.files import counted_file; print(counted_file({descriptor}, 100).read())"
    try:
        assert not os.get_inheritable(descriptor)
        run = [sys.executable, "-c", program]
        child = subprocess.run(run, pass_fds=[descriptor], cwd="/", env={}, capture_output=True, text=True, check=True)
    finally:
        os.close(descriptor)

    assert child.stdout == "b'inside'\n"


def test_a_root_that_is_not_there_leaves_no_other_open(workspace: Path, root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileGuard(workspace, [root, root / "missing"])


def test_what_is_opened_is_not_inherited_and_closes(guard: FileGuard) -> None:
    file = guard.open("in/side.csv")
    descriptor = file.fileno()
    assert not os.get_inheritable(descriptor)

    file.close()
    file.close()

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
