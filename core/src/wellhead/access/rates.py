"""Rates: how many actions in how long, what each of several workers may permit of them, and how somebody stands to one.

A rate is enforced as a token bucket (GCRA): of each key one number is kept, the instant at which its bucket will be
full again. An action takes `interval` seconds from the bucket, which holds `window` seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from wellhead.setting_rules import RATE

_SECONDS = {"second": 1, "minute": 60, "hour": 3600}

_SLACK = 1e-3
"""The part of an action that sums of floats may be off by."""

_DIGITS = 6
"""Digits of seconds that sums of floats are good for."""

OFF = "off"
"""What a setting says where there is no limit."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How many actions in how long.

    Attributes:
        count: The actions that are permitted, all at once too.
        window: Seconds in which that many are permitted.
    """

    count: int
    window: int

    @classmethod
    def from_text(cls, text: str) -> Rate | None:
        """Read a rate such as `600/minute`; None for `off`.

        Raises:
            ValueError: It is neither.
        """
        if text == OFF:
            return None
        if not RATE.fullmatch(text):
            raise ValueError("must be a rate")
        count, _, unit = text.partition("/")
        return cls(int(count), _SECONDS[unit])

    @property
    def interval(self) -> float:
        """Seconds after which one more action is permitted."""
        return self.window / self.count

    def share(self, workers: int) -> Rate | None:
        """Return what each of several workers may permit, so that all together keep to the rate; None if nothing."""
        count = self.count // workers
        return Rate(count, self.window) if count else None


class Standing(NamedTuple):
    """How somebody stands to a rate, after an action or its refusal.

    Attributes:
        rate: The rate.
        full_in: Seconds until the bucket is full again.
        wait: Seconds to wait before the action is permitted; 0 if it was.
    """

    rate: Rate
    full_in: float
    wait: float

    @property
    def remaining(self) -> int:
        """How many actions are permitted now."""
        return max(0, math.floor((self.rate.window - self.full_in) / self.rate.interval + _SLACK))

    @property
    def reset(self) -> int:
        """Whole seconds until as many are permitted as can be."""
        return _whole(self.full_in)

    @property
    def retry_after(self) -> int:
        """Whole seconds to wait, 1 or more; 0 if the action was permitted."""
        return max(1, _whole(self.wait)) if self.wait > 0 else 0


def standing_after(rate: Rate, full_at: float, now: float) -> tuple[Standing, float]:
    """Take one action from a bucket, if that is permitted.

    Args:
        rate: The rate.
        full_at: The instant at which the bucket is full again, in seconds.
        now: This instant.

    Returns:
        How somebody stands, and the instant to keep.
    """
    start = max(full_at, now)
    taken = start + rate.interval
    wait = taken - now - rate.window
    if wait > rate.interval * _SLACK:
        return Standing(rate, start - now, wait), full_at
    return Standing(rate, taken - now, 0.0), taken


def _whole(seconds: float) -> int:
    """Return seconds in whole ones, which are enough to wait."""
    return math.ceil(round(seconds, _DIGITS))
