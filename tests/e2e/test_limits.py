"""Limits of a live service: over all of its workers, with and without Redis, and for bodies that never come."""

import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from redis import Redis
from redis.exceptions import RedisError

from support.api import csv_source
from support.programs import missing_service
from support.service import SOURCES, Service, running_service

REDIS = "redis://127.0.0.1:6379/0"


def asked(service: Service, times: int, path: str = SOURCES) -> Counter[int]:
    """Ask many times, each on a connection of its own, so that all workers get some."""
    headers = {"Authorization": f"Bearer {service.token}", "Connection": "close"}

    def ask(_number: int) -> int:
        return httpx2.get(service.url + path, headers=headers, timeout=30).status_code

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
            return httpx2.post(service.url + SOURCES, json=document, headers=headers, timeout=30).status_code

        with ThreadPoolExecutor(16) as threads:
            answers = Counter(threads.map(make, range(40)))
        assert answers == {201: 7, 409: 33}
        assert service.client.get(SOURCES).json()["total"] == 7


def test_R_08_a_body_that_does_not_come_ends_the_request_and_the_connection(tmp_path: Path) -> None:
    with running_service(**started(tmp_path, WELLHEAD_BODY_TIMEOUT="0.5", workers=1)) as service:  # type: ignore[arg-type]
        address = urlsplit(service.url)
        head = (
            f"POST {SOURCES} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {service.token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        )
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
            connection.sendall(head.encode())
            began = time.monotonic()
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        assert 0.4 < time.monotonic() - began < 5
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"body_timeout"' in answer
        assert b"connection: close" in answer.lower()
        assert service.client.get(SOURCES).status_code == 200


def test_R_08_a_body_that_drips_is_cut_off_too(tmp_path: Path) -> None:
    with running_service(**started(tmp_path, WELLHEAD_BODY_TIMEOUT="0.5", workers=1)) as service:  # type: ignore[arg-type]

        def drops() -> object:
            for _ in range(100):
                yield b" "
                time.sleep(0.05)

        answer = service.client.post(SOURCES, content=drops(), headers={"Content-Type": "application/json"})  # type: ignore[arg-type]
        assert answer.status_code == 408
