"""Secrets at rest: what a record on disk gives away, and where its secrets open."""

import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wellhead
from support.canary import Canary
from support.probe import Probe, ProbeSource, Proxy, probe_of
from wellhead import Secret
from wellhead.errors import KeyRingError, SecretUnavailableError, StorageError
from wellhead.secrets.key_file import FileKeys

pytestmark = pytest.mark.anyio


@pytest.fixture
def probe(workspace: Path) -> Probe:
    return probe_of(workspace)


def full(canary: Canary, name: str = "full") -> ProbeSource:
    return ProbeSource(
        name=name,
        host="h",
        ratio=5.0,
        options={"n": [1.0, {"x": None}]},
        password=Secret(canary.secret()),
        tokens={"a/b~c": Secret(canary.secret()), "é": Secret(canary.secret())},
        proxy=Proxy(url="u", token=Secret(canary.secret())),
    )


def edit(path: Path, **fields: Any) -> None:
    document = json.loads(path.read_bytes())
    document["fields"] |= fields
    path.write_text(json.dumps(document))


def secrets_of(config: Any) -> list[str]:
    found = [config.password, *config.tokens.values(), config.proxy.token if config.proxy else None]
    return [secret.reveal() for secret in found if secret is not None]


async def test_C_01_secrets_at_any_depth_are_encrypted_and_open_again(probe: Probe, canary: Canary) -> None:
    config = full(canary)
    saved = await probe.service.save_config(config)
    assert saved.password is not None  # type: ignore[attr-defined]
    assert saved.password.is_sealed  # type: ignore[attr-defined]
    assert await probe.state(saved.id) == "ok"
    assert secrets_of(await probe.clear(saved.id)) == secrets_of(config)
    canary.saw(repr(saved) + saved.model_dump_json() + str((await probe.service.read(str(saved.id))).as_document()))


async def test_reading_a_data_source_again_and_again_finds_the_same(probe: Probe, canary: Canary) -> None:
    saved = await probe.service.save_config(full(canary))
    documents = [(await probe.service.read(str(saved.id))).as_document() for _ in range(3)]
    documents += [item.as_document() for _ in range(2) for item in await probe.service.list_configs()]
    assert documents == [documents[0]] * 5
    documents[0]["proxy"]["url"] = documents[0]["tokens"]["x"] = "changed by a caller"
    assert await probe.state(saved.id) == "ok"
    assert (await probe.service.list_configs())[0].as_document() == documents[1]


@pytest.mark.parametrize("ratio", [5.0, -0.0, 1e3, 0.1, 1e300, 2.0**60, 3])
async def test_numbers_in_bound_fields_read_back_as_they_were_sealed(probe: Probe, ratio: float) -> None:
    saved = await probe.service.save_config(ProbeSource(name="n", host="h", ratio=ratio, password="x"))
    assert await probe.state(saved.id) == "ok"
    changed = saved.model_copy(update={"note": "still"})
    assert (await probe.service.update_config(str(saved.id), changed)).revision == 2
    assert await probe.state(saved.id) == "ok"


async def test_C_01_without_a_key_nothing_is_written(workspace: Path, canary: Canary) -> None:
    probe = probe_of(workspace, may_create=lambda: False)
    with pytest.raises(KeyRingError):
        await probe.service.save_config(full(canary))
    assert not list(probe.directory.glob("*-*.json"))
    assert (await probe.service.save_config(ProbeSource(name="without secrets", host="h"))).revision == 1


@pytest.mark.parametrize(
    "field", [{"host": "attacker"}, {"ratio": 2}, {"options": {}}, {"proxy": {"url": "attacker"}}, {"proxy": None}]
)
async def test_C_04_a_bound_field_edited_in_the_file_makes_the_secrets_unavailable(
    probe: Probe, canary: Canary, field: dict[str, Any]
) -> None:
    saved = await probe.service.save_config(full(canary))
    edit(probe.path(saved), **field)
    assert await probe.state(saved.id) in {"secret_unavailable", "corrupt"}
    assert [item.state for item in await probe.service.list_configs()] == [await probe.state(saved.id)]
    with pytest.raises(wellhead.WellheadError):
        await probe.clear(saved.id)


