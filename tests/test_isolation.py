"""Plugins that do their worst: the answer comes by the deadline, tells a code, and nothing is left of them."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import itertools
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal

import psutil
import pytest

import wellhead
from support.canary import Canary
from support.validating import LOCAL, last, outcomes, pool_for, service_for, started
from wellhead.guard.egress import EgressPolicy
from wellhead.guard.files import FileGuard
from wellhead.model.result import ValidationResult
from wellhead.validation.pool import WorkerPool

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, isolation is weaker, and the start says so"),
]

MEGABYTE = 1 << 20


class Bad(wellhead.DataSourceConfig):
    """A data source of a bad plugin."""

    type: Literal["bad"] = "bad"
    host: str = "127.0.0.1"
    port: int = 1
    path: str = ""
    password: wellhead.Secret | None = None


@pytest.fixture
def files(workspace: Path) -> Iterator[FileGuard]:
    """Opens files of the workspace."""
    made = FileGuard(workspace)
    yield made
    made.close()


SHARED = pool_for(memory=256)
FOR_SEVERAL_USERS = pool_for(EgressPolicy.parse((), (), public_only=True), memory=256)


@pytest.fixture(scope="module", autouse=True)
def _workers() -> Iterator[None]:
    """Start the pool of these tests, and end it."""
    asyncio.run(started(SHARED))
    yield
    SHARED.close()
    FOR_SEVERAL_USERS.close()


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    """A pool, of whose workers nothing is left after the test."""
    before = set(psutil.Process().children(recursive=True))
    yield SHARED
    assert await _gone(set(psutil.Process().children(recursive=True)) - before) == set()


async def _gone(processes: set[psutil.Process]) -> set[psutil.Process]:
    """Wait for processes to end, and return those that do not."""
    _, left = await asyncio.to_thread(psutil.wait_procs, processes, 15)
    return set(left)


async def run(
    files: FileGuard, pool: WorkerPool, validator: Any, config: Bad | None = None, *, timeout: float = 5.0
) -> ValidationResult:
    one = wellhead.DataSourceType(Bad, validator)
    return await service_for(one, files=files, pool=pool, timeout=timeout).validate(config or Bad(name="a"))


Context = wellhead.ValidationContext


async def spins(config: Bad, context: Context) -> None:
    async with context.check("one"):
        pass
    async with context.check("two"):
        while True:
            pass


async def spins_outside_of_python(config: Bad, context: Context) -> None:
    async with context.check("one"):
        pass
    async with context.check("two"):
        sum(itertools.repeat(1))  # never looks whether another thread, or a signal, is waiting


async def sleeps(config: Bad, context: Context) -> None:
    async with context.check("one"):
        pass
    async with context.check("two"):
        time.sleep(60)  # this is what it does wrong


async def swallows(config: Bad, context: Context) -> None:
    async with context.check("one"):
        pass
    async with context.check("two"):
        while True:
            with contextlib.suppress(BaseException):
                await asyncio.sleep(60)


def sleeps_in_a_thread(config: Bad, context: Context) -> None:
    with context.check("one"):
        pass
    with context.check("two"):
        time.sleep(60)


async def ignores_signals(config: Bad, context: Context) -> None:
    async with context.check("one"):
        pass
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    async with context.check("two"):
        await asyncio.sleep(60)


ENDLESS = [spins, spins_outside_of_python, sleeps, swallows, sleeps_in_a_thread, ignores_signals]


@pytest.mark.parametrize("validator", ENDLESS)
async def test_G_08_whatever_does_not_end_is_killed_at_the_deadline(
    files: FileGuard, pool: WorkerPool, validator: Any
) -> None:
    started = time.monotonic()

    result = await run(files, pool, validator, timeout=1)

    assert time.monotonic() - started < 1 + 5  # the figure is the benchmark's; here it is only no multiple of it
    assert outcomes(result) == [("one", "passed", None), ("two", "timeout", "deadline")]
    assert result.duration_ms < 1000 + 5000


async def exits(config: Bad, context: Context) -> None:
    async with context.check("one"):
        pass
    os._exit(0)


async def segfaults(config: Bad, context: Context) -> None:
    async with context.check("one"):
        pass
    faulthandler._sigsegv()  # type: ignore[attr-defined]  # there is no public way to do so


async def aborts(config: Bad, context: Context) -> None:
    async with context.check("one"):
        pass
    os.abort()


async def kills_itself(config: Bad, context: Context) -> None:
    async with context.check("one"):
        pass
    signal.raise_signal(signal.SIGKILL)


@pytest.mark.parametrize("validator", [exits, segfaults, aborts, kills_itself])
async def test_D_47_a_crash_is_told_and_takes_nothing_with_it(
    files: FileGuard, pool: WorkerPool, validator: Any
) -> None:
    result = await run(files, pool, validator)

    assert outcomes(result) == [("one", "passed", None), ("validator", "failed", "plugin_crashed")]
    assert result.status == "error"
    assert (await run(files, pool, well)).status == "passed"


async def well(config: Bad, context: Context) -> None:
    async with context.check("one"):
        pass


async def allocates_at_once(config: Bad, context: Context) -> None:
    async with context.check("one"):
        bytearray(4096 * MEGABYTE)


async def allocates_bit_by_bit(config: Bad, context: Context) -> None:
    kept = []
    async with context.check("one"):
        while True:
            kept.append(bytearray(MEGABYTE))


async def opens_descriptors(config: Bad, context: Context) -> None:
    kept = []
    async with context.check("one"):
        while True:
            kept.append(os.dup(0))


async def starts_threads(config: Bad, context: Context) -> None:
    async with context.check("one"):
        while True:
            threading.Thread(target=time.sleep, args=[60], daemon=True).start()


@pytest.mark.parametrize("validator", [allocates_at_once, allocates_bit_by_bit, opens_descriptors, starts_threads])
async def test_G_09_what_a_plugin_takes_has_limits(files: FileGuard, pool: WorkerPool, validator: Any) -> None:
    before = psutil.Process().memory_info().rss

    result = await run(files, pool, validator, timeout=20)

    assert result.status in {"failed", "error"}
    assert last(result).code in {"protocol_error", "plugin_error", "plugin_crashed", "resources_exhausted"}
    assert psutil.Process().memory_info().rss - before < 32 * MEGABYTE


async def tells_its_limits(config: Bad, context: Context) -> None:
    for name in ("NOFILE", "CORE", "FSIZE", "CPU", "AS"):
        context.detail(name, list(map(str, resource.getrlimit(getattr(resource, f"RLIMIT_{name}")))))


async def test_G_09_limits_are_the_kernels_and_cannot_be_raised(files: FileGuard, pool: WorkerPool) -> None:
    found = (await run(files, pool, tells_its_limits, timeout=3)).details

    assert found["NOFILE"] == ["256", "256"]
    assert found["CORE"] == ["0", "0"]
    assert found["FSIZE"] == ["65536", "65536"]
    assert found["CPU"] == ["5", "5"]  # the deadline, a second until the alarm, and one more
    assert found["AS"][0] == found["AS"][1] != "-1"


async def writes_a_file(config: Bad, context: Context) -> None:
    async with context.check("write"):
        Path(config.path).write_text("x", encoding="utf-8")


async def makes_a_directory(config: Bad, context: Context) -> None:
    async with context.check("write"):
        Path(config.path).mkdir()


async def removes_a_file(config: Bad, context: Context) -> None:
    async with context.check("write"):
        Path(config.path).unlink()


async def writes_below_python(config: Bad, context: Context) -> None:
    import _io

    async with context.check("write"):
        os.close(os.open(config.path, os.O_WRONLY | os.O_CREAT, 0o600))
    assert _io


@pytest.mark.parametrize("validator", [writes_a_file, makes_a_directory, removes_a_file, writes_below_python])
async def test_G_09_a_plugin_writes_nothing(files: FileGuard, pool: WorkerPool, tmp_path: Path, validator: Any) -> None:
    path = tmp_path / "file"
    if validator is removes_a_file:
        path.touch()

    result = await run(files, pool, validator, Bad(name="a", path=str(path)))

    assert outcomes(result) == [("write", "failed", "operation_forbidden")]
    assert path.exists() is (validator is removes_a_file)


async def forks(config: Bad, context: Context) -> None:
    async with context.check("one"):
        if os.fork() == 0:
            time.sleep(60)  # as above


async def starts_a_program(config: Bad, context: Context) -> None:
    async with context.check("one"):
        subprocess.Popen(["/bin/sleep", "60"])  # as above


async def spawns_a_program(config: Bad, context: Context) -> None:
    async with context.check("one"):
        os.posix_spawn("/bin/sleep", ["sleep", "60"], {})


async def replaces_itself(config: Bad, context: Context) -> None:
    async with context.check("one"):
        os.execv("/bin/sleep", ["sleep", "60"])


async def calls_the_c_library(config: Bad, context: Context) -> None:
    import ctypes

    async with context.check("one"):
        ctypes.CDLL(None).fork()


async def kills_others(config: Bad, context: Context) -> None:
    async with context.check("one"):
        os.kill(os.getppid(), signal.SIGKILL)


async def speaks_udp(config: Bad, context: Context) -> None:
    async with context.check("one"):
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))


async def speaks_raw(config: Bad, context: Context) -> None:
    async with context.check("one"):
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


async def listens(config: Bad, context: Context) -> None:
    async with context.check("one"):
        socket.socket(socket.AF_INET, socket.SOCK_STREAM).bind(("127.0.0.1", 0))


async def imports_another_event_loop(config: Bad, context: Context) -> None:
    async with context.check("one"):
        __import__("uvloop")


FORBIDDEN = [forks, starts_a_program, spawns_a_program, replaces_itself, calls_the_c_library, kills_others]
FORBIDDEN += [speaks_udp, speaks_raw, listens, imports_another_event_loop]


@pytest.mark.parametrize("validator", FORBIDDEN)
async def test_N_15_n_16_g_10_what_a_validation_may_not_do_is_refused(
    files: FileGuard, pool: WorkerPool, validator: Any
) -> None:
    result = await run(files, pool, validator)

    assert outcomes(result) == [("one", "failed", "operation_forbidden")]
    assert result.status == "failed"


async def forks_unseen(config: Bad, context: Context) -> None:
    """Does without the hook what the hook refuses: only the kernel is left to refuse it."""
    from wellhead.guard import enforcement

    enforcement._Hook.__call__ = lambda *_: None  # type: ignore[method-assign,assignment]
    pid, kill = None, None
    async with context.check("one"):
        with contextlib.suppress(PermissionError):
            pid = os.fork()
        if pid == 0:
            os._exit(0)
        with contextlib.suppress(PermissionError):
            os.kill(os.getppid(), 0)
            kill = "sent"
    context.detail("fork", pid)
    context.detail("kill", kill)
    for path in (config.path, "/proc/1/environ", f"/proc/{os.getppid()}/environ"):
        with contextlib.suppress(OSError):
            context.detail(path, Path(path).read_text(encoding="utf-8", errors="replace"))
    with contextlib.suppress(OSError):
        Path(config.path).write_text("gone", encoding="utf-8")


async def test_G_10_g_12_the_kernel_refuses_what_gets_past_python(
    files: FileGuard, pool: WorkerPool, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text("the keys", encoding="utf-8")

    result = await run(files, pool, forks_unseen, Bad(name="a", path=str(keys)))

    assert outcomes(result) == [("one", "passed", None)]
    assert result.details == {"fork": None, "kill": None}
    assert keys.read_text(encoding="utf-8") == "the keys"


async def looks_around(config: Bad, context: Context) -> None:
    context.detail("environment", [name for name in os.environ if not name.startswith("SSL_CERT_")])
    context.detail("home", os.path.expanduser("~"))
    context.detail("directory", str(Path.cwd()))
    context.detail("arguments", sys.argv)
    links = [os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd") if _is_link(number)]
    context.detail("descriptors", sorted({link.partition(":")[0] for link in links}))
    context.detail("output", [os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2)])
    context.detail("drivers", sorted({"asyncpg", "aiomysql"} & sys.modules.keys()))


def _is_link(number: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{number}")


async def test_G_12_a_worker_has_no_environment_no_home_and_no_descriptor(files: FileGuard, pool: WorkerPool) -> None:
    found = (await run(files, pool, looks_around)).details

    assert found["environment"] == ["HOME"]
    assert (found["home"], found["directory"]) == ("/nonexistent", "/")
    assert found["output"] == [os.devnull] * 3
    assert set(found["descriptors"]) <= {os.devnull, "socket", "anon_inode"}


async def reads_a_file(config: Bad, context: Context) -> None:
    async with context.check("read"):
        context.detail("content", Path(config.path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["keys.json", ".datasources/record.json"])
async def test_G_12_keys_and_records_are_not_read(files: FileGuard, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("the keys", encoding="utf-8")
    rules = {"egress": LOCAL.as_document(), "hidden": [str(tmp_path / name.partition("/")[0])], "memory": 256 << 20}
    pool = WorkerPool(rules=rules, workers=1, waiting=1)

    result = await run(files, pool, reads_a_file, Bad(name="a", path=str(path)))
    pool.close()

    assert outcomes(result) == [("read", "failed", "operation_forbidden")]
    assert result.details == {}


async def returns_much(config: Bad, context: Context) -> Any:
    return bytes(10 * MEGABYTE)


async def says_much(config: Bad, context: Context) -> None:
    context.detail("much", "x" * 10 * MEGABYTE)
    async with context.check("one"):
        raise wellhead.CheckFailedError("much", "y" * 10 * MEGABYTE, hint="z" * 10 * MEGABYTE)


async def prints_much(config: Bad, context: Context) -> None:
    async with context.check("one"):
        for _ in range(100):
            print("x" * MEGABYTE)  # this is what it does wrong


@pytest.mark.parametrize(
    ("validator", "status"), [(returns_much, "passed"), (says_much, "failed"), (prints_much, "passed")]
)
async def test_G_18_what_a_plugin_says_is_cut(
    files: FileGuard, pool: WorkerPool, validator: Any, status: str, capfd: pytest.CaptureFixture[str]
) -> None:
    result = await run(files, pool, validator)

    assert result.status == status
    assert len(json.dumps(result.as_document())) < 64 * 1024
    assert capfd.readouterr() == ("", "")


def _channels() -> list[int]:
    """Return the descriptors of the sockets that this process has, which a plugin finds as easily."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                found.append(int(name))
    return found


