"""The page of a service for several users: what each role sees, in every process."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from support.api import csv_source
from support.browsing import Visitor, visitor
from support.distributions import Site, good
from support.service import SOURCES
from support.team import ADMIN_TOKEN, TeamService, running_team

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A directory for distributions, with one that ends each process that imports it."""
    site = Site(tmp_path_factory.mktemp("plugins") / "site")
    site.install("hurt", "import os\nos._exit(3)")
    return site


@pytest.fixture(scope="module")
def team(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeamService]:
    """A live service of two processes."""
    paths = os.pathsep.join(filter(None, [str(site.path), os.environ.get("PYTHONPATH")]))
    with running_team(tmp_path_factory.mktemp("team"), workers=2, PYTHONPATH=paths) as running:
        yield running


@pytest.fixture(scope="module")
def boss(team: TeamService) -> Iterator[Visitor]:
    """An administrator."""
    with visitor(team.service.url, ADMIN_TOKEN) as signed_in:
        yield signed_in


@pytest.fixture(scope="module")
def guest(team: TeamService) -> Iterator[Visitor]:
    """Somebody who may read what is in another workspace."""
    with visitor(team.service.url, team.token("guest", "viewer", "blue")["token"]) as signed_in:
        yield signed_in


def anew(visit: Visitor, path: str) -> str:
    """Go to a page on a connection of its own, which any of the processes may take."""
    answer = visit.get(path, headers={"Connection": "close"})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_a_broken_plugin_is_shown_with_its_reason_and_what_mends_it(guest: Visitor) -> None:
    page = anew(guest, "/plugins")
    assert page.index("Importing it ended the process with exit code 3.") < page.index('href="/plugins/csv"')
    assert 'data-copy="pip uninstall hurt"' in page
    assert '<span class="badge broken">Broken</span>' in page


def test_what_a_role_does_not_permit_is_not_offered_and_is_refused(boss: Visitor, guest: Visitor) -> None:
    for visit, is_boss in ((boss, True), (guest, False)):
        page = anew(visit, "/plugins")
        assert ('action="/plugins/reload"' in page, 'href="/add/csv"' in page) == (is_boss, is_boss)
        assert ('href="/audit"' in page) is is_boss
        assert visit.get("/audit").status_code == (200 if is_boss else 403)
    refused = guest.post("/plugins/reload")
    assert (refused.status_code, "/problems/forbidden" in refused.text) == (403, True)


def test_a_plugin_that_is_installed_is_on_the_page_of_every_process_after_a_look(boss: Visitor, site: Site) -> None:
    site.install("fine", good("fine"))
    assert 'href="/plugins/fine"' not in anew(boss, "/plugins")
    answer = boss.post("/plugins/reload", timeout=60)
    assert re.search(r"New:</strong> <a href=\"/plugins/fine\">", answer.text)
    for _ in range(8):
        assert 'href="/plugins/fine"' in anew(boss, "/plugins")
        assert "my-fine" in anew(boss, "/plugins/fine")
    site.install("fine", good("fine").replace("host: str", "other: str"), version="2.0")
    part = boss.post("/plugins/reload", headers={"X-Part": "plugins"}, timeout=60).text
    assert "<html" not in part
    assert "No type came or went." in part
    assert "Version 2.0 was installed" in part
    site.uninstall("fine")
    assert "Gone:</strong> fine." in boss.post("/plugins/reload", timeout=60).text
    assert boss.get("/plugins/fine").status_code == 404


def test_Z_02_the_health_by_type_is_of_the_own_workspace(boss: Visitor, guest: Visitor, team: TeamService) -> None:
    team.service.client.post(SOURCES, json=csv_source())
    assert "Not validated <strong>1</strong>" in anew(boss, "/")
    assert "Not validated <strong>1</strong>" in anew(boss, "/summary")
    assert "<strong>" not in anew(guest, "/summary").partition("<main")[2]
