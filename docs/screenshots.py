"""Takes the pictures of the page that the docs show, of a service of its own with a few data sources in it.

Run it after a change of the page, look at the pictures, and commit them: it needs Debian's Chromium and PostgreSQL.
`uv run --group browser python docs/screenshots.py`
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.chromium import running_chromium, visiting  # noqa: E402  # found by the path above
from support.postgres import Postgres, start_postgres  # noqa: E402
from support.service import SOURCES, Service, running_service  # noqa: E402

IMAGES = Path(__file__).parent / "images"
SIZE = {"width": 1280, "height": 800}
FILES = {
    "rates.csv": "day,rate\n2026-01-01,1.1\n",
    "regions.csv": "region,manager\nnorth,Ada\nsouth,Grace\n",
    "inventory.json": '[{"part": "A-17", "count": 12}]',
}


def main() -> None:
    """Take them all."""
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="data", dir="/tmp") as place,
        start_postgres() as postgres,
        running_chromium() as browser,
        serving(home := Path(place), postgres) as (service, made),
    ):
        _list(browser, service, home)
        _form(browser, service, home, postgres)
        _source(browser, service, home, made["warehouse"])
    for image in sorted(IMAGES.glob("page-*.png")):
        sys.stdout.write(f"{image.relative_to(ROOT)}: {image.stat().st_size // 1000} kB\n")


@contextmanager
def serving(home: Path, postgres: Postgres) -> Iterator[tuple[Service, dict[str, Any]]]:
    """Run a service with data sources of all kinds of health."""
    workspace = home / "workspace"
    workspace.mkdir()
    for name, content in FILES.items():
        (workspace / name).write_text(content)
    with running_service(workspace, home / "config", LOGNAME="ada") as service:
        made = {item["name"]: _post(service, "", item) for item in _sources(postgres)}
        _live_a_little(service, made["warehouse"]["id"], postgres)
        service.client.post(f"{SOURCES}/validations", timeout=120).raise_for_status()
        for name, path in (("Budget 2027", "plans/budget.csv"), ("Leads", "leads.csv")):
            _post(service, "", {"type": "csv", "name": name, "path": path, "labels": {"team": "marketing"}})
        yield service, made


def _sources(postgres: Postgres) -> list[dict[str, Any]]:
    database = {
        "type": "postgres",
        "host": "localhost",
        "port": postgres.port,
        "database": "shop",
        "username": "reader",
        "password": postgres.password,
        "tls_mode": "verify-full",
        "ca_certificate": postgres.certificates.ca,
    }
    files = {"Exchange rates": "rates.csv", "Regions": "regions.csv", "Returns": "returns/2026.csv"}
    return [
        {
            **database,
            "name": "warehouse",
            "description": "Orders and invoices since 2019, refreshed every night.",
            "labels": {"team": "sales", "tier": "gold"},
        },
        {**database, "name": "warehouse (replica)", "port": 5999, "labels": {"team": "sales", "tier": "silver"}},
        {**database, "name": "billing", "username": "trusted", "labels": {"team": "finance", "tier": "gold"}},
        {"type": "mysql", "name": "web shop", "host": "localhost", "port": 5998, "database": "shop", "username": "web",
         "labels": {"team": "web"}},
        {"type": "json", "name": "Inventory", "path": "inventory.json", "labels": {"team": "logistics"}},
        *({"type": "csv", "name": name, "path": path, "labels": {"team": "finance"}} for name, path in files.items()),
    ]  # fmt: skip


def _live_a_little(service: Service, source_id: str, postgres: Postgres) -> None:
    """Give a data source a past: it worked, somebody mistyped its password, and mended that."""
    passwords = [postgres.password] * 9 + ["mistyped"] * 2 + [postgres.password] * 12
    before = postgres.password
    for password in passwords:
        if password != before:
            service.client.patch(f"{SOURCES}/{source_id}", json={"password": password}).raise_for_status()
        _post(service, f"/{source_id}/validate", None)
        before = password


def _post(service: Service, path: str, document: dict[str, Any] | None) -> dict[str, Any]:
    answer = service.client.post(SOURCES + path, json=document, timeout=60)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def _list(browser: Browser, service: Service, home: Path) -> None:
    with visiting(browser, service.url, home / "list.har", viewport={**SIZE, "height": 860}) as visit:
        _shoot(visit.sign_in(service.token), "page-list")


def _form(browser: Browser, service: Service, home: Path, postgres: Postgres) -> None:
    with visiting(browser, service.url, home / "form.har", viewport=SIZE) as visit:
        visit.sign_in(service.token)
        page = visit.goto("/add/postgres")
        page.locator('[name="/name"]').fill("analytics")
        page.locator('[name="/connection_string"]').fill(
            f"postgresql://reader:wrong@localhost:{postgres.port}/shop?sslmode=disable"
        )
        page.get_by_role("button", name="Fill in the fields").click()
        page.wait_for_function("document.querySelector('[name=\"/database\"]').value === 'shop'")
        page.get_by_role("button", name="Validate", exact=True).click()
        page.locator("#verdict .verdict").wait_for()
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        _shoot(page, "page-form")


def _source(browser: Browser, service: Service, home: Path, source: dict[str, Any]) -> None:
    with visiting(browser, service.url, home / "source.har", viewport=SIZE, color_scheme="dark") as visit:
        visit.sign_in(service.token)
        _shoot(visit.goto(f"/sources/{source['id']}"), "page-source")


def _shoot(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


if __name__ == "__main__":
    main()
