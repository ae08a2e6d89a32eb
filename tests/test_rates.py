"""Rates, and how somebody stands to one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellhead.access.rates import Rate, standing_after

RATES = st.builds(Rate, st.integers(1, 100_000), st.sampled_from([1, 60, 3600]))


@pytest.mark.parametrize(
    ("text", "rate"),
    [("600/minute", Rate(600, 60)), ("1/second", Rate(1, 1)), ("5/hour", Rate(5, 3600)), ("off", None)],
)
def test_a_rate_is_a_number_in_a_unit_of_time(text: str, rate: Rate | None) -> None:
    assert Rate.from_text(text) == rate


@pytest.mark.parametrize("text", ["", "0/minute", "-1/minute", "5", "5/day", "5 / minute", "OFF", "1e3/minute"])
def test_nothing_else_is_a_rate(text: str) -> None:
    with pytest.raises(ValueError, match="must be a rate"):
        Rate.from_text(text)


@given(RATES)
def test_as_many_as_the_rate_says_are_permitted_at_once_and_no_more(rate: Rate) -> None:
    full_at, permitted = 0.0, 0
    for _ in range(min(rate.count, 500)):
        standing, full_at = standing_after(rate, full_at, 1000.0)
        permitted += not standing.wait
        assert standing.remaining == rate.count - permitted
    if rate.count <= 500:
        refused, kept = standing_after(rate, full_at, 1000.0)
        assert refused.wait > 0
        assert refused.retry_after >= 1
        assert refused.remaining == 0
        assert kept == full_at, "a refusal costs nothing"
    assert permitted == min(rate.count, 500)


@given(RATES, st.integers(0, 1_000_000))
def test_R_06_who_waits_as_long_as_told_is_permitted(rate: Rate, at: int) -> None:
    full_at = float(at + rate.window)
    refused, full_at = standing_after(rate, full_at, float(at))
    assert refused.retry_after >= 1
    assert standing_after(rate, full_at, at + float(refused.retry_after))[0].wait == 0


@given(st.floats(0, 1e8))
def test_R_06_what_is_told_does_not_depend_on_the_instant(now: float) -> None:
    rate = Rate(2, 60)
    first, full_at = standing_after(rate, 0.0, now)
    second, full_at = standing_after(rate, full_at, now)
    third, _ = standing_after(rate, full_at, now)
    assert [(each.reset, each.retry_after) for each in (first, second, third)] == [(30, 0), (60, 0), (60, 30)]


@given(st.integers(1, 1000), st.integers(1, 64))
def test_R_03_the_shares_of_all_workers_make_no_more_than_the_rate(count: int, workers: int) -> None:
    share = Rate(count, 60).share(workers)
    assert (0 if share is None else share.count) * workers <= count
    assert (share is None) == (count < workers)
