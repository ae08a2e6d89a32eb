"""Web pages of other origins (the CORS protocol of the Fetch standard): only those of the settings may use the API.

A page sends the token itself. There are no cookies, so that no page can act for a user who does not know of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import Response

Header = tuple[bytes, bytes]

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_HEADERS = "Authorization, Content-Type, If-Match, Accept"
_SHOWN = "ETag, Link, Location, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id"
_SECONDS = "600"


class Origins:
    """The origins whose pages may use the API."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(origin.encode("ascii") for origin in allowed)

    def preflight(self, method: str, headers: Iterable[Header]) -> Response | None:
        """Return the answer to a browser that asks what a page may send; None if this is something else.

        Args:
            method: The method of the request.
            headers: Its headers.
        """
        if method != "OPTIONS":
            return None
        found = dict(headers)
        if b"access-control-request-method" not in found or found.get(b"origin") not in self._allowed:
            return None
        told = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": _SECONDS,
        }
        return Response(status_code=204, headers=told)

    def headers_for(self, headers: Iterable[Header]) -> list[Header]:
        """Return the headers that let a page read an answer: none for a page of another origin."""
        if not self._allowed:
            return []
        origins = [value for name, value in headers if name == b"origin"]
        if len(origins) != 1 or origins[0] not in self._allowed:
            return [(b"vary", b"Origin")]
        return [
            (b"vary", b"Origin"),
            (b"access-control-allow-origin", origins[0]),
            (b"access-control-expose-headers", _SHOWN.encode("ascii")),
        ]
