"""Instants."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wellhead import clock

OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
YEARS = {"min_value": datetime(2, 1, 1), "max_value": datetime(9998, 12, 31)}


@given(st.datetimes(**YEARS, timezones=OFFSETS))
@settings(max_examples=100, deadline=None)
def test_an_instant_comes_back_to_the_millisecond(instant: datetime) -> None:
    cut = instant.replace(microsecond=instant.microsecond // 1000 * 1000)
    assert clock.from_text(clock.to_text(instant)) == cut


def test_now_has_no_more_than_milliseconds_and_is_in_utc() -> None:
    now = clock.now()
    assert now.microsecond % 1000 == 0
    assert now.tzinfo is UTC
    assert clock.from_text(clock.to_text(now)) == now


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-23T08:15:00Z", "2026-11-23T08:15:00.000Z"),
        ("2026-11-23t08:15:00z", "2026-11-23T08:15:00.000Z"),
        ("2026-11-23T09:15:00.1239+01:00", "2026-11-23T08:15:00.123Z"),
        ("2026-11-22 20:15:00-12:00", "2026-11-23T08:15:00.000Z"),
    ],
)
def test_instants_are_read_with_any_offset_and_written_in_utc(text: str, written: str) -> None:
    assert clock.to_text(clock.from_text(text)) == written


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-11-23", "2026-11-23T08:15:00", "20261123T081500Z", "2026-W48-1T08:15:00Z", "2026-13-01T00:00:00Z",
     "2026-11-23T25:00:00Z", "2026-11-23T08:15:00 Z", "٢٠٢٦-11-23T08:15:00Z", "2026-11-23T08:15:00+1:00", "0" * 5000],
)  # fmt: skip
def test_what_is_no_rfc_3339_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        clock.from_text(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_an_instant_outside_the_calendar_in_utc_is_a_value_error_and_no_overflow(text: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        clock.from_text(text)
