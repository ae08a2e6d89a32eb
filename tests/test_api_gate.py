"""What every request passes before it is routed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from support.api import SOURCES, api  # noqa: F401  # the fixture is found by its name
from wellhead.access.authentication import LocalAuthenticator
from wellhead.access.limits import Limits, LocalBuckets
from wellhead.access.principal import Principal
from wellhead.access.token import LocalToken
from wellhead.api.gate import Gate
from wellhead.api.live import LiveApp
from wellhead.api.operations import OPERATIONS
from wellhead.assembled import Wellhead

UNLIMITED = Limits({"read": None, "write": None, "validate": None, "login": None}, LocalBuckets())
CLOSED = [operation for operation in OPERATIONS if not operation.is_public]
OPEN = {"/healthz", "/readyz", "/problems/{code}", "/openapi.json", "/docs"}


@pytest.fixture
def stranger(wellhead_parts: Wellhead) -> Iterator[TestClient]:
    """A client without a token."""
    app = LiveApp(wellhead_parts)
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as client:
        yield client


def test_A_01_only_the_routes_of_the_contract_are_open() -> None:
    assert {operation.path for operation in OPERATIONS if operation.is_public} == OPEN


@pytest.mark.parametrize("operation", CLOSED, ids=lambda operation: operation.name)
def test_A_01_no_other_route_answers_without_a_token(stranger: TestClient, operation: object) -> None:
    path = operation.path.format(source_id="x", type_name="csv")  # type: ignore[attr-defined]  # an Operation
    answer = stranger.request(operation.method, path)  # type: ignore[attr-defined]  # an Operation
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/api", "/api/v1", "/docs/", "/redoc", "/healthz/x", "/problems"])
def test_A_01_nor_does_a_path_that_is_not_there(stranger: TestClient, path: str) -> None:
    assert stranger.get(path).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/docs", "/problems/name_taken"])
def test_the_open_routes_answer_without_a_token(stranger: TestClient, path: str) -> None:
    assert stranger.get(path).status_code == 200


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8000", "testing.example"]
)
def test_the_service_answers_under_its_own_names(wellhead_parts: Wellhead, host: str) -> None:
    gate = Gate(
        _answer,
        authenticator=wellhead_parts.authenticator,
        limits=wellhead_parts.limits,
        public=[Route("/", _answer)],
        allowed_hosts=["Testing.Example"],
    )
    assert TestClient(gate, "http://localhost").get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.",
        "[::1].evil.example",
        "[::1]evil",
        "[::2]",
        "localhost:8000@evil.example",
        "localhost:x",
        "localhost/x",
        "0x7f.1",
        "127.1",
        "",
    ],
)
def test_A_16_under_every_other_name_nothing_is_answered(api: TestClient, host: str) -> None:  # noqa: F811
    answer = api.get("/healthz", headers={"host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "host_not_allowed")
    assert api.get(SOURCES, headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer wrong",
        b"Basic dXNlcjpwYXNz",
        b"bearer \xff\xfe",
        b"Bearer \xe9\x80\x80",
        b"Bearer " + b"x" * 8000,
        "Bearer ٣".encode(),
    ],
)
def test_A_05_A_15_every_bad_token_gets_the_same_answer(stranger: TestClient, value: bytes) -> None:
    answers = [stranger.get(SOURCES, headers=[(b"authorization", value)]), stranger.get(SOURCES)]
    bodies = [answer.json() for answer in answers]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert all(body.pop("request_id") for body in bodies)
    assert bodies[0] == bodies[1]


def test_a_token_that_is_sent_twice_is_none(api: TestClient) -> None:  # noqa: F811
    token = api.headers["authorization"]
    assert api.get(SOURCES, headers=[("authorization", token), ("authorization", token)]).status_code == 401


def test_L_23_a_token_in_the_query_is_none(stranger: TestClient, wellhead_parts: Wellhead) -> None:
    token = wellhead_parts.token.read_or_make()
    assert stranger.get(SOURCES, params={"access_token": token, "token": token}).status_code == 401


def test_the_scheme_may_be_written_in_any_case(stranger: TestClient, wellhead_parts: Wellhead) -> None:
    token = wellhead_parts.token.read_or_make()
    assert stranger.get(SOURCES, headers={"authorization": f"bEaReR {token}"}).status_code == 200


def test_O_05_every_answer_has_the_security_headers(api: TestClient) -> None:  # noqa: F811
    for answer in (api.get(SOURCES), api.get("/nothing"), api.get("/healthz"), api.get("/", headers={"host": "x"})):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Request-Id"]


def test_no_page_of_another_origin_may_read_an_answer(api: TestClient) -> None:  # noqa: F811
    answer = api.get(SOURCES, headers={"origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    preflight = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    assert api.options(SOURCES, headers=preflight).status_code == 405


def test_R_10_a_query_of_more_than_2_kib_is_refused_after_the_token(api: TestClient, stranger: TestClient) -> None:  # noqa: F811
    long = "q=" + "x" * 2047
    assert api.get(f"{SOURCES}?{long}").json()["code"] == "query_too_long"
    assert stranger.get(f"{SOURCES}?{long}").status_code == 401
    assert api.get(f"{SOURCES}?{long[:-1]}").status_code == 422


def test_I_13_more_than_a_hundred_headers_are_refused(api: TestClient) -> None:  # noqa: F811
    answer = api.get("/healthz", headers={f"x-{number}": "1" for number in range(101)})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


def test_I_13_more_than_16_kib_of_headers_are_refused(api: TestClient) -> None:  # noqa: F811
    assert api.get("/healthz", headers={"x-long": "x" * 16_384}).status_code == 400
    assert api.get("/healthz", headers={"x-long": "x" * 15_000}).status_code == 200


def test_a_request_id_is_new_every_time(api: TestClient) -> None:  # noqa: F811
    assert len({api.get("/healthz").headers["x-request-id"] for _ in range(20)}) == 20


def test_L_19_an_unforeseen_error_tells_only_a_request_id(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def explode(scope: object, receive: object, send: object) -> None:
        raise RuntimeError("hunter2-in-the-text")

    authenticator = LocalAuthenticator(LocalToken(tmp_path / "token"), Principal("ada", "w", "admin"))
    gate = Gate(explode, authenticator=authenticator, limits=UNLIMITED, public=[Route("/", _answer)])
    answer = TestClient(gate, "http://localhost").get("/")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "hunter2" not in answer.text
    assert "hunter2" not in "".join(capfd.readouterr())


async def _answer(scope: object, receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]  # ASGI
    await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]  # ASGI
