"""The parts of a service for several users: workspaces that are opened when they are needed."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from support.probe import open_descriptors
from wellhead import team as team_module
from wellhead.api.live import LiveApp
from wellhead.catalog.listing import ListQuery
from wellhead.catalog.rechecks import Rechecks
from wellhead.errors import KeyRingMissingError, SettingsError, StoreUnavailableError
from wellhead.plugins.installed import TypeSet
from wellhead.plugins.registry import DataSourceTypeRegistry
from wellhead.secrets.keyring import KeyRing
from wellhead.service import make_service
from wellhead.settings import Settings
from wellhead.team import Team, assemble_team

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "root").mkdir()
    return Settings(root=tmp_path / "root", config_dir=tmp_path / "config", keys=KeyRing.first().to_bytes().decode())


@pytest.fixture
def team(settings: Settings) -> Iterator[Team]:
    made = assemble_team(settings)
    yield made
    made.close()


def csv(name: str) -> dict[str, Any]:
    return {"type": "csv", "name": name, "path": "sales.csv"}


async def test_a_workspace_is_made_when_it_is_first_needed_and_for_its_owner_only(team: Team, tmp_path: Path) -> None:
    assert not (tmp_path / "root" / "red").exists()
    async with team.workspace("red") as wellhead:
        await wellhead.catalog.create(csv("sales"))
    assert (tmp_path / "root" / "red").stat().st_mode & 0o777 == 0o700
    assert team.workspaces() == ["red"]


@pytest.mark.parametrize(
    ("name", "is_private"), [("keys.json", True), ("token", True), ("tls.pem", True), ("data.csv", False)]
)
async def test_F_09_the_keys_and_the_token_are_not_read_though_a_root_has_them(
    tmp_path: Path, name: str, is_private: bool
) -> None:
    for made in ("root", "etc"):
        (tmp_path / made).mkdir()
    for private in ("keys.json", "token", "tls.pem", "data.csv"):
        (tmp_path / "etc" / private).write_bytes(KeyRing.first().to_bytes())
        (tmp_path / "etc" / private).chmod(0o600)
    etc = tmp_path / "etc"
    team = assemble_team(Settings(root=tmp_path / "root", config_dir=etc, tls_key=etc / "tls.pem", file_roots=(etc,)))
    async with team.workspace("red") as wellhead:
        result = await wellhead.catalog.validate_new({"type": "csv", "path": str(etc / name)})
    team.close()

    located = result.checks[0]
    assert (located.name, located.code) == ("locate", "file_unavailable" if is_private else None)


async def test_what_is_in_one_workspace_is_in_no_other(team: Team) -> None:
    async with team.workspace("red") as red, team.workspace("blue") as blue:
        await red.catalog.create(csv("sales"))
        assert (await blue.catalog.list(ListQuery())).total == 0
        assert (await red.catalog.list(ListQuery())).total == 1


@pytest.mark.parametrize("name", ["", ".", "..", ".tokens", "a/b", "../x", "A", "-a", "a" * 64, "a\0", "a\n", "é"])
async def test_a_name_that_is_none_opens_nothing(team: Team, tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreUnavailableError):
        async with team.workspace(name):
            pass
    assert not list((tmp_path / "root").iterdir())


async def test_a_root_that_is_gone_is_not_made_anew(team: Team, tmp_path: Path) -> None:
    (tmp_path / "root").rmdir()
    with pytest.raises(StoreUnavailableError):
        async with team.workspace("red"):
            pass
    with pytest.raises(StoreUnavailableError, match="Put it back"):
        await team.check()


async def test_only_so_many_stay_open_and_none_is_closed_while_it_is_used(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team_module, "_IDLE", 2)
    async with AsyncExitStack() as stack:
        busy = await stack.enter_async_context(team.workspace("busy"))
        before = open_descriptors()
        for number in range(10):
            async with team.workspace(f"w{number}") as wellhead:
                await wellhead.catalog.create(csv("sales"))
        few = open_descriptors() - before
        for number in range(10, 30):
            async with team.workspace(f"w{number}") as wellhead:
                await wellhead.catalog.create(csv("sales"))
        assert open_descriptors() - before <= few
        await busy.catalog.create(csv("sales"))
    async with team.workspace("w0") as again:
        assert (await again.catalog.list(ListQuery())).total == 1


async def test_requests_at_once_share_one_workspace(team: Team) -> None:
    async def work(number: int) -> int:
        async with team.workspace("red") as wellhead:
            await wellhead.catalog.create(csv(f"sales {number}"))
            return id(wellhead.store)

    assert len(set(await asyncio.gather(*(work(number) for number in range(20))))) == 1
    async with team.workspace("red") as wellhead:
        assert (await wellhead.catalog.list(ListQuery())).total == 20


async def test_a_workspace_knows_new_types_from_its_next_request_on(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with team.workspace("red") as before:
        pass
    monkeypatch.setattr(team._shared.plugins, "load", lambda: TypeSet(DataSourceTypeRegistry(), ()))
    assert team.renewed() is team
    async with team.workspace("red") as now:
        assert now.catalog.registry.list_types() == []
        assert now.store is before.store
    assert "csv" in before.catalog.registry.list_types()


async def test_a_key_ring_is_never_made(settings: Settings, tmp_path: Path) -> None:
    without = settings.model_copy(update={"keys": None})
    team = assemble_team(without)
    with pytest.raises(KeyRingMissingError, match="wellhead keys add --primary"):
        await team.check_start()
    async with team.workspace("red") as wellhead:
        document = {"type": "api", "name": "x", "url": "https://x.example", "auth_type": "bearer", "token": "a-secret"}
        with pytest.raises(KeyRingMissingError):
            await wellhead.catalog.create(document)
    team.close()
    assert not (tmp_path / "config" / "keys.json").exists()


async def test_the_egress_policy_of_workers_is_for_public_destinations_only(team: Team, tmp_path: Path) -> None:
    rules = team._shared.pool._rules
    assert rules["egress"]["public_only"] is True
    assert str(tmp_path / "root") in rules["hidden"]


@pytest.mark.parametrize("root", ["root", "root/red", "."])
async def test_a_root_for_files_that_overlaps_is_refused(settings: Settings, tmp_path: Path, root: str) -> None:
    (tmp_path / "root" / "red").mkdir()
    with pytest.raises(SettingsError, match="overlaps"):
        assemble_team(settings.model_copy(update={"file_roots": (tmp_path / root,)}))


async def test_the_settings_say_which_mode_it_is(settings: Settings, workspace: Path) -> None:
    several, one = (
        make_service(settings),
        make_service(settings.model_copy(update={"root": None, "workspace": workspace})),
    )
    assert isinstance(several, Team)
    assert one.workspaces() == [str(workspace)]
    for service in (several, one):
        service.close()


async def test_a_workspace_that_cannot_be_opened_says_nothing_of_its_place(team: Team, tmp_path: Path) -> None:
    (tmp_path / "root" / "red").write_text("a file")
    with pytest.raises(StoreUnavailableError) as caught:
        async with team.workspace("red"):
            pass
    assert str(tmp_path) not in json.dumps(caught.value.message)


async def test_without_the_library_an_issuer_is_refused_with_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "joserfc" or name == "wellhead.access.oidc"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "joserfc", None)
    with pytest.raises(SettingsError, match=r"pip install 'wellhead\[oidc\]'"):
        assemble_team(settings.model_copy(update={"oidc_issuer": "https://issuer.example.com"}))


async def test_a_service_is_not_ready_once_its_key_ring_is_gone(settings: Settings, tmp_path: Path) -> None:
    key_file = tmp_path / "keys.json"
    key_file.write_bytes(KeyRing.first().to_bytes())
    key_file.chmod(0o600)
    team = assemble_team(settings.model_copy(update={"keys": None, "key_file": key_file}))
    assert await team.check() == "ready"
    key_file.unlink()
    with pytest.raises(KeyRingMissingError):
        await team.check()
    team.close()


async def test_all_workspaces_are_checked_again_not_only_those_that_are_open(team: Team, tmp_path: Path) -> None:
    for name in ("red", "blue"):
        async with team.workspace(name) as wellhead:
            (tmp_path / "root" / name / "sales.csv").write_text("a,b\n1,2\n")
            await wellhead.catalog.create(csv("sales"))
    (tmp_path / "root" / "notes.txt").write_text("no workspace")
    team.close()
    again = assemble_team(team.settings)
    looked = [catalog async for catalog in LiveApp(again).catalogs()]
    assert len(looked) == 2
    async for catalog in LiveApp(again).catalogs():
        await Rechecks(seconds=1e-6).look(catalog)
    for name in ("red", "blue"):
        async with again.workspace(name) as wellhead:
            [item] = (await wellhead.catalog.list(ListQuery())).items
            assert item["health"]["status"] == "passed"
    again.close()