def says(*lines: bytes) -> None:
    """Say something to the service, past the context."""
    for descriptor in _channels():
        with contextlib.suppress(OSError):
            os.write(descriptor, b"".join(line + b"\n" for line in lines))


CHECK = {"name": "one", "status": "passed", "code": None, "message": None, "hint": None, "fields": [], "duration_ms": 1}


async def floods(config: Bad, context: Context) -> None:
    for _ in range(10_000):
        says(json.dumps({"job": 1, "fact": ["x", "y" * 1000]}).encode())


async def floods_with_beats(config: Bad, context: Context) -> None:
    while True:
        says(*[b'{"alive":true}'] * 1000)


async def floods_for_others(config: Bad, context: Context) -> None:
    while True:
        says(*[b'{"job":77,"dialled":true}'] * 1000)


async def never_ends_a_line(config: Bad, context: Context) -> None:
    says(*[b"x" * MEGABYTE] * 3)


async def pickles(config: Bad, context: Context) -> None:
    import pickle

    says(pickle.dumps(_Evil()).replace(b"\n", b" "))
    await asyncio.sleep(60)


class _Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/wellhead-was-here",)


async def nests(config: Bad, context: Context) -> None:
    says(b'{"job":1,"fact":["x",' + b"[" * 20_000 + b"]" * 20_000 + b"]}")
    await asyncio.sleep(60)


