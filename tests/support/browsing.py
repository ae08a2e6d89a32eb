"""The page without a browser: an HTTP client that signs in and posts forms as one does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

import httpx2

from support import calls

_CSRF = re.compile(r'name="csrf" value="([A-Za-z0-9_-]+)"')


class Visitor:
    """Somebody with a browser.

    Attributes:
        client: What sends the requests, with the cookie of the session and without a token.
    """

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client

    def get(self, path: str, **more: Any) -> httpx2.Response:
        """Go to a page, without following it elsewhere."""
        return self.client.get(path, **more)

    def see(self, path: str, status: int = 200) -> str:
        """Return the text of a page, in which nothing runs or is styled but from files."""
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"].startswith("text/html")
        assert not re.search(r"<[^>]*\s(style|on[a-z]+)=|<script(?![^>]*src=)|<style", answer.text)
        return re.sub(r"\s+", " ", unescape(answer.text))

    def post(
        self, path: str, headers: dict[str, str] | None = None, *, timeout: float = 30, **fields: Any
    ) -> httpx2.Response:
        """Post a form with the mark of this session."""
        return self.client.post(path, data={"csrf": self.csrf, **fields}, headers=headers or {}, timeout=timeout)

    @property
    def csrf(self) -> str:
        """The mark that forms of this session hold."""
        match = _CSRF.search(self.client.get("/").text)
        assert match is not None
        return match[1]


@contextmanager
def visitor(url: str, token: str, **more: Any) -> Iterator[Visitor]:
    """Sign in to the page of a service.

    Args:
        url: The service's address.
        token: The token.
        **more: For the HTTP client.
    """
    with calls.Client(base_url=url, timeout=30, **more) as client:
        answer = client.post("/sign-in", data={"token": token})
        assert answer.status_code == 200, answer.text
        yield Visitor(client)
