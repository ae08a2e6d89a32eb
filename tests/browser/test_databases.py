"""Journeys with a browser to a real PostgreSQL and a real MariaDB: from adding one to deleting it."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from support.canary import Canary
from support.chromium import Visit
from support.mariadb import MariaDB
from support.postgres import Postgres
from support.service import SOURCES, Service

CHECKS = ["secrets", "resolve", "connect", "tls", "authenticate", "query", "permissions"]
HINT = "Check both; copy the password anew."


def test_a_postgresql_is_added_mended_changed_by_two_rolled_back_and_deleted(
    visit: Visit, postgres: Postgres, service: Service, canary: Canary
) -> None:
    wrong = canary.secret()
    canary.watch(postgres.password)
    page = visit.goto("/add")
    page.keyboard.type("postgre")
    page.keyboard.press("Enter")
    page.wait_for_url("**/add/postgres")

    visit.fill(name="warehouse", host="localhost", port=postgres.port, database="shop", username="reader")
    visit.fill(password=wrong, tls_mode="disable")
    visit.press("Validate")
    failed = page.locator("#checks .check.failed")
    expect(failed.locator("strong")).to_have_text("authenticate")
    expect(failed.locator(".hint")).to_contain_text(HINT)
    assert service.client.get(SOURCES).json()["total"] == 0

    visit.fill(password=postgres.password)
    visit.press("Save only if it works")
    page.wait_for_url("**/sources/*")
    expect(page.get_by_role("heading", name="warehouse")).to_be_visible()
    expect(page.locator("#state .badge")).to_have_text("Works, with warnings")

    assert seen_growing(visit) == list(range(1, len(CHECKS) + 1))
    assert page.locator("#last .check strong").all_text_contents() == CHECKS

    source_id = page.url.rpartition("/")[2]
    settle_a_conflict(visit, service, source_id)

    page.get_by_role("link", name="Roll back to revision 1").click()
    visit.press("Roll back")
    expect(page.locator("#notice")).to_contain_text("The former revision was restored")
    expect(page.get_by_text("What both agreed on")).to_have_count(0)
    expect(page.locator(".revisions li").first).to_contain_text("4")

    page.get_by_role("button", name="Delete").click()
    page.get_by_label("to confirm").fill("another")
    visit.refusals.add(422)
    visit.press("Delete it")
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("to confirm").fill("warehouse")
    visit.press("Delete it")
    expect(page.locator("#notice")).to_contain_text("was deleted")
    expect(page.get_by_role("heading", name="No data source yet")).to_be_visible()


def settle_a_conflict(visit: Visit, service: Service, source_id: str) -> None:
    """Somebody else saves meanwhile: of the description theirs is taken, of the labels mine."""
    visit.refusals.add(412)
    page = visit.goto(f"/sources/{source_id}/edit")
    visit.fill(description="What I think")
    page.get_by_label("Labels: key 1").fill("team")
    page.get_by_label("Labels: value 1").fill("sales")
    theirs = {"description": "What both agreed on", "labels": {"team": "ops"}}
    service.client.patch(f"{SOURCES}/{source_id}", json=theirs).raise_for_status()
    visit.press("Save")
    expect(page.get_by_role("heading", name="warehouse was changed meanwhile")).to_be_visible()
    visit.check_access()
    page.locator('[name="take:description"][value=theirs]').check()
    visit.press("Save what is chosen")
    page.wait_for_url(f"**/sources/{source_id}")
    expect(page.get_by_text("What both agreed on")).to_be_visible()
    expect(page.locator("header .label").first).to_have_text("teamsales")


def seen_growing(visit: Visit) -> list[int]:
    """Validate from the page of a data source; return how many checks were seen at each change."""
    visit.page.evaluate(
        """() => {
            window.seen = [];
            const list = document.querySelector("#live ul");
            new MutationObserver((changes) => changes.filter((change) => change.addedNodes.length).forEach((change) =>
                window.seen.push([...list.children].indexOf(change.addedNodes[0]) + 1))
            ).observe(list, { childList: true });
        }"""
    )
    visit.press("Validate")
    expect(visit.page.locator("#notices")).to_contain_text("Works")
    expect(visit.page.locator("#last .check.passed").first).to_be_visible()
    seen: list[int] = visit.page.evaluate("[...new Set(window.seen)].filter(Boolean)")
    return seen


def test_a_mariadb_is_added_by_its_connection_string_and_mended(
    visit: Visit, mariadb: MariaDB, service: Service, canary: Canary
) -> None:
    wrong = canary.secret()
    canary.watch(mariadb.password)
    page = visit.goto("/add/mysql")
    address = f"mysql://reader:{mariadb.password}@127.0.0.1:{mariadb.port}/shop"
    page.locator('[name="/connection_string"]').fill(address)
    visit.press("Fill in the fields")
    expect(page.locator('[name="/database"]')).to_have_value("shop")
    expect(page.locator('[name="/password"]')).to_have_value(mariadb.password)
    expect(page.locator('[name="/connection_string"]')).to_have_value("")
    visit.fill(name="web shop", password=wrong, tls_mode="disable")
    visit.press("Validate")
    failed = page.locator("#checks .check.failed")
    expect(failed.locator("strong")).to_have_text("authenticate")
    expect(failed.locator(".hint")).not_to_be_empty()
    visit.press("Save")  # whoever wants to may save what does not work yet
    page.wait_for_url("**/sources/*")

    page.get_by_role("button", name="Edit").click()
    visit.replace_secret("password", mariadb.password)
    visit.press("Save only if it works")
    page.wait_for_url(re.compile(r"/sources/[0-9a-f-]{36}$"))
    expect(page.locator("#state .badge")).to_have_text(re.compile("Works"))

    page.get_by_role("button", name="Edit").click()
    visit.refusals.add(422)
    visit.fill(host="localhost")
    visit.press("Save")
    expect(page.locator("#summary")).to_contain_text("You changed where the secrets are sent")
    visit.fill(password=mariadb.password)
    visit.press("Save")
    page.wait_for_url(re.compile(r"/sources/[0-9a-f-]{36}$"))
    assert [item["host"] for item in service.client.get(SOURCES).json()["items"]] == ["localhost"]
