"""The key ring in a file outside of every workspace, which is also where it is made and changed."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wellhead import durable
from wellhead.errors import (
    InputError,
    KeyRingDamagedError,
    KeyRingError,
    KeyRingMissingError,
    KeyRingUnreachableError,
)
from wellhead.mounts import is_shared
from wellhead.secrets.keyring import KeyRing
from wellhead.secrets.links import UntrustedLinkError, without_links

_MAX_SIZE = 1 << 20
_ATTEMPTS = 3
# Errors that say something of the file. All others come from the machine, and may pass.
_REFUSED = frozenset(
    (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR, errno.EINVAL, errno.ENXIO, errno.ENAMETOOLONG)
)
# Timestamps of files are coarse: what changed less than this many nanoseconds ago may change again unseen.
_SETTLED = 1_000_000_000
# Clocks go back, and inodes come again: after this many seconds the content is looked at, whatever its file's metadata.
_TRUSTED = 1.0


@dataclass(frozen=True, slots=True, repr=False)
class _Loaded:
    """A ring as it was read, with what tells whether its file has changed since."""

    signature: tuple[int, ...]
    settled: bool
    read_at: float
    text: bytes
    ring: KeyRing

    def is_current(self, signature: tuple[int, ...]) -> bool:
        """Tell whether the file need not be read again."""
        return self.settled and self.signature == signature and time.monotonic() - self.read_at < _TRUSTED


def _signature(seen: os.stat_result) -> tuple[int, ...]:
    return seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size


class FileKeys:
    """The key ring in a file. It is read again whenever the file changes."""

    def __init__(self, path: Path, *, may_create: Callable[[], bool], not_below: Path | None = None) -> None:
        """Keep the key ring in a file.

        Args:
            path: The file.
            may_create: Asked before a first key is made; True only while nothing is encrypted.
            not_below: A directory that the file may not lie in, because it is copied together with the secrets.
        """
        self._path = path.absolute()
        self._may_create = may_create
        self._not_below = not_below
        self._loaded: _Loaded | None = None
        self._is_on_disk = False
        self._is_local: bool | None = None

    def known(self) -> KeyRing | None:
        """Return the ring as it was read, if its file is the same still; None on a disk that may keep one waiting."""
        known = self._loaded
        if known is None or self._is_local is not True:
            return None
        try:
            return known.ring if known.is_current(_signature(self._path.stat())) else None
        except OSError:
            return None

    def ring(self) -> KeyRing:
        """Return the ring as the file has it now.

        Raises:
            KeyRingMissingError: There is no file.
            KeyRingDamagedError: It is damaged.
            KeyRingUnreachableError: It cannot be read just now.
            KeyRingError: Others may read or replace it, or this user may not.
        """
        try:
            seen = self._path.stat()
        except OSError as error:
            raise self._failure(error) from error
        signature = _signature(seen)
        known = self._loaded
        if known is None or not known.is_current(signature):
            settled = time.time_ns() - seen.st_ctime_ns > _SETTLED
            text, read_at = self._read(), time.monotonic()
            ring = known.ring if known is not None and known.text == text else self._parse(text)
            self._loaded = known = _Loaded(signature, settled, read_at, text, ring)
            self._is_local = not is_shared(self._path)
        return known.ring

    def ring_for_writing(self) -> KeyRing:
        """Return the ring; make a first key if there is no file and nothing is encrypted yet.

        Raises:
            KeyRingMissingError: There is no file and none may be made.
            KeyRingError: As `ring`, or it cannot be made.
        """
        if not os.path.lexists(self._path):
            self._check_place()
            if not self._may_create():
                raise self._missing(
                    "Data sources were encrypted with it: restore it from a backup, or set WELLHEAD_KEY_FILE. If it is "
                    "lost, 'wellhead keys add --primary' makes a new one, and their secrets must be sent anew."
                )
            self._create(KeyRing.first())
        elif not self._is_on_disk:
            self._wait_for_the_disk()
        self._is_on_disk = True
        return self.ring()

    def change(self, change: Callable[[KeyRing | None], KeyRing]) -> KeyRing:
        """Change the ring in the file; return the new one when it is on disk.

        Args:
            change: Returns the ring as it is to be, from the one that there is, or from None.

        Raises:
            KeyRingError: As `ring`; another command is changing it, or it cannot be written.
        """
        self._check_place()
        if self._path.is_symlink():
            raise self._error("is a link, and is kept elsewhere", "Change it where it is made: see the guide to keys.")
        with self._alone():
            known = self.ring() if os.path.lexists(self._path) else None
            ring = change(known)
            if known is None:
                self._create(ring)
            else:
                self._replace(ring)
            found = self.ring()
            if found.to_bytes() != ring.to_bytes():
                raise self._error("was changed by somebody else at the same moment", "Look at 'wellhead keys list'.")
            return found

    def _read(self) -> bytes:
        self._check_place()
        try:
            text, seen = self._read_where_it_is()
        except UntrustedLinkError as error:
            remedy = f"Others could change {error.place}: name the file itself in WELLHEAD_KEY_FILE."
            raise self._error("is reached by a symbolic link that is not safe", remedy) from None
        except OSError as error:
            raise self._failure(error) from error
        self._check_owner(seen)
        return text

    def _read_where_it_is(self) -> tuple[bytes, os.stat_result]:
        """Read the file; a link that is replaced at this moment, as mounted secrets are, is followed once more."""
        for _ in range(_ATTEMPTS):
            try:
                return durable.read_file(without_links(self._path), _MAX_SIZE)
            except FileNotFoundError as error:
                gone = error
        raise gone

    def _parse(self, text: bytes) -> KeyRing:
        try:
            return KeyRing.from_bytes(text)
        except (ValueError, InputError):
            message = f"The key file {self._path} is damaged. Restore it from a backup."
            raise KeyRingDamagedError(message) from None

    def _check_place(self) -> None:
        if self._not_below is not None and _real(self._path).is_relative_to(_real(self._not_below)):
            raise self._error("lies inside the store, and would be copied with it", "Move it to another directory.")

    def _check_owner(self, seen: os.stat_result) -> None:
        if seen.st_uid not in {os.geteuid(), 0}:
            raise self._error("belongs to someone else", f"Give it to the user who runs Wellhead: chown {self._path}")
        if seen.st_mode & 0o027:
            raise self._error("may be read or written by others", f"chmod 600 {self._path}")

    def _create(self, ring: KeyRing) -> None:
        """Make the file; if another process was first, keep that one's."""
        try:
            durable.sweep(self._path)
            durable.write_new_file(self._path, ring.to_bytes())
        except OSError as error:
            raise self._error(f"cannot be made: {error.strerror}", "Set WELLHEAD_KEY_FILE.") from error

    def _wait_for_the_disk(self) -> None:
        """See to it that a ring which another process made a moment ago is on disk, before anything needs it."""
        try:
            durable.sweep(self._path)
            durable.sync_directory(self._path.parent)
        except PermissionError:  # the directory is somebody else's, and so is what is made in it
            return
        except OSError as error:
            raise self._error(f"is not known to be on disk: {error.strerror}", "Check the disk.") from error

    def _replace(self, ring: KeyRing) -> None:
        try:
            durable.sweep(self._path)
            durable.replace_file(self._path, ring.to_bytes())
        except OSError as error:
            raise self._error(f"cannot be changed: {error.strerror}", "Run this as the user who owns it.") from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from changing the ring meanwhile; the lock is a file of its own, never replaced."""
        try:
            durable.make_directory(self._path.parent)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(self._path.with_name(f".{self._path.name}.lock"), flags, 0o600)
        except OSError as error:
            raise self._error(f"cannot be changed: {error.strerror}", "Check its directory.") from error
        try:
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._error("is being changed by another command", "Try again when that is done.") from None
        except OSError as error:
            raise self._error(f"cannot be locked: {error.strerror}", "Keep it on a disk of this machine.") from error

    def _failure(self, error: OSError) -> KeyRingError:
        """Return the error for one of the operating system: there is no file, it is refused, or it may come back."""
        if error.errno == errno.ENOENT:
            return self._missing("Restore it from a backup, or set WELLHEAD_KEY_FILE.")
        if error.errno in _REFUSED:
            return self._error(f"cannot be read: {error.strerror}", "Name an ordinary file that you may read.")
        message = f"The key file {self._path} cannot be read just now: {error.strerror}. Check the disk that it is on."
        return KeyRingUnreachableError(message)

    def _missing(self, remedy: str) -> KeyRingMissingError:
        return KeyRingMissingError(f"The key file {self._path} does not exist. {remedy}")

    def _error(self, what: str, remedy: str) -> KeyRingError:
        return KeyRingError(f"The key file {self._path} {what}. {remedy}")


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
