"""`Secret`: a value that is never shown."""

import copy
import json
import pickle
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import wellhead
from support.canary import Canary
from support.types import FACTS, DeepSource, codes, make_type
from wellhead import Secret, SecretFacts
from wellhead.errors import SecretUnavailableError

KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def test_a_secret_shows_its_value_only_by_reveal(canary: Canary) -> None:
    value = canary.secret()
    config = DeepSource(name="n", password=Secret(value), tokens={"a": Secret(value)})
    for shown in (
        repr(config),
        str(config),
        f"{config.password}",
        f"{config!r:>10}",
        config.model_dump_json(),
        repr(config.model_dump()),
    ):
        canary.saw(shown)
    canary.saw(json.dumps(config.model_dump(mode="json")))
    assert config.password is not None
    assert config.password.reveal() == value


def test_a_secret_cannot_be_pickled_and_a_copy_is_itself() -> None:
    secret = Secret("hunter2")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="a Secret cannot be pickled"):
            pickle.dumps(secret, protocol)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize("secret", [Secret.from_reference("env:A"), Secret.sealed(FACTS)])
def test_what_is_not_in_clear_cannot_be_revealed(secret: Secret) -> None:
    assert not secret.is_clear
    with pytest.raises(SecretUnavailableError, match="not in clear"):
        secret.reveal()


def test_secrets_are_equal_only_in_the_same_state() -> None:
    states = [Secret("a"), Secret("b"), Secret.from_reference("env:A"), Secret.sealed(FACTS)]
    again = [Secret("a"), Secret("b"), Secret.from_reference("env:A"), Secret.sealed(FACTS)]
    assert [[one == other for other in again] for one in states] == [[i == j for j in range(4)] for i in range(4)]
    assert len({*states, *again}) == 4
    assert Secret("a") != "a"


@pytest.mark.parametrize("reference", ["env:PG_PASSWORD", "env:_a1", "file:/run/secrets/pg", "file:/a b/ü"])
def test_a_reference_is_taken(reference: str) -> None:
    config = DeepSource.model_validate_json(json.dumps({"name": "n", "password": {"ref": reference}}))
    assert config.password is not None
    assert config.password.reference == reference
    assert config.model_dump(mode="json")["password"] == {"is_set": True, "ref": reference}


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "env:",
        "env:1A",
        "env:A-B",
        "env:A B",
        "ENV:A",
        "file:",
        "file:a",
        "file:/",
        "file:/a\n",
        "http://h/",
        "env:A\n",
        5,
        None,
        ["env:A"],
    ],
)
def test_a_reference_of_another_form_is_refused(reference: object) -> None:
    assert codes("deep", password={"ref": reference}) == {"/password": "reference_syntax"}


@pytest.mark.parametrize(
    "value",
    [5, True, 1.5, [], ["hunter2"], {}, {"value": "x"}, {"ref": "env:A", "x": 1}, {"set_in_revision": 1},
     {"is_set": True, "set_at": "2026-11-23T08:15:00Z", "set_in_revision": 1, "value": "x"}],
)  # fmt: skip
def test_a_secret_in_none_of_its_forms_is_refused(value: object) -> None:
    assert codes("deep", password=value) == {"/password": "secret_form"}


def test_an_empty_secret_is_refused() -> None:
    assert codes("deep", password="", tokens={"a": ""}) == {"/password": "secret_empty", "/tokens/a": "secret_empty"}


def test_null_clears_a_secret_unless_the_type_requires_it() -> None:
    assert codes("deep", password=None) == {}
    shape = make_type(password=Secret).shape
    with pytest.raises(ValidationError) as caught:
        shape.model.model_validate_json('{"name": "n", "password": null}')
    assert [item["type"] for item in caught.value.errors()] == ["required"]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
@settings(max_examples=100, deadline=None)
def test_a_value_is_literal_whatever_it_looks_like(value: str) -> None:
    text = json.dumps({"name": "n", "password": value})
    try:
        config = DeepSource.model_validate_json(text)
    except ValidationError as error:
        assert [item["type"] for item in error.errors()] == ["control_character"]  # noqa: PT017  # either outcome is right, and each has its own claim
    else:
        assert config.password is not None
        assert config.password.reveal() == value


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.integers(1, 2**40), st.none() | st.just("env:A"))
@settings(max_examples=60, deadline=None)
def test_facts_come_back_as_they_were_written(instant: datetime, revision: int, reference: str | None) -> None:
    facts = SecretFacts(instant.replace(microsecond=0, tzinfo=UTC), revision, reference)
    assert SecretFacts.from_document(json.loads(json.dumps(facts.as_document()))) == facts


@pytest.mark.parametrize(
    ("pem", "code"),
    [
        (KEY, None),
        (KEY.replace("PRIVATE", "RSA PRIVATE"), None),
        (KEY.replace("PRIVATE", "ENCRYPTED PRIVATE"), "pem_encrypted"),
        (KEY.replace("\nAAAA", "\nProc-Type: 4,ENCRYPTED\n\nAAAA"), "pem_encrypted"),
        (CERTIFICATE, "pem_syntax"),
        ("hunter2", "pem_syntax"),
        (KEY.replace("AAAA", "AA\0AA"), "control_character"),
    ],
)
def test_a_secret_key_is_a_pem_text_without_a_passphrase(pem: str, code: str | None) -> None:
    found = codes("mydb", client_certificate=CERTIFICATE, client_key=pem)
    assert found == ({} if code is None else {"/client_key": code})


def test_G_15_a_key_is_refused_in_no_time_however_often_it_begins() -> None:
    began = time.process_time()
    found = codes("mydb", client_certificate=CERTIFICATE, client_key="-----BEGIN PRIVATE KEY-----" * 9_000)
    assert found == {"/client_key": "pem_syntax"}
    assert time.process_time() - began < 1


def test_the_root_names_are_these() -> None:
    assert wellhead.Secret is Secret
    assert wellhead.SecretFacts is SecretFacts
