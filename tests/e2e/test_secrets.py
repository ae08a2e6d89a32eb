"""Secrets stay with their destination, and turn up nowhere. The canary searches everything after each test."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from support import calls
from support.canary import Canary, searched
from support.certificates import make_certificates
from support.documents import Make, document_of, path_of
from support.service import SOURCES, Service


class Listener:
    """A server that counts who calls."""

    def __init__(self) -> None:
        self.calls = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.calls += 1
            connection.close()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A server on a free port."""
    server = Listener()
    yield server
    server.close()


def refused(answer: httpx2.Response) -> set[tuple[str, str]]:
    """Return pointers and codes of what is refused."""
    assert answer.status_code == 422, answer.text
    return {(item["pointer"], item["code"]) for item in answer.json()["errors"]}


MOVES: list[dict[str, Any]] = [
    {"host": "127.0.0.2"},
    {"port": 10},
    {"database": "other"},
    {"username": "other"},
    {"tls_mode": "require"},
    {"tls_mode": "verify-full", "ca_certificate": "a certificate"},
]


@pytest.mark.parametrize("move", MOVES, ids="+".join)
@pytest.mark.parametrize("way", ["PUT", "PATCH", "validate", "verify", "connection_string"])
def test_X_01_X_02_X_03_a_new_destination_needs_every_secret_anew(
    client: httpx2.Client, make: Make, canary: Canary, listener: Listener, move: dict[str, Any], way: str
) -> None:
    source = make("postgres", port=listener.port, password=canary.secret())
    if "ca_certificate" in move:
        move = move | {"ca_certificate": make_certificates().ca}
    path = path_of(source)
    if way == "PUT":
        answer = client.put(path, json={**source, "password": None, **move} | {"password": source["password"]})
    elif way == "PATCH":
        answer = client.patch(path, json=move)
    elif way == "verify":
        answer = client.patch(f"{path}?verify=true", json=move)
    elif way == "validate":
        answer = client.post(f"{path}/validate", json={"changes": move})
    else:
        answer = client.patch(path, json={"connection_string": f"postgresql://reader@127.0.0.2:{listener.port}/sales"})
    assert refused(answer) == {("/password", "secret_required")}
    assert client.get(path).json() == source
    assert listener.calls == 0


def test_X_01_every_secret_is_named(client: httpx2.Client, make: Make, canary: Canary) -> None:
    source = make("webhook", secret_headers={"X-One": canary.plain_secret(), "X-Two": canary.plain_secret()})
    answer = client.patch(path_of(source), json={"url": "https://evil.example"})
    assert refused(answer) == {(f"/secret_headers/{name}", "secret_required") for name in ("X-One", "X-Two")}


@pytest.mark.parametrize("secret", ["new value", {"ref": "env:PG_PASSWORD"}, None])
def test_X_01_with_the_secret_sent_anew_it_may_move(
    client: httpx2.Client, make: Make, canary: Canary, secret: Any
) -> None:
    source = make("postgres", password=canary.secret())
    answer = client.patch(path_of(source), json={"host": "127.0.0.2", "password": secret})
    assert (answer.status_code, answer.json()["host"]) == (200, "127.0.0.2")


@pytest.mark.parametrize(
    "change", [{"name": "renamed"}, {"description": "x"}, {"labels": {"a": "b"}}, {"application_name": "x"}]
)
def test_a_harmless_change_keeps_the_secret(
    client: httpx2.Client, make: Make, canary: Canary, change: dict[str, Any]
) -> None:
    source = make("postgres", password=canary.secret())
    answer = client.patch(path_of(source), json=change)
    assert (answer.status_code, answer.json()["password"]) == (200, source["password"])
    client.patch(path_of(source), json={"name": source["name"]})


def test_X_01_two_steps_do_not_move_a_secret_either(
    client: httpx2.Client, make: Make, canary: Canary, listener: Listener
) -> None:
    source = make("postgres", password=canary.secret())
    facts = source["password"]
    answers = [
        client.patch(path_of(source), json={"port": listener.port, "password": facts}),
        client.put(path_of(source), json=source | {"port": listener.port}),
        client.post(path_of(source, "validate"), json={"changes": {"port": listener.port, "password": facts}}),
    ]
    assert [refused(answer) for answer in answers] == [{("/password", "secret_required")}] * 3
    assert listener.calls == 0


