"""The type `postgres` against a real PostgreSQL: everything that can be wrong, and what is said about it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import wellhead
from support.canary import Canary
from support.postgres import Postgres
from support.validating import LOCAL, last, outcomes, validate
from wellhead.codes import CODES
from wellhead.guard.network import dial, resolve
from wellhead.model.result import ValidationResult
from wellhead_postgres import ERRORS, PostgresDataSource, wellhead_data_source_types

pytestmark = pytest.mark.anyio

[POSTGRES] = wellhead_data_source_types()
WELL = [("resolve", "passed", None), ("connect", "passed", None)]
LOGIN = ("/username", "/password", "/database")


def a_config(server: Postgres, **changes: Any) -> PostgresDataSource:
    """Make a configuration that works, with changes."""
    fields: dict[str, Any] = {
        "name": "shop",
        "host": "localhost",
        "port": server.port,
        "database": "shop",
        "username": "reader",
        "password": server.password,
        "tls_mode": "verify-full" if server.has_tls else "disable",
        "ca_certificate": server.certificates.ca if server.has_tls else None,
    }
    return PostgresDataSource(**(fields | changes))


async def run(server: Postgres, **changes: Any) -> ValidationResult:
    """Validate a configuration that works but for the changes."""
    return await validate(POSTGRES, a_config(server, **changes))


def plain(**changes: Any) -> dict[str, Any]:
    """Return the changes for a connection without TLS."""
    return {"tls_mode": "disable", "ca_certificate": None, **changes}


async def expect(
    server: Postgres, check: str, code: str, fields: tuple[str, ...], *, hint: str | None = None, **changes: Any
) -> None:
    """Validate, and claim which check failed and what it said."""
    result = await run(server, **changes)
    failed = last(result)
    assert (failed.name, failed.status, failed.code, failed.fields) == (check, "failed", code, fields)
    assert result.status == "failed"
    assert not result.success
    assert failed.message == CODES[code].title
    assert (hint or CODES[code].remedy) in (failed.hint or "")
    assert [one.name for one in result.checks if one.status == "skipped"] == _after(check)


def _after(check: str) -> list[str]:
    steps = ["resolve", "connect", "tls", "authenticate", "query", "permissions"]
    return steps[steps.index(check) + 1 :]


async def test_a_good_configuration_passes_every_check(postgres_with_tls: Postgres) -> None:
    result = await run(postgres_with_tls)

    assert result.status == "passed"
    assert [check.name for check in result.checks] == ["secrets", "resolve", *_after("resolve")]
    assert all(check.status == "passed" for check in result.checks)
    assert result.details == {
        "tls_version": "TLSv1.3",
        "server_version": result.details["server_version"],
        "read_only_replica": False,
        "tables_and_views": 3,
        "readable": 2,
    }
    assert result.details["server_version"].split(".")[0].isdigit()


async def test_the_address_of_the_server_may_be_an_ip_address(postgres_with_tls: Postgres) -> None:
    assert (await run(postgres_with_tls, host="127.0.0.1")).status == "passed"


async def test_N_26_without_tls_it_works_with_a_warning(postgres: Postgres) -> None:
    result = await run(postgres, **plain())

    assert (result.status, result.success) == ("warning", True)
    assert [(check.name, check.code) for check in result.warnings] == [("tls", "tls_disabled")]
    assert result.warnings[0].fields == ("/tls_mode", "/host")


@pytest.mark.parametrize("mode", ["require", "verify-ca"])
async def test_N_26_weaker_tls_works_with_a_warning(postgres_with_tls: Postgres, mode: str) -> None:
    without_ca = {"ca_certificate": None} if mode == "require" else {}

    result = await run(postgres_with_tls, tls_mode=mode, **without_ca)

    assert result.status == "warning"
    assert [check.code for check in result.warnings] == ["tls_unverified"]


def test_N_26_the_certificate_and_the_name_are_checked_unless_said_otherwise() -> None:
    config = PostgresDataSource(name="a", host="h", database="d", username="u")

    assert config.tls_mode == "verify-full"


async def test_a_wrong_password_is_named(postgres: Postgres) -> None:
    await expect(postgres, "authenticate", "auth_failed", LOGIN, password="not it")


async def test_a_user_who_does_not_exist_looks_like_a_wrong_password(postgres: Postgres) -> None:
    await expect(postgres, "authenticate", "auth_failed", LOGIN, username="ghost")


async def test_a_password_that_has_lapsed_is_refused(postgres: Postgres) -> None:
    await expect(postgres, "authenticate", "auth_failed", LOGIN, username="lapsed")


@pytest.mark.parametrize("username", ["stranger", "rejected", "cannot_log_in"])
async def test_a_user_whom_the_access_rules_do_not_know_is_not_permitted(
    postgres_with_tls: Postgres, username: str
) -> None:
    await expect(postgres_with_tls, "authenticate", "login_not_permitted", LOGIN, username=username)


async def test_an_unknown_database_is_named(postgres: Postgres) -> None:
    await expect(postgres, "authenticate", "database_not_found", LOGIN, database="shopp")


async def test_a_database_that_the_user_may_not_connect_to(postgres: Postgres) -> None:
    await expect(postgres, "authenticate", "permission_denied", LOGIN, database="closed", hint="GRANT CONNECT")


async def test_a_database_that_takes_no_connections(postgres: Postgres) -> None:
    postgres.run("ALTER DATABASE empty ALLOW_CONNECTIONS false")
    try:
        await expect(postgres, "authenticate", "database_unavailable", LOGIN, database="empty")
    finally:
        postgres.run("ALTER DATABASE empty ALLOW_CONNECTIONS true")


async def test_a_user_who_has_no_connection_left(postgres: Postgres) -> None:
    await expect(postgres, "authenticate", "too_many_connections", LOGIN, username="crowded")


async def test_no_password_where_one_is_wanted(postgres: Postgres) -> None:
    await expect(postgres, "authenticate", "password_missing", LOGIN, password=None)


async def test_a_user_who_needs_no_password(postgres: Postgres) -> None:
    result = await run(postgres, username="trusted", password=None)

    assert result.success
    assert result.checks[0].name == "resolve"


async def test_a_port_on_which_nothing_listens(postgres: Postgres) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        await expect(
            postgres,
            "connect",
            "connection_refused",
            ("/host", "/port"),
            host="127.0.0.1",
            port=unused.getsockname()[1],
        )


async def test_a_host_that_does_not_exist(postgres: Postgres) -> None:
    await expect(postgres, "resolve", "host_not_found", ("/host",), host="no-such-host.invalid")


@pytest.mark.parametrize("host", ["169.254.169.254", "metadata.google.internal", "fe80::1", "::ffff:169.254.169.254"])
async def test_N_05_metadata_services_are_never_dialled(postgres: Postgres, host: str) -> None:
    await expect(postgres, "resolve", "destination_rejected", ("/host",), host=host)


async def test_a_certificate_by_an_unknown_authority(postgres_with_tls: Postgres) -> None:
    await expect(
        postgres_with_tls,
        "tls",
        "certificate_untrusted",
        ("/tls_mode", "/host"),
        ca_certificate=postgres_with_tls.certificates.other_ca,
    )


async def test_a_certificate_by_a_private_authority_is_not_trusted_by_itself(postgres_with_tls: Postgres) -> None:
    await expect(postgres_with_tls, "tls", "certificate_untrusted", ("/tls_mode", "/host"), ca_certificate=None)


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
async def test_a_certificate_with_a_fault(postgres_with_tls: Postgres, which: str, code: str) -> None:
    with changed_certificate(postgres_with_tls, which):
        await expect(postgres_with_tls, "tls", code, ("/tls_mode", "/host"))


async def test_a_certificate_for_another_name_is_enough_where_the_name_is_not_checked(
    postgres_with_tls: Postgres,
) -> None:
    with changed_certificate(postgres_with_tls, "other_name"):
        assert (await run(postgres_with_tls, tls_mode="verify-ca")).status == "warning"


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca"])
async def test_a_certificate_that_expires_soon_is_warned_about(postgres_with_tls: Postgres, mode: str) -> None:
    with changed_certificate(postgres_with_tls, "expires_soon"):
        result = await run(postgres_with_tls, tls_mode=mode)

    assert result.success
    [warning] = result.warnings
    assert (warning.name, warning.code) == ("tls", "certificate_expires_soon")
    assert (warning.message or "").startswith("The server's certificate expires in 10 days.")
    assert (CODES["tls_unverified"].title in (warning.message or "")) == (mode == "verify-ca")


async def test_a_certificate_that_is_not_checked_may_expire(postgres_with_tls: Postgres) -> None:
    with changed_certificate(postgres_with_tls, "expires_soon"):
        result = await run(postgres_with_tls, tls_mode="require", ca_certificate=None)

    assert [check.code for check in result.warnings] == ["tls_unverified"]


def changed_certificate(server: Postgres, which: str) -> Any:
    """Let the server show another certificate."""
    return server.showing(getattr(server.certificates, which))


async def test_a_damaged_ca_certificate(postgres: Postgres) -> None:
    damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

    await expect(
        postgres,
        "tls",
        "certificate_untrusted",
        ("/ca_certificate",),
        tls_mode="verify-full",
        ca_certificate=damaged,
        hint="The text in 'ca_certificate' is damaged.",
    )


async def test_a_client_certificate_logs_in_without_a_password(postgres_with_tls: Postgres) -> None:
    client = postgres_with_tls.certificates.client

    result = await run(
        postgres_with_tls,
        username="cert_user",
        password=None,
        client_certificate=client.certificate,
        client_key=client.key,
    )

    assert result.status == "passed"


async def test_a_client_certificate_of_a_stranger_is_named(postgres_with_tls: Postgres) -> None:
    client = postgres_with_tls.certificates.untrusted_client

    await expect(
        postgres_with_tls,
        "authenticate",
        "client_certificate_invalid",
        (*LOGIN, "/client_certificate", "/client_key"),
        username="cert_user",
        client_certificate=client.certificate,
        client_key=client.key,
    )


async def test_a_client_certificate_for_another_user(postgres_with_tls: Postgres) -> None:
    client = postgres_with_tls.certificates.server

    await expect(
        postgres_with_tls,
        "authenticate",
        "login_not_permitted",
        (*LOGIN, "/client_certificate", "/client_key"),
        username="cert_user",
        client_certificate=client.certificate,
        client_key=client.key,
    )


async def test_a_client_key_that_does_not_belong_to_the_certificate(postgres: Postgres) -> None:
    certificates = postgres.certificates

    await expect(
        postgres,
        "tls",
        "client_certificate_invalid",
        ("/client_certificate", "/client_key"),
        tls_mode="verify-full",
        ca_certificate=certificates.ca,
        client_certificate=certificates.client.certificate,
        client_key=certificates.server.key,
    )


async def test_P_07_a_password_in_clear_text_is_refused_without_tls(postgres: Postgres) -> None:
    await expect(postgres, "authenticate", "cleartext_password_refused", LOGIN, **plain(username="clear_user"))


async def test_P_07_a_password_in_clear_text_is_refused_where_the_certificate_is_not_checked(
    postgres_with_tls: Postgres,
) -> None:
    changes = {"username": "clear_user", "tls_mode": "require", "ca_certificate": None}

    await expect(postgres_with_tls, "authenticate", "cleartext_password_refused", LOGIN, **changes)


async def test_P_07_a_password_in_clear_text_is_sent_where_the_certificate_is_checked(
    postgres_with_tls: Postgres,
) -> None:
    assert (await run(postgres_with_tls, username="clear_user")).status == "passed"
    await expect(postgres_with_tls, "authenticate", "auth_failed", LOGIN, username="clear_user", password="not it")


async def test_an_md5_password_works(postgres: Postgres) -> None:
    assert (await run(postgres, username="md5_user")).success
    await expect(postgres, "authenticate", "auth_failed", LOGIN, username="md5_user", password="not it")


async def test_a_server_that_wants_tls_is_told_from_one_that_wants_another_user(postgres_with_tls: Postgres) -> None:
    await expect(
        postgres_with_tls, "authenticate", "tls_required", ("/tls_mode", "/username"), **plain(username="tls_user")
    )
    assert (await run(postgres_with_tls, username="tls_user")).status == "passed"


async def test_asking_whether_there_is_tls_records_no_checks_of_its_own(postgres_with_tls: Postgres) -> None:
    result = await run(postgres_with_tls, **plain(username="tls_user"))

    assert outcomes(result) == [
        ("secrets", "passed", None),
        *WELL,
        ("tls", "warning", "tls_disabled"),
        ("authenticate", "failed", "tls_required"),
    ]


async def test_a_user_who_may_read_nothing_is_warned(postgres: Postgres) -> None:
    result = await run(postgres, username="nothing")

    assert result.success
    assert (last(result).name, last(result).code, last(result).fields) == (
        "permissions",
        "nothing_readable",
        ("/username",),
    )
    assert "GRANT SELECT ON ALL TABLES IN SCHEMA <schema> TO <user>" in (last(result).hint or "")
    assert result.details["readable"] == 0


async def test_tables_in_a_schema_that_the_user_may_not_use_are_not_readable(postgres: Postgres) -> None:
    postgres.run(
        "CREATE SCHEMA hidden; CREATE TABLE hidden.t (id int); GRANT SELECT ON hidden.t TO nothing", database="shop"
    )
    try:
        result = await run(postgres, username="nothing")
    finally:
        postgres.run("DROP SCHEMA hidden CASCADE; SELECT 1", database="shop")

    assert (last(result).code, result.details["readable"]) == ("nothing_readable", 0)


async def test_an_empty_database_is_no_reason_for_a_warning(postgres: Postgres) -> None:
    result = await run(postgres, username="nothing", database="empty")

    assert last(result).status == "passed"
    assert result.details["tables_and_views"] == 0


PASSWORDS = [
    "p@ss:w/rd#?%40",
    "pässwörd",
    "пароль🎉",
    "e\u0301 is not \u00e9",
    "a\u00a0b\u00adc",
    "\u2168",
    "\u06271",
    "' \" \\ % @ : / ?",
    " spaces ",
    "x" * 500,
]


@pytest.mark.parametrize("password", PASSWORDS)
async def test_P_03_any_password_logs_in(postgres: Postgres, password: str) -> None:
    username = postgres.make_user(password)

    assert (await run(postgres, username=username, password=password)).success


@pytest.mark.parametrize("name", ["server_settings", "options", "role", "search_path", "session_preload_libraries"])
def test_P_04_no_setting_of_the_session_can_be_configured(name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        PostgresDataSource.model_validate({"name": "n", "host": "h", "database": "d", "username": "u", name: "x"})
    assert [(item["type"], item["loc"]) for item in refused.value.errors()] == [("extra_forbidden", (name,))]


async def test_md5_takes_passwords_beyond_ascii(postgres: Postgres) -> None:
    postgres.run("SET password_encryption = 'md5'; ALTER ROLE md5_user PASSWORD 'pässwörd'")
    try:
        assert (await run(postgres, username="md5_user", password="pässwörd")).success
    finally:
        postgres.run(f"SET password_encryption = 'md5'; ALTER ROLE md5_user PASSWORD '{postgres.password}'")


@pytest.fixture
def surroundings(postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Surroundings in which all is wrong but the password; the keys of no TLS session are written there."""
    home = tmp_path / "home"
    (home / ".postgresql").mkdir(parents=True)
    for name in ("postgresql.crt", "postgresql.key", "root.crt", "root.crl"):
        (home / ".postgresql" / name).write_text("rubbish")
    (home / ".pgpass").write_text(f"*:*:*:*:{postgres.password}\n")
    (home / ".pgpass").chmod(0o600)
    key_log = tmp_path / "keys.log"
    wrong = {
        "PGHOST": "no-such-host.invalid", "PGPORT": "1", "PGUSER": "nobody", "PGPASSWORD": postgres.password,
        "PGDATABASE": "empty", "PGSSLMODE": "disable", "PGSSLROOTCERT": "/nowhere", "PGPASSFILE": str(home / ".pgpass"),
        "PGSERVICE": "other", "PGTARGETSESSIONATTRS": "standby", "PGOPTIONS": "-c nonsense=1", "PGKRBSRVNAME": "x",
        "HOME": str(home), "SSLKEYLOGFILE": str(key_log),
    }  # fmt: skip
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    yield
    assert not key_log.exists()


