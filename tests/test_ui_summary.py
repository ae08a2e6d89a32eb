"""The picture of health: what the API counted, as bars whose every part can be seen and leads to what it counts."""

from typing import Any

import pytest

from wellhead.ui.summary import picture_of, room_for, widths


def counted(*rows: tuple[str | None, str, str, int]) -> dict[str, Any]:
    items = [dict(zip(("type", "state", "health", "count"), row, strict=True)) for row in rows]
    return {"total": sum(row[3] for row in rows), "items": items}


def test_a_bar_says_what_became_of_the_data_sources_of_a_type() -> None:
    [bar] = picture_of(
        counted(
            ("csv", "ok", "none", 1),
            ("csv", "ok", "passed", 6),
            ("csv", "corrupt", "none", 2),
            ("csv", "ok", "error", 1),
        )
    ).bars
    assert (bar.type, bar.total, bar.address) == ("csv", 10, "/?type=csv")
    assert [(part.status, part.tone, part.count, part.start, part.width) for part in bar.segments] == [
        ("passed", "good", 6, 0, 60),
        ("none", "idle", 1, 60, 10),
        ("error", "bad", 1, 70, 10),
        ("corrupt", "bad", 2, 80, 20),
    ]


def test_a_part_leads_to_the_data_sources_that_it_counts() -> None:
    [bar] = picture_of(counted(("csv", "ok", "failed", 1), ("csv", "invalid", "failed", 1))).bars
    assert [part.address for part in bar.segments] == ["/?type=csv&health=failed&state=ok", "/?type=csv&state=invalid"]


def test_health_does_not_count_where_the_state_is_another_than_ok() -> None:
    [bar] = picture_of(counted(("csv", "invalid", "failed", 1), ("csv", "invalid", "none", 2))).bars
    assert [(part.title, part.count) for part in bar.segments] == [("Does not fit its type", 3)]


def test_of_several_types_the_first_bar_is_of_all_and_the_largest_comes_next() -> None:
    picture = picture_of(counted(("api", "ok", "passed", 1), ("csv", "ok", "passed", 2), (None, "corrupt", "none", 1)))
    assert [(bar.type, bar.total) for bar in picture.bars] == [(None, 4), ("csv", 2), ("", 1), ("api", 1)]
    assert [(part.status, part.address) for part in picture.bars[0].segments] == [
        ("passed", "/?health=passed&state=ok"),
        ("corrupt", "/?state=corrupt"),
    ]


@pytest.mark.parametrize(("types", "shown", "more"), [(0, 0, 0), (1, 1, 0), (6, 7, 0), (7, 6, 2), (50, 6, 45)])
def test_of_many_types_the_largest_are_seen_at_once(types: int, shown: int, more: int) -> None:
    picture = picture_of(counted(*((f"t{number}", "ok", "passed", 1) for number in range(types))))
    assert (len(picture.shown), len(picture.more)) == (shown, more)


def test_one_that_fails_among_very_many_is_wide_enough_to_be_seen() -> None:
    narrow, wide = widths([1, 99_999])
    assert narrow > 1
    assert narrow + wide == pytest.approx(100)


def test_a_status_that_is_not_known_is_the_last_segment_by_its_name() -> None:
    items = [{"type": "csv", "state": "ok", "health": health, "count": 1} for health in ("grown", "passed")]
    (bar,) = picture_of({"items": items}).bars
    assert [segment.title for segment in bar.segments] == ["Works", "grown"]


@pytest.mark.parametrize(
    ("types", "rows", "has_more"), [(0, 1, False), (1, 1, False), (5, 6, False), (6, 7, False), (7, 6, True)]
)
def test_a_picture_that_comes_later_has_the_room_of_one_of_all_types(types: int, rows: int, has_more: bool) -> None:
    assert (room_for(types).rows, room_for(types).has_more) == (rows, has_more)
    if types:
        picture = picture_of(counted(*[(f"t{number}", "ok", "passed", 1) for number in range(types)]))
        assert (len(picture.shown), bool(picture.more)) == (rows, has_more)
