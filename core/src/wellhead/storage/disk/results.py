"""The results of validating a data source, in a file beside its record: JSON Lines, a summary, then newest first.

They can be made anew at any time, so a damaged line counts as not there. The next result writes the file without it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from wellhead.storage.disk.directory import read_file
from wellhead.storage.disk.result_lines import read_result, read_summary_line

KEPT_RESULTS = 50
_MAX_RESULTS_BYTES = 4 << 20
_MAX_SUMMARY_BYTES = 512

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
    """Return the results of a data source, newest first; a line that is damaged is passed over."""
    try:
        _, *lines = _lines(directory, record_id) or (b"",)
    except OSError:
        return []
    return [result for line in lines if (result := read_result(line)) is not None]


def damaged_lines(directory: int, record_id: str) -> tuple[int, int]:
    """Return how many lines of the file with results are damaged, and how many it has.

    Raises:
        OSError: The file cannot be read.
    """
    lines = _lines(directory, record_id)
    if not lines:
        return 0, 0
    damaged = (read_summary_line(lines[0]) is None) + sum(read_result(line) is None for line in lines[1:])
    return damaged, len(lines)


def read_summary(directory: int, record_id: str) -> tuple[dict[str, Any] | None, Signature | None]:
    """Return the summary of the newest result, and what tells whether it has changed since."""
    try:
        found = read_file(directory, results_name(record_id), _MAX_SUMMARY_BYTES)
    except OSError:
        return None, None
    if found is None:
        return None, None
    return read_summary_line(found[0].partition(b"\n")[0]), signature_of(found[1])


def _lines(directory: int, record_id: str) -> list[bytes]:
    found = read_file(directory, results_name(record_id), _MAX_RESULTS_BYTES)
    return [] if found is None else found[0].splitlines()
