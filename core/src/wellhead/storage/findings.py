"""What `wellhead doctor` finds: one finding for each thing that was looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from wellhead.codes import CODES

FindingStatus = Literal["ok", "warning", "problem", "repaired"]
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        part: What was looked at, such as `store` or `data source`.
        status: `ok`; `warning`: it works, and should be looked at; `problem`: it does not; `repaired`: it did not.
        message: What was found.
        code: The code of the catalogue; None where all is well.
        remedy: What to do about it; None where there is nothing to do.
        ids: The data sources that it is about.
    """

    part: str
    status: FindingStatus
    message: str
    code: str | None = None
    remedy: str | None = None
    ids: tuple[str, ...] = ()

    def as_document(self) -> dict[str, Any]:
        """Return the finding as `--json` prints it."""
        return {
            "part": self.part,
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "remedy": self.remedy,
            "ids": list(self.ids),
        }

    def repaired(self) -> Finding:
        """Return the finding after what is wrong was mended."""
        return replace(self, status="repaired", remedy=None)


def warning(part: str, code: str, message: str | None = None, **more: Any) -> Finding:
    """Make a finding of what works, and should be looked at; message and remedy are those of the code if left out."""
    return _finding(part, "warning", code, message, **more)


def problem(part: str, code: str, message: str | None = None, **more: Any) -> Finding:
    """Make a finding of what does not work; message and remedy are those of the code if left out."""
    return _finding(part, "problem", code, message, **more)


def _finding(part: str, status: FindingStatus, code: str, message: str | None, **more: Any) -> Finding:
    entry = CODES[code]
    return Finding(part, status, **{"message": message or entry.title, "code": code, "remedy": entry.remedy, **more})


def listed(names: Iterable[str]) -> str:
    """Write names in a message: the first few, and how many more there are."""
    found = sorted(names)
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{', '.join(found[:_NAMED])}{more}"
