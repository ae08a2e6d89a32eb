"""A real browser: Debian's Chromium, driven by Playwright, which is watched while it visits the page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from support.canary import Canary
from support.programs import missing_service

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Chromium is not to look for anything by itself."""


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Start the browser; where there is none, the tests are skipped, or fail where they are required."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        missing_service("no Chromium (Debian's package `chromium`, which `.ci/browser` installs)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


class Visit:
    """One person's browser, and what was seen of it.

    Attributes:
        page: The tab.
        context: The browser's profile, with its cookies.
        foreign: Addresses elsewhere that it asked for something.
        complaints: What it wrote to its console, and errors of scripts.
        refusals: Statuses of answers that the test is about: the console tells of each.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.page: Page = context.new_page()
        self.foreign: list[str] = []
        self.complaints: list[str] = []
        self.refusals: set[int] = set()
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("console", lambda message: self._told(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def goto(self, path: str) -> Page:
        """Go to a page."""
        self.page.goto(self.url + path)
        return self.page

    def sign_in(self, token: str) -> Page:
        """Sign in with a token."""
        page = self.goto("/sign-in")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{self.url}/")
        return page

    def fill(self, **values: Any) -> None:
        """Type values into the fields of a form, by their names; what has a list of choices is chosen there."""
        for name, value in values.items():
            field = self.page.locator(f'[name="/{name}"]')
            if field.evaluate("(element) => element.tagName") == "SELECT":
                field.select_option(str(value))
            else:
                field.fill(str(value))

    def replace_secret(self, name: str, value: str) -> None:
        """Type a secret anew in place of the one that is stored."""
        self.page.locator(f'[name="/{name}#how"][value=value]').check()
        self.fill(**{name: value})

    def press(self, name: str) -> None:
        """Press a button, or what looks like one."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def tab_to(self, selector: str) -> None:
        """Go to an element by the keyboard alone."""
        for _ in range(80):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"the keyboard does not come to {selector}")

    def check_access(self) -> None:
        """Look whether everybody can use what is shown (axe-core, all its rules)."""
        found = Axe().run(self.page)
        named = [(item["id"], [node["html"] for node in item["nodes"]]) for item in found.response["violations"]]
        assert named == [], f"{self.page.url}: {json.dumps(named, indent=1)}"

    def _asked(self, address: str) -> None:
        if urlsplit(address).scheme != "data" and not address.startswith(self.url + "/"):
            self.foreign.append(address)

    def _told(self, kind: str, text: str) -> None:
        is_meant = any(f"responded with a status of {status} " in text for status in self.refusals)
        if kind in {"error", "warning"} and not is_meant:
            self.complaints.append(text)


@contextmanager
def visiting(browser: Browser, url: str, record: Path, **options: Any) -> Iterator[Visit]:
    """Give somebody a browser; afterwards nothing may have left the machine or gone wrong in it.

    Args:
        browser: The browser.
        url: The address of the service.
        record: The file to record all traffic in (HAR).
        **options: For the profile, such as `color_scheme`.
    """
    context = browser.new_context(record_har_path=record, record_har_content="embed", **options)
    context.set_default_timeout(30_000)
    visit = Visit(context, url)
    try:
        yield visit
    finally:
        context.close()
    assert visit.foreign == [], f"the page asked another machine: {visit.foreign}"
    assert visit.complaints == [], f"the browser complains: {visit.complaints}"


def show_traffic(record: Path, canary: Canary) -> None:
    """Search what was recorded, but for the forms that the tests posted themselves."""
    for entry in json.loads(record.read_text())["log"]["entries"]:
        request, response = entry["request"], entry["response"]
        canary.saw(request["url"])
        canary.saw(json.dumps([request["headers"], request["cookies"], response["headers"], response["cookies"]]))
        canary.saw(response["content"].get("text", ""))
