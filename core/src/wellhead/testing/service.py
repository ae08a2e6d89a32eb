"""A service for tests, in a thread of the test's process."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wellhead.api.live import LiveApp
from wellhead.api.serving import listener as listening
from wellhead.api.serving import server
from wellhead.model.extension import DataSourceTypeExtension
from wellhead.testing.workspaces import parts


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service that answers.

    Attributes:
        url: Its address.
        token: Its token.
    """

    url: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """The header that every request needs."""
        return {"Authorization": f"Bearer {self.token}"}


@contextmanager
def running_service(
    path: str | Path, *, types: Iterable[DataSourceTypeExtension] | None = None
) -> Iterator[RunningService]:
    """Run the REST API for a test, on a free port of this machine.

    Args:
        path: The workspace, a directory that exists.
        types: The types that there are; those for tests and the installed ones if left out.
    """
    token = secrets.token_urlsafe(32)
    wellhead = parts(path, types=types, token=token)
    listener = listening.listen("127.0.0.1", 0)
    ready = threading.Event()
    service = server.make(LiveApp(wellhead), announce=ready.set)
    thread = threading.Thread(target=service.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        if not ready.wait(30):
            raise RuntimeError("the service did not start within 30 seconds")
        yield RunningService(listening.url_of(listener), token)
    finally:
        service.should_exit = True
        thread.join()
        wellhead.close()
