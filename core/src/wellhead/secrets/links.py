"""Following symbolic links to a file that must be nobody else's choice: mounted secrets are reached by links."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_MAX_LINKS = 40


class UntrustedLinkError(Exception):
    """A path leads through a link, and through something that somebody else could change.

    Attributes:
        place: What somebody else could change.
    """

    def __init__(self, place: Path) -> None:
        super().__init__(f"{place} could be changed by others")
        self.place = place


def without_links(path: Path) -> Path:
    """Return where a path leads, without links in it.

    A path without links is taken as it is. Where there is a link, every directory and link on the way must belong to
    root or to the user, and no directory may be writable by others, unless it is sticky: there, what belongs to root
    or to the user can be replaced by them only.

    Args:
        path: An absolute path.

    Raises:
        UntrustedLinkError: Somebody else could lead the path elsewhere.
        OSError: It leads nowhere, or in a circle.
    """
    current = Path(path.anchor)
    todo = list(path.parts[1:])
    passed = [current]
    links = 0
    while todo:
        name = todo.pop(0)
        if name == "..":
            current = current.parent
            continue
        place = current / name
        if not stat.S_ISLNK(place.lstat().st_mode):
            current = place
        else:
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = place.readlink()
            todo = [*(target.parts[1:] if target.is_absolute() else target.parts), *todo]
            current = Path(target.anchor) if target.is_absolute() else current
        passed.append(place)
    if links:
        _check(passed)
    return current


def _check(places: list[Path]) -> None:
    for place in places:
        seen = place.lstat()
        shared = stat.S_ISDIR(seen.st_mode) and seen.st_mode & 0o022 and not seen.st_mode & stat.S_ISVTX
        if seen.st_uid not in {os.geteuid(), 0} or shared:
            raise UntrustedLinkError(place)
