"""What the settings make of the key ring."""

from pathlib import Path
from typing import Any

import pytest

from support.probe import names_in
from wellhead.assembled import Wellhead
from wellhead.assembly import assemble
from wellhead.errors import KeyRingDamagedError, KeyRingMissingError, SettingsError
from wellhead.secrets.key_variable import VariableKeys
from wellhead.secrets.keyring import KeyRing
from wellhead.settings import Settings
from wellhead.workspace import Workspace

DATABASE: dict[str, Any] = {
    "type": "postgres",
    "name": "db",
    "host": "h",
    "database": "d",
    "username": "u",
    "password": "a password",
}


@pytest.fixture
def workspace_of_parts(wellhead_parts: Wellhead) -> Workspace:
    return Workspace(wellhead_parts)


def backed_up(wellhead: Wellhead, source_id: object) -> None:
    """Make what is stored of a data source its backup, too."""
    record = wellhead.settings.workspace / ".datasources" / f"{source_id}.json"
    record.with_name(f"{source_id}.backup.json").write_bytes(record.read_bytes())


@pytest.mark.parametrize("kept", ["record", "history", "backup"])
def test_C_14_no_first_key_is_made_while_a_record_or_a_history_is_encrypted(
    workspace_of_parts: Workspace, wellhead_parts: Wellhead, kept: str
) -> None:
    with workspace_of_parts as workspace:
        made = workspace.add(DATABASE)
        if kept == "backup":
            backed_up(wellhead_parts, made.id)
        if kept != "record":
            workspace.update("db", {"password": None})
        if kept == "backup":
            wellhead_parts.settings.workspace.joinpath(".datasources", f"{made.id}.history.jsonl").unlink()
        wellhead_parts.settings.key_path.unlink()
        with pytest.raises(KeyRingMissingError, match="Data sources were encrypted with it"):
            workspace.add({**DATABASE, "name": "another"})
        assert not wellhead_parts.settings.key_path.exists()


def test_a_first_key_is_made_again_where_nothing_is_encrypted_any_more(
    workspace_of_parts: Workspace, wellhead_parts: Wellhead
) -> None:
    with workspace_of_parts as workspace:
        workspace.add(DATABASE)
        workspace.remove("db")
        backed_up(wellhead_parts, workspace.add({**DATABASE, "name": "plain", "password": None}).id)
        wellhead_parts.settings.key_path.unlink()
        workspace.add(DATABASE)
        assert workspace.resolve("db").password.reveal() == "a password"  # type: ignore[attr-defined]


def test_the_ring_comes_from_a_variable_or_from_a_file_and_not_from_both(settings: Settings, tmp_path: Path) -> None:
    text = KeyRing.first().to_bytes().decode()
    wellhead = assemble(settings.model_copy(update={"keys": text}))
    assert isinstance(wellhead.keys, VariableKeys)
    wellhead.close()
    both = settings.model_copy(update={"keys": text, "key_file": tmp_path / "keys.json"})
    with pytest.raises(SettingsError, match="both set"):
        assemble(both)


@pytest.mark.anyio
async def test_a_start_needs_no_ring_and_refuses_a_damaged_one(wellhead_parts: Wellhead) -> None:
    await wellhead_parts.check_start()
    assert await wellhead_parts.check() == "ready"
    path = wellhead_parts.settings.key_path
    assert not path.parent.exists()
    path.parent.mkdir()
    path.touch(0o600)
    with pytest.raises(KeyRingDamagedError):
        await wellhead_parts.check_start()
    with pytest.raises(KeyRingDamagedError):
        await wellhead_parts.check()
    assert names_in(path.parent) == ["keys.json"]
