"""The list with a browser: search as one types, filters, and validating many with a bar that grows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from support.canary import Canary
from support.chromium import Visit, visiting
from support.service import Service, running_service

Sources = dict[str, Any]
DATABASE = {"host": "127.0.0.1", "port": 9, "database": "shop", "username": "reader", "tls_mode": "disable"}
DOCUMENTS = (
    {"name": "sales", "type": "csv", "path": "sales.csv"},
    {"name": "rates", "type": "json", "path": "rates.json"},
    {"name": "shop", "type": "api", "url": "https://api.example.com"},
    {"name": "orders", "type": "postgres", **DATABASE},
    {"name": "wares", "type": "mysql", **DATABASE},
)
"""One of each type that is installed."""


@pytest.fixture(autouse=True)
def _two_that_work(home: Path, sources: Sources) -> None:
    for name in ("sales", "rates"):
        (home / "workspace" / f"{name}.csv").write_text("a,b\n1,2\n")


def test_the_list_follows_what_is_typed(visit: Visit) -> None:
    page = visit.goto("/")
    expect(page.locator(".sources tbody tr")).to_have_count(3)
    visit.check_access()
    page.get_by_label("Search").press_sequentially("ORD")
    expect(page.locator(".sources tbody tr")).to_have_count(1)
    expect(page.get_by_role("link", name="orders")).to_be_visible()
    expect(page).to_have_url(f"{visit.url}/?q=ORD")
    page.get_by_label("Search").fill("")
    expect(page.locator(".sources tbody tr")).to_have_count(3)
    page.get_by_label("Label").fill("team:rates")
    expect(page.locator(".sources tbody tr")).to_have_count(1)
    page.reload()
    expect(page.locator(".sources tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Show all").click()
    expect(page.locator(".sources tbody tr")).to_have_count(3)


def test_all_are_validated_and_each_row_shows_it(visit: Visit) -> None:
    page = visit.goto("/")
    page.get_by_role("button", name="Validate all 3").click()
    expect(page.locator("#tally")).to_have_text("3 of 3 validated: 2 work, 1 do not.")
    expect(page.locator("tr", has_text="orders").locator(".badge")).to_have_text("Fails")
    expect(page.locator("tr", has_text="sales").locator(".badge")).to_have_text("Works")
    visit.check_access()


def test_only_the_chosen_are_validated(visit: Visit) -> None:
    page = visit.goto("/")
    page.get_by_role("button", name="Validate the chosen").click()
    expect(page.locator("#notices")).to_contain_text("Choose data sources first.")
    page.get_by_label("Choose rates").check()
    page.get_by_role("button", name="Validate the chosen").click()
    expect(page.locator("#tally")).to_have_text("1 of 1 validated: 1 work, 0 do not.")


def test_without_scripts_the_list_can_be_filtered_and_validated(
    chromium: Browser, service: Service, canary: Canary, tmp_path: Path
) -> None:
    with visiting(chromium, service.url, tmp_path / "traffic.har", java_script_enabled=False) as visit:
        page = visit.sign_in(service.token)
        page.get_by_label("Search").fill("rat")
        page.get_by_role("button", name="Show").click()
        expect(page.locator(".sources tbody tr")).to_have_count(1)
        page.get_by_role("button", name="Validate all 1").click()
        expect(page.locator("tbody tr", has_text="rates")).to_contain_text("Works")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("count", [1, 5])
def test_what_is_below_the_first_picture_stays_where_it_is(
    chromium: Browser, home: Path, canary: Canary, tmp_path: Path, width: int, count: int
) -> None:
    """A picture that was never made comes after the page: of a filtered list too, so it takes no 2,000 data sources."""
    (tmp_path / "workspace").mkdir()
    viewport = {"width": width, "height": 800}
    with running_service(tmp_path / "workspace", tmp_path / "config") as fresh:
        canary.watch(fresh.token)
        canary.put_into(tmp_path / "config" / "token")
        for document in DOCUMENTS[:count]:
            assert fresh.client.post("/api/v1/datasources", json=document).status_code == 201
        with visiting(chromium, fresh.url, tmp_path / "fresh.har", viewport=viewport) as visit:
            assert visit.context.request.post(f"{fresh.url}/sign-in", form={"token": fresh.token}).ok
            held: list[Route] = []
            visit.page.route("**/summary", lambda route: held.insert(0, route))
            visit.goto("/?q=sales")
            expect(visit.page.locator("#summary[data-awaited]")).to_be_visible()
            visit.check_access()
            before = top_of_filters(visit)
            while not held:
                visit.page.wait_for_timeout(10)
            held[0].continue_()
            expect(visit.page.locator("#summary .counts strong").first).to_be_visible()
            assert top_of_filters(visit) == before
            visit.check_access()


def top_of_filters(visit: Visit) -> float:
    return float(visit.page.evaluate("document.getElementById('filters').getBoundingClientRect().top"))