async def lies(config: Bad, context: Context) -> None:
    says(
        json.dumps({"job": 1, "check": {**CHECK, "status": "well"}}).encode(),
        json.dumps({"job": 1, "check": {**CHECK, "more": 1}}).encode(),
    )
    await asyncio.sleep(60)


async def begins_what_has_no_name(config: Bad, context: Context) -> None:
    says(*[b'{"job":1,"begin":[["x"],[]]}'] * 3)
    await asyncio.sleep(60)


async def defects(config: Bad, context: Context) -> None:
    says(*[json.dumps({"job": 1, "defect": ["x" * 10, "y"]}).encode()] * 500)


@pytest.mark.parametrize(
    "validator",
    [floods, floods_with_beats, floods_for_others, never_ends_a_line, pickles, nests, lies, begins_what_has_no_name],
)
async def test_G_11_g_18_a_worker_that_says_what_workers_do_not_say_is_ended(
    files: FileGuard, pool: WorkerPool, validator: Any
) -> None:
    before = psutil.Process().memory_info().rss

    result = await run(files, pool, validator, timeout=20)

    assert last(result).code in {"plugin_error", "plugin_crashed"}
    assert not Path("/tmp/wellhead-was-here").exists()
    assert psutil.Process().memory_info().rss - before < 32 * MEGABYTE


