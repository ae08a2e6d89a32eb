"""What `wellhead serve` says of the machine when it starts."""

from __future__ import annotations

import pytest

from wellhead.assembly import Wellhead
from wellhead.cli import main


@pytest.mark.skipif("sys.platform != 'linux'", reason="elsewhere there is always something to say")
def test_of_a_machine_as_it_should_be_there_is_nothing_to_say(wellhead_parts: Wellhead) -> None:
    assert list(main._notes(wellhead_parts)) == []


def test_D_42_a_workspace_on_a_network_is_told_at_the_start(
    wellhead_parts: Wellhead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "is_shared", lambda _path: True)

    [note] = main._notes(wellhead_parts)

    assert note.startswith("The store lies on a file system that other machines use too.")


def test_elsewhere_than_on_linux_the_weaker_isolation_is_told(
    wellhead_parts: Wellhead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main.sys, "platform", "darwin")

    assert "less isolated" in next(main._notes(wellhead_parts))


def test_a_kernel_that_cannot_keep_files_from_plugins_is_told(
    wellhead_parts: Wellhead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main.landlock, "is_supported", lambda: False)

    assert list(main._notes(wellhead_parts)) == [
        "this kernel has no Landlock: a plugin's validations can open files of yours."
    ]
