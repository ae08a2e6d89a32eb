"""Servers of the tests' own: programs that are started, waited for and ended."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def missing_service(reason: str) -> None:
    """Skip the test, or let it fail where the services are required."""
    if os.environ.get("WELLHEAD_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """Return a port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def other_user(*wanted: str) -> str | None:
    """Return whom a server runs as that refuses to run as root; None where we are not root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in wanted if name in names)


def run_as(user: str | None) -> dict[str, Any]:
    """Return the options of `subprocess` that run a program as a user, in a clean environment."""
    options: dict[str, Any] = {"env": {"PATH": os.defpath, "LC_ALL": "C"}, "cwd": "/"}
    if user is not None:
        options |= {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    return options


def call(user: str | None, *command: str | Path, check: bool = True) -> int:
    """Run a program as a user, and return its exit code; the test fails if that is not 0."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, **run_as(user))
    if check and done.returncode:
        pytest.fail(f"{command[0]} has failed: {done.stderr}")
    return done.returncode


def run_in(directory: Path, *command: str | Path, **environment: str) -> str:
    """Run a program in a directory, with more variables, and return all that it printed; it must succeed."""
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}:\n{done.stdout}"
    return done.stdout


def write(path: Path, text: str, user: str | None) -> None:
    """Write a file that only a user may read."""
    path.write_text(text)
    path.chmod(0o600)
    if user is not None:
        shutil.chown(path, user)


def wait_until(holds: Callable[[], bool], complaint: str) -> None:
    """Wait for something; the test fails if it does not come."""
    end = time.monotonic() + 15
    while not holds():
        if time.monotonic() > end:
            pytest.fail(complaint)
        time.sleep(0.02)


def stop(process: subprocess.Popen[bytes], *signals: signal.Signals) -> None:
    """End a process by the first of the signals that it obeys."""
    for number in signals:
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
            return
