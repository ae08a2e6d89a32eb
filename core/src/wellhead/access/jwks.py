"""The public keys of an issuer of tokens (a JWK Set, RFC 7517): fetched seldom, and by one at a time."""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from wellhead import base64url, strict_json
from wellhead.errors import MalformedJSONError, SettingsError
from wellhead.guard.threads import in_thread
from wellhead.guard.tls import verifying_context

PublicKey = RSAKey | ECKey | OKPKey

_MAX_BYTES = 64 * 1024
_SECONDS = 5.0
_KINDS = ("RSA", "EC", "OKP")
_LEAST_RSA_BITS = 2048
_LEAST_BETWEEN = 30.0
"""Seconds between two fetches, whatever asks for one: a flood of unknown key ids costs no more."""

_FRESH = 300.0
"""Seconds after which the keys are fetched again, so that a key that was withdrawn is not believed any more."""

_LASTING = 3600.0
"""Seconds for which the last keys stand in while the issuer cannot be reached."""


class IssuerKeys:
    """Looks keys up by their ids."""

    def __init__(self, url: str, *, fetch: Callable[[], bytes] | None = None) -> None:
        """Look keys up in a JWK Set.

        Args:
            url: Where it is: https, or http on this machine.
            fetch: Fetches it; may block, and raises `OSError` where it cannot.

        Raises:
            SettingsError: The address is another one.
        """
        parts = _checked(url)
        self._fetch = fetch or (lambda: _fetch(parts))
        self._keys: Mapping[str, PublicKey] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._lock = asyncio.Lock()
        self._log = structlog.get_logger("wellhead.access")

    async def find(self, key_id: str) -> PublicKey | None:
        """Return the key of an id; None if there is none, or it cannot be known."""
        if key_id not in self._keys or time.monotonic() - self._fetched_at > _FRESH:
            await self._renew(key_id)
        return None if time.monotonic() - self._fetched_at > _LASTING else self._keys.get(key_id)

    async def _renew(self, key_id: str) -> None:
        """Fetch the keys, unless that was done a moment ago; all who want it meanwhile wait for the one."""
        async with self._lock:
            now = time.monotonic()
            is_known = key_id in self._keys and now - self._fetched_at <= _FRESH
            if is_known or now - self._tried_at < _LEAST_BETWEEN:
                return
            self._tried_at = now
            try:
                async with asyncio.timeout(2 * _SECONDS):
                    self._keys = keys_in(await in_thread(self._fetch))
                self._fetched_at = now
            except (OSError, http.client.HTTPException, MalformedJSONError) as error:  # a `TimeoutError` is one
                self._log.warning("keys of the issuer cannot be fetched", error=type(error).__name__)


def keys_in(content: bytes) -> dict[str, PublicKey]:
    """Return the keys of a JWK Set that can check signatures, by their ids.

    Those of other kinds, symmetric ones, and RSA keys of less than 2048 bits are left out.

    Raises:
        MalformedJSONError: It is no JSON object.
    """
    items = strict_json.parse_object(content).get("keys")
    found: dict[str, PublicKey] = {}
    for item in items if isinstance(items, list) else ():
        key_id = item.get("kid") if isinstance(item, dict) else None
        key = _key_of(item) if isinstance(key_id, str) and item.get("use", "sig") == "sig" else None
        if key is not None and isinstance(key_id, str):
            found[key_id] = key
    return found


def _key_of(item: dict[str, object]) -> PublicKey | None:
    """Return a public key; None for what is none that is used here."""
    texts: dict[str, Any] = {name: value for name, value in item.items() if isinstance(value, str)}
    try:
        if texts["kty"] == "RSA" and 8 * len(base64url.decode(texts["n"]).lstrip(b"\0")) < _LEAST_RSA_BITS:
            return None
        key = JWKRegistry.import_key(texts) if texts["kty"] in _KINDS else None
        return key if isinstance(key, PublicKey) and key.public_key is not None else None
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _checked(url: str) -> SplitResult:
    parts = urlsplit(url)
    is_here = parts.hostname is not None and (parts.hostname == "localhost" or _is_loopback(parts.hostname))
    if parts.hostname is None or parts.scheme not in ({"https", "http"} if is_here else {"https"}):
        raise SettingsError("WELLHEAD_OIDC_JWKS_URL: must be an https address; http only on this machine.")
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _fetch(parts: SplitResult) -> bytes:
    """Fetch a document, directly and without following redirects.

    Raises:
        OSError: It cannot be fetched in time, is too large, or the answer is not 200.
        HTTPException: The answer is no HTTP.
    """
    host, is_secure = parts.hostname or "", parts.scheme == "https"
    kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
    with socket.create_connection((host, parts.port or kind.default_port), _SECONDS) as plain, _ended_in_time(plain):
        connection = kind(host, parts.port)
        connection.sock = verifying_context().wrap_socket(plain, server_hostname=host) if is_secure else plain
        try:
            return _read(connection, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        finally:
            connection.close()


def _read(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path, headers={"Accept": "application/json"})
    with connection.getresponse() as answer:
        if answer.status != http.client.OK:
            raise ConnectionError(f"status {answer.status}")
        content = answer.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ConnectionError("too large")
    return content


@contextmanager
def _ended_in_time(connection: socket.socket) -> Iterator[None]:
    """End a connection after a while, whatever its timeout: that begins anew with each byte that drips."""
    with connection.dup() as same:  # TLS takes the first one over
        timer = threading.Timer(2 * _SECONDS, _end, [same])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _end(connection: socket.socket) -> None:
    with suppress(OSError):  # it has ended at this moment
        connection.shutdown(socket.SHUT_RDWR)
