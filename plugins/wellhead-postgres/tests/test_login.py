"""Logging in at servers that misbehave: only listed codes, by the deadline, and the password stays here."""

from __future__ import annotations

import asyncio
import inspect
import os
import random
import socket
import struct
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from asyncpg import connect_utils

from support.canary import Canary
from support.certificates import Certificates, make_certificates
from support.rogue import Rogue, Script, saying, serve, silent
from support.validating import last, outcomes, validate
from wellhead.codes import CODES
from wellhead.guard.network import dial
from wellhead.model.result import ValidationResult
from wellhead.validation.inside.diagnosis import understand
from wellhead_postgres import ERRORS, GRANT_CONNECTING, PostgresDataSource, wellhead_data_source_types
from wellhead_postgres.login import MAX_LOGIN_BYTES, log_in

pytestmark = pytest.mark.anyio

[POSTGRES] = wellhead_data_source_types()
CLEAR = b"R\0\0\0\x08\0\0\0\x03"
OK = b"R\0\0\0\x08\0\0\0\0"
READY = b"Z\0\0\0\x05I"
SYNC, FLUSH = b"S\0\0\0\x04", b"H\0\0\0\x04"


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


LOGGED_IN = OK + message(b"S", b"server_version\x0016.2\0") + message(b"K", struct.pack("!II", 1, 2)) + READY


def request(method: int, body: bytes = b"") -> bytes:
    return message(b"R", struct.pack("!I", method) + body)


@pytest.fixture
def certificates() -> Certificates:
    return make_certificates()


def open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208  # names are all that is wanted


@pytest.fixture
async def descriptors() -> AsyncIterator[None]:
    """Claim that a test leaves no descriptor behind."""
    before = open_descriptors()
    yield
    await asyncio.sleep(0.05)
    assert len(open_descriptors()) == len(before)


async def run(
    rogue: Rogue,
    *,
    password: str | None = "not to be sent",
    seconds: float = 1.0,
    **changes: Any,
) -> ValidationResult:
    fields = {
        "host": "127.0.0.1",
        "database": "d",
        "username": "u",
        "tls_mode": "disable",
        "password": password,
    } | changes
    return await validate(POSTGRES, PostgresDataSource(name="a", port=rogue.port, **fields), timeout=seconds)


async def end_of(script: Script, **keywords: Any) -> tuple[str, str, str | None]:
    """Run against a server that follows a script, and return how the last check ended."""
    async with serve(script) as rogue:
        result = await run(rogue, **keywords)
    return outcomes(result)[-1]


GARBAGE = {
    "http": b"HTTP/1.1 400 Bad Request\r\nServer: secret-banner/1.0\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "mysql": b"J\0\0\0\x0a8.0.36-banner\0" + bytes(60),
    "zeros": bytes(64),
    "ones": b"\xff" * 64,
    "negative length": b"R\xff\xff\xff\xff" + bytes(64),
    "length of 3": b"R\0\0\0\x03",
    "authentication without a method": message(b"R", b""),
    "data before the login": message(b"D", b"\0\0"),
    "a notification before the login": message(b"A", b"\0\0\0\0a\0b\0"),
    "copy": message(b"G", b"\0\0\0"),
    "ready before the login": READY,
    "settings before the login": message(b"S", b"client_encoding\0rot13\0") + LOGGED_IN,
    "an error of no fields": message(b"E", b""),
    "an error without an end": message(b"E", b"SFATAL\0C28P01\0Mno"),
    "an error that is not text": message(b"E", b"SFATAL\0C28P01\0M\xff\xfe\0\0"),
    "an error of an unknown code": message(b"E", b"SFATAL\0CZZZZZ\0Mbanner\0\0"),
    "two methods": request(5, b"salt") + request(5, b"salt"),
    "scram without mechanisms": request(10, b"\0"),
    "scram with a strange mechanism": request(10, b"SCRAM-MD2\0\0"),
    "the end of scram first": request(12, b"v=abc"),
    "md5 without salt": request(5),
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE)
async def test_N_18_p_09_garbage_gives_a_listed_code_and_nothing_of_it_is_passed_on(
    answer: bytes, canary: Canary, descriptors: None
) -> None:
    async with serve(saying(answer)) as rogue:
        result = await run(rogue, password=canary.secret(), seconds=0.4)

    assert result.status in {"failed", "timeout"}
    assert all(check.code in CODES for check in result.checks if check.code)
    assert not any(word in str(result.as_document()).lower() for word in ("banner", "openssh", "fatal"))
    canary.saw(bytes(rogue.received))


