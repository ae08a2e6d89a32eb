"""The key ring and its text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellhead import base64url
from wellhead.errors import InputError
from wellhead.secrets.keyring import KeyRing

AN_ENTRY = {"id": "k1", "state": "primary", "key": base64url.encode(bytes(32))}


def text_of(*entries: Any, **members: Any) -> bytes:
    return json.dumps({"format": "wellhead-keys/1", "keys": list(entries), **members}).encode()


@given(st.binary(max_size=100) | st.integers(0, 80).map(lambda place: text_of(AN_ENTRY)[:place]))
def test_a_damaged_ring_raises_nothing_else(content: bytes) -> None:
    with pytest.raises((ValueError, InputError)):
        KeyRing.from_bytes(content)


def test_C_09_a_disabled_or_unknown_key_is_not_found() -> None:
    ring = KeyRing.from_bytes(text_of(AN_ENTRY, {**AN_ENTRY, "id": "k2", "state": "disabled"}))
    assert ring.find("k2") is None
    assert ring.find("k3") is None


def states_of(ring: KeyRing) -> dict[str, str]:
    return {key.id: key.state for key in ring.keys}


@pytest.mark.parametrize("primary", [True, False])
def test_a_new_key_is_the_last_one_and_leaves_the_others_usable(primary: bool) -> None:
    ring = KeyRing.from_bytes(text_of(AN_ENTRY))
    changed = ring.with_new_key(primary=primary)
    new = changed.keys[-1]
    assert states_of(changed) == (
        {"k1": "enabled", new.id: "primary"} if primary else {"k1": "primary", new.id: "enabled"}
    )
    assert (changed.primary is new) is primary
    assert len(new.material) == 32
    assert new.created_at is not None
    assert states_of(ring) == {"k1": "primary"}


def test_a_key_changes_its_state_or_is_left_out() -> None:
    ring = KeyRing.from_bytes(text_of(AN_ENTRY)).with_new_key(primary=True)
    disabled = ring.with_state("k1", "disabled")
    assert disabled.find("k1") is None
    assert disabled.named("k1") is not None
    assert disabled.with_state("k1", "enabled").find("k1") is not None
    assert states_of(disabled.without("k1")) == {ring.primary.id: "primary"}
    assert states_of(ring.with_primary("k1")) == {"k1": "primary", ring.primary.id: "enabled"}


def test_a_ring_without_its_primary_key_cannot_be_made() -> None:
    ring = KeyRing.from_bytes(text_of(AN_ENTRY))
    for change in (lambda: ring.without("k1"), lambda: ring.with_state("k1", "disabled")):
        with pytest.raises(ValueError, match="exactly one primary"):
            change()


def test_what_another_version_wrote_into_the_ring_is_kept() -> None:
    text = text_of({**AN_ENTRY, "created_at": "2026-11-25T08:00:00.000Z", "note": "of Ada"}, origin="vault")
    changed = json.loads(KeyRing.from_bytes(text).with_new_key(primary=True).to_bytes())
    assert changed["origin"] == "vault"
    assert changed["keys"][0] == {**json.loads(text)["keys"][0], "state": "enabled"}


def test_C_07_the_text_of_a_ring_reads_back_as_it_was() -> None:
    ring = KeyRing.first().with_new_key(primary=False)
    assert KeyRing.from_bytes(ring.to_bytes()).to_bytes() == ring.to_bytes()
    assert KeyRing.from_bytes(ring.to_bytes()).keys == ring.keys


@pytest.mark.parametrize("key_id", ["", "a" * 65, "k 1", "k\x1b[1m", "é", "../k"])
def test_an_id_that_could_steer_a_terminal_is_refused(key_id: str) -> None:
    with pytest.raises(ValueError, match="id"):
        KeyRing.from_bytes(text_of({**AN_ENTRY, "id": key_id}))


@pytest.mark.parametrize("created_at", ["yesterday", 5, ""])
def test_an_instant_that_is_none_is_refused(created_at: Any) -> None:
    with pytest.raises(ValueError, match="instant"):
        KeyRing.from_bytes(text_of({**AN_ENTRY, "created_at": created_at}))
