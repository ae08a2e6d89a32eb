"""Workspaces that rules work in: of their own, with the types of one plugin and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from wellhead.plugins.registry import DataSourceTypeRegistry
from wellhead.testing.kit.subject import Subject
from wellhead.testing.notices import tell_defect
from wellhead.testing.workspaces import assembled
from wellhead.validation.service import Defects
from wellhead.workspace import Workspace


@contextmanager
def workspace_for(subject: Subject, *, defects: Defects = tell_defect) -> Iterator[tuple[Workspace, Path]]:
    """Open an empty workspace with the plugin's types.

    Args:
        subject: The plugin.
        defects: Is told what a validator raised that nobody understood.

    Yields:
        The workspace, and its directory.
    """
    directory = Path(mkdtemp(dir=subject.scratch))
    registry = DataSourceTypeRegistry()
    for known in subject.types:
        registry.add(known)
    with Workspace(assembled(directory, registry, defects=defects)) as workspace:
        yield workspace, directory