def test_X_03_validating_what_is_unsaved_takes_no_id_and_no_facts(
    client: httpx2.Client, make: Make, canary: Canary, listener: Listener
) -> None:
    source = make("postgres", password=canary.secret())
    document = {name: source[name] for name in source if name not in {"state", "health"}} | {"port": listener.port}
    answer = client.post(f"{SOURCES}/validate", json=document)
    assert {"/id", "/revision"} <= {pointer for pointer, _ in refused(answer)}
    for name in ("id", "created_at", "updated_at", "revision"):
        del document[name]
    assert refused(client.post(f"{SOURCES}/validate", json=document)) == {("/password", "secret_required")}
    assert listener.calls == 0


def test_X_05_a_copy_has_no_secret(client: httpx2.Client, make: Make, canary: Canary) -> None:
    source = make("postgres", password=canary.secret())
    copy = {name: source[name] for name in source if name not in {"id", "created_at", "updated_at", "revision"}}
    assert refused(client.post(SOURCES, json=copy | {"name": "a copy"})) == {("/password", "secret_required")}


def test_L_07_secrets_are_read_as_facts(client: httpx2.Client, make: Make, canary: Canary) -> None:
    source = make("postgres", password=canary.secret())
    assert source["password"] == {"is_set": True, "set_at": source["created_at"], "set_in_revision": 1}
    assert source["client_key"] is None
    changed = client.patch(path_of(source), json={"password": {"ref": "env:PG_PASSWORD"}}).json()
    assert changed["password"] == {
        "is_set": True,
        "set_at": changed["updated_at"],
        "set_in_revision": 2,
        "ref": "env:PG_PASSWORD",
    }
    listed = client.get(SOURCES, params={"name": source["name"]}).json()["items"]
    assert listed == [changed]


@pytest.mark.parametrize("change", [{}, {"password": "the facts"}])
def test_L_08_what_is_left_out_or_read_is_kept(
    client: httpx2.Client, make: Make, canary: Canary, change: dict[str, Any]
) -> None:
    source = make("postgres", password=canary.secret())
    document = {name: source[name] for name in source if name != "password"}
    document |= {"password": source["password"]} if change else {}
    answer = client.put(path_of(source), json=document)
    assert (answer.headers["ETag"], answer.json()) == ('"1"', source)


def test_L_08_null_clears_and_a_string_is_always_new(client: httpx2.Client, make: Make, canary: Canary) -> None:
    secret = canary.secret()
    source = make("postgres", password=secret)
    same = client.patch(path_of(source), json={"password": secret}).json()
    assert (same["revision"], same["password"]["set_in_revision"]) == (2, 2)
    cleared = client.patch(path_of(source), json={"password": None}).json()
    assert (cleared["revision"], cleared["password"]) == (3, None)


@pytest.mark.parametrize("mask", ["********", "••••••••", "(hidden)"])
def test_L_08_there_is_no_mask_that_could_be_saved_by_mistake(
    client: httpx2.Client, make: Make, canary: Canary, mask: str
) -> None:
    source = make("postgres", password=canary.secret())
    assert mask not in json.dumps(source, ensure_ascii=False)
    assert client.patch(path_of(source), json={"password": mask}).json()["password"]["set_in_revision"] == 2


@pytest.mark.parametrize(
    "change",
    [{"set_in_revision": 2}, {"set_at": "2020-01-01T00:00:00Z"}, {"ref": "env:OTHER"}, {"is_set": False}],
)
def test_facts_that_are_not_those_that_are_stored_are_refused(
    client: httpx2.Client, make: Make, canary: Canary, change: dict[str, Any]
) -> None:
    source = make("postgres", password=canary.secret())
    for method in ("PUT", "PATCH"):
        answer = client.request(method, path_of(source), json=source | {"password": source["password"] | change})
        assert refused(answer) == {("/password", "secret_state_changed")}


def test_a_key_that_is_missing_from_a_map_is_removed_by_put_and_kept_by_patch(
    client: httpx2.Client, make: Make, canary: Canary
) -> None:
    source = make("webhook", secret_headers={"X-One": canary.plain_secret(), "X-Two": canary.plain_secret()})
    one = {"X-One": source["secret_headers"]["X-One"]}
    assert client.patch(path_of(source), json={"secret_headers": one}).headers["ETag"] == '"1"'
    assert client.put(path_of(source), json=source | {"secret_headers": one}).json()["secret_headers"] == one
    assert client.patch(path_of(source), json={"secret_headers": {"X-One": None}}).json()["secret_headers"] == {}


