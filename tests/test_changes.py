"""What a new state changes, and the rule that holds secrets to their destination."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.probe import NO_ID, ProbeSource, Proxy
from wellhead import Secret, SecretFacts
from wellhead.errors import InputError
from wellhead.model.shape import shape_of
from wellhead.model.source import BASE_FIELDS
from wellhead.storage.changes import Change, change_of
from wellhead.storage.records import Record, as_stored
from wellhead.storage.stored import StoredDataSource

SHAPE = shape_of(ProbeSource)
FACTS = SecretFacts(datetime(2026, 11, 23, tzinfo=UTC), 1)
REFERENCE = SecretFacts(datetime(2026, 11, 23, tzinfo=UTC), 1, "env:A")
KEPT = Secret.sealed(FACTS)
EVERYWHERE: dict[str, Any] = {"password": KEPT, "tokens": {"a/b": KEPT}, "proxy": Proxy(url="u", token=KEPT)}


def config(**changes: Any) -> ProbeSource:
    return ProbeSource(**{"name": "n", "host": "h", **EVERYWHERE, **changes})


def stored_as(made: ProbeSource, facts: SecretFacts = FACTS, state: Any = "ok") -> StoredDataSource:
    fields = as_stored(SHAPE.without_secrets(made.model_dump(mode="json", exclude=set(BASE_FIELDS))))
    places = {"/password": made.password, "/tokens/a~1b": made.tokens, "/proxy/token": made.proxy}
    pointers = [pointer for pointer, secret in places.items() if secret]
    record = Record(NO_ID, "probe", made.name, made.description, dict(made.labels), "", "", 1, fields)
    return StoredDataSource(NO_ID, state, made.name, "probe", 1, made, record, fields, dict.fromkeys(pointers, facts))


STORED = stored_as(config())


def problems(new: ProbeSource, stored: StoredDataSource | None = STORED) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        change_of(SHAPE, stored, new)
    return {problem.pointer: problem.code for problem in caught.value.problems}


def change(new: ProbeSource, stored: StoredDataSource | None = STORED) -> Change:
    return change_of(SHAPE, stored, new)


def test_what_is_equal_to_what_is_stored_is_no_change() -> None:
    assert not change(config()).is_change
    assert change(config()).moved == ()


@pytest.mark.parametrize("field", [{"name": "m"}, {"description": "d"}, {"labels": {"a": "b"}}, {"note": "x"}])
def test_harmless_fields_change_without_the_secrets(field: dict[str, Any]) -> None:
    assert change(config(**field)).is_change
    assert change(config(**field)).moved == ()


@pytest.mark.parametrize(
    "field", [{"host": "attacker"}, {"ratio": 2.0}, {"options": {"a": 1}}, {"proxy": Proxy(url="attacker", token=KEPT)}]
)
def test_X_01_X_02_a_change_of_any_other_field_asks_for_every_secret_that_is_kept(field: dict[str, Any]) -> None:
    assert problems(config(**field)) == dict.fromkeys(["/password", "/tokens/a~1b", "/proxy/token"], "secret_required")


def test_X_01_a_secret_that_is_sent_anew_does_not_bring_the_others_along() -> None:
    assert problems(config(host="attacker", password="new")).keys() == {"/tokens/a~1b", "/proxy/token"}


@pytest.mark.parametrize("new", ["value", {"ref": "env:A"}, None])
def test_a_destination_changes_with_every_secret_sent_anew_referred_to_or_cleared(new: Any) -> None:
    moved = config(host="new", password=new, tokens={"a/b": "new"}, proxy=None)
    assert change(moved).moved == ("host", "proxy")


def test_null_and_default_are_different_destinations() -> None:
    assert "/password" in problems(config(options={"a": None}))


@pytest.mark.parametrize(("before", "after"), [(True, 1), (1, True), (0, False), ([1], [True]), ("1", 1)])
def test_values_that_only_python_takes_for_equal_are_a_change(before: Any, after: Any) -> None:
    stored = stored_as(config(options={"a": before}))
    assert "/password" in problems(config(options={"a": after}), stored)


def test_numbers_that_are_equal_in_json_are_no_change() -> None:
    stored = stored_as(config(ratio=5.0, options={"a": 1.0}))
    assert not change(config(ratio=5, options={"a": 1}), stored).is_change


def test_a_literal_secret_always_counts_as_a_change() -> None:
    assert change(config(password="whatever is stored")).is_change


def test_the_stored_reference_again_is_no_change_and_another_one_is() -> None:
    stored = stored_as(config(password=Secret.sealed(REFERENCE), tokens={}, proxy=None), REFERENCE)
    same = config(password=Secret.from_reference("env:A"), tokens={}, proxy=None)
    other = config(password=Secret.from_reference("env:B"), tokens={}, proxy=None)
    assert not change(same, stored).is_change
    assert change(other, stored).is_change


@pytest.mark.parametrize("removed", [{"password": None}, {"tokens": {}}, {"proxy": Proxy(url="u")}])
def test_clearing_a_secret_is_a_change(removed: dict[str, Any]) -> None:
    assert change(config(**removed)).is_change


@pytest.mark.parametrize(
    "facts", [SecretFacts(FACTS.set_at, 2), SecretFacts(datetime(2026, 11, 24, tzinfo=UTC), 1), REFERENCE]
)
def test_facts_that_are_not_those_that_are_stored_are_refused(facts: SecretFacts) -> None:
    assert problems(config(password=Secret.sealed(facts))) == {"/password": "secret_state_changed"}


def test_what_is_not_stored_cannot_be_kept() -> None:
    assert problems(config(tokens={"a/b": KEPT, "new": KEPT})) == {"/tokens/new": "secret_required"}
    assert problems(config(), None).keys() == {"/password", "/tokens/a~1b", "/proxy/token"}


def test_a_state_that_is_not_ok_is_always_a_change() -> None:
    assert change(config(), stored_as(config(), state="secret_unavailable")).is_change


@given(st.sampled_from(["host", "options"]), st.text("ahé ", max_size=3))
def test_X_02_no_secret_is_kept_across_any_change_of_destination(name: str, text: str) -> None:
    new = config(**{name: text if name == "host" else {"a": text}})
    try:
        kept = [secret for secret in change(new).secrets.values() if secret.is_sealed]
    except InputError:
        return
    assert not kept or (new.host, new.options) == ("h", {})
