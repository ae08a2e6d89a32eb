"""The servers of `wellhead.testing`: each does what it says, for plain sockets, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from support.probe import open_descriptors
from wellhead.testing import certificates, servers
from wellhead.testing.servers import running, scripts, web

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
STARTUP = b"\0\0\0\x11\0\3\0\0user\0u\0\0"
SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
MYSQL_LOGIN = servers.mysql_packet(1, bytes(40))


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Claim that each test of a server leaves no thread and no descriptor behind."""
    certificates.make_certificates()
    before = open_descriptors()
    yield
    assert open_descriptors() == before
    assert running.THREAD_NAME not in {thread.name for thread in threading.enumerate()}


def dial(server: servers.RunningServer) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=10)


def ask(server: servers.RunningServer, *questions: bytes) -> list[bytes]:
    """Ask a server in turns, and return its answers."""
    with dial(server) as client:
        return [_answer(client, question) for question in questions]


def _answer(client: socket.socket, question: bytes) -> bytes:
    client.sendall(question)
    return client.recv(65536)


def everything(client: socket.socket, *, limit: int = 1 << 40) -> int:
    """Read until the end, and return how many bytes came."""
    size = 0
    while size < limit and (data := client.recv(1 << 20)):
        size += len(data)
    return size


def exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := client.recv(size - len(data))):
        data += more
    return data


def encrypted(client: socket.socket, server: servers.RunningServer, *, name: str = "localhost") -> ssl.SSLSocket:
    """Begin TLS as a client does that checks everything."""
    context = ssl.create_default_context(cadata=server.ca_certificate)
    return context.wrap_socket(client, server_hostname=name)


def refusal(server: servers.RunningServer) -> int:
    """Return the code of OpenSSL for why a server's certificate is not accepted."""
    with dial(server) as client, pytest.raises(ssl.SSLCertVerificationError) as raised:
        encrypted(client, server)
    return raised.value.verify_code


def test_silent_accepts_and_never_answers() -> None:
    with servers.silent() as server, dial(server) as client:
        client.sendall(b"hello?")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
    assert (server.received, server.connections) == (b"hello?", 1)


def test_closing_ends_the_connection_at_once() -> None:
    with servers.closing() as server, dial(server) as client:
        assert client.recv(1) == b""


def test_closing_ends_the_connection_after_some_bytes() -> None:
    with servers.closing(b"half a mess", wait_first=True) as server, dial(server) as client:
        client.sendall(b"hello")
        assert (client.recv(100), client.recv(100)) == (b"half a mess", b"")
    assert server.received == b"hello"


def test_resetting_resets_the_connection() -> None:
    with servers.resetting() as server, dial(server) as client:
        client.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_dripping_sends_a_byte_now_and_then() -> None:
    with servers.dripping(b"ab", seconds=0.1) as server, dial(server) as client:
        started = time.monotonic()
        assert [client.recv(100) for _ in range(4)] == [b"a", b"b", b"a", b"b"]
        assert time.monotonic() - started >= 0.25


def test_endless_goes_on_and_stops_at_its_limit() -> None:
    with servers.endless(b"E\x7f\xff\xff\xff", b"more") as server, dial(server) as client:
        client.sendall(b"hello")
        assert exactly(client, 9) == b"E\x7f\xff\xff\xffmore"
        assert everything(client) == scripts.MAX_BYTES - 4


def test_endless_ends_with_the_test_that_reads_only_some_of_it() -> None:
    with servers.endless(wait_first=False) as server, dial(server) as client:
        assert everything(client, limit=1 << 20) >= 1 << 20


def test_endless_ends_when_the_client_of_its_tls_goes(caplog: pytest.LogCaptureFixture) -> None:
    rogue = servers.tls(script=scripts.endless(b"", b"x"))
    with rogue as server, dial(server) as client, encrypted(client, server) as inside:
        inside.sendall(b"hello")
        assert everything(inside, limit=1 << 20) >= 1 << 20
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_echoing_answers_with_what_it_received() -> None:
    with servers.echoing() as server:
        assert ask(server, b"my password", b"again") == [b"my password", b"again"]


def test_no_connection_outlasts_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MAX_SECONDS", 0.1)
    with servers.silent() as server, dial(server) as client:
        assert client.recv(1) == b""


def test_a_server_counts_its_connections_and_remembers_what_all_of_them_sent() -> None:
    with servers.echoing() as server:
        assert [ask(server, text) for text in (b"one", b"two")] == [[b"one"], [b"two"]]
        assert (server.connections, server.received) == (2, b"onetwo")


