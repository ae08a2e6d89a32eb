"""An issuer of tokens of OpenID Connect: a real HTTP server on this machine, with keys of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from wellhead.settings import Settings

AUDIENCE = "wellhead-of-the-tests"
Key = RSAKey | ECKey | OKPKey | OctKey

RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"}, private=True)
OTHER_RSA = RSAKey.generate_key(2048, {"kid": "rsa-2"}, private=True)
EC = ECKey.generate_key("P-256", {"kid": "ec-1"}, private=True)


class Issuer:
    """An issuer.

    Attributes:
        url: Its address, which is its name too.
        document: What its JWK Set says; bytes are sent as they are.
        status: The status of its answers.
        location: Where its answers point to.
        delay: Seconds that an answer takes.
        paths: The paths that were asked for.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 200
        self.location: str | None = None
        self.delay = 0.0
        self.paths: list[str] = []
        self.document: bytes = b""
        self.publish(RSA, EC)

    @property
    def jwks_url(self) -> str:
        """Where its JWK Set is."""
        return f"{self.url}/keys?v=1"

    def publish(self, *keys: Key) -> None:
        """Publish the public parts of keys, and no others."""
        self.document = json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()

    def settings(self, **more: Any) -> Settings:
        """Return settings that believe this issuer."""
        named = {"oidc_issuer": self.url, "oidc_audience": AUDIENCE, "oidc_jwks_url": self.jwks_url}
        return Settings(**{**named, **more})

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return good claims, with changes; one that is changed to `...` is left out."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ada",
            "exp": now + 600,
            "iat": now,
            "workspace": "red",
            "role": "editor",
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, key: Key = RSA, *, header: dict[str, Any] | None = None, **changes: Any) -> bytes:
        """Sign a token with good claims, but for the changes."""
        return sign(json.dumps(self.claims(**changes)).encode(), key, **(header or {}))


def sign(payload: bytes, key: Key = RSA, **header: Any) -> bytes:
    """Sign whatever it is; a member of the header that is `...` is left out."""
    algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "Ed25519", "oct": "HS256"}[key.key_type]
    whole = {"alg": algorithm, "kid": key.kid, "typ": "JWT", **header}
    whole = {name: value for name, value in whole.items() if value is not ...}
    registry = jws.JWSRegistry(algorithms=[whole["alg"]], strict_check_header=False)
    registry.max_header_length = 100_000
    return jws.serialize_compact(whole, payload, key, registry=registry).encode()


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """Run an issuer on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.paths.append(self.path)
            time.sleep(issuer.delay)
            self.send_response(issuer.status)
            if issuer.location is not None:
                self.send_header("Location", issuer.location)
            self.send_header("Content-Length", str(len(issuer.document)))
            self.end_headers()
            self.wfile.write(issuer.document)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
