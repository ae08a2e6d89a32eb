"""The directory of a store."""

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from support.faults import give_away, mounted
from support.probe import names_in, open_descriptors
from wellhead.errors import (
    InsufficientStorageError,
    StorageError,
    StorageIOError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from wellhead.storage.disk.directory import StoreDirectory, storage_error, temporary_file
from wellhead.storage.disk.leftovers import sweep


@pytest.fixture
def store(workspace: Path) -> Path:
    return workspace / ".datasources"


def test_C_18_the_directory_is_private_and_kept_out_of_git(workspace: Path, store: Path) -> None:
    StoreDirectory(workspace).open_for_writing()
    assert store.stat().st_mode & 0o777 == 0o700
    assert (store / ".gitignore").read_text() == "*\n"
    assert (store / ".gitignore").stat().st_mode & 0o777 == 0o600


def test_D_14_reading_makes_no_directory(workspace: Path) -> None:
    assert StoreDirectory(workspace).open() is None
    assert not list(workspace.iterdir())


def test_a_gitignore_of_the_users_own_is_kept(workspace: Path, store: Path) -> None:
    store.mkdir(mode=0o700)
    (store / ".gitignore").write_text("mine")
    StoreDirectory(workspace).open_for_writing()
    assert (store / ".gitignore").read_text() == "mine"


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_S_05_a_directory_that_others_may_write_to_is_refused_with_what_to_do(
    workspace: Path, store: Path, mode: int
) -> None:
    store.mkdir()
    store.chmod(mode)
    before = open_descriptors()
    with pytest.raises(StoreUnavailableError, match="chmod 700"):
        StoreDirectory(workspace).open()
    assert open_descriptors() == before


def test_S_05_a_directory_of_somebody_else_is_refused(workspace: Path, store: Path) -> None:
    store.mkdir(mode=0o700)
    give_away(store)
    with pytest.raises(StoreUnavailableError, match="another user"):
        StoreDirectory(workspace).open_for_writing()


def test_S_05_a_link_or_a_file_in_its_place_is_refused(workspace: Path, store: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    store.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailableError, match="ordinary directory"):
        StoreDirectory(workspace).open_for_writing()
    store.unlink()
    store.write_bytes(b"")
    with pytest.raises(StoreUnavailableError, match="ordinary directory"):
        StoreDirectory(workspace).open_for_writing()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_S_05_a_link_to_nowhere_is_not_written_through(workspace: Path, store: Path, tmp_path: Path) -> None:
    store.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailableError):
        StoreDirectory(workspace).open_for_writing()
    assert not (tmp_path / "elsewhere").exists()


def test_D_41_a_directory_that_was_moved_is_not_made_anew_and_is_used_when_it_returns(
    workspace: Path, store: Path
) -> None:
    directory = StoreDirectory(workspace)
    descriptor = directory.open_for_writing()
    store.rename(workspace / "moved")
    with pytest.raises(StoreUnavailableError, match="Put it back"):
        directory.open()
    with pytest.raises(StoreUnavailableError, match="Put it back"):
        directory.open_for_writing()
    assert not store.exists()
    (workspace / "moved").rename(store)
    assert directory.open() == descriptor


def test_D_41_another_directory_in_its_place_is_not_taken_for_it(workspace: Path, store: Path) -> None:
    directory = StoreDirectory(workspace)
    directory.open_for_writing()
    store.rename(workspace / "moved")
    store.mkdir(mode=0o700)
    with pytest.raises(StoreUnavailableError):
        directory.open()


def test_D_41_a_workspace_that_became_a_file_is_an_error_of_the_store(workspace: Path) -> None:
    directory = StoreDirectory(workspace)
    directory.open_for_writing()
    workspace.rename(workspace.with_name("moved"))
    workspace.write_bytes(b"")
    with pytest.raises(StoreUnavailableError):
        directory.open()


