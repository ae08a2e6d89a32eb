"""The type `mysql` against a real MariaDB: everything that can be wrong, and what is said about it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

import wellhead
from support.canary import Canary
from support.mariadb import MariaDB
from support.validating import LOCAL, last, validate
from wellhead.codes import CODES
from wellhead.errors import ConnectionStringError
from wellhead.guard.network import dial, resolve
from wellhead.model.result import ValidationResult
from wellhead_mysql import ERRORS, MysqlDataSource, wellhead_data_source_types

pytestmark = pytest.mark.anyio

[MYSQL] = wellhead_data_source_types()
STEPS = ["resolve", "connect", "tls", "authenticate", "query", "permissions"]
LOGIN = ("/username", "/password", "/database")
TLS = ("/tls_mode", "/host", "/port")
PLAIN: dict[str, Any] = {"tls_mode": "disable", "ca_certificate": None}


def a_config(server: MariaDB, **changes: Any) -> MysqlDataSource:
    """Make a configuration that works, with changes."""
    fields: dict[str, Any] = {
        "name": "shop",
        "host": "localhost",
        "port": server.port,
        "database": "shop",
        "username": "reader",
        "password": server.password,
        "ca_certificate": server.certificates.ca,
    }
    return MysqlDataSource(**(fields | changes))


async def run(server: MariaDB, **changes: Any) -> ValidationResult:
    """Validate a configuration that works but for the changes."""
    return await validate(MYSQL, a_config(server, **changes))


async def expect(
    server: MariaDB, check: str, code: str, fields: tuple[str, ...], *, hint: str | None = None, **changes: Any
) -> None:
    """Validate, and claim which check failed and what it said."""
    result = await run(server, **changes)
    failed = last(result)
    assert (failed.name, failed.status, failed.code, failed.fields) == (check, "failed", code, fields)
    assert (result.status, result.success) == ("failed", False)
    assert failed.message == CODES[code].title
    assert (hint or CODES[code].remedy) in (failed.hint or "")
    assert [one.name for one in result.checks if one.status == "skipped"] == STEPS[STEPS.index(check) + 1 :]


async def test_a_good_configuration_passes_every_check(mariadb: MariaDB) -> None:
    result = await run(mariadb)

    assert result.status == "passed"
    assert [check.name for check in result.checks] == ["secrets", *STEPS]
    assert result.details == {
        "tls_version": "TLSv1.3",
        "server": "MariaDB",
        "server_version": mariadb.run("SELECT VERSION()")[0][0].partition("-")[0],
        "tables_and_views": 3,
        "readable": 2,
    }


async def test_the_address_of_the_server_may_be_an_ip_address(mariadb: MariaDB) -> None:
    assert (await run(mariadb, host="127.0.0.1")).status == "passed"


async def test_without_tls_it_works_with_a_warning(mariadb: MariaDB) -> None:
    result = await run(mariadb, **PLAIN)

    assert (result.status, result.success) == ("warning", True)
    assert [(check.name, check.code, check.fields) for check in result.warnings] == [("tls", "tls_disabled", TLS)]
    assert "tls_version" not in result.details


@pytest.mark.parametrize("mode", ["require", "verify-ca"])
async def test_weaker_tls_works_with_a_warning(mariadb: MariaDB, mode: str) -> None:
    without_ca = {"ca_certificate": None} if mode == "require" else {}

    result = await run(mariadb, tls_mode=mode, **without_ca)

    assert result.status == "warning"
    assert [check.code for check in result.warnings] == ["tls_unverified"]


async def test_the_mariadb_of_this_machine_is_validated(mariadb_of_this_machine: MariaDB) -> None:
    server = mariadb_of_this_machine
    login = {"username": server.user, "database": server.user, "host": "127.0.0.1", **PLAIN}

    result = await run(server, **login)
    wrong = await run(server, **{**login, "password": "not it"})

    assert result.success
    assert result.details["tables_and_views"] == result.details["readable"] == 1
    assert last(wrong).code == "auth_failed"


async def test_M_01_a_real_server_without_tls_gets_no_login(mariadb_of_this_machine: MariaDB) -> None:
    server = mariadb_of_this_machine
    if server.run("SHOW VARIABLES LIKE 'have_ssl'") == [("have_ssl", "YES")]:
        pytest.skip("the MariaDB on port 3306 offers TLS; a rogue server without it is tested in any case")

    result = await run(server, username=server.user, host="127.0.0.1")

    assert (last(result).name, last(result).code, last(result).fields) == ("tls", "tls_not_offered", ("/tls_mode",))


@pytest.mark.parametrize("username", ["reader", "nobody_of_this_name"])
async def test_a_wrong_password_and_an_unknown_user_look_alike(mariadb: MariaDB, username: str) -> None:
    await expect(mariadb, "authenticate", "auth_failed", LOGIN, username=username, password="not it")


async def test_no_password_where_one_is_wanted(mariadb: MariaDB) -> None:
    await expect(mariadb, "authenticate", "password_missing", LOGIN, password=None)


async def test_a_user_who_needs_no_password(mariadb: MariaDB) -> None:
    result = await run(mariadb, username="free", password=None)

    assert result.success
    assert result.checks[0].name == "resolve"


async def test_an_unknown_database_is_named(mariadb: MariaDB) -> None:
    with mariadb.a_user("secret one") as name:
        mariadb.run(f"GRANT SELECT ON *.* TO {name}")
        await expect(mariadb, "authenticate", "database_not_found", LOGIN, **_login(name), database="shopp")


def _login(name: str, password: str = "secret one") -> dict[str, Any]:
    return {"username": name, "password": password}


async def test_a_database_that_the_user_may_not_use(mariadb: MariaDB) -> None:
    await expect(mariadb, "authenticate", "permission_denied", LOGIN, database="other_shop", hint="GRANT")


async def test_a_locked_user_is_named(mariadb: MariaDB) -> None:
    await expect(mariadb, "authenticate", "account_locked", LOGIN, username="locked")


async def test_a_lapsed_password_is_named(mariadb: MariaDB) -> None:
    await expect(mariadb, "authenticate", "password_expired", LOGIN, username="lapsed")


async def test_a_user_who_may_come_over_the_socket_only(mariadb: MariaDB) -> None:
    await expect(mariadb, "authenticate", "login_not_permitted", LOGIN, username="socket_only", hint="socket only")


async def test_a_user_who_has_asked_too_much(mariadb: MariaDB) -> None:
    results = [await run(mariadb, username="crowded") for _ in range(2)]

    assert "user_limit_reached" in {last(result).code for result in results}


async def test_a_user_who_has_no_connection_left(mariadb: MariaDB) -> None:
    with mariadb.a_user("secret one") as name:
        mariadb.run(f"ALTER USER {name} WITH MAX_USER_CONNECTIONS 1")
        with pymysql.connect(host="127.0.0.1", port=mariadb.port, user=name, password="secret one"):
            await expect(mariadb, "authenticate", "user_limit_reached", LOGIN, hint="user", **_login(name))


async def test_a_server_with_no_connection_left(mariadb: MariaDB) -> None:
    with mariadb.setting("max_connections", "10", "40"), contextlib.ExitStack() as stack:
        with contextlib.suppress(pymysql.err.OperationalError):
            for _ in range(20):
                stack.enter_context(pymysql.connect(host="127.0.0.1", port=mariadb.port, user="free"))

        result = await run(mariadb)

    assert last(result).name in {"tls", "authenticate"}  # in the greeting's place, or after it
    assert last(result).code == "too_many_connections"


async def test_a_user_who_needs_tls_is_told_so(mariadb: MariaDB) -> None:
    await expect(mariadb, "authenticate", "auth_failed", LOGIN, hint="offers TLS", username="tls_user", **PLAIN)
    assert (await run(mariadb, username="tls_user")).status == "passed"


async def test_a_mariadb_that_needs_tls_says_no_more_than_that_the_login_failed(mariadb: MariaDB) -> None:
    with mariadb.setting("require_secure_transport", "ON", "OFF"):
        await expect(mariadb, "authenticate", "auth_failed", LOGIN, hint="offers TLS", **PLAIN)


async def test_a_port_on_which_nothing_listens(mariadb: MariaDB) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        await expect(mariadb, "connect", "connection_refused", ("/host", "/port"), host="127.0.0.1", port=port)


async def test_a_host_that_does_not_exist(mariadb: MariaDB) -> None:
    await expect(mariadb, "resolve", "host_not_found", ("/host",), host="no-such-host.invalid")


@pytest.mark.parametrize("which", ["none", "another's"])
async def test_a_certificate_by_an_unknown_authority(mariadb: MariaDB, which: str) -> None:
    authority = mariadb.certificates.other_ca if which == "another's" else None

    await expect(mariadb, "tls", "certificate_untrusted", TLS, ca_certificate=authority)


async def test_a_damaged_ca_certificate(mariadb: MariaDB) -> None:
    damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

    await expect(mariadb, "tls", "certificate_untrusted", ("/ca_certificate",), hint="damaged", ca_certificate=damaged)


@pytest.mark.parametrize(
    ("which", "code"),
    [
        ("expired", "certificate_expired"),
        ("not_yet_valid", "certificate_not_yet_valid"),
        ("other_name", "certificate_name_mismatch"),
        ("self_signed", "certificate_self_signed"),
        ("untrusted", "certificate_untrusted"),
    ],
)
async def test_a_certificate_with_a_fault(mariadb: MariaDB, which: str, code: str) -> None:
    with mariadb.showing(getattr(mariadb.certificates, which)):
        await expect(mariadb, "tls", code, TLS)


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca"])
async def test_a_certificate_that_expires_soon_is_warned_about(mariadb: MariaDB, mode: str) -> None:
    with mariadb.showing(mariadb.certificates.expires_soon):
        result = await run(mariadb, tls_mode=mode)

    assert result.success
    [warning] = result.warnings
    assert (warning.name, warning.code) == ("tls", "certificate_expires_soon")
    assert (warning.message or "").startswith("The server's certificate expires in 10 days.")
    assert (CODES["tls_unverified"].title in (warning.message or "")) == (mode == "verify-ca")


async def test_a_name_is_not_checked_where_only_the_authority_is(mariadb: MariaDB) -> None:
    with mariadb.showing(mariadb.certificates.other_name):
        assert (await run(mariadb, tls_mode="verify-ca")).status == "warning"


async def test_a_client_certificate_logs_in_without_a_password(mariadb: MariaDB) -> None:
    client = mariadb.certificates.client
    shown = {"client_certificate": client.certificate, "client_key": client.key}

    assert (await run(mariadb, username="cert_user", password=None, **shown)).status == "passed"
    await expect(mariadb, "authenticate", "password_missing", LOGIN, username="cert_user", password=None)


async def test_a_client_certificate_of_a_stranger_is_named(mariadb: MariaDB) -> None:
    client = mariadb.certificates.untrusted_client
    shown = {"client_certificate": client.certificate, "client_key": client.key}
    fields = (*LOGIN, "/client_certificate", "/client_key")

    await expect(mariadb, "authenticate", "client_certificate_invalid", fields, username="cert_user", **shown)


PASSWORDS = [
    "pässwörd",
    "пароль🎉",
    "e\u0301 is not \u00e9",
    "a\u00a0b\u00adc",
    "' \" \\ % @ : / ?",
    " spaces ",
    "x" * 300,
]


@pytest.mark.parametrize("password", PASSWORDS)
async def test_M_08_any_password_logs_in(mariadb: MariaDB, password: str) -> None:
    with mariadb.a_user(password) as name:
        assert (await run(mariadb, **_login(name, password), **PLAIN)).success
        await expect(mariadb, "authenticate", "auth_failed", LOGIN, **_login(name, password + "x"))


async def test_a_name_beyond_ascii_logs_in(mariadb: MariaDB) -> None:
    mariadb.run(
        "CREATE DATABASE `läden`", "CREATE USER `müller` IDENTIFIED BY 'x'", "GRANT SELECT ON `läden`.* TO `müller`"
    )
    try:
        assert (await run(mariadb, **_login("müller", "x"), database="läden")).status == "passed"
    finally:
        mariadb.run("DROP DATABASE `läden`", "DROP USER `müller`")


async def test_a_way_of_logging_in_that_is_not_supported(mariadb: MariaDB) -> None:
    mariadb.run("INSTALL SONAME 'auth_ed25519'")
    with mariadb.a_user("secret one", identified="VIA ed25519 USING PASSWORD('secret one')") as name:
        await expect(mariadb, "authenticate", "auth_method_unsupported", LOGIN, **_login(name))


async def test_the_old_way_of_hashing_is_not_supported(mariadb: MariaDB) -> None:
    await expect(mariadb, "authenticate", "auth_method_unsupported", LOGIN, username="old_user", password="password")


@pytest.mark.parametrize(("username", "database"), [("writer", "shop"), ("caller", "shop")])
async def test_a_user_who_may_read_nothing_is_warned(mariadb: MariaDB, username: str, database: str) -> None:
    result = await run(mariadb, username=username, database=database)

    assert result.success
    assert (last(result).code, last(result).fields) == ("nothing_readable", ("/username",))
    assert "GRANT SELECT" in (last(result).hint or "")
    assert result.details["readable"] == 0


async def test_an_empty_database_is_no_reason_for_a_warning(mariadb: MariaDB) -> None:
    result = await run(mariadb, username="caller", database="empty")

    assert result.status == "passed"
    assert result.details["tables_and_views"] == 0


async def test_what_may_be_read_by_a_role_counts(mariadb: MariaDB) -> None:
    result = await run(mariadb, username="by_role")

    assert result.status == "passed"
    assert result.details["readable"] == 3


class Writing(wellhead.Validator[MysqlDataSource]):
    """Logs in as the type's own validator does, and tries to write."""

    async def validate(self, config: MysqlDataSource, context: wellhead.ValidationContext) -> None:
        import wellhead_mysql

        look = wellhead_mysql.look_for_tables

        async def look_closer(connection: Any, context: wellhead.ValidationContext) -> None:
            seconds, _ = await connection.first_row("SELECT @@max_statement_time, CONNECTION_ID()")
            context.detail("seconds", float(seconds))
            with pytest.raises(Exception) as caught:  # noqa: PT011
                await connection.query("INSERT INTO salaries VALUES (1, 1)")
            context.detail("error", caught.value.args[0])
            await look(connection, context)

        wellhead_mysql.look_for_tables = look_closer  # this process is the validation's own
        await wellhead_mysql.MysqlValidator().validate(config, context)


