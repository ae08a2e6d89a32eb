"""A real MariaDB of the tests' own, with TLS, and the one that may run on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import pymysql
import pytest

from support.certificates import Certificates, Pair, make_certificates
from support.programs import call, free_port, missing_service, other_user, run_as, stop, wait_until, write

STOPS = (signal.SIGTERM, signal.SIGKILL)
SETTINGS = (
    "--no-defaults",
    "--skip-log-bin",
    "--skip-name-resolve",
    "--performance-schema=off",
    "--innodb-buffer-pool-size=8M",
    "--innodb-log-file-size=4M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--max-connections=40",
)
SETUP = """
CREATE DATABASE shop;
CREATE TABLE shop.orders (id int PRIMARY KEY, amount int);
CREATE TABLE shop.salaries (id int PRIMARY KEY, amount int);
CREATE VIEW shop.big_orders AS SELECT * FROM shop.orders WHERE amount > 100;
CREATE DATABASE other_shop;
CREATE TABLE other_shop.t (id int PRIMARY KEY);
CREATE DATABASE empty;
CREATE USER reader IDENTIFIED BY '{password}';
GRANT SELECT ON shop.orders TO reader;
GRANT SELECT (id) ON shop.big_orders TO reader;
GRANT INSERT ON shop.salaries TO reader;
CREATE USER writer IDENTIFIED BY '{password}';
GRANT INSERT ON shop.* TO writer;
CREATE USER caller IDENTIFIED BY '{password}';
GRANT EXECUTE ON shop.* TO caller;
GRANT SELECT ON `empty`.* TO caller;
CREATE ROLE may_read;
GRANT SELECT ON shop.* TO may_read;
CREATE USER by_role IDENTIFIED BY '{password}';
GRANT may_read TO by_role;
SET DEFAULT ROLE may_read FOR by_role;
CREATE USER tls_user IDENTIFIED BY '{password}' REQUIRE SSL;
GRANT SELECT ON shop.* TO tls_user;
CREATE USER cert_user REQUIRE SUBJECT '/CN=cert_user';
GRANT SELECT ON shop.* TO cert_user;
CREATE USER locked IDENTIFIED BY '{password}' ACCOUNT LOCK;
CREATE USER lapsed IDENTIFIED BY '{password}' PASSWORD EXPIRE;
GRANT SELECT ON shop.* TO lapsed;
CREATE USER free;
GRANT SELECT ON shop.* TO free;
CREATE USER crowded IDENTIFIED BY '{password}' WITH MAX_QUERIES_PER_HOUR 1;
GRANT SELECT ON shop.* TO crowded;
CREATE USER socket_only IDENTIFIED VIA unix_socket;
CREATE USER old_user IDENTIFIED VIA mysql_old_password USING '{old}';
GRANT SELECT ON shop.* TO old_user;
"""


@dataclass
class MariaDB:
    """A running MariaDB.

    Attributes:
        address: How its administrator connects.
        port: Its port on 127.0.0.1.
        certificates: What it shows, if it has TLS.
        password: The password of all its users who have one.
    """

    address: dict[str, Any]
    port: int
    certificates: Certificates = field(default_factory=make_certificates, repr=False)
    password: str = field(default_factory=lambda: f"My{token_hex(12)}", repr=False)
    home: Path | None = None
    user: str | None = None

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run SQL as the administrator, and return what the last statement brings."""
        connect = pymysql.connect(**self.address, autocommit=True, charset="utf8mb4")
        with connect as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    @contextmanager
    def a_user(self, password: str, *, identified: str | None = None) -> Iterator[str]:
        """Make a user for a while, with a password, who may read the database `shop`."""
        name = f"user_{token_hex(6)}"
        quoted = password.replace("\\", "\\\\").replace("'", "''")
        self.run(f"CREATE USER {name} IDENTIFIED " + (identified or f"BY '{quoted}'"))
        try:
            self.run(f"GRANT SELECT ON shop.* TO {name}")
            yield name
        finally:
            self.run(f"DROP USER {name}")

    @contextmanager
    def setting(self, name: str, value: str, before: str) -> Iterator[None]:
        """Change a global variable for a while."""
        self.run(f"SET GLOBAL {name} = {value}")
        try:
            yield
        finally:
            self.run(f"SET GLOBAL {name} = {before}")

    @contextmanager
    def showing(self, pair: Pair) -> Iterator[None]:
        """Let the server show another certificate for a while."""
        self._show(pair)
        try:
            yield
        finally:
            self._show(self.certificates.server)

    def _show(self, pair: Pair) -> None:
        if self.home is None:
            raise RuntimeError("its certificate is not ours to change")
        write(self.home / "server.pem", pair.certificate, self.user)
        write(self.home / "server.key", pair.key, self.user)
        self.run("FLUSH SSL")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A real MariaDB, made anew for the session."""
    programs = [find_program(name) for name in ("mariadb-install-db", "mariadbd")]
    if None in programs:
        missing_service("mariadb-install-db and mariadbd were not found: install `mariadb-server`")
    home = Path(tempfile.mkdtemp(prefix="whmy", dir="/tmp"))
    user = other_user("mysql", "nobody")
    if user is not None:
        shutil.chown(home, user)
    process = None
    try:
        address = {"unix_socket": str(home / "socket"), "user": "root"}
        server = MariaDB(address, free_port(), home=home, user=user)
        process = _start(str(programs[0]), str(programs[1]), server, home)
        yield server
    finally:
        if process is not None:
            stop(process, *STOPS)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def mariadb_of_this_machine() -> Iterator[MariaDB]:
    """The MariaDB or MySQL on port 3306, with a database and a user of the test's own in it."""
    server = MariaDB({"host": "127.0.0.1", "port": 3306, "user": "root"}, 3306)
    name = f"wellhead_{token_hex(6)}"
    try:
        server.run("SELECT 1")
    except pymysql.MySQLError:
        missing_service("no MariaDB answers on port 3306 to root without a password")
    try:
        server.run(
            f"CREATE DATABASE {name}",
            f"CREATE TABLE {name}.t (id int PRIMARY KEY)",
            f"CREATE USER {name} IDENTIFIED BY '{server.password}'",
            f"GRANT SELECT ON {name}.* TO {name}",
        )
        server.user = name
        yield server
    finally:
        server.run(f"DROP DATABASE IF EXISTS {name}", f"DROP USER IF EXISTS {name}")