async def test_C_04_a_bound_field_taken_off_the_list_in_the_file_stays_bound(probe: Probe) -> None:
    saved = await probe.service.save_config(ProbeSource(name="n", host="h", password="x"))
    document = json.loads(probe.path(saved).read_bytes())
    document["bound"].remove("host")
    document["fields"]["host"] = "attacker"
    probe.path(saved).write_text(json.dumps(document))
    assert await probe.state(saved.id) == "secret_unavailable"


async def test_a_harmless_field_and_those_of_the_base_may_be_edited_in_the_file(probe: Probe) -> None:
    saved = await probe.service.save_config(ProbeSource(name="n", host="h", password="x"))
    edit(probe.path(saved), note="edited")
    document = json.loads(probe.path(saved).read_bytes())
    probe.path(saved).write_text(json.dumps(document | {"name": "renamed", "labels": {"a": "b"}}, indent=8))
    assert await probe.state(saved.id) == "ok"
    assert (await probe.clear(saved.id)).password.reveal() == "x"


async def test_C_02_a_box_moved_to_another_record_does_not_open(probe: Probe) -> None:
    one = await probe.service.save_config(ProbeSource(name="one", host="h", password="secret of one"))
    two = await probe.service.save_config(ProbeSource(name="two", host="h", password="secret of two"))
    document = json.loads(probe.path(two).read_bytes())
    document["secrets"] = json.loads(probe.path(one).read_bytes())["secrets"]
    probe.path(two).write_text(json.dumps(document))
    assert (await probe.state(one.id), await probe.state(two.id)) == ("ok", "secret_unavailable")


@pytest.mark.parametrize(("one", "other"), [("/password", "/proxy/token"), ("/tokens/é", "/tokens/a~1b~0c")])
async def test_C_03_boxes_that_changed_places_do_not_open(probe: Probe, canary: Canary, one: str, other: str) -> None:
    saved = await probe.service.save_config(full(canary))
    document = json.loads(probe.path(saved).read_bytes())
    secrets = document["secrets"]
    secrets[one], secrets[other] = secrets[other], secrets[one]
    probe.path(saved).write_text(json.dumps(document))
    assert await probe.state(saved.id) == "secret_unavailable"


async def test_C_05_X_05_a_record_copied_into_another_workspace_is_readable_but_its_secrets_are_not(
    workspace: Path, canary: Canary
) -> None:
    (workspace.parent / "other").mkdir()
    keys = workspace.parent / "config" / "keys.json"
    probe, other = probe_of(workspace), probe_of(workspace.parent / "other", key_file=keys)
    saved = await probe.service.save_config(full(canary))
    await other.service.save_config(ProbeSource(name="own", host="h", password=Secret(canary.secret())))
    shutil.copy(probe.path(saved), other.directory)
    assert {item.name: item.state for item in await other.service.list_configs()} == {
        "own": "ok",
        "full": "secret_unavailable",
    }
    with pytest.raises(SecretUnavailableError):
        await other.clear(saved.id)


async def test_a_workspace_that_is_moved_keeps_its_secrets(workspace: Path, tmp_path: Path, canary: Canary) -> None:
    config = full(canary)
    saved = await probe_of(workspace).service.save_config(config)
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "moved"
    shutil.copytree(workspace, moved)
    shutil.rmtree(workspace)
    probe = probe_of(moved, key_file=tmp_path / "config" / "keys.json")
    assert secrets_of(await probe.clear(saved.id)) == secrets_of(config)


