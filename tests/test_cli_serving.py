"""What `wellhead serve` says of the machine when it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellhead.cli import serving
from wellhead.settings import Settings


@pytest.mark.skipif("sys.platform != 'linux'", reason="elsewhere there is always something to say")
def test_of_a_machine_as_it_should_be_there_is_nothing_to_say(settings: Settings) -> None:
    assert list(serving.notes(settings)) == []


def test_a_variable_that_is_misspelt_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WELLHEAD_EGRES_DENY", "10.0.0.0/8")
    assert next(serving.notes(settings)) == (
        "the variable WELLHEAD_EGRES_DENY is no setting, and does nothing. Did you mean WELLHEAD_EGRESS_DENY?"
    )


def test_D_42_a_workspace_on_a_network_is_told_at_the_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "is_shared", lambda _path: True)

    [note] = serving.notes(settings)

    assert note.startswith("The store lies on a file system that other machines use too.")


def test_elsewhere_than_on_linux_the_weaker_isolation_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving.sys, "platform", "darwin")

    assert "less isolated" in next(serving.notes(settings))


def test_a_kernel_that_cannot_keep_files_from_plugins_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving.landlock, "is_supported", lambda: False)

    assert list(serving.notes(settings)) == [
        "this kernel has no Landlock: a plugin's validations can open files of yours."
    ]


def test_what_a_service_for_several_users_does_not_do_is_told(settings: Settings, tmp_path: Path) -> None:
    several = settings.model_copy(update={"root": tmp_path, "host": "0.0.0.0"})
    said = list(serving.notes(several))
    for name in ("WELLHEAD_EGRESS_ALLOW", "WELLHEAD_REFERENCE_ALLOW", "WELLHEAD_ALLOWED_HOSTS"):
        assert any(name in note for note in said)
    lists = {"egress_allow": ("10.0.0.0/8",), "reference_allow": ("env:A@*",), "allowed_hosts": ("data.example.com",)}
    said = list(serving.notes(several.model_copy(update=lists)))
    assert said == ["of private networks and this machine, only what WELLHEAD_EGRESS_ALLOW lists is dialled."]
