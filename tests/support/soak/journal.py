"""The writes that were answered, and whether the audit log has each of them exactly once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.soak.caller import Answer, User
from support.soak.report import Report

_WRITES = {"create", "update", "delete", "rollback"}


@dataclass(frozen=True, slots=True)
class _Write:
    operation: str
    user: str
    workspace: str
    source_id: str
    revision: int | None


class Journal:
    """Remembers the writes of a soak."""

    def __init__(self) -> None:
        self._done: dict[str, _Write] = {}
        self._refused: set[str] = set()

    def done(self, answer: Answer, user: User, operation: str, source_id: str, revision: int | None = None) -> None:
        """Remember a write that was answered; its revision afterwards, or None where that says nothing."""
        self._done[answer.request_id] = _Write(operation, user.name, user.workspace, source_id, revision)

    def refused(self, answer: Answer) -> None:
        """Remember a write that was refused."""
        self._refused.add(answer.request_id)

    def compare(self, directory: Path, asked: Set[str], report: Report) -> None:
        """Compare with the audit log."""
        entries = [
            json.loads(line) for path in directory.glob("audit.jsonl*") for line in path.read_text().splitlines()
        ]
        by_request: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for entry in entries:
            if entry["request_id"] is not None:  # failed logins, and commands, are of no request
                by_request[entry["request_id"]].append(entry)
        report.facts["audit"] = {"entries": len(entries), "answered_writes": len(self._done)}
        for request_id, write in self._done.items():
            found = [
                _as_write(entry, write.revision is not None) for entry in by_request[request_id] if _is_done(entry)
            ]
            if found != [write]:
                report.broke("the audit log has each write once", f"{request_id}: {write} is there as {found}")
        for request_id, of_request in by_request.items():
            if request_id not in asked:
                report.broke("the audit log has what was asked", f"{request_id} is of nobody")
            elif request_id in self._refused and any(_is_done(entry) for entry in of_request):
                report.broke("the audit log has what was asked", f"{request_id} was refused, and is there as done")


def _is_done(entry: dict[str, Any]) -> bool:
    return entry["operation"] in _WRITES and entry["outcome"] == "done"


def _as_write(entry: dict[str, Any], with_revision: bool) -> _Write:
    revision = entry["revision"] if with_revision else None
    return _Write(entry["operation"], entry["user"], entry["workspace"], entry["id"], revision)
