"""One data source: its fields, its health, its revisions, and how to use it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from wellhead.model.parameters import title_of
from wellhead.ui import rendering
from wellhead.ui.asking import RefusedError
from wellhead.ui.forms import Form
from wellhead.ui.guarded import Page, page_of
from wellhead.ui.revisions import revisions_of
from wellhead.ui.shown_fields import fields_of, rows_of
from wellhead.ui.states import STANDINGS, UNREAD, Standing
from wellhead.ui.timeline import timeline_of
from wellhead.ui.usage import Place, Way, ways_to_use
from wellhead.ui.visits import Visit, is_encrypted

_CONFLICT = 409
_NOTHING = dict.fromkeys(("name", "type", "description", "created_at", "updated_at", "revision", "health"))


@dataclass(frozen=True, slots=True)
class Source:
    """A data source as the pages about it need it.

    Attributes:
        document: What the API says of it; where it cannot be read, nothing but its id and state.
        standing: What its state means, and allows.
    """

    document: Mapping[str, Any]
    standing: Standing

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.document["id"])

    @property
    def name(self) -> str:
        """Its name; its id where that cannot be read."""
        return str(self.document["name"] or self.document["id"])


def condition_of(form: Form) -> dict[str, str]:
    """Return the header by which the API changes a data source only if it has the revision still that a form shows.

    Where no revision can be told, any will do.
    """
    revision = form.get("revision")
    return {"if-match": f'"{revision}"' if revision.isascii() and revision.isdigit() else "*"}


def path_of(visit: Visit, *more: str) -> str:
    """Return the path of the data source of the address, below `/api/v1`."""
    return "/".join(("/datasources", visit.request.path_params["source_id"], *more))


async def read_source(visit: Visit) -> Source:
    """Read the data source of the address, whatever its state.

    Raises:
        RefusedError: There is none, or it may not be read.
    """
    answer = await page_of(visit.request).operations.ask(visit, "GET", path_of(visit))
    if answer.is_ok:
        found = answer.document
    elif answer.status == _CONFLICT and answer.document["code"] in UNREAD:
        state = UNREAD[answer.document["code"]]
        found = {**_NOTHING, "id": visit.request.path_params["source_id"], "labels": {}, "state": state}
    else:
        raise RefusedError(answer)
    return Source(found, STANDINGS[found["state"]])


async def show_source(visit: Visit) -> Response:
    """Show a data source."""
    page = page_of(visit.request)
    source, health, history, types = await asyncio.gather(
        read_source(visit), _items(visit, "health"), _items(visit, "history"), page.types.of(visit)
    )
    kind = types.ready.get(source.document["type"] or "", {})
    parameters: Sequence[Mapping[str, Any]] = kind.get("parameters", ())
    return rendering.page(
        "source.html",
        visit,
        source=source,
        item=source.document,
        types=types,
        fields=fields_of(source.document, parameters),
        results=health,
        timeline=timeline_of(health),
        details=_details(health),
        revisions=revisions_of(source.document, history),
        ways=_ways(page, visit, source, parameters),
        can_validate=source.standing.can_validate and "validate" in kind.get("capabilities", ()),
    )


async def read_history(visit: Visit) -> Sequence[Mapping[str, Any]]:
    """Read the former revisions of the data source of the address; none where they cannot be read."""
    return await _items(visit, "history")


async def _items(visit: Visit, what: str) -> Sequence[Mapping[str, Any]]:
    answer = await page_of(visit.request).operations.ask(visit, "GET", path_of(visit, what))
    return answer.document["items"] if answer.is_ok else ()


def _details(results: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return what the last validation found out, as rows."""
    found = results[0]["details"] if results else {}
    return [row for name, value in found.items() for row in rows_of(title_of(name), value)]


def _ways(page: Page, visit: Visit, source: Source, parameters: Sequence[Mapping[str, Any]]) -> list[Way]:
    """Tell how to use a data source; nothing where its state does not allow it."""
    if source.document["state"] != "ok":
        return []
    scheme = "https" if is_encrypted(visit.request) else visit.request.url.scheme
    workspace = page.settings.workspace.resolve() if page.settings.root is None else None
    return ways_to_use(
        source.document,
        Place(f"{scheme}://{visit.request.headers['host']}", workspace),
        secrets=[parameter["name"] for parameter in parameters if parameter["secret"]],
        may_validate=visit.may("validate"),
    )
