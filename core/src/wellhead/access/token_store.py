"""Where issued tokens are kept: a directory of the root's own, outside of every workspace, with a file for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from wellhead import durable
from wellhead.access.issued import TOKEN_ID, IssuedToken
from wellhead.errors import SettingsError, StorageIOError, TokenNotFoundError

DIRECTORY = ".tokens"
"""No workspace has such a name."""

_SUFFIX = ".json"
_MAX_SIZE = 4096


class TokenStore:
    """Adds, reads and removes what is kept of tokens; any number of processes may do so at once."""

    def __init__(self, root: Path) -> None:
        """Keep tokens below the root of the workspaces."""
        self.path = root / DIRECTORY
        self._log = structlog.get_logger("wellhead.access")

    def add(self, token: IssuedToken) -> None:
        """Keep a token; it is on disk afterwards.

        Raises:
            SettingsError: Others may write where tokens are kept.
            StorageIOError: It cannot be written.
        """
        with self._told():
            durable.make_directory(self.path)
            self._check_place()
            durable.write_new_file(self._path_of(token.id), token.to_bytes())

    def remove(self, token_id: str) -> None:
        """Forget a token, so that it is good for nothing any more; that is on disk afterwards.

        Raises:
            TokenNotFoundError: There is none of this id.
            StorageIOError: It cannot be removed.
        """
        if not TOKEN_ID.fullmatch(token_id):
            raise _not_found()
        with self._told():
            try:
                self._path_of(token_id).unlink()
            except FileNotFoundError:
                raise _not_found() from None
            durable.sync_directory(self.path)

    def read(self) -> list[IssuedToken]:
        """Return all tokens, by their ids. What is no token, or could be written by others, is left out and logged.

        Raises:
            SettingsError: Others may write where tokens are kept.
            StorageIOError: They cannot be read.
        """
        with self._told():
            if not self.path.exists():
                return []
            self._check_place()
            paths = sorted(path for path in self.path.iterdir() if _is_tokens(path.name))
            return [token for token in map(self._read_one, paths) if token is not None]

    def has(self, token_id: str) -> bool:
        """Tell whether something is kept of a token, usable or not.

        Raises:
            StorageIOError: It cannot be looked at.
        """
        with self._told():
            return self._path_of(token_id).exists()

    def signature(self) -> tuple[int, ...] | None:
        """Return what changes whenever a token is added or removed; None if there is no token yet.

        Raises:
            StorageIOError: It cannot be looked at.
        """
        with self._told():
            try:
                seen = self.path.stat()
            except FileNotFoundError:
                return None
            return (seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns)

    def _read_one(self, path: Path) -> IssuedToken | None:
        try:
            content, seen = durable.read_file(path, _MAX_SIZE)
            token = IssuedToken.from_bytes(content)
        except FileNotFoundError:  # it was revoked at this moment
            return None
        except (OSError, ValueError):
            self._log.warning("token not used", file=path.name, reason="it cannot be read")
            return None
        is_ours = seen.st_uid in {os.geteuid(), 0} and not seen.st_mode & 0o022
        if not is_ours or path.stem != token.id:
            self._log.warning("token not used", file=path.name, reason="others may write it, or it has another's name")
            return None
        return token

    def _check_place(self) -> None:
        seen = self.path.stat()
        if seen.st_uid not in {os.geteuid(), 0} or seen.st_mode & 0o022:
            raise SettingsError(
                f"Others may write to {self.path}, and issue tokens. Change that: chmod 700 {self.path}"
            )

    def _path_of(self, token_id: str) -> Path:
        return self.path / (token_id + _SUFFIX)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell errors of the operating system as ours."""
        try:
            yield
        except OSError as error:
            raise StorageIOError(f"The tokens in {self.path} cannot be used: {error.strerror}.") from error


def _is_tokens(name: str) -> bool:
    return name.endswith(_SUFFIX) and TOKEN_ID.fullmatch(name.removesuffix(_SUFFIX)) is not None


def _not_found() -> TokenNotFoundError:
    return TokenNotFoundError("There is no token of this id. List them: wellhead token list --root DIR")
