"""The program that imports plugins on trial: `python -c "from wellhead.plugins.scratch import main; main(3, 1)"`.

It says which plugin it begins with, and what came of it, one after the other. One that hangs it or ends it is known by
that. After one that changed what is not its own, it ends by itself: all others would be tried in a spoilt process.
"""

from __future__ import annotations

import json
import os
import socket
from importlib.metadata import EntryPoint
from typing import Any

from wellhead.guard import confinement
from wellhead.plugins.calling import types_of
from wellhead.plugins.hookspecs import ENTRY_POINT_GROUP
from wellhead.plugins.patches import Watch
from wellhead.plugins.reports import PluginRefusedError, report_it
from wellhead.plugins.verdicts import Verdict

_MAX_NAMED = 3


def main(descriptor: int, parent: int) -> None:
    """Try the plugins that the process at the other end of a socket names.

    Args:
        descriptor: The socket.
        parent: The process id of that process.
    """
    confinement.leave_parent(parent)
    confinement.silence()
    confinement.empty_environment()
    line = socket.socket(fileno=descriptor)
    with line.makefile("r", encoding="utf-8") as lines:
        jobs = json.loads(lines.readline())
    watch = Watch()
    for number, job in enumerate(jobs):
        _tell(line, {"begin": number})
        verdict = _try(**job)
        changed = watch.changes()
        if changed:
            verdict = _patched(changed, job["distribution"])
        _tell(line, {"end": number, "state": verdict.state, "reason": verdict.reason, "remedy": verdict.remedy})
        if changed:
            break
    os._exit(0)  # without waiting for threads that a plugin may have started


def _try(name: str, value: str, distribution: str) -> Verdict:
    try:
        types_of(EntryPoint(name, value, ENTRY_POINT_GROUP), distribution)
    except PluginRefusedError as refusal:
        return Verdict.of(refusal)
    return Verdict()


def _patched(changed: list[str], distribution: str) -> Verdict:
    named = ", ".join(changed[:_MAX_NAMED]) + (" and others" if len(changed) > _MAX_NAMED else "")
    return Verdict("broken", f"Importing it changes what is not its own: {named}.", report_it(distribution))


def _tell(line: socket.socket, message: dict[str, Any]) -> None:
    line.sendall(json.dumps(message).encode("ascii") + b"\n")