@pytest.mark.parametrize("state", ["enabled", "disabled", "gone"])
async def test_C_09_a_record_of_a_key_that_is_not_primary_any_more(probe: Probe, state: str, tmp_path: Path) -> None:
    saved = await probe.service.save_config(ProbeSource(name="n", host="h", password="x"))
    ring = tmp_path / "config" / "keys.json"
    document, before = json.loads(ring.read_bytes()), probe.path(saved).read_bytes()
    old = document["keys"].pop() | {"state": state}
    new = {"id": "k2", "state": "primary", "key": "A" * 43}
    ring.write_text(json.dumps(document | {"keys": [new] if state == "gone" else [old, new]}))
    assert await probe.state(saved.id) == ("ok" if state == "enabled" else "secret_unavailable")
    assert [item.name for item in await probe.service.list_configs()] == ["n"]
    assert probe.path(saved).read_bytes() == before


async def test_C_10_a_write_after_a_rotation_seals_all_secrets_with_the_new_key(
    probe: Probe, canary: Canary, tmp_path: Path
) -> None:
    config = full(canary)
    saved = await probe.service.save_config(config)
    ring = tmp_path / "config" / "keys.json"
    document = json.loads(ring.read_bytes())
    document["keys"][0]["state"] = "enabled"
    document["keys"].append({"id": "k2", "state": "primary", "key": "A" * 43})
    ring.write_text(json.dumps(document))
    changed = await probe.service.update_config(str(saved.id), saved.model_copy(update={"note": "x"}))
    assert json.loads(probe.path(saved).read_bytes())["encryption"]["key_id"] == "k2"
    assert secrets_of(await probe.clear(saved.id)) == secrets_of(config)
    assert changed.password.facts == saved.password.facts  # type: ignore[attr-defined]


@pytest.mark.parametrize("damage", ["missing", "empty", "world-readable"])
async def test_without_a_usable_key_ring_everything_but_the_secrets_is_read(
    workspace: Path, tmp_path: Path, damage: str
) -> None:
    saved = await probe_of(workspace).service.save_config(ProbeSource(name="n", host="h", password="x"))
    ring = tmp_path / "config" / "keys.json"
    {"missing": ring.unlink, "empty": lambda: ring.write_bytes(b""), "world-readable": lambda: ring.chmod(0o644)}[
        damage
    ]()
    probe = probe_of(workspace)
    assert await probe.state(saved.id) == "secret_unavailable"
    assert (await probe.service.get_config(str(saved.id))).name == "n"
    with pytest.raises(SecretUnavailableError):
        await probe.clear(saved.id)


@pytest.mark.parametrize("damage", ["missing", "empty", "other", "link"])
async def test_without_the_id_of_the_workspace_secrets_are_unavailable_and_reading_makes_no_new_one(
    workspace: Path, damage: str
) -> None:
    saved = await probe_of(workspace).service.save_config(ProbeSource(name="n", host="h", password="x"))
    path = workspace / ".datasources" / "workspace.json"
    good = path.read_bytes()
    path.unlink()
    if damage == "link":
        path.symlink_to("/dev/zero")
    elif damage != "missing":
        path.write_bytes(b"" if damage == "empty" else good.replace(b'"id": "', b'"id": "x'))
    probe = probe_of(workspace)
    assert await probe.state(saved.id) == "secret_unavailable"
    assert [item.state for item in await probe.service.list_configs()] == ["secret_unavailable"]
    if damage != "missing":
        with pytest.raises(StorageError):
            await probe.service.save_config(ProbeSource(name="new", host="h", password="x"))
    path.unlink(missing_ok=True)
    path.write_bytes(good)
    assert await probe_of(workspace).state(saved.id) == "ok"


async def test_a_reference_is_sealed_too_and_cannot_be_edited(probe: Probe) -> None:
    reference = Secret.from_reference("env:PG_PASSWORD")
    saved = await probe.service.save_config(ProbeSource(name="n", host="h", password=reference))
    assert (await probe.clear(saved.id)).password.reference == "env:PG_PASSWORD"
    probe.path(saved).write_bytes(probe.path(saved).read_bytes().replace(b"env:PG_PASSWORD", b"env:PG_PASSWORX"))
    assert await probe.state(saved.id) == "secret_unavailable"


