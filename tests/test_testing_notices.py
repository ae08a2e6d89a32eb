"""What the tests of a plugin are told beside a result."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal

import pytest

import wellhead
from support.canary import Canary
from wellhead import testing
from wellhead.codes import CODES


class SlippingDataSource(wellhead.DataSourceConfig):
    """A type whose author has made a mistake."""

    type: Literal["slipping"] = "slipping"
    slip: str = "none"
    password: wellhead.Secret | None = None


class DriverError(Exception):
    """What no table of errors has."""


class SlippingValidator(wellhead.Validator[SlippingDataSource]):
    """Make the mistake that the data source names."""

    steps = ("connect", "query")

    async def validate(self, config: SlippingDataSource, context: wellhead.ValidationContext) -> None:
        """Run two checks, and perhaps one that is not listed."""
        async with context.check("connect"):
            pass
        async with context.check("query") as check:
            if config.slip == "misspelt":
                context.wran("tls_disabled")  # type: ignore[attr-defined]  # the mistake
            if config.slip == "driver":
                raise DriverError(f"cannot log in with {config.password.reveal() if config.password else ''}")
            if config.slip == "secret":
                config.password.reveal()  # type: ignore[union-attr]  # the mistake
            if config.slip == "code":
                raise wellhead.CheckFailedError("nobody_knows", "It is odd.", hint="Make it even.")
            if config.slip == "own code":
                check.warn("slipping_odd")
        if config.slip == "step":
            async with context.check("permissions"):
                pass


ODD = wellhead.CheckCode("It is odd.", cause="Somebody added one.", remedy="Add another one.")
SLIPPING = wellhead.DataSourceType(SlippingDataSource, SlippingValidator, codes={"slipping_odd": ODD})


def validate(path: Path, slip: str, password: str | None = None) -> wellhead.ValidationResult:
    with testing.open_workspace(path, types=[SLIPPING]) as workspace:
        workspace.add({"type": "slipping", "name": "one", "slip": slip, "password": password})
        return workspace.validate("one")


def test_what_is_right_gives_no_warning_and_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert validate(tmp_path, "none").status == "passed"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("slip", "class_name"), [("misspelt", "AttributeError"), ("secret", "AttributeError")])
def test_a_slip_is_an_error_of_the_plugin_and_is_printed_with_its_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], slip: str, class_name: str
) -> None:
    result = validate(tmp_path, slip)

    assert (result.status, [(check.name, check.code) for check in result.errors]) == (
        "error",
        [("query", "plugin_error")],
    )
    assert result.errors[0].message == CODES["plugin_error"].title
    printed = capfd.readouterr().err
    assert "A check of type 'slipping' raised what nobody has given a code" in printed
    assert class_name in printed
    assert f"{Path(__file__).name}:" in printed


def slipping_migration(fields: dict[str, Any]) -> dict[str, Any]:
    fields["slop"] = fields.pop("slope")
    return fields


def test_a_fault_in_a_migration_is_printed_with_its_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], canary: Canary
) -> None:
    validate(tmp_path, "none", canary.secret())
    newer = wellhead.DataSourceType(SlippingDataSource, schema_version=2, migrations={1: slipping_migration})
    with testing.open_workspace(tmp_path, types=[newer]) as workspace:
        assert [source["state"] for source in workspace.list()] == ["invalid"]
    printed = capfd.readouterr().err
    assert "A migration of type 'slipping' raised:\n  KeyError: 'slope', at" in printed
    assert f"{Path(__file__).name}:" in printed
    assert "slipping_migration" in printed


def test_the_text_of_an_unknown_exception_is_printed_without_the_secret_and_stays_out_of_the_result(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], canary: Canary
) -> None:
    result = validate(tmp_path, "driver", canary.secret())

    assert [(check.name, check.code) for check in result.errors] == [("query", "protocol_error")]
    assert "cannot log in" not in str(result.as_document())
    assert "DriverError: cannot log in with [redacted]" in capfd.readouterr().err


def test_a_check_that_is_not_among_the_steps_is_warned_of(tmp_path: Path) -> None:
    with pytest.warns(testing.PluginWarning, match=r"'permissions' is not among .* steps: connect, query"):
        assert validate(tmp_path, "step").status == "passed"


def test_a_code_that_nobody_has_given_a_meaning_is_warned_of(tmp_path: Path) -> None:
    with pytest.warns(testing.PluginWarning, match="'nobody_knows' has no meaning"):
        [failed] = validate(tmp_path, "code").errors
    assert (failed.code, failed.message) == ("nobody_knows", "It is odd.")


def test_a_code_of_the_types_own_brings_its_texts_into_the_result(tmp_path: Path) -> None:
    [warned] = validate(tmp_path, "own code").warnings
    assert (warned.code, warned.message, warned.hint) == ("slipping_odd", ODD.title, ODD.remedy)
