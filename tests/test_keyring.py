"""The key ring in its file."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.faults import give_away
from support.probe import names_in, open_descriptors
from support.workers import make_keys, together
from wellhead import base64url
from wellhead.errors import InputError, KeyRingError
from wellhead.secrets.keyring import FileKeys, Key, KeyRing

AN_ENTRY = {"id": "k1", "state": "primary", "key": base64url.encode(bytes(32))}


def text_of(*entries: Any, **members: Any) -> bytes:
    return json.dumps({"format": "wellhead-keys/1", "keys": list(entries), **members}).encode()


def ring_at(path: Path, content: bytes | None = None, *, may_create: bool = True, **options: Any) -> FileKeys:
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    return FileKeys(path, may_create=lambda: may_create, **options)


def test_C_14_a_first_key_is_made_of_32_random_bytes_in_a_private_file(tmp_path: Path) -> None:
    one = ring_at(tmp_path / "a" / "b" / "keys.json").ring_for_writing().primary
    other = ring_at(tmp_path / "other.json").ring_for_writing().primary
    assert len(one.material) == 32
    assert one.material != other.material
    assert one.id != other.id
    assert (tmp_path / "a" / "b" / "keys.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_key_that_was_made_is_read_again(tmp_path: Path) -> None:
    made = ring_at(tmp_path / "keys.json").ring_for_writing().primary
    assert ring_at(tmp_path / "keys.json", may_create=False).ring_for_writing().primary == made
    assert ring_at(tmp_path / "keys.json").ring().find(made.id) == made


def test_reading_makes_no_key(tmp_path: Path) -> None:
    with pytest.raises(KeyRingError, match="does not exist"):
        ring_at(tmp_path / "keys.json").ring()
    assert not list(tmp_path.iterdir())


def test_C_14_no_key_is_made_while_something_is_encrypted(tmp_path: Path) -> None:
    with pytest.raises(KeyRingError, match="restore it from a backup"):
        ring_at(tmp_path / "keys.json", may_create=False).ring_for_writing()
    assert not list(tmp_path.iterdir())


def test_C_15_processes_that_make_the_first_key_at_once_agree(tmp_path: Path) -> None:
    found = together(make_keys, 4, tmp_path, 100)
    assert found == [found[0]] * 4
    assert all(names_in(tmp_path / str(number)) == ["keys.json"] for number in range(100))


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o620, 0o666])
def test_C_12_a_key_file_that_others_may_read_or_write_is_refused_and_left_as_it_is(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.json"
    keys = ring_at(path, text_of(AN_ENTRY))
    path.chmod(mode)
    with pytest.raises(KeyRingError, match="by others"):
        keys.ring()
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o640])
def test_a_mounted_key_file_that_the_group_may_read_is_used(tmp_path: Path, mode: int) -> None:
    keys = ring_at(tmp_path / "keys.json", text_of(AN_ENTRY))
    (tmp_path / "keys.json").chmod(mode)
    assert keys.ring().primary.id == "k1"


def test_a_key_file_that_loses_its_protection_while_running_is_refused(tmp_path: Path) -> None:
    keys = ring_at(tmp_path / "keys.json", text_of(AN_ENTRY))
    assert keys.ring().primary.id == "k1"
    (tmp_path / "keys.json").chmod(0o644)
    with pytest.raises(KeyRingError, match="chmod 600"):
        keys.ring()


def test_a_key_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    keys = ring_at(tmp_path / "keys.json", text_of(AN_ENTRY))
    give_away(tmp_path / "keys.json")
    with pytest.raises(KeyRingError, match="belongs to someone else"):
        keys.ring()


def test_C_12_a_link_to_a_key_file_is_refused(tmp_path: Path) -> None:
    ring_at(tmp_path / "keys.json", text_of(AN_ENTRY))
    (tmp_path / "link").symlink_to("keys.json")
    with pytest.raises(KeyRingError, match="symbolic link"):
        ring_at(tmp_path / "link").ring()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["directory", "pipe"])
def test_what_is_no_file_is_refused_without_leaving_a_descriptor_open(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "keys.json", 0o600)
    before = open_descriptors()
    with pytest.raises(KeyRingError, match="not an ordinary file"):
        ring_at(tmp_path / "keys.json").ring_for_writing()
    assert open_descriptors() == before


@pytest.mark.parametrize("name", ["keys.json", "deep/keys.json"])
def test_C_13_a_key_file_inside_the_store_is_neither_used_nor_made(tmp_path: Path, name: str) -> None:
    store = tmp_path / ".datasources"
    store.mkdir()
    with pytest.raises(KeyRingError, match="inside the store"):
        ring_at(store / name, not_below=store).ring_for_writing()
    assert not list(store.iterdir())


def test_C_13_a_way_into_the_store_through_a_link_is_seen(tmp_path: Path) -> None:
    store = tmp_path / ".datasources"
    store.mkdir()
    (tmp_path / "link").symlink_to(store)
    ring_at(store / "keys.json", text_of(AN_ENTRY))
    with pytest.raises(KeyRingError, match="inside the store"):
        ring_at(tmp_path / "link" / "keys.json", not_below=store).ring()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        bytes(200),
        text_of(AN_ENTRY)[:-9],
        text_of(),
        text_of(AN_ENTRY, AN_ENTRY),
        text_of({**AN_ENTRY, "state": "enabled"}),
        text_of({**AN_ENTRY, "state": "other"}),
        text_of({**AN_ENTRY, "key": base64url.encode(bytes(31))}),
        text_of({**AN_ENTRY, "key": base64url.encode(bytes(33))}),
        text_of({**AN_ENTRY, "key": base64url.encode(bytes(32)) + "="}),
        text_of({**AN_ENTRY, "key": "correct horse battery staple"}),
        text_of({**AN_ENTRY, "key": None}),
        text_of("k1"),
        text_of(AN_ENTRY, format="wellhead-keys/2"),
        text_of(AN_ENTRY, keys={}),
    ],
)
def test_C_08_C_14_anything_but_32_bytes_strictly_encoded_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(KeyRingError, match="is damaged"):
        ring_at(tmp_path / "keys.json", content).ring()


@given(st.binary(max_size=100) | st.integers(0, 80).map(lambda place: text_of(AN_ENTRY)[:place]))
def test_a_damaged_ring_raises_nothing_else(content: bytes) -> None:
    with pytest.raises((ValueError, InputError)):
        KeyRing.from_bytes(content)


def test_C_11_a_ring_that_another_process_changed_is_seen_at_once(tmp_path: Path) -> None:
    keys = ring_at(tmp_path / "keys.json", text_of(AN_ENTRY))
    assert keys.ring().primary.id == "k1"
    ring_at(tmp_path / "new", text_of({**AN_ENTRY, "id": "k2"}, {**AN_ENTRY, "state": "enabled"}))
    (tmp_path / "new").replace(tmp_path / "keys.json")
    assert keys.ring().primary.id == "k2"
    assert keys.ring().find("k1") is not None


def test_D_40_a_ring_that_changed_within_one_tick_of_the_clock_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = ring_at(path, text_of(AN_ENTRY))
    for number in range(500):  # same file, same size; many of them with the same timestamps
        key_id = f"k{number % 10}"
        with path.open("r+b") as file:
            file.write(text_of({**AN_ENTRY, "id": key_id}))
        assert keys.ring().primary.id == key_id


def test_a_ring_that_did_not_change_is_the_same_object(tmp_path: Path) -> None:
    keys = ring_at(tmp_path / "keys.json")
    assert keys.ring_for_writing() is keys.ring() is keys.ring()


def test_C_09_a_disabled_or_unknown_key_is_not_found() -> None:
    ring = KeyRing.from_bytes(text_of(AN_ENTRY, {**AN_ENTRY, "id": "k2", "state": "disabled"}))
    assert ring.find("k2") is None
    assert ring.find("k3") is None


def test_no_error_and_no_repr_shows_key_material(tmp_path: Path) -> None:
    material = base64url.encode(b"\xfb" * 32)
    with pytest.raises(KeyRingError) as caught:
        ring_at(tmp_path / "keys.json", text_of({**AN_ENTRY, "key": material + "x"})).ring()
    assert caught.value.__cause__ is None
    assert material not in str(caught.value)
    assert "xfb" not in repr(Key("k1", "primary", b"\xfb" * 32))


def test_a_key_that_cannot_be_made_is_an_error_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(KeyRingError, match="cannot be made"):
        ring_at(tmp_path / "file" / "keys.json").ring_for_writing()