async def test_G_18_a_hundred_lines_of_a_validation_are_logged_and_no_more(
    files: FileGuard, pool: WorkerPool, capfd: pytest.CaptureFixture[str]
) -> None:
    await run(files, pool, defects)

    assert capfd.readouterr().out.count("validation not understood") == 100


class TellsEverything(wellhead.Validator[Bad]):
    """Puts its secret into everything that it can reach."""

    steps = ("one",)

    async def validate(self, config: Bad, context: Context) -> None:
        secret = config.password.reveal() if config.password else ""
        print(secret)  # as above
        sys.stderr.write(secret)
        says(json.dumps({"job": 1, "defect": [secret]}).encode())
        says(json.dumps({"job": 1, "fact": [secret, [secret, {secret: secret}]]}).encode())
        says(json.dumps({"job": 1, "begin": [secret, [secret]]}).encode())
        says(json.dumps({"job": 1, "check": {**CHECK, "name": secret, "code": secret, "status": "failed"}}).encode())
        says(json.dumps({"job": 1, "check": {**CHECK, "message": secret, "status": "failed", "code": "x"}}).encode())
        raise wellhead.CheckFailedError(secret, secret, hint=secret, fields=[f"/{secret}"])


async def test_G_13_a_secret_gets_into_nothing_that_comes_out(
    files: FileGuard, pool: WorkerPool, canary: Canary
) -> None:
    result = await run(files, pool, TellsEverything, Bad(name="a", password=canary.secret()))

    assert result.status == "failed"
    canary.saw(json.dumps(result.as_document(), ensure_ascii=False))
    canary.saw(repr(result))


