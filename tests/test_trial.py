"""Trial imports, with distributions that are really installed and really do harm."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from support.distributions import Site, good
from support.programs import wait_until
from wellhead.model.shape import Shape
from wellhead.model.source import DataSourceConfig
from wellhead.plugins import rules
from wellhead.plugins.found import FoundPlugin, find_plugins
from wellhead.plugins.loader import load_plugins
from wellhead.plugins.registry import DataSourceTypeRegistry
from wellhead.plugins.reports import PluginReport
from wellhead.plugins.trial import Trials

SECONDS = 1.5  # a good plugin takes some milliseconds


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A directory for distributions that is on the path; what is imported from it is forgotten afterwards."""
    site = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(site.path))
    before = set(sys.modules)
    yield site
    for name in set(sys.modules) - before:
        del sys.modules[name]


def installed(site: Site) -> list[FoundPlugin]:
    """Return the plugins of a directory."""
    names = {path.stem for path in site.path.glob("*.py")}
    return [plugin for plugin in find_plugins() if plugin.point.value in names]


def load(site: Site, memory: Path | None = None) -> dict[str, PluginReport]:
    """Load the plugins of a directory, after their trial."""
    points = [plugin.point for plugin in installed(site)]
    reports = load_plugins(DataSourceTypeRegistry(), points, trials=Trials(memory, seconds=SECONDS))
    return {report.distribution: report for report in reports}


HARM = {
    "hangs": ("import time\ntime.sleep(3600)", "longer than 1.5 seconds"),
    "spins": ("while True: pass", "longer than 1.5 seconds"),
    "hangs-in-hook": (
        "import time, wellhead\n@wellhead.hookimpl\ndef wellhead_data_source_types():\n    time.sleep(3600)",
        "longer than 1.5 seconds",
    ),
    "exits": ("import sys\nsys.exit(3)", "SystemExit"),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "leaves": ("import os\nos._exit(3)", "exit code 3"),
    "leaves-well": ("import os\nos._exit(0)", "exit code 0"),
    "segfaults": ("import ctypes\nctypes.string_at(0)", "SIGSEGV"),
    "aborts": ("import os\nos.abort()", "SIGABRT"),
    "kills": ("import os, signal\nos.killpg(0, signal.SIGKILL)", "SIGKILL"),
    "closes": ("import os\nos.closerange(0, 10_000)\nimport time\ntime.sleep(3600)", "cut the process off"),
}


@pytest.mark.parametrize("name", HARM)
def test_G_02_an_import_that_hangs_or_ends_the_process_is_found_and_the_others_work(name: str, site: Site) -> None:
    source, reason = HARM[name]
    site.install(name, source)
    site.install("aa", good("aa"))
    site.install("zz", good("zz"))
    reports = load(site)
    assert {known: report.state for known, report in reports.items()} == {name: "broken", "aa": "ready", "zz": "ready"}
    assert reason in (reports[name].reason or "")
    assert reports[name].remedy == f"Report it to the author of {name}, or remove it: pip uninstall {name}"


def test_G_02_many_that_end_the_process_are_each_found(site: Site) -> None:
    for number in range(4):
        site.install(f"good{number}", good(f"good{number}"))
        site.install(f"leaves{number}", f"import os\nos._exit({number})")
    reports = load(site)
    bad = {name: report.reason for name, report in reports.items() if report.state == "broken"}
    assert bad == {f"leaves{n}": f"Importing it ended the process with exit code {n}." for n in range(4)}


