"""Writing and reading small files."""

import errno
import os
import resource
import socket
from pathlib import Path
from typing import Any

import pytest

from support.faults import give_away, limited
from support.probe import names_in, open_descriptors
from wellhead.durable import read_file, replace_file, sweep, write_new_file


def test_a_file_is_made_whole_and_private(tmp_path: Path) -> None:
    write_new_file(tmp_path / "a" / "b" / "file", b"content")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"content"
    assert (tmp_path / "a" / "b" / "file").stat().st_mode & 0o777 == 0o600
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700, 0o700]
    assert names_in(tmp_path / "a" / "b") == ["file"]


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    write_new_file(tmp_path / "file", b"first")
    write_new_file(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"
    assert names_in(tmp_path) == ["file"]


def test_S_03_a_link_that_points_nowhere_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "file").symlink_to(tmp_path / "elsewhere")
    write_new_file(tmp_path / "file", b"content")
    assert names_in(tmp_path) == ["file"]


def test_D_16_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = open_descriptors()
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            write_new_file(tmp_path / "file", b"content")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert not names_in(tmp_path)
    assert open_descriptors() == before


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o440])
def test_a_replaced_file_keeps_its_permissions_and_leaves_nothing_beside_it(tmp_path: Path, mode: int) -> None:
    write_new_file(tmp_path / "file", b"first")
    (tmp_path / "file").chmod(mode)
    replace_file(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"second"
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode
    assert names_in(tmp_path) == ["file"]


def test_a_replaced_file_keeps_its_owner(tmp_path: Path) -> None:
    write_new_file(tmp_path / "file", b"first")
    give_away(tmp_path / "file")
    replace_file(tmp_path / "file", b"second")
    assert ((tmp_path / "file").stat().st_uid, (tmp_path / "file").stat().st_gid) == (12345, 12345)


def test_D_16_a_file_that_cannot_be_replaced_stays_as_it_is(tmp_path: Path) -> None:
    write_new_file(tmp_path / "file", b"first")
    with limited(resource.RLIMIT_FSIZE, 5), pytest.raises(OSError, match="File too large"):
        replace_file(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"first"
    assert names_in(tmp_path) == ["file"]


def test_only_old_leftovers_of_ones_own_are_swept(tmp_path: Path) -> None:
    for name in (
        ".file.0123456789abcdef",
        ".file.fresh89abcdef012",
        ".file.0123456789abcde0",
        ".other.0123456789abcdef",
    ):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (0, 0))
    os.utime(tmp_path / ".file.0123456789abcde0")
    sweep(tmp_path / "file")
    sweep(tmp_path / "nowhere" / "file")
    assert names_in(tmp_path) == [".file.0123456789abcde0", ".file.fresh89abcdef012", ".other.0123456789abcdef"]


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, make_socket, lambda path: path.symlink_to("other")])
def test_S_03_only_ordinary_files_are_read(tmp_path: Path, make: Any) -> None:
    (tmp_path / "other").write_bytes(b"content")
    make(tmp_path / "file")
    before = open_descriptors()
    with pytest.raises(OSError, match=r"not an ordinary file|symbolic links|No such device"):
        read_file(tmp_path / "file", 100)
    assert open_descriptors() == before


def test_no_more_than_the_limit_and_one_byte_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    assert read_file(tmp_path / "file", 4)[0] == b"01234"
    assert read_file(tmp_path / "file", 10)[0] == b"0123456789"