BROKEN: list[dict[str, Any]] = [
    {"port": "x"},
    {"host": None},
    {"bogus": 1},
    {"database": "a\x00b"},
    {"tls_mode": "prefer"},
    {"type": "oracle"},
    {"name": ""},
    {"labels": {"a b": "x"}},
    {"client_certificate": "x"},
    {"revision": "x"},
]


@pytest.mark.parametrize("change", BROKEN, ids=str)
def test_L_01_L_02_L_05_no_error_holds_a_secret_that_was_sent_with_it(
    client: httpx2.Client, make: Make, canary: Canary, change: dict[str, Any]
) -> None:
    document = document_of("postgres", password=canary.secret()) | change
    source = make("postgres")
    for method, path in (("POST", SOURCES), ("POST", f"{SOURCES}/validate"), ("PUT", path_of(source))):
        assert client.request(method, path, json=document).status_code == 422
    assert client.patch(path_of(source), json=change | {"password": canary.secret()}).status_code == 422


@pytest.mark.parametrize("wrong", ["postgre", "{}", 5, None, ["{}"], {"{}": "{}"}], ids=str)
def test_L_05_a_type_that_is_none_is_told_by_its_code_and_the_types_that_there_are(
    client: httpx2.Client, canary: Canary, wrong: Any
) -> None:
    sent = json.loads(json.dumps(wrong).replace("{}", canary.plain_secret()))
    host = canary.watch("only-in-this-host.example")
    document = document_of("postgres", password=canary.secret(), host=host) | {"type": sent}
    for path in (SOURCES, f"{SOURCES}/validate"):
        answer = client.post(path, json=document)
        is_name = isinstance(wrong, str)
        assert refused(answer) == {
            ("/type", "unknown_type" if is_name else "required" if wrong is None else "wrong_type")
        }
        assert "postgres" in answer.json()["errors"][0]["allowed"]


@pytest.mark.parametrize(
    "fields",
    [
        {"pasword": "{}"},
        {"{}": "value"},
        {"password": {"value": "{}"}},
        {"password": ["{}"]},
        {"password": "{}\x00"},
        {"host": "{} x"},
        {"port": "{}"},
        {"tls_mode": "{}"},
        {"type": "{}"},
        {"name": "{}\n"},
        {"labels": {"team": ["{}"]}},
        {"description": {"text": "{}"}},
        {"ca_certificate": "{}"},
        {"client_key": "{}"},
        {"connection_string": "postgresql://user:{}@host/db?bogus=1"},
        {"connection_string": "postgresql://user@{} x/db"},
        {"connection_string": "mysql://user:{}@host/db"},
        {"connection_string": "postgresql://user:{}@host:port/db"},
        {"connection_string": "postgresql://user@host/db?sslmode={}"},
        {"connection_string": "postgresql://user@host/db?{}=1"},
        {"connection_string": "host=h password={}"},
    ],
    ids=str,
)
def test_L_03_L_04_no_error_repeats_a_value(
    client: httpx2.Client, make: Make, canary: Canary, fields: dict[str, Any]
) -> None:
    secret = canary.plain_secret()
    sent = json.loads(json.dumps(fields).replace("{}", secret))
    as_key = secret in sent  # a misspelt key may be named, unless it is a secret that was sent
    document = document_of("postgres") | sent | ({"password": secret} if as_key else {})
    if "connection_string" in sent:
        for name in ("host", "port", "database", "username"):
            del document[name]
    source = make("postgres")
    for method, path in (("POST", SOURCES), ("POST", f"{SOURCES}/validate"), ("PUT", path_of(source))):
        assert client.request(method, path, json=document).status_code == 422, path


@pytest.mark.parametrize("mood", ["wrong", "broken"])
def test_L_03_L_19_a_plugins_own_text_is_never_told(
    client: httpx2.Client, make: Make, canary: Canary, mood: str
) -> None:
    document = document_of("gadget", key=canary.secret(), mood=mood)
    source = make("gadget", key=canary.secret())
    for method, path in (("POST", SOURCES), ("POST", f"{SOURCES}/validate"), ("PUT", path_of(source))):
        answer = client.request(method, path, json=document)
        assert answer.status_code == 422
        assert answer.json()["code"] == "value_error"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"password": "{}"', 400),
        (b'{"password": "{}", "password": ""}', 400),
        (b'["{}"]', 422),
        (b'"{}"', 422),
        (b"password={}", 400),
    ],
)
def test_L_06_a_body_that_is_no_object_is_not_repeated(
    client: httpx2.Client, canary: Canary, content: bytes, status: int
) -> None:
    text = content.replace(b"{}", canary.plain_secret().encode())
    for kind, expected in (("application/json", status), ("text/plain", 415)):
        assert client.post(SOURCES, content=text, headers={"content-type": kind}).status_code == expected


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://user:{}@api.example.com", "credentials_in_url"),
        ("https://{}@api.example.com", "credentials_in_url"),
        ("https://api.example.com?api_key={}", "credentials_in_url"),
        ("https://api.example.com?access_token={}", "credentials_in_url"),
    ],
)
def test_L_09_credentials_in_an_address_are_refused(client: httpx2.Client, canary: Canary, url: str, code: str) -> None:
    answer = client.post(SOURCES, json=document_of("webhook", url=url.format(canary.plain_secret())))
    assert refused(answer) == {("/url", code)}


