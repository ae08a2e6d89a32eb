"""The token of local mode: made at the first start, and kept in a file that only its owner may read."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from wellhead import durable
from wellhead.errors import SettingsError

_FORM = re.compile(rb"[\x21-\x7e]{16,512}")
_PREFIX = "wh_"
_MAX_SIZE = 1024


class LocalToken:
    """The one token of the one user."""

    def __init__(self, path: Path, given: str | None = None) -> None:
        """Hold the token.

        Args:
            path: The file that it is kept in.
            given: The token, where the settings name one; then the file is not looked at.
        """
        self.path = None if given is not None else path
        self._path = path
        self._given = given
        self._digest: bytes | None = None

    def read_or_make(self) -> str:
        """Return the token; make one if there is none.

        Raises:
            SettingsError: The file cannot be read or made, or others may read it.
        """
        if self._given is not None:
            token = self._given
        else:
            try:
                if not os.path.lexists(self._path):
                    durable.write_new_file(self._path, f"{_PREFIX}{secrets.token_urlsafe(32)}\n".encode())
                token = self._read()
            except OSError as error:
                raise SettingsError(f"The token file {self._path} cannot be used: {error.strerror}.") from error
        self._digest = hashlib.sha256(token.encode("ascii")).digest()
        return token

    def fits(self, presented: bytes) -> bool:
        """Tell whether a token is the right one, in the same time whatever it is."""
        if self._digest is None:
            self.read_or_make()
        return hmac.compare_digest(hashlib.sha256(presented).digest(), self._digest or b"")

    def stretched(self, purpose: str) -> bytes:
        """Return a key made of the token (scrypt, RFC 7914); guessing a weak token from it costs as much each time.

        Args:
            purpose: What the key is for.

        Raises:
            SettingsError: As `read_or_make`.
        """
        if self._digest is None:
            self.read_or_make()
        return hashlib.scrypt(self._digest or b"", salt=f"wellhead {purpose}".encode(), n=2**14, r=8, p=1, dklen=32)

    def _read(self) -> str:
        content, seen = durable.read_file(self._path, _MAX_SIZE)
        if seen.st_mode & 0o077:
            raise SettingsError(f"Others may read the token file {self._path}. Change that: chmod 600 {self._path}")
        token = content.strip()
        if not _FORM.fullmatch(token):
            raise SettingsError(f"The token file {self._path} has no token. Delete it, and one is made anew.")
        return token.decode("ascii")
