"""What every request passes before it is routed: a request id, the host, the token; and what every answer gets.

What comes behind finds in `request.state` the `request_id`, and as `principal` who sends the request; None, without a
token, on public routes only. As `headers` it may leave header fields for the answer, whatever that will be.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any

from fastapi import Response
from starlette.routing import BaseRoute, Match

from wellhead.access.authentication import Authenticator
from wellhead.access.failed_logins import FailedLogins
from wellhead.access.limits import Limits
from wellhead.access.principal import Principal, acting_as
from wellhead.api.limiting import check_failed_login
from wellhead.api.origins import Header, Origins
from wellhead.api.problems import HttpProblem, answer_of
from wellhead.api.query import MAX_QUERY_BYTES
from wellhead.api.telemetry.observing import Observer
from wellhead.errors import WellheadError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Lost = Callable[[Scope, Receive], Awaitable[Response | None]]
"""Returns a page for a browser that was led to nothing; None where there is something, or no browser."""

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)
_CONTENT_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_ALWAYS = (*SECURITY_HEADERS, _CONTENT_POLICY)
_MAX_HEADERS = 100
_MAX_HEADER_BYTES = 16 * 1024
_FRAMING = {b"content-length", b"transfer-encoding"}
_MATTERS = frozenset({b"host", b"authorization"} | _FRAMING)
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(:[0-9]{1,5})?")
_ENCODED_SLASH = re.compile(rb"%2f|%5c", re.IGNORECASE)
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Gate:
    """The outermost layer of the service (ASGI)."""

    def __init__(
        self,
        app: App,
        *,
        authenticator: Authenticator,
        limits: Limits,
        public: Sequence[BaseRoute],
        allowed_hosts: Sequence[str] = (),
        origins: Sequence[str] = (),
        observer: Observer | None = None,
        failed_logins: FailedLogins | None = None,
        lost: Lost | None = None,
    ) -> None:
        """Guard an app.

        Args:
            app: What answers the requests that pass.
            authenticator: Tells by a token who sends a request.
            limits: How often an address may send no token, or a wrong one.
            public: The routes that need no token.
            allowed_hosts: Host names under which the service answers, besides those of this machine.
            origins: Origins of web pages that may use it.
            observer: Sees the requests.
            failed_logins: Counts the tokens that were nobody's.
            lost: Answers browsers that come without a token to where nothing is.
        """
        self._app = app
        self._authenticator = authenticator
        self._limits = limits
        self._public = tuple(public)
        self._hosts = _LOCAL_HOSTS | {host.lower() for host in allowed_hosts}
        self._origins = Origins(origins)
        self._observer = observer or Observer()
        self._failed_logins = failed_logins
        self._lost = lost
        self._last_host: bytes | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = self._observer.begin(scope)
        own = ((b"x-request-id", seen.request_id.encode()), *self._origins.headers_for(scope["headers"]))
        answer = _Answer(scope, send, own)
        try:
            await self._pass(scope, receive, answer.send)
        except (WellheadError, HttpProblem) as error:
            await answer.give(scope, receive, answer_of(error, seen.request_id))
        except Exception as error:  # noqa: BLE001  # the last line: an answer without details, a log without values
            seen.failed(error)
            await answer.give(scope, receive, answer_of(HttpProblem(500, "internal_error"), seen.request_id))
        finally:
            seen.ended(answer.status)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _read_head(scope["headers"])
        self._check_host(headers.get(b"host", b""))
        preflight = self._origins.preflight(scope["method"], scope["headers"])
        if preflight is not None:
            await preflight(scope, receive, send)
            return
        principal = scope["state"]["principal"] = await self._principal_of(headers)
        if principal is not None:
            scope["state"]["user"] = principal.user
        elif not self._is_public(scope):
            address = (scope.get("client") or (None,))[0]
            if b"authorization" in headers and self._failed_logins is not None:
                self._failed_logins.count(address)
            await check_failed_login(self._limits, address)
            if self._lost is not None and b"authorization" not in headers:
                response = await self._lost(scope, receive)
                if response is not None:
                    await response(scope, receive, send)
                    return
            raise HttpProblem(401, "unauthorized", {"WWW-Authenticate": "Bearer"})
        if _ENCODED_SLASH.search(scope.get("raw_path") or b""):
            raise HttpProblem(404, "not_found")  # a proxy in front has seen another path than would be routed
        if len(scope["query_string"]) > MAX_QUERY_BYTES:
            raise HttpProblem(414, "query_too_long")
        with acting_as(principal):
            await self._app(scope, receive, send)

    def _check_host(self, host: bytes) -> None:
        """Answer only under known names, so that a web page cannot reach the service under one of its own."""
        if host == self._last_host:
            return
        match = _HOST.fullmatch(host.decode("ascii", errors="replace").lower())
        if match is None or match[1] not in self._hosts:
            raise HttpProblem(421, "host_not_allowed")
        self._last_host = host

    async def _principal_of(self, headers: dict[bytes, bytes]) -> Principal | None:
        scheme, _, presented = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        return await self._authenticator.principal_of(presented.strip())

    def _is_public(self, scope: Scope) -> bool:
        return any(route.matches(scope)[0] is not Match.NONE for route in self._public)


def _read_head(headers: Iterable[Header]) -> dict[bytes, bytes]:
    """Return what matters here of a head: host and authorization; one that is there twice is worth nothing.

    Raises:
        HttpProblem: A proxy in front may have read it in another way (RFC 9112, 6.1), or it is absurdly long.
    """
    found: dict[bytes, bytes] = {}
    size = count = 0
    for name, value in headers:
        count += 1
        size += len(name) + len(value)
        if name in _MATTERS:
            found[name] = b"" if name in found else value
    if count > _MAX_HEADERS or size > _MAX_HEADER_BYTES or found.keys() >= _FRAMING:
        raise HttpProblem(400, "malformed_request", {"Connection": "close"})
    return found


class _Answer:
    """The answer to one request: adds the headers that every answer has, and remembers how it went."""

    def __init__(self, scope: Scope, send: Send, headers: Sequence[Header]) -> None:
        self._state = scope["state"]
        self._send = send
        self._more = (*headers, *_ALWAYS)
        self.status = 0

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"]
            names = [name for name, _ in headers]
            more = (*self._state.get("headers", ()), *self._more)
            message["headers"] = [*headers, *[header for header in more if header[0] not in names]]
        await self._send(message)

    async def give(self, scope: Scope, receive: Receive, response: Response) -> None:
        """Answer with a response, unless an answer has begun already."""
        if not self.status:
            await response(scope, receive, self.send)
