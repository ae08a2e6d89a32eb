"""The page of the audit log: days and pages in its address, and entries in words."""

from typing import Any

import pytest

from wellhead.ui.audit import ShownEntry, WantedEntries

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
    shown = ShownEntry.of(ENTRY | more)
    assert (shown.did, shown.instant, shown.fields, shown.source) == (did, instant, (), None)


@pytest.mark.parametrize(("outcome", "is_gone"), [("done", True), ("refused", False)])
def test_what_was_deleted_is_gone(outcome: str, is_gone: bool) -> None:
    assert ShownEntry.of(ENTRY | {"operation": "delete", "outcome": outcome}).is_gone is is_gone
