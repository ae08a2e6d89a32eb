"""Secrets for tests: unique tokens that must turn up nowhere afterwards, in whatever spelling."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil


class Canary:
    """Hands out unique secrets, and searches the places where they must not be."""

    def __init__(self, *directories: Path) -> None:
        self._directories = directories
        self._tokens: list[str] = []
        self._own: set[Path] = set()
        self.texts: list[str] = []

    def secret(self) -> str:
        """Return a new secret. It has characters that get escaped in URLs, JSON, HTML and shells."""
        token = f"Cn/{secrets.token_hex(12)}+%é\"<'"
        self._tokens.append(token)
        return token

    def plain_secret(self) -> str:
        """Return a new secret of letters and digits only."""
        token = f"Cn{secrets.token_hex(14)}"
        self._tokens.append(token)
        return token

    def watch(self, secret: str) -> str:
        """Search for a secret that was made elsewhere, too; return it."""
        self._tokens.append(secret)
        return secret

    def put_into(self, path: Path) -> None:
        """Say that the test itself has put a secret into a file."""
        self._own.add(path)

    def saw(self, text: str | bytes) -> None:
        """Add a text to what is searched: a response, an output."""
        self.texts.append(text if isinstance(text, str) else text.decode("utf-8", errors="replace"))

    def search(self) -> None:
        """Search the directories, the texts, and all processes that this one started."""
        needles = [spelling for token in self._tokens for spelling in _spellings(token)]
        for where, text in self._places():
            for needle in needles:
                assert needle not in text, f"a secret is in {where}"

    def _places(self) -> Iterator[tuple[str, str]]:
        yield from ((f"text {number}", text) for number, text in enumerate(self.texts))
        for directory in self._directories:
            for path in sorted(directory.rglob("*")):
                if path.is_file() and not path.is_symlink() and path not in self._own and os.access(path, os.R_OK):
                    yield str(path), path.read_bytes().decode("utf-8", errors="replace")
        for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
            try:
                yield f"the command line of {process.name()}", "\0".join(process.cmdline())
                if process.pid != os.getpid():
                    yield f"the environment of {process.name()}", json.dumps(process.environ(), ensure_ascii=False)
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue


def _spellings(token: str) -> set[str]:
    data = token.encode()
    return {
        token,
        quote(token, safe=""),
        json.dumps(token)[1:-1],
        json.dumps(token, ensure_ascii=False)[1:-1],
        base64.b64encode(data).decode().rstrip("="),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
        data.hex(),
    }
