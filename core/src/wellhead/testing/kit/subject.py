"""What a rule looks at: a plugin that is loaded, and what was seen when it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wellhead.plugins.calling import types_of
from wellhead.plugins.registry import RegisteredType
from wellhead.testing.kit.project import Project
from wellhead.testing.kit.target import Target


def _nobody(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A plugin that is loaded in this process.

    Attributes:
        target: Which one it is.
        types: Its types.
        seen: What the process noted that loaded it by itself (`probe`).
        waivable: The numbers of the rules that can be waived.
        scratch: A directory for what rules write; it is removed afterwards.
        before: The snapshot of its types that it is compared with; None for the one beside its `pyproject.toml`.
        say: Is told what a rule is at, which counts where it does not end.
        kept: What one rule has found that another one needs too.
    """

    target: Target
    types: tuple[RegisteredType, ...]
    seen: Mapping[str, Any]
    waivable: frozenset[str]
    scratch: Path
    before: Mapping[str, Any] | None = None
    say: Callable[[str], None] = _nobody
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def project(self) -> Project | None:
        """Its `pyproject.toml`, if there is one."""
        return self.target.read_project()


class SkippedError(Exception):
    """A rule cannot be checked with this plugin; the message says why."""


def types_in(target: Target) -> tuple[RegisteredType, ...]:
    """Load the types of a plugin that are to be looked at.

    Raises:
        PluginRefusedError: It cannot be loaded.
    """
    found = [known for plugin in target.plugins for known in types_of(plugin.point, target.distribution)]
    return tuple(known for known in found if target.type_name in {None, known.name})
