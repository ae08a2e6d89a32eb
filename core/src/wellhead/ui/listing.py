"""The list of data sources: searched, filtered, sorted and paged by the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from wellhead.ui import rendering
from wellhead.ui.asking import RefusedError
from wellhead.ui.forms import Form
from wellhead.ui.guarded import page_of
from wellhead.ui.summary import picture_for, room_for
from wellhead.ui.visits import Visit

_PAGE = 25
_SHORTEST_SEARCH = 3
FILTERS = ("q", "type", "health", "state", "label")
SORTS = {
    "name": "Name",
    "-updated_at": "Changed last",
    "-created_at": "Newest",
    "type": "Type",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the list somebody wants to see, as the page's address says.

    Attributes:
        filters: Values of the filters that are set, by their names.
        sort: A key of `SORTS`.
        cursor: Where the page begins; empty for the first.
    """

    filters: dict[str, str]
    sort: str
    cursor: str

    @classmethod
    def of(cls, visit: Visit) -> Wanted:
        """Read it from the address; what the API would not take, such as a search of two letters, counts as not set."""
        given = visit.request.query_params
        filters = {name: given[name].strip() for name in FILTERS if given.get(name, "").strip()}
        if len(filters.get("q", "")) < _SHORTEST_SEARCH:
            filters.pop("q", None)
        return cls(filters, given.get("sort", "name"), given.get("cursor", ""))

    @classmethod
    def from_form(cls, form: Form) -> Wanted:
        """Read it from a form of the list, which holds the filters that the list was shown with."""
        return cls({name: form.get(name) for name in FILTERS if form.get(name)}, form.get("sort", "name"), "")

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query for the API, of one page."""
        more = [("cursor", self.cursor)] if self.cursor else []
        return [*self.filters.items(), ("sort", self.sort), ("limit", str(_PAGE)), *more]

    def address(self, **changes: str) -> str:
        """Return the address of the list with some of it changed; an empty value takes a filter out."""
        values = {**self.filters, "sort": self.sort, **changes}
        values = {name: value for name, value in values.items() if value and (name, value) != ("sort", "name")}
        return f"/?{urlencode(values)}" if values else "/"


async def show_list(visit: Visit) -> Response:
    """Show one page of the list; a script that asks for the `results` gets those alone."""
    page, wanted = page_of(visit.request), Wanted.of(visit)
    types = await page.types.of(visit)
    answer = await page.operations.ask(visit, "GET", "/datasources", query=wanted.query)
    if not answer.is_ok and answer.status != 422:  # noqa: PLR2004  # Unprocessable: an old cursor, say
        raise RefusedError(answer)
    found = answer.document if answer.is_ok else {"items": [], "next": None, "total": 0}
    context: dict[str, Any] = {
        "wanted": wanted,
        "found": found,
        "problem": None if answer.is_ok else answer.document["detail"],
        "types": types,
        "sorts": SORTS,
        "typed": visit.request.query_params.get("q", ""),
    }
    if visit.request.headers.get("x-part") == "results":
        return rendering.page("_results.html", visit, **context)
    total = None if wanted.filters or wanted.cursor else found["total"]
    picture, is_fresh = await picture_for(visit, total)
    room = room_for(len(types.ready))
    return rendering.page("list.html", visit, **context, picture=picture, is_fresh=is_fresh, room=room)
