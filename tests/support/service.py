"""A live service for tests: `wellhead serve` in a process of its own, and a client that knows its token."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from support import calls, canary

SOURCES = "/api/v1/datasources"


@dataclass(frozen=True, slots=True)
class Service:
    """A running service.

    Attributes:
        url: Its address.
        token: Its token.
        process: Its process.
        log: The file that its standard error goes to.
        client: An HTTP client with the address and the token.
    """

    url: str
    token: str
    process: subprocess.Popen[str]
    log: Path
    client: httpx2.Client


@contextmanager
def running_service(
    workspace: Path,
    config: Path,
    *,
    python: str = sys.executable,
    workers: int = 1,
    option: str = "--workspace",
    more: Sequence[str] = (),
    **environment: str,
) -> Iterator[Service]:
    """Start the service on a free port, and end it with SIGTERM.

    Args:
        workspace: The workspace.
        config: The configuration directory.
        python: The Python that runs it.
        workers: How many processes answer.
        option: What the workspace is: `--workspace`, or `--root` of those of several users.
        more: More options.
        **environment: More variables.
    """
    log = workspace.parent / f"service-{os.urandom(4).hex()}.log"
    output = log.with_suffix(".out")
    command = [python, "-m", "wellhead", "serve", "--port", "0", "--json", option, str(workspace), *more]
    command += ["--workers", str(workers)] if workers > 1 else []
    variables = {**os.environ, "WELLHEAD_CONFIG_DIR": str(config), **environment}
    with log.open("w") as errors, output.open("w") as written:
        process = subprocess.Popen(command, env=variables, stdout=written, stderr=errors, text=True)
    first = _first_line(process, output, log)
    token_file = None if environment.get("WELLHEAD_TOKEN") else Path(first["token_file"])
    token = environment["WELLHEAD_TOKEN"] if token_file is None else token_file.read_text().strip()
    canary.know(token, workspace, config, log, output, token_file=token_file)
    headers = {"Authorization": f"Bearer {token}"}
    with calls.Client(base_url=first["url"], headers=headers, timeout=30) as client:
        try:
            yield Service(first["url"], token, process, log, client)
            canary.search_processes()
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(20)


def _first_line(process: subprocess.Popen[str], output: Path, log: Path) -> dict[str, str]:
    """Wait until the service says where it is."""
    while not (text := output.read_text()).endswith("\n"):
        assert process.poll() is None, log.read_text()
        time.sleep(0.01)
    first: dict[str, str] = json.loads(text)
    return first
