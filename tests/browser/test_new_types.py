"""A type that is installed while the service runs has its form at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from support.chromium import Visit
from support.distributions import Site, good
from support.service import SOURCES, Service, running_service


@pytest.fixture(scope="module")
def site(home: Path) -> Site:
    """Where pip installs to."""
    return Site(home / "site")


@pytest.fixture(scope="module")
def service(home: Path, site: Site) -> Iterator[Service]:
    """A live service that sees what is installed there."""
    with running_service(home / "workspace", home / "config", PYTHONPATH=str(site.path)) as running:
        yield running


def test_a_type_installed_meanwhile_has_its_form_at_once(visit: Visit, site: Site, service: Service) -> None:
    page = visit.goto("/plugins")
    site.install("acme-queue", good("acme-queue"))
    visit.press("Look for new plugins")
    expect(page.locator("#changes")).to_contain_text("New: ")
    expect(page.locator("#changes")).to_be_focused()
    visit.check_access()
    page.locator("#changes a").click()
    page.wait_for_url("**/plugins/acme-queue")
    page.get_by_role("button", name="Add one").click()
    page.wait_for_url("**/add/acme-queue")
    expect(page.locator('[name="/host"]')).to_have_value("localhost")
    visit.fill(name="the queue", host="queue.example.com")
    visit.press("Save only if it works")
    page.wait_for_url("**/sources/*")
    expect(page.locator("#last .check strong")).to_have_text("query")
    assert [item["type"] for item in service.client.get(SOURCES).json()["items"]] == ["acme-queue"]


def test_a_broken_one_is_shown_with_what_mends_it(visit: Visit, site: Site) -> None:
    page = visit.goto("/plugins")
    site.install("acme-broken", "import nothing_that_is_there")
    visit.press("Look for new plugins")
    trouble = page.locator(".trouble", has_text="acme-broken")
    expect(trouble).to_contain_text("nothing_that_is_there")
    expect(trouble.locator(".command code")).to_have_text("pip install --force-reinstall acme-broken")
    visit.check_access()
