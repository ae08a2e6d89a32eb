"""Where what is done in a workspace is written down, and what the workspace is called there."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from wellhead.access.principal import is_workspace_name

_LOG = "audit.jsonl"
OF_NO_WORKSPACE = ""
"""What the log of a root has for what concerns all of its workspaces."""


@dataclass(frozen=True, slots=True)
class AuditPlace:
    """The place of one workspace.

    Attributes:
        file: The audit log.
        workspace: The workspace's name in it; its directory where it is none of a service for several users.
    """

    file: Path
    workspace: str


def log_of_service(*, root: Path | None, config_dir: Path) -> Path:
    """Return the audit log of a service: in a directory of its root's own, or else in the configuration directory."""
    return (config_dir if root is None else root / ".audit") / _LOG


def audit_place(workspace: Path, *, root: Path | None, config_dir: Path) -> AuditPlace:
    """Find the audit log that whoever looks after a workspace reads.

    A command that works on a workspace of a service for several users need not know that: the root has a log already,
    unless nothing was ever done there.

    Args:
        workspace: The workspace's directory.
        root: The root of the settings; None if they have none.
        config_dir: Where the log of other workspaces is.
    """
    path = workspace.resolve()
    if root is None:
        root = next((found for found in (path, path.parent) if _has_log(found)), None)
    log = log_of_service(root=root, config_dir=config_dir)
    if root is None:
        return AuditPlace(log, str(workspace))
    root = root.resolve()
    name = path.name if path.parent == root and is_workspace_name(path.name) else str(workspace)
    return AuditPlace(log, OF_NO_WORKSPACE if path == root else name)


def _has_log(directory: Path) -> bool:
    try:
        return stat.S_ISREG((directory / ".audit" / _LOG).lstat().st_mode)
    except OSError:  # it may not be looked at
        return False
