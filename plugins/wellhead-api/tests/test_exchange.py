"""Requests to servers that misbehave, and what aiohttp would do if it were left alone."""

from __future__ import annotations

import asyncio
import errno
import gzip
import json
import socket
import struct
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from support.canary import Canary
from support.certificates import make_certificates
from support.rogue import Rogue, Script, saying, serve, server_context, silent
from support.validating import LOCAL, last, outcomes, validate
from wellhead.codes import CODES
from wellhead.guard.network import dial, resolve
from wellhead.model.result import ValidationResult
from wellhead.validation.inside.diagnosis import understand
from wellhead_api import ERRORS, ApiDataSource, wellhead_data_source_types
from wellhead_api.answers import Answer
from wellhead_api.exchange import MAX_BYTES, ask

pytestmark = pytest.mark.anyio

[API] = wellhead_data_source_types()
OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: application/json\r\n"
CHUNKED = JSON + b"Transfer-Encoding: chunked\r\n\r\n"


async def run(port: int, *, seconds: float = 5.0, scheme: str = "http", **fields: Any) -> ValidationResult:
    config = ApiDataSource(name="a", url=f"{scheme}://127.0.0.1:{port}/v1", **fields)
    return await validate(API, config, timeout=seconds)


async def end_of(script: Script, **keywords: Any) -> tuple[str, str, str | None]:
    """Run against a server that follows a script, and return how the last check ended."""
    async with serve(script) as rogue:
        return outcomes(await run(rogue.port, **keywords))[-1]


