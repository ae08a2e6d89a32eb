"""A plugin's `pyproject.toml`: what it declares, and which rules it waives."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PROJECT_FILE = "pyproject.toml"


class TargetError(Exception):
    """What is to be checked is not there, or cannot be read; the message says what to name instead."""


@dataclass(frozen=True, slots=True)
class Project:
    """The directory that a plugin's source is in.

    Attributes:
        directory: The directory.
        facts: The table `project` of its `pyproject.toml`.
        waived: The table `tool.wellhead.waivers`: rules, each with a reason.
    """

    directory: Path
    facts: Mapping[str, Any]
    waived: Mapping[str, Any]

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the file of a directory.

        Raises:
            TargetError: There is none, or it cannot be read.
        """
        path = directory / PROJECT_FILE
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise TargetError(
                f"{path} is not there. Go to the directory of a plugin's source, or name it: "
                "wellhead plugin check DIR. An installed plugin is checked by its name; a new one is begun with "
                "wellhead plugin new NAME."
            ) from None
        except (OSError, ValueError) as error:
            raise TargetError(f"{path} cannot be read as TOML: {error}.") from error
        tool = _table(_table(content, "tool"), "wellhead")
        return cls(directory, _table(content, "project"), _table(tool, "waivers"))

    def waivers(self, known: Collection[str]) -> dict[str, str]:
        """Return the waivers that count: of rules that there are, each with its reason."""
        return {number: text for number, text in self.waived.items() if number in known and _is_reason(text)}

    def false_waivers(self, known: Collection[str]) -> list[str]:
        """Say what is wrong with each waiver that does not count."""
        found = [f"{number} is no rule that can be waived." for number in self.waived if number not in known]
        return found + [
            f'{number} is waived without a reason: {number} = "why the rule does not fit".'
            for number, text in self.waived.items()
            if number in known and not _is_reason(text)
        ]


def _table(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name)
    return found if isinstance(found, Mapping) else {}


def _is_reason(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())
