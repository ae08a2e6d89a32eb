"""The context that a validator gets, and what it lets through of what a plugin says."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.canary import Canary
from support.certificates import make_certificates
from support.rogue import Script, saying, serve, silent
from support.validating import LOCAL
from wellhead.codes import CODES
from wellhead.errors import CheckFailedError
from wellhead.guard.egress import EgressPolicy
from wellhead.guard.files import FileGuard
from wellhead.guard.tls import verifying_context
from wellhead.model.families import DatabaseDataSource
from wellhead.model.result import Check
from wellhead.validation.inside.context import MAX_CHECKS, RunContext
from wellhead.validation.inside.steps import Reports
from wellhead.validation.wording import Wording

pytestmark = pytest.mark.anyio


class Database(DatabaseDataSource):
    """A type for tests."""


@pytest.fixture
def checks() -> list[Check]:
    """The checks that ended."""
    return []


def make(
    checks: list[Check],
    *secrets: str,
    seconds: float = 5.0,
    workspace: Path | None = None,
    defect: Callable[[list[str]], None] = lambda _where: None,
    policy: EgressPolicy = LOCAL,
) -> RunContext:
    wording = Wording(secrets, fields=["host", "port", "password", "headers", "tls_mode"], steps=["login"])
    return RunContext(
        files=FileGuard(workspace) if workspace else None,  # type: ignore[arg-type]
        policy=policy,
        wording=wording,
        errors={"KeyError": "auth_failed"},
        deadline=time.monotonic() + seconds,
        reports=Reports(checks.append, defect=defect),
    )


async def test_a_check_passes_and_says_how_long_it_took(checks: list[Check]) -> None:
    async with make(checks).check("login", fields=["/host"]):
        await asyncio.sleep(0.02)

    [check] = checks
    assert (check.name, check.status, check.code, check.message, check.hint) == ("login", "passed", None, None, None)
    assert check.fields == ()
    assert 15 < check.duration_ms < 1000


def test_a_plain_function_uses_it_with_with(checks: list[Check]) -> None:
    with make(checks).check("login"):
        pass

    assert checks[0].status == "passed"


async def test_a_drivers_exception_becomes_a_code_of_the_types_table(checks: list[Check]) -> None:
    with pytest.raises(CheckFailedError) as raised:
        async with make(checks).check("login", fields=["/password"]):
            raise KeyError("the server's own words")

    [check] = checks
    assert (check.status, check.code, check.fields) == ("failed", "auth_failed", ("/password",))
    assert (check.message, check.hint) == (CODES["auth_failed"].title, CODES["auth_failed"].remedy)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


async def test_of_a_group_of_exceptions_the_first_counts(checks: list[Check]) -> None:
    async def fail() -> None:
        raise CheckFailedError("not_csv")

    with pytest.raises(CheckFailedError):
        async with make(checks).check("login"), asyncio.TaskGroup() as group:
            group.create_task(fail())

    assert checks[0].code == "not_csv"


async def test_a_failure_says_its_own_code_message_hint_and_fields(checks: list[Check]) -> None:
    with pytest.raises(CheckFailedError):
        async with make(checks).check("login", fields=["/host"]):
            raise CheckFailedError("my_own_code", "It is odd.", hint="Make it even.", fields=["/port", "/headers/X-A"])

    [check] = checks
    assert (check.code, check.message, check.hint) == ("my_own_code", "It is odd.", "Make it even.")
    assert check.fields == ("/port", "/headers/X-A")


async def test_a_warning_lets_the_check_pass(checks: list[Check]) -> None:
    context = make(checks)
    async with context.check("login", fields=["/tls_mode"]):
        context.warn("tls_disabled")
    async with context.check("more"):
        context.warn("plugin_code", "Look.", hint="Here.")

    assert [(check.status, check.code) for check in checks] == [("warning", "tls_disabled"), ("warning", "plugin_code")]
    assert (checks[0].hint, checks[0].fields) == (CODES["tls_disabled"].remedy, ("/tls_mode",))
    assert (checks[1].message, checks[1].hint) == ("Look.", "Here.")


async def test_two_warnings_of_one_check_are_both_told(checks: list[Check]) -> None:
    context = make(checks)
    async with context.check("login"):
        context.warn("tls_unverified")
        context.warn("plugin_code", "Look.", hint="Here.")
        context.warn("no_text_of_its_own")

    [check] = checks
    assert (check.code, check.message) == ("no_text_of_its_own", f"Look. {CODES['tls_unverified'].title}")


async def test_checks_that_run_side_by_side_keep_their_warnings_apart(checks: list[Check]) -> None:
    context, both_run = make(checks), asyncio.Barrier(2)

    async def look(name: str, code: str) -> None:
        async with context.check(name) as check:
            await both_run.wait()
            check.warn(code)
            await both_run.wait()
            await asyncio.to_thread(context.warn, f"{code}_again", "And again.")

    async with asyncio.TaskGroup() as group:
        group.create_task(look("one", "first"))
        group.create_task(look("two", "second"))

    assert {(check.name, check.code) for check in checks} == {("one", "first_again"), ("two", "second_again")}


async def test_a_task_of_a_check_warns_that_check_and_not_the_innermost(checks: list[Check]) -> None:
    context, inner_runs, warned = make(checks), asyncio.Event(), asyncio.Event()

    async def watch() -> None:
        await inner_runs.wait()
        context.warn("tls_disabled")
        warned.set()

    async with context.check("outer"), asyncio.TaskGroup() as group:
        group.create_task(watch())
        async with context.check("inner"):
            inner_runs.set()
            await warned.wait()

    assert [(check.name, check.code) for check in checks] == [("inner", None), ("outer", "tls_disabled")]


async def test_a_warning_that_could_belong_to_several_checks_is_refused(checks: list[Check]) -> None:
    context, go, refused = make(checks), asyncio.Event(), asyncio.Event()

    async def bystander() -> None:
        await go.wait()
        with pytest.raises(RuntimeError, match="inside a check"):
            context.warn("tls_disabled")
        refused.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(bystander())
        await asyncio.sleep(0)
        async with context.check("outer"), context.check("inner"):
            go.set()
            await refused.wait()

    assert [check.status for check in checks] == ["passed", "passed"]


async def test_a_connection_beside_a_running_check_records_its_own(checks: list[Check]) -> None:
    context, done = make(checks), asyncio.Event()

    async def connect(port: int) -> None:
        await context.connect("127.0.0.1", port)
        done.set()

    async with serve(silent) as server, asyncio.TaskGroup() as group:
        task = group.create_task(connect(server.port))
        async with context.check("login"):
            await done.wait()
        await task
        context.close()

    assert [check.name for check in checks] == ["resolve", "connect", "login"]


def test_a_warning_outside_a_check_is_a_mistake_of_the_author(checks: list[Check]) -> None:
    with pytest.raises(RuntimeError, match="inside a check"):
        make(checks).warn("tls_disabled")


async def test_inner_checks_end_before_outer_ones(checks: list[Check]) -> None:
    context = make(checks)
    with pytest.raises(CheckFailedError):
        async with context.check("outer"):
            async with context.check("good"):
                pass
            async with context.check("bad"):
                raise CheckFailedError("not_csv")

    assert [(check.name, check.status) for check in checks] == [
        ("good", "passed"),
        ("bad", "failed"),
        ("outer", "failed"),
    ]


def test_G_18_a_hundred_checks_are_enough(checks: list[Check]) -> None:
    context = make(checks)
    for number in range(MAX_CHECKS):
        with context.check(f"check {number}"):
            pass

    with pytest.raises(RuntimeError, match="at most 100"):
        context.check("one more")


def test_the_time_that_remains_is_never_below_zero(checks: list[Check]) -> None:
    assert 4 < make(checks).remaining <= 5
    assert make(checks, seconds=-3).remaining == 0


async def test_checks_that_run_end_when_the_time_is_over_and_only_once(checks: list[Check]) -> None:
    context = make(checks)
    async with context.check("outer"), context.check("inner"):
        context.end("timeout", "deadline")

    assert [(check.name, check.status, check.code) for check in checks] == [
        ("inner", "timeout", "deadline"),
        ("outer", "timeout", "deadline"),
    ]


async def test_connecting_records_its_steps(checks: list[Check]) -> None:
    async with serve(silent) as server:
        context = make(checks)
        await context.connect("127.0.0.1", server.port)
        context.close()

    assert [(check.name, check.status) for check in checks] == [("resolve", "passed"), ("connect", "passed")]


async def test_connecting_inside_a_check_belongs_to_that_check(checks: list[Check]) -> None:
    async with serve(silent) as server:
        context = make(checks)
        async with context.check("login"):
            await context.connect("127.0.0.1", server.port)
        with pytest.raises(CheckFailedError):
            async with context.check("more", fields=["/host"]):
                await context.connect("169.254.169.254", 80)
        context.close()

    assert [(check.name, check.code) for check in checks] == [("login", None), ("more", "destination_rejected")]


async def test_D_48_streams_are_closed_at_the_end_and_no_more_are_opened(checks: list[Check]) -> None:
    async with serve(silent) as server:
        context = make(checks)
        stream = await context.connect("127.0.0.1", server.port)
        context.close()
        await asyncio.sleep(0.01)
        assert stream._writer.transport.is_closing()
        with pytest.raises(RuntimeError, match="over"):
            await context.connect("127.0.0.1", server.port)
        with pytest.raises(RuntimeError, match="over"):
            context.check("login")
    assert server.connections == 1


async def defects_of(error: Exception, checks: list[Check]) -> list[list[str]]:
    """Let a check raise something; return what the operator's log gets."""
    logged: list[list[str]] = []
    with pytest.raises(CheckFailedError):
        async with make(checks, defect=logged.append).check("login"):
            raise error
    return logged


