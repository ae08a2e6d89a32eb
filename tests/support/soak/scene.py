"""Where a soak happens: a service for several users, in directories that faults can be brought upon."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.soak.caller import BODY_SECONDS, Secrets, User
from support.soak.model import Workspace
from support.soak.processes import Processes
from support.soak.targets import Targets, put_file, running_targets
from support.team import TeamService, issue, running_team

PLAIN, SMALL, CALM = "red", "blue", "green"
"""The workspaces: faults of the directory come upon the first, the second is on a small disk, no fault has to do with
the third."""

_DISK = 24 << 20
_ROLES = ((PLAIN, "viewer"), *((where, role) for where in (PLAIN, SMALL, CALM) for role in ("editor", "admin")))


@dataclass(frozen=True, slots=True)
class Scene:
    """A running service and what it works with.

    Attributes:
        team: The service.
        has_small_disk: Whether the small disk is one; mounting may not be allowed.
        asked: The ids of all requests.
    """

    team: TeamService
    users: dict[tuple[str, str], User]
    workspaces: dict[str, Workspace]
    targets: Targets
    hidden: Secrets
    processes: Processes
    has_small_disk: bool
    asked: set[str] = field(default_factory=set)

    def directory(self, workspace: str) -> Path:
        """Return the directory of a workspace."""
        return self.team.root / workspace


@contextmanager
def running_scene(home: Path, workers: int) -> Iterator[Scene]:
    """Start everything; end it in order."""
    hidden = Secrets()
    root = home / "root"
    root.mkdir()
    with ExitStack() as stack:
        for name in (PLAIN, SMALL, CALM):
            (root / name).mkdir(mode=0o700)
        has_small_disk = stack.enter_context(_small_disk(root / SMALL))
        for name in (PLAIN, SMALL, CALM):
            put_file(root / name)
        targets = stack.enter_context(running_targets(hidden))
        settings = {"WELLHEAD_EGRESS_ALLOW": "127.0.0.0/8", "WELLHEAD_BODY_TIMEOUT": str(BODY_SECONDS)}
        team = stack.enter_context(running_team(home, workers=workers, **settings))
        with ThreadPoolExecutor(2) as threads:
            users = dict(threads.map(lambda place: (place, make_user(team, hidden, *place)), _ROLES))
        workspaces = {name: Workspace(name) for name in (PLAIN, SMALL, CALM)}
        processes = Processes(team.service.process.pid)
        yield Scene(team, users, workspaces, targets, hidden, processes, has_small_disk)


def make_user(team: TeamService, hidden: Secrets, workspace: str, role: str) -> User:
    """Issue a token by the command line."""
    name = f"{role}-of-{workspace}"
    options = ("--user", name, "--role", role, "--workspace", workspace)
    token = issue(team.root, team.config, *options)["token"]
    hidden.watch(token)
    return User(name, role, workspace, token)


@contextmanager
def _small_disk(directory: Path) -> Iterator[bool]:
    """Mount a small disk, where that is allowed; tell whether it is."""
    options = ["-o", f"size={_DISK},mode=0700"]
    done = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", directory], capture_output=True, check=False)
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "-l", directory], check=True)
