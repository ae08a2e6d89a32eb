"""What became of trial imports, kept in a small file, so that no installation is tried twice."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from wellhead import durable
from wellhead.plugins.reports import STATES, PluginRefusedError, State

_FORMAT = 1
_MAX_BYTES = 4 << 20
_MAX_VERDICTS = 2000
_AGAIN_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a trial import.

    Attributes:
        state: `ready` if the plugin may be imported; else what it is shown as.
        reason: What is wrong with it.
        remedy: What to type.
        is_held: Whether its types were found to keep the rules, beside all that is installed now.
    """

    state: State = "ready"
    reason: str = ""
    remedy: str = ""
    is_held: bool = False

    @classmethod
    def of(cls, refusal: PluginRefusedError) -> Verdict:
        """Return the verdict that a plugin was refused."""
        return cls(refusal.state, refusal.reason, refusal.remedy)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Verdict:
        """Read a verdict.

        Raises:
            ValueError: It is none.
        """
        found = cls(*(document.get(name) for name in ("state", "reason", "remedy")))  # type: ignore[arg-type]  # checked
        if found.state not in STATES or not isinstance(found.reason, str) or not isinstance(found.remedy, str):
            raise ValueError("not a verdict")
        return found

    def check(self) -> None:
        """Do nothing if the plugin may be imported.

        Raises:
            PluginRefusedError: It may not.
        """
        if self.state != "ready":
            raise PluginRefusedError(self.state, self.reason, self.remedy)


class VerdictFile:
    """The file of verdicts. Where it is damaged or cannot be used, nothing is remembered, and all is tried again.

    That a plugin may be imported is remembered for good: its fingerprint says what was tried. That its types keep the
    rules is remembered while nothing else is installed or removed: models can come from elsewhere. That it may not be
    imported can lie in a busy machine, too, so it is remembered for an hour of that time.
    """

    def __init__(self, path: Path | None) -> None:
        """Use a file, or none."""
        self._path = path

    def read(self, surroundings: str) -> dict[str, Verdict]:
        """Return the verdicts that hold, by fingerprint.

        Args:
            surroundings: What is installed now, as `found.surroundings` says it.
        """
        found = {}
        for fingerprint, entry in self._entries().items():
            with suppress(ValueError, TypeError, AttributeError, KeyError):
                verdict = Verdict.from_document(entry)
                is_ready, is_same = verdict.state == "ready", entry["surroundings"] == surroundings
                if is_ready or (is_same and 0 <= time.time() - entry["at"] < _AGAIN_SECONDS):
                    found[fingerprint] = replace(verdict, is_held=is_ready and is_same)
        return found

    def add(self, verdicts: Mapping[str, Verdict], surroundings: str) -> None:
        """Remember verdicts, by fingerprint; the oldest ones are forgotten where there are very many."""
        if self._path is None or not verdicts:
            return
        at = time.time()
        new = {name: {**asdict(verdict), "surroundings": surroundings, "at": at} for name, verdict in verdicts.items()}
        kept = {name: entry for name, entry in self._entries().items() if name not in new} | new
        entries = dict(list(kept.items())[-_MAX_VERDICTS:])
        content = json.dumps({"format": _FORMAT, "verdicts": entries}, indent=1).encode("ascii")
        with suppress(OSError):  # a read-only home only makes the next start slower
            try:
                durable.replace_file(self._path, content)
            except FileNotFoundError:
                durable.write_new_file(self._path, content)

    def _entries(self) -> dict[str, Any]:
        """Return what the file says; of what is no such file, nothing."""
        if self._path is None:
            return {}
        try:
            content, _ = durable.read_file(self._path, _MAX_BYTES)
            document = json.loads(content)
        except (OSError, ValueError, RecursionError):
            return {}
        is_ours = isinstance(document, dict) and document.get("format") == _FORMAT
        entries = document.get("verdicts") if is_ours else None
        return entries if isinstance(entries, dict) else {}
