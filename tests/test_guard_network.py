"""Connecting to servers on a user's behalf."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from support.certificates import make_certificates
from support.rogue import saying, serve, silent
from support.validating import LOCAL
from wellhead.errors import CheckFailedError
from wellhead.guard import network
from wellhead.guard.certificate_names import OtherNameError
from wellhead.guard.egress import EgressPolicy
from wellhead.guard.network import GuardedStream, dial, resolve
from wellhead.guard.services import QUESTION
from wellhead.guard.tls import client_context, verifying_context
from wellhead.model.families import DatabaseDataSource

pytestmark = pytest.mark.anyio
CERTIFICATES = make_certificates()
PUBLIC = EgressPolicy((), (), public_only=True)


@pytest.fixture(autouse=True)
async def _no_descriptor_left() -> AsyncIterator[None]:
    before = len(_descriptors())
    yield
    while _FILLERS:
        _FILLERS.pop().close()
    await asyncio.sleep(0.05)
    assert len(_descriptors()) == before


def _descriptors() -> list[str]:
    return os.listdir("/proc/self/fd")  # noqa: PTH208  # names are all that is wanted


def answers(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[Any]:
    """Let every name resolve to these addresses; return the calls."""
    calls: list[Any] = []

    def getaddrinfo(host: str, port: int, **keywords: Any) -> list[Any]:
        calls.append(host)
        found = []
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            place = (address, port, 0, 0) if ":" in address else (address, port)
            found.append((family, socket.SOCK_STREAM, 6, "", place))
        return found

    monkeypatch.setattr(network.socket, "getaddrinfo", getaddrinfo)
    return calls


async def code_of(host: str, policy: EgressPolicy = LOCAL) -> str:
    with pytest.raises(CheckFailedError) as raised:
        await resolve(host, 80, policy)
    return raised.value.check_code


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "169.254.43518", "fe80::1%lo", "fe80::1",
     "::ffff:169.254.169.254", "metadata.google.internal", "METADATA.google.internal.", "metadata"],
)  # fmt: skip
async def test_N_05_metadata_services_are_refused_in_every_spelling(host: str) -> None:
    assert await code_of(host) == "destination_rejected"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "0", "::1"])
async def test_N_01_N_02_loopback_is_refused_in_every_spelling_where_only_public_addresses_are_dialled(
    host: str,
) -> None:
    assert await code_of(host, PUBLIC) == "destination_rejected"
    assert await resolve(host, 80, LOCAL)


@pytest.mark.parametrize("host", ["①②⑦.⓪.⓪.①", "127。0。0。1", "\uff11\uff12\uff17.1"])
async def test_N_03_characters_that_stand_for_digits_and_dots_get_past_no_rule(host: str) -> None:
    assert await code_of(host, PUBLIC) == "destination_rejected"


@pytest.mark.parametrize("host", ["10.0.0.1", "::ffff:10.0.0.1", "0x0a.1"])
async def test_N_09_a_rule_for_a_network_is_about_literal_addresses_too(host: str) -> None:
    assert await code_of(host, EgressPolicy.parse((), ("10.0.0.0/8",), public_only=False)) == "destination_rejected"


@pytest.mark.parametrize("host", ["db.internal", "DB.internal.", "a.corp.example"])
async def test_N_23_a_host_that_is_denied_is_not_even_looked_up(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    calls = answers(monkeypatch, "8.8.8.8")
    policy = EgressPolicy.parse((), ("db.internal", "*.corp.example"), public_only=False)
    assert await code_of(host, policy) == "destination_rejected"
    assert calls == []


async def test_N_23_a_host_that_is_allowed_is_dialled_where_it_is_and_another_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers(monkeypatch, "10.0.0.1")
    policy = EgressPolicy.parse(("db.internal:80",), (), public_only=True)
    assert await resolve("db.internal", 80, policy) == [(socket.AF_INET, ("10.0.0.1", 80))]
    assert await code_of("other.internal", policy) == "destination_rejected"
    with pytest.raises(CheckFailedError):
        await resolve("db.internal", 81, policy)


@pytest.mark.parametrize("private", ["10.0.0.1", "::1", "fd12::1", "::ffff:127.0.0.1"])
async def test_N_07_one_private_address_among_public_ones_refuses_all(
    monkeypatch: pytest.MonkeyPatch, private: str
) -> None:
    for order in (("8.8.8.8", private), (private, "8.8.8.8"), ("8.8.8.8",) * 9 + (private,)):
        answers(monkeypatch, *order)
        assert await code_of("db.example.com", PUBLIC) == "destination_rejected"


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "64:ff9b::a9fe:a9fe", "100.100.100.200"])
async def test_N_07_one_bad_address_among_good_ones_refuses_all(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    for order in (("127.0.0.1", address), (address, "127.0.0.1"), ("127.0.0.1",) * 9 + (address,)):
        answers(monkeypatch, *order)
        assert await code_of("db.example.com") == "destination_rejected"


async def test_N_08_a_name_is_resolved_once_and_what_was_judged_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(silent) as server:
        calls = answers(monkeypatch, "127.0.0.1")
        addresses = await resolve("rebinding.example.com", server.port, LOCAL)
        answers(monkeypatch, "169.254.169.254")
        stream = await dial(addresses, seconds=5)
        stream.close()
    assert calls == ["rebinding.example.com"]


async def test_X_09_a_name_that_moves_to_a_refused_address_is_not_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "8.8.8.8")
    assert await resolve("db.example.com", 80, PUBLIC)
    for elsewhere in ("127.0.0.1", "10.0.0.1", "169.254.169.254"):
        answers(monkeypatch, elsewhere)
        assert await code_of("db.example.com", PUBLIC) == "destination_rejected"


async def test_X_09_a_server_to_which_a_name_has_moved_must_prove_that_it_is_the_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tls = client_context(DatabaseDataSource.model_fields["tls_mode"].default, ca_certificate=CERTIFICATES.ca)
    assert tls is not None
    answers(monkeypatch, "127.0.0.1")
    async with serve(silent, tls=CERTIFICATES.server, ask_first=False) as server:
        stream = await dial(await resolve("db.example.com", server.port, LOCAL), seconds=5)
        with pytest.raises(OtherNameError):
            await stream.start_tls(tls, server_hostname="db.example.com")
        stream.close()
    assert server.received == b""


async def test_N_20_d_49_of_two_hundred_addresses_four_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, *(f"127.0.0.{number}" for number in range(1, 201)))

    assert len(await resolve("many.example.com", 80, LOCAL)) == 4


async def test_N_20_an_address_that_does_not_answer_leaves_time_for_the_next() -> None:
    with socket.socket() as deaf:
        address = _deaf(deaf)
        async with serve(silent) as server:
            addresses = [(socket.AF_INET, address), (socket.AF_INET, ("127.0.0.1", server.port))]
            started = time.monotonic()
            stream = await dial(addresses, seconds=1.0)
            stream.close()
    assert 0.3 < time.monotonic() - started < 0.9


async def test_N_20_the_next_address_is_tried_when_one_refuses() -> None:
    async with serve(silent) as server:
        addresses = [(socket.AF_INET, ("127.0.0.1", _unused_port())), (socket.AF_INET, ("127.0.0.1", server.port))]
        stream = await dial(addresses, seconds=5)
        stream.close()
    assert server.connections == 1


async def test_the_error_of_the_last_address_is_told() -> None:
    with pytest.raises(ConnectionRefusedError):
        await dial([(socket.AF_INET, ("127.0.0.1", _unused_port()))] * 2, seconds=5)


async def test_D_49_the_errors_of_the_name_service_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(socket.gaierror) as raised:
        await resolve("no-such-host.invalid", 80, LOCAL)
    assert raised.value.errno in {socket.EAI_NONAME, socket.EAI_AGAIN}

    def broken(*_arguments: Any, **_keywords: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(network.socket, "getaddrinfo", broken)
    with pytest.raises(socket.gaierror):
        await resolve("db.example.com", 80, LOCAL)


@pytest.mark.parametrize("host", ["a" * 64 + ".com", "a..b", "\u2028.com"])
async def test_D_49_what_cannot_be_a_name_is_not_found(host: str) -> None:
    with pytest.raises((CheckFailedError, socket.gaierror)) as raised:
        await resolve(host, 80, LOCAL)
    assert isinstance(raised.value, socket.gaierror) or raised.value.check_code == "host_not_found"


async def test_N_19_a_name_service_that_never_answers_blocks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    release = threading.Event()
    monkeypatch.setattr(network.socket, "getaddrinfo", lambda *_arguments, **_keywords: release.wait() and [])
    waiting = [asyncio.create_task(resolve("tarpit.example.com", 80, LOCAL)) for _ in range(40)]
    await asyncio.sleep(0.05)

    assert await asyncio.wait_for(asyncio.to_thread(abs, -1), 2) == 1

    release.set()
    assert await asyncio.gather(*waiting) == [[]] * 40


async def test_D_48_a_dial_that_is_cancelled_leaves_nothing() -> None:
    with socket.socket() as deaf:
        address = _deaf(deaf)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await dial([(socket.AF_INET, address)], seconds=60)


async def opened(port: int) -> GuardedStream:
    return await dial([(socket.AF_INET, ("127.0.0.1", port))], seconds=5)


async def test_a_stream_reads_what_was_asked_for_and_writes() -> None:
    async with serve(saying(b"hello")) as server:
        stream = await opened(server.port)
        await stream.write(b"x")
        assert (await stream.read(2), await stream.read(3)) == (b"he", b"llo")
        assert stream.tls_version is None
        stream.close()
    assert server.received == b"x"


async def test_D_48_a_server_that_closes_early_is_told() -> None:
    async def short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"he")
        writer.write_eof()
        await silent(reader, writer)

    async with serve(short) as server:
        stream = await opened(server.port)
        with pytest.raises(CheckFailedError) as raised:
            await stream.read(5)
        stream.close()
    assert raised.value.check_code == "connection_lost"


async def test_D_48_a_server_that_resets_is_told() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)  # a reset that comes sooner would meet the dial
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with serve(reset) as server:
        stream = await opened(server.port)
        await stream.write(b"x")
        with pytest.raises((ConnectionResetError, CheckFailedError)):
            await stream.read(5)
        stream.close()


async def test_tls_is_started_and_the_name_is_checked() -> None:
    tls = client_context("verify-full", ca_certificate=CERTIFICATES.ca)
    assert tls is not None
    async with serve(silent, tls=CERTIFICATES.server, ask_first=False) as server:
        stream = await opened(server.port)
        await stream.start_tls(tls, server_hostname="localhost")
        assert stream.tls_version == "TLSv1.3"
        stream.close()
        other = await opened(server.port)
        with pytest.raises(OtherNameError) as raised:
            await other.start_tls(tls, server_hostname="db.example.com")
        assert raised.value.names == ("localhost", "127.0.0.1", "::1")
        other.close()


async def test_what_was_received_before_tls_and_not_read_is_refused() -> None:
    tls = client_context("require")
    assert tls is not None
    async with serve(saying(b"Sslipped in")) as server:
        stream = await opened(server.port)
        await stream.write(b"?")
        assert await stream.read(1) == b"S"
        with pytest.raises(CheckFailedError) as raised:
            await stream.start_tls(tls, server_hostname="localhost")
        with pytest.raises(CheckFailedError):
            stream.hand_over(asyncio.Protocol())
        stream.close()
    assert raised.value.check_code == "protocol_error"


async def test_a_connection_is_handed_over_to_a_protocol() -> None:
    class Collecting(asyncio.Protocol):
        got = b""

        def data_received(self, data: bytes) -> None:
            self.got += data

    async with serve(saying(b"answer")) as server:
        stream = await opened(server.port)
        protocol = Collecting()
        transport = stream.hand_over(protocol)
        transport.write(b"question")
        await asyncio.sleep(0.05)
        stream.close()
    assert protocol.got == b"answer"


class Waiting(asyncio.Protocol):
    """A driver's protocol that tells when it has heard something."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.heard.set()


