"""Making, reading, changing and deleting data sources, with every status that can come of it."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.documents import Make, document_of, path_of
from support.service import SOURCES, running_service
from wellhead.api.operations import OPERATIONS, Operation
from wellhead.settings import Settings

NOBODY = "00000000-0000-4000-8000-000000000000"
JSON = {"content-type": "application/json"}


def code_of(answer: httpx2.Response, status: int) -> str:
    """Return the code of a problem of a certain status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document.keys() >= {"type", "title", "status", "code", "detail", "request_id"}
    assert document["request_id"] == answer.headers["x-request-id"]
    return str(document["code"])


def codes_of(answer: httpx2.Response) -> dict[str, str]:
    """Return the codes of what does not fit, by pointer."""
    assert answer.status_code == 422, answer.text
    return {item["pointer"]: item["code"] for item in answer.json()["errors"]}


def test_a_data_source_is_made_read_replaced_patched_and_deleted(client: httpx2.Client) -> None:
    made = client.post(SOURCES, json=document_of())
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    path = made.headers["Location"]
    assert client.get(path).json() == made.json()
    replaced = client.put(path, json=made.json() | {"path": "other.csv"})
    assert (replaced.status_code, replaced.headers["ETag"], replaced.json()["path"]) == (200, '"2"', "other.csv")
    patched = client.patch(path, json={"description": "Sold things.", "labels": {"team": "sales"}})
    assert (patched.status_code, patched.headers["ETag"], patched.json()["revision"]) == (200, '"3"', 3)
    assert patched.json()["created_at"] == made.json()["created_at"]
    assert client.delete(path).status_code == 204
    assert code_of(client.get(path), 404) == "not_found"


def test_an_id_is_never_used_again(client: httpx2.Client) -> None:
    ids = set()
    for _ in range(5):
        answer = client.post(SOURCES, json=document_of(name="again and again"))
        ids.add(answer.json()["id"])
        client.delete(answer.headers["Location"])
    assert len(ids) == 5


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_what_is_not_there_is_not_found_in_every_verb(client: httpx2.Client, method: str) -> None:
    assert code_of(client.request(method, f"{SOURCES}/{NOBODY}", json={}), 404) == "not_found"


@pytest.mark.parametrize(("method", "more"), [("POST", "validate"), ("GET", "health")])
def test_nor_is_anything_below_it(client: httpx2.Client, method: str, more: str) -> None:
    assert code_of(client.request(method, f"{SOURCES}/{NOBODY}/{more}"), 404) == "not_found"


@pytest.mark.parametrize("name", ["Straße", "STRASSE", "\uff53\uff54rasse", "strasse"])
def test_I_09_a_name_that_only_looks_different_is_taken(client: httpx2.Client, name: str) -> None:
    client.post(SOURCES, json=document_of(name="strasse"))
    assert code_of(client.post(SOURCES, json=document_of(name=name)), 409) == "name_taken"


def test_a_name_that_is_taken_cannot_be_changed_to(client: httpx2.Client, make: Make) -> None:
    one, other = make(), make()
    assert code_of(client.patch(path_of(other), json={"name": one["name"].upper()}), 409) == "name_taken"
    assert code_of(client.put(path_of(other), json=other | {"name": one["name"]}), 409) == "name_taken"
    assert client.patch(path_of(one), json={"name": one["name"].upper()}).status_code == 200


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"type": None}, {"/type": "required"}),
        ({"type": 5}, {"/type": "wrong_type"}),
        ({"type": "oracle"}, {"/type": "unknown_type"}),
        ({"name": ""}, {"/name": "name_syntax"}),
        ({"name": "\u202eevil"}, {"/name": "name_syntax"}),
        ({"name": "zero\u200bwidth"}, {"/name": "name_syntax"}),
        ({"name": " padded "}, {"/name": "name_syntax"}),
        ({"name": "x" * 101}, {"/name": "name_syntax"}),
        ({"name": None}, {"/name": "wrong_type"}),
        ({"description": "x" * 2001}, {"/description": "too_long"}),
        ({"description": "bell\x07"}, {"/description": "control_character"}),
        ({"labels": {"a b": "x"}}, {"/labels/a b": "label_syntax"}),
        ({"labels": {"a": "x" * 201}}, {"/labels/a": "too_long"}),
        ({"labels": {f"k{n}": "v" for n in range(33)}}, {"/labels": "too_many"}),
        ({"labels": {"a": 1}}, {"/labels/a": "wrong_type"}),
        ({"labels": None}, {"/labels": "wrong_type"}),
        ({"host": "10.0.0.1/24"}, {"/host": "host_syntax"}),
        ({"host": "0x7f.1"}, {"/host": "host_syntax"}),
        ({"port": "5432"}, {"/port": "wrong_type"}),
        ({"port": True}, {"/port": "wrong_type"}),
        ({"port": 5.5}, {"/port": "wrong_type"}),
        ({"port": 0}, {"/port": "out_of_range"}),
        ({"port": 65536}, {"/port": "out_of_range"}),
        ({"port": 2**53}, {"/port": "out_of_range"}),
        ({"tls_mode": "prefer"}, {"/tls_mode": "not_allowed"}),
        ({"database": "postgres\x00user\x00evil"}, {"/database": "control_character"}),
        ({"password": ""}, {"/password": "secret_empty"}),
        ({"password": 5}, {"/password": "secret_form"}),
        ({"password": {"ref": "vault:x"}}, {"/password": "reference_syntax"}),
        ({"password": {"ref": "env:X", "more": 1}}, {"/password": "secret_form"}),
        ({"pasword": "x"}, {"/pasword": "unknown_field"}),
        (
            {"port": 0, "bogus": 1},
            {"/port": "out_of_range", "/bogus": "unknown_field"},
        ),
    ],
)
def test_what_does_not_fit_is_told_alike_by_every_way_in(
    client: httpx2.Client, make: Make, change: dict[str, Any], expected: dict[str, str]
) -> None:
    source = make("postgres")
    document = document_of("postgres") | change
    if "type" not in change:
        answers = [
            client.put(path_of(source), json=document),
            client.patch(path_of(source), json=change),
            client.post(path_of(source, "validate"), json={"changes": change}),
        ]
        if None in change.values():  # in a patch, null takes a field back to its default
            answers = answers[:1]
        assert [codes_of(answer) for answer in answers] == [expected] * len(answers)
    assert codes_of(client.post(SOURCES, json=document)) == expected
    assert codes_of(client.post(f"{SOURCES}/validate", json=document)) == expected
    assert client.get(path_of(source)).json() == source


