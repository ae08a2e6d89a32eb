"""The lock of a store, with real processes."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.probe import open_descriptors
from support.workers import count_under_lock, hold_lock, started, stop, take_turns, together
from wellhead.errors import StoreBusyError, StoreUnavailableError
from wellhead.storage.disk.locks import StoreLock, _lock_at_once, _Waiter


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def holder(tmp_path: Path, directory: int) -> Iterator[tuple[Any, Any]]:
    """A process that holds the lock."""
    process, pipe = started(hold_lock, tmp_path)
    assert pipe.recv() == "held"
    yield process, pipe
    process.kill()
    process.join()


def seconds_to_hold(lock: StoreLock, directory: int) -> float:
    start = time.monotonic()
    with lock.hold(directory):
        return time.monotonic() - start


def is_busy(lock: StoreLock, directory: int) -> bool:
    try:
        with lock.hold(directory):
            return False
    except StoreBusyError:
        return True


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def lock_threads() -> int:
    return sum(thread.name == "wellhead-lock" for thread in threading.enumerate())


def test_processes_exclude_each_other(tmp_path: Path) -> None:
    (tmp_path / "counter").write_text("0")
    together(count_under_lock, 4, tmp_path, 100)
    assert (tmp_path / "counter").read_text() == "400"


def test_threads_with_locks_of_their_own_or_one_in_common_exclude_each_other(tmp_path: Path, directory: int) -> None:
    (tmp_path / "counter").write_text("0")
    common = StoreLock()

    def count(lock: StoreLock) -> None:
        for _ in range(50):
            with lock.hold(directory):
                number = int((tmp_path / "counter").read_text())
                (tmp_path / "counter").write_text(str(number + 1))

    threads = [threading.Thread(target=count, args=[lock]) for lock in (common, common, StoreLock(), StoreLock())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "counter").read_text() == "200"


def test_D_32_the_next_one_gets_the_lock_at_once_when_its_holder_is_killed(holder: Any, directory: int) -> None:
    process, _ = holder
    threading.Timer(0.2, process.kill).start()
    assert 0.1 < seconds_to_hold(StoreLock(10.0), directory) < 2


def test_D_33_a_holder_that_was_stopped_makes_the_store_busy_at_the_deadline(holder: Any, directory: int) -> None:
    process, _ = holder
    stop(process)
    start = time.monotonic()
    assert is_busy(StoreLock(0.2), directory)
    assert 0.15 < time.monotonic() - start < 1


def test_D_33_waiting_in_vain_leaves_one_thread_and_one_descriptor_however_often(holder: Any, directory: int) -> None:
    lock = StoreLock(0.02)
    before, threads_before = open_descriptors(), lock_threads()
    assert all(is_busy(lock, directory) for _ in range(10))
    assert open_descriptors() <= before + 1
    assert lock_threads() <= threads_before + 1


def test_D_33_a_lock_that_comes_after_its_waiter_gave_up_is_given_back(holder: Any, directory: int) -> None:
    _, pipe = holder
    before = open_descriptors()
    waiting = StoreLock(0.02)
    assert is_busy(waiting, directory)
    pipe.send("release")
    assert pipe.recv() == "released"
    assert seconds_to_hold(StoreLock(5.0), directory) < 5
    wait_until(lambda: open_descriptors() == before)
    assert not is_busy(waiting, directory)
    assert open_descriptors() == before


def test_D_33_a_wait_that_was_given_up_can_be_taken_up_again(holder: Any, directory: int) -> None:
    _, pipe = holder
    before = open_descriptors()
    lock = StoreLock(0.3)
    assert is_busy(lock, directory)
    threading.Timer(0.05, pipe.send, ["release"]).start()
    assert seconds_to_hold(lock, directory) < 0.3
    assert is_busy(StoreLock(0.05), directory) is False
    wait_until(lambda: open_descriptors() == before)


def test_giving_up_while_the_lock_comes_never_loses_or_leaks_it(directory: int) -> None:
    before = open_descriptors()
    holding, waiting = StoreLock(10.0), StoreLock(0.002)
    for number in range(300):
        with holding.hold(directory):
            thread = threading.Thread(target=is_busy, args=[waiting, directory])
            thread.start()
            time.sleep(0.0005 * (number % 8))
        thread.join()
    assert not is_busy(StoreLock(5.0), directory)
    wait_until(lambda: open_descriptors() == before)


def test_D_34_whoever_waits_for_a_lock_file_that_was_removed_takes_the_new_one(
    tmp_path: Path, directory: int, holder: Any
) -> None:
    _, pipe = holder
    waiting = StoreLock(0.02)
    assert is_busy(waiting, directory)
    (tmp_path / ".lock").unlink()
    assert not is_busy(waiting, directory)
    pipe.send("release")


def test_D_34_a_lock_on_a_file_that_was_removed_meanwhile_is_not_taken_for_the_lock(
    tmp_path: Path, directory: int, holder: Any
) -> None:
    _, pipe = holder
    entered = threading.Event()

    def wait_and_enter() -> None:
        with StoreLock(20.0).hold(directory):
            entered.set()

    threads = lock_threads()
    thread = threading.Thread(target=wait_and_enter)
    thread.start()
    wait_until(lambda: lock_threads() == threads + 1)
    (tmp_path / ".lock").unlink()
    with StoreLock().hold(directory):
        pipe.send("release")
        assert pipe.recv() == "released"
        assert not entered.wait(0.2)
    thread.join()
    assert entered.is_set()


def test_D_34_whoever_holds_a_lock_file_that_was_removed_may_not_write_any_more(tmp_path: Path, directory: int) -> None:
    with StoreLock().hold(directory) as check_held:
        check_held()
        (tmp_path / ".lock").unlink()
        with pytest.raises(StoreBusyError, match="removed"):
            check_held()
        with StoreLock(0.1).hold(directory) as other_check_held:
            other_check_held()
            with pytest.raises(StoreBusyError):
                check_held()


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("other"), lambda path: path.symlink_to("/dev/null")]
)
def test_D_35_S_03_a_lock_file_that_is_no_file_is_refused_at_once(tmp_path: Path, directory: int, make: Any) -> None:
    make(tmp_path / ".lock")
    before, start = open_descriptors(), time.monotonic()
    with pytest.raises(StoreUnavailableError, match="not an ordinary file"), StoreLock().hold(directory):
        pytest.fail("it was locked")
    assert time.monotonic() - start < 1
    assert open_descriptors() == before
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("ask", [_lock_at_once, lambda descriptor: _Waiter(descriptor).wait(time.monotonic() + 5)])
def test_D_36_where_the_system_gives_no_locks_the_store_is_unavailable_at_once(tmp_path: Path, ask: Any) -> None:
    (tmp_path / "file").write_bytes(b"")
    before, start = open_descriptors(), time.monotonic()
    with pytest.raises(StoreUnavailableError):
        ask(os.open(tmp_path / "file", os.O_PATH))  # which flock refuses, as it does on some network mounts
    assert time.monotonic() - start < 1
    assert open_descriptors() == before


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_D_38_a_child_that_was_forked_meanwhile_does_not_prolong_the_lock(directory: int) -> None:
    read_end, write_end = os.pipe()
    with StoreLock().hold(directory):
        child = os.fork()
        if child == 0:
            os.read(read_end, 1)
            os._exit(0)
    try:
        assert seconds_to_hold(StoreLock(2.0), directory) < 1
    finally:
        os.write(write_end, b"x")
        os.waitpid(child, 0)
        os.close(read_end)
        os.close(write_end)


def test_D_38_a_command_that_is_run_meanwhile_does_not_inherit_the_lock(directory: int) -> None:
    with StoreLock().hold(directory):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        assert seconds_to_hold(StoreLock(2.0), directory) < 1
        open_there = [path.readlink() for path in Path(f"/proc/{child.pid}/fd").iterdir()]
        assert not any(path.name == ".lock" for path in open_there)
    finally:
        child.kill()
        child.wait()


def test_an_error_under_the_lock_gives_it_back(directory: int) -> None:
    lock = StoreLock(0.1)
    with pytest.raises(KeyError), lock.hold(directory):
        raise KeyError
    assert not is_busy(lock, directory)
    assert not is_busy(StoreLock(0.1), directory)


def test_a_lock_that_is_taken_is_not_waited_for(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    one, other = StoreLock(5.0), StoreLock(5.0)
    with one.hold_if_free(descriptor) as held:
        assert held
        for lock in (one, other):
            with lock.hold_if_free(descriptor) as again:
                assert not again
    with other.hold_if_free(descriptor) as held:
        assert held
    os.close(descriptor)


def test_locks_of_two_names_do_not_exclude_each_other(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with StoreLock(5.0).hold(descriptor), StoreLock(5.0, name=".other").hold_if_free(descriptor) as held:
        assert held
    os.close(descriptor)


def test_D_37_of_eight_processes_that_want_the_lock_none_is_passed_over_for_long(tmp_path: Path) -> None:
    (tmp_path / "turns").touch()

    waited = together(take_turns, 8, tmp_path, 40)

    # A turn takes 2 ms: half a second, which nobody is to wait for longer, are 250 of them.
    assert max(turns for of_one in waited for turns in of_one) < 100
    assert (tmp_path / "turns").stat().st_size == 8 * 40
