"""By the keyboard alone: a file is added and validated, and a secret is kept, replaced and cleared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from support.canary import Canary
from support.chromium import Visit
from support.service import SOURCES, Service


def test_a_file_is_added_and_validated_by_the_keyboard(visit: Visit, home: Path) -> None:
    (home / "workspace" / "rates.csv").write_text("day,rate\n2026-01-01,1.1\n")
    page, keyboard = visit.goto("/add"), visit.page.keyboard
    keyboard.type("comma")
    keyboard.press("Enter")
    page.wait_for_url("**/add/csv")
    visit.refusals.add(422)
    visit.tab_to(".save button")
    keyboard.press("Enter")
    expect(page.locator("#summary")).to_be_focused()
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(page.locator('[name="/name"]')).to_be_focused()
    keyboard.type("rates")
    visit.tab_to('[name="/path"]')
    keyboard.type("rates.csv")
    visit.tab_to('[name="verify"]')
    keyboard.press("Enter")
    page.wait_for_url("**/sources/*")
    visit.tab_to("#validate button")
    keyboard.press("Enter")
    expect(page.locator("#notices")).to_contain_text("Works")
    expect(page.locator("#validate button")).to_be_focused()
    keyboard.press("Escape")
    page.reload()
    keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_in_viewport()
    keyboard.press("Enter")
    visit.tab_to("#validate button")  # the bar is behind


def test_a_secret_is_kept_replaced_and_cleared_by_the_keyboard(visit: Visit, service: Service, canary: Canary) -> None:
    document = {"type": "postgres", "name": "secretive", "host": "localhost", "database": "d", "username": "u"}
    made = service.client.post(SOURCES, json={**document, "password": canary.secret()}).json()

    def edited(*keys: str, typed: str = "") -> Any:
        """Change what becomes of the password and save; return what is stored of it."""
        page = visit.goto(f"/sources/{made['id']}/edit")
        visit.tab_to('[name="/description"]')
        page.keyboard.press("End")
        page.keyboard.type("!")
        visit.tab_to('[name="/password#how"]')
        for key in keys:
            page.keyboard.press(key)
        if typed:
            page.keyboard.press("Tab")
            page.keyboard.type(typed)
        visit.tab_to(".save button")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/sources/{made['id']}")
        return service.client.get(f"{SOURCES}/{made['id']}").json()["password"]

    assert edited()["set_in_revision"] == 1
    assert edited("ArrowDown", typed=canary.secret())["set_in_revision"] == 3
    assert edited("ArrowDown", "ArrowDown", typed="env:PASSWORD_OF_IT")["ref"] == "env:PASSWORD_OF_IT"
    assert edited("ArrowDown", "ArrowDown", "ArrowDown") is None
