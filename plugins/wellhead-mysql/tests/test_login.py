"""Logging in: servers that misbehave, and what of aiomysql this plugin works around."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import random
import struct
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiomysql
import mysql_mimic
import pymysql
import pytest

from support.certificates import make_certificates
from support.rogue import Rogue, Script, saying, serve, server_context, silent
from support.validating import last, validate
from wellhead.codes import CODES
from wellhead.guard.services import QUESTION
from wellhead.model.result import ValidationResult
from wellhead.testing import servers
from wellhead_mysql import ERRORS, MysqlDataSource, wellhead_data_source_types
from wellhead_mysql.errors import HINTS
from wellhead_mysql.login import MAX_LOGIN_BYTES, MAX_SESSION_BYTES, GuardedConnection

pytestmark = pytest.mark.anyio

[MYSQL] = wellhead_data_source_types()
PASSWORD = "Secret-pässwörd-of-the-test"
CERTIFICATES = make_certificates()
VERIFIED = {"tls_mode": "verify-full", "ca_certificate": CERTIFICATES.ca}
UNVERIFIED = {"tls_mode": "require"}
PLAIN = {"tls_mode": "disable"}

TLS = 1 << 11
CAPABILITIES = 0x003FF7FF | TLS
SALT = b"abcdefghijklmnopqrst"
OK = b"\0\0\0\2\0\0\0"
KEY_REQUESTS = (b"\x01\0\0\x03\x02", b"\x01\0\0\x05\x02", b"\x01\0\0\x03\x01")


def packet(number: int, payload: bytes) -> bytes:
    return struct.pack("<I", len(payload))[:3] + bytes([number]) + payload


def greeting(
    *, plugin: bytes = b"mysql_native_password", capabilities: int = CAPABILITIES, version: bytes = b"8.0.36"
) -> bytes:
    head = b"\x0a" + version + b"\0" + struct.pack("<I", 7) + SALT[:8] + b"\0"
    flags = struct.pack("<HBHHB", capabilities & 0xFFFF, 45, 2, capabilities >> 16, 21)
    return packet(0, head + flags + bytes(10) + SALT[8:] + b"\0" + plugin + b"\0")


def switch(number: int, plugin: bytes, data: bytes = SALT + b"\0") -> bytes:
    return packet(number, b"\xfe" + plugin + b"\0" + data)


def failure(number: int, code: int, text: bytes = b"#HY000 a text of the server") -> bytes:
    return packet(number, b"\xff" + struct.pack("<H", code) + text)


def greeted(*parts: bytes, **fields: Any) -> Script:
    """Make a script that greets, and says the parts, each after what it hears."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting(**fields))
        await saying(*parts)(reader, writer)

    return script


@dataclass(frozen=True)
class Encrypted:
    """What is said before TLS, and what is done after it."""

    upgrade: servers.Upgrade
    script: Script


def greeted_with_tls(*parts: bytes, **fields: Any) -> Encrypted:
    """Make the same, with TLS after the greeting."""
    return Encrypted(servers.Upgrade(says=greeting(**fields), hears=36), saying(*parts))


def a_config(port: int, **changes: Any) -> MysqlDataSource:
    fields = {"name": "a", "host": "localhost", "port": port, "database": "d", "username": "u", "password": PASSWORD}
    return MysqlDataSource(**(fields | changes))


async def meet(script: Script | Encrypted, *, seconds: float = 10.0, **changes: Any) -> tuple[ValidationResult, Rogue]:
    """Validate a server that follows a script; the password is never among what it hears, unless TLS is checked."""
    with served(script) as rogue:
        result = await validate(MYSQL, a_config(rogue.port, **changes), timeout=seconds)
    if changes != VERIFIED:
        assert not heard_password(rogue)
    return result, rogue


def served(script: Script | Encrypted) -> contextlib.AbstractContextManager[Rogue]:
    if isinstance(script, Encrypted):
        return servers.serve(script.script, tls=CERTIFICATES.server, upgrade=script.upgrade)
    return servers.serve(script)


