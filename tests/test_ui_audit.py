"""The page of the audit log: days and pages in its address, and entries in words."""

import re
from pathlib import Path
from typing import Any

import pytest

import wellhead
from wellhead.ui.audit import OPERATIONS, ShownEntry, WantedEntries

ID = "5f3c2d1e-0a4b-4c5d-8e6f-7a8b9c0d1e2f"

ENTRY = {"at": "2026-11-23T08:00:00.5Z", "entry": "0" * 16, "user": "ann", "workspace": "red"}
ENTRY |= {"operation": "update", "outcome": "done"}


def test_a_day_stands_for_all_its_instants() -> None:
    wanted = WantedEntries.of(
        {"from": "2026-11-23", "to": "2026-11-24", "user": " ann ", "operation": "", "bogus": "x"}
    )
    assert wanted.query == [
        ("user", "ann"),
        ("from", "2026-11-23T00:00:00Z"),
        ("to", "2026-11-24T23:59:59.999999Z"),
        ("limit", "50"),
    ]


@pytest.mark.parametrize("text", ["tomorrow", "2026-11-23T08:00:00Z", "2026-1-1", "２０２６-11-23"])  # noqa: RUF001  # digits too
def test_what_is_no_day_is_left_to_the_api(text: str) -> None:
    assert dict(WantedEntries.of({"from": text}).query)["from"] == text


def test_the_next_page_keeps_the_filters_as_they_were_typed() -> None:
    wanted = WantedEntries.of({"from": "2026-11-23", "data_source": "a & b", "cursor": "old"})
    assert wanted.address(cursor="next") == "/audit?data_source=a+%26+b&from=2026-11-23&cursor=next"
    assert wanted.address() == "/audit?data_source=a+%26+b&from=2026-11-23"
    assert ("cursor", "old") in wanted.query


@pytest.mark.parametrize(
    ("more", "did", "instant"),
    [
        ({}, "Changed", ENTRY["at"]),
        ({"operation": "of_a_later_version"}, "of_a_later_version", ENTRY["at"]),
        ({"at": "yesterday", "fields": "all"}, "Changed", None),
    ],
)
def test_an_entry_is_shown_whatever_a_line_of_the_log_has(more: dict[str, Any], did: str, instant: str | None) -> None:
    shown = ShownEntry.from_item(ENTRY | more)
    assert (shown.did, shown.instant, shown.fields, shown.of, shown.link) == (did, instant, (), None, None)


@pytest.mark.parametrize(
    ("more", "link"),
    [
        ({"operation": "delete", "outcome": "refused"}, f"/sources/{ID}"),
        ({"operation": "delete", "outcome": "done"}, None),
        ({"operation": "revoke_token", "id": "0123456789abcdef"}, None),
        ({"operation": "add_key", "id": "k1"}, None),
    ],
)
def test_only_what_is_a_data_source_and_still_there_is_linked(more: dict[str, Any], link: str | None) -> None:
    assert ShownEntry.from_item(ENTRY | {"id": ID} | more).link == link


def test_failed_logins_have_their_number_and_tokens_what_they_permit() -> None:
    logins, token = {"operation": "login", "count": 1200}, {"operation": "create_token", "role": "viewer"}
    assert [ShownEntry.from_item(ENTRY | more).note for more in (logins, token, {})] == ["1,200 times", "viewer", None]


def test_all_that_is_written_to_the_audit_log_has_words() -> None:
    written = re.compile(r'(?:audited=|doing\(|\boperation=|\boperation = )"([a-z_]+)"(?: if \w+ else "([a-z_]+)")?')
    sources = [path.read_text() for path in Path(wellhead.__file__).parent.rglob("*.py")]
    found = {name for text in sources for names in written.findall(text) for name in names if name}
    assert {"create", "migrate", "retire_key", "login"} < found
    assert found <= OPERATIONS.keys()
