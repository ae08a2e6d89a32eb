"""Good answers over HTTP, with changes: only listed codes, by the deadline, and nothing gets out."""

from __future__ import annotations

import inspect

import pytest

import wellhead_api
from support.canary import Canary
from support.fuzzing import DEADLINE, Claims, withstand
from support.validating import last, validate
from wellhead.model.result import ValidationResult
from wellhead.testing import mutations, servers
from wellhead_api import ApiDataSource, answers, exchange, wellhead_data_source_types

pytestmark = pytest.mark.anyio

[API] = wellhead_data_source_types()
OWN_TEXTS = "".join(map(inspect.getsource, (wellhead_api, answers, exchange)))
GRANT = {"access_token": "granted-token", "token_type": "Bearer", "expires_in": 3600}
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nServer: Apache/2.4.62\r\nContent-Type: application/json; charset=utf-8\r\n"
    b"Set-Cookie: session=1234567890; Path=/; HttpOnly\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'a;name=extension\r\n{"status":\r\n6\r\n "up"}\r\n0\r\nX-Trailer: trailing-value\r\n\r\n'
)
ANSWERS = {
    "json": servers.Answer(GRANT, headers={"Server": "nginx/1.27.2"}).encode(),
    "chunks": CHUNKED,
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" + servers.Answer(GRANT).encode(),
    "redirect": servers.Answer("moved-for-good", 308, {"Location": "https://www.example.com/elsewhere"}).encode(),
    "refusal": servers.Answer({"detail": "no-such-password"}, 401, {"WWW-Authenticate": "Basic realm=wonder"}).encode(),
}


async def run(port: int, secret: str, *, seconds: float = DEADLINE) -> ValidationResult:
    url = f"http://127.0.0.1:{port}/v1"
    oauth = {"auth_type": "oauth2_client_credentials", "token_url": url, "client_id": "me", "client_secret": secret}
    return await validate(API, ApiDataSource(name="a", url=url, expected_json=True, **oauth), timeout=seconds)


def conversation(kind: str) -> list[servers.Turn]:
    return [servers.Turn(1, ANSWERS[kind])]


async def test_an_answer_that_is_not_changed_passes(canary: Canary) -> None:
    """This shows that the changed ones get as far as the validator does."""
    with servers.replaying(conversation("json")) as server:
        result = await run(server.port, canary.plain_secret(), seconds=20)

    assert result.success, result
    assert last(result).name == "response"


@pytest.mark.parametrize("kind", ANSWERS)
async def test_H_07_changed_answers_give_only_listed_codes(
    kind: str, canary: Canary, caplog: pytest.LogCaptureFixture
) -> None:
    codes = await fuzz(kind, canary, count=80)

    assert {"protocol_error", "deadline"} <= codes
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("seed", range(1, 3))
async def test_H_07_thousands_of_changed_answers_give_only_listed_codes(seed: int, kind: str, canary: Canary) -> None:
    await fuzz(kind, canary, count=300, seed=seed)


async def fuzz(kind: str, canary: Canary, *, count: int, seed: int = 0) -> set[str]:
    secret = canary.plain_secret()
    changed = mutations.of_conversation(conversation(kind), count, seed=seed)
    claims = Claims(canary, hides_login=False, own_texts=OWN_TEXTS)
    return await withstand(changed, lambda port: run(port, secret), claims)