@pytest.mark.parametrize("name", ["Authorization", "X-API-Key", "Cookie", "proxy-authorization"])
def test_L_09_secrets_in_plain_headers_are_refused(client: httpx2.Client, canary: Canary, name: str) -> None:
    answer = client.post(SOURCES, json=document_of("webhook", headers={name: canary.plain_secret()}))
    assert refused(answer) == {(f"/headers/{name}", "secret_header")}


def test_L_22_nothing_tells_two_secrets_apart(client: httpx2.Client, canary: Canary) -> None:
    def seen(secret: str) -> tuple[dict[str, Any], str]:
        answer = client.post(SOURCES, json=document_of("postgres", name="twin", password=secret))
        client.delete(answer.headers["Location"])
        document = answer.json()
        del document["id"], document["created_at"], document["updated_at"], document["password"]["set_at"]
        return document, answer.headers["ETag"]

    same, other = canary.secret(), canary.plain_secret() * 20
    assert seen(same) == seen(same) == seen(other)


def test_L_15_in_asyncios_debug_mode_nothing_is_shown_either(
    service: Service, client: httpx2.Client, make: Make, canary: Canary, blackhole: int
) -> None:
    assert psutil.Process(service.process.pid).environ()["PYTHONASYNCIODEBUG"] == "1"
    source = make("postgres", port=blackhole, password=canary.secret())
    assert client.post(path_of(source, "validate"), params={"timeout": "1"}).json()["status"] == "timeout"
    for method, change in (("PUT", source), ("PATCH", {"port": 10}), ("PATCH", {"password": canary.secret()})):
        client.request(method, path_of(source), json=change)
    canary.search()


def test_L_18_a_search_finds_no_secret(client: httpx2.Client, make: Make, canary: Canary) -> None:
    secret = canary.plain_secret()
    make("postgres", password=secret)
    for part in (secret, secret[:5]):
        assert client.get(SOURCES, params={"q": part}).json()["total"] == 0


def test_L_18_a_search_finds_no_host_either(client: httpx2.Client, make: Make) -> None:
    make("postgres", host="only-in-the-host.example")
    assert client.get(SOURCES, params={"q": "only-in-the-host"}).json()["total"] == 0


def test_no_secret_is_in_the_files_or_processes(make: Make, canary: Canary) -> None:
    make("postgres", password=canary.secret())
    make("webhook", auth_type="bearer", token=canary.plain_secret())
    canary.search()


WAYS: dict[str, Callable[[Service], Any]] = {
    "client": lambda service: service.client.get(SOURCES),
    "function": lambda service: calls.get(service.url + SOURCES, headers=service.client.headers),
    "piece by piece": lambda service: service.client.send(
        service.client.build_request("GET", SOURCES), stream=True
    ).read(),
    "head": lambda service: service.client.get(SOURCES, headers={"x-request-id": "0123456789-of-a-test"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_canary_sees_whatever_a_service_answers(service: Service, make: Make, tmp_path: Path, way: str) -> None:
    shown = "0123456789-of-a-test" if way == "head" else "nobody may see this description"
    source = make(description=shown)
    with pytest.raises(AssertionError, match="a secret is in text"), searched() as canary:
        canary.watch(shown)
        WAYS[way](service)
    service.client.delete(path_of(source))


def test_the_canary_sees_what_a_service_writes(service: Service, make: Make) -> None:
    make(name="a name that is in the store and in the log of changes")
    for place in (service.log, service.log.with_suffix(".out")):
        assert any(text in place.read_text() for text in ("createDataSource", '"url"'))
    with pytest.raises(AssertionError, match=r"\.json|index|audit"), searched() as canary:
        canary.watch("a name that is in the store and in the log of changes")


def test_every_test_of_a_live_service_has_a_canary(request: pytest.FixtureRequest) -> None:
    assert "canary" in request.fixturenames
