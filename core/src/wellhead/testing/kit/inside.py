"""The program that checks rules, in a process that may be lost: a plugin may hang it, or end it.

It says which rule it begins with, what it is at, and what was found, one rule after the other.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from wellhead import logs
from wellhead.guard import confinement
from wellhead.testing.kit.outcomes import Finding
from wellhead.testing.kit.rule import Rule
from wellhead.testing.kit.rules import RULES, WAIVABLE
from wellhead.testing.kit.schema_changes import snapshot_of
from wellhead.testing.kit.subject import SkippedError, Subject, types_in
from wellhead.testing.kit.target import Target

MAX_FINDINGS = 20
_MAX_TEXT = 400


def main(descriptor: int, parent: int) -> None:
    """Check the rules that the process at the other end of a socket names.

    Args:
        descriptor: The socket.
        parent: The process id of that process.
    """
    confinement.leave_parent(parent)
    confinement.empty_environment()
    logs.configure("error")
    line = socket.socket(fileno=descriptor)
    with line.makefile("r", encoding="utf-8") as lines:
        job = json.loads(lines.readline())
    target = Target.from_document(job["target"])
    subject = Subject(
        target,
        types_in(target),
        job["seen"],
        WAIVABLE,
        Path(job["scratch"]),
        before=job["before"],
        say=lambda text: _tell(line, {"at": text}),
    )
    _tell(line, {"snapshot": snapshot_of(subject.types)})
    for rule in RULES:
        if rule.number in job["rules"]:
            _tell(line, {"begin": rule.number})
            _tell(line, {"end": rule.number, **_checked(rule, subject)})
    os._exit(0)  # without waiting for threads that a plugin may have started


def _checked(rule: Rule, subject: Subject) -> dict[str, Any]:
    findings: list[Finding] = []
    try:
        for finding in rule.check(subject):
            findings.append(finding)
            if len(findings) == MAX_FINDINGS:
                break
    except SkippedError as skipped:
        return {"skipped": str(skipped)}
    except BaseException as error:  # noqa: BLE001  # where a plugin is called
        findings.append(Finding(f"Checking it raised {logs.where(error)[0]}"))
    return {"findings": [[finding.message[:_MAX_TEXT], finding.is_defect] for finding in findings]}


def _tell(line: socket.socket, message: dict[str, Any]) -> None:
    line.sendall(json.dumps(message).encode("ascii") + b"\n")
