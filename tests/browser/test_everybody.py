"""Everybody can use every page: axe-core finds nothing, in light and dark, wide and narrow, and nothing overflows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from support.canary import Canary
from support.chromium import Visit, visiting
from support.distributions import Site, good
from support.service import SOURCES, Service, running_service

WIDTHS = (1280, 390)
TYPES = ("postgres", "mysql", "redis", "api", "csv", "json")
LONG = "The " + "warehouse" * 9
SHIFTS = """
window.shifted = 0;
new PerformanceObserver((found) => found.getEntries().forEach((entry) => (window.shifted += entry.value)))
  .observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="module")
def service(home: Path) -> Iterator[Service]:
    """A live service with plugins that do not work, too."""
    site = Site(home / "site")
    site.install("acme-broken", "import nothing_that_is_there")
    site.install("acme-one", good("acme"))
    site.install("acme-two", good("acme"))
    with running_service(home / "workspace", home / "config", PYTHONPATH=str(site.path)) as running:
        yield running


@pytest.fixture(scope="module")
def ids(service: Service, home: Path) -> dict[str, str]:
    """The ids of data sources with much in them, by their names."""
    (home / "workspace" / "rates.csv").write_text("day,rate\n2026-01-01,1.1\n")
    labels = {f"label-number-{number}": f"value-{number}" for number in range(12)}
    documents = (
        {"type": "csv", "name": LONG, "path": "very/" * 30 + "long.csv", "labels": labels, "description": "word " * 90},
        {"type": "csv", "name": "rates", "path": "rates.csv"},
        {"type": "postgres", "name": "shop", "host": "127.0.0.1", "port": 1, "database": "d", "username": "u",
         "password": "hidden-away", "description": "Before"},
        {"type": "api", "name": "weather", "url": "https://127.0.0.1:1/", "auth_type": "bearer", "token": "hidden-away",
         "secret_headers": {"X-Key": "hidden-away"}},
    )  # fmt: skip
    made = {item["name"]: service.client.post(SOURCES, json=item).json()["id"] for item in documents}
    service.client.patch(f"{SOURCES}/{made['shop']}", json={"description": "After"}).raise_for_status()
    for name in ("rates", "shop", LONG):
        service.client.post(f"{SOURCES}/{made[name]}/validate").raise_for_status()
    return made


@pytest.fixture
def look(visit: Visit) -> Callable[[str], None]:
    """Look at what is shown, and at pages by their paths, in every way that people do."""
    visit.page.emulate_media(reduced_motion="reduce")

    def looked(path: str = "") -> None:
        if path:
            visit.goto(path)
        for width in WIDTHS:
            visit.page.set_viewport_size({"width": width, "height": 800})
            for scheme in ("light", "dark"):
                visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                if (width, scheme) != (390, "dark"):  # colours are those of the wide one, places of the light one
                    visit.check_access()
            beyond = visit.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert beyond <= 0, f"{visit.page.url} is {beyond} px too wide at {width}"

    return looked


def test_what_is_read(visit: Visit, look: Callable[[str], None], ids: dict[str, str], service: Service) -> None:
    for path in ("/", "/?q=nothing", "/summary", "/audit", "/audit?user=nobody", "/plugins", "/plugins/postgres"):
        look(path)
    for name in (LONG, "shop"):
        look(f"/sources/{ids[name]}")
    look(f"/sources/{ids[LONG]}/delete")
    look(f"/sources/{ids['shop']}/rollback/1")
    visit.refusals |= {404, 422}
    look(f"/sources/{ids['shop'].replace('-4', '-5')[:-1]}0")
    expect(visit.page.get_by_role("heading", name="There is no such thing here.")).to_be_visible()
    look("/audit?cursor=nonsense")
    look("/problems/auth_failed")


def test_what_is_filled_in(visit: Visit, look: Callable[[str], None], ids: dict[str, str], service: Service) -> None:
    look("/add")
    for name in TYPES:
        look(f"/add/{name}")
    look(f"/sources/{ids['weather']}/edit")
    visit.refusals |= {412, 422}
    page = visit.goto(f"/sources/{ids['shop']}/edit")
    visit.fill(host="localhost", port="many", name="")
    visit.press("Save")
    expect(page.locator("#summary")).to_be_focused()
    look("")
    visit.fill(name="shop", port=1)
    visit.replace_secret("password", "typed-anew")
    visit.press("Validate")
    expect(page.locator("#verdict .verdict")).to_be_visible()
    look("")
    service.client.patch(f"{SOURCES}/{ids['shop']}", json={"description": "Theirs"}).raise_for_status()
    visit.fill(description="Mine")
    visit.press("Save")
    expect(page.locator(".conflict")).to_be_visible()
    look("")


def test_signing_in_and_an_empty_list(
    chromium: Browser, tmp_path: Path, home: Path, canary: Canary, service: Service
) -> None:
    (tmp_path / "workspace").mkdir()
    with (
        running_service(tmp_path / "workspace", tmp_path / "config") as fresh,
        visiting(chromium, fresh.url, tmp_path / "fresh.har", reduced_motion="reduce") as visit,
    ):
        visit.goto("/sign-in")
        visit.check_access()
        visit.refusals.add(403)
        visit.page.get_by_label("Token").fill("not-the-token")
        visit.press("Sign in")
        expect(visit.page.get_by_role("alert")).to_be_visible()
        visit.check_access()
        visit.sign_in(fresh.token)
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            visit.check_access()


def test_nothing_moves_while_a_page_is_loaded(visit: Visit, ids: dict[str, str]) -> None:
    visit.page.add_init_script(SHIFTS)
    for width in WIDTHS:
        visit.page.set_viewport_size({"width": width, "height": 800})
        for path in ("/", f"/sources/{ids['rates']}", f"/sources/{ids['shop']}/edit", "/plugins"):
            visit.goto(path)
            visit.page.wait_for_load_state("networkidle")
            shifted = visit.page.evaluate("window.shifted")
            assert shifted < 0.02, f"{path} moves by {shifted} at {width}"


def test_times_are_in_the_readers_zone_and_the_exact_one_is_told(
    chromium: Browser, service: Service, ids: dict[str, str], canary: Canary, tmp_path: Path
) -> None:
    with visiting(chromium, service.url, tmp_path / "traffic.har", timezone_id="Asia/Tokyo", locale="en-GB") as visit:
        time = visit.sign_in(service.token).locator("time").first
        assert "GMT+9" in (time.get_attribute("title") or "")
        assert (time.get_attribute("datetime") or "").endswith("Z")


def test_the_bar_stays_on_its_lines_on_narrow_screens(visit: Visit, ids: dict[str, str]) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 800})
    heights = visit.page.locator(".bar li a").evaluate_all("(all) => all.map((link) => link.offsetHeight)")
    assert len(set(heights)) == 1
    assert max(heights) < 48
