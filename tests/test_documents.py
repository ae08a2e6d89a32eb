"""From a document that somebody sent to a configuration: shorthands, echoes, merge patches and kept secrets."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.canary import Canary
from support.types import API, DATABASE, DEEP, FACTS, MINIMAL, SHAPES, SOURCE_ID, DeepSource, document, stored
from wellhead.catalog.documents import check_echoed_revision, read_new, read_patch, read_replacement
from wellhead.errors import InputError, RevisionMismatchError
from wellhead.model.shape import Shape
from wellhead.model.source import DataSourceConfig
from wellhead.storage.changes import Change, change_of
from wellhead.storage.stored import StoredDataSource

FULL: dict[str, Any] = {
    "password": "a",
    "tokens": {"k": "b", "l": "c"},
    "proxy": {"host": "h", "password": "d"},
    "proxies": {"one": {"host": "h", "password": "e"}, "two": {"host": "h"}},
    "auth": {"kind": "basic", "user": "u", "password": "f"},
    "labels": {"team": "sales", "stage": "test"},
    "options": {"a": {"b": 1, "c": 2}},
    "tags": ["x"],
}
ALL = {"/password", "/tokens/k", "/tokens/l", "/proxy/password", "/proxies/one/password", "/auth/password"}


def fails(function: Any, *arguments: Any) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        function(*arguments)
    return {problem.pointer: problem.code for problem in caught.value.problems}


def patched(found: StoredDataSource, patch: dict[str, Any], shape: Shape = DEEP) -> tuple[DataSourceConfig, Change]:
    config = read_patch(shape, found, patch)
    return config, change_of(shape, found, config)


def replaced(found: StoredDataSource, sent: dict[str, Any], shape: Shape = DEEP) -> tuple[DataSourceConfig, Change]:
    config = read_replacement(shape, found, sent)
    return config, change_of(shape, found, config)


def kept(change: Change) -> set[str]:
    return {pointer for pointer, secret in change.secrets.items() if secret.is_sealed}


def test_a_patch_can_change_to_another_member_of_a_union() -> None:
    found = stored("deep", auth={"kind": "basic", "user": "u", "password": "p"})
    patch = {"auth": {"kind": "bearer", "token": "t", "user": None, "password": None}}
    _, change = patched(found, patch)
    assert set(change.secrets) == {"/auth/token"}
    assert fails(read_patch, DEEP, found, {"auth": {**patch["auth"], "user": "u"}}) == {"/auth/user": "unknown_field"}


@pytest.mark.parametrize("name", ["id", "created_at", "revision"])
def test_Z_04_what_the_server_makes_is_not_taken_for_a_new_data_source(name: str) -> None:
    assert fails(read_new, DEEP, document("deep", **{name: "x"})) == {f"/{name}": "immutable"}


def test_what_a_read_returned_can_be_cleared_of_what_the_server_made_and_sent_as_new() -> None:
    read = {**stored("deep").as_document(), "id": None, "revision": None, "created_at": None}
    assert read_new(DEEP, read).name == "warehouse"


def test_a_document_needs_a_name_unless_it_is_only_tried() -> None:
    nameless = {"type": "deep"}
    assert fails(read_new, DEEP, nameless) == {"/name": "required"}
    assert read_new(DEEP, nameless, needs_name=False)
    with pytest.raises(InputError):
        read_new(DEEP, {"type": "deep", "name": ""}, needs_name=False)


def test_a_new_data_source_has_nothing_to_keep() -> None:
    config = read_new(DEEP, document("deep", password=FACTS.as_document(), tokens={"k": FACTS.as_document()}))
    assert fails(change_of, DEEP, None, config) == {"/password": "secret_required", "/tokens/k": "secret_required"}


def test_null_in_a_map_of_secrets_is_no_entry() -> None:
    config = read_new(DEEP, document("deep", tokens={"a": None, "b": "x"}))
    assert isinstance(config, DeepSource)
    assert set(config.tokens) == {"b"}


@pytest.mark.parametrize("name", MINIMAL)
def test_what_get_returned_can_be_put_back_and_is_no_change(name: str) -> None:
    found = stored(name)
    read = json.loads(json.dumps(found.as_document()))
    assert not replaced(found, read, SHAPES[name])[1].is_change
    assert not patched(found, read, SHAPES[name])[1].is_change
    assert not patched(found, {}, SHAPES[name])[1].is_change


SECRETS = st.text("abc", min_size=1, max_size=5)
PROXIES = st.fixed_dictionaries({"host": st.just("h")}, optional={"password": SECRETS | st.none(), "notes": SECRETS})
SOURCES = st.fixed_dictionaries(
    {},
    optional={
        "description": st.none() | st.text("ab\n", max_size=5),
        "labels": st.dictionaries(SECRETS, SECRETS, max_size=3),
        "count": st.integers(-9, 9),
        "ratio": st.floats(-5, 5) | st.integers(-5, 5),
        "password": SECRETS | st.none() | st.just({"ref": "env:A"}),
        "tokens": st.dictionaries(st.text("a/~ ", max_size=3), SECRETS, max_size=3),
        "proxy": st.none() | PROXIES,
        "proxies": st.dictionaries(st.text("a/~", max_size=3), PROXIES, max_size=3),
        "auth": st.none()
        | st.fixed_dictionaries({"kind": st.just("basic"), "user": SECRETS, "password": SECRETS})
        | st.fixed_dictionaries({"kind": st.just("bearer"), "token": SECRETS}),
        "tags": st.lists(SECRETS, max_size=3),
        "options": st.dictionaries(SECRETS, st.none() | st.integers(0, 5) | st.lists(SECRETS, max_size=2), max_size=3),
        "either": st.integers(0, 5) | SECRETS,
    },
)


@given(SOURCES)
@settings(max_examples=200, deadline=None)
def test_whatever_was_saved_and_read_can_be_put_back_and_is_no_change(fields: dict[str, Any]) -> None:
    found = stored("deep", **fields)
    read = json.loads(json.dumps(found.as_document()))
    assert not replaced(found, read)[1].is_change
    assert not replaced(found, {name: value for name, value in read.items() if value is not None})[1].is_change


@given(SOURCES, SOURCES)
@settings(max_examples=150, deadline=None)
def test_X_01_no_secret_is_kept_when_a_field_that_it_is_bound_to_changes(one: Any, other: Any) -> None:
    found = stored("deep", **one)
    try:
        config, change = replaced(found, document("deep", **other))
    except InputError as error:
        assert {problem.code for problem in error.problems} == {"secret_required"}  # noqa: PT017  # either outcome is right, and each has its own claim
        assert {problem.pointer for problem in error.problems} <= found.facts.keys()  # noqa: PT017  # either outcome is right, and each has its own claim
    else:
        assert not (change.moved and kept(change))
        assert config.name == "warehouse"


@pytest.mark.parametrize(
    "change",
    [
        {"host": "evil.example"},
        {"count": 2},
        {"tags": []},
        {"options": {"a": None}},
        {"proxy": {"host": "e"}},
        {"auth": {"user": "e"}},
        {"either": "x"},
    ],
)
def test_X_01_X_02_each_secret_that_would_move_is_named(change: dict[str, Any]) -> None:
    found = stored("deep", **FULL)
    assert fails(patched, found, change) == dict.fromkeys(ALL, "secret_required")


@pytest.mark.parametrize(
    "change",
    [
        {"host": "evil.example"},
        {"port": 5433},
        {"database": "other"},
        {"username": "other"},
        {"tls_mode": "require"},
        {"tls_mode": "disable"},
    ],
)
def test_X_02_every_part_of_a_databases_destination_counts(change: dict[str, Any]) -> None:
    found = stored("mydb", password="p")
    assert fails(patched, found, change, DATABASE) == {"/password": "secret_required"}
    assert fails(replaced, found, document("mydb", **change), DATABASE) == {"/password": "secret_required"}
    assert patched(found, change | {"password": "new"}, DATABASE)[1].moved


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://api.example.com/v1"},
        {"url": "https://api.example.com/v2"},
        {"health_path": "/x"},
        {"headers": {"A": "b"}},
        {"method": "HEAD"},
    ],
)
def test_X_02_every_part_of_an_apis_destination_counts(change: dict[str, Any]) -> None:
    found = stored("web", auth_type="bearer", token="t", secret_headers={"K": "v"})
    assert fails(patched, found, change, API) == {"/token": "secret_required", "/secret_headers/K": "secret_required"}


@pytest.mark.parametrize("change", [{"name": "n"}, {"description": "d"}, {"labels": {"a": "b"}}, {"retries": 9}])
def test_a_change_of_what_is_harmless_keeps_the_secrets(change: dict[str, Any]) -> None:
    _, made = patched(stored("deep", **FULL), change)
    assert made.is_change
    assert made.moved == ()
    assert kept(made) == ALL


@pytest.mark.parametrize("secret", ["new", {"ref": "env:NEW"}, None])
def test_a_move_is_allowed_with_every_secret_sent_anew(secret: Any) -> None:
    config, change = patched(
        stored("deep", password="a", tokens={"k": "b"}), {"host": "h2", "password": secret, "tokens": {"k": secret}}
    )
    assert change.moved == ("host",)
    assert kept(change) == set()
    assert set(change.secrets) == (set() if secret is None else {"/password", "/tokens/k"})
    assert isinstance(config, DeepSource)


def test_X_01_facts_sent_back_do_not_count_as_sent_anew() -> None:
    found = stored("mydb", password="p")
    assert fails(patched, found, {"host": "e", "password": FACTS.as_document()}, DATABASE) == {
        "/password": "secret_required"
    }


def test_X_04_the_type_cannot_be_changed() -> None:
    found = stored("deep", password="p")
    assert fails(read_replacement, DEEP, found, {"name": "n", "type": "web"})["/type"] == "immutable"
    assert fails(read_patch, DEEP, found, {"type": "web"}) == {"/type": "immutable"}
    assert fails(read_patch, DEEP, found, {"type": 5}) == {"/type": "immutable"}
    assert not patched(found, {"type": None})[1].is_change


def test_X_08_what_was_stored_as_a_secret_is_not_shown_though_the_type_no_longer_has_it() -> None:
    found = stored("deep", password="p", tokens={"k": "v"})
    shown = found.as_document()
    assert shown["password"] == FACTS.as_document()
    plain = Shape(DEEP.model, type(DEEP.root)({}), DEEP.bound | {"password"}, DEEP.defaults)
    assert plain.without_secrets({"password": "x"}) == {"password": "x"}
    assert found.fields.keys().isdisjoint({"password"})


def test_a_secret_that_is_left_out_is_kept_and_a_key_that_is_left_out_is_removed() -> None:
    found = stored("deep", **FULL)
    sent = found.as_document()
    del sent["password"], sent["tokens"]["k"], sent["proxy"]["password"], sent["auth"]["password"]
    config, change = replaced(found, sent)
    assert kept(change) == ALL - {"/tokens/k"}
    assert change.is_change
    assert isinstance(config, DeepSource)
    assert set(config.tokens) == {"l"}


def test_a_map_of_secrets_that_is_left_out_is_kept_whole() -> None:
    found = stored("deep", tokens={"k": "b", "a/b~": "c"})
    _, change = replaced(found, document("deep"))
    assert kept(change) == {"/tokens/k", "/tokens/a~1b~0"}
    assert not change.is_change


def test_a_map_that_is_sent_empty_removes_its_secrets() -> None:
    _, change = replaced(stored("deep", tokens={"k": "b"}, password="p"), document("deep", tokens={}))
    assert set(change.secrets) == {"/password"}


def test_an_object_that_is_left_out_is_removed_with_its_secret_and_counts_as_a_move() -> None:
    found = stored("deep", proxy={"host": "h", "password": "d"}, password="a")
    assert fails(replaced, found, document("deep")) == {"/password": "secret_required"}
    _, change = replaced(found, document("deep", password="new"))
    assert set(change.secrets) == {"/password"}


def test_null_clears_a_secret() -> None:
    found = stored("deep", **FULL)
    _, change = patched(found, {"password": None, "tokens": {"k": None}, "proxy": {"password": None}})
    assert set(change.secrets) == ALL - {"/password", "/tokens/k", "/proxy/password"}
    assert fails(patched, found, {"auth": {"password": None}}) == {"/auth/password": "required"}


@pytest.mark.parametrize(
    "facts",
    [{"set_in_revision": 2}, {"set_at": "2026-11-23T08:15:00.121Z"}, {"ref": "env:A"}],
)
def test_facts_that_differ_from_the_stored_ones_are_refused(facts: dict[str, Any]) -> None:
    sent = {"password": {**FACTS.as_document(), **facts}}
    assert fails(patched, stored("deep", password="p"), sent) == {"/password": "secret_state_changed"}


CHANGED_FACTS: list[dict[str, Any]] = [
    {"is_set": True},
    {"is_set": False},
    {"is_set": False, "set_at": None, "set_in_revision": None},
    {"is_set": 1, "set_at": "2026-11-23T08:15:00.120Z", "set_in_revision": 1},
    {"is_set": True, "set_at": "2026-11-23T08:15:00.120Z"},
    {"is_set": True, "set_at": "2026-11-23T08:15:00.120Z", "set_in_revision": True},
    {"is_set": True, "set_at": "2026-11-23T08:15:00.120Z", "set_in_revision": "1"},
    {"is_set": True, "set_at": "yesterday", "set_in_revision": 1},
    {"is_set": True, "set_at": 5, "set_in_revision": 1},
    {"is_set": True, "set_at": "0001-01-01T00:00:00+14:00", "set_in_revision": 1},
    {"is_set": True, "set_at": "2026-11-23T08:15:00.120Z", "set_in_revision": 1, "ref": 5},
]


@pytest.mark.parametrize("facts", CHANGED_FACTS)
def test_facts_that_no_read_returned_are_refused_as_changed_where_something_is_stored(facts: dict[str, Any]) -> None:
    found = stored("deep", password="p", tokens={"k": "v"})
    assert fails(patched, found, {"password": facts}) == {"/password": "secret_state_changed"}
    assert fails(replaced, found, document("deep", password=facts)) == {"/password": "secret_state_changed"}
    assert fails(patched, found, {"tokens": {"k": facts}}) == {"/tokens/k": "secret_state_changed"}
    assert fails(patched, stored("deep"), {"password": facts}) == {"/password": "secret_required"}


def test_facts_are_compared_as_instants() -> None:
    sent = {"password": {**FACTS.as_document(), "set_at": "2026-11-23T09:15:00.12+01:00"}}
    assert not patched(stored("deep", password="p"), sent)[1].is_change


def test_facts_where_nothing_is_stored_are_refused() -> None:
    found = stored("deep")
    assert fails(patched, found, {"password": FACTS.as_document()}) == {"/password": "secret_required"}
    assert fails(patched, found, {"tokens": {"k": FACTS.as_document()}}) == {"/tokens/k": "secret_required"}


def test_L_22_a_literal_always_counts_as_a_change() -> None:
    found = stored("deep", password="p")
    assert patched(found, {"password": "p"})[1].is_change
    assert patched(found, {"password": "q"})[1].is_change


def test_the_same_reference_is_no_change_and_another_is() -> None:
    found = stored("deep", password={"ref": "env:A"})
    assert not patched(found, {"password": {"ref": "env:A"}})[1].is_change
    assert patched(found, {"password": {"ref": "env:B"}})[1].is_change


def test_a_merge_patch_follows_rfc_7396() -> None:
    config, _ = patched(
        stored("deep", **{name: value for name, value in FULL.items() if name in {"labels", "options", "tags"}}),
        {
            "labels": {"team": None, "new": "x"},
            "options": {"a": {"b": None}, "z": [None]},
            "tags": ["y"],
            "count": None,
        },
    )
    assert isinstance(config, DeepSource)
    assert config.labels == {"stage": "test", "new": "x"}
    assert config.options == {"a": {"c": 2}, "z": [None]}
    assert (config.tags, config.count) == (["y"], 1)


def test_a_secret_is_one_value_in_a_patch_and_never_merged() -> None:
    found = stored("deep", password={"ref": "env:A"}, tokens={"k": "v"})
    assert fails(patched, found, {"password": {"set_in_revision": 5}}) == {"/password": "secret_form"}
    assert fails(patched, found, {"tokens": {"k": {}}}) == {"/tokens/k": "secret_form"}
    _, change = patched(found, {"tokens": {"m": "w"}})
    assert kept(change) == {"/password", "/tokens/k"}
    assert change.secrets["/tokens/m"].is_clear


@pytest.mark.parametrize(
    "patch", [{"tokens": 5}, {"tokens": ["a"]}, {"proxy": "x"}, {"proxies": {"one": 5}}, {"auth": []}]
)
def test_a_patch_of_another_form_is_refused_at_its_place(patch: dict[str, Any]) -> None:
    found = fails(patched, stored("deep", **FULL), patch)
    assert set(found.values()) == {"wrong_type"}


def test_a_patch_that_clears_a_required_field_is_refused() -> None:
    assert fails(patched, stored("mydb"), {"host": None, "name": None}, DATABASE) == {
        "/host": "required",
        "/name": "required",
    }


@pytest.mark.parametrize(
    ("patch", "pointer"), [({"pasword": None}, "/pasword"), ({"proxy": {"pasword": None}}, "/proxy/pasword")]
)
def test_Z_05_null_for_a_field_that_there_is_not_is_refused(patch: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InputError) as caught:
        read_patch(DEEP, stored("deep", **FULL), patch)
    assert [(problem.pointer, problem.hint) for problem in caught.value.problems] == [
        (pointer, "Did you mean 'password'?")
    ]


def test_null_takes_away_what_is_stored_though_the_type_has_no_such_field() -> None:
    found = stored("deep")
    found = replace(found, config=None, fields={**found.fields, "former": 1})
    assert fails(read_patch, DEEP, found, {"note": "x"}) == {"/former": "unknown_field"}
    assert read_patch(DEEP, found, {"former": None}).name == found.name


def test_a_connection_string_in_a_patch_keeps_the_password_only_for_the_same_place() -> None:
    found = stored("mydb", password="p")
    same = "mydb://reader@DB.example.com:5432/sales"
    assert not patched(found, {"connection_string": same}, DATABASE)[1].is_change
    assert fails(patched, found, {"connection_string": "mydb://reader@evil/sales"}, DATABASE) == {
        "/password": "secret_required"
    }
    assert patched(found, {"connection_string": "mydb://reader:new@evil/sales"}, DATABASE)[1].moved == ("host",)
    assert fails(patched, found, {"connection_string": same, "port": 1}, DATABASE) == {
        "/port": "connection_string_conflict"
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "11111111-6b0a-4a53-9d39-0c7f4f1f2a11"),
        ("id", 5),
        ("id", SOURCE_ID.upper()),
        ("created_at", "2026-01-01T00:00:00Z"),
        ("created_at", 5),
        ("created_at", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_an_echo_that_differs_is_refused(name: str, value: Any) -> None:
    found = stored("deep")
    assert fails(read_replacement, DEEP, found, document("deep", **{name: value})) == {f"/{name}": "immutable"}
    assert fails(read_patch, DEEP, found, {name: value}) == {f"/{name}": "immutable"}


def test_what_may_be_echoed_is_ignored_and_instants_are_compared_as_such() -> None:
    echoed = {
        "updated_at": "x",
        "state": 5,
        "health": [],
        "created_at": "2026-11-23T09:15:00.120+01:00",
        "id": SOURCE_ID,
    }
    assert not patched(stored("deep"), echoed)[1].is_change


def test_an_echoed_revision_is_held() -> None:
    found = stored("deep", revision=3)
    check_echoed_revision(found, {"revision": 3})
    check_echoed_revision(found, {})
    with pytest.raises(RevisionMismatchError) as caught:
        check_echoed_revision(found, {"revision": 2})
    assert caught.value.stored == 3


@pytest.mark.parametrize("revision", ["3", True, 3.5, [3], {}])
def test_an_echoed_revision_is_an_integer(revision: object) -> None:
    assert fails(read_patch, DEEP, stored("deep"), {"revision": revision}) == {"/revision": "wrong_type"}


def test_all_that_is_wrong_with_a_change_is_told_at_once() -> None:
    sent = {"id": "x", "type": "y", "count": "z", "unknown": 1, "name": ""}
    assert fails(read_patch, DEEP, stored("deep"), sent) == {
        "/id": "immutable",
        "/type": "immutable",
        "/count": "wrong_type",
        "/unknown": "unknown_field",
        "/name": "name_syntax",
    }


def test_X_01_no_secret_is_in_any_problem_of_a_change(canary: Canary) -> None:
    value = canary.secret()
    found = stored("deep", **FULL)
    for sent in (
        {"password": value, value: 1},
        {"tokens": {value: 5}, "password": value, "host": value},
        {"note": value, "host": "h2"},
    ):
        for function in (read_patch, read_replacement):
            try:
                change_of(DEEP, found, function(DEEP, found, {"name": "n", **sent}))
            except InputError as error:
                canary.saw(str(error) + json.dumps([problem.as_document() for problem in error.problems]))


@given(
    st.dictionaries(
        st.sampled_from(sorted(DEEP.model.model_fields)),
        st.recursive(
            st.none() | st.integers(0, 3) | SECRETS,
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(["k", "host", "password", "kind"]), inner, max_size=2)
            ),
            max_leaves=4,
        ),
        max_size=4,
    )
)
@settings(max_examples=200, deadline=None)
def test_any_patch_is_applied_or_refused_and_never_crashes(patch: dict[str, Any]) -> None:
    try:
        config, change = patched(stored("deep", **FULL), patch)
    except InputError as error:
        assert error.problems  # noqa: PT017  # either outcome is right, and each has its own claim
    else:
        assert config.type == "deep"
        assert change.is_change or kept(change) == ALL