async def test_L_11_the_operators_log_gets_the_place_of_what_nothing_knew_and_no_text(checks: list[Check]) -> None:
    [[line]] = await defects_of(ValueError("the server's own words"), checks)

    assert line.startswith("ValueError at test_context.py:")
    assert "words" not in line
    assert checks[0].code == "protocol_error"


@pytest.mark.parametrize("error", [KeyError("x"), CheckFailedError("protocol_error"), ConnectionResetError()])
async def test_what_is_known_is_no_defect(checks: list[Check], error: Exception) -> None:
    assert await defects_of(error, checks) == []


SSH = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"


async def ending(script: Script, code: str, checks: list[Check], service: str | None = "MySQL") -> Check:
    """Let a check end with a code after a server has said something."""
    async with serve(script) as rogue:
        context = make(checks)
        stream = await context.connect("127.0.0.1", rogue.port, service=service)
        with pytest.raises(CheckFailedError):
            async with context.check("login", fields=["/tls_mode"]):
                await stream.write(b"hello")
                await stream.read(1)
                raise CheckFailedError(code)
        context.close()
    return checks[-1]


@pytest.mark.parametrize("code", ["protocol_error", "connection_lost", "connection_timeout", "tls_failed"])
async def test_N_18_another_service_is_named_in_words_of_ours(checks: list[Check], code: str) -> None:
    check = await ending(saying(SSH), code, checks)

    assert (check.code, check.fields) == ("wrong_service", ("/host", "/port"))
    assert check.message == "This port answers like SSH, not like MySQL."
    assert check.hint == CODES["wrong_service"].remedy
    assert "OpenSSH" not in str(checks)