def test_what_arrived_before_the_end_is_remembered_even_where_no_script_reads_it() -> None:
    async def busy(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"!")
        await asyncio.sleep(60)

    with servers.serve(busy) as server, dial(server) as client:
        assert client.recv(1) == b"!"
        client.sendall(b"unread")
    assert server.received == b"unread"


def test_a_defect_of_a_script_is_raised_where_the_server_ends() -> None:
    async def broken(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        raise LookupError("a typing error")

    with pytest.raises(LookupError, match="a typing error"), servers.serve(broken) as server, dial(server) as client:
        client.recv(1)


def test_a_client_that_goes_is_no_defect() -> None:
    with servers.serve(scripts.saying(b"a", b"b")) as server:
        assert ask(server, b"x") == [b"a"]


def test_a_server_ends_while_clients_are_connected() -> None:
    with servers.silent() as server:
        clients = [dial(server) for _ in range(5)]
        for client in clients:
            client.sendall(b"x")
    for client in clients:
        with pytest.raises(ConnectionResetError):  # or an end, where it had read what came
            assert client.recv(1) == b""
            raise ConnectionResetError
        client.close()


def test_after_its_end_a_server_is_not_there() -> None:
    with servers.silent() as server:
        dial(server).close()
    with pytest.raises(ConnectionRefusedError):
        dial(server)


ELSEWHERE = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10) as client:
    client.sendall(b"from another process")
    print(client.recv(100).decode(), end="")
"""


def test_a_server_is_reached_from_another_process_while_the_test_waits() -> None:
    with servers.echoing() as server:
        command = [sys.executable, "-c", ELSEWHERE, str(server.port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "from another process"


def test_tls_shows_a_certificate_that_its_authority_has_signed() -> None:
    with servers.tls() as server, dial(server) as client, encrypted(client, server) as inside:
        inside.sendall(b"hello")
        assert inside.recv(100) == b"hello"
    assert server.received == b"hello"


def test_tls_is_not_trusted_without_its_authority() -> None:
    with servers.tls() as server, dial(server) as client, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(client, server_hostname="localhost")


@pytest.mark.parametrize(
    ("rogue", "code"),
    [
        (servers.expired, 10),  # X509_V_ERR_CERT_HAS_EXPIRED
        (servers.self_signed, 18),  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
        (servers.wrong_name, 62),  # X509_V_ERR_HOSTNAME_MISMATCH
        (lambda: servers.tls(certificates.make_certificates().untrusted), 20),  # …_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        (lambda: servers.tls(certificates.make_certificates().not_yet_valid), 9),  # X509_V_ERR_CERT_NOT_YET_VALID
    ],
    ids=["expired", "self-signed", "wrong name", "untrusted", "not yet valid"],
)
def test_each_bad_certificate_is_refused_for_its_own_reason(
    rogue: Callable[[], AbstractContextManager[servers.RunningServer]], code: int
) -> None:
    with rogue() as server:
        assert refusal(server) == code
        assert server.received == b""


def test_a_certificate_that_expires_soon_is_good_for_ten_days_more() -> None:
    with servers.expiring_soon() as server, dial(server) as client, encrypted(client, server) as inside:
        ends = ssl.cert_time_to_seconds(str(inside.getpeercert()["notAfter"]))  # type: ignore[index]  # it was checked
    assert 9 < (ends - time.time()) / 86400 < 11


def test_an_authority_signs_for_any_host() -> None:
    authority = certificates.Authority("Another")
    with servers.tls(authority.sign("db", "db.example.com")) as server, dial(server) as client:
        server.ca_certificate = authority.certificate
        with encrypted(client, server, name="db.example.com") as inside:
            assert inside.version() == "TLSv1.3"


def test_old_tls_is_refused_by_a_client_of_today() -> None:
    with servers.old_tls() as server, dial(server) as client, pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        encrypted(client, server)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated:DeprecationWarning")
def test_old_tls_is_spoken_with_a_client_that_allows_it() -> None:
    context = ssl.create_default_context(cadata=certificates.make_certificates().ca)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with servers.old_tls() as server, dial(server) as client:
        try:
            inside = context.wrap_socket(client, server_hostname="localhost")
        except ssl.SSLError:
            pytest.skip("this OpenSSL speaks no TLS 1.1")
        with inside:
            assert inside.version() == "TLSv1.1"


def test_stalling_in_handshake_never_answers_the_first_message() -> None:
    with servers.stalling_in_handshake() as server, dial(server) as client, pytest.raises(TimeoutError):
        client.settimeout(0.2)
        encrypted(client, server)
    assert server.received.startswith(b"\x16\x03\x01")


def test_closing_in_handshake_ends_in_the_middle_of_a_message() -> None:
    with servers.closing_in_handshake() as server, dial(server) as client, pytest.raises(ssl.SSLEOFError):
        encrypted(client, server)


def test_closing_in_handshake_comes_after_what_is_said_in_clear() -> None:
    with servers.closing_in_handshake(upgrade=servers.POSTGRES_UPGRADE) as server, dial(server) as client:
        assert _answer(client, SSL_REQUEST) == b"S"
        with pytest.raises(ssl.SSLEOFError):
            encrypted(client, server)


def test_the_upgrade_of_postgres_is_answered_and_tls_begins() -> None:
    with servers.tls(upgrade=servers.POSTGRES_UPGRADE) as server, dial(server) as client:
        assert _answer(client, SSL_REQUEST) == b"S"
        with encrypted(client, server) as inside:
            inside.sendall(b"hello")
            assert inside.recv(100) == b"hello"


def test_the_upgrade_of_mysql_takes_no_byte_of_the_handshake() -> None:
    """A client of MySQL sends its request for TLS and the handshake's beginning without waiting in between."""
    context = ssl.create_default_context(cadata=certificates.make_certificates().ca)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    inside = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        inside.do_handshake()
    with servers.tls(upgrade=servers.MYSQL_UPGRADE) as server, dial(server) as client:
        assert exactly(client, len(servers.mysql_greeting())) == servers.mysql_greeting()
        client.sendall(servers.mysql_packet(1, bytes(32)) + outgoing.read())
        while not inside.version():
            incoming.write(client.recv(65536))
            try:
                inside.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert inside.version() == "TLSv1.3"