@pytest.mark.parametrize("change", [{}, {"type": None}])
def test_what_takes_the_place_of_another_names_its_type(
    client: httpx2.Client, make: Make, change: dict[str, Any]
) -> None:
    source = make()
    document = {name: value for name, value in source.items() if name != "type"} | change
    assert codes_of(client.put(path_of(source), json=document)) == {"/type": "required"}
    assert codes_of(client.put(path_of(source), json=change | {"name": "x"})) == {
        "/type": "required",
        "/path": "required",
    }


def test_I_07_five_and_a_fraction_of_zero_is_five(client: httpx2.Client) -> None:
    content = json.dumps(document_of("postgres", port=5)).replace('"port": 5', '"port": 5.0')
    answer = client.post(SOURCES, content=content, headers=JSON)
    assert (answer.status_code, answer.json()["port"]) == (201, 5)


@pytest.mark.parametrize(("sent", "meant"), [("pasword", "password"), ("hots", "host"), ("usrname", "username")])
def test_L_04_a_misspelt_field_gets_a_hint(client: httpx2.Client, sent: str, meant: str) -> None:
    item = client.post(SOURCES, json=document_of("postgres", **{sent: "x"})).json()["errors"][0]
    assert item["hint"] == f"Did you mean '{meant}'?"


@pytest.mark.parametrize("field", ["id", "created_at", "revision"])
def test_Z_04_what_the_server_makes_cannot_be_sent_anew(client: httpx2.Client, field: str, make: Make) -> None:
    value = make()[field]
    assert codes_of(client.post(SOURCES, json=document_of(**{field: value}))) == {f"/{field}": "immutable"}


@pytest.mark.parametrize(
    "field",
    ["owner", "workspace", "created_by", "etag", "integrity", "secrets", "fields", "bound", "wellhead_format", "_x"],
)
def test_Z_04_Z_05_nor_can_what_is_nobodys_field(client: httpx2.Client, make: Make, field: str) -> None:
    source = make("postgres", password="a password")
    expected = {f"/{field}": "unknown_field"}
    for value in ("x", None, {"/password": {"ct": "x"}}):
        assert codes_of(client.post(SOURCES, json=document_of(**{field: value}))) == expected
        assert codes_of(client.put(path_of(source), json=source | {field: value})) == expected
    assert codes_of(client.patch(path_of(source), json={field: {"a": 1}})) == expected


@pytest.mark.parametrize("change", [{"id": NOBODY}, {"type": "csv"}, {"created_at": "2020-01-01T00:00:00Z"}])
def test_X_04_what_is_immutable_cannot_be_changed(client: httpx2.Client, make: Make, change: dict[str, Any]) -> None:
    source = make("postgres", password="a password")
    expected = {f"/{name}": "immutable" for name in change}
    assert codes_of(client.put(path_of(source), json=source | change)).items() >= expected.items()
    assert codes_of(client.patch(path_of(source), json=change)) == expected
    assert client.get(path_of(source)).json() == source