async def test_P_07_the_password_is_not_sent_in_clear_text(canary: Canary) -> None:
    async with serve(saying(CLEAR, LOGGED_IN)) as rogue:
        result = await run(rogue, password=canary.secret())

    assert outcomes(result)[-1] == ("authenticate", "failed", "cleartext_password_refused")
    canary.saw(bytes(rogue.received))


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_P_07_a_rogue_with_a_strangers_certificate_gets_no_password(
    mode: str, canary: Canary, certificates: Certificates
) -> None:
    async with serve(saying(CLEAR, LOGGED_IN), tls=certificates.untrusted) as rogue:
        ca = None if mode == "require" else certificates.ca
        result = await run(rogue, password=canary.secret(), tls_mode=mode, ca_certificate=ca)

    assert last(result).code == ("cleartext_password_refused" if mode == "require" else "certificate_untrusted")
    canary.saw(bytes(rogue.received))


async def test_upstream_asyncpg_itself_sends_the_password_in_clear_text_to_anyone() -> None:
    """If this fails, asyncpg has learnt to refuse, and the gate can be simpler."""
    async with serve(saying(CLEAR, LOGGED_IN)) as rogue:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=rogue.port, user="u", database="d", password="in clear", ssl=False
        )
        connection.terminate()

    assert b"in clear" in rogue.received


def test_upstream_the_private_names_that_are_used_have_the_fields_that_are_used() -> None:
    """If this fails, `log_in` must be adapted to the new asyncpg before its range of versions is widened."""
    assert connect_utils._ConnectionParameters._fields == (
        "user", "password", "database", "ssl", "sslmode", "ssl_negotiation", "server_settings", "target_session_attrs",
        "krbsrvname", "gsslib",
    )  # fmt: skip
    assert connect_utils._ClientConfiguration._fields == (
        "command_timeout", "statement_cache_size", "max_cached_statement_lifetime", "max_cacheable_statement_size",
    )  # fmt: skip
    assert connect_utils.SSLMode.disable is not None
    assert connect_utils.SSLNegotiation.postgres is not None


def test_upstream_a_cancelled_query_dials_anew_by_the_method_that_is_overridden() -> None:
    """If this fails, asyncpg cancels in another way, and `StayingConnection` no longer prevents that."""
    assert "_cancel(" in inspect.getsource(asyncpg.Connection._cancel_current_command)
    callers = [name for name, member in vars(asyncpg.Connection).items() if "_cancel(" in _source(member)]
    assert sorted(callers) == ["_cancel", "_cancel_current_command"]


def _source(member: Any) -> str:
    try:
        return inspect.getsource(member)
    except TypeError:
        return ""


async def test_N_08_a_query_that_is_cut_off_by_the_deadline_dials_nothing_anew() -> None:
    async with serve(saying(LOGGED_IN)) as rogue:
        result = await run(rogue, seconds=0.3)
        await asyncio.sleep(0.3)

    assert outcomes(result)[-1] == ("query", "timeout", "deadline")
    assert rogue.connections == 1


ROUNDS = b"r=%s,s=c2FsdHNhbHQ=,i=%d"