async def test_a_value_cannot_be_turned_into_a_reference_in_the_file(probe: Probe) -> None:
    saved = await probe.service.save_config(ProbeSource(name="n", host="h", password="env:PG_PASSWORD"))
    document = json.loads(probe.path(saved).read_bytes())
    document["secrets"]["/password"]["ref"] = "env:PG_PASSWORD"
    probe.path(saved).write_text(json.dumps(document))
    assert await probe.state(saved.id) == "secret_unavailable"


async def test_L_22_two_records_that_are_equal_but_for_the_secret_look_alike(probe: Probe) -> None:
    sizes = set()
    for number, secret in enumerate(["a", "another secret that is longer"]):
        saved = await probe.service.save_config(ProbeSource(name=f"n{number}", host="h", password=secret))
        sizes.add(probe.path(saved).stat().st_size)
    assert len(sizes) == 1


# A plugin that changes


class Later(ProbeSource):
    """The same type, in a later version that has one field more."""

    region: str = "eu"
    mode: str | None = wellhead.field(None, harmless=True)


async def test_a_plugin_upgrade_that_adds_a_field_keeps_every_secret(workspace: Path, canary: Canary) -> None:
    config = full(canary)
    saved = await probe_of(workspace).service.save_config(config)
    probe = probe_of(workspace, model=Later)
    assert await probe.state(saved.id) == "ok"
    assert secrets_of(await probe.clear(saved.id)) == secrets_of(config)
    stored = await probe.service.get_config(str(saved.id))
    renamed = stored.model_copy(update={"name": "renamed"})
    assert (await probe.service.update_config(str(saved.id), renamed)).revision == 2
    assert secrets_of(await probe.clear(saved.id)) == secrets_of(config)
    edit(probe.path(saved), region="attacker")  # since the save it is bound
    assert await probe.state(saved.id) == "secret_unavailable"


async def test_a_field_that_the_old_plugin_did_not_have_cannot_be_added_in_the_file(workspace: Path) -> None:
    saved = await probe_of(workspace).service.save_config(ProbeSource(name="n", host="h", password="x"))
    probe = probe_of(workspace, model=Later)
    edit(probe.path(saved), region="attacker")
    assert await probe.state(saved.id) == "secret_unavailable"


class Plainer(wellhead.DataSourceConfig):
    """The same type, in a version whose author made the password a plain field."""

    type: Literal["probe"] = "probe"
    host: str
    password: Any = None


class Before(wellhead.DataSourceConfig):
    """The same type, in a version whose author had not yet made the password a secret."""

    type: Literal["probe"] = "probe"
    host: str
    password: str | None = None


class After(Before):
    """`Before`, with its mistake mended."""

    password: wellhead.Secret | None = None  # type: ignore[assignment]


async def test_X_08_what_was_stored_as_a_secret_is_never_shown_by_a_plugin_that_calls_it_plain(
    workspace: Path, canary: Canary
) -> None:
    old = probe_of(workspace, model=After)
    saved = await old.service.save_config(After(name="n", host="h", password=Secret(canary.secret())))
    for model in (Plainer, Before):
        probe = probe_of(workspace, model=model)
        stored = await probe.service.read(str(saved.id))
        canary.saw(repr(stored) + json.dumps(stored.as_document()))
        if stored.config is not None:
            revealed = await probe.service.reveal(stored)
            canary.saw(repr(revealed) + str(revealed.model_dump()))


async def test_X_08_what_was_stored_in_clear_is_hidden_by_a_plugin_that_calls_it_a_secret(workspace: Path) -> None:
    saved = await probe_of(workspace, model=Before).service.save_config(Before(name="n", host="h", password="in clear"))
    probe = probe_of(workspace, model=After)
    stored = await probe.service.read(str(saved.id))
    assert "in clear" not in json.dumps(stored.as_document()) + repr(stored.config) + repr(stored.fields)
    assert stored.state == "invalid"  # so that nobody takes it for a secret that is kept, and loses it with a save
    mended = await probe.service.update_config(str(saved.id), After(name="n", host="h", password="new"))
    assert await probe.state(mended.id) == "ok"
    assert "in clear" not in probe.path(saved).read_text()


