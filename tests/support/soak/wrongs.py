"""What must be refused: requests that are wrong, of the wrong people, or for what is not theirs."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from support.service import SOURCES
from support.soak.caller import Caller, User
from support.soak.journal import Journal
from support.soak.model import Workspace
from support.soak.targets import Targets


class Wrongs:
    """Sends what must be refused."""

    def __init__(
        self,
        caller: Caller,
        users: Mapping[tuple[str, str], User],
        workspaces: Mapping[str, Workspace],
        targets: Targets,
        journal: Journal,
        rng: random.Random,
    ) -> None:
        self._caller = caller
        self._users = users
        self._workspaces = workspaces
        self._targets = targets
        self._journal = journal
        self._rng = rng

    async def be_wrong(self) -> None:
        """Send what must be refused."""
        workspace, text = self._rng.choice(list(self._workspaces.values())), {"Content-Type": "application/json"}
        stranger = User("nobody", "admin", workspace.name, "wh_0000000000000000_wrong")
        editor = self._users[workspace.name, "editor"]
        cases: list[tuple[User, str, set[int], dict[str, Any]]] = [
            (stranger, "GET", {401}, {}),
            (stranger, "POST", {401}, {"content": b"{", "headers": text}),
            (editor, "POST", {400}, {"content": b'{"name": "x", "name": "y"}', "headers": text}),
            (editor, "POST", {400}, {"content": b"[" * 100, "headers": text}),
            (editor, "POST", {422}, {"json": {"name": "x", "type": "oracle"}}),
            (editor, "POST", {422}, {"json": {"name": "x", "type": "csv", "pth": "x"}}),
            (editor, "POST", {413}, {"json": {"name": "x" * 300_000}}),
            (editor, "POST", {415}, {"content": b"a=b", "headers": {"Content-Type": "text/plain"}}),
        ]
        user, method, expect, content = self._rng.choice(cases)
        answer = await self._caller.ask(user, method, SOURCES, expect=expect, **content)
        if method == "POST":
            self._journal.refused(answer)

    async def cross_borders(self) -> None:
        """Ask for a data source of another workspace: it must look as if there were none."""
        one, other = self._rng.sample(list(self._workspaces.values()), 2)
        if not (sources := list(other.present())):
            return
        source = self._rng.choice(sources)
        path, user = f"{SOURCES}/{source.id}", self._users[one.name, "editor"]
        cases: list[tuple[str, dict[str, Any]]] = [
            ("GET", {}),
            ("PATCH", {"json": {"description": "x"}}),
            ("DELETE", {}),
        ]
        method, content = self._rng.choice(cases)
        answer = await self._caller.ask(user, method, path, expect={404}, **content)
        self._journal.refused(answer)

    async def overstep(self) -> None:
        """Try what a role does not permit."""
        viewers = [user for (_, role), user in self._users.items() if role == "viewer"]
        user = self._rng.choice(viewers)
        document = self._targets.document("file", "viewers make nothing", "x")
        self._journal.refused(await self._caller.ask(user, "POST", SOURCES, expect={403}, json=document))
