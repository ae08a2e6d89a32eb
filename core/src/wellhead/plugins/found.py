"""The plugins that are installed, and what tells one installation of a plugin from another."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points, version
from importlib.util import find_spec
from pathlib import Path

from wellhead.plugins.hookspecs import ENTRY_POINT_GROUP

_MAX_FILES = 2000
_COLUMNS = 3
"""Of a RECORD: path, digest and size (PyPA, Recording installed projects)."""
_NAME = re.compile("[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_VERSION = re.compile("[A-Za-z0-9.!+_-]{1,64}")
_UNREADABLE = (KeyError, OSError, UnicodeError)
"""What metadata raises that was half removed."""


@dataclass(frozen=True, slots=True)
class FoundPlugin:
    """A plugin that is installed.

    Attributes:
        point: Its entry point.
        distribution: The name of its distribution.
        version: The distribution's version.
        fingerprint: A short text that is another one for another version, for other code, and for another Python.
    """

    point: EntryPoint
    distribution: str
    version: str
    fingerprint: str

    @property
    def identity(self) -> tuple[str, str, str]:
        """What stays the same when another version is installed."""
        return self.distribution, self.point.name, self.point.value

    @property
    def module(self) -> str:
        """The name of the module that its entry point names."""
        return self.point.value.partition(":")[0].strip()


def find_plugins(points: Iterable[EntryPoint] | None = None) -> list[FoundPlugin]:
    """Return the plugins that are installed, or those of some entry points, in the order of their names."""
    found = entry_points(group=ENTRY_POINT_GROUP) if points is None else points
    plugins = [_found(point) for point in found]
    return sorted(plugins, key=lambda plugin: (plugin.point.name, plugin.distribution, plugin.version))


def _found(point: EntryPoint) -> FoundPlugin:
    distribution, number = _origin(point)
    digest = hashlib.sha256()
    record = _record(point)
    for part in (*_python_and_core(), distribution, point.name, point.value, number, record):
        digest.update(part.encode("utf-8", errors="surrogatepass") + b"\0")
    recorded = _recorded(point, record)
    for path in _files_of(point.value):
        digest.update(_stamp(path) if recorded.get(path) != _size(path) else b"recorded\0")
    return FoundPlugin(point, distribution, number, digest.hexdigest())


def surroundings() -> str:
    """Return a short text that is another one once something was installed or removed, or core was changed."""
    digest = hashlib.sha256()
    for place in (*sys.path, *_files_below(Path(__file__).parents[1])):
        digest.update(_stamp(place))
    return digest.hexdigest()


@cache
def _python_and_core() -> tuple[str, str, str]:
    return sys.version, sys.prefix, version("wellhead")


def _origin(point: EntryPoint) -> tuple[str, str]:
    """Return name and version of the distribution; metadata that was half removed, or is odd, may lack them."""
    try:
        found = (point.dist.name, point.dist.version) if point.dist is not None else (None, None)
    except _UNREADABLE:
        found = (None, None)
    name, number = found[0] or "", found[1] or ""
    # Remedies have the name in a command that people copy.
    return name if _NAME.fullmatch(name) else "unknown", number if _VERSION.fullmatch(number) else "0"


def _record(point: EntryPoint) -> str:
    """Return the list of files that was written when the plugin was installed."""
    with suppress(*_UNREADABLE):
        return (point.dist.read_text("RECORD") if point.dist is not None else None) or ""
    return ""


def _recorded(point: EntryPoint, record: str) -> dict[str, int]:
    """Return the sizes of the files that were installed, by path, of those whose content the record has a digest of."""
    if point.dist is None or not record:
        return {}
    rows = [row for row in csv.reader(record.splitlines()) if len(row) == _COLUMNS and row[1] and row[2].isdecimal()]
    return {os.path.normpath(str(point.dist.locate_file(row[0]))): int(row[2]) for row in rows}


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116  # many times at each start
    except OSError:
        return -1


def _files_of(value: str) -> Iterator[str]:
    """List the files of the module that an entry point names, without importing it: an edit in place changes them."""
    name = value.partition(":")[0].partition(".")[0].strip()
    try:
        spec = find_spec(name) if name.isidentifier() else None
    except (ImportError, ValueError, AttributeError):  # whatever finders are installed
        spec = None
    if spec is not None and spec.submodule_search_locations is not None:
        for place in spec.submodule_search_locations:
            yield from _files_below(Path(place))
    elif spec is not None and spec.origin is not None:
        yield spec.origin


def _files_below(directory: Path) -> Iterator[str]:
    count = 0
    for place, directories, names in os.walk(directory):
        directories[:] = sorted(name for name in directories if name != "__pycache__")
        for name in sorted(names):
            count += 1
            if count > _MAX_FILES:
                return
            yield os.path.join(place, name)


def _stamp(path: str) -> bytes:
    try:
        seen = os.stat(path or ".")  # noqa: PTH116  # as above
    except OSError:
        return f"{path}\0-\0".encode("utf-8", errors="surrogatepass")
    return f"{path}\0{seen.st_mtime_ns}\0{seen.st_size}\0{seen.st_ino}\0".encode("utf-8", errors="surrogatepass")
