"""The page of a type, and `wellhead plugin docs`, which prints it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

import pytest

import wellhead
from support.command import CommandLine
from wellhead.catalog.type_page import parameter_table, table, type_page
from wellhead.plugins.loader import load_plugins
from wellhead.plugins.registry import DataSourceTypeRegistry, describe


class LedgerDataSource(wellhead.DataSourceConfig):
    """A ledger.

    More is not shown.
    """

    type: Literal["ledger"] = "ledger"
    host: wellhead.Host = wellhead.field(description="Where it is, a | b.", examples=["db.example.com"])
    mode: Literal["key", "none"] = wellhead.field("none", description="How to log in.")
    key: wellhead.Secret | None = wellhead.field(None, description="The key.", required_when={"mode": "key"})
    quote: str = wellhead.field("`", description="Character around names.", harmless=True)
    folder: str | None = wellhead.field(None, description="Where to look.", visible_when={"mode": ["key"]})
    tls: bool = wellhead.field(True, description="Whether to use TLS.")
    trust: str | None = wellhead.field(None, description="Whom to trust.", visible_when={"tls": True})


class LedgerValidator(wellhead.Validator[LedgerDataSource]):
    """Does nothing, in two steps."""

    steps = ("open", "read")

    async def validate(self, config: LedgerDataSource, context: wellhead.ValidationContext) -> None:
        """Do nothing."""


CODES = {"ledger_closed": wellhead.CheckCode("It is closed.", cause="The year is over.", remedy="Open another one.")}
LEDGER = wellhead.DataSourceType(
    LedgerDataSource,
    LedgerValidator,
    title="Ledger",
    docs_url="https://example.com/ledger",
    errors={"Shut": "ledger_closed", "Denied": "auth_failed", "Refused": "auth_failed"},
    codes=CODES,
    environment={"LEDGER_KEY": "key"},
)


def section(page: str, title: str) -> str:
    """Return what is below a heading of a page."""
    return re.split(r"^## ", page, flags=re.MULTILINE)[titles(page).index(title) + 1].partition("\n")[2].strip()


def titles(page: str) -> list[str]:
    """Return the headings of a page."""
    return re.findall(r"^## (.*)$", page, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def page() -> str:
    """The page of a type that has everything."""
    return type_page(describe(LEDGER))


def test_a_page_begins_with_what_the_type_is(page: str) -> None:
    assert page.startswith(
        "# Ledger\n\nA ledger.\n\nType `ledger`. It can be validated. More is said at <https://example"
    )
    assert "More is not shown" not in page


def test_each_field_is_shown_with_its_conditions(page: str) -> None:
    rows = section(page, "Fields").splitlines()
    assert rows[2:] == [
        "| `host` | string | required |  | Where it is, a \\| b. |",
        '| `mode` | string |  | `"none"` | How to log in. One of `key`, `none`. |',
        "| `key` | string | secret |  | The key. Required with `mode` `key`. |",
        '| `quote` | string | harmless | `` "`" `` | Character around names. |',
        "| `folder` | string |  |  | Where to look. Only with `mode` `key`. |",
        "| `tls` | boolean |  | `true` | Whether to use TLS. |",
        "| `trust` | string |  |  | Whom to trust. Only with `tls` `true`. |",
    ]


def test_secrets_are_told_with_what_they_are_bound_to(page: str) -> None:
    assert section(page, "Secrets").startswith("`key`: encrypted at rest, and never shown.")
    assert "changes another field, but for `quote`, sends them again" in section(page, "Secrets")


def test_the_checks_are_told_in_their_order(page: str) -> None:
    assert section(page, "Checks") == "1. `secrets`\n2. `open`\n3. `read`"


def test_codes_of_the_record_are_told_once_with_cause_and_remedy(page: str) -> None:
    codes = section(page, "Codes")
    assert "| `ledger_closed` | It is closed. The year is over. | Open another one. |" in codes
    assert codes.count("| `auth_failed` | ") == 1


def test_variables_and_an_example_are_told(page: str) -> None:
    assert "| `LEDGER_KEY` | `key` |" in section(page, "Variables")
    [example] = re.findall(r"```json\n(.*?)\n```", section(page, "Examples"), flags=re.DOTALL)
    assert json.loads(example) == {"name": "my-ledger", "type": "ledger", "host": "db.example.com"}


def test_what_there_is_not_has_no_section() -> None:
    plain = type_page(describe(wellhead.DataSourceType(LedgerDataSource)))
    assert titles(plain) == ["Fields", "Secrets", "Examples"]
    assert "validated" not in plain


def test_a_cell_stays_in_its_line() -> None:
    assert table(["a"], [["one\ntwo | three"]]).splitlines()[2] == "| one two \\| three |"


@pytest.fixture(scope="module")
def installed() -> DataSourceTypeRegistry:
    """The types that are installed."""
    registry = DataSourceTypeRegistry()
    load_plugins(registry)
    return registry


def test_the_page_of_each_installed_type_has_all_its_fields(installed: DataSourceTypeRegistry) -> None:
    for name in installed.list_types():
        found = installed.describe(name)
        written = type_page(found)
        assert section(written, "Fields") == parameter_table(found.parameters)
        assert f"Type `{name}`, from `{found.distribution}` {found.version}. It can be validated." in written
        assert {"Fields", "Checks", "Examples"} <= set(titles(written))


def test_the_command_prints_the_page(workspace: Path, installed: DataSourceTypeRegistry) -> None:
    assert CommandLine(workspace)("plugin", "docs", "redis").out == type_page(installed.describe("redis"))


def test_the_command_says_which_types_there_are(workspace: Path) -> None:
    assert "installed: api, csv" in CommandLine(workspace)("plugin", "docs", "reddis", code=1).err