@pytest.mark.usefixtures("surroundings")
async def test_P_05_and_P_06_and_N_27_nothing_of_the_surroundings_comes_in(postgres: Postgres) -> None:
    result = await run(postgres)
    without_password = await run(postgres, password=None)

    assert result.success
    assert result.details["tables_and_views"] == 3
    assert last(without_password).code == "password_missing"


@pytest.mark.usefixtures("surroundings")
async def test_P_05_the_driver_takes_nothing_from_where_it_runs(postgres: Postgres) -> None:
    async with logged_in_here(a_config(postgres, **plain())) as connection:
        assert await connection.fetchrow("SELECT current_user, current_database()") == ("reader", "shop")

    with pytest.raises(wellhead.CheckFailedError) as refused:
        await logged_in_here(a_config(postgres, **plain(password=None))).__aenter__()
    assert refused.value.check_code == "password_missing"


@contextlib.asynccontextmanager
async def logged_in_here(config: PostgresDataSource) -> AsyncIterator[Any]:
    """Log in from this process, which has an environment and a home."""
    from wellhead_postgres import login

    stream = await dial(await resolve(config.host, config.port, LOCAL), seconds=5)
    try:
        yield await login.log_in(stream, config, application_name="wellhead")
    finally:
        stream.close()
        await asyncio.sleep(0)  # in which it is closed