def endless(head: bytes, again: bytes, *, pause: float = 0.0) -> Script:
    """Make a script that says something, and then something else for ever."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(head)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause)

    return script


ENDLESS = {
    "body": (endless(CHUNKED, b"400\r\n" + b" " * 1024 + b"\r\n"), ("response", "warning", "response_too_large")),
    "body until the end": (endless(JSON + b"\r\n", b" " * 1024), ("response", "warning", "response_too_large")),
    "headers": (endless(OK, b"X-A: 1\r\n"), ("request", "failed", "protocol_error")),
    "a header": (endless(OK + b"X-A: ", b"1" * 1024), ("request", "failed", "protocol_error")),
    "a status line": (endless(b"HTTP/1.1 200 ", b"O" * 1024), ("request", "failed", "protocol_error")),
    "1xx": (endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 40), ("request", "failed", "response_too_large")),
    "chunk extension": (endless(CHUNKED + b"1;", b"a" * 1024), ("response", "warning", "response_too_large")),
    "trailers": (endless(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-A: 1\r\n"), ("request", "failed", "connection_lost")),
}


@pytest.mark.parametrize(("script", "end"), ENDLESS.values(), ids=ENDLESS)
async def test_H_07_what_has_no_end_is_ended(script: Script, end: tuple[str, str, str]) -> None:
    started = time.monotonic()
    assert await end_of(script) == end
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    "script",
    [
        silent,
        endless(b"HTTP/1.1 200 ", b"O", pause=0.05),
        endless(OK, b"X", pause=0.05),
        endless(CHUNKED, b"1\r\n \r\n", pause=0.05),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.05),
    ],
    ids=["silence", "status line", "header", "body", "1xx"],
)
async def test_H_07_a_drip_ends_at_the_deadline(script: Script, tls: bool) -> None:
    certificates = make_certificates()
    async with serve(script, tls=certificates.server if tls else None, ask_first=False) as rogue:
        started = time.monotonic()
        fields = {"scheme": "https", "ca_certificate": certificates.ca} if tls else {}
        result = await run(rogue.port, seconds=0.6, **fields)
        took = time.monotonic() - started

    assert result.status == "timeout"
    assert outcomes(result)[-1] == ("request", "timeout", "deadline")
    assert took < 1.2


async def test_H_06_compressed_bodies_are_not_inflated() -> None:
    bomb = gzip.compress(bytes(300 << 20))
    head = JSON + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    started = time.monotonic()

    assert await end_of(saying(head + bomb)) == ("response", "warning", "response_compressed")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"zstd", b"GZIP, gzip", b"banner"])
async def test_H_06_no_encoding_is_looked_into(encoding: bytes) -> None:
    answer = JSON + b"Content-Encoding: " + encoding + b"\r\nContent-Length: 6\r\n\r\nbanner"
    assert await end_of(saying(answer)) == ("response", "warning", "response_compressed")


async def test_H_06_bytes_are_counted_not_believed() -> None:
    lie = JSON + b"Content-Length: 2\r\nContent-Length: 99999999\r\n\r\n{}"
    short = JSON + b"Content-Length: 99999999999\r\n\r\n{}"
    full = JSON + b"Content-Length: %d\r\n\r\n" % (2 * MAX_BYTES) + b" " * (2 * MAX_BYTES)

    assert await end_of(saying(lie)) == ("request", "failed", "protocol_error")
    assert await end_of(saying(short), seconds=0.3) == ("request", "timeout", "deadline")
    assert await end_of(saying(full)) == ("response", "warning", "response_too_large")


GARBAGE = {
    "ssh": b"SSH-2.0-banner\r\n",
    "mysql": b"J\0\0\0\x0a8.0.36-banner\0" + bytes(60),
    "zeros": bytes(64),
    "ones": b"\xff" * 64,
    "HTTP/0.9": b"banner\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no status": b"HTTP/1.1\r\n\r\n",
    "a long status": b"HTTP/1.1 2000 banner\r\n\r\n",
    "a status of letters": b"HTTP/1.1 abc banner\r\n\r\n",
    "a header without a colon": OK + b"banner\r\n\r\n",
    "a header with a space": OK + b"X A: banner\r\n\r\n",
    "a bad chunk": CHUNKED + b"zz\r\nbanner",
    "a huge chunk": CHUNKED + b"ffffffffffffffffff\r\nbanner",
    "a bad length": JSON + b"Content-Length: -1\r\n\r\nbanner",
    "both lengths": JSON + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "an upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: banner\r\nConnection: upgrade\r\n\r\nbanner",
    "a strange content type": OK + b"Content-Type: \xff;/;=banner\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE)
async def test_N_18_garbage_gives_a_listed_code_and_nothing_of_it_is_passed_on(answer: bytes, canary: Canary) -> None:
    async with serve(saying(answer)) as rogue:
        result = await run(rogue.port, seconds=0.4, auth_type="basic", username="u", password=canary.secret())

    text = json.dumps(result.as_document())
    assert "banner" not in text
    assert all(check.code in CODES for check in result.checks if check.code)
    assert last(result).code != "plugin_error"
    canary.saw(text)


@pytest.mark.parametrize("answer", [b"", OK, JSON + b"Content-Length: 9\r\n\r\n{", CHUNKED + b"1\r\n{\r\n"])
async def test_a_server_that_hangs_up_in_the_middle_is_told(answer: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(answer)
        await writer.drain()

    async with serve(script) as rogue:
        result = await run(rogue.port)

    assert outcomes(result)[-1] == ("request", "failed", "connection_lost")
    assert rogue.received.count(b"GET ") == 1
    assert rogue.connections == (1 if answer else 2)  # the second one looks for TLS


async def test_a_server_that_resets_the_connection_is_told() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert await end_of(script) == ("request", "failed", "connection_lost")


def never_saying_goodbye(listening: socket.socket, over: threading.Event) -> None:
    """Answer one request over TLS, and read nothing after that."""
    connection, _ = listening.accept()
    with server_context(make_certificates().server).wrap_socket(connection, server_side=True) as encrypted:
        encrypted.recv(65536)
        encrypted.sendall(JSON + b"Content-Length: 2\r\n\r\n{}")
        over.wait(20)


async def test_a_server_that_does_not_end_tls_is_not_waited_for() -> None:
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=never_saying_goodbye, args=(listening, over))
        thread.start()
        result = await run(listening.getsockname()[1], scheme="https", ca_certificate=make_certificates().ca)
        over.set()
        thread.join()

    assert result.status == "passed"
    assert result.duration_ms < 2000


async def test_N_11_a_redirect_to_another_server_with_the_login_is_not_followed(canary: Canary) -> None:
    secret = canary.plain_secret()
    async with serve(silent) as other:
        place = f"http://user:{secret}@127.0.0.1:{other.port}/"
        answer = f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nRefresh: 0; url={place}\r\nContent-Length: 0\r\n\r\n"
        async with serve(saying(answer.encode())) as rogue:
            result = await run(rogue.port, auth_type="bearer", token=secret)

    assert (last(result).code, other.connections, rogue.connections) == ("redirected", 0, 1)
    canary.saw(json.dumps(result.as_document()))


PLACES = {
    "another scheme": "https://127.0.0.1:{port}/",
    "another port": "http://127.0.0.1:{port}/",
    "another host": "http://localhost:{port}/",
    "a login": "http://user:word@127.0.0.1:{port}/",
    "no scheme": "//127.0.0.1:{port}/",
    "a file": "file:///etc/passwd",
    "the metadata of a cloud": "http://169.254.169.254/latest/meta-data/",
    "itself": "/",
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_N_12_wherever_a_redirect_leads_it_is_not_followed(place: str, status: int) -> None:
    async with serve(silent) as other:
        head = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {place.format(port=other.port)}\r\nContent-Length: 0\r\n\r\n"
        async with serve(saying(head.encode())) as rogue:
            result = await run(rogue.port)

    assert (last(result).code, other.connections, rogue.connections) == ("redirected", 0, 1)


# What aiohttp does if it is left alone. Where one of these fails after an update, a workaround may no longer be needed.


def address(rogue: Rogue) -> str:
    return f"http://127.0.0.1:{rogue.port}/"


EMPTY = OK + b"Content-Length: 0\r\n\r\n"


async def test_H_04_upstream_follows_redirects_and_forwards_keys() -> None:
    async with serve(saying(EMPTY)) as other:
        found = f"HTTP/1.1 302 Found\r\nLocation: {address(other)}\r\nContent-Length: 0\r\n\r\n"
        async with serve(saying(found.encode())) as rogue, aiohttp.ClientSession() as session:
            response = await session.get(address(rogue), headers={"X-API-Key": "secret"})
    assert response.status == 200

    assert b"X-API-Key: secret" in other.received


async def test_H_03_upstream_sends_connection_headers_as_given() -> None:
    async with serve(saying(EMPTY)) as rogue, aiohttp.ClientSession() as session:
        headers = {"Host": "evil.example.com", "Content-Length": "99", "X A: b": "c"}
        assert (await session.get(address(rogue), headers=headers)).status == 200

    for line in (b"Host: evil.example.com\r\n", b"Content-Length: 99\r\n", b"X A: b: c\r\n"):
        assert line in rogue.received


async def test_H_06_upstream_asks_for_compression_and_inflates_without_end() -> None:
    bomb = gzip.compress(bytes(32 << 20))
    head = JSON + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with serve(saying(head + bomb)) as rogue, aiohttp.ClientSession() as session:
        response = await session.get(address(rogue))
        assert len(await response.read()) == 32 << 20

    assert b"Accept-Encoding: gzip" in rogue.received


async def test_H_05_upstream_takes_cookies_to_other_ports() -> None:
    setting = OK + b"Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with serve(saying(setting)) as rogue, serve(saying(EMPTY)) as other:
        session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        async with session:
            await session.get(address(rogue))
            await session.get(address(other))

    assert b"Cookie: a=b" in other.received


async def asked(rogue: Rogue) -> Answer:
    """Send a request from this process, which neither its environment nor its files are taken from."""
    stream = await dial(await resolve("127.0.0.1", rogue.port, LOCAL), seconds=5)
    return await ask(stream, "GET", URL(f"{address(rogue)}v1"), {})


async def test_H_05_the_driver_has_no_jar_for_cookies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("aiohttp.client.CookieJar")  # of which a session makes one, unless it is given another jar
    async with serve(saying(OK + b"Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")) as rogue:
        assert (await asked(rogue)).status == 200


async def test_H_13_n_13_the_driver_takes_nothing_from_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password letmein\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with serve(saying(EMPTY)) as proxy, serve(saying(EMPTY)) as rogue:
        monkeypatch.setenv("http_proxy", address(proxy))
        assert (await asked(rogue)).status == 200

    assert rogue.received.startswith(b"GET /v1 ")
    assert b"Authorization" not in rogue.received


async def test_H_13_upstream_obeys_the_environment_only_if_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(saying(EMPTY)) as proxy, serve(saying(EMPTY)) as rogue:
        monkeypatch.setenv("http_proxy", address(proxy))
        for trust_env, connections in ((False, 0), (True, 1)):
            async with aiohttp.ClientSession(trust_env=trust_env) as session:
                await session.get(address(rogue))
            assert proxy.connections == connections


async def test_H_07_upstream_reads_interim_answers_without_end() -> None:
    many = b"HTTP/1.1 103 Early Hints\r\n\r\n" * (2 * MAX_BYTES // 28)
    async with serve(saying(many + EMPTY)) as rogue, aiohttp.ClientSession() as session:
        assert (await session.get(address(rogue))).status == 200


async def test_upstream_dials_again_when_a_server_hangs_up() -> None:
    async def hang_up(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)

    async with serve(hang_up) as rogue, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(address(rogue))

    assert rogue.connections == 2


async def test_upstream_makes_every_connection_with_the_method_that_is_replaced() -> None:
    class Refusing(aiohttp.BaseConnector):
        async def _create_connection(self, *_request: object) -> Any:
            raise LookupError

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with aiohttp.ClientSession(connector=Refusing()) as session:
            for url in ("http://127.0.0.1:1/", "https://127.0.0.1:1/"):
                with pytest.raises(LookupError):
                    await session.get(url)


AIOHTTP = {
    "connection_lost": "ServerDisconnectedError ClientConnectionResetError ClientPayloadError",
    "connection_timeout": "ServerTimeoutError ConnectionTimeoutError SocketTimeoutError",
    "protocol_error": "ClientResponseError ContentTypeError TooManyRedirects InvalidURL",
}


@pytest.mark.parametrize(("code", "name"), [(code, one) for code, text in AIOHTTP.items() for one in text.split()])
def test_H_07_every_exception_of_aiohttp_that_an_exchange_can_end_with_has_its_code(code: str, name: str) -> None:
    kind = getattr(aiohttp.client_exceptions, name)

    assert understand(kind.__new__(kind), ERRORS) == code


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ECONNRESET, "connection_lost"), (errno.EHOSTUNREACH, "network_unreachable")]
)
def test_an_error_of_the_system_in_aiohttps_own_is_told(number: int, code: str) -> None:
    assert understand(aiohttp.ClientOSError(number, "x"), ERRORS) == code
