"""The results of validating a data source as a picture: a bar for each, as high as it took long. Pure geometry."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wellhead.ui.texts import HEALTH, exact, milliseconds

SLOTS = 50
WIDTH, HEIGHT = 700, 128
BASE = 118
"""Where bars begin: the lower edge, from above."""

_SLOT, _BAR = 13, 8
_TALLEST, _SHORTEST = 96, 3
_CAP = 60_000
"""The longest that a validation may take, in milliseconds: so high is the scale, that of all data sources."""

_LINES = ((10, "10 ms"), (100, "100 ms"), (1000, "1 s"), (10_000, "10 s"))

MARKS: Mapping[str, str] = {
    "passed": "M-3,0a3,3 0 1,0 6,0a3,3 0 1,0 -6,0Z",
    "warning": "M0,-4.5L5,4L-5,4Z",
    "failed": "M-4.5,-3L-3,-4.5L0,-1.5L3,-4.5L4.5,-3L1.5,0L4.5,3L3,4.5L0,1.5L-3,4.5L-4.5,3L-1.5,0Z",
    "timeout": "M-4.5,-4.5L4.5,-4.5L0,0L4.5,4.5L-4.5,4.5L0,0Z",
    "error": "M-4,-4h8v8h-8Z",
    "not_supported": "M-4.5,-1.5h9v3h-9Z",
}
"""A shape for each status, so that none needs to tell colours apart; each lies around 0, 0."""

_GOOD = frozenset(("passed", "warning"))


@dataclass(frozen=True, slots=True)
class Bar:
    """One result.

    Attributes:
        status: Its status, which is a class of the style sheet too.
        x: The left edge.
        y: The upper edge, from above.
        width: How wide it is.
        height: How high it is.
        mark: The path of the shape above it.
        middle: Where the middle of that is, from the left.
        title: What it says to who points at it.
    """

    status: str
    x: float
    y: float
    width: float
    height: float
    mark: str
    middle: float
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line across that stands for a duration.

    Attributes:
        y: Where it is, from above.
        text: The duration.
    """

    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Key:
    """What a shape and colour stand for.

    Attributes:
        status: The status.
        mark: The path of its shape.
        text: What it means, and how many there are.
    """

    status: str
    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture.

    Attributes:
        bars: The results, oldest first; the newest is at the right.
        lines: The scale.
        keys: What the shapes stand for, of those that occur.
        summary: What it shows, in a sentence.
    """

    bars: Sequence[Bar]
    lines: Sequence[Line]
    keys: Sequence[Key]
    summary: str


def timeline_of(results: Sequence[Mapping[str, Any]]) -> Timeline | None:
    """Draw results.

    Args:
        results: The results as the API answers them, newest first; what is older than the last 50 is left out.

    Returns:
        The picture; None if there is no result.
    """
    shown = results[:SLOTS]
    if not shown:
        return None
    bars = [_bar(result, place) for place, result in enumerate(shown)]
    counts = Counter(str(result["status"]) for result in shown)
    keys = [Key(name, MARKS[name], f"{HEALTH[name]}: {counts[name]}") for name in MARKS if counts[name]]
    lines = [Line(_rounded(BASE - height_of(duration)), text) for duration, text in _LINES]
    return Timeline(tuple(reversed(bars)), lines, keys, _summary(shown, counts))


def height_of(duration: float) -> float:
    """Return how high a bar is for a duration in milliseconds. The scale is logarithmic, and ends at a minute."""
    share = math.log1p(min(max(duration, 0), _CAP)) / math.log1p(_CAP)
    return _SHORTEST + (_TALLEST - _SHORTEST) * share


def _bar(result: Mapping[str, Any], place: int) -> Bar:
    """Draw one result.

    Args:
        result: The result.
        place: How many newer ones there are.
    """
    status, duration = str(result["status"]), float(result["duration_ms"])
    left = SLOTS * _SLOT - (place + 1) * _SLOT + (_SLOT - _BAR) / 2
    height = _rounded(height_of(duration))
    title = f"{exact(result['started_at'])}: {HEALTH.get(status, status)}, in {milliseconds(duration)}"
    mark = MARKS.get(status, MARKS["error"])
    return Bar(status, left, _rounded(BASE - height), _BAR, height, mark, left + _BAR / 2, title)


def _summary(shown: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> str:
    good, total = sum(counts[name] for name in _GOOD), len(shown)
    times = sorted(float(result["duration_ms"]) for result in shown)
    if total == 1:
        return f"One result: {HEALTH.get(shown[0]['status'], shown[0]['status'])}, in {milliseconds(times[0])}."
    durations = f"between {milliseconds(times[0])} and {milliseconds(times[-1])}"
    return f"{good} of the last {total} results were good; they took {durations}."


def _rounded(number: float) -> float:
    return round(number, 1)
