"""Limits of a live service: over all of its workers, with and without Redis, and for bodies that never come."""

import select
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from redis import Redis
from redis.exceptions import RedisError

from support import calls
from support.api import csv_source
from support.certificates import make_certificates
from support.programs import missing_service, wait_until
from support.service import SOURCES, Service, running_service
from support.team import running_team

REDIS = "redis://127.0.0.1:6379/0"


def asked(service: Service, times: int, path: str = SOURCES) -> Counter[int]:
    """Ask many times, each on a connection of its own, so that all workers get some."""
    headers = {"Authorization": f"Bearer {service.token}", "Connection": "close"}

    def ask(_number: int) -> int:
        return calls.get(service.url + path, headers=headers, timeout=30).status_code

    with ThreadPoolExecutor(8) as threads:
        return Counter(threads.map(ask, range(times)))


def started(tmp_path: Path, **more: str) -> dict[str, object]:
    (tmp_path / "workspace").mkdir()
    return {"workspace": tmp_path / "workspace", "config": tmp_path / "config", "workers": 2, **more}


def test_R_03_two_workers_permit_no_more_than_the_limit(tmp_path: Path) -> None:
    with running_service(**started(tmp_path, WELLHEAD_LIMIT_READ="20/hour")) as service:  # type: ignore[arg-type]
        answers = asked(service, 80)
        assert set(answers) == {200, 429}
        assert 10 <= answers[200] <= 20, "a worker permits its half"
        assert service.client.get("/healthz").status_code == 200


def test_R_03_with_redis_two_workers_permit_just_the_limit(tmp_path: Path) -> None:
    redis = Redis.from_url(REDIS)
    try:
        before = set(redis.scan_iter("wellhead:limits:*"))
    except RedisError:
        missing_service("there is no Redis on 127.0.0.1:6379")
    settings = started(tmp_path, WELLHEAD_LIMIT_READ="21/hour", WELLHEAD_LIMITS_REDIS=REDIS)
    try:
        with running_service(**settings) as service:  # type: ignore[arg-type]
            assert asked(service, 60) == {200: 21, 429: 39}
    finally:
        left = set(redis.scan_iter("wellhead:limits:*")) - before
        assert len(left) == 1, "this service's user has one key"
        redis.delete(*left)
        redis.close()


def test_R_06_after_waiting_as_told_the_answer_is_200(tmp_path: Path) -> None:
    with running_service(**started(tmp_path, WELLHEAD_LIMIT_READ="2/second", workers=1)) as service:  # type: ignore[arg-type]
        while (answer := service.client.get(SOURCES)).status_code == 200:
            pass
        assert answer.status_code == 429
        time.sleep(int(answer.headers["Retry-After"]))
        assert service.client.get(SOURCES).status_code == 200


