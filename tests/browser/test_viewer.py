"""What somebody sees who may only read."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from support.chromium import visiting
from support.service import SOURCES
from support.team import running_team


def test_a_viewer_is_offered_nothing_that_changes_something(chromium: Browser, tmp_path: Path) -> None:
    with running_team(tmp_path) as team:
        document = {"type": "csv", "name": "orders", "path": "orders.csv"}
        with team.client(team.token("ed", "editor", "sales")["token"]) as editor:
            made = editor.post(SOURCES, json=document).json()
            editor.patch(f"{SOURCES}/{made['id']}", json={"description": "Mine"}).raise_for_status()
        token = team.token("vi", "viewer", "sales")["token"]
        with visiting(chromium, team.service.url, tmp_path / "traffic.har") as visit:
            page = visit.sign_in(token)
            expect(page.get_by_role("link", name="orders")).to_be_visible()
            assert page.get_by_role("button").all_inner_texts() == ["Sign out"]
            assert page.get_by_role("checkbox").count() == 0
            expect(page.get_by_role("link", name="Audit")).to_have_count(0)
            visit.check_access()
            visit.goto(f"/sources/{made['id']}")
            expect(page.locator(".revisions li")).to_have_count(2)
            words = set(page.get_by_role("button").all_inner_texts()) | set(page.get_by_role("link").all_inner_texts())
            assert not [word for word in words if word.startswith(("Validate", "Edit", "Delete", "Roll back"))]
            visit.check_access()
            visit.goto("/plugins")
            assert page.get_by_role("button", name="Look for new plugins").count() == 0
            visit.refusals.add(403)
            for path in ("/add", "/add/csv", "/audit", f"/sources/{made['id']}/edit"):
                visit.goto(path)
                expect(page.get_by_role("heading", name="Your role does not permit this")).to_be_visible()
                visit.check_access()
