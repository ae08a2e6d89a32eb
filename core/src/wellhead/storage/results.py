"""The results of validating a data source, in a file beside its record: JSON Lines, a summary first, then newest first.

They can be made anew at any time, so what is damaged counts as not there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from wellhead.storage.directory import read_file

KEPT_RESULTS = 50
_MAX_RESULTS_BYTES = 4 << 20
_MAX_SUMMARY_BYTES = 512
_SUMMARY = {"status": str, "checked_at": str, "revision": int, "duration_ms": int | float}

Signature = tuple[int, int, int, int]
"""What tells whether a file has changed."""


def signature_of(seen: os.stat_result) -> Signature:
    """Return the signature of a file."""
    return seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def results_name(record_id: str) -> str:
    """Return the name of the file with a data source's results."""
    return f"{record_id}.health.jsonl"


def with_result(kept: Sequence[dict[str, Any]], summary: dict[str, Any], result: dict[str, Any]) -> bytes:
    """Write the file with a new result before those that there were; the oldest fall out."""
    lines = [summary, result, *kept][: KEPT_RESULTS + 1]
    return "\n".join(json.dumps(line) for line in lines).encode("ascii")


def read_results(directory: int, record_id: str) -> list[dict[str, Any]]:
    """Return the results of a data source, newest first."""
    try:
        found = read_file(directory, results_name(record_id), _MAX_RESULTS_BYTES)
        lines = [] if found is None else [json.loads(line) for line in found[0].splitlines()]
    except (OSError, ValueError, RecursionError):
        return []
    return [line for line in lines[1:] if isinstance(line, dict)]


def read_summary(directory: int, record_id: str) -> tuple[dict[str, Any] | None, Signature | None]:
    """Return the summary of the newest result, and what tells whether it has changed since."""
    try:
        found = read_file(directory, results_name(record_id), _MAX_SUMMARY_BYTES)
        if found is None:
            return None, None
        summary = json.loads(found[0].partition(b"\n")[0])
    except (OSError, ValueError, RecursionError):
        return None, None
    return (summary if _is_summary(summary) else None), signature_of(found[1])


def _is_summary(summary: Any) -> bool:
    fits = isinstance(summary, dict) and summary.keys() == _SUMMARY.keys()
    return fits and all(isinstance(summary[name], kind) for name, kind in _SUMMARY.items())
