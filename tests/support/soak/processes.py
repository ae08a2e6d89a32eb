"""The processes of a service."""

from __future__ import annotations

from contextlib import suppress

import psutil

from support.programs import wait_until

_GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)


class Processes:
    """Finds the processes of a service, by what they are."""

    def __init__(self, pid: int) -> None:
        self.supervisor = psutil.Process(pid)

    def workers(self) -> list[psutil.Process]:
        """Return the processes that answer, the oldest first."""
        found = [child for child in self.supervisor.children() if _is(child, "wellhead.api.serving.worker")]
        return sorted(found, key=lambda process: process.create_time())

    def parents(self) -> list[psutil.Process]:
        """Return the processes that validations are forked from, one for each worker that has validated."""
        return [child for worker in self.workers() for child in _children(worker)]

    def validations(self) -> list[psutil.Process]:
        """Return the processes of validations that run just now."""
        return [child for parent in self.parents() for child in _children(parent)]


def has_ended(process: psutil.Process) -> bool:
    """Tell whether a process does nothing any more, buried or not."""
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def kill(process: psutil.Process) -> None:
    """Kill a process, and wait until it has ended."""
    process.kill()
    wait_until(lambda: has_ended(process), f"process {process.pid} lives on after SIGKILL")


def _is(process: psutil.Process, module: str) -> bool:
    with suppress(*_GONE):
        return module in process.cmdline()
    return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(*_GONE):
        return [child for child in process.children() if child.status() != psutil.STATUS_ZOMBIE]
    return []
