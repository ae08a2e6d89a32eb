"""Servers that speak HTTP: one that does it well, and ones that a client must protect itself from."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus

from wellhead.testing.certificates import Pair, make_certificates
from wellhead.testing.servers import scripts
from wellhead.testing.servers.running import RunningServer, Script, running, serve

METADATA = "http://169.254.169.254/latest/meta-data/"
"""Where the metadata of a virtual machine is, credentials included, at most providers of clouds."""

BOMB_BYTES = 256 << 20
"""What the bomb of `http_bomb` inflates to."""

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came.

    Attributes:
        method: Such as `GET`.
        target: The path, with its query.
        headers: The headers by their names in lower case; of one that came twice, the last.
        body: The body.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a request.

    Attributes:
        body: A text or bytes, sent as they are; anything else, sent as JSON.
        status: The status.
        headers: Headers besides `Content-Type` and `Content-Length`, or in place of these.
    """

    body: object = None
    status: int = 200
    headers: Mapping[str, str] | None = None

    def encode(self, *, with_body: bool = True) -> bytes:
        """Return the answer's bytes; those of an answer to `HEAD` are without the body."""
        kind, body = _encoded(self.body)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), **(self.headers or {})}
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body if with_body else b"")


class HttpServer(RunningServer):
    """A server that speaks HTTP.

    Attributes:
        requests: What it was asked, in the order in which it came.
    """

    def __init__(self) -> None:
        """Prepare a server; `http` runs it."""
        super().__init__()
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"{'http' if self.ca_certificate is None else 'https'}://{self.host}:{self.port}"


@contextmanager
def http(
    answer: Answer | Callable[[Request], Answer] | None = None, *, tls: Pair | bool = False
) -> Iterator[HttpServer]:
    """Answer requests well, and remember them in `server.requests`.

    Args:
        answer: What it answers, or a function that says so for each request; `{"status": "up"}` if left out.
        tls: Whether it speaks TLS; another certificate than the good one may be given.
    """
    server = HttpServer()
    certificates = make_certificates()
    if tls:
        server.ca_certificate = certificates.ca
    known = answer or Answer({"status": "up"})

    def respond(request: Request) -> Answer:
        server.requests.append(request)
        return known if isinstance(known, Answer) else known(request)

    with running(
        server, _answering(respond), tls=tls if isinstance(tls, Pair) else certificates.server if tls else None
    ):
        yield server


@contextmanager
def http_redirecting(location: str = METADATA, *, status: int = 302) -> Iterator[HttpServer]:
    """Redirect every request to the metadata of the cloud, `http://169.254.169.254/…`.

    Args:
        location: Another place to redirect to.
        status: Another status, such as 307.
    """
    with http(Answer("", status, {"Location": location})) as server:
        yield server


@contextmanager
def http_with_endless_headers() -> Iterator[RunningServer]:
    """Answer a request with headers that do not end: 64 MiB."""
    with serve(scripts.endless(_OK, b"X-More: 1\r\n")) as server:
        yield server


@contextmanager
def http_with_endless_body() -> Iterator[RunningServer]:
    """Answer a request with a body in chunks that does not end: 64 MiB."""
    chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
    with serve(scripts.endless(_OK + b"Transfer-Encoding: chunked\r\n\r\n", chunk)) as server:
        yield server


@contextmanager
def http_with_endless_interim_answers() -> Iterator[RunningServer]:
    """Answer a request with `103 Early Hints`, over and over: 64 MiB."""
    with serve(scripts.endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n")) as server:
        yield server


@contextmanager
def http_bomb() -> Iterator[RunningServer]:
    """Answer a request with 256 KiB of gzip that inflate to 256 MiB."""
    body = _bomb()
    head = _OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    with serve(scripts.saying(head + body)) as server:
        yield server


def _encoded(body: object) -> tuple[str, bytes]:
    """Return a body's media type and its bytes."""
    match body:
        case bytes():
            return "application/octet-stream", body
        case str():
            return "text/plain; charset=utf-8", body.encode()
        case _:
            return "application/json", json.dumps(body).encode()


def _answering(respond: Callable[[Request], Answer]) -> Script:
    """Make a script that reads requests and answers each."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await _read_request(reader)
            writer.write(respond(request).encode(with_body=request.method != "HEAD"))
            await writer.drain()

    return script


async def _read_request(reader: asyncio.StreamReader) -> Request:
    """Read a request with a body of known length, which is all that clients of these tests send."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body)


@cache
def _bomb() -> bytes:
    """Compress zeros: one block of them, repeated, as it does not refer to what comes before it (RFC 1951, 1952)."""
    zeros = bytes(_MEBIBYTE)
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = deflater.compress(zeros) + deflater.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(BOMB_BYTES // _MEBIBYTE):
        checksum = zlib.crc32(zeros, checksum)
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    trailer = checksum.to_bytes(4, "little") + BOMB_BYTES.to_bytes(4, "little")
    return head + block * (BOMB_BYTES // _MEBIBYTE) + deflater.flush() + trailer