def test_many_threads_open_the_directory_once(workspace: Path) -> None:
    directory = StoreDirectory(workspace)
    before = open_descriptors()
    barrier = threading.Barrier(8)
    threads = [threading.Thread(target=lambda: (barrier.wait(), directory.open_for_writing())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert open_descriptors() == before + 1
    directory.close()
    assert open_descriptors() == before


def test_S_08_a_temporary_file_is_private_new_and_gone_after_an_error(workspace: Path, store: Path) -> None:
    descriptor = StoreDirectory(workspace).open_for_writing()
    names = set()
    for _ in range(2):
        with pytest.raises(KeyError), temporary_file(descriptor, b"content", durable=True) as name:
            names.add(name)
            assert (store / name).read_bytes() == b"content"
            assert (store / name).stat().st_mode & 0o777 == 0o600
            raise KeyError
    assert len(names) == 2
    assert names_in(store) == [".gitignore"]


def test_D_20_where_cleaning_up_fails_too_the_first_error_is_told(workspace: Path, store: Path) -> None:
    descriptor = StoreDirectory(workspace).open_for_writing()
    with pytest.raises(InsufficientStorageError), temporary_file(descriptor, b"", durable=True) as name:
        (store / name).unlink()
        (store / name).mkdir()  # which unlink cannot remove
        raise OSError(errno.ENOSPC, "full")


def test_D_12_a_full_disk_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    with mounted(tmp_path, "-o", "size=64k"):
        directory = StoreDirectory(tmp_path)
        descriptor = directory.open_for_writing()
        before = open_descriptors()
        with pytest.raises(InsufficientStorageError), temporary_file(descriptor, bytes(1 << 20), durable=True):
            pytest.fail("it does not fit")
        assert names_in(tmp_path / ".datasources") == [".gitignore"]
        assert open_descriptors() == before
        directory.close()


def test_D_13_a_disk_without_inodes_is_a_full_disk(tmp_path: Path) -> None:
    with mounted(tmp_path, "-o", "nr_inodes=3"):
        directory = StoreDirectory(tmp_path)
        descriptor = directory.open_for_writing()
        with pytest.raises(InsufficientStorageError), temporary_file(descriptor, b"", durable=True):
            pytest.fail("there is no inode")
        directory.close()


def test_D_11_where_the_store_itself_cannot_be_made_no_half_of_it_is_used(tmp_path: Path) -> None:
    with mounted(tmp_path, "-o", "nr_inodes=2"):
        directory = StoreDirectory(tmp_path)
        before = open_descriptors()
        with pytest.raises(InsufficientStorageError):
            directory.open_for_writing()
        assert open_descriptors() == before


def test_D_21_leftovers_are_swept_only_if_they_are_old_and_our_own(workspace: Path, store: Path) -> None:
    descriptor = StoreDirectory(workspace).open_for_writing()
    old, kept = ".tmp-0123456789abcdef", {".tmp-fedcba9876543210", ".tmp-editor", "x.tmp-0123456789abcdef"}
    for name in {old, *kept}:
        (store / name).write_bytes(b"")
        hour_ago = time.time() - 3600
        os.utime(store / name, None if name == ".tmp-fedcba9876543210" else (hour_ago, hour_ago))
    sweep(descriptor)
    assert set(names_in(store)) == {".gitignore", *kept}


def test_D_21_leftovers_of_somebody_else_are_not_swept(workspace: Path, store: Path) -> None:
    descriptor = StoreDirectory(workspace).open_for_writing()
    path = store / ".tmp-0123456789abcdef"
    path.write_bytes(b"")
    os.utime(path, (0, 0))
    give_away(path)
    sweep(descriptor)
    assert path.exists()


def test_D_21_a_sweep_does_not_stumble_over_files_that_go_while_it_looks(workspace: Path, store: Path) -> None:
    descriptor = StoreDirectory(workspace).open_for_writing()
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            with temporary_file(descriptor, b"", durable=False) as name:
                (store / name).unlink()

    threads = [threading.Thread(target=come_and_go) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(300):
            sweep(descriptor)
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, InsufficientStorageError),
        (errno.EDQUOT, InsufficientStorageError),
        (errno.EROFS, StoreReadOnlyError),
        (errno.EACCES, StoreReadOnlyError),
        (errno.EPERM, StoreReadOnlyError),
        (errno.EMFILE, StoreUnavailableError),
        (errno.ENFILE, StoreUnavailableError),
        (errno.ENOLCK, StoreUnavailableError),
        (errno.EIO, StorageIOError),
        (errno.EFBIG, StorageIOError),
        (errno.EXDEV, StorageIOError),
    ],
)
def test_errors_of_the_operating_system_become_errors_of_the_store(number: int, kind: type[StorageError]) -> None:
    assert type(storage_error(OSError(number, "text"))) is kind