GREETING = b"SSH-2.0-OpenSSH_9.2p1\r\n"


async def test_the_first_bytes_tell_the_service_whoever_reads_them() -> None:
    async with serve(saying(GREETING, b"220 ftp\r\n")) as server:
        stream = await opened(server.port)
        assert stream.service is None
        await stream.write(b"?")
        await stream.read(1)
        assert stream.service == "SSH"
        stream.close()

        other = await opened(server.port)
        driver = Waiting()
        transport = other.hand_over(driver)
        transport.write(b"?")
        await driver.heard.wait()
        assert other.service == "SSH"
        assert transport.get_protocol() is driver
        other.close()


async def test_inside_tls_another_conversation_begins() -> None:
    tls = client_context("verify-full", ca_certificate=CERTIFICATES.ca)
    assert tls is not None
    async with serve(saying(b"* OK ready\r\n"), tls=CERTIFICATES.server) as server:
        stream = await opened(server.port)
        await stream.write(b"8 bytes.")
        assert await stream.read(1) == b"S"
        await stream.start_tls(tls, server_hostname="localhost")
        assert (stream.service, stream.is_starting_tls) == (None, False)
        await stream.write(b"?")
        await stream.read(1)
        assert stream.service == "IMAP"
        stream.close()


async def test_what_comes_in_place_of_a_handshake_tells_the_service() -> None:
    async with serve(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        stream = await opened(server.port)
        with pytest.raises(ssl.SSLError):
            await stream.start_tls(verifying_context(), server_hostname="localhost")
        assert (stream.service, stream.is_starting_tls) == ("HTTP", True)
        stream.close()


@pytest.mark.parametrize(("answer", "service"), [(b"S", "PostgreSQL"), (b"N", "PostgreSQL"), (b"HTTP/1.1 400", "HTTP")])
async def test_a_silent_server_is_asked_who_it_is(answer: bytes, service: str) -> None:
    async with serve(saying(answer)) as server:
        stream = await opened(server.port)
        await stream.sound_out(seconds=5)
        assert stream.service == service
        stream.close()
    assert server.received == QUESTION


async def test_D_48_a_server_that_stays_silent_is_not_waited_for() -> None:
    async with serve(silent) as server:
        stream = await opened(server.port)
        await stream.sound_out(seconds=0.1)
        assert stream.service is None
        stream.close()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
async def test_a_connection_that_this_machine_does_not_let_out_is_told_from_a_file(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    async def refusing(*_arguments: Any) -> None:
        raise OSError(number, "a firewall of this machine")

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", refusing, raising=False)
    with pytest.raises(CheckFailedError) as raised:
        await opened(1)
    assert raised.value.check_code == "connection_forbidden"


def _unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_FILLERS: list[socket.socket] = []


def _deaf(listening: socket.socket) -> tuple[str, int]:
    """Let a socket listen whose queue is full, so that connections to it hang as at a firewall."""
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    address: tuple[str, int] = listening.getsockname()
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(address)
        _FILLERS.append(filler)
    return address


async def _connected(port: int) -> GuardedStream:
    return await dial(await resolve("127.0.0.1", port, LOCAL), seconds=5)


async def test_lines_are_read_one_by_one_without_their_ends() -> None:
    async with serve(saying(b"+OK one\r\ntwo\n\n\r\nrest", wait_first=False)) as server:
        stream = await _connected(server.port)
        lines = [await stream.read_line() for _ in range(4)]
        rest = await stream.read(4)
        stream.close()

    assert lines == [b"+OK one", b"two", b"", b""]
    assert rest == b"rest"


async def test_what_is_read_up_to_a_separator_may_come_in_pieces() -> None:
    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"a=1;\r;\rb":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        await _reader.read(1)

    async with serve(drip) as server:
        stream = await _connected(server.port)
        assert [await stream.read_until(b";\r"), await stream.read_until(b"\r")] == [b"a=1", b";"]
        stream.close()


@pytest.mark.parametrize(("limit", "code"), [(6, None), (5, "protocol_error")])
async def test_a_line_has_a_limit_that_counts_its_end(limit: int, code: str | None) -> None:
    async with serve(saying(b"1234\r\n", wait_first=False)) as server:
        stream = await _connected(server.port)
        try:
            found: Any = await stream.read_line(limit=limit)
        except CheckFailedError as error:
            found = error.check_code
        stream.close()

    assert found == (code or b"1234")


async def test_a_line_without_an_end_is_noticed_at_the_limit_and_not_at_the_deadline() -> None:
    async with serve(saying(b"x" * 101, wait_first=False)) as server:
        stream = await _connected(server.port)
        async with asyncio.timeout(5):
            with pytest.raises(CheckFailedError) as raised:
                await stream.read_line(limit=100)
        stream.close()

    assert raised.value.check_code == "protocol_error"


async def test_a_line_that_is_broken_off_is_a_connection_that_is_lost() -> None:
    async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+OK")
        await writer.drain()

    async with serve(close) as server:
        stream = await _connected(server.port)
        with pytest.raises(CheckFailedError) as raised:
            await stream.read_line()
        stream.close()

    assert raised.value.check_code == "connection_lost"
