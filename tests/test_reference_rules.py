"""The operator's list of which reference may go to which hosts."""

import os
from pathlib import Path

import pytest

from wellhead.assembly import assemble
from wellhead.errors import SettingsError
from wellhead.secrets.reference_rules import ReferenceRule, allowed
from wellhead.secrets.references import References, UnresolvedReferenceError
from wellhead.settings import Settings, load_settings


def rules_of(*texts: str) -> list[ReferenceRule]:
    return [ReferenceRule.from_text(text) for text in texts]


@pytest.mark.parametrize(
    ("rule", "name", "host", "is_allowed"),
    [
        ("env:PG@db.example.com", "PG", "db.example.com", True),
        ("env:PG@DB.example.com", "PG", "db.example.com", True),
        ("env:PG_*@*.example.com", "PG_A", "a.b.example.com", True),
        ("env:PG@10.0.0.5", "PG", "10.0.0.5", True),
        ("env:PG@fd00::1", "PG", "fd00::1", True),
        ("env:*@*", "ANY", "anywhere", True),
        ("env:PG@db.example.com", "PG", "db.example.com.attacker.net", False),
        ("env:PG@db.example.com", "PG", "attacker.net", False),
        ("env:PG@db.example.com", "PG", "dbxexample.com", False),
        ("env:PG@*.example.com", "PG", "example.com", False),
        ("env:PG@*.example.com", "PG", "attackerexample.com", False),
        ("env:PG@db.example.com", "PG_OTHER", "db.example.com", False),
        ("env:PG@db.example.com", "pg", "db.example.com", False),
        ("file:/PG@db.example.com", "PG", "db.example.com", False),
    ],
)
def test_a_variable_goes_to_the_hosts_of_its_rule_and_to_no_others(
    rule: str, name: str, host: str, is_allowed: bool
) -> None:
    assert allowed(rules_of(rule), "env", name, {host}) is is_allowed


@pytest.mark.parametrize(
    ("pattern", "path", "is_allowed"),
    [
        ("/run/pg/password", "/run/pg/password", True),
        ("/run/pg/*", "/run/pg/password", True),
        ("/run/*/password", "/run/pg/password", True),
        ("/run/pg/*", "/run/pg/deeper/password", False),
        ("/run/pg/*", "/run/pg/../../etc/shadow", False),
        ("/run/pg/*", "/run/pg/..", False),
        ("/run/pg/*", "//run/pg/password", False),
        ("/run/pg/*", "/run/pg//password", False),
        ("/run/pg/*", "/run/pgx", False),
        ("/run/pg/password", "/run/pg/password2", False),
        ("/run/pg[a]/x", "/run/pga/x", False),
    ],
)
def test_a_file_is_allowed_by_its_whole_path(pattern: str, path: str, is_allowed: bool) -> None:
    assert allowed(rules_of(f"file:{pattern}@h"), "file", path, {"h"}) is is_allowed


def test_no_link_leads_out_of_what_a_rule_names(tmp_path: Path) -> None:
    directory = Path(os.path.realpath(tmp_path)) / "secrets"
    (directory / "..data").mkdir(parents=True)
    (directory / "..data" / "pg").write_text("value")
    (directory / "pg").symlink_to("..data/pg")  # as mounted secrets are
    (directory / "out").symlink_to(tmp_path / "outside")
    rules = rules_of(f"file:{directory}/*@h")
    assert allowed(rules, "file", f"{directory}/pg", {"h"})
    assert not allowed(rules, "file", f"{directory}/out", {"h"})


def test_every_host_must_be_allowed_be_it_by_rules_of_their_own() -> None:
    rules = rules_of("env:KEY@api.example.com", "env:KEY@login.example.com")
    assert allowed(rules, "env", "KEY", {"api.example.com", "login.example.com"})
    assert not allowed(rules, "env", "KEY", {"api.example.com", "attacker.net"})


@pytest.mark.parametrize("hosts", [None, frozenset[str]()])
def test_where_nobody_can_tell_the_hosts_only_a_rule_for_all_is_enough(hosts: frozenset[str] | None) -> None:
    assert not allowed(rules_of("env:KEY@*.com", "env:KEY@**"), "env", "KEY", hosts)
    assert allowed(rules_of("env:KEY@*"), "env", "KEY", hosts)
    assert not allowed([], "env", "KEY", hosts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "env:PG",
        "env:@host",
        "env:PG@",
        "env:P-G@host",
        "PG@host",
        "file:relative@host",
        "file:/a/../b@host",
        "file:/a//b@host",
        "file:/a/@host",
        "file:/a\n@host",
        "vault:PG@host",
        "env:PG@ho st",
        "env:PG@host/path",
    ],
)
def test_anything_else_is_no_rule(text: str) -> None:
    with pytest.raises(ValueError, match="a rule"):
        ReferenceRule.from_text(text)


def test_the_list_is_a_setting_that_is_checked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WELLHEAD_REFERENCE_ALLOW", "env:PG_*@*.example.com, file:/run/pg/*@db.example.com")
    assert load_settings().reference_allow == ("env:PG_*@*.example.com", "file:/run/pg/*@db.example.com")
    with pytest.raises(SettingsError, match=r"WELLHEAD_REFERENCE_ALLOW: a rule is env:NAME@HOST") as caught:
        assemble(settings.model_copy(update={"reference_allow": ("hunter2",)}))
    assert "hunter2" not in str(caught.value)


# In use


def refused(references: References, reference: str, hosts: frozenset[str] | None) -> str:
    with pytest.raises(UnresolvedReferenceError) as caught:
        references.resolve(reference, hosts=hosts)
    return str(caught.value)


def test_X_05_in_server_mode_nothing_is_looked_up_until_the_operator_lists_it(tmp_path: Path) -> None:
    directory = Path(os.path.realpath(tmp_path))
    (directory / "file").write_text("of the file")
    local = {"names": ["*"], "directories": [directory], "environment": {"A": "of the variable"}}
    nothing = References(**local, mode="server")  # type: ignore[arg-type]  # of different types
    rules = rules_of("env:A@db.example.com", f"file:{directory}/file@db.example.com")
    listed = References(**local, mode="server", rules=rules)  # type: ignore[arg-type]  # as above
    good, bad = frozenset(["db.example.com"]), frozenset(["attacker.net"])
    for reference, value in (("env:A", "of the variable"), (f"file:{directory}/file", "of the file")):
        assert "WELLHEAD_REFERENCE_ALLOW" in refused(nothing, reference, good)
        assert "WELLHEAD_REFERENCE_ALLOW" in refused(listed, reference, bad)
        assert "WELLHEAD_REFERENCE_ALLOW" in refused(listed, reference, None)
        assert listed.resolve(reference, hosts=good) == value


def test_X_05_no_list_gives_the_keys_or_the_settings_away(tmp_path: Path) -> None:
    directory = Path(os.path.realpath(tmp_path))
    (directory / "keys.json").write_text("value")
    references = References(
        environment={"WELLHEAD_KEYS": "value", "WELLHEAD_TOKEN": "value"},
        forbidden=[directory / "keys.json"],
        mode="server",
        rules=rules_of("env:*@*", f"file:{directory}/*@*"),
    )
    for reference in ("env:WELLHEAD_KEYS", "env:WELLHEAD_TOKEN", f"file:{directory}/keys.json"):
        assert "do not allow" in refused(references, reference, frozenset(["h"]))
