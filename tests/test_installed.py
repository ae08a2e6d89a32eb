"""The plugins of one process, looked for again and again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.distributions import Site, good
from support.types import DeepSource
from wellhead.model.extension import DataSourceType
from wellhead.plugins.choice import PluginChoice
from wellhead.plugins.installed import InstalledPlugins, TypeSet
from wellhead.plugins.registry import describe
from wellhead.plugins.reports import PluginReport
from wellhead.plugins.trial import Trials


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A directory for distributions, on the path of this process; its modules are forgotten afterwards."""
    site = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(site.path))
    before = set(sys.modules)
    yield site
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def plugins(tmp_path: Path) -> InstalledPlugins:
    """The plugins of a process, none of which is loaded yet."""
    return InstalledPlugins(choice=PluginChoice(), trials=Trials(tmp_path / "trials.json"))


def report_of(types: TypeSet, distribution: str) -> PluginReport:
    [report] = [report for report in types.reports if report.distribution == distribution]
    return report


def test_a_type_is_the_same_object_after_another_look(site: Site, plugins: InstalledPlugins) -> None:
    site.install("fine", good("fine"))
    first, second = plugins.load(), plugins.load()
    assert first.registry is not second.registry
    assert first.registry.describe("fine") is not None
    assert first.registry.get_type("fine") == second.registry.get_type("fine")


def test_what_was_found_before_stays_as_it_was_when_something_is_removed(site: Site, plugins: InstalledPlugins) -> None:
    site.install("fine", good("fine"))
    before = plugins.load()
    site.uninstall("fine")
    after = plugins.load()
    assert "fine" in before.registry.list_types()
    assert "fine" not in after.registry.list_types()
    assert "fine" not in {report.distribution for report in after.reports}


def test_the_types_of_the_program_stay(site: Site, tmp_path: Path) -> None:
    own = describe(DataSourceType(DeepSource))
    plugins = InstalledPlugins([own], choice=PluginChoice(), trials=None)
    for _ in range(2):
        assert plugins.load().registry.describe(own.name) is own
    site.install("thief", good(own.name))
    found = plugins.load()
    assert found.registry.describe(own.name) is own
    assert report_of(found, "thief").state == "conflict"


def test_files_that_changed_under_the_same_version_need_a_restart(site: Site, plugins: InstalledPlugins) -> None:
    site.install("fine", good("fine"))
    plugins.load()
    (site.path / "fine.py").write_text(good("fine") + "# edited\n")
    report = report_of(plugins.load(), "fine")
    assert (report.state, report.needs_restart) == ("ready", True)
    assert "Its files were changed" in (report.reason or "")
    site.install("fine", good("fine"))
    assert not report_of(plugins.load(), "fine").needs_restart, "what is loaded is installed again"


def test_a_plugin_whose_module_is_that_of_another_one_waits_for_a_restart(
    site: Site, plugins: InstalledPlugins
) -> None:
    site.install("fine", good("fine"))
    plugins.load()
    site.uninstall("fine")
    plugins.load()
    site.install("fine", good("other"))
    for metadata in site.path.glob("fine-*.dist-info/METADATA"):
        metadata.write_text("Metadata-Version: 2.1\nName: renamed\nVersion: 1.0\n")
    found = plugins.load()
    report = report_of(found, "renamed")
    assert (report.state, report.needs_restart) == ("disabled", True)
    assert "has a module 'fine' already" in (report.reason or "")
    assert not {"fine", "other"} & set(found.registry.list_types())


def test_a_plugin_that_was_bad_is_tried_again_at_once(site: Site, plugins: InstalledPlugins, tmp_path: Path) -> None:
    site.install("needs", "import comes_later\n" + good("needs"))
    assert report_of(plugins.load(), "needs").state == "broken"
    (site.path / "comes_later.py").touch()
    assert report_of(plugins.load(), "needs").state == "ready"


def test_one_that_claims_a_type_in_use_takes_it_from_both_as_a_start_would(
    site: Site, plugins: InstalledPlugins
) -> None:
    site.install("fine", good("fine"))
    plugins.load()
    site.install("claims", good("fine"))
    found = plugins.load()
    assert {report_of(found, name).state for name in ("fine", "claims")} == {"conflict"}
    site.uninstall("claims")
    assert report_of(plugins.load(), "fine").state == "ready"
