"""Sending requests, and checking what must hold for every answer."""

from __future__ import annotations

import base64
import itertools
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2

from support.soak.report import Report
from support.soak.windows import Windows

BODY_SECONDS = 2
"""The service of the soak ends connections that wait for longer."""

_FAILED = 500
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a token for one workspace."""

    name: str
    role: str
    workspace: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        status: Its status; 0 if there was none.
        body: Its body.
        request_id: The id that the request had.
        began: When it was sent.
    """

    status: int
    body: bytes
    request_id: str
    began: float

    @property
    def is_known(self) -> bool:
        """Whether it says what has happened."""
        return 0 < self.status < _FAILED

    @property
    def code(self) -> str:
        """The code of the problem."""
        try:
            return str(json.loads(self.body)["code"])
        except (ValueError, KeyError, TypeError):
            return ""

    def json(self) -> Any:
        """Return its body."""
        return json.loads(self.body)


class Secrets:
    """Makes secrets that all begin alike, so that one search finds any of them."""

    def __init__(self) -> None:
        self._mark = f"Cn{secrets.token_hex(11)}"  # 24 characters: a multiple of three keeps its Base64 whole
        data = self._mark.encode()
        self.spellings = [data, base64.b64encode(data), data.hex().encode()]
        self._numbers = itertools.count()

    def make(self) -> str:
        """Return a new secret."""
        return f"{self._mark}{next(self._numbers)}"

    def watch(self, secret: str) -> None:
        """Search for another secret, too."""
        self.spellings.append(secret.encode())

    def are_in(self, data: bytes) -> bool:
        """Tell whether a secret is in some bytes."""
        return any(spelling in data for spelling in self.spellings)


class Caller:
    """Sends requests, counts and checks the answers."""

    def __init__(self, url: str, report: Report, windows: Windows, hidden: Secrets, asked: set[str]) -> None:
        self.report = report
        self.windows = windows
        self.hidden = hidden
        self.url = url
        self._asked = asked
        # The service closes idle connections after some seconds; we do so before, as a request must not meet that.
        limits = httpx2.Limits(max_connections=200, max_keepalive_connections=12, keepalive_expiry=BODY_SECONDS / 2)
        self._client = httpx2.AsyncClient(base_url=url, timeout=_SECONDS, limits=limits)
        self._numbers = itertools.count(1)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def request_id(self) -> str:
        """Return an id for a request that is to be sent."""
        found = f"soak-{next(self._numbers)}"
        self._asked.add(found)
        return found

    async def ask(
        self,
        user: User | None,
        method: str,
        path: str,
        *,
        expect: set[int],
        fresh: bool = False,
        headers: dict[str, str] | None = None,
        **content: Any,
    ) -> Answer:
        """Send a request.

        Args:
            user: Who sends it; nobody if None.
            method: Its method.
            path: Its path.
            expect: The statuses that it may get where no fault is on.
            fresh: Whether it takes a connection of its own, so that any worker may get it.
            headers: More headers.
            **content: Its body, as the client takes it.
        """
        request_id = self.request_id()
        sent = {"X-Request-Id": request_id, **({"Connection": "close"} if fresh else {})}
        if user is not None:
            sent["Authorization"] = f"Bearer {user.token}"
        began, where = time.monotonic(), user.workspace if user else None
        try:
            got = await self._client.request(method, path, headers={**sent, **(headers or {})}, **content)
        except httpx2.TransportError as error:
            return self._lost(Answer(0, b"", request_id, began), f"{method} {_shape(path)}: {type(error).__name__}")
        answer = Answer(got.status_code, got.content, request_id, began)
        self.took_in(answer, where, expect, f"{method} {_shape(path)}")
        if self.hidden.are_in(str(got.headers).encode()):
            self.report.broke("no secret is shown", f"a header of {method} {_shape(path)}")
        return answer

    def took_in(self, answer: Answer, workspace: str | None, expect: set[int], what: str) -> None:
        """Count and check an answer."""
        quiet = not self.windows.are_open_since(answer.began)
        self.report.answered(answer.status, time.monotonic() - answer.began, quiet=quiet)
        if self.hidden.are_in(answer.body):
            self.report.broke("no secret is shown", f"the body of {what}")
        if answer.status in expect:
            return
        if answer.status < _FAILED or not self.windows.excuse_status(
            answer.status, answer.code, workspace, answer.began
        ):
            self.report.broke("only expected answers", f"{what} in {workspace}: {answer.status} {answer.code}")

    def _lost(self, answer: Answer, what: str) -> Answer:
        self.report.answered(0, time.monotonic() - answer.began, quiet=False)
        if not self.windows.excuse_break(answer.began):
            self.report.broke("connections hold", what)
        return answer


def _shape(path: str) -> str:
    """Return a path without its query, for people."""
    return path.partition("?")[0].removeprefix("/api/v1")