async def test_the_check_cannot_write_and_limits_its_time(mariadb: MariaDB) -> None:
    one = wellhead.DataSourceType(MysqlDataSource, Writing, errors=ERRORS)

    result = await validate(one, a_config(mariadb))

    assert result.status == "passed"
    assert 0 < result.details["seconds"] <= 10
    assert result.details["error"] == 1792  # ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION


class Looking(wellhead.Validator[MysqlDataSource]):
    """Looks what the driver would tell the server."""

    async def validate(self, config: MysqlDataSource, context: wellhead.ValidationContext) -> None:
        from wellhead_mysql.login import GuardedConnection

        connection = GuardedConnection(await context.connect(config.host, config.port), config)
        context.detail("user", connection.user)
        context.detail("attributes", [f"{name}={value}" for name, value in connection._connect_attrs.items()])


async def test_M_11_the_server_learns_nothing_of_this_machine(mariadb: MariaDB) -> None:
    result = await validate(wellhead.DataSourceType(MysqlDataSource, Looking), a_config(mariadb))

    assert result.details == {"user": "reader", "attributes": ["program_name=wellhead"]}


@pytest.fixture
def surroundings(mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Surroundings in which all is wrong but the password; the keys of no TLS session are written there."""
    (tmp_path / ".my.cnf").write_text(f"[client]\nuser=free\npassword={mariadb.password}\nsocket=/nowhere\nport=1\n")
    key_log = tmp_path / "keys.log"
    wrong = {"MYSQL_HOST": "no-such-host.invalid", "MYSQL_TCP_PORT": "1", "MYSQL_PWD": mariadb.password}
    for name, value in (wrong | {"HOME": str(tmp_path), "USER": "free", "SSLKEYLOGFILE": str(key_log)}).items():
        monkeypatch.setenv(name, value)
    yield
    assert not key_log.exists()


@pytest.mark.usefixtures("surroundings")
async def test_M_07_nothing_of_the_surroundings_comes_in(mariadb: MariaDB) -> None:
    assert (await run(mariadb)).status == "passed"
    assert last(await run(mariadb, password=None)).code == "password_missing"


@pytest.mark.usefixtures("surroundings")
async def test_M_07_the_driver_takes_nothing_from_where_it_runs(mariadb: MariaDB) -> None:
    async with logged_in_here(a_config(mariadb, **PLAIN)) as connection:
        [user] = await connection.first_row("SELECT CURRENT_USER()")
        assert user.startswith("reader@")

    with pytest.raises(wellhead.CheckFailedError) as refused:
        await logged_in_here(a_config(mariadb, **PLAIN, password=None)).__aenter__()
    assert refused.value.check_code == "password_missing"


@contextlib.asynccontextmanager
async def logged_in_here(config: MysqlDataSource) -> AsyncIterator[Any]:
    """Log in from this process, which has an environment and a home."""
    from wellhead_mysql import login

    stream = await dial(await resolve(config.host, config.port, LOCAL), seconds=5)
    try:
        connection = login.GuardedConnection(stream, config)
        await connection.read_greeting()
        await connection.log_in(may_send_clear=False)
        yield connection
    finally:
        stream.close()
        await asyncio.sleep(0)  # in which it is closed


@pytest.mark.parametrize("host", ["/var/run/mysqld/mysqld.sock", "@abstract", "a,b"])
def test_M_07_a_host_is_no_unix_socket(host: str) -> None:
    with pytest.raises(ValueError, match="host_syntax"):
        MysqlDataSource(name="a", host=host, database="d", username="u")


@pytest.mark.parametrize(
    "name",
    ["sql_mode", "init_command", "read_default_file", "unix_socket", "local_infile", "client_flag", "auth_plugin"],
)
def test_M_06_m_07_what_would_reach_the_driver_is_no_field(name: str) -> None:
    assert name not in MysqlDataSource.model_fields
    with pytest.raises(ValueError, match="extra_forbidden"):
        MysqlDataSource(name="a", host="h", database="d", username="u", **{name: "x"})


def test_M_11_a_user_is_required() -> None:
    with pytest.raises(ValueError, match="username"):
        MysqlDataSource(name="a", host="h", database="d")  # type: ignore[call-arg]


@pytest.mark.parametrize("field", ["database", "username"])
def test_M_06_control_characters_do_not_reach_the_login(field: str) -> None:
    with pytest.raises(ValueError, match="control_character"):
        MysqlDataSource(**({"name": "a", "host": "h", "database": "d", "username": "u"} | {field: "shop\0evil"}))


async def test_no_check_holds_a_password_or_a_text_of_the_server(mariadb: MariaDB, canary: Canary) -> None:
    password = canary.secret()

    for username in ("reader", "free", "locked", "tls_user", "ghost"):
        text = str((await run(mariadb, username=username, password=password)).as_document())
        canary.saw(text)
        assert "Access denied" not in text


def test_every_error_has_a_code_of_the_catalogue() -> None:
    assert set(ERRORS.values()) <= CODES.keys()


def test_the_defaults_are_the_safe_ones() -> None:
    config = MysqlDataSource(name="a", host="h", database="d", username="u")

    assert (config.port, config.tls_mode) == (3306, "verify-full")


@pytest.mark.parametrize(
    ("written", "mode"),
    [
        ("DISABLED", "disable"),
        ("REQUIRED", "require"),
        ("VERIFY_CA", "verify-ca"),
        ("VERIFY_IDENTITY", "verify-full"),
        ("verify_identity", "verify-full"),
    ],
)
@pytest.mark.parametrize("scheme", ["mysql", "mariadb"])
def test_a_connection_string_says_the_tls_mode_as_mysql_writes_it(scheme: str, written: str, mode: str) -> None:
    fields = MysqlDataSource.expand_input({"connection_string": f"{scheme}://u:p@h:3307/d?ssl-mode={written}"})

    assert fields == {
        "username": "u", "password": "p", "host": "h", "port": 3307, "database": "d", "tls_mode": mode
    }  # fmt: skip


@pytest.mark.parametrize("written", ["PREFERRED", "preferred"])
def test_a_connection_string_that_falls_back_to_clear_text_is_refused_with_a_hint(written: str) -> None:
    with pytest.raises(ConnectionStringError) as caught:
        MysqlDataSource.expand_input({"connection_string": f"mysql://u@h/d?ssl-mode={written}"})

    assert "falls back to clear text" in (caught.value.problems[0].hint or "")
    assert "VERIFY_IDENTITY" in (caught.value.problems[0].hint or "")


@pytest.mark.parametrize(
    "query", ["init_command=x", "sql_mode=x", "unix_socket=/x", "read_default_file=/x", "local_infile=1"]
)
def test_M_06_m_07_a_connection_string_knows_no_other_option(query: str) -> None:
    with pytest.raises(ConnectionStringError) as caught:
        MysqlDataSource.expand_input({"connection_string": f"mysql://u@h/d?{query}"})

    assert "ssl-mode" in (caught.value.problems[0].hint or "")