def test_what_was_read_can_be_put_back_and_makes_no_revision(client: httpx2.Client, make: Make) -> None:
    source = make("postgres", password="a password", labels={"team": "x"}, description="Two\nlines.")
    answer = client.put(path_of(source), json=client.get(path_of(source)).json())
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
    assert answer.json() == source
    assert client.patch(path_of(source), json=source).headers["ETag"] == '"1"'


@pytest.mark.parametrize("end", ["+00:00", "000Z", "000+00:00"])
def test_a_client_may_write_instants_in_its_own_way(client: httpx2.Client, make: Make, end: str) -> None:
    def respelt(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: respelt(value) for name, value in node.items()}
        return node[:-1] + end if isinstance(node, str) and node.endswith("Z") else node

    source = make("postgres", password="a password")
    answer = client.put(path_of(source), json=respelt(source))
    assert (answer.status_code, answer.headers["ETag"], answer.json()) == (200, '"1"', source)


def test_fields_that_a_newer_read_may_have_are_ignored_when_they_come_back(client: httpx2.Client, make: Make) -> None:
    source = make()
    echoed = source | {"state": "invalid", "health": {"status": "passed"}, "updated_at": "2001-01-01T00:00:00Z"}
    assert client.put(path_of(source), json=echoed).headers["ETag"] == '"1"'


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_condition_on_another_revision_fails(client: httpx2.Client, make: Make, method: str) -> None:
    source = make()
    for tag in ('"2"', 'W/"1"', "1", ""):
        answer = client.request(method, path_of(source), json=source, headers={"If-Match": tag})
        assert code_of(answer, 412) == "revision_mismatch"
    assert client.request(method, path_of(source), json=source, headers={"If-Match": '"7", "1"'}).is_success


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_echoed_revision_is_a_condition_too(client: httpx2.Client, make: Make, method: str) -> None:
    source = make()
    answer = client.request(method, path_of(source), json=source | {"revision": 2})
    assert code_of(answer, 412) == "revision_mismatch"


def test_D_29_where_the_settings_require_a_condition_a_change_without_one_is_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "workspace").mkdir()
    with running_service(tmp_path / "workspace", tmp_path / "config", WELLHEAD_REQUIRE_IF_MATCH="true") as strict:
        client = strict.client
        source = client.post(SOURCES, json=document_of(name="guarded")).json()
        path = path_of(source)
        for method, place, body in (
            ("PUT", path, document_of(name="guarded")),
            ("PATCH", path, {"description": "x"}),
            ("POST", f"{path}/rollback", {"revision": 1}),
            ("DELETE", path, None),
        ):
            answer = client.request(method, place, json=body)
            assert code_of(answer, 428) == "precondition_required"
        assert client.get(path).json() == source
        assert client.patch(path, json={"description": "x", "revision": 1}).headers["ETag"] == '"2"'
        assert client.patch(path, json={"description": "y"}, headers={"If-Match": '"2"'}).is_success
        assert client.delete(path, headers={"If-Match": "*"}).status_code == 204


def test_D_28_a_change_and_back_leaves_the_old_tag_stale(client: httpx2.Client, make: Make) -> None:
    source = make(description="one")
    for text in ("two", "one"):
        client.patch(path_of(source), json={"description": text})
    answer = client.patch(path_of(source), json={"description": "x"}, headers={"If-Match": '"1"'})
    assert code_of(answer, 412) == "revision_mismatch"