def test_postgres_asks_for_the_clear_password_and_lets_everybody_in() -> None:
    with servers.postgres_wanting_clear_password() as server:
        asked, let_in = ask(server, STARTUP, b"p\0\0\0\x0bsecret\0")
    assert asked == b"R\0\0\0\x08\0\0\0\x03"
    assert let_in.startswith(b"R\0\0\0\x08\0\0\0\0S")
    assert b"secret" in server.received


def test_postgres_asks_for_the_clear_password_inside_tls_too() -> None:
    with servers.postgres_wanting_clear_password(tls=True) as server, dial(server) as client:
        assert _answer(client, SSL_REQUEST) == b"S"
        with encrypted(client, server) as inside:
            assert _answer(inside, STARTUP) == b"R\0\0\0\x08\0\0\0\x03"


def test_mysql_asks_for_the_clear_password_and_lets_everybody_in() -> None:
    with servers.mysql_wanting_clear_password() as server, dial(server) as client:
        greeting = client.recv(65536)
        assert greeting.endswith(b"mysql_clear_password\0")
        assert _answer(client, MYSQL_LOGIN) == b"\x16\0\0\x02\xfemysql_clear_password\0"
        assert _answer(client, servers.mysql_packet(3, b"secret\0")) == b"\x07\0\0\x04\0\0\0\2\0\0\0"
    assert b"secret" in server.received


def test_mysql_asks_for_the_clear_password_inside_tls_too() -> None:
    with servers.mysql_wanting_clear_password(tls=True) as server, dial(server) as client:
        assert capabilities(client.recv(65536)) & 1 << 11
        client.sendall(servers.mysql_packet(1, bytes(32)))
        with encrypted(client, server) as inside:
            assert b"mysql_clear_password" in _answer(inside, MYSQL_LOGIN)


def capabilities(greeting: bytes) -> int:
    """Read what a MySQL server says that it can do."""
    place = greeting.index(b"\0", 5) + 14
    lower, _, _, upper = struct.unpack_from("<HBHH", greeting, place)
    return int(lower | upper << 16)


def test_postgres_without_tls_says_no_and_goes_on_without() -> None:
    with servers.postgres_without_tls() as server:
        refused, let_in = ask(server, SSL_REQUEST, STARTUP)
    assert refused == b"N"
    assert let_in.endswith(b"Z\0\0\0\x05I")


def test_mysql_without_tls_offers_none_and_goes_on_without() -> None:
    with servers.mysql_without_tls() as server, dial(server) as client:
        assert not capabilities(client.recv(65536)) & 1 << 11
        assert _answer(client, MYSQL_LOGIN) == b"\x07\0\0\x02\0\0\0\2\0\0\0"


def fetch(
    url: str, *, data: bytes | None = None, method: str | None = None, ca: str | None = None
) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=data, method=method)
    context = ssl.create_default_context(cadata=ca) if ca else None
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_http_answers_well_and_remembers_what_it_was_asked() -> None:
    with servers.http() as server:
        status, body = fetch(f"{server.url}/v1?a=b", data=b"name=value")
    [request] = server.requests
    assert (status, json.loads(body)) == (200, {"status": "up"})
    assert (request.method, request.target, request.body) == ("POST", "/v1?a=b", b"name=value")
    assert request.headers["content-length"] == "10"


