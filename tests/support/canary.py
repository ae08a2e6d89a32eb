"""Secrets for tests: unique tokens that must turn up nowhere afterwards, in whatever spelling."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx2
import psutil
import pytest

_GIVEN = "WELLHEAD_TOKEN"
"""The variable in which a test gives a service its token: nowhere else may it be."""

_live: list[Canary] = []
_services: dict[str, set[Path]] = {}
"""The tokens of the services that these tests have started, each with the files that keep it."""
_places: set[Path] = set()
"""The directories of those services, and the files that they write to."""


class Canary:
    """Hands out unique secrets, and searches the places where they must not be."""

    def __init__(self, *directories: Path) -> None:
        self._directories = directories
        self._tokens: list[str] = []
        self._own: set[Path] = set()
        self.texts: list[bytes] = []

    def secret(self) -> str:
        """Return a new secret. It has characters that get escaped in URLs, JSON, HTML and shells."""
        core = secrets.token_hex(12)
        self._tokens += [token := f"Cn/{core}+%é\"<'", core]  # what some other escaping leaves is the core
        return token

    def plain_secret(self) -> str:
        """Return a new secret of letters and digits only."""
        return self.watch(f"Cn{secrets.token_hex(14)}")

    def watch(self, secret: str) -> str:
        """Search for a secret that was made elsewhere, too; return it."""
        self._tokens.append(secret)
        return secret

    def put_into(self, path: Path) -> None:
        """Say that the test itself has put a secret into a file."""
        self._own.add(path)

    def saw(self, text: str | bytes) -> None:
        """Add a text to what is searched: a response, an output."""
        self.texts.append(text if isinstance(text, bytes) else text.encode("utf-8", errors="replace"))

    def search(self) -> None:
        """Search the directories, the texts, and all processes that this one started."""
        self._search(self._texts())
        self._search(self._files())
        self.search_processes()

    def search_processes(self) -> None:
        """Search all processes that this one started, as long as they run."""
        self._search(_processes())

    def _search(self, places: Iterator[tuple[str, bytes]]) -> None:
        own, of_services = needles_for(*self._tokens), needles_for(*_services, *_keys())
        homes = {str(path) for path in [*_rings(), *(path for paths in _services.values() for path in paths)]}
        for where, text in places:
            assert not any(needle in text for needle in own), f"a secret is in {where}"
            if where not in homes:
                assert not any(needle in text for needle in of_services), (
                    f"the token or a key of a service is in {where}"
                )

    def _texts(self) -> Iterator[tuple[str, bytes]]:
        yield from ((f"text {number}", text) for number, text in enumerate(self.texts))

    def _files(self) -> Iterator[tuple[str, bytes]]:
        for place in {*self._directories, *_places}:
            for path in [place, *sorted(place.rglob("*"))]:
                yield f"the name of {path}", str(path).encode()
                is_ours = path.is_file() and not path.is_symlink() and path not in self._own
                if is_ours and "site-packages" not in path.parts and os.access(path, os.R_OK):
                    yield str(path), path.read_bytes()


def _processes() -> Iterator[tuple[str, bytes]]:
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        try:
            yield f"the command line of {process.name()}", "\0".join(process.cmdline()).encode()
            if process.pid != os.getpid():
                variables = {name: value for name, value in process.environ().items() if name != _GIVEN}
                yield f"the environment of {process.name()}", json.dumps(variables, ensure_ascii=False).encode()
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue


@contextmanager
def searched(*directories: Path) -> Iterator[Canary]:
    """Lend a canary that sees what every HTTP client of this process is answered, and search when that is over."""
    canary = Canary(*directories)
    _live.append(canary)
    with forgotten():
        try:
            with pytest.MonkeyPatch.context() as patched:
                _listen(patched)
                yield canary
        finally:
            _live.remove(canary)
        canary.search()


@contextmanager
def forgotten() -> Iterator[None]:
    """Forget the services that are started meanwhile when that is over."""
    services, places = dict(_services), set(_places)
    yield
    _services.clear()
    _services.update(services)
    _places.intersection_update(places)


def know(token: str, *places: Path, token_file: Path | None = None) -> str:
    """Let all canaries search for the token of a service, and where the service writes to; return the token."""
    secret = token[-43:] if token.startswith("wh_") else token  # the rest of it is public
    _services[secret] = _services.get(secret, set()) | ({token_file} if token_file is not None else set())
    _places.update(places)
    return token


def _rings() -> list[Path]:
    return [path / "keys.json" for path in _places if (path / "keys.json").is_file()]


def _keys() -> list[str]:
    """Return the keys in the rings of the services, as they are written there."""
    return [key for path in _rings() for key in re.findall(r'"key": "(.{43})"', path.read_text())]


def hear(text: str | bytes) -> None:
    """Show a text to the canaries of the test that runs."""
    for canary in _live:
        canary.saw(text)


def search_processes() -> None:
    """Search the processes of the test that runs before they end."""
    for canary in _live:
        canary.search_processes()


def _listen(patched: pytest.MonkeyPatch) -> None:
    """Hear the heads and the bodies of all answers, those too that are read piece by piece."""
    send, iter_raw = httpx2.Client.send, httpx2.Response.iter_raw

    def heard(client: httpx2.Client, request: httpx2.Request, **options: Any) -> httpx2.Response:
        response = send(client, request, **options)
        hear(b"\n".join(b": ".join(header) for header in response.headers.raw))
        return response

    def read(response: httpx2.Response, chunk_size: int | None = None) -> Iterator[bytes]:
        chunks = []
        try:
            for chunk in iter_raw(response, chunk_size):
                chunks.append(chunk)
                yield chunk
        finally:
            hear(b"".join(chunks))

    patched.setattr(httpx2.Client, "send", heard)
    patched.setattr(httpx2.Response, "iter_raw", read)


def needles_for(*secrets_: str) -> list[bytes]:
    """Return the fewest texts of which one is in whatever holds one of the secrets, however it is spelt."""
    found: list[bytes] = []
    for spelling in sorted({spelling for secret in secrets_ for spelling in spellings_of(secret)}, key=len):
        if not any(shorter in spelling for shorter in found):
            found.append(spelling)
    return found


def spellings_of(secret: str) -> Iterator[bytes]:
    """Return how a secret may be spelt in an answer, a file or a log."""
    data = secret.encode()
    texts = [secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret)]
    texts += [json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]]
    texts += [repr(secret)[1:-1], ascii(secret)[1:-1], repr(data)[2:-1]]
    yield from (text.encode() for text in texts)
    yield from (re.sub(rb"%..", lambda found: found[0].lower(), text.encode()) for text in texts)
    yield from (data.hex().encode(), data.hex().upper().encode())
    for before in range(3):  # what stands before it shifts it
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            shifted = encode(b"\0" * before + data).rstrip(b"=")
            yield shifted[(0, 2, 3)[before] : len(shifted) - ((before + len(data)) % 3 > 0)]
