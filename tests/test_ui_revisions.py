"""Revisions as people read them."""

from typing import Any

from wellhead.ui.revisions import changed_since, revisions_of

SOURCE: dict[str, Any] = {
    "revision": 4,
    "created_at": "2026-01-01T00:00:00.000Z",
    "updated_at": "2026-01-04T00:00:00.000Z",
}


def ended(revision: int, *changed: str) -> dict[str, Any]:
    return {"revision": revision, "at": f"2026-01-0{revision + 1}T00:00:00.000Z", "by": "ann", "changed": list(changed)}


HISTORY = [ended(3, "host", "password"), ended(2, "labels"), ended(1, "host")]


def test_each_revision_says_when_and_by_whom_it_was_made_and_what_it_changed() -> None:
    made = revisions_of(SOURCE, HISTORY)
    assert [(one.number, one.at, one.by, one.changed) for one in made] == [
        (4, "2026-01-04T00:00:00.000Z", "ann", ("host", "password")),
        (3, "2026-01-03T00:00:00.000Z", "ann", ("labels",)),
        (2, "2026-01-02T00:00:00.000Z", "ann", ("host",)),
        (1, "2026-01-01T00:00:00.000Z", None, ()),
    ]
    assert [one.is_current for one in made] == [True, False, False, False]


def test_of_the_oldest_that_is_kept_it_is_not_known_how_it_was_made() -> None:
    oldest = revisions_of(SOURCE, HISTORY[:1])[-1]
    assert (oldest.number, oldest.at, oldest.by, oldest.is_first) == (3, None, None, False)


def test_where_nothing_can_be_read_there_is_no_revision() -> None:
    assert revisions_of({"revision": None}, []) == []


def test_going_back_concerns_all_that_was_changed_since() -> None:
    assert changed_since(HISTORY, 2) == ["host", "labels", "password"]
    assert changed_since(HISTORY, 3) == ["host", "password"]