async def test_P_10_the_check_cannot_write(postgres: Postgres) -> None:
    from wellhead_postgres import READ_ONLY, login

    seen = {}

    class Context:
        def detail(self, name: str, value: object) -> None:
            seen[name] = value

    import asyncpg

    from wellhead_postgres import look_around

    connection = await asyncpg.connect(
        host="127.0.0.1", port=postgres.port, user="trusted", database="shop", password="x", ssl=False
    )
    await look_around(connection, Context())  # type: ignore[arg-type]
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await connection.execute("CREATE TEMP TABLE t AS SELECT 1; CREATE TABLE x (a int)")
    await login.log_out(connection)
    assert "READ ONLY" in READ_ONLY
    assert seen["read_only_replica"] is False


async def test_P_01_control_characters_do_not_reach_the_startup_message() -> None:
    for field in ("host", "database", "username", "application_name"):
        values = {"host": "h", "database": "d", "username": "u", field: "postgres\0user\0evil"}
        with pytest.raises(ValueError, match=r"control_character|host_syntax"):
            PostgresDataSource(name="a", **values)


def test_N_10_a_host_is_no_unix_socket() -> None:
    for host in ("/var/run/postgresql", "@abstract", ".s.PGSQL.5432", "a,b"):
        with pytest.raises(ValueError, match="host_syntax"):
            PostgresDataSource(name="a", host=host, database="d", username="u")


