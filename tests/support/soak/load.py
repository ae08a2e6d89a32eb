"""The load: what users do with data sources, and what each answer must say."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from support.service import SOURCES
from support.soak.caller import Answer, Caller, User
from support.soak.journal import Journal
from support.soak.model import GONE, Source, State, Workspace
from support.soak.reads import Reads
from support.soak.targets import VERDICTS, Targets
from support.soak.wrongs import Wrongs
from support.team import ADMIN_TOKEN

KINDS = ("file", "file", "database", "database", "api", "rogue", "silent")
MOST = 40
"""Data sources of a workspace, above which one is deleted in place of making one."""

_OPERATOR = User("admin", "admin", "admin", ADMIN_TOKEN)

Action = Callable[[], Awaitable[None]]


class Load:
    """Does at random what users do."""

    def __init__(
        self,
        caller: Caller,
        users: Mapping[tuple[str, str], User],
        workspaces: Mapping[str, Workspace],
        targets: Targets,
        journal: Journal,
        rng: random.Random,
    ) -> None:
        self.caller = caller
        self.users = users
        self.workspaces = workspaces
        self.targets = targets
        self.journal = journal
        self.rng = rng
        self.reads = Reads(caller, rng)
        self._names = 0
        wrongs = Wrongs(caller, users, workspaces, targets, journal, rng)
        self._actions: list[tuple[Action, int]] = [
            (self.create, 9),
            (self.get, 16),
            (self.list_some, 10),
            (self.walk, 3),
            (self.patch, 14),
            (self.race, 2),
            (self.delete, 3),
            (self.validate, 6),
            (self.validate_unsaved, 1),
            (self.read_history, 4),
            (self.rollback, 4),
            (self.read_health, 3),
            (self.ask_operations, 5),
            (wrongs.be_wrong, 6),
            (wrongs.cross_borders, 5),
            (wrongs.overstep, 3),
        ]

    async def warm_up(self) -> None:
        """Do much at once, so that all threads and connections are there that the service ever keeps."""
        for actions in ([self.create] * 30, [self.list_some, self.patch] * 30, [self.list_some, self.patch] * 30):
            await asyncio.gather(*(action() for action in actions))

    async def act(self) -> None:
        """Do one thing."""
        actions, weights = zip(*self._actions, strict=True)
        [action] = self.rng.choices(actions, weights)
        self.caller.report.operations[action.__name__] += 1
        await action()

    def anywhere(self) -> Workspace:
        """Choose a workspace."""
        return self.rng.choice(list(self.workspaces.values()))

    def editor(self, workspace: Workspace) -> User:
        """Return who changes things in a workspace."""
        return self.users[workspace.name, "editor"]

    def reader(self, workspace: Workspace) -> User:
        """Choose somebody of a workspace."""
        return self.rng.choice([user for (where, _), user in self.users.items() if where == workspace.name])

    def any_source(self, workspace: Workspace) -> Source | None:
        """Choose a data source that must be there; None if there is none."""
        return self.rng.choice(found) if (found := list(workspace.present())) else None

    def text(self) -> str:
        """Return a text that no other data source or revision has."""
        self._names += 1
        return f"text {self._names:06}"

    async def create(self) -> None:
        """Make a data source; where there are many, delete one."""
        workspace = self.anywhere()
        if len(list(workspace.present())) >= MOST:
            await self._delete(workspace)
        else:
            await self.make(workspace, self.rng.choice(KINDS))

    async def make(self, workspace: Workspace, kind: str) -> Source | None:
        """Make a data source; return it if that was answered."""
        answer = await self.try_making(workspace, kind)
        return workspace.sources[answer.json()["id"]] if answer.status == 201 else None

    async def try_making(self, workspace: Workspace, kind: str) -> Answer:
        """Make a data source, and take in what came of it."""
        text, user = self.text(), self.editor(workspace)
        name = f"{kind} of {text}"
        workspace.unborn[name] = (kind, text)
        document = self.targets.document(kind, name, text)
        answer = await self.caller.ask(user, "POST", SOURCES, expect={201}, json=document)
        if answer.status == 201:
            made = answer.json()["id"]
            self.journal.done(answer, user, "create", made, 1)
            if made not in workspace.sources:  # else a list has shown it meanwhile
                workspace.born(made, name)
        elif answer.is_known:
            workspace.unborn.pop(name, None)
            self.journal.refused(answer)
        return answer

    async def get(self) -> None:
        """Read a data source."""
        workspace = self.anywhere()
        if (source := self.any_source(workspace)) is not None:
            await self.reads.read(self.reader(workspace), source)

    async def list_some(self) -> None:
        """List with filters."""
        workspace = self.anywhere()
        await self.reads.list_some(self.reader(workspace), workspace)

    async def walk(self) -> None:
        """List all of a workspace, page by page."""
        workspace = self.anywhere()
        await self.reads.walk(self.reader(workspace), workspace)

    async def patch(self) -> None:
        """Change a data source."""
        workspace = self.anywhere()
        if (source := self.any_source(workspace)) is not None and not source.writing.locked():
            async with source.writing:
                await self._patch(workspace, source)

    async def race(self) -> None:
        """Change a data source twice at once: one of the two is told that it is done."""
        workspace = self.anywhere()
        if (source := self.any_source(workspace)) is None or source.writing.locked():
            return
        async with source.writing:
            doubts = bool(source.maybe)
            both = await asyncio.gather(*(self._patch(workspace, source, may_lose=True) for _ in range(2)))
        statuses = [answer.status for answer in both]
        if statuses == [200, 200] or (statuses == [412, 412] and not doubts):
            self.caller.report.broke("of two for one revision one is made", f"{statuses} in {workspace.name}")

    async def _patch(self, workspace: Workspace, source: Source, *, may_lose: bool = False) -> Answer:
        before, wanted = source.latest, State(source.latest.revision + 1, self.text())
        patch: dict[str, Any] = {"description": wanted.text}
        if source.kind in {"rogue", "silent"} and self.rng.random() < 0.3:
            patch["password"] = self.targets.hidden.make()
        return await self._change(workspace, source, "update", before, wanted, may_lose, method="PATCH", json=patch)

    async def rollback(self) -> None:
        """Restore a former revision."""
        workspace = self.anywhere()
        if (source := self.any_source(workspace)) is None or source.writing.locked():
            return
        async with source.writing:
            before = source.latest
            former = [state for state in source.seen[-10:] if state.text != before.text]
            if not former or source.maybe:
                return
            chosen = self.rng.choice(former)
            wanted = State(before.revision + 1, chosen.text)
            body = {"revision": chosen.revision}
            more: dict[str, Any] = {"method": "POST", "action": "/rollback", "json": body}
            await self._change(workspace, source, "rollback", before, wanted, False, **more)

    async def delete(self) -> None:
        """Delete a data source."""
        await self._delete(self.anywhere())

    async def _delete(self, workspace: Workspace) -> None:
        if (source := self.any_source(workspace)) is None or source.writing.locked():
            return
        async with source.writing:
            await self._change(workspace, source, "delete", source.latest, GONE, False, method="DELETE")

    async def _change(
        self,
        workspace: Workspace,
        source: Source,
        operation: str,
        before: State,
        wanted: State,
        may_lose: bool,
        *,
        method: str,
        action: str = "",
        **content: Any,
    ) -> Answer:
        """Make a change for one revision, and take in what came of it."""
        user, doubts = self.editor(workspace), bool(source.maybe)
        source.maybe.add(wanted)
        answer = await self.caller.ask(
            user,
            method,
            f"{SOURCES}/{source.id}{action}",
            expect={200, 204, 412} if may_lose or doubts else {200, 204},
            headers={"If-Match": f'"{before.revision}"'},
            **content,
        )
        if answer.status in {200, 204}:
            source.came_to(wanted)
            self.journal.done(answer, user, operation, source.id, None if wanted == GONE else wanted.revision)
        elif answer.is_known:
            source.maybe.discard(wanted)
            self.journal.refused(answer)
            if answer.status == 412 and not may_lose:
                await self.reads.read(user, source)
        return answer

    async def validate(self) -> None:
        """Validate a data source; the verdict is that of its target."""
        workspace = self.anywhere()
        if (source := self.any_source(workspace)) is None:
            return
        path = f"{SOURCES}/{source.id}/validate?timeout={1 if source.kind == 'silent' else 20}"
        expect = {200, 404}  # it may be deleted meanwhile
        answer = await self.caller.ask(self.editor(workspace), "POST", path, expect=expect)
        self._judge(answer, source.kind)

    async def validate_unsaved(self) -> None:
        """Validate what is not saved."""
        workspace, kind = self.anywhere(), self.rng.choice(("file", "database", "rogue"))
        document = self.targets.document(kind, self.text(), "unsaved")
        path = f"{SOURCES}/validate?timeout=20"
        self._judge(await self.caller.ask(self.editor(workspace), "POST", path, expect={200}, json=document), kind)

    def _judge(self, answer: Answer, kind: str) -> None:
        if answer.status != 200:
            return
        result = answer.json()
        is_right = result["status"] in VERDICTS[kind] and result["success"] == (
            result["status"] in {"passed", "warning"}
        )
        if not is_right and not self.caller.windows.excuse_verdict(answer.began):
            codes = [check["code"] for check in result["checks"] if check["code"]]
            self.caller.report.broke("verdicts are right", f"{kind}: {result['status']} {codes} {result['errors']}")

    async def read_history(self) -> None:
        """Read the former revisions of a data source."""
        workspace = self.anywhere()
        if (source := self.any_source(workspace)) is not None:
            await self.reads.history(self.reader(workspace), source)

    async def read_health(self) -> None:
        """Read the last results of a data source."""
        workspace = self.anywhere()
        if (source := self.any_source(workspace)) is not None:
            path = f"{SOURCES}/{source.id}/health"
            await self.caller.ask(self.reader(workspace), "GET", path, expect={200, 404})

    async def ask_operations(self) -> None:
        """Ask what an operator and a front end ask."""
        workspace = self.anywhere()
        admin, reader = self.users[workspace.name, "admin"], self.reader(workspace)
        audit = f"/api/v1/audit?limit=20&operation={self.rng.choice(('update', 'create'))}"
        asks: list[tuple[User | None, str]] = [(None, "/healthz"), (None, "/readyz"), (reader, "/openapi.json")]
        asks += [(reader, f"{SOURCES}/types"), (_OPERATOR, "/metrics"), (admin, audit), (admin, audit)]
        user, path = self.rng.choice(asks)
        answer = await self.caller.ask(user, "GET", path, expect={200}, fresh=True)
        if path == audit and answer.status == 200:
            foreign = {entry["workspace"] for entry in answer.json()["items"]} - {workspace.name}
            if foreign:
                self.caller.report.broke("no data of another workspace", f"the audit log of {workspace.name}")
