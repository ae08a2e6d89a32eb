"""The key ring in its file."""

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from support.faults import give_away
from support.probe import names_in, open_descriptors
from support.workers import make_keys, together
from wellhead import base64url, durable
from wellhead.errors import KeyRingDamagedError, KeyRingError, KeyRingMissingError
from wellhead.secrets import key_file
from wellhead.secrets.key_file import FileKeys
from wellhead.secrets.keyring import Key, KeyRing

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
    with pytest.raises(KeyRingMissingError, match="does not exist"):
        ring_at(tmp_path / "keys.json").ring()
    assert not list(tmp_path.iterdir())


def test_C_14_no_key_is_made_while_something_is_encrypted(tmp_path: Path) -> None:
    with pytest.raises(KeyRingMissingError, match="restore it from a backup"):
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
    with pytest.raises(KeyRingDamagedError, match="is damaged"):
        ring_at(tmp_path / "keys.json", content).ring()


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


def test_L_21_no_error_and_no_repr_shows_key_material(tmp_path: Path) -> None:
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


# Links, as mounted secrets have them


def mounted_secret(directory: Path, content: bytes) -> Path:
    """Lay a file out as Kubernetes mounts secrets: a link to a file below a link to a directory with a date."""
    directory.mkdir(mode=0o777)
    directory.chmod(0o1777)
    (directory / "..2026_11_25").mkdir(mode=0o755)
    ring_at(directory / "..2026_11_25" / "keys.json", content)
    (directory / "..2026_11_25" / "keys.json").chmod(0o440)
    (directory / "..data").symlink_to("..2026_11_25")
    (directory / "keys.json").symlink_to("..data/keys.json")
    return directory / "keys.json"


def test_C_12_a_mounted_secret_is_used_though_it_is_reached_by_links(tmp_path: Path) -> None:
    assert ring_at(mounted_secret(tmp_path / "mounted", text_of(AN_ENTRY))).ring().primary.id == "k1"


def test_C_11_a_mounted_secret_that_is_replaced_is_seen_at_once(tmp_path: Path) -> None:
    path = mounted_secret(tmp_path / "mounted", text_of(AN_ENTRY))
    keys = ring_at(path)
    assert keys.ring().primary.id == "k1"
    (path.parent / "..2026_11_26").mkdir()
    ring_at(path.parent / "..2026_11_26" / "keys.json", text_of({**AN_ENTRY, "id": "k2"}))
    (path.parent / "..tmp").symlink_to("..2026_11_26")
    (path.parent / "..tmp").rename(path.parent / "..data")
    assert keys.ring().primary.id == "k2"


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_C_12_a_link_that_others_could_replace_is_refused(tmp_path: Path, mode: int) -> None:
    path = mounted_secret(tmp_path / "mounted", text_of(AN_ENTRY))
    path.parent.chmod(mode)
    with pytest.raises(KeyRingError, match=r"symbolic link that is not safe\. Others could change"):
        ring_at(path).ring()


def test_C_12_a_link_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = mounted_secret(tmp_path / "mounted", text_of(AN_ENTRY))
    give_away(path)
    with pytest.raises(KeyRingError, match="symbolic link"):
        ring_at(path).ring()


@pytest.mark.parametrize("target", ["nothing", "keys.json"])
def test_a_link_that_leads_nowhere_is_refused_and_nothing_is_made_there(tmp_path: Path, target: str) -> None:
    (tmp_path / "keys.json").symlink_to(target)
    with pytest.raises(KeyRingError):
        ring_at(tmp_path / "keys.json").ring_for_writing()
    assert names_in(tmp_path) == ["keys.json"]


def test_a_ring_that_is_reached_by_a_link_is_not_changed_through_it(tmp_path: Path) -> None:
    path = mounted_secret(tmp_path / "mounted", text_of(AN_ENTRY))
    with pytest.raises(KeyRingError, match="is kept elsewhere"):
        ring_at(path).change(added)
    assert path.read_bytes() == text_of(AN_ENTRY)


# Changing the ring


def added(ring: KeyRing | None) -> KeyRing:
    return KeyRing.first() if ring is None else ring.with_new_key(primary=True)


