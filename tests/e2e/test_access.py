"""Who gets in, over real connections: what a client library would never send is sent by hand."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from support import calls
from support.documents import Make, path_of
from support.programs import wait_until
from support.raw import raw
from support.rogue import saying
from support.service import SOURCES, Service
from wellhead.api.operations import OPERATIONS, Operation
from wellhead.settings import Settings
from wellhead.testing import servers

ID = "5f3c2d1e-0a4b-4c5d-8e6f-7a8b9c0d1e2f"


def test_a_raw_request_works_at_all(service: Service) -> None:
    assert raw(service, f"GET {SOURCES} HTTP/1.1\nHost: localhost")[0] == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET {} HTTP/1.1\nHost: evil.example", 421),
        ("GET {} HTTP/1.0", 421),
        ("GET {} HTTP/1.1", 400),
        ("GET {} HTTP/1.1\nHost: localhost\nHost: evil.example", 400),
        ("GET {} HTTP/1.1\nHost: localhost\nHost: localhost", 400),
        ("GET http://evil.example{} HTTP/1.1\nHost: evil.example", 421),
        ("GET http://evil.example{} HTTP/1.1\nHost: localhost", 404),
        ("GET {} HTTP/1.1\nHost: evil.example\nX-Forwarded-Host: localhost", 421),
        ("GET {} HTTP/1.1\nHost: evil.example\nForwarded: host=localhost", 421),
    ],
)
def test_A_16_I_13_a_host_that_is_unknown_or_unclear_gets_nothing(service: Service, head: str, status: int) -> None:
    answered, text = raw(service, head.format(SOURCES))
    assert answered == status
    assert '"items"' not in text


@pytest.mark.parametrize(
    "lines", ["Content-Length: 2\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\nContent-Length: 5"]
)
@pytest.mark.parametrize("path", [SOURCES, "/healthz"])
def test_I_12_two_ways_to_tell_a_length_are_refused_and_end_the_connection(
    service: Service, path: str, lines: str
) -> None:
    body = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    status, text = raw(service, f"GET {path} HTTP/1.1\nHost: localhost\n{lines}", body, close=False)
    assert (status, "malformed_request" in text) == (400, True)
    assert text.count("HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "lines",
    [
        "Content-Length: 2\nContent-Length: 3",
        "Content-Length: 2, 3",
        "Content-Length: 2 2",
        "Content-Length: ",
        "Content-Length: -1",
        "Content-Length: +2",
        "Content-Length: 0x2",
        "Content-Length: " + "9" * 5000,
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \x0bchunked",
        'Transfer-Encoding: "chunked"',
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked\nTransfer-Encoding: chunked",
        "Transfer-Encoding : chunked",
        "Content-Length : 2",
        "X-A: b\rContent-Length: 5",
        "X-A: a\x00b",
    ],
)
def test_I_12_ambiguous_framing_is_refused_and_ends_the_connection(service: Service, lines: str) -> None:
    head = f"POST {SOURCES} HTTP/1.1\nHost: localhost\nContent-Type: application/json\n{lines}"
    body = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    status, text = raw(service, head, body, close=False)
    assert status in {400, 413, 501}
    assert text.count("HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "body", [b"0x2\r\n{}\r\n0\r\n\r\n", b"+2\r\n{}\r\n0\r\n\r\n", b"-2\r\n{}\r\n0\r\n\r\n", b"1\r\n{}\r\n0\r\n\r\n"]
)
def test_I_12_a_chunk_whose_length_is_wrong_ends_the_connection(service: Service, body: bytes) -> None:
    head = f"POST {SOURCES} HTTP/1.1\nHost: localhost\nContent-Type: application/json\nTransfer-Encoding: chunked"
    follows = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    status, text = raw(service, head, body + follows, close=False)
    assert (status, text.count("HTTP/1.1 ")) == (400, 1)


@pytest.mark.parametrize(
    "head",
    [
        "GET {} HTTP/1.1\nHost: localhost\n" + "\n".join(f"X-{number}: 1" for number in range(101)),
        "GET {} HTTP/1.1\nHost: localhost\nX-Long: " + "x" * 17_000,
        "GET {} HTTP/1.1\nHost: localhost\nX-Long: " + "x" * 60_000,
        "GET {}?" + "q=" + "x" * 17_000 + " HTTP/1.1\nHost: localhost",
    ],
)
def test_I_13_a_head_that_is_absurdly_long_is_refused(service: Service, head: str) -> None:
    assert raw(service, head.format(SOURCES))[0] in {400, 414, 431}


def test_I_13_a_hundred_headers_are_not_too_many(service: Service) -> None:
    for count, status in ((97, 200), (98, 400)):  # three more are there anyway
        lines = "\n".join(f"X-{number}: 1" for number in range(count))
        assert raw(service, f"GET {SOURCES} HTTP/1.1\nHost: localhost\n{lines}")[0] == status


@pytest.mark.parametrize("authority", ["localhost", "127.0.0.1", "evil.example", "x@localhost", "localhost:99999"])
def test_I_13_a_target_in_absolute_form_is_none_of_the_services(service: Service, authority: str) -> None:
    head = f"GET http://{authority}{SOURCES} HTTP/1.1\nHost: localhost"
    assert raw(service, head)[0] in {400, 404}
    assert raw(service, head, token=False)[0] in {400, 401}


def test_I_14_head_has_the_same_rules_and_no_body(service: Service) -> None:
    head = f"HEAD {SOURCES} HTTP/1.1\nHost: localhost"
    for token, expected in ((True, 200), (False, 401)):
        status, text = raw(service, head, token=token)
        assert (status, text.partition("\r\n\r\n")[2]) == (expected, "")


@pytest.mark.parametrize("override", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_I_14_a_method_that_a_header_names_is_not_looked_at(service: Service, make: Make, override: str) -> None:
    path = path_of(make())
    for verb, meant, status in (("GET", "DELETE", 200), ("POST", "DELETE", 405), ("POST", "PUT", 405)):
        assert raw(service, f"{verb} {path} HTTP/1.1\nHost: localhost\n{override}: {meant}")[0] == status
    assert raw(service, f"GET {path} HTTP/1.1\nHost: localhost")[0] == 200


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "CONNECT", "PROPFIND", "BREW", "get"])
@pytest.mark.parametrize(("token", "status"), [(True, 405), (False, 401)])
def test_I_14_other_methods_need_the_token_and_are_not_known(
    service: Service, method: str, token: bool, status: int
) -> None:
    answered, text = raw(service, f"{method} {SOURCES} HTTP/1.1\nHost: localhost\nX-Secret: echo", token=token)
    assert answered == status
    assert "echo" not in text


@pytest.mark.parametrize(
    "path",
    [
        f"/{SOURCES}",
        "/api/v1/./datasources",
        "/api/v1/x/../datasources",
        "/api/v1/x/%2e%2e/datasources",
        "/api/v1/datasources;x",
        "/api/v1/datasources%00",
        "/api/v1/datasources%2f",
        "/api/v1%2fdatasources",
        "/api%2Fv1/datasources",
        "/api/v1/datasources%5c",
        "/api/v1%5cdatasources",
        "/api/v1/%252e/datasources",
        "/api/v1/datasources%3flimit=1",
        "\\api\\v1\\datasources",
        "/api/v1/datasources/..;/datasources",
        "/api/v1/data%0asources",
        "/healthz/../api/v1/datasources",
        "/healthz/..%2fapi/v1/datasources",
        "/healthz;/api/v1/datasources",
        "/openapi.json%00/api/v1/datasources",
        "/API/v1/datasources",
        f"{SOURCES}/",
        "*",
        "/api/v1/datasources#x",
    ],
)
def test_Z_06_no_spelling_of_a_path_gets_around_the_token_or_the_routes(service: Service, path: str) -> None:
    assert raw(service, f"GET {path} HTTP/1.1\nHost: localhost", token=False)[0] in {400, 401}
    assert raw(service, f"GET {path} HTTP/1.1\nHost: localhost")[0] in {400, 404}


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "%00",
        "%c0%ae%c0%ae",
        "{}.json",
        "{}%00",
        "{}%0a",
        "%7B{}%7D",
        "workspace.json",
        "lock",
        "~",
        ".gitignore",
        "%ef%bc%8e%ef%bc%8e",
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_S_01_an_id_that_is_none_is_not_found_in_every_verb(
    service: Service, make: Make, method: str, name: str
) -> None:
    path = f"{SOURCES}/{name.format(make()['id'])}"
    assert raw(service, f"{method} {path} HTTP/1.1\nHost: localhost")[0] == 404


def test_S_01_the_id_in_capitals_is_another(client: httpx2.Client, make: Make) -> None:
    assert client.get(path_of(make()).upper().replace(SOURCES.upper(), SOURCES)).status_code == 404


@pytest.mark.parametrize("value", ["Bearer \xff\xfe", "Bearer " + "x" * 9000, "Bearer\ttoken", "Bearer null", "token"])
def test_A_05_A_15_a_bad_token_is_answered_alike_whatever_it_is(service: Service, value: str) -> None:
    status, text = raw(service, f"GET {SOURCES} HTTP/1.1\nHost: localhost\nAuthorization: {value}", token=False)
    document = json.loads(text.partition("\r\n\r\n")[2])
    del document["request_id"]
    assert (status, document["code"]) == (401, "unauthorized")
    assert value.partition(" ")[2][:50] not in text or not value.partition(" ")[2]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_Z_10_in_local_mode_too_nothing_is_done_without_the_token(
    service: Service, home: Path, operation: Operation
) -> None:
    token_file = home / "config" / "token"
    assert (token_file.stat().st_mode & 0o777, token_file.read_text().strip()) == (0o600, service.token)
    path = operation.path.format(source_id=ID, type_name="csv", code="not_found")
    status, text = raw(service, f"{operation.method} {path} HTTP/1.1\nHost: localhost", token=False)
    assert (status == 401) is (not operation.is_open(Settings()))
    assert status in {200, 401}
    assert service.token not in text


def test_A_16_a_form_of_a_web_page_changes_nothing(client: httpx2.Client) -> None:
    before = client.get(SOURCES).json()["total"]
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        headers = {"content-type": kind, "origin": "https://evil.example"}
        answer = client.post(SOURCES, content=b'{"name":"x","type":"csv","path":"x"}', headers=headers)
        assert answer.status_code == 415
    assert client.get(SOURCES).json()["total"] == before


def test_A_17_headers_of_proxies_change_nothing(client: httpx2.Client, service: Service) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Original-URL": "/docs"}
    answer = client.post(SOURCES, json={"name": "proxied", "type": "csv", "path": "x.csv"}, headers=headers)
    assert answer.headers["Location"].startswith(SOURCES)
    assert "203.0.113.9" not in service.log.read_text()


def test_R_09_a_chunked_body_is_cut_off_at_the_limit(service: Service) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"a": "'
        for _ in range(5):
            yield b"x" * 65536

    headers = {"Authorization": f"Bearer {service.token}", "content-type": "application/json"}
    answer = calls.post(service.url + SOURCES, content=chunks(), headers=headers, timeout=10)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_log_has_nothing_of_a_path(service: Service) -> None:
    raw(service, "GET /%1b[31m%0ainjected HTTP/1.1\nHost: localhost\nX-Request-Id: the-one-with-a-bad-path")
    wait_until(lambda: "the-one-with-a-bad-path" in service.log.read_text(), "the request was not logged")
    assert "injected" not in service.log.read_text()


@pytest.mark.parametrize("where", ["{}?access_token={token}", "{}?token={token}", "/{token}", "{}/{token}"])
def test_L_23_a_token_in_an_address_is_none_and_is_not_logged(service: Service, where: str) -> None:
    path = where.format(SOURCES, token=service.token)
    head = f"GET {path} HTTP/1.1\nHost: localhost\nX-Request-Id: l-23-{len(path)}"
    assert raw(service, head, token=False)[0] == 401
    assert raw(service, head)[0] in {404, 422}
    wait_until(lambda: service.log.read_text().count(f"l-23-{len(path)}") >= 2, "the requests were not logged")
    assert service.token not in service.log.read_text()


def test_L_23_the_token_does_not_go_on_to_a_target(service: Service, client: httpx2.Client) -> None:
    with servers.serve(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) as target:
        document = {"type": "api", "url": f"http://127.0.0.1:{target.port}", "auth_type": "none"}
        result = client.post(f"{SOURCES}/validate", json=document).json()
    assert result["status"] == "passed", result
    assert b"GET / " in target.received
    assert service.token.encode() not in target.received


def test_O_05_whatever_is_answered_has_the_security_headers(service: Service) -> None:
    heads = {
        200: f"GET {SOURCES} HTTP/1.1\nHost: localhost",
        400: f"GET {SOURCES} HTTP/1.1\nHost: localhost\n" + "\n".join(f"X-{number}: 1" for number in range(101)),
        404: "GET /nowhere HTTP/1.1\nHost: localhost",
        405: f"BREW {SOURCES} HTTP/1.1\nHost: localhost",
        413: f"POST {SOURCES} HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 999999",
        414: f"GET {SOURCES}?q={'x' * 3000} HTTP/1.1\nHost: localhost",
        421: f"GET {SOURCES} HTTP/1.1\nHost: evil.example",
    }
    answers = {status: raw(service, head) for status, head in heads.items()}
    answers[401] = raw(service, heads[200], token=False)
    for status, (answered, text) in answers.items():
        head = text.partition("\r\n\r\n")[0].lower()
        assert answered == status
        assert "\r\nx-content-type-options: nosniff" in head
        assert "\r\ncache-control: no-store" in head
        assert "\r\ncontent-security-policy: default-src 'none'" in head
        assert "\r\nserver:" not in head
