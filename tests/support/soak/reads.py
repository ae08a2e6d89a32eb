"""Reading data sources, and comparing what is shown with the model."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from support.service import SOURCES
from support.soak.caller import Answer, Caller, User
from support.soak.model import GONE, Source, State, Workspace

_OTHER = (
    "state=ok",
    "type=csv&type=api",
    "q=text",
    "label=soak",
    "label=soak:rogue",
    "health=none",
    "sort=-updated_at",
)


class Reads:
    """Reads, and says where that is not what the model has."""

    def __init__(self, caller: Caller, rng: random.Random) -> None:
        self._caller = caller
        self._rng = rng

    async def read(self, user: User, source: Source) -> Answer:
        """Read one data source."""
        moment = source.moment()
        answer = await self._caller.ask(user, "GET", f"{SOURCES}/{source.id}", expect={200, 404})
        if answer.status == 200:
            self._compare(source, moment, _state_of(answer.json()), "read")
        elif answer.status == 404:
            self._compare(source, moment, GONE, "read")
        return answer

    async def history(self, user: User, source: Source) -> None:
        """Read the former revisions of a data source: they are in order, and below the present one."""
        answer = await self._caller.ask(user, "GET", f"{SOURCES}/{source.id}/history", expect={200, 404})
        if answer.status != 200:
            return
        found = [item["revision"] for item in answer.json()["items"]]
        if found != sorted(set(found), reverse=True):
            self._broke("histories are in order", f"{source.name}: {found}")
        present = max(state.revision for state in (*source.seen, *source.maybe))
        if found and found[0] >= present:
            self._broke("histories are in order", f"{source.name}: {found[0]} beside {present}")

    async def list_some(self, user: User, workspace: Workspace) -> None:
        """List one page, by one of many filters."""
        moments = _moments(workspace)
        present = list(workspace.present())
        by_name = self._rng.choice(present) if present and self._rng.random() < 0.3 else None
        wanted = f"name={quote(by_name.name)}" if by_name else self._rng.choice(_OTHER)
        answer = await self._caller.ask(user, "GET", f"{SOURCES}?{wanted}&limit=50", expect={200})
        if answer.status != 200:
            return
        items = answer.json()["items"]
        self._compare_items(workspace, moments, items, f"list {wanted.partition('=')[0]}")
        if by_name and by_name.is_there and by_name.id not in {item["id"] for item in items}:
            self._broke("what was answered is there", f"{by_name.name} is not found by its name")

    async def walk(self, user: User, workspace: Workspace) -> bool:
        """List all data sources, page by page; tell whether that worked.

        What is there from the beginning to the end must be there, and once.
        """
        moments, before = _moments(workspace), {source.id for source in workspace.present()}
        sort, cursor, items = self._rng.choice(("name", "created_at", "-created_at")), "", list[dict[str, Any]]()
        while True:
            path = f"{SOURCES}?sort={sort}&limit=10{cursor}"
            answer = await self._caller.ask(user, "GET", path, expect={200})
            if answer.status != 200:
                return False
            page = answer.json()
            items += page["items"]
            if page["next"] is None:
                break
            cursor = f"&cursor={quote(page['next'], safe='')}"
        self._compare_items(workspace, moments, items, f"walk by {sort}")
        ids = [item["id"] for item in items]
        missing = (before & {source.id for source in workspace.present()}) - set(ids)
        if missing:
            names = sorted(workspace.sources[one].name for one in missing)
            self._broke("what was answered is there", f"{names} are not listed in {workspace.name}")
        if len(ids) != len(set(ids)):
            self._broke("pages are stable", f"{len(ids) - len(set(ids))} came twice in {workspace.name}")
        return True

    def _compare_items(
        self, workspace: Workspace, moments: Mapping[str, int], items: list[dict[str, Any]], how: str
    ) -> None:
        for item in items:
            source = workspace.sources.get(item["id"])
            if source is None and item["name"] in workspace.unborn:
                source = workspace.born(item["id"], item["name"])
            if source is None:
                self._broke("no data of another workspace", f"an item in {workspace.name} that nobody made")
            else:
                self._compare(source, moments.get(source.id, 0), _state_of(item), how)

    def _compare(self, source: Source, moment: int, found: State, how: str) -> None:
        if source.is_meddled_with:
            return
        allowed = source.allowed(moment)
        if found not in allowed:
            self._broke("what was answered is there", f"{how} {source.name}: {found}, not {sorted(allowed, key=str)}")
        source.found(found)

    def _broke(self, invariant: str, what: str) -> None:
        self._caller.report.broke(invariant, what)


def _moments(workspace: Workspace) -> dict[str, int]:
    return {source.id: source.moment() for source in workspace.sources.values()}


def _state_of(item: Mapping[str, Any]) -> State:
    """Return the state that is shown; one that cannot be where the record is not `ok`."""
    return State(item["revision"], item["description"]) if item["state"] == "ok" else State(-1, item["state"])
