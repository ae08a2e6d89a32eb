"""Web pages of other origins: those of the settings may use the API, no other."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from support.api import SOURCES, api_of, csv_source
from wellhead.assembly import assemble
from wellhead.errors import SettingsError
from wellhead.settings import Settings, load_settings

APP = "https://app.example.com"
PREFLIGHT = {"access-control-request-method": "PATCH", "access-control-request-headers": "authorization, if-match"}


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    """An API that pages of one origin may use."""
    wellhead = assemble(settings.model_copy(update={"cors_origins": (APP,)}))
    with api_of(wellhead) as client:
        yield client
    wellhead.close()


def cors_headers(answer: object) -> set[str]:
    headers = answer.headers  # type: ignore[attr-defined]  # a response
    return {name for name in headers if name.startswith("access-control-")}


def test_a_browser_is_told_what_a_page_of_the_settings_may_send(api: TestClient) -> None:
    del api.headers["authorization"]  # a browser sends none here
    answer = api.options(f"{SOURCES}/x", headers={"origin": APP, **PREFLIGHT})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == APP
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert {"Authorization", "If-Match"} <= set(answer.headers["access-control-allow-headers"].split(", "))
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_such_a_page_may_read_answers_and_problems(api: TestClient) -> None:
    for answer in (
        api.post(SOURCES, json=csv_source(), headers={"origin": APP}),
        api.get(f"{SOURCES}/nothing", headers={"origin": APP}),
        api.get(SOURCES, headers={"origin": APP, "authorization": "Bearer wrong"}),
    ):
        assert answer.headers["access-control-allow-origin"] == APP
        assert answer.headers["vary"] == "Origin"
        assert "ETag" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://app.example.com",
        "https://app.example.com.evil.example",
        "https://app.example.com:444",
        "https://APP.example.com",
        "null",
        "*",
        "",
    ],
)
def test_A_16_a_page_of_any_other_origin_is_told_nothing(api: TestClient, origin: str) -> None:
    assert not cors_headers(api.get(SOURCES, headers={"origin": origin}))
    preflight = api.options(SOURCES, headers={"origin": origin, **PREFLIGHT})
    assert (preflight.status_code, cors_headers(preflight)) == (405, set())


def test_A_16_two_origins_are_none(api: TestClient) -> None:
    answer = api.get(SOURCES, headers=[("origin", APP), ("origin", APP)])
    assert not cors_headers(answer)


def test_A_16_a_preflight_is_answered_under_the_services_own_names_only(api: TestClient) -> None:
    answer = api.options(SOURCES, headers={"origin": APP, "host": "evil.example", **PREFLIGHT})
    assert answer.status_code == 421


def test_A_16_a_form_of_a_page_is_no_json(api: TestClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = api.post(SOURCES, content=b"{}", headers={"origin": APP, "content-type": kind})
        assert answer.status_code == 415


@pytest.mark.parametrize("origin", ["*", "app.example.com", "https://app.example.com/", "https://*.example.com"])
def test_what_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("WELLHEAD_CORS_ORIGINS", origin)
    with pytest.raises(SettingsError, match="WELLHEAD_CORS_ORIGINS: must be origins"):
        load_settings()