def heard_password(rogue: Rogue) -> bool:
    return any(PASSWORD.encode(name) in rogue.received for name in ("utf-8", "latin-1", "utf-16-le"))


def found(result: ValidationResult) -> tuple[str, str | None]:
    return last(result).name, last(result).code


async def test_M_01_a_server_without_tls_gets_no_login() -> None:
    for mode in (VERIFIED, UNVERIFIED, {"tls_mode": "verify-ca", "ca_certificate": CERTIFICATES.ca}):
        result, rogue = await meet(greeted(packet(2, OK), capabilities=CAPABILITIES & ~TLS), **mode)

        assert found(result) == ("tls", "tls_not_offered")
        assert last(result).fields == ("/tls_mode",)
        assert not rogue.received


async def test_M_01_aiomysql_itself_goes_on_without_tls() -> None:
    context = server_context(CERTIFICATES.server)
    async with serve(greeted(packet(2, OK), capabilities=CAPABILITIES & ~TLS)) as rogue:
        with pytest.raises((aiomysql.MySQLError, asyncio.TimeoutError)):
            async with asyncio.timeout(0.5):
                await aiomysql.connect(host="127.0.0.1", port=rogue.port, user="u", password="x", ssl=context)

    assert b"u\0" in rogue.received


async def test_M_01_what_is_slipped_in_before_tls_is_refused() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting() + packet(2, OK))
        await silent(reader, writer)

    result, _ = await meet(script, **VERIFIED)

    assert found(result) == ("tls", "protocol_error")


async def test_M_01_a_server_that_does_not_start_tls() -> None:
    result, _ = await meet(greeted(b"what?"), **VERIFIED)

    assert found(result) == ("tls", "tls_failed")


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"sha256_password"])
@pytest.mark.parametrize("mode", [PLAIN, UNVERIFIED])
async def test_M_02_no_password_in_clear_text_without_tls_that_was_checked(plugin: bytes, mode: dict[str, Any]) -> None:
    number = 2 if mode == PLAIN else 3
    script = (greeted if mode == PLAIN else greeted_with_tls)(switch(number, plugin))

    result, _ = await meet(script, **mode)

    assert found(result) == ("authenticate", "cleartext_password_refused")
    assert "verify-full" in (last(result).hint or "")


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"sha256_password", b"dialog", b"", b"\xff\xfe"])
async def test_M_02_no_password_in_clear_text_to_a_greeting_that_asks_for_it(plugin: bytes) -> None:
    result, rogue = await meet(greeted(failure(2, 1045), plugin=plugin), **PLAIN)

    assert found(result) == ("authenticate", "auth_failed")
    assert b"mysql_native_password" in rogue.received


async def test_M_02_aiomysql_itself_sends_the_password_to_such_a_greeting() -> None:
    async with serve(greeted(packet(2, OK), plugin=b"mysql_clear_password")) as rogue:
        with pytest.raises((aiomysql.MySQLError, asyncio.TimeoutError)):
            async with asyncio.timeout(0.5):
                await aiomysql.connect(host="127.0.0.1", port=rogue.port, user="u", password="in-clear-text")

    assert b"in-clear-text" in rogue.received


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"sha256_password"])
async def test_M_02_inside_tls_that_was_checked_the_password_is_sent(plugin: bytes) -> None:
    result, rogue = await meet(greeted_with_tls(switch(3, plugin), failure(5, 1045)), **VERIFIED)

    assert found(result) == ("authenticate", "auth_failed")
    assert PASSWORD.encode() + b"\0" in rogue.received


@pytest.mark.parametrize("plugin", [b"dialog", b"auth_gssapi_client", b"client_ed25519", b"mysql_old_password", b""])
async def test_M_02_other_ways_of_logging_in_are_not_supported(plugin: bytes) -> None:
    result, _ = await meet(greeted_with_tls(switch(3, plugin)), **VERIFIED)

    assert found(result) == ("authenticate", "auth_method_unsupported")


