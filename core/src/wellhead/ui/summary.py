"""A small picture of health: how many data sources of each type work, fail, or were not validated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from wellhead.ui import rendering
from wellhead.ui.asking import RefusedError
from wellhead.ui.guarded import page_of
from wellhead.ui.texts import HEALTH, STATES
from wellhead.ui.visits import Visit

INLINE_UP_TO = 2000
"""Of so many data sources the picture is in the page from the first; of more, a script asks for it afterwards."""

_TONES = {
    "passed": "good",
    "warning": "warn",
    "not_supported": "idle",
    "none": "idle",
    "type_unavailable": "warn",
    "newer_format": "warn",
}
_ORDER = ("passed", "warning", "not_supported", "none", "timeout", "failed", "error", *STATES)
_NARROWEST = 1.5
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar.

    Attributes:
        status: The health, or the state where that is not `ok`.
        title: It in words.
        tone: How it is drawn: `good`, `warn`, `bad` or `idle`.
        count: How many there are.
        start: Where it begins, in percent of the bar.
        width: How wide it is, in percent of the bar.
        address: The list of those that it counts.
    """

    status: str
    title: str
    tone: str
    count: int
    start: float
    width: float
    address: str


@dataclass(frozen=True, slots=True)
class Bar:
    """The data sources of one type, or of all.

    Attributes:
        type: The name of the type; None for all, and empty where it cannot be read.
        total: How many there are.
        segments: By what became of them.
    """

    type: str | None
    total: int
    segments: Sequence[Segment]

    @property
    def address(self) -> str:
        """The list of them."""
        return _address({"type": self.type or ""})


@dataclass(frozen=True, slots=True)
class Picture:
    """All bars: that of all types, if there are several, and one for each type, the largest first."""

    bars: Sequence[Bar]

    @property
    def shown(self) -> Sequence[Bar]:
        """The bars that are seen at once."""
        return self.bars[: self._first]

    @property
    def more(self) -> Sequence[Bar]:
        """The bars that are seen when somebody wants to."""
        return self.bars[self._first :]

    @property
    def _first(self) -> int:
        """How many are seen at once: no room is saved by hiding one."""
        return _at_once(len(self.bars))


@dataclass(frozen=True, slots=True)
class Room:
    """The room for a picture that comes later: as much as one of all types that are installed takes.

    Attributes:
        rows: How many bars are seen at once.
        has_more: Whether there are more that are hidden.
    """

    rows: int
    has_more: bool


def room_for(types: int) -> Room:
    """Return the room for a picture of some types."""
    bars = types + 1 if types > 1 else 1
    return Room(_at_once(bars), _at_once(bars) < bars)


def _at_once(bars: int) -> int:
    return bars if bars <= _SHOWN + 1 else _SHOWN


def picture_of(document: Mapping[str, Any]) -> Picture:
    """Make the picture of what the API counted."""
    counts: dict[str, Counter[str]] = {}
    for item in document["items"]:
        status = item["health"] if item["state"] == "ok" else item["state"]
        counts.setdefault(item["type"] or "", Counter())[status] += item["count"]
    largest_first = sorted(counts.items(), key=lambda item: (-item[1].total(), item[0]))
    bars = [_bar(type_name, found) for type_name, found in largest_first]
    together: Counter[str] = sum(counts.values(), Counter())
    return Picture([_bar(None, together), *bars] if len(bars) > 1 else bars)


async def show_summary(visit: Visit) -> Response:
    """Show the picture; a script that asks for the `summary` gets that alone."""
    page = page_of(visit.request)
    is_part = visit.request.headers.get("x-part") == "summary"
    picture = picture_of(await page.summaries.now(visit))
    template = "_summary.html" if is_part else "summary.html"
    return rendering.page(template, visit, picture=picture, types=await page.types.of(visit))


async def picture_for(visit: Visit, total: int | None) -> tuple[Picture | None, bool]:
    """Return the picture for a list, and whether it is that of now; else it is as it was last, if it was made before.

    Args:
        visit: Who sees it.
        total: How many data sources there are; None where that is not known.
    """
    summaries = page_of(visit.request).summaries
    if total is not None and total <= INLINE_UP_TO:
        with suppress(RefusedError):
            return picture_of(await summaries.now(visit)), True
    last = summaries.last(visit)
    return None if last is None else picture_of(last), False


def _bar(type_name: str | None, counts: Counter[str]) -> Bar:
    found = [(status, counts[status]) for status in sorted(counts, key=_place)]
    total, start, segments = counts.total(), 0.0, []
    for (status, count), width in zip(found, widths([count for _, count in found]), strict=True):
        title = HEALTH.get(status) or STATES.get(status, status)
        address = _address({"type": type_name or "", **_filters(status)})
        tone = _TONES.get(status, "bad")
        segments.append(Segment(status, title, tone, count, round(start, 2), round(width, 2), address))
        start += width
    return Bar(type_name, total, segments)


def _place(status: str) -> int:
    """Return where a status stands among the others; one that is not known stands last."""
    return _ORDER.index(status) if status in _ORDER else len(_ORDER)


def widths(counts: Iterable[int]) -> list[float]:
    """Share a hundred percent out by some counts, so that none is too narrow to be seen."""
    counts = list(counts)
    total = sum(counts)
    wanted = [max(100 * count / total, _NARROWEST) for count in counts]
    return [100 * width / sum(wanted) for width in wanted]


def _filters(status: str) -> dict[str, str]:
    return {"health": status, "state": "ok"} if status in HEALTH else {"state": status}


def _address(filters: Mapping[str, str]) -> str:
    query = urlencode({name: value for name, value in filters.items() if value})
    return f"/?{query}" if query else "/"
