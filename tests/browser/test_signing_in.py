"""Signing in with a browser."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from support.canary import Canary
from support.chromium import Visit, visiting
from support.service import Service
from wellhead.access.tickets import Tickets


def test_somebody_signs_in_with_the_token_and_out(
    chromium: Browser, service: Service, canary: Canary, tmp_path: Path
) -> None:
    with visiting(chromium, service.url, tmp_path / "traffic.har") as visit:
        page = visit.goto("/")
        expect(page).to_have_url(f"{service.url}/sign-in")
        visit.check_access()
        page.get_by_label("Token").press("Enter")  # an empty one is not sent
        expect(page.get_by_role("heading", name="Wellhead")).to_be_visible()
        visit.sign_in(service.token)
        expect(page.get_by_role("heading", name="Data sources")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(f"{service.url}/sign-in")
        visit.goto("/")
        expect(page).to_have_url(f"{service.url}/sign-in")


def test_the_printed_address_signs_in_once(
    chromium: Browser, service: Service, home: Path, canary: Canary, tmp_path: Path
) -> None:
    code = Tickets(home / "config/sessions").issue(service.token, "sign-in", seconds=60).to_text()
    with visiting(chromium, service.url, tmp_path / "traffic.har") as visit:
        visit.goto(f"/sign-in?code={code}")
        visit.page.wait_for_url(f"{service.url}/")
        expect(visit.page.get_by_role("heading", name="Data sources")).to_be_visible()


def test_an_old_link_leads_to_signing_in_and_then_to_a_page_that_says_so(
    chromium: Browser, service: Service, canary: Canary, tmp_path: Path
) -> None:
    with visiting(chromium, service.url, tmp_path / "traffic.har") as visit:
        page = visit.goto("/old/link")
        expect(page).to_have_url(f"{service.url}/sign-in")
        visit.sign_in(service.token)
        visit.refusals.add(404)
        visit.goto("/old/link")
        expect(page.get_by_role("heading", name="There is no such thing here.")).to_be_visible()
        visit.check_access()
        page.get_by_role("button", name="To the data sources").click()
        expect(page).to_have_url(f"{service.url}/")


def test_an_empty_workspace_teaches_the_first_step(visit: Visit) -> None:
    expect(visit.page.get_by_role("heading", name="No data source yet")).to_be_visible()
    visit.check_access()
    visit.page.get_by_role("button", name="Add the first one").focus()
    assert visit.page.evaluate("document.activeElement.getAttribute('href')") == "/add"
