"""A live service for several users, and clients that act for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from support import calls, canary
from support.service import Service, running_service

ADMIN_TOKEN = "the-token-of-an-administrator"


@dataclass(frozen=True, slots=True)
class TeamService:
    """A running service for several users.

    Attributes:
        root: The directory of the workspaces.
        config: The configuration directory.
        service: What runs; its client is an administrator's.
    """

    root: Path
    config: Path
    service: Service

    def token(self, user: str, role: str, workspace: str) -> dict[str, Any]:
        """Issue a token; return what the command says, the token included."""
        return issue(self.root, self.config, "--user", user, "--role", role, "--workspace", workspace)

    def client(self, token: str, **options: Any) -> httpx2.Client:
        """Return a client that acts for whoever has a token."""
        return calls.Client(
            base_url=self.service.url, headers={"Authorization": f"Bearer {token}"}, timeout=30, **options
        )


@contextmanager
def running_team(
    home: Path, *, workers: int = 1, more: Sequence[str] = (), **environment: str
) -> Iterator[TeamService]:
    """Start a service for several users, with a key ring."""
    root, config = home / "root", home / "config"
    root.mkdir(exist_ok=True)
    if not (config / "keys.json").exists():
        command(config, "keys", "add", "--primary", "--workspace", str(root))
    variables = {"WELLHEAD_TOKEN": ADMIN_TOKEN, **environment}
    with running_service(root, config, workers=workers, option="--root", more=more, **variables) as service:
        yield TeamService(root, config, service)


def issue(root: Path, config: Path, *options: str) -> dict[str, Any]:
    """Issue a token by the command; return what it says."""
    found: dict[str, Any] = json.loads(command(config, "token", "create", "--root", str(root), *options, "--json"))
    canary.know(found["token"], root, config)
    return found


def command(config: Path, *arguments: str, code: int = 0, **environment: str) -> str:
    """Run a command in a process of its own, and return what it wrote."""
    variables = {**os.environ, "WELLHEAD_CONFIG_DIR": str(config), **environment}
    whole = [sys.executable, "-m", "wellhead", *arguments]
    done = subprocess.run(whole, check=False, env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr, done.stderr
    if arguments[:2] != ("token", "create"):  # which shows a token, once
        canary.hear(done.stdout + done.stderr)
    return done.stdout if code == 0 else done.stderr