@pytest.mark.parametrize(
    ("path", "headers", "content", "expected"),
    [
        ("{}", {"host": "evil.example", "authorization": "Bearer x"}, b"{", 421),
        ("{}", {"authorization": "Bearer x", "content-type": "text/plain"}, b"{", 401),
        ("/nothing", {"authorization": "Bearer x"}, b"{", 401),
        ("/nothing", {"content-type": "text/plain"}, b"{", 404),
        (f"{SOURCES}/{NOBODY}?bogus=1", {"content-type": "text/plain", "if-match": '"9"'}, b"{", 404),
        ("{}?bogus=1", {"content-type": "text/plain", "if-match": '"9"'}, b"x" * 300_000, 415),
        ("{}?bogus=1", {"if-match": '"9"'}, b"x" * 300_000, 413),
        ("{}?bogus=1", {"if-match": '"9"'}, b"{", 400),
        ("{}?bogus=1", {"if-match": '"9"'}, b'{"port": 0}', 422),
        ("{}", {"if-match": '"9"'}, b'{"port": 0}', 412),
        ("{}", {}, b'{"port": 0, "revision": 9}', 412),
        ("{}", {}, b'{"port": 0, "name": "taken"}', 422),
        ("{}", {}, b'{"name": "taken"}', 409),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_requests_are_looked_at_in_the_order_of_the_contract(
    client: httpx2.Client, make: Make, method: str, path: str, headers: dict[str, str], content: bytes, expected: int
) -> None:
    client.post(SOURCES, json=document_of(name="taken"))
    if method == "PUT" and content == b'{"name": "taken"}':
        content = b'{"name": "taken", "type": "gadget", "host": "127.0.0.1"}'
    source = make("gadget")
    answer = client.request(method, path.format(path_of(source)), headers=JSON | headers, content=content)
    assert answer.status_code == expected
    assert client.get(path_of(source)).json() == source


def test_the_order_holds_for_making_and_validating_too(client: httpx2.Client, make: Make) -> None:
    for path in (SOURCES, f"{SOURCES}/validate", path_of(make(), "validate")):
        for content, kind, expected in ((b"{", "text/plain", 415), (b"{", "application/json", 400)):
            answer = client.post(f"{path}?bogus=1", content=content, headers={"content-type": kind})
            assert answer.status_code == expected, path
        answer = client.post(f"{path}?bogus=1", json={"type": "oracle"})
        assert "bogus" in answer.text or answer.json()["errors"][0]["pointer"] == "/type", answer.text


def test_a_record_of_more_than_64_kib_is_too_large(client: httpx2.Client) -> None:
    headers = {f"X-Header-{number}": "x" * 1500 for number in range(49)}
    answer = client.post(SOURCES, json=document_of("webhook", headers=headers))
    assert code_of(answer, 413) == "record_too_large"


def test_a_patch_merges_maps_and_null_removes(client: httpx2.Client, make: Make) -> None:
    source = make(labels={"a": "1", "b": "2"}, description="gone", delimiter=";")
    patch = {"labels": {"a": None, "c": "3"}, "description": None, "delimiter": None}
    answer = client.patch(path_of(source), json=patch, headers={"content-type": "application/merge-patch+json"})
    assert answer.json()["labels"] == {"b": "2", "c": "3"}
    assert (answer.json()["description"], answer.json()["delimiter"]) == (None, ",")


def test_a_put_takes_what_it_leaves_out_back_to_its_default(client: httpx2.Client, make: Make) -> None:
    source = make(labels={"a": "1"}, description="gone", delimiter=";")
    answer = client.put(path_of(source), json={"name": source["name"], "type": "csv", "path": "x.csv"})
    document = answer.json()
    assert (document["labels"], document["description"], document["delimiter"]) == ({}, None, ",")


def test_the_types_are_listed_and_read(client: httpx2.Client) -> None:
    items = {item["name"]: item for item in client.get(f"{SOURCES}/types").json()["items"]}
    assert {"csv", "postgres", "gadget", "webhook"} <= items.keys()
    assert all(item["state"] == "ready" for item in items.values())
    detail = client.get(f"{SOURCES}/types/postgres").json()
    assert detail["examples"][0]["type"] == "postgres"
    assert {"host", "password"} <= detail["schema"]["properties"].keys()
    assert next(item for item in detail["parameters"] if item["name"] == "password")["secret"] is True


def test_L_17_the_types_have_no_examples_of_secrets(client: httpx2.Client) -> None:
    for item in client.get(f"{SOURCES}/types").json()["items"]:
        for parameter in item["parameters"]:
            if parameter["secret"]:
                assert (parameter["default"], parameter["examples"]) == (None, [])


def test_health_and_readiness_are_told_without_reasons(client: httpx2.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["status"] == "ready"


@pytest.mark.parametrize(
    "operation", [item for item in OPERATIONS if not item.is_open(Settings())], ids=lambda operation: operation.name
)
def test_I_10_a_parameter_that_is_not_known_is_refused_by_every_operation_and_nothing_is_done(
    client: httpx2.Client, make: Make, operation: Operation
) -> None:
    source = make()
    bodies = {"createDataSource": document_of(), "replaceDataSource": source, "rollBackDataSource": {"revision": 1}}
    body = bodies.get(operation.name, {}) if operation.method in {"POST", "PUT", "PATCH"} else None
    path, before = operation.path.format(source_id=source["id"], type_name="csv"), client.get(SOURCES).json()
    for query in ("bogus=", "bogus=1", "Force=true", "timeout=1&timeout=2"):
        answer = client.request(operation.method, f"{path}?{query}", json=body)
        assert code_of(answer, 422) in {"unknown_parameter", "repeated_parameter", "invalid"}
        assert query.startswith(answer.json()["errors"][0]["parameter"])
    assert client.get(SOURCES).json() == before


@pytest.mark.parametrize("port", ["true", '"5432"', "5432.5", "9007199254740992", "1" * 300, "[5432]", '"5_432"'])
def test_I_05_I_07_what_is_no_integer_is_not_made_one(client: httpx2.Client, port: str) -> None:
    content = json.dumps(document_of("postgres", port=5)).replace('"port": 5', f'"port": {port}')
    answer = client.post(SOURCES, content=content, headers=JSON)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/port"]
