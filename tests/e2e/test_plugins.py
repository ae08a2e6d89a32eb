"""Plugins that are really installed, good and bad ones, in a running service and on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.command import CommandLine
from support.distributions import Site, good
from support.documents import path_of
from support.service import SOURCES, Service, running_service

BAD = {
    "raises": "raise RuntimeError('hunter2')",
    "hangs-well": "while True: pass",
    "segfault": "import ctypes\nctypes.string_at(0)",
    "patches": "import wellhead.access.token as t\nt.LocalToken.fits = lambda *a: True\n" + good("patches"),
    "misspelt": good("misspelt").replace("def wellhead_data_source_types", "def wellhead_data_source_type"),
    "later": good("later").replace("Validator)]", "Validator, requires_api='>=2')]"),
    "one-more": good("disputed"),
    "two-more": good("disputed"),
}
STATES = {
    "raises": "broken",
    "hangs-well": "broken",
    "segfault": "broken",
    "patches": "broken",
    "misspelt": "broken",
    "later": "incompatible",
    "one-more": "conflict",
    "two-more": "conflict",
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A directory for distributions, which every process of the test has on its path."""
    site = Site(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(site.path))
    return site


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """A workspace and a configuration directory of the test's own."""
    (tmp_path / "workspace").mkdir()
    return tmp_path / "workspace", tmp_path / "config"


@pytest.fixture
def wellhead(place: tuple[Path, Path]) -> CommandLine:
    """The command line in the workspace."""
    return CommandLine(place[0])


def types_of(service: Service) -> dict[str, dict[str, Any]]:
    """Return the items of types, by distribution and name."""
    items = service.client.get(f"{SOURCES}/types").json()["items"]
    return {f"{item['distribution']}:{item['name']}": item for item in items}


def states_of(items: list[dict[str, Any]]) -> dict[str, str]:
    return {item["distribution"]: item["state"] for item in items if item["distribution"] in {*BAD, "fine"}}


def test_G_01_G_02_G_03_G_05_G_14_a_service_with_bad_plugins_of_every_kind_starts_and_shows_each(
    site: Site, place: tuple[Path, Path], wellhead: CommandLine
) -> None:
    site.install("fine", good("fine"))
    for name, source in BAD.items():
        site.install(name, source)
    with running_service(*place) as service:
        items = types_of(service)
        assert states_of(list(items.values())) == {**STATES, "fine": "ready"}
        for item in items.values():
            assert (item["reason"] is None) == (item["remedy"] is None) == (item["state"] == "ready")
            assert item["version"]
            assert item["load_ms"] >= 0
        made = service.client.post(SOURCES, json={"type": "fine", "name": "works"})
        assert made.status_code == 201
        result = service.client.post(f"{path_of(made.json())}/validate").json()
        assert result["status"] == "passed"
        counts = service.client.get("/readyz").json()
        assert counts == {
            "status": "ready",
            "plugins": {"ready": 6, "broken": 5, "conflict": 2, "incompatible": 1, "disabled": 0},
        }
        assert "hunter2" not in str(items)
    shown = wellhead("types", "--json").document["items"]
    assert states_of(shown) == {**STATES, "fine": "ready"}
    table = wellhead("types").out
    assert "hangs_well: Importing it took longer than 5 seconds." in table
    assert "Did you mean wellhead_data_source_types?" in table
    assert "WELLHEAD_PLUGINS_PREFER=disputed=one-more" in table


def test_a_list_of_what_is_denied_keeps_a_plugin_from_being_imported_at_all(
    site: Site, wellhead: CommandLine, tmp_path: Path
) -> None:
    note = tmp_path / "imported"
    site.install("notes", f"open({str(note)!r}, 'w')\n" + good("notes"))
    found = {
        item["name"]: item for item in wellhead("types", "--json", WELLHEAD_PLUGINS_DENY="Notes").document["items"]
    }
    assert (found["notes"]["state"], found["notes"]["reason"]) == ("disabled", "WELLHEAD_PLUGINS_DENY names it.")
    assert not note.exists()
    found = wellhead("types", "--json", WELLHEAD_PLUGINS_ALLOW="notes").document["items"]
    assert {item["state"] for item in found if item["distribution"] != "notes"} == {"disabled"}
    assert note.exists()


def test_G_03_a_setting_settles_a_conflict_and_the_type_is_validated_as_the_one_that_won_does(
    site: Site, place: tuple[Path, Path]
) -> None:
    site.install("one", good("disputed", check="locate"))
    site.install("two", good("disputed", check="connect"))
    with running_service(*place, WELLHEAD_PLUGINS_PREFER="disputed=Two", WELLHEAD_PLUGINS_STRICT="true") as service:
        found = types_of(service)
        assert (found["two:disputed"]["state"], found["one:disputed"]["state"]) == ("ready", "disabled")
        body = {"type": "disputed"}
        checks = service.client.post(f"{SOURCES}/validate", json=body).json()["checks"]
        assert [check["name"] for check in checks] == ["connect"]


def test_in_strict_mode_a_bad_plugin_stops_the_start_and_is_named_with_its_remedy(
    site: Site, wellhead: CommandLine
) -> None:
    site.install("leaves", "import os\nos._exit(3)")
    site.install("fine", good("fine"))
    run = wellhead("serve", "--port", "0", code=78, WELLHEAD_PLUGINS_STRICT="true")
    assert "leaves 1.0: Importing it ended the process with exit code 3." in run.err
    assert "pip uninstall leaves" in run.err
    assert "fine" not in run.err
    assert wellhead("types", WELLHEAD_PLUGINS_STRICT="true").out


