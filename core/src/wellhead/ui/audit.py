"""The audit log: who did what to which data source, newest first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from wellhead import clock
from wellhead.catalog.reader import is_source_id
from wellhead.ui import rendering
from wellhead.ui.asking import Answer, RefusedError
from wellhead.ui.guarded import page_of
from wellhead.ui.visits import Visit

OPERATIONS = {
    "create": "Added",
    "update": "Changed",
    "delete": "Deleted",
    "rollback": "Rolled back",
    "validate": "Validated",
    "resolve": "Used the secrets",
    "run": "Ran a command with the secrets",
    "migrate": "Migrated",
    "purge_history": "Purged the history",
    "reload_plugins": "Looked for new plugins",
    "create_token": "Issued a token",
    "revoke_token": "Revoked a token",
    "add_key": "Added a key",
    "rotate_keys": "Rotated the keys",
    "retire_key": "Retired a key",
    "delete_key": "Deleted a key",
    "login": "Sent tokens that are nobody's",
}
OUTCOMES = {"done": "Done", "refused": "Refused", "failed": "Failed", "begun": "Begun"}
FILTERS = ("user", "operation", "data_source", "from", "to")
_LIMIT = 50
_UNPROCESSABLE = 422
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DAY_PARTS = {"from": "T00:00:00Z", "to": "T23:59:59.999999Z"}


@dataclass(frozen=True, slots=True)
class WantedEntries:
    """Which entries somebody wants to see, as the page's address says.

    Attributes:
        filters: What was typed into the form, by the names of the API's filters; what is empty is left out.
        cursor: Where the page begins; empty for the first.
    """

    filters: dict[str, str]
    cursor: str

    @classmethod
    def of(cls, given: Mapping[str, str]) -> WantedEntries:
        """Read it from the query of the address."""
        filters = {name: given[name].strip() for name in FILTERS if given.get(name, "").strip()}
        return cls(filters, given.get("cursor", ""))

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query for the API; a day stands for its first instant, or for its last one (UTC)."""
        more = [("cursor", self.cursor)] if self.cursor else []
        return [*((name, _instant(name, value)) for name, value in self.filters.items()), ("limit", str(_LIMIT)), *more]

    def address(self, **changes: str) -> str:
        """Return the address of the page with some of it changed; without a cursor, that of the first page."""
        values = {name: value for name, value in {**self.filters, **changes}.items() if value}
        return f"/audit?{urlencode(values)}" if values else "/audit"


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """One entry, whatever is missing in a line that somebody has edited.

    Attributes:
        at: When, as it is written.
        instant: When, if that is an instant.
        user: Who.
        address: From where.
        did: What, in words.
        note: How many failed logins there were, or what an issued token permits.
        of: What it was done to: the name that it had then, or its id.
        link: The page of the data source; None where it is about none, or about one that was deleted by this.
        revision: Its revision afterwards.
        fields: The names of the fields that changed.
        outcome: How it went.
        code: The code of the problem.
    """

    at: str
    instant: str | None
    user: str
    address: str | None
    did: str
    note: str | None
    of: str | None
    link: str | None
    revision: int | None
    fields: tuple[str, ...]
    outcome: str
    code: str | None

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> ShownEntry:
        """Take an entry as the API answers it."""
        fields = item.get("fields")
        return cls(
            at=item["at"],
            instant=item["at"] if _is_instant(item["at"]) else None,
            user=item["user"],
            address=item.get("address"),
            did=OPERATIONS.get(item["operation"], item["operation"]),
            note=_note(item),
            of=item.get("name") or item.get("id"),
            link=_link(item),
            revision=item.get("revision"),
            fields=tuple(map(str, fields)) if isinstance(fields, list) else (),
            outcome=item["outcome"],
            code=item.get("code"),
        )


async def show_audit(visit: Visit) -> Response:
    """Show a page of the audit log; what the form holds is kept where the API does not take it."""
    wanted = WantedEntries.of(visit.request.query_params)
    answer = await page_of(visit.request).operations.ask(visit, "GET", "/audit", query=wanted.query)
    if not answer.is_ok and answer.status != _UNPROCESSABLE:
        raise RefusedError(answer)
    found = answer.document if answer.is_ok else {"items": [], "next": None}
    return rendering.page(
        "audit.html",
        visit,
        wanted=wanted,
        entries=[ShownEntry.from_item(item) for item in found["items"]],
        following=found["next"],
        errors={} if answer.is_ok else errors_in(answer),
        operations=OPERATIONS,
        outcomes=OUTCOMES,
    )


def errors_in(answer: Answer) -> dict[str, str]:
    """Return what is wrong with a query, by the names of its parameters."""
    return {error.get("parameter", ""): error["message"] for error in answer.document.get("errors", ())}


def _note(item: Mapping[str, Any]) -> str | None:
    if isinstance(count := item.get("count"), int):
        return f"{count:,} times"
    return item.get("role")


def _link(item: Mapping[str, Any]) -> str | None:
    """Return the page of the data source that an entry is about; ids of tokens and keys have another form."""
    source_id = item.get("id")
    is_gone = (item["operation"], item["outcome"]) == ("delete", "done")
    return f"/sources/{source_id}" if isinstance(source_id, str) and is_source_id(source_id) and not is_gone else None


def _instant(name: str, text: str) -> str:
    return text + _DAY_PARTS[name] if name in _DAY_PARTS and _DAY.fullmatch(text) else text


def _is_instant(text: str) -> bool:
    try:
        clock.from_text(text)
    except ValueError:
        return False
    return True
