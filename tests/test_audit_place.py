"""Where what is done in a workspace is written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellhead.access.audit_place import audit_place


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a service for several users that has written something down."""
    for path in ("team/.audit", "team/sales", "team/Not One", "config"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "team/.audit/audit.jsonl").touch()
    return tmp_path / "team"


def place(workspace: Path, root: Path, *, told: bool = False) -> tuple[str, str]:
    """Return the log and the workspace's name in it, below the directory that all are in."""
    base = root.parent
    found = audit_place(workspace, root=root if told else None, config_dir=base / "config")
    return str(found.file.relative_to(base)), found.workspace.replace(str(base), "")


@pytest.mark.parametrize("told", [False, True])
def test_a_workspace_of_a_service_has_the_log_and_the_name_that_it_has_there(root: Path, told: bool) -> None:
    assert place(root / "sales", root, told=told) == ("team/.audit/audit.jsonl", "sales")
    assert place(root / "sales" / ".." / "sales", root, told=told) == ("team/.audit/audit.jsonl", "sales")
    assert place(root, root, told=told) == ("team/.audit/audit.jsonl", "")


def test_a_directory_of_the_root_that_is_no_workspace_keeps_its_path(root: Path) -> None:
    assert place(root / "Not One", root) == ("team/.audit/audit.jsonl", "/team/Not One")


def test_with_a_root_in_the_settings_another_workspace_is_not_taken_for_one_of_its_own(root: Path) -> None:
    elsewhere = root.parent / "sales"
    elsewhere.mkdir()
    assert place(elsewhere, root, told=True) == ("team/.audit/audit.jsonl", "/sales")
    assert place(elsewhere, root) == ("config/audit.jsonl", "/sales")


@pytest.mark.parametrize("spoil", ["nothing", "a link", "a directory"])
def test_where_there_is_no_log_it_is_that_of_the_configuration(root: Path, spoil: str) -> None:
    log = root / ".audit" / "audit.jsonl"
    log.unlink()
    if spoil == "a link":
        log.symlink_to(root.parent / "config")
    elif spoil == "a directory":
        log.mkdir()
    assert place(root / "sales", root) == ("config/audit.jsonl", "/team/sales")
