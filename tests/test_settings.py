"""The settings."""

from pathlib import Path
from typing import Any

import pytest

from support.canary import Canary
from wellhead.errors import SettingsError
from wellhead.settings import Settings, load_settings, misspelt_variables


def file_with(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return path


def test_what_the_caller_says_wins_over_a_variable_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file_with(tmp_path, "port = 1\nhost = 'file'\nlog_level = 'debug'\n")
    monkeypatch.setenv("WELLHEAD_PORT", "2")
    monkeypatch.setenv("wellhead_host", "variable")
    settings = load_settings(path, port=3)
    assert (settings.port, settings.host, settings.log_level) == (3, "variable", "debug")
    assert load_settings(path).port == 2
    assert load_settings(path, port=None).port == 2


def test_a_list_is_written_with_commas_in_a_variable_and_as_a_list_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WELLHEAD_REFERENCE_ENV", "PG_*, ,MY_*,")
    assert load_settings().reference_env == ("PG_*", "MY_*")
    path = file_with(tmp_path, 'file_roots = ["/data", "/srv"]')
    assert load_settings(path).file_roots == (Path("/data"), Path("/srv"))


def test_the_rules_of_the_egress_policy_are_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file_with(tmp_path, 'egress_allow = ["10.0.0.0/8", "db.internal:5432"]\negress_deny = ["*.corp.example"]')
    monkeypatch.setenv("WELLHEAD_EGRESS_DENY", "[2001:db8::/32]:5432, 10.0.0.1")
    settings = load_settings(path)
    assert settings.egress_allow == ("10.0.0.0/8", "db.internal:5432")
    assert settings.egress_deny == ("[2001:db8::/32]:5432", "10.0.0.1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "65536"),
        ("port", "http"),
        ("log_level", "loud"),
        ("token", "short"),
        ("token", "with a space inside of it"),
        ("token", ""),
        ("validation_timeout", "0"),
        ("validation_timeout", "nan"),
        ("file_roots", "relative"),
        ("reference_dirs", "/good,relative"),
    ],
)
def test_a_setting_that_does_not_fit_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"WELLHEAD_{name.upper()}", value)
    with pytest.raises(SettingsError, match=f"WELLHEAD_{name.upper()}: ") as caught:
        load_settings()
    assert len(value) < 4 or value not in str(caught.value)


def test_all_settings_that_do_not_fit_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WELLHEAD_PORT", "-1")
    monkeypatch.setenv("WELLHEAD_LOG_LEVEL", "loud")
    with pytest.raises(SettingsError, match=r"WELLHEAD_PORT: .*WELLHEAD_LOG_LEVEL: "):
        load_settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("porrt = 1", r"no settings: porrt \(did you mean port\?\)\. Known: .*port"),
        ("strange = 1", r"no settings: strange\. Known: "),
        ("host = 'h'\nport = x", "cannot be read as TOML: see line 2, column 8"),
        ("port =", "cannot be read as TOML: see end of document"),
        ("\0", "as TOML"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(file_with(tmp_path, text))


def test_what_is_wrong_in_a_file_is_told_without_its_text(tmp_path: Path, canary: Canary) -> None:
    secret = canary.plain_secret()
    path = file_with(tmp_path, f"token = {secret}")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    path.unlink()
    canary.saw(str(caught.value) + repr(caught.value.__cause__))


def test_a_setting_is_named_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file_with(tmp_path, 'port = "x"\nlog_level = "loud"')
    monkeypatch.setenv("WELLHEAD_LOG_LEVEL", "louder")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    told = caught.value.message
    assert f"port in {path}: must be" in told
    assert "WELLHEAD_LOG_LEVEL: must be" in told


def test_a_variable_that_is_nearly_a_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WELLHEAD_EGRES_DENY", "10.0.0.0/8")
    monkeypatch.setenv("WELLHEAD_STRANGE", "1")
    assert misspelt_variables()["WELLHEAD_EGRES_DENY"] == "WELLHEAD_EGRESS_DENY"
    assert "WELLHEAD_STRANGE" not in misspelt_variables()


def test_a_file_that_is_not_there_or_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings(tmp_path / "nothing.toml")
    with pytest.raises(SettingsError, match="no file"):
        load_settings(tmp_path)


def test_a_token_is_shown_in_no_error_and_no_repr(monkeypatch: pytest.MonkeyPatch, canary: Canary) -> None:
    token = canary.plain_secret()
    canary.saw(repr(load_settings(token=token)) + str(load_settings(token=token)))
    monkeypatch.setenv("WELLHEAD_TOKEN", token + " ")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    canary.saw(str(caught.value) + repr(caught.value) + repr(caught.value.__cause__))
    monkeypatch.delenv("WELLHEAD_TOKEN")


@pytest.mark.parametrize(
    ("given", "expected"),
    [("/xdg", "/xdg/wellhead"), ("", "/home/u/.config/wellhead"), ("rel", "/home/u/.config/wellhead")],
)
def test_the_configuration_directory_is_that_of_the_xdg_specification(
    monkeypatch: pytest.MonkeyPatch, given: str, expected: str
) -> None:
    monkeypatch.delenv("WELLHEAD_CONFIG_DIR")
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setenv("XDG_CONFIG_HOME", given)
    assert load_settings().config_dir == Path(expected)
    assert load_settings().key_path == Path(expected) / "keys.json"
    assert load_settings().token_path == Path(expected) / "token"


def test_a_tilde_stands_for_the_home_directory_in_every_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.delenv("WELLHEAD_CONFIG_DIR")
    path = file_with(tmp_path, 'config_dir = "~/c"\nkey_file = "~/k"\nfile_roots = ["~/f"]\nreference_dirs = ["~/r"]')
    settings = load_settings(path)
    found = [settings.config_dir, settings.key_file, *settings.file_roots, *settings.reference_dirs]
    assert found == [Path("/home/u/c"), Path("/home/u/k"), Path("/home/u/f"), Path("/home/u/r")]


def test_settings_never_change() -> None:
    settings: Any = Settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description
    assert description.endswith(".")


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("port", "x", "must be an integer from 0 to 65535"),
        ("token", "short", "must be 16 to 512 visible ASCII characters, without spaces"),
        ("log_level", "loud", "must be debug, info, warning or error"),
        ("file_roots", "relative", "must be absolute paths, in a variable with commas between them"),
        ("validation_timeout", "0", "must be a number of seconds, more than 0 and at most 3600"),
    ],
)
def test_the_rule_is_told_in_plain_words(monkeypatch: pytest.MonkeyPatch, name: str, value: str, rule: str) -> None:
    monkeypatch.setenv(f"WELLHEAD_{name.upper()}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.message == f"Settings that do not fit. WELLHEAD_{name.upper()}: {rule}."


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_its_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(f"WELLHEAD_{name.upper()}", raising=False)
    path = file_with(tmp_path, f"{name} = [[1]]")
    with pytest.raises(SettingsError, match=f"{name} in {path}: must be ") as caught:
        load_settings(path)
    is_path = Settings.model_fields[name].annotation in {Path, Path | None}
    assert caught.value.message.endswith("must be a path.") == is_path