def test_in_strict_mode_a_plugin_that_was_denied_stops_nothing(site: Site, place: tuple[Path, Path]) -> None:
    site.install("leaves", "import os\nos._exit(3)")
    denied = {"WELLHEAD_PLUGINS_STRICT": "true", "WELLHEAD_PLUGINS_DENY": "leaves"}
    with running_service(*place, **denied) as service:
        assert service.client.get("/readyz").json()["plugins"]["disabled"] == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WELLHEAD_PLUGINS_ALLOW", "a b"),
        ("WELLHEAD_PLUGINS_DENY", "../x"),
        ("WELLHEAD_PLUGINS_PREFER", "hunter2"),
        ("WELLHEAD_PLUGINS_PREFER", "Postgres=x"),
        ("WELLHEAD_PLUGINS_PREFER", "postgres=x,postgres=y"),
        ("WELLHEAD_PLUGINS_STRICT", "perhaps"),
    ],
)
def test_a_setting_that_does_not_fit_is_an_error_at_start(variable: str, value: str, wellhead: CommandLine) -> None:
    run = wellhead("types", code=78, **{variable: value})
    assert variable in run.err
    assert value not in run.err


MODEL = {
    "no-schema": ("host: str", "host: Callable[[int], int]"),
    "list-secret": ("host: str", "host: list[wellhead.Secret]"),
    "open": ("host: str", "model_config = pydantic.ConfigDict(extra='allow')\n    host: str"),
    "reserved": ("host: str", "workspace: str"),
    "default-secret": ("host: str", "key: wellhead.Secret = wellhead.Secret('hunter2')\n    host: str"),
    "bad-default": ('host: str = "localhost"', "host: int = 'hunter2'"),
    "many-names": ('Literal["aa"] = "aa"', 'Literal["aa", "bb"] = "aa"'),
}


def test_G_06_a_model_that_breaks_a_rule_is_refused_with_the_rule_in_words(site: Site, wellhead: CommandLine) -> None:
    for name, (old, new) in MODEL.items():
        source = "from collections.abc import Callable\nimport pydantic\n" + good("aa").replace(old, new, 1)
        assert new in source
        site.install(name, source)
    site.install("fine", good("fine"))
    run = wellhead("types", "--json")
    found = {item["distribution"]: item for item in run.document["items"]}
    assert {found[name]["state"] for name in MODEL} == {"broken"}
    assert found["fine"]["state"] == "ready"
    reasons = {found[name]["reason"] for name in MODEL}
    assert len(reasons) == len(MODEL)
    assert not any("raised" in reason for reason in reasons), reasons
    assert "hunter2" not in run.out + run.err


def test_G_16_a_plugin_that_is_removed_leaves_its_records_listed_and_deletable(
    site: Site, place: tuple[Path, Path]
) -> None:
    site.install("fine", good("fine"))
    with running_service(*place) as service:
        made = service.client.post(SOURCES, json={"type": "fine", "name": "stays"}).json()
    record = place[0] / ".datasources" / f"{made['id']}.json"
    before = record.read_bytes()
    site.uninstall("fine")
    with running_service(*place) as service:
        [listed] = service.client.get(SOURCES).json()["items"]
        assert (listed["state"], listed["type"], listed["name"]) == ("type_unavailable", "fine", "stays")
        refused = service.client.patch(path_of(made), json={"description": "x"})
        assert (refused.status_code, refused.json()["code"]) == (409, "type_unavailable")
        assert record.read_bytes() == before
        assert service.client.delete(path_of(made)).status_code == 204


NAMES = ["../../escape", "a;touch x", "$(touch x)", "a/b", "--help", "a\x1b[31m", "", "x" * 64]


def test_G_17_no_name_of_a_plugin_reaches_the_file_system_or_a_shell(
    site: Site, place: tuple[Path, Path], wellhead: CommandLine, tmp_path: Path
) -> None:
    for number, name in enumerate(NAMES):
        site.install(f"odd{number}", good("zzz").replace('"zzz"', repr(name)))
    information = site.path / "sly-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: x; touch sly\nVersion: $(touch sly)\n")
    (information / "entry_points.txt").write_text("[wellhead]\n../../sly\x1b[31m = os.path\n")
    before = {path for path in tmp_path.rglob("*") if "cache" not in path.parts}
    shown = wellhead("types")
    assert "\x1b" not in shown.out
    assert "touch sly" not in shown.out
    items = wellhead("types", "--json").document["items"]
    assert {item["state"] for item in items if str(item["distribution"]).startswith("odd")} == {"broken"}
    with running_service(*place) as service:
        assert service.client.get(f"{SOURCES}/types/..%2F..%2Fescape").status_code == 404
    made = {path for path in tmp_path.rglob("*") if "cache" not in str(path)} - before
    assert not [path for path in made if "sly" in path.name or path.name in {"x", "escape"}]


def test_the_module_of_a_broken_plugin_is_never_imported_by_the_service(site: Site, place: tuple[Path, Path]) -> None:
    site.install("starts", "import wellhead\n")
    env = {**os.environ, "WELLHEAD_CONFIG_DIR": str(place[1])}
    code = "import sys, wellhead; w = wellhead.open_workspace('.'); print('starts' in sys.modules); w.close()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place[0], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
