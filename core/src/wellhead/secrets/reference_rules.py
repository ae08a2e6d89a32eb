"""The operator's list of which reference may go to which hosts: `env:NAME@host`, `file:/path@host`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_FORM = re.compile(r"(env|file):(.+)@([A-Za-z0-9.:_*-]{1,253})")
_NAME = re.compile(r"[A-Za-z0-9_*]+")
_PATH = re.compile(r"/[^\x00-\x1f\x7f]*")


@dataclass(frozen=True, slots=True)
class ReferenceRule:
    """One line of the list.

    Attributes:
        kind: `env` or `file`.
        target: The pattern of a variable's name, or of an absolute path; `*` stands for anything but a slash.
        host: The pattern of a host; `*` stands for anything.
    """

    kind: str
    target: str
    host: str

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read a rule, such as `env:PG_*@*.example.com` or `file:/run/secrets/pg/*@db.example.com`.

        Raises:
            ValueError: It has another form.
        """
        match = _FORM.fullmatch(text)
        if match is None or not (_NAME if match[1] == "env" else _PATH).fullmatch(match[2]):
            raise ValueError("a rule is env:NAME@HOST or file:/PATH@HOST")
        if match[1] == "file" and os.path.normpath(match[2]) != match[2]:
            raise ValueError("the path of a rule has no '..', no double slash, and no slash at its end")
        return cls(match[1], match[2], match[3].lower())

    def is_about(self, kind: str, target: str) -> bool:
        """Tell whether the rule is about a reference of this kind to this target."""
        is_named = kind == self.kind and _pattern(self.target, "[^/]*").fullmatch(target) is not None
        return is_named and (kind == "env" or self._is_below(target))

    def reaches(self, host: str) -> bool:
        """Tell whether the rule lets what it is about go to a host."""
        return _pattern(self.host, ".*").fullmatch(host) is not None

    def _is_below(self, path: str) -> bool:
        """Tell whether a path leads to where the fixed part of the pattern is, also through links."""
        if os.path.normpath(path) != path:
            return False
        fixed = Path(self.target.partition("*")[0])
        directory = fixed if self.target.partition("*")[0].endswith("/") else fixed.parent
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))


def allowed(rules: Sequence[ReferenceRule], kind: str, target: str, hosts: Set[str] | None) -> bool:
    """Tell whether rules let a reference go to all of these hosts.

    Args:
        rules: The operator's list.
        kind: `env` or `file`.
        target: What it refers to.
        hosts: Where its value would go; None if nobody can tell, which only a rule for every host allows.
    """
    about = [rule for rule in rules if rule.is_about(kind, target)]
    if not hosts:
        return any(rule.host == "*" for rule in about)
    return all(any(rule.reaches(host) for rule in about) for host in hosts)


def _pattern(text: str, star: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", star), re.DOTALL)