async def connects_by_itself(config: Bad, context: Context) -> None:
    async with context.check("one"):
        _, writer = await asyncio.open_connection(config.host, config.port)
        writer.close()


def connects_in_a_thread(config: Bad, context: Context) -> None:
    with context.check("one"), socket.create_connection((config.host, config.port)):
        pass


async def connects_and_hides_it(config: Bad, context: Context) -> None:
    """Makes of the refusal what drivers make of errors."""
    async with context.check("one"):
        try:
            await asyncio.open_connection(config.host, config.port)
        except OSError:
            raise ConnectionError("cannot connect") from None


DIALLERS = [connects_by_itself, connects_in_a_thread, connects_and_hides_it]


@pytest.mark.parametrize("validator", DIALLERS)
@pytest.mark.parametrize("host", ["169.254.169.254", "::ffff:169.254.169.254", "100.100.100.200", "fd00:ec2::254"])
async def test_N_05_n_09_who_dials_by_itself_is_held_to_the_policy_too(
    files: FileGuard, pool: WorkerPool, validator: Any, host: str
) -> None:
    result = await run(files, pool, validator, Bad(name="a", host=host, port=80))

    assert outcomes(result) == [("one", "failed", "destination_rejected")]


async def connects_to_a_local_socket(config: Bad, context: Context) -> None:
    async with context.check("one"):
        await asyncio.open_unix_connection(config.path)


async def connects_to_an_abstract_socket(config: Bad, context: Context) -> None:
    async with context.check("one"):
        socket.socket(socket.AF_UNIX).connect("\0" + config.path)


@pytest.mark.parametrize("validator", [connects_to_a_local_socket, connects_to_an_abstract_socket])
async def test_N_10_local_sockets_are_not_dialled(files: FileGuard, pool: WorkerPool, validator: Any) -> None:
    result = await run(files, pool, validator, Bad(name="a", path="/run/postgresql/.s.PGSQL.5432"))

    assert outcomes(result) == [("one", "failed", "destination_rejected")]


@pytest.mark.parametrize("validator", DIALLERS)
@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "localhost", "0.0.0.0", "::1"])
async def test_N_01_n_02_n_08_x_09_a_service_for_several_users_dials_nothing_on_this_machine(
    files: FileGuard, validator: Any, host: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.setblocking(False)

        result = await run(files, FOR_SEVERAL_USERS, validator, Bad(name="a", host=host, port=port))

        with pytest.raises(BlockingIOError):
            server.accept()
    assert [code for _, _, code in outcomes(result)] == ["destination_rejected"]


async def test_N_24_what_is_denied_is_not_dialled_and_another_port_is(files: FileGuard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        denied, open_port = one.getsockname()[1], other.getsockname()[1]
        pool = pool_for(EgressPolicy.parse((), (f"127.0.0.1:{denied}",), public_only=False), memory=256)

        results = [await run(files, pool, connects_by_itself, Bad(name="a", port=port)) for port in (denied, open_port)]
        pool.close()

    assert [last(result).code for result in results] == ["destination_rejected", None]