def has_ended(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_G_02_nothing_of_a_trial_lives_on(site: Site, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    site.install(
        "breeds",
        f"import subprocess\np = subprocess.Popen(['sleep', '3600'])\nopen({str(note)!r}, 'w').write(str(p.pid))",
    )
    load(site)
    killed_at, pid = time.monotonic(), int(note.read_text())
    wait_until(lambda: has_ended(pid), "what a trial has started lives on")
    assert time.monotonic() - killed_at < 1  # the kernel takes a moment to end what was killed


def test_a_trial_sees_no_variable_no_input_and_no_descriptor(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    note = tmp_path / "seen"
    with (tmp_path / "open").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        site.install(
            "looks",
            "import json, os, sys\n"
            "names = [os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if n.isdigit() "
            "and os.path.exists(f'/proc/self/fd/{n}')]\n"
            f"open({str(note)!r}, 'w').write(json.dumps([dict(os.environ), sys.stdin.read(), names]))\n"
            "raise RuntimeError\n",
        )
        load(site)
    environment, read, names = json.loads(note.read_text())
    assert "hunter2" not in str(environment)
    assert set(environment) <= {"HOME", "LC_CTYPE", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    assert read == ""
    assert not any(str(tmp_path / "open") in name for name in names)


PATCHES = {
    "core": (
        "import wellhead.model.secret as s\ns.Secret.reveal = lambda self: 'x'",
        "wellhead.model.secret.Secret.reveal",
    ),
    "core-later": (
        "import wellhead.access.token as t\nt.LocalToken.fits = lambda self, presented: True",
        "wellhead.access.token.LocalToken.fits",
    ),
    "core-constant": ("import wellhead.errors as e\ne.WellheadError.code = 'x'", "wellhead.errors.WellheadError.code"),
    "core-code": (
        "import wellhead.plugins.registry as r\nr.describe.__code__ = (lambda extension: None).__code__",
        "wellhead.plugins.registry.describe",
    ),
    "library": ("import json\njson.loads = lambda *a, **k: {}", "json.loads"),
    "inherited": ("import ssl\nssl.SSLContext.__eq__ = lambda self, other: True", "ssl.SSLContext.__eq__"),
    "its-builtins": ("import builtins\nbuiltins.open = print", "builtins.open"),
    "removed": ("import hmac\ndel hmac.compare_digest", "hmac.compare_digest"),
}


@pytest.mark.parametrize("name", PATCHES)
def test_G_14_a_plugin_that_patches_core_or_the_library_is_noticed_before_the_service_imports_it(
    name: str, site: Site
) -> None:
    source, changed = PATCHES[name]
    site.install(name, source + "\n" + good("patcher"))
    site.install("zz", good("zz"))
    reports = load(site)
    assert reports[name].state == "broken"
    assert changed in (reports[name].reason or "")
    assert reports["zz"].state == "ready"
    assert name.replace("-", "_") not in sys.modules


def test_a_good_plugin_that_uses_much_of_the_library_changes_nothing(site: Site) -> None:
    uses = (
        "import asyncio, concurrent.futures, ctypes, email, http.server, logging, multiprocessing, sqlite3, xml.dom\n"
    )
    site.install("uses", uses + "import wellhead.workspace\nlogging.getLogger('x').setLevel(10)\n" + good("uses"))
    assert load(site)["uses"].reason is None


def test_what_a_trial_found_is_remembered_so_that_the_next_start_pays_nothing(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("good", good("good"))
    site.install("leaves", "import os\nos._exit(3)")
    first = load(site, tmp_path / "memory" / "plugins.json")
    monkeypatch.setattr("wellhead.plugins.scratch_process._launch", lambda *_: pytest.fail("a process was started"))
    second = load(site, tmp_path / "memory" / "plugins.json")
    assert {name: report.state for name, report in first.items()} == {"good": "ready", "leaves": "broken"}
    assert [report.reason for report in first.values()] == [report.reason for report in second.values()]
    assert (tmp_path / "memory" / "plugins.json").stat().st_mode & 0o777 == 0o600


def test_another_version_is_tried_anew(site: Site, tmp_path: Path) -> None:
    memory = tmp_path / "plugins.json"
    site.install("changes", good("changes"))
    assert load(site, memory)["changes"].state == "ready"
    site.install("changes", "import os\nos._exit(3)", version="1.1")
    report = load(site, memory)["changes"]
    assert (report.state, report.version) == ("broken", "1.1")


def test_an_edit_in_place_is_tried_anew(site: Site, tmp_path: Path) -> None:
    memory = tmp_path / "plugins.json"
    site.install("edited", good("edited"))
    assert load(site, memory)["edited"].state == "ready"
    (site.path / "edited.py").write_text("import os\nos._exit(3)\n")
    assert load(site, memory)["edited"].state == "broken"


def test_a_missing_dependency_that_is_installed_later_mends_the_plugin(site: Site, tmp_path: Path) -> None:
    memory = tmp_path / "plugins.json"
    site.install("needs", "import whdependency\n" + good("needs"))
    assert "whdependency" in (load(site, memory)["needs"].reason or "")
    site.install("whdependency", good("dependency"))
    assert load(site, memory)["needs"].state == "ready"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"format": 2}', b'{"format": 1, "verdicts": 5}', b"\xff\x00", b"[" * 100_000],
)
def test_a_damaged_memory_is_ignored_and_made_anew(content: bytes, site: Site, tmp_path: Path) -> None:
    memory = tmp_path / "plugins.json"
    memory.write_bytes(content)
    site.install("good", good("good"))
    assert load(site, memory)["good"].state == "ready"
    assert json.loads(memory.read_text())["verdicts"]


@pytest.mark.parametrize("left_out", ["state", "reason", "remedy", "surroundings", "at"])
@pytest.mark.parametrize("state", ["ready", "broken"])
def test_a_damaged_verdict_is_ignored(state: str, left_out: str, site: Site, tmp_path: Path) -> None:
    memory = tmp_path / "plugins.json"
    site.install("good", good("good"))
    load(site, memory)
    document = json.loads(memory.read_text())
    for verdict in document["verdicts"].values():
        verdict["state"] = state
        del verdict[left_out]
    memory.write_text(json.dumps(document))
    assert load(site, memory)["good"].state == "ready"


def test_a_memory_that_cannot_be_written_only_costs_time(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    site.install("good", good("good"))
    site.install("leaves", "import os\nos._exit(3)")
    reports = load(site, tmp_path / "file" / "plugins.json")
    assert {name: report.state for name, report in reports.items()} == {"good": "ready", "leaves": "broken"}


def test_where_no_process_can_be_had_the_plugins_are_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("good", good("good"))
    monkeypatch.setattr(sys, "executable", str(site.path / "no-python"))
    assert load(site)["good"].state == "ready"


BORROWS = '''
"""A type with a model of another distribution in it."""

from typing import Literal

import whparts
import wellhead


class Source(wellhead.DataSourceConfig):
    """A data source for tests."""

    type: Literal["borrows"] = "borrows"
    part: whparts.Part | None = None


class Validator(wellhead.Validator[Source]):
    """Pass one check."""

    async def validate(self, config, context):
        async with context.check("query"):
            pass


@wellhead.hookimpl
def wellhead_data_source_types():
    return [wellhead.DataSourceType(Source, Validator)]
'''
PARTS = "import pydantic\n\n\nclass Part(pydantic.BaseModel):\n    model_config = {config}\n    size: int = 1\n"
STRICT, LENIENT = PARTS.format(config="{'extra': 'forbid', 'frozen': True}"), PARTS.format(config="{}")


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The types whose rules this process looks at."""
    names: list[str] = []

    def look(name: str, model: type[DataSourceConfig]) -> Shape:
        names.append(name)
        return rules.check_model(name, model)

    monkeypatch.setattr("wellhead.plugins.registry.check_model", look)
    return names


def test_the_rules_that_a_trial_has_held_are_not_looked_at_again(
    site: Site, tmp_path: Path, looked_at: list[str]
) -> None:
    site.install("good", good("good"))
    assert [load(site, tmp_path / "plugins.json")["good"].state for _ in range(2)] == ["ready"] * 2
    assert looked_at == []
    assert load(site)["good"].state == "ready"  # nothing is remembered, but it was tried just now
    assert looked_at == []


def test_without_a_trial_the_rules_are_looked_at(site: Site, looked_at: list[str]) -> None:
    site.install("good", good("good"))
    load_plugins(DataSourceTypeRegistry(), [plugin.point for plugin in installed(site)])
    assert looked_at == ["good"]


def test_what_is_installed_later_is_why_the_rules_are_looked_at_again_once(
    site: Site, tmp_path: Path, looked_at: list[str]
) -> None:
    memory = tmp_path / "plugins.json"
    site.install("good", good("good"))
    load(site, memory)
    site.install("later", good("later"))
    assert [load(site, memory)["good"].state for _ in range(2)] == ["ready"] * 2
    assert looked_at == ["good"]


def test_a_model_of_another_distribution_that_breaks_a_rule_later_is_noticed(site: Site, tmp_path: Path) -> None:
    memory = tmp_path / "plugins.json"
    (site.path / "whparts.py").write_text(STRICT)
    site.install("borrows", BORROWS)
    assert load(site, memory)["borrows"].reason is None
    for module in ("whparts", "borrows"):
        del sys.modules[module]
    (site.path / "whparts.py").unlink()
    (site.path / "whparts.py").write_text(LENIENT)
    assert "unknown fields" in (load(site, memory)["borrows"].reason or "")


def test_the_parameters_of_a_type_are_there_though_nobody_looked_at_its_rules(site: Site) -> None:
    site.install("good", good("good"))
    registry = DataSourceTypeRegistry()
    points = [plugin.point for plugin in installed(site)]
    load_plugins(registry, points, trials=Trials(None, seconds=SECONDS))
    assert [parameter["name"] for parameter in registry.describe("good").parameters] == ["host"]