def find_program(name: str) -> str | None:
    """Find a program of MariaDB; Debian keeps the server where only root looks."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")


def _start(install: str, program: str, server: MariaDB, home: Path) -> subprocess.Popen[bytes]:
    data = home / "data"
    options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
    call(server.user, install, "--no-defaults", f"--datadir={data}", *options, *SETTINGS[1:])
    pair = server.certificates.server
    write(home / "server.pem", pair.certificate, server.user)
    write(home / "server.key", pair.key, server.user)
    write(home / "ca.pem", server.certificates.ca, server.user)
    places = {"datadir": data, "socket": home / "socket", "pid-file": home / "pid", "port": server.port}
    files = {"ssl-cert": home / "server.pem", "ssl-key": home / "server.key", "ssl-ca": home / "ca.pem"}
    arguments = [f"--{name}={value}" for name, value in (places | files).items()]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, *SETTINGS, "--bind-address=127.0.0.1", *arguments],
            stdout=log,
            stderr=log,
            start_new_session=True,
            **run_as(server.user),
        )
    try:
        wait_until(lambda: _is_ready(server) or process.poll() is not None, "MariaDB does not start")
        old = "5d2e19393cc5ef67"  # of the password 'password'
        server.run(*filter(str.strip, SETUP.format(password=server.password, old=old).split(";")))
    except BaseException:
        stop(process, *STOPS)
        print((home / "log").read_text())
        raise
    return process


def _is_ready(server: MariaDB) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:  # pymysql leaves its socket open where nobody answers
        return probe.connect_ex(server.address["unix_socket"]) == 0