def scram(*, rounds: int, times: int = 1, end: bytes = b"") -> Script:
    """Make a server that speaks SCRAM up to its second message."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(request(10, b"SCRAM-SHA-256\0\0"))
        nonce = (await reader.read(4096)).rpartition(b"r=")[2]
        writer.write(request(11, ROUNDS % (nonce + b"x", rounds)) * times)
        await reader.read(4096)
        writer.write(end)
        await silent(reader, writer)

    return script


async def test_D_48_a_server_cannot_make_us_compute_for_minutes() -> None:
    started = time.monotonic()

    assert await end_of(scram(rounds=2_000_000_000)) == ("authenticate", "failed", "protocol_error")
    assert await end_of(scram(rounds=900_000, times=50)) == ("authenticate", "failed", "protocol_error")
    assert time.monotonic() - started < 3


async def test_a_server_that_does_not_know_the_password_is_not_taken_for_one_that_does() -> None:
    """RFC 5802: the server proves itself too; asyncpg alone would accept the login without that."""
    assert await end_of(scram(rounds=4096, end=LOGGED_IN)) == ("authenticate", "failed", "protocol_error")
    forged = request(12, b"v=Zm9yZ2Vk") + LOGGED_IN
    assert await end_of(scram(rounds=4096, end=forged)) == ("authenticate", "failed", "protocol_error")


@pytest.mark.parametrize("method", [1, 2, 4, 6, 7, 8, 9, 13, 99])
async def test_other_ways_of_logging_in_are_not_supported(method: int) -> None:
    assert await end_of(saying(request(method))) == ("authenticate", "failed", "auth_method_unsupported")


async def test_P_08_an_endless_message_is_cut_off() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(b"E" + struct.pack("!I", 2**31 - 1))
        while True:
            writer.write(bytes(65536))
            await writer.drain()

    assert await end_of(endless, seconds=5) == ("authenticate", "failed", "protocol_error")


async def test_P_08_an_endless_row_of_messages_is_cut_off() -> None:
    notice = message(b"N", b"SNOTICE\0C00000\0Mhello\0\0")
    many = notice * (MAX_LOGIN_BYTES // len(notice) + 1)

    assert await end_of(saying(many), seconds=5) == ("authenticate", "failed", "protocol_error")


async def test_P_08_an_endless_answer_to_a_query_is_cut_off() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(LOGGED_IN)
        await reader.read(4096)
        while True:
            writer.write(message(b"S", b"a\0" + b"b" * 60000 + b"\0"))
            await writer.drain()

    name, status, code = await end_of(endless, seconds=5)

    assert (name, status) == ("query", "failed")
    assert code in {"connection_lost", "protocol_error"}


@pytest.mark.parametrize("kind", [b"\0", b"R", b"G", b"v", b"\xff"])
async def test_P_09_a_message_that_has_no_place_in_a_session_ends_it(kind: bytes) -> None:
    """One of type 0 makes asyncpg go round for ever, and no deadline ends that."""
    end = await end_of(saying(LOGGED_IN, message(kind, bytes(9))), seconds=5)

    assert end == ("query", "failed", "connection_lost")


@pytest.mark.parametrize("length", [b"\0\0\0\0", b"\0\0\0\x03"])
async def test_P_09_a_message_of_a_session_has_its_own_length_at_least(length: bytes) -> None:
    assert await end_of(saying(LOGGED_IN, b"C" + length), seconds=5) == ("query", "failed", "connection_lost")


def answering(**texts: bytes) -> Script:
    """Make a server that lets everybody in, and answers queries for numbers with texts."""
    names = {"version": [b"version"], "recovery": [b"recovery"], "has_table_privilege": [b"relations", b"readable"]}
    values = {b"version": b"160002", b"recovery": b"f", b"relations": b"3", b"readable": b"2"}
    values |= {name.encode(): text for name, text in texts.items()}

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(LOGGED_IN)
        columns: list[bytes] = []
        asked = b""
        while data := await reader.read(65536):
            asked += data
            if asked[:1] != b"Q" and not asked.endswith((SYNC, FLUSH)):
                continue
            if asked[:1] == b"Q":
                writer.write(message(b"C", b"SET\0") + READY)
            elif b"D\0\0\0\x06S" in asked:
                columns = next(found for word, found in names.items() if word.encode() in asked)
                described = b"".join(name + b"\0" + struct.pack("!IhIhih", 0, 0, 25, -1, -1, 0) for name in columns)
                rows = message(b"T", struct.pack("!h", len(columns)) + described)
                writer.write(message(b"1", b"") + message(b"t", b"\0\0") + rows)
            else:
                cells = b"".join(struct.pack("!i", len(values[name])) + values[name] for name in columns)
                row = message(b"D", struct.pack("!h", len(columns)) + cells)
                writer.write(message(b"1", b"") + message(b"2", b"") + row + message(b"C", b"SELECT 1\0") + READY)
            asked = b""

    return script


async def test_a_server_that_answers_well_passes_every_check() -> None:
    """This shows that the answers of the next test arrive where they are meant to."""
    async with serve(answering()) as rogue:
        result = await run(rogue)

    assert outcomes(result)[-2:] == [("query", "passed", None), ("permissions", "passed", None)]
    assert result.details["tables_and_views"] == 3


@pytest.mark.parametrize("text", [b"banner of the server", b"9" * 5000, b"NaN", b"\xff\xfe", b""])
@pytest.mark.parametrize("column", ["version", "recovery", "relations", "readable"])
async def test_N_18_what_a_query_returns_is_made_sure_of(column: str, text: bytes) -> None:
    async with serve(answering(**{column: text})) as rogue:
        result = await run(rogue)

    assert not any(isinstance(value, str) for name, value in result.details.items() if name != "server_version")
    assert "banner" not in str(result.as_document())
    assert all(check.code in CODES for check in result.checks if check.code)


async def test_N_08_a_query_that_is_cancelled_dials_nothing_anew() -> None:
    async with serve(saying(LOGGED_IN)) as rogue:
        stream = await dial([(socket.AF_INET, ("127.0.0.1", rogue.port))], seconds=5)
        config = PostgresDataSource(name="a", host="127.0.0.1", port=rogue.port, database="d", username="u")
        connection = await log_in(stream, config, application_name="a")
        query = asyncio.create_task(connection.execute("SELECT 1"))
        await asyncio.sleep(0.05)
        query.cancel()
        await asyncio.wait({query})
        await asyncio.sleep(0.1)
        stream.close()

    assert rogue.connections == 1


async def test_the_certificate_must_be_for_the_host_that_is_configured(certificates: Certificates) -> None:
    async with serve(silent, tls=certificates.name_only) as rogue:
        by_address = await run(rogue, tls_mode="verify-full", ca_certificate=certificates.ca)
        by_name = await run(rogue, host="localhost", tls_mode="verify-full", ca_certificate=certificates.ca)

    assert outcomes(by_address)[-1] == ("tls", "failed", "certificate_name_mismatch")
    assert ("tls", "passed", None) in outcomes(by_name)


async def test_D_48_a_server_that_says_nothing_is_cut_off_by_the_deadline(descriptors: None) -> None:
    started = time.monotonic()

    assert await end_of(silent, seconds=0.3) == ("authenticate", "timeout", "deadline")
    assert await end_of(silent, seconds=0.3, tls_mode="verify-full") == ("tls", "failed", "connection_timeout")
    assert time.monotonic() - started < 1.5


async def test_D_48_a_server_that_drips_is_cut_off_by_the_deadline(descriptors: None) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"N")
            await asyncio.sleep(0.05)

    assert (await end_of(drip, seconds=0.4))[1:] == ("timeout", "deadline")


async def test_D_48_a_tls_handshake_that_stalls(descriptors: None) -> None:
    name = await end_of(saying(b"S"), seconds=0.3, tls_mode="verify-full")

    assert name == ("tls", "timeout", "deadline")


@pytest.mark.parametrize(
    "parts", [[], [b"S"], [b"S", b""], [b"S", b"\x16\x03\x03"], [b"S", b"\x15\x03\x03\0\x02\x02\x28"]]
)
async def test_D_48_a_connection_that_ends_in_the_middle_of_the_handshake(
    parts: list[bytes], descriptors: None
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            await reader.read(4096)
            writer.write(part)
            await writer.drain()

    name, status, code = await end_of(script, tls_mode="verify-full")

    assert (name, status) == ("tls", "failed")
    assert code in {"connection_lost", "tls_failed"}


@pytest.mark.parametrize("before", [b"", OK, request(10, b"SCRAM-SHA-256\0\0"), b"R\0"])
async def test_D_48_a_connection_that_ends_in_the_middle_of_the_login(before: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(before)
        await writer.drain()

    assert await end_of(script) == ("authenticate", "failed", "connection_lost")


async def test_a_server_without_tls_is_named() -> None:
    for mode in ("require", "verify-ca", "verify-full"):
        assert await end_of(saying(b"N"), tls_mode=mode) == ("tls", "failed", "tls_not_offered")


async def test_an_answer_to_the_question_for_tls_that_is_neither_yes_nor_no() -> None:
    for answer in (b"E", b"H", b"\0", b"SX"):
        assert await end_of(saying(answer), tls_mode="require") == ("tls", "failed", "protocol_error")


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (b"\x4a\0\0\0\x0a8.0.36\0", "MySQL"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "SSH"),  # it begins like a yes
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"),
        (b"\x15\x03\x01\0\x02\x02\x46", "TLS"),
    ],
)
@pytest.mark.parametrize("mode", ["require", "disable"])
@pytest.mark.parametrize("is_first", [True, False])
async def test_N_18_another_service_is_named_in_words_of_ours(
    said: bytes, name: str, mode: str, is_first: bool
) -> None:
    async with serve(saying(said, wait_first=not is_first)) as rogue:
        result = await run(rogue, tls_mode=mode)

    failed = last(result)
    assert (failed.code, failed.fields) == ("wrong_service", ("/host", "/port"))
    assert failed.message == f"This port answers like {name}, not like PostgreSQL."
    assert "OpenSSH" not in str(result.as_document())


async def test_something_slipped_in_before_tls_is_refused() -> None:
    """CVE-2021-23222: what is received with the answer would be taken for what comes after the handshake."""
    assert await end_of(saying(b"S" + LOGGED_IN), tls_mode="require") == ("tls", "failed", "protocol_error")


async def test_something_sent_before_it_was_asked_for_is_refused() -> None:
    async def eager(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(LOGGED_IN)
        await silent(reader, writer)

    name, status, code = await end_of(eager, seconds=0.5)

    assert (name, status) in {("authenticate", "failed"), ("query", "timeout")}
    assert code in {"protocol_error", "deadline"}


async def test_a_certificate_for_another_host_is_told_from_an_untrusted_one(certificates: Certificates) -> None:
    seen = {}
    for which in ("expired", "other_name", "untrusted"):
        async with serve(silent, tls=getattr(certificates, which)) as rogue:
            result = await run(rogue, tls_mode="verify-full", ca_certificate=certificates.ca)
        seen[which] = last(result).code

    assert seen == {
        "expired": "certificate_expired",
        "other_name": "certificate_name_mismatch",
        "untrusted": "certificate_untrusted",
    }


SQLSTATES = {
    "auth_failed": "28P01",
    "login_not_permitted": "28000 08004",
    "database_not_found": "3D000 57P04",
    "database_unavailable": "55000 55006",
    "permission_denied": "42501",
    "too_many_connections": "53300",
    "server_starting": "57P01 57P02 57P03",
    "server_out_of_resources": "53000 53100 53200 53400 54000 54001 54023",
    "server_fault": "58000 58030 58P01 F0000 F0001 XX000 XX001 XX002",
    "connection_lost": "08000 08001 08003 08006 08007 25P03 57P05",
    "protocol_error": "08P01 0A000",
    "deadline": "57014 25P04",
    "query_failed": "22021 22023 25006 25P02 3F000 40001 40P01 42601 42704 42883 42P01 55P03 57000 99999 ABCDE",
}


@pytest.mark.parametrize(("code", "state"), [(code, one) for code, text in SQLSTATES.items() for one in text.split()])
async def test_P_09_every_sqlstate_that_a_login_can_end_with_has_its_code(code: str, state: str) -> None:
    error = message(b"E", f"SFATAL\0VFATAL\0C{state}\0Ma text of the server\0\0".encode())
    async with serve(saying(error)) as rogue:
        result = await run(rogue)

    failed = last(result)
    assert (failed.name, failed.code, failed.message) == ("authenticate", code, CODES[code].title)
    assert failed.hint == (GRANT_CONNECTING if code == "permission_denied" else CODES[code].remedy)
    assert "a text of the server" not in str(result.as_document())


@pytest.mark.parametrize("name", asyncpg.exceptions.__all__)
def test_P_09_every_exception_of_asyncpg_is_known(name: str) -> None:
    kind = getattr(asyncpg.exceptions, name)
    if issubclass(kind, asyncpg.PostgresError | asyncpg.InterfaceError | asyncpg.InternalClientError):
        assert understand(kind.__new__(kind), ERRORS) in CODES


async def test_a_goodbye_that_is_not_answered_changes_nothing_of_the_result() -> None:
    from wellhead_postgres import login

    class Stubborn:
        async def close(self, **_keywords: float) -> None:
            raise TimeoutError

    await login.log_out(Stubborn())  # type: ignore[arg-type]


GOOD = [
    request(10, b"SCRAM-SHA-256\0\0"),
    request(5, b"salt"),
    LOGGED_IN,
    message(b"E", b"SFATAL\0VFATAL\0C28P01\0Mno\0\0"),
    message(b"N", b"SNOTICE\0C00000\0Mhello\0\0"),
    message(b"v", b"\0\x03\0\0\0\0\0\x01option\0"),
    message(b"1", b"") + message(b"t", b"\0\0") + message(b"n", b"") + READY,
    message(b"T", b"\0\x01v\0" + bytes(18))
    + message(b"D", b"\0\x01\0\0\0\x011")
    + message(b"C", b"SELECT 1\0")
    + READY,
]


def _mutated(seed: int) -> list[bytes]:
    """Make a conversation out of messages that are right but for a few bytes."""
    chance = random.Random(seed)
    parts = [bytearray(chance.choice(GOOD)) for _ in range(chance.randint(1, 4))]
    for part in parts:
        for _ in range(chance.choice([0, 0, 1, 1, 2, 8])):
            at = chance.randrange(len(part))
            kind = chance.random()
            if kind < 0.6:
                part[at] = chance.choice([0, 1, 3, 5, 10, 11, 12, 127, 128, 255, chance.randrange(256)])
            elif kind < 0.8:
                del part[at:]
                break
            else:
                part[at:at] = chance.randbytes(chance.randint(1, 9))
    return [bytes(part) or b"R" for part in parts]


@pytest.mark.parametrize("batch", [0, *(pytest.param(batch, marks=pytest.mark.slow) for batch in range(1, 10))])
async def test_P_09_mutated_conversations_give_only_listed_codes(
    batch: int, canary: Canary, caplog: pytest.LogCaptureFixture
) -> None:
    async def one(seed: int) -> None:
        async with serve(saying(*_mutated(seed))) as rogue:
            result = await run(rogue, password=canary.plain_secret(), seconds=0.5)
        codes = {check.code for check in result.checks if check.code}
        assert codes <= set(CODES), seed
        assert result.status in {"failed", "timeout"}, seed
        assert "plugin_error" not in codes, seed
        canary.saw(bytes(rogue.received))
        canary.saw(str(result.as_document()))

    await asyncio.gather(*(one(batch * 60 + number) for number in range(60)))
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]