async def test_L_10_no_check_holds_a_password_or_a_text_of_the_server(postgres: Postgres, canary: Canary) -> None:
    password = canary.secret()

    for username in ("reader", "clear_user", "rejected", "md5_user", "ghost"):
        result = await run(postgres, username=username, password=password)
        text = str(result.as_document())
        canary.saw(text)
        assert "pg_hba" not in text.replace(CODES["login_not_permitted"].cause, "")
        assert "password authentication failed" not in text


class Looking(wellhead.Validator[PostgresDataSource]):
    """Asks the server what it has been told."""

    async def validate(self, config: PostgresDataSource, context: wellhead.ValidationContext) -> None:
        from wellhead_postgres import login

        stream = await context.connect(config.host, config.port)
        connection = await login.log_in(stream, config, application_name=config.application_name)
        context.detail("seen", await connection.fetchval("SELECT current_setting('application_name')"))
        await login.log_out(connection)


async def test_the_server_sees_the_application_name_and_no_user_of_this_machine(postgres: Postgres) -> None:
    one = wellhead.DataSourceType(PostgresDataSource, Looking, errors=ERRORS)

    result = await validate(one, a_config(postgres, **plain(application_name="Müller's app")))

    assert result.details["seen"] in ("M\\xc3\\xbcller's app", "M??ller's app")  # as old and new servers write it