async def test_M_02_a_switch_after_a_switch_is_refused() -> None:
    parts = switch(2, b"mysql_native_password"), switch(4, b"mysql_clear_password")

    result, _ = await meet(greeted(*parts), **PLAIN)

    assert found(result) == ("authenticate", "protocol_error")


async def test_M_02_the_oldest_kind_of_switch_gets_no_answer() -> None:
    result, _ = await meet(greeted(packet(2, b"\xfe")), **PLAIN)

    assert found(result) == ("authenticate", "protocol_error")
    assert not hasattr(pymysql._auth, "scramble_old_password")


async def rogue_key(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask for the password itself, and name a key of our own for it."""
    await saying(packet(2, b"\x01\x04"), packet(4, b"\x01" + public_key()))(reader, writer)


def public_key() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def greeted_by_rogue_key(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Any:
    writer.write(greeting(plugin=b"caching_sha2_password"))
    return rogue_key(reader, writer)


async def test_M_03_no_key_of_the_server_is_asked_for_or_used() -> None:
    result, rogue = await meet(greeted_by_rogue_key, **PLAIN)

    assert found(result) == ("authenticate", "cleartext_password_refused")
    assert "caching_sha2_password" in (last(result).hint or "")
    assert bytes(rogue.received).count(b"\0\0\x03") == 0  # nothing after the login
    assert not any(bytes(rogue.received).endswith(request) for request in KEY_REQUESTS)


async def test_M_03_nor_inside_tls_that_was_not_checked() -> None:
    script = greeted_with_tls(
        packet(3, b"\x01\x04"), packet(5, b"\x01" + public_key()), plugin=b"caching_sha2_password"
    )

    result, _ = await meet(script, **UNVERIFIED)

    assert found(result) == ("authenticate", "cleartext_password_refused")


async def test_M_03_nor_after_a_switch() -> None:
    parts = switch(2, b"caching_sha2_password"), packet(4, b"\x01\x04"), packet(6, b"\x01" + public_key())

    result, _ = await meet(greeted(*parts), **PLAIN)

    assert found(result) == ("authenticate", "cleartext_password_refused")


async def test_M_03_nor_a_key_that_comes_unasked() -> None:
    for parts in ([packet(2, b"\x01" + public_key())], [switch(2, b"caching_sha2_password"), packet(4, b"\x01-----")]):
        result, _ = await meet(greeted(*parts, plugin=b"caching_sha2_password"), **PLAIN)

        assert found(result) == ("authenticate", "protocol_error")


async def test_M_03_aiomysql_itself_encrypts_the_password_with_the_key() -> None:
    async with serve(greeted_by_rogue_key) as rogue:
        with pytest.raises((aiomysql.MySQLError, asyncio.TimeoutError)):
            async with asyncio.timeout(1):
                await aiomysql.connect(host="127.0.0.1", port=rogue.port, user="u", password="x")

    assert KEY_REQUESTS[0] in rogue.received
    assert rogue.received[-256 - 4 :][:3] == (256).to_bytes(3, "little")


async def test_M_04_aiomysql_itself_drops_a_key_that_it_is_given() -> None:
    connecting = aiomysql.connect(host="h", server_public_key=b"a key")
    keywords = inspect.getcoroutinelocals(connecting._coro)["kwargs"]
    connecting._coro.close()

    assert "host" in keywords
    assert "server_public_key" not in keywords


async def test_M_04_m_05_the_connection_is_made_directly_and_reads_no_files() -> None:
    connection = GuardedConnection(None, a_config(1))  # type: ignore[arg-type]

    assert connection.server_public_key is None
    assert not connection._local_infile
    assert not connection.client_flag & (1 << 7)  # CLIENT_LOCAL_FILES
    assert not connection.client_flag & (1 << 16)  # CLIENT_MULTI_STATEMENTS
    assert aiomysql.Connection(user="u").client_flag & (1 << 16)
    assert (connection.sql_mode, connection.init_command, connection.unix_socket) == (None, None, None)


@pytest.mark.parametrize("path", [b"/etc/passwd", b"/proc/self/environ"])
async def test_M_05_a_request_for_a_file_is_refused(path: bytes) -> None:
    result, rogue = await meet(greeted(packet(2, OK), packet(1, b"\xfb" + path)), **PLAIN)

    assert found(result) == ("authenticate", "protocol_error")
    assert b"root:" not in rogue.received


async def test_M_09_a_server_that_says_nothing_is_told_before_the_time_is_over() -> None:
    result, rogue = await meet(silent, seconds=1, **VERIFIED)

    assert found(result) == ("tls", "connection_timeout")
    assert "speaks first" in (last(result).hint or "")
    assert rogue.received == QUESTION


async def test_M_09_a_server_that_stops_in_the_middle() -> None:
    for script in (greeted(), greeted(packet(2, OK)[:5])):
        result, _ = await meet(script, seconds=0.5, **PLAIN)

        assert result.status == "timeout"
        assert found(result) == ("authenticate", "deadline")


async def test_M_09_a_server_that_drips() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in greeting() * 100:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)

    result, _ = await meet(script, seconds=1, **PLAIN)

    assert found(result) == ("tls", "connection_timeout")


OTHERS = {
    "SSH": b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7\r\n",
    "SMTP": b"220 mail.example.com ESMTP Postfix\r\n",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "MySQL's X Protocol": bytes.fromhex("050000000b08051a00"),
    "PostgreSQL": b"E\0\0\0\x20SFATAL\0C08P01\0Minvalid packet\0\0",
    "TLS": b"\x15\x03\x01\0\x02\x02\x46",
}


def saying_at_once(said: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await silent(reader, writer)

    return script


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("mode", [PLAIN, UNVERIFIED])
async def test_M_10_n_18_another_service_is_named_in_words_of_ours(name: str, mode: dict[str, Any]) -> None:
    result, _ = await meet(saying_at_once(OTHERS[name]), seconds=2, **mode)

    assert found(result) == ("tls", "wrong_service")
    assert last(result).fields == ("/host", "/port")
    assert last(result).message == f"This port answers like {name}, not like MySQL."
    assert "OpenSSH" not in str(result.as_document())


DAMAGED = {
    "old mysql": packet(0, b"\x093.21.0\0" + bytes(20)),
    "another protocol": packet(0, b"\x0b" + greeting()[5:]),
    "nothing": packet(0, b""),
    "short": packet(0, b"\x0a8"),
}


@pytest.mark.parametrize("kind", DAMAGED)
async def test_M_10_a_greeting_that_is_not_understood(kind: str) -> None:
    result, _ = await meet(saying_at_once(DAMAGED[kind]), seconds=2, **PLAIN)

    assert found(result) == ("tls", "protocol_error")
    assert "the host and the port belong to a server of this type" in (last(result).hint or "")


async def test_a_server_that_closes_before_tls_does_not_mean_our_certificate() -> None:
    client = CERTIFICATES.client
    shown = {"client_certificate": client.certificate, "client_key": client.key}

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    result, _ = await meet(script, **UNVERIFIED, **shown)

    assert found(result) == ("tls", "connection_lost")


NUMBERS = {
    "auth_failed": "1045 1873",
    "permission_denied": "1044 1142 1143 1227 1370 1396",
    "database_not_found": "1049",
    "client_not_allowed": "1042 1130",
    "client_blocked": "1129",
    "login_not_permitted": "1698",
    "account_locked": "3118 3955 4151",
    "password_expired": "1820 1862",
    "too_many_connections": "1040",
    "user_limit_reached": "1203 1226",
    "auth_method_unsupported": "1251 1275 1524 2054 2058 2059 2061",
    "tls_required": "3159",
    "tls_failed": "2026",
    "server_starting": "1047 1053 3032 3168",
    "server_out_of_resources": "1021 1037 1038 1041 1135",
    "server_fault": "1030 1105 1815",
    "connection_lost": "1152 1158 1159 1160 1161 1184 1927 2006 2013 3169 4031",
    "protocol_error": "1043 1153 1156 2012 2014 2027",
    "deadline": "1969 3024",
    "query_failed": "1046 1064 1193 1317 9999 30000",
}
EXACTLY = {
    1044: "GRANT SELECT ON <database>.* TO <user>",
    1698: "the server's own socket",
    3032: "offline_mode = OFF",
    3955: "ACCOUNT UNLOCK",
}


@pytest.mark.parametrize(
    ("code", "number"), [(code, int(one)) for code, text in NUMBERS.items() for one in text.split()]
)
async def test_M_10_every_number_that_a_login_can_end_with_has_its_code(code: str, number: int) -> None:
    result, _ = await meet(greeted(failure(2, number)), **PLAIN)

    assert found(result) == ("authenticate", code)
    assert last(result).message == CODES[code].title
    assert EXACTLY.get(number, "") in (last(result).hint or "")
    assert (last(result).hint == CODES[code].remedy) == (number not in {*EXACTLY, 1045})
    assert "a text of the server" not in str(result.as_document())


def test_every_number_of_the_table_is_tested() -> None:
    tested = {number for text in NUMBERS.values() for number in text.split()}

    assert {number for number in ERRORS if number.isdigit()} <= tested
    assert {str(number) for number in HINTS} <= set(ERRORS)


async def test_M_10_a_server_that_closes_at_once() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    result, _ = await meet(script, **PLAIN)

    assert found(result) == ("tls", "connection_lost")


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4))])
async def test_M_10_m_12_damaged_greetings_and_answers_get_a_code_and_no_password(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(75):
        parts = [damaged(source, part) for part in (greeting(), packet(2, OK), packet(1, OK))]

        async def script(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, parts: list[bytes] = parts
        ) -> None:
            for part in parts:
                writer.write(part)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(65536), 0.03)

        mode = source.choice([PLAIN, UNVERIFIED])
        result, _ = await meet(script, seconds=2, **mode)
        assert last(result).code in CODES
        assert result.status in {"failed", "timeout"}


def damaged(source: random.Random, data: bytes) -> bytes:
    """Change, cut or lengthen a packet; often so that its length is right again."""
    changed = bytearray(data)
    for _ in range(source.choice([0, 1, 3, 20])):
        changed[source.randrange(4, len(changed))] = source.randrange(256)
    if source.random() < 0.3:
        changed = changed[: source.randrange(4, len(changed))] + source.randbytes(source.choice([0, 5, 300]))
    if source.random() < 0.7:
        changed[:3] = struct.pack("<I", len(changed) - 4)[:3]
    return bytes(changed)


async def test_M_10_a_server_that_says_yes_to_nothing_is_not_believed() -> None:
    for answer in (b"\1\3", b"\2", b"", b"\0"):
        result, _ = await meet(greeted(packet(2, answer)), seconds=2, **PLAIN)

        assert found(result) == ("authenticate", "protocol_error")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (1040, "too_many_connections"),
        (1129, "client_blocked"),
        (1130, "client_not_allowed"),
        (9999, "query_failed"),
    ],
)
async def test_an_error_in_place_of_the_greeting(number: int, code: str) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(failure(0, number, b" a text of the server"))
        await silent(reader, writer)

    result, _ = await meet(script, **PLAIN)

    assert found(result) == ("tls", code)
    assert "a text of the server" not in str(result.as_document())


async def test_a_mysql_that_needs_tls_says_so() -> None:
    result, _ = await meet(greeted(failure(2, 3159)), **PLAIN)

    assert found(result) == ("authenticate", "tls_required")


async def test_M_11_aiomysql_itself_would_send_the_number_of_the_process() -> None:
    assert "_pid" in aiomysql.Connection(user="u")._connect_attrs
    assert aiomysql.Connection()._user == aiomysql.connection.DEFAULT_USER

    _, rogue = await meet(greeted(failure(2, 1045)), **PLAIN)

    assert b"_pid" not in rogue.received
    assert b"program_name\x08wellhead" in rogue.received


async def test_M_12_packets_without_end_are_cut_off_before_the_login() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(greeting())
        await reader.read(65536)
        number = 2
        while True:
            writer.write(b"\xff\xff\xff" + bytes([number % 256]) + bytes(0xFFFFFF))
            await writer.drain()
            number, sent = number + 1, sent + 0xFFFFFF

    result, _ = await meet(endless, **PLAIN)

    assert found(result) == ("authenticate", "protocol_error")
    assert sent <= 2 * 0xFFFFFF


@pytest.mark.parametrize("size", [MAX_LOGIN_BYTES, 0xFFFFFE])
async def test_M_12_a_greeting_has_a_limit(size: int) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(packet(0, b"\x0a8.0.36\0" + bytes(size - 8)))
        await silent(reader, writer)

    result, _ = await meet(script, **PLAIN)

    assert found(result) == ("tls", "protocol_error")


async def test_M_12_rows_without_end_are_cut_off() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await greeted_until_query(reader, writer)
        row = packet(0, b"\x05" + b"8.0.1")
        for number in range(4, 10**7):
            data = row[:3] + bytes([number % 256]) + row[4:]
            writer.write(data)
            sent += len(data)
            if number % 1000 == 0:
                await writer.drain()

    result, _ = await meet(endless, **PLAIN)

    assert found(result) == ("query", "protocol_error")
    assert MAX_SESSION_BYTES // 2 < sent < 20 * MAX_SESSION_BYTES


async def greeted_until_query(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greet, let everybody in, and begin the answer to the first query."""
    writer.write(greeting())
    for part in (packet(2, OK), packet(1, OK), packet(1, OK)):
        await reader.read(65536)
        writer.write(part)
    await reader.read(65536)
    field = b"\x03def\0\0\0\x01v\0\x0c\x2d\0\xff\0\0\0\xfd\0\0\0\0\0"
    writer.write(packet(1, b"\1") + packet(2, field) + packet(3, b"\xfe\0\0\2\0"))


@pytest.mark.parametrize("version", [b"8.0.36", b"what", b"", "\uff15.\uff17".encode(), b"8.0.36<script>"])
async def test_M_10_only_the_digits_of_a_version_are_passed_on(version: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greeted_until_query(reader, writer)
        writer.write(packet(4, bytes([len(version)]) + version) + packet(5, b"\xfe\0\0\2\0"))
        await silent(reader, writer)

    result, _ = await meet(script, seconds=1, **PLAIN)

    assert result.details.get("server_version") == ("8.0.36" if version.startswith(b"8") else None)
    assert "script" not in str(result.as_document())


async def test_M_12_aiomysql_itself_reads_on_without_end() -> None:
    class Endless:
        read = 0

        async def readexactly(self, size: int) -> bytes:
            self.read += size
            if self.read > 2 * 0xFFFFFF:
                raise EOFError
            return b"\xff\xff\xff" + bytes([self.read // 0xFFFFFF]) if size == 4 else bytes(size)

    connection = aiomysql.Connection(user="u")
    connection._reader, connection._next_seq_id = Endless(), 0

    with pytest.raises(EOFError):
        await connection._read_packet()
    assert connection._reader.read > 2 * 0xFFFFFF


class Users(mysql_mimic.IdentityProvider):  # type: ignore[misc]  # mysql-mimic has no types here
    """Users of the stand-in: everybody, with the one password."""

    async def get_user(self, username: str) -> Any:
        auth_string = mysql_mimic.NativePasswordAuthPlugin.create_auth_string(PASSWORD)
        return mysql_mimic.User(username, auth_string=auth_string, auth_plugin="mysql_native_password")


class Session(mysql_mimic.Session):  # type: ignore[misc]  # mysql-mimic has no types here
    """A session that knows one table."""

    async def schema(self) -> Any:
        return {"d": {"orders": {"id": "INT"}}}

    async def handle_query(self, sql: str, attrs: dict[str, str]) -> Any:
        if "relations" in sql:
            return [(1, 1, 1)], ["tables", "readable", "all"]
        return await super().handle_query(sql, attrs)


@contextlib.asynccontextmanager
async def mimic() -> AsyncIterator[int]:
    """Run mysql-mimic, a stand-in for MySQL in pure Python, and bring its port.

    Without TLS: it loses a ClientHello that comes in one piece with the request for TLS.
    """
    server = mysql_mimic.MysqlServer(Session, identity_provider=Users())
    await server.start_server(host="127.0.0.1", port=0)
    try:
        yield server.sockets()[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def test_the_stand_in_is_validated() -> None:
    async with mimic() as port:
        good = await validate(MYSQL, a_config(port, **PLAIN))
        wrong = await validate(MYSQL, a_config(port, **PLAIN, password="not it"))

    assert good.success, good
    assert good.details["server"] == "MySQL"
    assert found(wrong)[1] == "auth_failed"


def scramble(password: str, salt: bytes) -> bytes:
    """Compute what `caching_sha2_password` sends."""
    once = hashlib.sha256(password.encode()).digest()
    mask = hashlib.sha256(hashlib.sha256(once).digest() + salt).digest()
    return bytes(one ^ other for one, other in zip(once, mask, strict=True))


LET_IN = b"\x01\x03"


@pytest.mark.parametrize(
    ("first", "parts"),
    [
        (b"caching_sha2_password", [packet(2, LET_IN) + packet(3, OK), packet(1, OK)]),
        (
            b"mysql_native_password",
            [switch(2, b"caching_sha2_password"), packet(4, LET_IN) + packet(5, OK), packet(1, OK)],
        ),
    ],
    ids=["in the greeting", "after a switch"],
)
async def test_M_03_m_08_mysql_8_logs_in_without_tls_where_the_password_is_cached(
    first: bytes, parts: list[bytes]
) -> None:
    result, rogue = await meet(greeted(*parts, plugin=first), seconds=1, **PLAIN)

    assert scramble(PASSWORD, SALT) in rogue.received
    assert found(result) == ("query", "deadline")  # it is let in, and then hears nothing more


async def test_M_03_mysql_8_gets_the_password_inside_tls_that_was_checked() -> None:
    script = greeted_with_tls(packet(3, b"\x01\x04"), packet(5, OK), plugin=b"caching_sha2_password")

    result, rogue = await meet(script, seconds=1, **VERIFIED)

    assert result.status == "timeout"  # it is let in, and then hears nothing more
    assert struct.pack("<I", len(PASSWORD.encode()) + 1)[:3] + b"\4" + PASSWORD.encode() + b"\0" in rogue.received


async def test_aiomysql_itself_takes_the_end_mark_for_a_part_of_the_salt() -> None:
    async with serve(greeted(switch(2, b"caching_sha2_password"), failure(4, 1045))) as rogue:
        with pytest.raises(aiomysql.MySQLError):
            await aiomysql.connect(host="127.0.0.1", port=rogue.port, user="u", password="x")

    assert scramble("x", SALT + b"\0") in rogue.received
    assert scramble("x", SALT) not in rogue.received


async def test_M_08_aiomysql_itself_knows_latin_passwords_only() -> None:
    async with serve(greeted(packet(2, OK))) as rogue:
        with pytest.raises(UnicodeEncodeError):
            await aiomysql.connect(host="127.0.0.1", port=rogue.port, user="u", password="пароль")


def test_the_driver_is_not_imported_before_it_is_needed() -> None:
    import subprocess

    script = "import sys, wellhead_mysql; sys.exit('aiomysql' in sys.modules or 'pymysql' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
