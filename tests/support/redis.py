"""A real Redis of the tests' own, with TLS and users, and the one that may run on this machine."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import redis

from support.certificates import Certificates, make_certificates
from support.programs import free_port, missing_service, run_as, stop, wait_until, write

STOPS = (signal.SIGTERM, signal.SIGKILL)
USERS = """
user default on >{password} ~* &* +@all
user reader on >{password} ~* +@read +ping
user application on >{password} ~app:* +get +set
user switched_off off >{password} ~* +@all
user free on nopass ~* +@all
"""


@dataclass(frozen=True)
class RedisServer:
    """A running Redis.

    Attributes:
        port: Its port on 127.0.0.1, without TLS.
        tls_port: Its port with TLS; 0 if it has none.
        certificates: What it shows.
        password: The password of all its users who have one.
    """

    port: int
    tls_port: int = 0
    certificates: Certificates = field(default_factory=make_certificates, repr=False)
    password: str = field(default_factory=lambda: f"Rd{token_hex(12)}", repr=False)

    def run(self, *words: str | int, database: int = 0, password: str | None = None) -> Any:
        """Run a command as the user `default`."""
        with redis.Redis(port=self.port, db=database, password=password or self.password) as client:
            return client.execute_command(*words)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A real Redis, made anew for the session."""
    program = shutil.which("redis-server")
    if program is None:
        missing_service("redis-server was not found: install `redis-server`")
    home = Path(tempfile.mkdtemp(prefix="whrd", dir="/tmp"))
    server = RedisServer(free_port(), free_port())
    process = None
    try:
        process = _start(str(program), server, home)
        yield server
    finally:
        if process is not None:
            stop(process, *STOPS)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_of_this_machine() -> RedisServer:
    """The Redis on port 6379 that lets anybody in."""
    try:
        with redis.Redis(port=6379) as client:
            client.ping()
    except redis.RedisError:
        missing_service("no Redis answers on port 6379 without a password")
    return RedisServer(6379)


def _start(program: str, server: RedisServer, home: Path) -> subprocess.Popen[bytes]:
    shown = server.certificates.server
    files = {"server.pem": shown.certificate, "server.key": shown.key, "ca.pem": server.certificates.ca}
    for name, text in (files | {"users.acl": USERS.format(password=server.password).lstrip()}).items():
        write(home / name, text, None)
    settings = {
        "bind": "127.0.0.1",
        "port": server.port,
        "tls-port": server.tls_port,
        "tls-cert-file": home / "server.pem",
        "tls-key-file": home / "server.key",
        "tls-ca-cert-file": home / "ca.pem",
        "tls-auth-clients": "optional",
        "aclfile": home / "users.acl",
        "dir": home,
        "save": '""',
    }
    lines = "".join(f"{name} {value}\n" for name, value in settings.items())
    write(home / "redis.conf", lines, None)
    with (home / "log").open("wb") as log:
        command = [program, str(home / "redis.conf")]
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **run_as(None))
    try:
        wait_until(lambda: _is_ready(server) or process.poll() is not None, "Redis does not start")
        server.run("SET", "app:1", "one")
        server.run("SET", "other", "two", database=3)
    except BaseException:
        stop(process, *STOPS)
        print((home / "log").read_text())
        raise
    return process


def _is_ready(server: RedisServer) -> bool:
    try:
        return bool(server.run("PING"))
    except redis.ConnectionError:
        return False
