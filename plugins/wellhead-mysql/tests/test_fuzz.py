"""Conversations of a real MariaDB, with changes: only listed codes, by the deadline, and nothing gets out."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import pytest

import wellhead_mysql
from support.canary import Canary
from support.fuzzing import DEADLINE, Claims, withstand
from support.mariadb import MariaDB
from support.validating import last, validate
from wellhead.model.result import ValidationResult
from wellhead.testing import mutations, servers
from wellhead_mysql import MysqlDataSource, login, wellhead_data_source_types

pytestmark = pytest.mark.anyio

[MYSQL] = wellhead_data_source_types()
USERS = ["reader", "by_role", "lapsed", "nobody"]
OWN_TEXTS = inspect.getsource(wellhead_mysql) + inspect.getsource(login)


async def run(port: int, user: str, password: str, *, seconds: float = DEADLINE) -> ValidationResult:
    fields = {"host": "127.0.0.1", "database": "shop", "tls_mode": "disable"}
    config = MysqlDataSource(name="a", port=port, username=user, password=password, **fields)
    return await validate(MYSQL, config, timeout=seconds)


async def recorded(mariadb: MariaDB, user: str) -> list[servers.Turn]:
    """Record how a user logs in and is shown around, or is refused."""
    with servers.recording(mariadb.port) as server:
        await run(server.port, user, mariadb.password, seconds=20)
    return server.turns


async def test_a_conversation_that_is_not_changed_passes(mariadb: MariaDB, canary: Canary) -> None:
    """This shows that the changed ones get as far as the validator does."""
    with servers.replaying(await recorded(mariadb, "reader")) as server:
        result = await run(server.port, "reader", canary.plain_secret(), seconds=20)

    assert result.success, result
    assert (last(result).name, result.details["readable"]) == ("permissions", 2)


@pytest.mark.parametrize("user", USERS)
async def test_M_10_changed_conversations_give_only_listed_codes(
    user: str, mariadb: MariaDB, canary: Canary, caplog: pytest.LogCaptureFixture
) -> None:
    codes = await fuzz(await recorded(mariadb, user), user, canary, count=80)

    assert {"protocol_error", "deadline"} <= codes
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]


@pytest.mark.slow
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("seed", range(1, 3))
async def test_M_10_thousands_of_changed_conversations_give_only_listed_codes(
    seed: int, user: str, mariadb: MariaDB, canary: Canary
) -> None:
    await fuzz(await recorded(mariadb, user), user, canary, count=300, seed=seed)


async def fuzz(turns: Sequence[servers.Turn], user: str, canary: Canary, *, count: int, seed: int = 0) -> set[str]:
    password = canary.plain_secret()
    changed = mutations.of_conversation(turns, count, seed=seed, framing=mutations.MYSQL)
    claims = Claims(canary, hides_login=True, own_texts=OWN_TEXTS)
    return await withstand(changed, lambda port: run(port, user, password), claims)
