"""References to secrets: `env:NAME` and `file:/path`, looked up at the moment of use, where the settings allow it.

In local mode the user's settings say which variables and directories may be referred to. In server mode that is for
the operator to say, together with where each may be sent: others choose the hosts, and could fetch what they are not
to know.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from wellhead import durable
from wellhead.secrets.reference_rules import ReferenceRule, allowed

_MAX_SIZE = 64 * 1024
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class UnresolvedReferenceError(Exception):
    """A reference does not resolve; the text says why, without any value."""


@dataclass(frozen=True, slots=True)
class References:
    """Which references may be looked up, and how.

    Attributes:
        names: Patterns of variable names that are allowed in local mode, such as `PG_*`; never `WELLHEAD_*`.
        directories: Directories below which files may be read in local mode.
        mode: `local` or `server`.
        rules: What is allowed in server mode; nothing if there are none.
        environment: The variables.
        forbidden: Paths that are never read: the key ring, the store, the token.
    """

    names: Sequence[str] = ()
    directories: Sequence[Path] = ()
    mode: Literal["local", "server"] = "local"
    rules: Sequence[ReferenceRule] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    forbidden: Sequence[Path] = ()

    def resolve(self, reference: str, *, hosts: Set[str] | None = None) -> str:
        """Look a reference up.

        Args:
            reference: The reference.
            hosts: The hosts that its value will be sent to; None if nobody can tell.

        Returns:
            The value; of a file, its text without the line break at the end.

        Raises:
            UnresolvedReferenceError: It is not allowed, or there is nothing.
        """
        kind, _, target = reference.partition(":")
        if self.mode == "server" and not allowed(self.rules, kind, target, hosts):
            raise UnresolvedReferenceError(
                "the operator does not allow this reference for these hosts: see WELLHEAD_REFERENCE_ALLOW"
            )
        value = self._variable(target) if kind == "env" else self._file(Path(target))
        if not value:
            raise UnresolvedReferenceError("it is empty")
        if _NO_TEXT.search(value):
            raise UnresolvedReferenceError("it has control characters, or is not UTF-8")
        return value

    def _variable(self, name: str) -> str:
        is_named = self.mode == "server" or any(fnmatchcase(name, pattern) for pattern in self.names)
        if not is_named or name.upper().startswith("WELLHEAD"):
            raise UnresolvedReferenceError("the settings do not allow this variable: see WELLHEAD_REFERENCE_ENV")
        if name not in self.environment:
            raise UnresolvedReferenceError("the variable is not set in the service's environment")
        return self.environment[name]

    def _file(self, path: Path) -> str:
        if "\0" in str(path):
            raise UnresolvedReferenceError("no file has such a name")
        real = _real(path)
        below = self.mode == "server" or any(real.is_relative_to(_real(directory)) for directory in self.directories)
        kept_out = any(real.is_relative_to(_real(other)) for other in self.forbidden)
        if not path.is_absolute() or not below or kept_out:
            raise UnresolvedReferenceError("the settings do not allow this file: see WELLHEAD_REFERENCE_DIRS")
        try:
            content, _ = durable.read_file(real, _MAX_SIZE)
        except OSError as error:
            raise UnresolvedReferenceError("the file cannot be read") from error
        if len(content) > _MAX_SIZE:
            raise UnresolvedReferenceError("the file is too large to be a secret")
        try:
            return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise UnresolvedReferenceError("the file is not UTF-8") from None


def _real(path: Path) -> Path:
    """Return a path without links in it; `Path.resolve` would raise where links run in a circle."""
    return Path(os.path.realpath(path))
