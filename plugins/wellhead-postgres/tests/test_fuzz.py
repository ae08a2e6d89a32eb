"""Conversations of a real PostgreSQL, with changes: only listed codes, by the deadline, and nothing gets out."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import pytest

import wellhead_postgres
from support.canary import Canary
from support.fuzzing import DEADLINE, Claims, withstand
from support.postgres import Postgres
from support.validating import last, validate
from wellhead.model.result import ValidationResult
from wellhead.testing import mutations, servers
from wellhead_postgres import PostgresDataSource, login, wellhead_data_source_types

pytestmark = pytest.mark.anyio

[POSTGRES] = wellhead_data_source_types()
USERS = ["md5_user", "reader", "trusted", "nobody"]
OWN_TEXTS = inspect.getsource(wellhead_postgres) + inspect.getsource(login)


async def run(port: int, user: str, password: str, *, seconds: float = DEADLINE) -> ValidationResult:
    fields = {"host": "127.0.0.1", "database": "shop", "tls_mode": "disable"}
    config = PostgresDataSource(name="a", port=port, username=user, password=password, **fields)
    return await validate(POSTGRES, config, timeout=seconds)


async def recorded(postgres: Postgres, user: str) -> list[servers.Turn]:
    """Record how a user logs in and is shown around, or is refused."""
    with servers.recording(postgres.port) as server:
        await run(server.port, user, postgres.password, seconds=20)
    return server.turns


async def test_a_conversation_that_is_not_changed_passes(postgres: Postgres, canary: Canary) -> None:
    """This shows that the changed ones get as far as the validator does."""
    with servers.replaying(await recorded(postgres, "md5_user")) as server:
        result = await run(server.port, "md5_user", canary.plain_secret(), seconds=20)

    assert result.success, result
    assert (last(result).name, result.details["readable"]) == ("permissions", 2)


@pytest.mark.parametrize("user", USERS)
async def test_P_09_changed_conversations_give_only_listed_codes(
    user: str, postgres: Postgres, canary: Canary, caplog: pytest.LogCaptureFixture
) -> None:
    codes = await fuzz(await recorded(postgres, user), user, canary, count=80)

    assert {"protocol_error", "deadline"} <= codes
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]


@pytest.mark.slow
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("seed", range(1, 3))
async def test_P_09_thousands_of_changed_conversations_give_only_listed_codes(
    seed: int, user: str, postgres: Postgres, canary: Canary
) -> None:
    await fuzz(await recorded(postgres, user), user, canary, count=300, seed=seed)


async def fuzz(turns: Sequence[servers.Turn], user: str, canary: Canary, *, count: int, seed: int = 0) -> set[str]:
    password = canary.plain_secret()
    changed = mutations.of_conversation(turns, count, seed=seed, framing=mutations.POSTGRES)
    claims = Claims(canary, hides_login=True, own_texts=OWN_TEXTS)
    return await withstand(changed, lambda port: run(port, user, password), claims)