# Any change of a byte


class Sealed:
    """One record with secrets, made once, and an event loop to read it with."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        (self.root / "workspace").mkdir()
        self.probe = probe_of(self.root / "workspace")
        self.runner = asyncio.Runner()
        config = ProbeSource(
            name="n", host="h", ratio=2.5, password="first", proxy=Proxy(url="u", token=Secret("second"))
        )
        self.saved = self.runner.run(self.probe.service.save_config(config))
        self.path = self.probe.path(self.saved)
        self.content = self.path.read_bytes()

    def read(self, content: bytes) -> tuple[str, list[str]]:
        self.path.write_bytes(content)
        return self.runner.run(self._read())

    async def _read(self) -> tuple[str, list[str]]:
        stored = await self.probe.service.read(str(self.saved.id))
        listed = await self.probe.service.list_configs()
        assert [item.state for item in listed] == [stored.state]
        json.dumps([stored.as_document(), listed[0].as_document()])
        if stored.state != "ok":
            return stored.state, []
        return stored.state, secrets_of(await self.probe.service.reveal(stored))


@pytest.fixture(scope="module")
def sealed() -> Any:
    made = Sealed()
    yield made
    made.runner.close()
    shutil.rmtree(made.root)


@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_C_06_a_changed_byte_gives_another_state_or_the_same_secrets(sealed: Sealed, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(sealed.content) - 1))
    byte = data.draw(st.integers(0, 255))
    changed = sealed.content[:place] + bytes([byte]) + sealed.content[place + 1 :]
    assert sealed.read(changed)[1] in ([], ["first", "second"])


def test_C_06_no_bit_flip_gives_another_secret_or_an_error(sealed: Sealed) -> None:
    for place in range(0, len(sealed.content), 2):
        flipped = sealed.content[place] ^ (1 << place // 2 % 8)
        changed = sealed.content[:place] + bytes([flipped]) + sealed.content[place + 1 :]
        assert sealed.read(changed)[1] in ([], ["first", "second"])


@pytest.mark.slow
def test_C_06_no_bit_flip_at_all_gives_another_secret_or_an_error(sealed: Sealed) -> None:
    for place in range(len(sealed.content)):
        for bit in range(8):
            changed = bytearray(sealed.content)
            changed[place] ^= 1 << bit
            assert sealed.read(bytes(changed))[1] in ([], ["first", "second"])


JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([]) | st.just({}) | st.just({"": 1})


@given(st.sampled_from(["fields", "secrets", "encryption", "written_by", ""]), st.text(max_size=12), JSON)
@settings(max_examples=300, deadline=None)
def test_C_06_a_changed_member_gives_another_state_or_the_same_secrets(
    sealed: Sealed, where: str, name: str, value: Any
) -> None:
    document = json.loads(sealed.content)
    target = document[where] if where else document
    names = sorted(target)
    target[names[len(name) % len(names)] if len(name) < 8 else name] = value
    assert sealed.read(json.dumps(document).encode("utf-8", "surrogatepass"))[1] in ([], ["first", "second"])


@given(st.lists(st.integers(0, 2000), min_size=2, max_size=2))
@settings(max_examples=150, deadline=None)
def test_C_06_a_piece_cut_out_gives_another_state_or_the_same_secrets(sealed: Sealed, cut: list[int]) -> None:
    start, end = sorted(cut)
    assert sealed.read(sealed.content[:start] + sealed.content[end:])[1] in ([], ["first", "second"])


async def test_two_workspaces_of_one_user_share_the_key_ring_and_nothing_else(tmp_path: Path) -> None:
    probes = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        probes.append(probe_of(tmp_path / name, key_file=tmp_path / "keys.json"))
    ids = [await probe.store.make_workspace_id() for probe in probes]
    assert len(set(ids)) == 2
    assert isinstance(probes[0].keys, FileKeys)