async def test_a_check_that_says_why_it_failed_is_believed(checks: list[Check]) -> None:
    assert (await ending(saying(SSH), "auth_failed", checks)).code == "auth_failed"


@pytest.mark.parametrize(("said", "service"), [(SSH, "SSH"), (SSH, None), (b"who knows", "MySQL")])
async def test_only_another_well_known_service_is_called_wrong(
    checks: list[Check], said: bytes, service: str | None
) -> None:
    assert (await ending(saying(said), "protocol_error", checks, service)).code == "protocol_error"


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def test_a_server_that_hangs_up_when_tls_is_started_may_offer_none(checks: list[Check]) -> None:
    context = make(checks)
    async with serve(hang_up) as rogue:
        with pytest.raises(CheckFailedError):
            await context.connect("127.0.0.1", rogue.port, tls=verifying_context())
    context.close()

    assert (checks[-1].name, checks[-1].code) == ("tls", "connection_lost")
    assert "as with `tls_not_offered`" in (checks[-1].hint or "")


async def test_a_server_that_hangs_up_without_tls_is_told_without_it(checks: list[Check]) -> None:
    check = await ending(saying(b"?"), "connection_lost", checks)
    assert check.hint == CODES["connection_lost"].remedy


async def test_a_server_that_answers_without_tls_is_named(checks: list[Check]) -> None:
    context = make(checks)
    async with serve(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as rogue:
        with pytest.raises(CheckFailedError):
            await context.connect("127.0.0.1", rogue.port, tls=verifying_context(), service="PostgreSQL")
    context.close()

    assert (checks[-1].name, checks[-1].code) == ("tls", "wrong_service")
    assert checks[-1].message == "This port answers like HTTP, not like PostgreSQL."


async def test_an_alert_in_a_handshake_does_not_make_it_another_service(checks: list[Check]) -> None:
    context = make(checks)
    async with serve(saying(b"\x15\x03\x03\0\x02\x02\x28")) as rogue:
        with pytest.raises(CheckFailedError):
            await context.connect("127.0.0.1", rogue.port, tls=verifying_context(), service="PostgreSQL")
    context.close()

    assert (checks[-1].name, checks[-1].code) == ("tls", "tls_failed")


@pytest.mark.parametrize(("which", "code"), [("server", None), ("expires_soon", "certificate_expires_soon")])
async def test_a_certificate_that_expires_soon_is_warned_about(
    checks: list[Check], which: str, code: str | None
) -> None:
    certificates = make_certificates()
    context = make(checks)
    async with serve(silent, tls=getattr(certificates, which), ask_first=False) as rogue:
        await context.connect("localhost", rogue.port, tls=verifying_context(ca_certificate=certificates.ca))
        context.close()

    assert (checks[-1].name, checks[-1].code) == ("tls", code)
    assert checks[-1].message == ("The server's certificate expires in 10 days." if code else None)


async def test_of_a_certificate_for_another_name_the_names_are_told(checks: list[Check]) -> None:
    certificates = make_certificates()
    context = make(checks)
    async with serve(silent, tls=certificates.other_name, ask_first=False) as rogue:
        with pytest.raises(CheckFailedError):
            await context.connect("localhost", rogue.port, tls=verifying_context(ca_certificate=certificates.ca))
    context.close()

    remedy = CODES["certificate_name_mismatch"].remedy
    assert (checks[-1].code, checks[-1].hint) == ("certificate_name_mismatch", f"{remedy} It lists: db.example.com.")


def test_a_file_is_opened_through_the_guard(checks: list[Check], workspace: Path) -> None:
    (workspace / "a.csv").write_text("a")
    context = make(checks, workspace=workspace)

    with context.open("a.csv") as file:
        assert file.read() == b"a"
    with pytest.raises(CheckFailedError):
        context.open("../a.csv")
    context._files.close()


MODES = [("disable", "tls_disabled"), ("require", "tls_unverified"), ("verify-ca", "tls_unverified")]


@pytest.mark.parametrize(("mode", "code"), [*MODES, ("verify-full", None)])
def test_N_26_tls_that_is_not_safe_is_warned_about(checks: list[Check], mode: str, code: str | None) -> None:
    context = make(checks)
    config = Database(name="a", type="db", host="h", port=1, database="d", username="u", tls_mode=mode)

    with context.check("tls"):
        made = context.tls(config)

    assert (made is None) == (mode == "disable")
    assert checks[0].code == code


async def test_blocking_work_runs_in_a_thread(checks: list[Check]) -> None:
    assert await make(checks).in_thread(sum, [1, 2], start=3) == 6


def spellings(secret: str) -> list[str]:
    data = secret.encode()
    return [
        secret,
        secret.upper(),
        quote(secret, safe=""),
        json.dumps(secret),
        base64.b64encode(data).decode(),
        base64.urlsafe_b64encode(data).decode(),
        base64.b64encode(b"user:" + data).decode(),
        data.hex(),
        repr(secret),
        secret[:5] + "\x00" + secret[5:],
        secret[:5] + "\u200b" + secret[5:],
    ]


async def test_L_24_a_secret_in_any_spelling_is_taken_out_of_all_that_a_plugin_says(
    checks: list[Check], canary: Canary
) -> None:
    secret = canary.secret()
    context = make(checks, secret)
    for spelt in spellings(secret):
        with pytest.raises(CheckFailedError):
            async with context.check(f"n {spelt}"):
                context.detail(f"key {spelt}", f"value {spelt}")
                context.detail("list", [spelt, f"x{spelt}y"])
                fields = [f"/headers/{spelt}", f"/{spelt}", spelt]
                raise CheckFailedError(spelt, f"message {spelt}", hint=f"hint {spelt}", fields=fields)
        async with context.check("login"):
            context.warn(spelt, f"a {spelt}", hint=f"b {spelt}")

    assert all(check.code == "check_failed" for check in checks)
    assert all(check.fields == () for check in checks)
    shown = json.dumps([check.as_document() for check in checks] + [context.details], ensure_ascii=False)
    assert "[redacted]" in shown
    canary.saw(shown)
    assert secret.lower() not in shown.lower()


@pytest.mark.parametrize("code", ["Connection to db failed: no route", "", None, 7, "x" * 200, "Auth", "a__b", "a-b"])
async def test_L_24_what_cannot_be_a_code_is_none(checks: list[Check], code: Any) -> None:
    with pytest.raises(CheckFailedError):
        async with make(checks).check("login"):
            raise CheckFailedError(code)

    assert checks[0].code == "check_failed"
    assert checks[0].hint == CODES["check_failed"].remedy


async def test_L_24_texts_are_bounded_and_have_no_control_characters(checks: list[Check]) -> None:
    with pytest.raises(CheckFailedError):
        async with make(checks).check("n\x1b[31m" + "n" * 500):
            fields = [f"/headers/{number}" for number in range(100)]
            raise CheckFailedError("own_code", "m\x00\u202e\n" * 900, hint="h\r\n" * 900, fields=fields)

    [check] = checks
    assert (len(check.name), len(check.message or ""), len(check.hint or ""), len(check.fields)) == (50, 200, 400, 20)
    assert all(text.isprintable() for text in (check.name, check.message or "", check.hint or ""))


async def test_names_that_everybody_knows_are_not_taken_for_secrets(checks: list[Check]) -> None:
    """A password that is also the name of a field must not show itself by making that name disappear."""
    context = make(checks, "password", "login", "resolve", "host")
    with pytest.raises(CheckFailedError):
        async with context.check("login", fields=["/password", "/host"]):
            raise CheckFailedError("auth_failed")

    assert (checks[0].name, checks[0].fields) == ("login", ("/password", "/host"))


def test_G_18_details_are_bounded(checks: list[Check]) -> None:
    context = make(checks)
    for number in range(500):
        context.detail(f"name {number} {'x' * 1000}", ["y" * 5000] * 5000)

    assert len(context.details) <= 50
    assert len(json.dumps(context.details)) < 64 * 1024


FACTS = [("text", "text"), (7, 7), (2.5, 2.5), (True, True), (None, None), (["a", 1], ["a", "1"]), (float("nan"), None)]
FACTS += [(float("inf"), None), (10**5000, None), (2**53, None), ({"a": 1}, None), (b"bytes", None), (object(), None)]


@pytest.mark.parametrize(("value", "shown"), FACTS, ids=lambda value: str(type(value).__name__))
def test_details_are_json_that_everybody_can_read(checks: list[Check], value: Any, shown: Any) -> None:
    context = make(checks)

    context.detail("fact", value)

    assert context.details == {"fact": shown}
    json.dumps(context.details, allow_nan=False)


@given(st.text(min_size=8, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_L_24_no_text_around_a_secret_lets_it_through(secret: str, before: str, after: str) -> None:
    shown = Wording([secret]).check("login", "failed", "own_code", message=before + secret + after).message

    assert shown is None or secret not in shown or secret in "[redacted]"


@pytest.mark.parametrize("is_closed", [True, False])
async def test_N_17_a_service_for_several_users_does_not_tell_closed_from_filtered(
    checks: list[Check], is_closed: bool
) -> None:
    policy = EgressPolicy.parse(["127.0.0.0/8"], [], public_only=True)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as held:
        port = server.getsockname()[1]
        if is_closed:
            server.close()
        else:  # a full backlog answers nothing, as a filter does
            for _ in range(4):
                waiting = held.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.1", port))
        context = make(checks, seconds=1.0, policy=policy)

        with pytest.raises(CheckFailedError):
            await context.connect("127.0.0.1", port)

    assert (checks[-1].name, checks[-1].status, checks[-1].code) == ("connect", "failed", "connection_failed")
    assert 400 < checks[-1].duration_ms < 1000
