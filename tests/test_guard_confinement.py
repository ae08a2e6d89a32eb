"""What Python alone can try from inside a worker: past the audit hook, and with it out of the way."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import socket
import sys
import syslog
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import psutil
import pytest

import wellhead
from support.validating import outcomes, pool_for, service_for
from wellhead.guard.egress import EgressPolicy
from wellhead.guard.files import FileGuard
from wellhead.model.result import ValidationResult
from wellhead.validation.pool import WorkerPool

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, isolation is weaker, and the start says so"),
]

Context = wellhead.ValidationContext


class Bad(wellhead.DataSourceConfig):
    """A data source of a bad plugin."""

    type: Literal["bad"] = "bad"
    port: int = 1
    path: str = ""


@pytest.fixture
def files(workspace: Path) -> Iterator[FileGuard]:
    """Opens files of the workspace."""
    made = FileGuard(workspace)
    yield made
    made.close()


@pytest.fixture(scope="module")
def public_pool() -> Iterator[WorkerPool]:
    """The pool of a service for several users."""
    made = pool_for(EgressPolicy.parse((), (), public_only=True), memory=256)
    yield made
    made.close()


async def run(files: FileGuard, validator: Any, config: Bad | None = None, **keywords: Any) -> ValidationResult:
    one = wellhead.DataSourceType(Bad, validator)
    return await service_for(one, files=files, **keywords).validate(config or Bad(name="a"))


class TwoFaced(tuple[Any, ...]):
    """Shows Python another address than the one that is dialled."""

    __slots__ = ()

    def __getitem__(self, place: Any) -> Any:
        return ("8.8.8.8", 53)[place]


class Liar(str):
    """Shows Python another text than the one that it is."""

    __slots__ = ()

    def __str__(self) -> str:
        return "8.8.8.8"


async def dials_with_two_faces(config: Bad, context: Context) -> None:
    async with context.check("one"):
        socket.socket().connect(TwoFaced(("127.0.0.1", config.port)))


async def dials_with_a_lie(config: Bad, context: Context) -> None:
    async with context.check("one"):
        socket.socket().connect((Liar("127.0.0.1"), config.port))


async def dials_without_an_exception(config: Bad, context: Context) -> None:
    async with context.check("one"):
        if socket.socket().connect_ex(TwoFaced(("127.0.0.1", config.port))):
            raise ConnectionError


@pytest.mark.parametrize("validator", [dials_with_two_faces, dials_with_a_lie, dials_without_an_exception])
async def test_N_08_an_address_that_shows_two_faces_is_not_dialled(
    files: FileGuard, public_pool: WorkerPool, validator: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)

        result = await run(files, validator, Bad(name="a", port=server.getsockname()[1]), pool=public_pool)

        with pytest.raises(BlockingIOError):
            server.accept()
    assert outcomes(result) == [("one", "failed", "destination_rejected")]


async def opens_fast(config: Bad, context: Context) -> None:
    async with context.check("one"):
        socket.socket().sendto(b"x", 0x20000000, ("127.0.0.1", config.port))  # MSG_FASTOPEN: it dials by itself


async def sends_to(config: Bad, context: Context) -> None:
    async with context.check("one"):
        socket.socket().sendmsg([b"x"], [], 0x20000000, ("127.0.0.1", config.port))


async def speaks_another_protocol(config: Bad, context: Context) -> None:
    async with context.check("one"):
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)  # MPTCP, where the other side may name more addresses


async def speaks_to_the_host_of_the_machine(config: Bad, context: Context) -> None:
    async with context.check("one"):
        socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)


async def takes_a_socket_over(config: Bad, context: Context) -> None:
    async with context.check("one"):
        one, _ = socket.socketpair()
        socket.socket(fileno=os.dup(one.fileno()))


async def writes_to_the_log_of_the_system(config: Bad, context: Context) -> None:
    async with context.check("one"):
        syslog.syslog("from a worker")


async def takes_limits_of_others(config: Bad, context: Context) -> None:
    async with context.check("one"):
        resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))


async def changes_times(config: Bad, context: Context) -> None:
    async with context.check("one"):
        os.utime(config.path, (0, 0))


async def opens_what_only_seems_another_path(config: Bad, context: Context) -> None:
    class Path(str):
        __slots__ = ()

        def __eq__(self, _other: object) -> bool:
            return True

        __hash__ = str.__hash__

    async with context.check("one"):
        os.open(Path(config.path), os.O_WRONLY)


REFUSED = [opens_fast, sends_to, speaks_another_protocol, speaks_to_the_host_of_the_machine, takes_a_socket_over]
REFUSED += [writes_to_the_log_of_the_system, takes_limits_of_others, changes_times, opens_what_only_seems_another_path]


@pytest.mark.parametrize("validator", REFUSED)
async def test_N_15_g_10_g_12_what_python_can_ask_for_otherwise_is_refused_too(
    files: FileGuard, workspace: Path, validator: Any
) -> None:
    file = workspace / "a.txt"
    file.write_text("hello", encoding="utf-8")

    result = await run(files, validator, Bad(name="a", path=str(file)))

    assert outcomes(result) == [("one", "failed", "operation_forbidden")]
    assert file.stat().st_mtime > 0


def _call(name: str, *arguments: int | bytes) -> None:
    """Make a system call as code in C would."""
    import ctypes

    from wellhead.guard import system_calls

    library = ctypes.CDLL(None, use_errno=True)
    number = system_calls.REFUSED[name][0 if os.uname().machine == "x86_64" else 1]
    if library.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def _clear_the_signal_of_the_parents_death() -> None:
    import ctypes

    if ctypes.CDLL(None, use_errno=True).prctl(1, 0, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _tries(path: str) -> dict[str, Callable[[], object]]:
    """Return what nothing but the kernel keeps a worker from, once the hook is out of the way."""
    parent, pair = os.getppid(), socket.socketpair()
    root = os.open("/", os.O_PATH)
    return {
        "priority of the parent": lambda: os.setpriority(os.PRIO_PROCESS, parent, 19),
        "scheduler of the parent": lambda: os.sched_setscheduler(parent, os.SCHED_IDLE, os.sched_param(0)),
        "processors of the parent": lambda: os.sched_setaffinity(parent, {0}),
        "limits of the parent": lambda: resource.prlimit(parent, resource.RLIMIT_NPROC, (99, 99)),
        "limits read": lambda: resource.prlimit(parent, resource.RLIMIT_CPU),
        "signal to the group": lambda: os.killpg(0, 0),
        "signal to all": lambda: os.kill(-1, 0),
        "signal by data": lambda: fcntl.fcntl(pair[0], fcntl.F_SETOWN, parent),
        "signal of another kind by data": lambda: fcntl.fcntl(pair[0], 10, 9),
        "signal by data too": lambda: fcntl.ioctl(pair[0], 0x8901, parent.to_bytes(4, "little")),
        "mode": lambda: os.chmod(path, 0o666),  # noqa: PTH101  # as a plugin would
        "times": lambda: os.utime(path, (0, 0)),
        "attribute": lambda: os.setxattr(path, "user.x", b"1"),
        "length": lambda: os.truncate(path, 0),
        "file by a link of the kernel": lambda: os.open(f"/proc/self/root{path}", os.O_RDONLY),
        "file relative to a directory": lambda: os.open(path[1:], os.O_RDONLY, dir_fd=root),
        "memory of its own": lambda: os.open("/proc/self/mem", os.O_RDWR),
        "memory of the parent": lambda: os.open(f"/proc/{parent}/mem", os.O_RDONLY),
        "listening": lambda: socket.socket().listen(),
        "host of the machine": lambda: socket.socket(socket.AF_VSOCK),
        "packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        "ciphers of the kernel": lambda: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET),
        "shared memory": lambda: _call("shmget", 0, 4096, 0o1600),
        "keys of the user": lambda: _call("keyctl", 0, -3, 0),
        "queue": lambda: _call("msgget", 0, 0o1600),
        "outliving the parent": _clear_the_signal_of_the_parents_death,
    }


async def is_left_with_the_kernel(config: Bad, context: Context) -> None:
    """Puts the hook out of the way, as code in Python can, and tries."""
    from wellhead.guard import enforcement

    enforcement._Hook.__call__ = lambda *_: None  # type: ignore[method-assign,assignment]
    done = []
    for name, attempt in _tries(config.path).items():
        with contextlib.suppress(PermissionError):
            attempt()
            done.append(name)
    context.detail("done", done)
    with contextlib.suppress(PermissionError):
        socket.socket(socket.AF_UNIX).close()
        context.detail("local", True)
    context.detail("resolved", bool(socket.getaddrinfo("localhost", 1, type=socket.SOCK_STREAM)))


async def test_G_10_g_12_n_15_without_the_hook_the_kernel_still_refuses(
    files: FileGuard, tmp_path: Path, public_pool: WorkerPool
) -> None:
    record = tmp_path / "record.json"
    record.write_text("{}", encoding="utf-8")
    record.chmod(0o600)
    before = record.stat()

    result = await run(files, is_left_with_the_kernel, Bad(name="a", path=str(record)), pool=public_pool)

    assert result.details == {"done": [], "resolved": True}
    assert record.stat() == before
    assert psutil.Process(public_pool.server()._process.pid).nice() == psutil.Process().nice() + 10


async def test_N_10_only_a_service_for_one_user_lets_the_system_ask_local_services(
    files: FileGuard, tmp_path: Path
) -> None:
    (tmp_path / "record.json").touch()

    result = await run(files, is_left_with_the_kernel, Bad(name="a", path=str(tmp_path / "record.json")))

    assert result.details == {"done": [], "local": True, "resolved": True}
