"""The picture of health: geometry of results."""

from itertools import pairwise
from typing import Any, get_args

import pytest

from wellhead.model.result import ValidationStatus
from wellhead.ui.texts import HEALTH
from wellhead.ui.timeline import BASE, HEIGHT, MARKS, SLOTS, WIDTH, height_of, timeline_of


def result(status: str = "passed", duration: float = 12.3, second: int = 0) -> dict[str, Any]:
    return {"status": status, "duration_ms": duration, "started_at": f"2026-11-26T17:43:{second:02}.000Z"}


def test_without_results_there_is_no_picture() -> None:
    assert timeline_of([]) is None


def test_the_newest_result_is_at_the_right_and_the_oldest_is_read_first() -> None:
    drawn = timeline_of([result("failed", second=2), result("warning", second=1), result(second=0)])
    assert drawn is not None
    assert [bar.status for bar in drawn.bars] == ["passed", "warning", "failed"]
    assert all(left.x + left.width < right.x for left, right in pairwise(drawn.bars))
    assert drawn.bars[-1].title == "2026-11-26 17:43:02 UTC: Fails, in 12 ms"


def test_fifty_results_stay_inside_the_picture_and_older_ones_are_left_out() -> None:
    drawn = timeline_of([result(duration=10.0**place) for place in range(-3, 60)])
    assert drawn is not None
    assert len(drawn.bars) == SLOTS
    for bar in drawn.bars:
        assert 0 <= bar.x < bar.x + bar.width < WIDTH
        assert 12 <= bar.y < bar.y + bar.height <= HEIGHT  # with room for the mark above
        assert bar.y + bar.height == pytest.approx(BASE)


def test_a_bar_is_as_high_as_it_took_long_and_the_scale_is_the_same_for_all() -> None:
    heights = [height_of(duration) for duration in (-5, 0, 1, 10, 100, 1000, 10_000, 60_000)]
    assert heights == sorted(heights)
    assert heights[0] == heights[1] > 0
    assert height_of(10**9) == height_of(60_000)
    assert heights[4] - heights[3] == pytest.approx(heights[5] - heights[4], rel=0.1)  # each tenfold is a step


def test_each_status_has_a_shape_of_its_own_so_that_colour_is_not_needed() -> None:
    assert set(MARKS) == set(get_args(ValidationStatus))
    assert len(set(MARKS.values())) == len(MARKS)


def test_the_keys_name_what_occurs_and_how_often() -> None:
    drawn = timeline_of([result("failed"), result(), result()])
    assert drawn is not None
    assert [(key.status, key.text) for key in drawn.keys] == [
        ("passed", f"{HEALTH['passed']}: 2"),
        ("failed", f"{HEALTH['failed']}: 1"),
    ]


def test_the_summary_says_in_words_what_the_picture_shows() -> None:
    several, one = timeline_of([result("failed", 1400), result("warning"), result()]), timeline_of([result("timeout")])
    assert several is not None
    assert one is not None
    assert several.summary == "2 of the last 3 results were good; they took between 12 ms and 1.4 s."
    assert one.summary == "One result: Does not answer, in 12 ms."