def test_a_change_is_in_the_file_and_keeps_its_owner_and_permissions(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = ring_at(path, text_of(AN_ENTRY))
    os.chown(path, -1, os.getgid())
    path.chmod(0o640)
    changed = keys.change(added)
    assert [key.state for key in ring_at(path).ring().keys] == ["enabled", "primary"]
    assert ring_at(path).ring().primary == changed.primary
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert names_in(tmp_path) == [".keys.json.lock", "keys.json"]


def test_a_change_makes_the_file_where_there_is_none(tmp_path: Path) -> None:
    made = ring_at(tmp_path / "new" / "keys.json", may_create=False).change(added)
    assert ring_at(tmp_path / "new" / "keys.json", may_create=False).ring().primary == made.primary
    assert (tmp_path / "new" / "keys.json").stat().st_mode & 0o777 == 0o600


def test_two_changes_at_once_do_not_lose_a_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    ring_at(path, text_of(AN_ENTRY))

    def interrupted(ring: KeyRing | None) -> KeyRing:
        with pytest.raises(KeyRingError, match="by another command"):
            ring_at(path).change(added)
        return added(ring)

    assert len(ring_at(path).change(interrupted).keys) == 2
    assert len(ring_at(path).change(added).keys) == 3


@pytest.mark.parametrize("content", [b"", b"{"])
def test_D_51_a_damaged_ring_is_not_replaced_by_a_change(tmp_path: Path, content: bytes) -> None:
    keys = ring_at(tmp_path / "keys.json", content)
    with pytest.raises(KeyRingDamagedError):
        keys.change(added)
    assert (tmp_path / "keys.json").read_bytes() == content


def test_C_13_a_change_makes_no_ring_inside_the_store(tmp_path: Path) -> None:
    with pytest.raises(KeyRingError, match="inside the store"):
        ring_at(tmp_path / "keys.json", not_below=tmp_path).change(added)
    assert not names_in(tmp_path)


@pytest.mark.parametrize("how", ["create", "change", "first use"])
def test_D_21_what_a_crash_left_beside_the_ring_is_swept(tmp_path: Path, how: str) -> None:
    path = tmp_path / "keys.json"
    left, fresh, other = (tmp_path / f".keys.json.{'0' * 15}{end}" for end in "12x")
    for name in (left, fresh, other):
        name.write_bytes(b"a key")
    os.utime(left, (0, 0))
    os.utime(other, (0, 0))
    if how == "change":
        ring_at(path, text_of(AN_ENTRY)).change(added)
    else:
        ring_at(path, text_of(AN_ENTRY) if how == "first use" else None).ring_for_writing()
    assert not left.exists()
    assert fresh.exists()  # its writer may be at work
    assert other.exists()  # it is none of ours


def test_D_08_a_ring_that_another_process_has_just_made_is_on_disk_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(durable, "sync_directory", synced.append)
    keys = ring_at(tmp_path / "keys.json", text_of(AN_ENTRY))
    keys.ring_for_writing()
    keys.ring_for_writing()
    assert synced == [tmp_path]


def test_D_40_a_change_that_the_metadata_do_not_show_is_seen_within_two_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys.json"
    keys = ring_at(path, text_of(AN_ENTRY))
    known = path.stat()
    monkeypatch.setattr(Path, "stat", lambda *_, **__: known)  # inode, times and size come again
    monkeypatch.setattr(key_file, "_SETTLED", -1)
    assert keys.ring().primary.id == "k1"
    path.write_bytes(text_of({**AN_ENTRY, "id": "k2"}))
    assert keys.ring().primary.id == "k1"
    later = time.monotonic() + 2
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert keys.ring().primary.id == "k2"


def test_what_is_known_of_a_ring_is_what_its_file_says_at_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys.json"
    keys = ring_at(path, text_of(AN_ENTRY))
    assert keys.known() is None, "it was not read yet"
    keys.ring()
    assert keys.known() is None, "it may change again within a tick of the clock"
    monkeypatch.setattr(key_file, "_SETTLED", -1)
    keys = ring_at(path)
    assert keys.ring() is keys.known()
    path.write_bytes(text_of({**AN_ENTRY, "id": "another"}))
    assert keys.known() is None
    assert keys.ring().primary.id == "another"
    path.unlink()
    assert keys.known() is None


def test_a_ring_on_a_disk_that_others_share_is_never_known_without_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_file, "_SETTLED", -1)
    monkeypatch.setattr(key_file, "is_shared", lambda _path: True)
    keys = ring_at(tmp_path / "keys.json", text_of(AN_ENTRY))
    keys.ring()
    assert keys.known() is None
