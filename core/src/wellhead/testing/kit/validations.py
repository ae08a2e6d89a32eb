"""Rules for validators, which run as the service runs them: against servers and files that nobody wants to meet."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wellhead.errors import WellheadError
from wellhead.model.result import ValidationResult
from wellhead.plugins.registry import RegisteredType
from wellhead.testing.kit import rogues
from wellhead.testing.kit.opened import workspace_for
from wellhead.testing.kit.outcomes import Finding
from wellhead.testing.kit.rogues import Rogue, RogueFile, RogueServer
from wellhead.testing.kit.samples import Document
from wellhead.testing.kit.subject import SkippedError, Subject
from wellhead.testing.notices import unknown_codes, unknown_steps
from wellhead.workspace import Workspace

_KEPT = "runs"
_AT_ONCE = 4
_GRACE_MS = 1500.0


@dataclass(frozen=True, slots=True)
class Run:
    """A validation that was run.

    Attributes:
        known: The type.
        rogue: What it met.
        result: What it found.
        defects: Where the validator raised what nobody understood.
    """

    known: RegisteredType
    rogue: Rogue
    result: ValidationResult
    defects: tuple[str, ...]

    @property
    def where(self) -> str:
        """Say what met what."""
        return f"Type '{self.known.name}', with {self.rogue.what}"


def check_ends(subject: Subject) -> Iterator[Finding]:
    """Find validations that do not end as they should, by the time that they should."""
    for run in runs_of(subject):
        status, latest = run.result.status, run.rogue.seconds * 1000 + _GRACE_MS
        if status == "error":
            raised = f": {run.defects[0]}" if run.defects else ", or its process ended"
            yield Finding(f"{run.where}: the validator raised what nobody has given a code{raised}")
        elif status not in run.rogue.may_end_as:
            yield Finding(f"{run.where}: it ended as '{status}', not as {_listed(run.rogue.may_end_as)}.")
        elif run.result.duration_ms > latest:
            yield Finding(f"{run.where}: it took {run.result.duration_ms:.0f} ms; {latest:.0f} are the most.")


def check_codes(subject: Subject) -> Iterator[Finding]:
    """Find codes that are neither in the catalogue nor among the type's own."""
    found = (text for run in runs_of(subject) for text in unknown_codes(run.known, run.result))
    yield from map(Finding, dict.fromkeys(found))


def check_steps(subject: Subject) -> Iterator[Finding]:
    """Find checks that the validator does not declare."""
    found = (text for run in runs_of(subject) for text in unknown_steps(run.known, run.result))
    yield from map(Finding, dict.fromkeys(found))


def runs_of(subject: Subject) -> list[Run]:
    """Run the validators, several at once; a second time, return what was found the first time.

    Raises:
        SkippedError: There is no validator that could be led anywhere.
    """
    if _KEPT not in subject.kept:
        subject.kept[_KEPT] = _run_all(subject)
    runs: list[Run] = subject.kept[_KEPT]
    if not runs:
        raise SkippedError("No validator can be led to a server or a file: it has no host and port, URL, or path.")
    return runs


def _run_all(subject: Subject) -> list[Run]:
    rogues.prepare()
    raised = _Defects()
    with workspace_for(subject, defects=raised) as (workspace, directory), ThreadPoolExecutor(_AT_ONCE) as pool:
        runner = _Runner(workspace, directory, raised)
        jobs = [
            partial(runner.run, known, rogue)
            for known in subject.types
            if known.validator is not None
            for rogue in rogues.rogues_for(known)
        ]
        return [run for run in pool.map(lambda job: job(), jobs) if run is not None]


class _Runner:
    """Leads validators of one workspace to servers and files."""

    def __init__(self, workspace: Workspace, directory: Path, raised: _Defects) -> None:
        self._workspace = workspace
        self._directory = directory
        self._raised = raised

    def run(self, known: RegisteredType, rogue: Rogue) -> Run | None:
        """Run one validation; None where the type cannot be led there."""
        name = f"{known.name} {rogue.what}".replace(" ", "-")
        if isinstance(rogue, RogueServer):
            with rogue.start() as server:
                return self._validate(known, rogue, name, rogues.document_for_server(known, server))
        document = rogues.document_for_file(known, name)
        if isinstance(rogue, RogueFile) and document is not None:
            rogue.make(self._directory / str(document["path"]))
        return self._validate(known, rogue, name, document)

    def _validate(self, known: RegisteredType, rogue: Rogue, name: str, document: Document | None) -> Run | None:
        if document is None:
            return None
        try:
            self._workspace.add({**document, "name": name})
            result = self._workspace.validate(name, timeout=rogue.seconds)
        except WellheadError:  # what cannot be saved is told by another rule
            return None
        return Run(known, rogue, result, self._raised.of(known.name))


class _Defects:
    """Collects what validators raised that nobody understood; validations run side by side."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}
        self._turn = threading.Lock()

    def __call__(self, type_name: str, where: list[str]) -> None:
        with self._turn:
            self._found.setdefault(type_name, []).extend(where)

    def of(self, type_name: str) -> tuple[str, ...]:
        with self._turn:
            return tuple(self._found.get(type_name, ()))


def _listed(statuses: frozenset[str]) -> str:
    return " or ".join(f"'{status}'" for status in sorted(statuses))