@pytest.mark.slow
def test_R_12_many_writers_do_not_exceed_the_quota(tmp_path: Path) -> None:
    with running_service(**started(tmp_path, WELLHEAD_QUOTA="7")) as service:  # type: ignore[arg-type]
        headers = {"Authorization": f"Bearer {service.token}", "Connection": "close"}

        def make(number: int) -> int:
            document = csv_source(f"number {number}")
            return calls.post(service.url + SOURCES, json=document, headers=headers, timeout=30).status_code

        with ThreadPoolExecutor(16) as threads:
            answers = Counter(threads.map(make, range(40)))
        assert answers == {201: 7, 409: 33}
        assert service.client.get(SOURCES).json()["total"] == 7


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that waits half a second."""
    settings = started(tmp_path_factory.mktemp("impatient"), WELLHEAD_BODY_TIMEOUT="0.5", workers=1)  # type: ignore[arg-type]
    with running_service(**settings) as service:  # type: ignore[arg-type]
        yield service


def connected(service: Service) -> socket.socket:
    address = urlsplit(service.url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=20)


def head_of(service: Service, *, token: str) -> bytes:
    return (
        f"POST {SOURCES} HTTP/1.1\r\nHost: {urlsplit(service.url).netloc}\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    ).encode()


def test_R_08_a_body_that_does_not_come_ends_the_request_and_the_connection(impatient: Service) -> None:
    with connected(impatient) as connection:
        connection.sendall(head_of(impatient, token=impatient.token) + b"{")
        began = time.monotonic()
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert 0.4 < time.monotonic() - began < 15
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"body_timeout"' in answer
    assert b"connection: close" in answer.lower()
    assert impatient.client.get(SOURCES).status_code == 200


def test_R_08_a_body_that_drips_is_cut_off_too(impatient: Service) -> None:
    def drops() -> Iterator[bytes]:
        for _ in range(100):
            yield b" "
            time.sleep(0.05)

    answer = impatient.client.post(SOURCES, content=drops(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 408


@pytest.mark.parametrize("begun", ["nothing", "a head", "a second head", "a body that nobody reads"])
def test_R_08_a_connection_without_a_request_is_ended_though_it_drips(impatient: Service, begun: str) -> None:
    whole = f"GET /healthz HTTP/1.1\r\nHost: {urlsplit(impatient.url).netloc}\r\n\r\n".encode()
    sent = {
        "nothing": b"",
        "a head": whole[:20],
        "a second head": whole + whole[:20],
        "a body that nobody reads": head_of(impatient, token="nobody's"),
    }
    with connected(impatient) as connection:
        connection.sendall(sent[begun])
        for _ in range(200):
            try:
                connection.send(b"x" if begun != "nothing" else b"")
                if select.select([connection], [], [], 0.1)[0] and not connection.recv(65536):
                    break
            except (ConnectionResetError, BrokenPipeError):
                break
        else:
            pytest.fail("it was never ended")
    assert calls.get(f"{impatient.url}/healthz").status_code == 200  # by a connection that has not waited, too


def test_R_08_a_client_that_reads_no_answers_is_ended(impatient: Service) -> None:
    asks = f"GET /problems/not_found HTTP/1.1\r\nHost: {urlsplit(impatient.url).netloc}\r\n\r\n".encode() * 500

    def is_ended() -> bool:
        try:
            connection.send(asks)
        except BlockingIOError:
            return False
        except (ConnectionResetError, BrokenPipeError):
            return True
        return False

    with connected(impatient) as connection:
        connection.setblocking(False)
        wait_until(is_ended, "it was never ended")


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, ssl.SSLContext]]:
    """A service with HTTPS that waits half a second, and who trusts it."""
    home, certificates = tmp_path_factory.mktemp("encrypted"), make_certificates()
    (home / "cert.pem").write_text(certificates.server.certificate)
    (home / "key.pem").write_text(certificates.server.key)
    more = ["--tls-certificate", str(home / "cert.pem"), "--tls-key", str(home / "key.pem")]
    with running_team(home, more=more, WELLHEAD_BODY_TIMEOUT="0.5") as team:
        yield team.service, ssl.create_default_context(cadata=certificates.ca)


def holds_none(service: Service) -> bool:
    """Tell whether a service has no connection."""
    found = psutil.Process(service.process.pid).net_connections("tcp")
    return all(one.status == psutil.CONN_LISTEN for one in found)


@pytest.mark.parametrize("begun", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"], ids=["nothing", "a byte", "a part"])
def test_R_08_a_tls_handshake_that_stalls_is_ended(encrypted: tuple[Service, ssl.SSLContext], begun: bytes) -> None:
    service, _ = encrypted
    with connected(service) as connection:
        connection.sendall(begun)
        wait_until(lambda: not holds_none(service), "it has not come")
        wait_until(lambda: holds_none(service), "it was never ended")


def test_R_08_a_client_that_does_not_say_goodbye_is_ended(encrypted: tuple[Service, ssl.SSLContext]) -> None:
    service, context = encrypted
    with connected(service) as plain, context.wrap_socket(plain, server_hostname="localhost") as connection:
        host = urlsplit(service.url).netloc
        connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        wait_until(lambda: holds_none(service), "it was never ended")


def test_R_08_clients_that_only_hold_connections_keep_nobody_out(service: Service) -> None:
    held = [connected(service) for _ in range(600)]
    assert service.client.get(SOURCES).status_code == 200
    process = psutil.Process(service.process.pid)
    wait_until(lambda: len(process.net_connections("tcp")) <= 512 + 1, "there are more than the settings permit")
    assert select.select(held[:50], [], [], 0)[0] == held[:50], "those that came first were ended first"
    for connection in held:
        connection.close()
