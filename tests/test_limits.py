"""Limits: whose actions count for what, in bounded memory; and what HTTP says of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from support.api import SOURCES, api_of, csv_source
from wellhead.access.limits import KINDS, Limits, LocalBuckets
from wellhead.access.policy import PERMITTED
from wellhead.access.principal import Principal
from wellhead.access.rates import Rate
from wellhead.api.live import LiveApp
from wellhead.api.operations import OPERATIONS
from wellhead.assembled import Wellhead
from wellhead.assembly import assemble
from wellhead.errors import SettingsError
from wellhead.parts import limits as limits_of
from wellhead.settings import Settings, load_settings

ANNA, BEN = (Principal(user, "team", "editor") for user in ("anna", "ben"))
NO_ID = "6f0e1f5e-6c3c-4b55-9d39-8f3a52f6f0aa"
pytestmark = pytest.mark.anyio


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def limited(rate: Rate | None, *, clock: Callable[[], float] | None = None, **more: Any) -> Limits:
    buckets = LocalBuckets(monotonic=clock or Clock(), **more)
    return Limits(dict.fromkeys(("read", "write", "validate", "login"), rate), buckets)  # type: ignore[arg-type]  # names


async def permitted(limits: Limits, *arguments: Any) -> bool:
    standing = await limits.take(*arguments)
    return standing is None or not standing.retry_after


async def test_each_user_in_each_workspace_has_a_bucket_for_each_kind_of_action() -> None:
    limits = limited(Rate(1, 60))
    elsewhere = Principal("anna", "other", "editor")
    for kind in ("read", "write", "validate"):
        assert [await permitted(limits, kind, who) for who in (ANNA, ANNA, BEN, elsewhere)] == [True, False, True, True]


async def test_off_is_no_limit() -> None:
    assert await limited(None).take("read", ANNA) is None
    assert await limited(None).take_failed_login("192.0.2.1") is None


async def test_what_was_used_comes_back_evenly() -> None:
    clock = Clock()
    limits = limited(Rate(60, 60), clock=clock)
    for _ in range(60):
        assert await permitted(limits, "read", ANNA)
    clock.now += 1
    assert [await permitted(limits, "read", ANNA) for _ in range(2)] == [True, False]


async def test_R_04_memory_is_bounded_and_the_one_that_rests_longest_is_forgotten() -> None:
    buckets = LocalBuckets(remembered=100)
    limits = Limits({"read": Rate(1, 3600), "write": None, "validate": None, "login": None}, buckets)
    assert await permitted(limits, "read", ANNA)
    for number in range(99):
        await limits.take("read", Principal(str(number), "team", "viewer"))
        assert not await permitted(limits, "read", ANNA), "who acts is not forgotten"
    for number in range(1000):
        await limits.take("read", Principal(str(number), "team", "viewer"))
    assert len(buckets) == 100


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        (None, "nonsense", True),
    ],
)
async def test_failed_logins_count_by_address_and_by_network_in_ipv6(
    first: str | None, second: str, is_one: bool
) -> None:
    limits = limited(Rate(1, 60))
    await limits.take_failed_login(first)
    standing = await limits.take_failed_login(second)
    assert standing is not None
    assert bool(standing.retry_after) == is_one


def test_each_permission_is_of_a_kind_that_has_a_limit() -> None:
    assert set(KINDS) == set().union(*PERMITTED.values())


@pytest.mark.parametrize("name", ["limit_read", "limit_write", "limit_validate", "limit_logins"])
def test_a_setting_that_is_no_rate_stops_the_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"WELLHEAD_{name.upper()}", "5/fortnight")
    with pytest.raises(SettingsError, match="600/minute, or off"):
        load_settings(None)


def test_R_03_a_rate_that_cannot_be_shared_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="too small for 4 workers"):
        limits_of(Settings(limit_read="3/minute", workers=4))
    limits_of(Settings(limit_read="4/minute", workers=4))


def test_an_address_of_redis_that_is_none_stops_the_start_and_is_not_repeated() -> None:
    with pytest.raises(SettingsError, match="WELLHEAD_LIMITS_REDIS") as caught:
        limits_of(Settings(limits_redis="http://:hunter2@example.com"))
    assert "hunter2" not in str(caught.value)


@pytest.fixture
def tight(workspace: Path, tmp_path: Path) -> Wellhead:
    """The parts of a service with tight limits, all of them alike."""
    limits = dict.fromkeys(("limit_read", "limit_write", "limit_validate", "limit_logins"), "2/minute")
    return assemble(Settings(workspace=workspace, config_dir=tmp_path / "config", **limits))  # type: ignore[arg-type]


@pytest.fixture
def parts_of_a_service(workspace: Path, tmp_path: Path) -> Wellhead:
    """The parts of a service as it is when nothing is set."""
    return assemble(Settings(workspace=workspace, config_dir=tmp_path / "config"))


def test_R_06_an_answer_says_how_one_stands_and_when_to_come_back(tight: Wellhead) -> None:
    with api_of(tight) as api:
        first, second, third = (api.get(SOURCES) for _ in range(3))
    assert first.headers["RateLimit-Policy"] == second.headers["RateLimit-Policy"] == '"read";q=2;w=60'
    assert (first.headers["RateLimit"], second.headers["RateLimit"]) == ('"read";r=1;t=30', '"read";r=0;t=60')
    assert third.status_code == 429
    assert third.headers["RateLimit-Policy"] == '"read";q=2;w=60'
    assert third.headers["RateLimit"] == '"read";r=0;t=30'
    assert int(third.headers["Retry-After"]) == 30
    assert third.headers["Content-Type"] == "application/problem+json"
    assert third.json()["code"] == "rate_limited"
    assert third.json()["request_id"] == third.headers["X-Request-Id"]


def test_an_answer_that_is_no_says_how_one_stands_too(tight: Wellhead) -> None:
    with api_of(tight) as api:
        answer = api.get(f"{SOURCES}/{NO_ID}")
    assert answer.status_code == 404
    assert answer.headers["RateLimit"] == '"read";r=1;t=30'


@pytest.mark.parametrize("path", ["?limit=1", "?limit=2", "/types", f"/{NO_ID}", "/nonsense", f"/{NO_ID}/health"])
def test_R_02_all_paths_of_a_kind_have_one_limit(tight: Wellhead, path: str) -> None:
    with api_of(tight) as api:
        for _ in range(2):
            api.get(SOURCES)
        assert api.get(SOURCES + path).status_code == 429


def test_R_02_what_is_validated_before_it_is_saved_counts_as_a_validation_too(tight: Wellhead) -> None:
    with api_of(tight) as api:
        for _ in range(2):
            assert api.post(f"{SOURCES}/validate", json={}).status_code == 422
        verified = api.post(f"{SOURCES}?verify=true", json=csv_source())
        assert (verified.status_code, verified.headers["RateLimit-Policy"]) == (429, '"validate";q=2;w=60')
        assert api.post(SOURCES, json=csv_source()).status_code == 201


@pytest.mark.parametrize("path", ["/nothing", SOURCES + "/"])
def test_a_path_that_is_not_there_is_not_limited(tight: Wellhead, path: str) -> None:
    with api_of(tight) as api:
        assert {api.get(path).status_code for _ in range(5)} == {404}


def test_a_limit_is_looked_at_before_the_data_source_and_the_body(tight: Wellhead) -> None:
    with api_of(tight) as api:
        for _ in range(2):
            assert api.patch(f"{SOURCES}/{NO_ID}", content=b"{").status_code == 404
        assert api.patch(f"{SOURCES}/{NO_ID}", content=b"{").status_code == 429
        assert api.get(SOURCES).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Client-IP"])
def test_R_01_no_header_makes_another_address(tight: Wellhead, header: str) -> None:
    with TestClient(LiveApp(tight), "http://localhost") as stranger:
        answers = [stranger.get(SOURCES, headers={header: f"192.0.2.{number}"}) for number in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_R_01_failed_logins_never_keep_out_a_valid_token(tight: Wellhead) -> None:
    token = tight.token.read_or_make()
    with TestClient(LiveApp(tight), "http://localhost") as client:
        for _ in range(5):
            client.get(SOURCES, headers={"Authorization": "Bearer wrong-wrong-wrong"})
        assert client.get(SOURCES, headers={"Authorization": "Bearer wrong-wrong-wrong"}).status_code == 429
        assert client.get(SOURCES, headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_open_routes_have_no_limit(tight: Wellhead) -> None:
    with TestClient(LiveApp(tight), "http://localhost") as stranger:
        answers = [stranger.get("/healthz") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any("RateLimit" in answer.headers for answer in answers)


def test_every_limited_operation_is_documented_as_such(tight: Wellhead) -> None:
    with api_of(tight) as api:
        document = api.get("/openapi.json").json()
    for operation in OPERATIONS:
        if operation.in_document:
            responses = document["paths"][operation.path][operation.method.lower()]["responses"]
            assert ("429" in responses) == (operation.permission is not None)
    refused = document["paths"][SOURCES]["get"]["responses"]["429"]
    assert set(refused["headers"]) == {"Retry-After", "RateLimit", "RateLimit-Policy"}


def test_R_12_a_workspace_has_a_quota(workspace: Path, tmp_path: Path) -> None:
    with api_of(assemble(Settings(workspace=workspace, config_dir=tmp_path / "config", quota=3))) as api:
        made = [api.post(SOURCES, json=csv_source(f"number {number}")) for number in range(4)]
        assert [answer.status_code for answer in made] == [201, 201, 201, 409]
        assert made[-1].json()["code"] == "quota_exceeded"
        one = f"{SOURCES}/{made[0].json()['id']}"
        assert api.patch(one, json={"description": "still changed"}).status_code == 200
        assert api.delete(one).status_code == 204
        assert api.post(SOURCES, json=csv_source("number 4")).status_code == 201


@pytest.mark.parametrize("number", [b"9" * 5000, b"-" + b"9" * 5000, b"1e" + b"9" * 5000, b"0." + b"9" * 5000])
def test_R_13_a_number_of_thousands_of_digits_is_refused(parts_of_a_service: Wellhead, number: bytes) -> None:
    with api_of(parts_of_a_service) as api:
        answer = api.post(SOURCES, content=b'{"port": ' + number + b"}", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "absurd_number")


def test_R_12_a_record_of_more_than_64_kib_is_refused(parts_of_a_service: Wellhead) -> None:
    labels = {f"label-{number}-{'x' * 50}": "\N{PILE OF POO}" * 200 for number in range(32)}
    many = {
        "type": "api",
        "name": "n",
        "url": "https://example.com",
        "headers": {f"X-{number}": "y" * 1000 for number in range(50)},
    }
    with api_of(parts_of_a_service) as api:
        answer = api.post(SOURCES, json={**many, "labels": labels})
    assert answer.status_code == 413, answer.text


def test_R_12_files_that_were_removed_by_hand_make_room(workspace: Path, tmp_path: Path) -> None:
    with api_of(assemble(Settings(workspace=workspace, config_dir=tmp_path / "config", quota=2))) as api:
        made = [api.post(SOURCES, json=csv_source(f"number {number}")).json() for number in range(2)]
        (workspace / ".datasources" / f"{made[0]['id']}.json").unlink()
        assert api.post(SOURCES, json=csv_source("number 2")).status_code == 201
        assert api.post(SOURCES, json=csv_source("number 3")).status_code == 409
