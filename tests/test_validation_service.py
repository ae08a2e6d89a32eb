"""Running validators: checks as they come, a deadline that holds, and an answer whatever a plugin does."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

import wellhead
from support.canary import Canary
from support.rogue import serve, silent
from support.validating import last, outcomes, service_for
from wellhead.codes import CODES
from wellhead.errors import RecordCorruptError, SecretUnavailableError, UnknownTypeError
from wellhead.guard.files import FileGuard
from wellhead.model.result import Check, ValidationResult
from wellhead.model.secret import Secret, SecretFacts
from wellhead.secrets.references import References
from wellhead.validation.service import DataSourceValidationService

pytestmark = pytest.mark.anyio


class Thing(wellhead.DataSourceConfig):
    """A type for tests."""

    type: Literal["thing"] = "thing"
    host: str = "127.0.0.1"
    port: int = 1
    number: int = 0
    path: str = ""
    password: wellhead.Secret | None = None
    tokens: dict[str, wellhead.Secret] = wellhead.field(default_factory=dict)


class DriverError(Exception):
    """What the driver of `Thing` raises."""


@pytest.fixture
def files(workspace: Path) -> Iterator[FileGuard]:
    """Opens files of the workspace."""
    made = FileGuard(workspace)
    yield made
    made.close()


@pytest.fixture(autouse=True)
async def _nothing_left_behind() -> AsyncIterator[None]:
    before, tasks = len(_descriptors()), len(asyncio.all_tasks())
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    yield
    await asyncio.sleep(0.05)
    assert len(_descriptors()) == before
    assert len(asyncio.all_tasks()) == tasks
    assert complaints == []


def _descriptors() -> list[str]:
    return os.listdir("/proc/self/fd")  # noqa: PTH208  # names are all that is wanted


def make(files: FileGuard, validator: Any, **keywords: Any) -> DataSourceValidationService:
    one = wellhead.DataSourceType(Thing, validator, errors={"DriverError": "auth_failed"})
    return service_for(one, files=files, **keywords)


async def run(files: FileGuard, validator: Any, config: Thing | None = None, **keywords: Any) -> ValidationResult:
    return await make(files, validator, **keywords).validate(config or Thing(name="a"))


class Steps(wellhead.Validator[Thing]):
    """Passes two of three steps."""

    steps = ("one", "two", "three")

    async def validate(self, config: Thing, context: wellhead.ValidationContext) -> None:
        async with context.check("one"):
            context.detail("fact", 1)
        async with context.check("two"):
            raise DriverError("words of the server")


async def test_a_result_has_the_checks_and_says_which_were_not_reached(files: FileGuard) -> None:
    result = await run(files, Steps)

    assert [(check.name, check.status, check.code) for check in result.checks] == [
        ("one", "passed", None),
        ("two", "failed", "auth_failed"),
        ("three", "skipped", "not_reached"),
    ]
    assert (result.status, result.success, result.details) == ("failed", False, {"fact": 1})
    assert result.checks[2].hint == CODES["not_reached"].remedy
    document = result.as_document()
    assert [error["check"] for error in document["errors"]] == ["two"]
    assert "words" not in json.dumps(document)


async def reads(config: Thing, context: wellhead.ValidationContext) -> None:
    """Waits in its second check until the server says something."""
    stream = await context.connect(config.host, config.port)
    async with context.check("read"):
        await stream.read(1)


async def test_checks_stream_as_they_end(files: FileGuard) -> None:
    go = threading.Event()

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.to_thread(go.wait)
        writer.write(b"x")
        await silent(reader, writer)

    seen: list[Any] = []
    async with serve(waits) as server:
        async for event in make(files, reads).start(Thing(name="a", port=server.port)):
            seen.append(event.name if isinstance(event, Check) else event.status)
            go.set() if seen == ["resolve", "connect"] else None

    assert seen == ["resolve", "connect", "read", "passed"]


async def warns(config: Thing, context: wellhead.ValidationContext) -> None:
    async with context.check("one"):
        context.warn("tls_disabled")


async def test_a_warning_makes_a_warning(files: FileGuard) -> None:
    result = await run(files, warns)

    assert (result.status, result.success) == ("warning", True)
    assert [check.code for check in result.warnings] == ["tls_disabled"]


async def test_a_type_without_a_validator_says_so(files: FileGuard) -> None:
    result = await run(files, None)

    assert (result.status, result.success, result.checks) == ("not_supported", False, ())


async def test_an_unknown_type_is_an_error(files: FileGuard) -> None:
    with pytest.raises(UnknownTypeError):
        await service_for(files=files).validate(Thing(name="a"))


def plain(config: Thing, context: wellhead.ValidationContext) -> None:
    with context.check("one"):
        context.detail("main thread", value=False)


class Plain:
    """A class with a plain method."""

    def validate(self, config: Thing, context: wellhead.ValidationContext) -> None:
        plain(config, context)


class Asynchronous:
    """A class with a coroutine method."""

    async def validate(self, config: Thing, context: wellhead.ValidationContext) -> None:
        async with context.check("one"):
            pass


async def _coroutine(config: Thing, context: wellhead.ValidationContext) -> None:
    async with context.check("one"):
        pass


def wrapped(config: Thing, context: wellhead.ValidationContext) -> Any:
    """Return a coroutine, as a decorator does that was written for plain functions."""
    return _coroutine(config, context)


FORMS = [plain, Plain, Asynchronous, _coroutine, wrapped]


@pytest.mark.parametrize("validator", FORMS, ids=range(len(FORMS)))
async def test_a_validator_has_many_forms(files: FileGuard, validator: Any) -> None:
    result = await run(files, validator)

    assert outcomes(result) == [("one", "passed", None)]
    assert result.status == "passed"


INSTANCES = [Plain().validate, Asynchronous().validate, functools.partial(_coroutine), lambda config, context: None]


@pytest.mark.parametrize("validator", INSTANCES, ids=range(len(INSTANCES)))
async def test_a_validator_that_no_other_process_finds_is_told_of(files: FileGuard, validator: Any) -> None:
    result = await run(files, validator)

    assert (result.status, last(result).code) == ("error", "plugin_error")
    assert "at the top level of a module" in (last(result).message or "")


async def fails_outside(config: Thing, context: wellhead.ValidationContext) -> None:
    raise wellhead.CheckFailedError("file_empty", "It is empty.", fields=["/host"])


async def test_a_failure_outside_a_check_is_a_failure(files: FileGuard) -> None:
    result = await run(files, fails_outside)

    assert result.status == "failed"
    assert (last(result).code, last(result).message, last(result).fields) == ("file_empty", "It is empty.", ("/host",))


class OddError(BaseException):
    """What no driver should raise."""


ODD: list[BaseException] = [SystemExit(0), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), OddError()]
ODD += [ValueError("secret words"), MemoryError(), RecursionError(), StopIteration(), StopAsyncIteration()]


async def raises(config: Thing, context: wellhead.ValidationContext) -> None:
    async with context.check("one"):
        pass
    raise ODD[config.number]


def raises_in_a_thread(config: Thing, context: wellhead.ValidationContext) -> None:
    with context.check("one"):
        pass
    raise ODD[config.number]


@pytest.mark.parametrize("number", range(len(ODD)))
@pytest.mark.parametrize("validator", [raises, raises_in_a_thread])
async def test_G_07_whatever_a_plugin_raises_is_its_own_failure(files: FileGuard, validator: Any, number: int) -> None:
    result = await run(files, validator, Thing(name="a", number=number))

    assert outcomes(result) == [("one", "passed", None), ("validator", "failed", "plugin_error")]
    assert result.status == "error"
    assert "secret words" not in json.dumps(result.as_document())


class Exits(Steps):
    """Raises, in its first step, what no check expects."""

    async def validate(self, config: Thing, context: wellhead.ValidationContext) -> None:
        async with context.check("one"):
            raise ODD[config.number]


@pytest.mark.parametrize("number", range(5))
async def test_G_07_the_check_in_which_a_plugin_wants_to_exit_has_failed(files: FileGuard, number: int) -> None:
    result = await run(files, Exits, Thing(name="a", number=number))

    assert outcomes(result) == [("one", "failed", "plugin_error")]
    assert (result.status, [check.status for check in result.checks]) == ("error", ["failed", "skipped", "skipped"])


class NeedsArguments(wellhead.Validator[Thing]):
    """Cannot be made."""

    def __init__(self, more: int) -> None:
        self.more = more

    async def validate(self, config: Thing, context: wellhead.ValidationContext) -> None:
        pass


def no_arguments() -> None:
    """Cannot be called."""


@pytest.mark.parametrize("validator", [NeedsArguments, no_arguments, DriverError], ids=range(3))
async def test_G_07_a_validator_that_cannot_be_called_is_the_plugins_failure(files: FileGuard, validator: Any) -> None:
    assert (await run(files, validator)).status == "error"


async def many(config: Thing, context: wellhead.ValidationContext) -> None:
    for number in range(200):
        async with context.check(f"check {number}"):
            pass


async def test_more_than_a_hundred_checks_are_the_plugins_failure(files: FileGuard) -> None:
    result = await run(files, many)

    assert (result.status, len(result.checks)) == ("error", 101)


async def slow(config: Thing, context: wellhead.ValidationContext) -> None:
    async with context.check("one"):
        pass
    async with context.check("two", fields=["/host"]):
        await asyncio.sleep(60)


async def stubborn(config: Thing, context: wellhead.ValidationContext) -> None:
    async with context.check("one"):
        pass
    async with context.check("two", fields=["/host"]):
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            try:
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                await asyncio.sleep(0.05)
    async with context.check("three"):
        pass


def blocking(config: Thing, context: wellhead.ValidationContext) -> None:
    with context.check("one"):
        pass
    with context.check("two", fields=["/host"]):
        time.sleep(0.8)


async def blocking_inside(config: Thing, context: wellhead.ValidationContext) -> None:
    async with context.check("one"):
        pass
    async with context.check("two", fields=["/host"]):
        await context.in_thread(time.sleep, 0.8)


@pytest.mark.parametrize("validator", [slow, stubborn, blocking, blocking_inside])
async def test_G_08_d_48_the_deadline_holds_and_what_ended_before_it_is_kept(files: FileGuard, validator: Any) -> None:
    started = time.monotonic()

    result = await run(files, validator, timeout=0.3)

    assert time.monotonic() - started < 0.3 + 0.5
    assert outcomes(result) == [("one", "passed", None), ("two", "timeout", "deadline")]
    assert (result.status, last(result).fields) == ("timeout", ("/host",))


async def limited(config: Thing, context: wellhead.ValidationContext) -> None:
    async with context.check("one"), asyncio.timeout(0.05):
        await asyncio.sleep(60)


async def test_a_deadline_of_its_own_inside_a_check_is_a_time_out_of_the_connection(files: FileGuard) -> None:
    assert outcomes(await run(files, limited)) == [("one", "failed", "connection_timeout")]


async def test_the_deadline_holds_while_nobody_takes_the_checks(files: FileGuard) -> None:
    async with serve(silent) as server:
        events = make(files, reads, timeout=0.3).start(Thing(name="a", port=server.port))
        assert isinstance(await anext(events), Check)

        assert await asyncio.to_thread(server.left.wait, 2)

        rest = [event async for event in events]
    assert [getattr(event, "code", None) or event.status for event in rest] == ["passed", "deadline", "timeout"]


async def goes_on(config: Thing, context: wellhead.ValidationContext) -> None:
    async with context.check("one"):
        pass
    async with context.check("two"):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
    async with context.check("three"):
        pass


async def test_nothing_of_a_validator_comes_after_its_deadline(files: FileGuard) -> None:
    result = await run(files, goes_on, timeout=0.1)

    assert outcomes(result) == [("one", "passed", None), ("two", "timeout", "deadline")]


async def test_who_stops_listening_stops_the_validator(files: FileGuard) -> None:
    async with serve(silent) as server:
        events = make(files, reads).start(Thing(name="a", port=server.port))
        assert [(await anext(events)).name for _ in range(2)] == ["resolve", "connect"]  # type: ignore[union-attr]
        await events.aclose()

        assert await asyncio.to_thread(server.left.wait, 2)


async def test_D_48_the_connections_of_a_validator_are_closed_when_it_is_cut_off(files: FileGuard) -> None:
    async with serve(silent) as server:
        result = await run(files, reads, Thing(name="a", port=server.port), timeout=0.3)
        assert await asyncio.to_thread(server.left.wait, 2)

    assert [check.name for check in result.checks] == ["resolve", "connect", "read"]
    assert result.status == "timeout"


async def blocks_the_loop(config: Thing, context: wellhead.ValidationContext) -> None:
    async with context.check("one"):
        time.sleep(0.3)  # noqa: ASYNC251  # the mistake that authors make


async def test_a_validator_that_blocks_its_own_event_loop_is_cut_off_too(files: FileGuard) -> None:
    assert (await run(files, blocks_the_loop, timeout=0.1)).status == "timeout"


# Secrets


def facts() -> SecretFacts:
    from wellhead import clock

    return SecretFacts(clock.now(), 1)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Logs(wellhead.Validator[Thing]):
    """Says what it got, in ways that must not get through; and how much that was, which may."""

    async def validate(self, config: Thing, context: wellhead.ValidationContext) -> None:
        secrets = [secret.reveal() for secret in (config.password, *config.tokens.values()) if secret is not None]
        context.detail("digests", [digest(secret) for secret in secrets])
        async with context.check("login"):
            said = " and ".join(secrets)
            context.detail("leak", said)
            raise wellhead.CheckFailedError("auth_failed", f"wrong: {said}", hint=f"not {said}")


async def test_L_10_l_11_l_24_secrets_at_any_depth_are_taken_out(files: FileGuard, canary: Canary) -> None:
    one, two = canary.secret(), canary.secret()

    result = await run(files, Logs, Thing(name="a", password=one, tokens={"x": two}))

    assert result.details["digests"] == [digest(one), digest(two)]
    assert outcomes(result) == [("secrets", "passed", None), ("login", "failed", "auth_failed")]
    canary.saw(json.dumps(result.as_document(), ensure_ascii=False))
    canary.saw(repr(result))


async def encodes(config: Thing, context: wellhead.ValidationContext) -> None:
    async with context.check("login"):
        (config.password or Secret("x")).reveal().encode("ascii")


async def raises_a_secret(config: Thing, context: wellhead.ValidationContext) -> None:
    raise ValueError((config.password or Secret("x")).reveal())


async def test_L_11_an_exception_that_carries_a_secret_is_not_shown_nor_logged(
    files: FileGuard, canary: Canary
) -> None:
    for validator, code in ((encodes, "protocol_error"), (raises_a_secret, "plugin_error")):
        result = await run(files, validator, Thing(name="a", password=canary.secret()))
        assert last(result).code == code
        canary.saw(repr(result))


async def test_references_are_resolved_in_the_first_check_and_their_values_taken_out(
    files: FileGuard, canary: Canary
) -> None:
    value = canary.secret()
    references = References(names=["PG_*"], environment={"PG_PASSWORD": value})
    config = Thing(name="a", password={"ref": "env:PG_PASSWORD"})

    result = await run(files, Logs, config, references=references)

    assert outcomes(result)[0] == ("secrets", "passed", None)
    assert result.details == {"digests": [digest(value)], "leak": "[redacted]"}
    canary.saw(json.dumps(result.as_document(), ensure_ascii=False))


@pytest.mark.parametrize("reference", ["env:PG_MISSING", "env:HOME", "env:WELLHEAD_TOKEN", "file:/etc/shadow"])
async def test_a_reference_that_does_not_resolve_fails_the_first_check(files: FileGuard, reference: str) -> None:
    references = References(names=["PG_*", "WELLHEAD_*"], environment={"WELLHEAD_TOKEN": "x", "HOME": "/root"})

    result = await run(files, Steps, Thing(name="a", password={"ref": reference}), references=references)

    assert outcomes(result) == [("secrets", "failed", "secret_unavailable")]
    assert "/password" in (result.checks[0].message or "")
    assert result.checks[0].fields == ("/password",)
    assert [check.status for check in result.checks[1:]] == ["skipped"] * 3


async def test_stored_secrets_are_opened_in_the_first_check(files: FileGuard, canary: Canary) -> None:
    value = canary.secret()
    sealed = Thing(name="a", password=Secret.sealed(facts()))

    async def unlock() -> Thing:
        return Thing(name="a", password=value)

    result = await make(files, Logs).validate(sealed, unlock=unlock)

    assert result.details["digests"] == [digest(value)]
    canary.saw(json.dumps(result.as_document(), ensure_ascii=False))


@pytest.mark.parametrize("error", [SecretUnavailableError("The key is gone."), RecordCorruptError("damaged")], ids=repr)
async def test_C_09_a_secret_that_cannot_be_opened_fails_the_first_check(files: FileGuard, error: Exception) -> None:
    async def unlock() -> Thing:
        raise error

    result = await make(files, Steps).validate(Thing(name="a", password=Secret.sealed(facts())), unlock=unlock)

    assert outcomes(result) == [("secrets", "failed", "secret_unavailable")]
    assert result.status == "failed"


async def test_a_secret_that_stays_sealed_fails_the_first_check(files: FileGuard) -> None:
    result = await run(files, Logs, Thing(name="a", password=Secret.sealed(facts())))

    assert outcomes(result) == [("secrets", "failed", "secret_unavailable")]


class WithKey(wellhead.DataSourceConfig):
    """A type with a key."""

    type: Literal["keyed"] = "keyed"
    key: wellhead.SecretPem


async def test_what_a_reference_points_to_must_fit_the_field(files: FileGuard) -> None:
    service = service_for(
        wellhead.DataSourceType(WithKey, Steps),
        files=files,
        references=References(names=["*"], environment={"KEY": "no key"}),
    )

    result = await service.validate(WithKey(name="a", key={"ref": "env:KEY"}))

    assert outcomes(result) == [("secrets", "failed", "secret_unavailable")]
    assert result.checks[0].message == "What the reference of /key points to does not fit the field."


async def test_opening_secrets_counts_against_the_deadline(files: FileGuard) -> None:
    async def unlock() -> Thing:
        await asyncio.sleep(60)
        raise AssertionError

    service = make(files, Steps, timeout=0.2)
    result = await service.validate(Thing(name="a", password=Secret.sealed(facts())), unlock=unlock)

    assert outcomes(result) == [("secrets", "timeout", "deadline")]


class Shop(wellhead.DatabaseDataSource):
    """A database for tests."""

    type: Literal["shop"] = "shop"


class Sheet(wellhead.FileDataSource):
    """A file for tests."""

    type: Literal["sheet"] = "sheet"


class Web(wellhead.APIDataSource):
    """A web API for tests."""

    type: Literal["web"] = "web"


async def test_each_family_has_a_method_of_its_own(files: FileGuard) -> None:
    service = service_for(*(wellhead.DataSourceType(model, _coroutine) for model in (Shop, Sheet, Web)), files=files)
    shop = Shop(name="a", host="h", port=1, database="d", username="u")
    sheet = Sheet(name="b", path="a.csv", format="sheet")
    web = Web(name="c", url="https://example.com")

    assert (await service.validate_database_connection(shop)).success
    assert (await service.validate_file_access(sheet)).success
    assert (await service.validate_api_endpoint(web)).success
    with pytest.raises(TypeError, match="a DatabaseDataSource is needed, not a Sheet"):
        await service.validate_database_connection(sheet)  # type: ignore[arg-type]


def sleeps(config: Thing, context: wellhead.ValidationContext) -> None:
    with context.check("one"):
        time.sleep(0.3)


async def test_forty_validations_at_once_do_not_wait_for_one_another(files: FileGuard) -> None:
    service = make(files, sleeps, timeout=20)
    started = time.monotonic()

    results = await asyncio.gather(*(service.validate(Thing(name=f"a{number}")) for number in range(40)))

    assert all(result.status == "passed" for result in results)
    assert time.monotonic() - started < 40 * 0.3


async def test_importing_the_service_imports_no_driver() -> None:
    program = "import sys, wellhead.validation.service; print({'asyncpg', 'fastapi', 'aiohttp'} & set(sys.modules))"
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n"