def test_http_answers_several_requests_of_one_connection() -> None:
    with servers.http(servers.Answer("hello")) as server:
        answers = ask(server, GET, GET.replace(b"GET", b"HEAD"))
    assert [answer.partition(b"\r\n\r\n")[2] for answer in answers] == [b"hello", b""]
    assert server.connections == 1


def test_http_answers_as_a_function_says() -> None:
    def answer(request: servers.Request) -> servers.Answer:
        known = request.headers.get("authorization") == "Bearer token"
        return servers.Answer(b"\x00", headers={"X-Seen": "yes"}) if known else servers.Answer({"error": 1}, 401)

    with servers.http(answer) as server:
        assert fetch(server.url) == (401, b'{"error": 1}')
        [good] = ask(server, GET.replace(b"\r\n\r\n", b"\r\nAuthorization: Bearer token\r\n\r\n"))
    assert b"X-Seen: yes\r\n" in good
    assert good.endswith(b"\r\n\r\n\x00")


def test_http_speaks_tls() -> None:
    with servers.http(tls=True) as server:
        assert server.url.startswith("https:")
        assert fetch(server.url, ca=server.ca_certificate)[0] == 200


def test_http_redirecting_points_to_the_metadata_of_the_cloud() -> None:
    with servers.http_redirecting() as server:
        [answer] = ask(server, GET)
    assert answer.startswith(b"HTTP/1.1 302 Found\r\n")
    assert b"\r\nLocation: http://169.254.169.254/latest/meta-data/\r\n" in answer


@pytest.mark.parametrize(
    ("rogue", "again"),
    [
        (servers.http_with_endless_headers, b"X-More: 1\r\n"),
        (servers.http_with_endless_body, b"400\r\n" + b" " * 1024 + b"\r\n"),
        (servers.http_with_endless_interim_answers, b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
    ids=["headers", "body", "interim answers"],
)
def test_http_without_end_goes_on_in_its_way_up_to_its_limit(
    rogue: Callable[[], AbstractContextManager[servers.RunningServer]], again: bytes
) -> None:
    with rogue() as server, dial(server) as client:
        client.sendall(GET)
        assert again * 20 in exactly(client, 65536)
        size = 65536 + everything(client)
    assert abs(size - scripts.MAX_BYTES) < 1 << 20


def test_http_bomb_is_small_and_inflates_to_a_lot() -> None:
    with servers.http_bomb() as server, dial(server) as client:
        client.sendall(GET)
        head, _, body = client.recv(1 << 20).partition(b"\r\n\r\n")
        length = int(head.rpartition(b"Content-Length: ")[2])
        while len(body) < length:
            body += client.recv(1 << 20)
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    size, rest = 0, body
    while rest:
        size += len(inflater.decompress(rest, 1 << 20))
        rest = inflater.unconsumed_tail
    size += len(inflater.flush())
    assert b"Content-Encoding: gzip" in head
    assert (len(body) < 300_000, size, inflater.eof) == (True, web.BOMB_BYTES, True)


def test_a_conversation_is_recorded_and_said_again() -> None:
    with servers.serve(scripts.saying(b"welcome", b"first", b"second", wait_first=False)) as origin:
        with servers.recording(origin.port) as recorder, dial(recorder) as client:
            assert client.recv(100) == b"welcome"
            assert (_answer(client, b"one"), _answer(client, b"two!")) == (b"first", b"second")
        turns = recorder.turns
    with servers.replaying(turns) as server, dial(server) as client:
        assert client.recv(100) == b"welcome"
        assert (_answer(client, b"1.1"), _answer(client, b"2.2.")) == (b"first", b"second")

    assert turns == [servers.Turn(0, b"welcome"), servers.Turn(3, b"first"), servers.Turn(4, b"second")]
    assert recorder.received == b"onetwo!"


def test_a_question_in_two_parts_is_one_turn() -> None:
    with servers.replaying([servers.Turn(5, b"answer")]) as origin:
        with servers.recording(origin.port) as recorder, dial(recorder) as client:
            client.sendall(b"que")
            assert_arrived(recorder, b"que")
            assert _answer(client, b"st") == b"answer"
        assert recorder.turns == [servers.Turn(5, b"answer")]


def assert_arrived(server: servers.RunningServer, data: bytes) -> None:
    """Wait until a server has received what was sent."""
    end = time.monotonic() + 10
    while server.received != data:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_client_that_says_less_than_the_recorded_one_is_answered_all_the_same() -> None:
    with servers.replaying([servers.Turn(1000, b"answer")]) as server:
        assert ask(server, b"?") == [b"answer"]
