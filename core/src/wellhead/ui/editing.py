"""Editing a data source: its form with what is stored, validating the changes, saving them, and conflicts."""

from __future__ import annotations

from dataclasses import replace

from starlette.responses import Response

from wellhead import strict_json
from wellhead.codes import CODES
from wellhead.errors import MalformedJSONError
from wellhead.ui.adding import not_permitted, verifying
from wellhead.ui.conflict import Conflict, is_typed_in, typed_in
from wellhead.ui.entry import Entry, stored_entry
from wellhead.ui.forms import Form, FormError
from wellhead.ui.guarded import page_of, problem
from wellhead.ui.reading import Document
from wellhead.ui.texts import STATES
from wellhead.ui.visits import Visit

_MENDABLE = frozenset(("ok", "invalid", "secret_unavailable"))
_CHANGED = 412
_CARRIED = {"type": str, "revision": int, "state": str}
_INCOMPLETE = "The form is not complete. Reload the page and send it again."


async def show_edit(visit: Visit) -> Response:
    """Show the form with what is stored."""
    if not visit.may("write"):
        return not_permitted(visit)
    base = await _stored(visit)
    if base["state"] not in _MENDABLE:
        return _left_alone(visit, base)
    return (await stored_entry(visit, base)).page()


async def save(visit: Visit, form: Form) -> Response:
    """Save what was typed, if nobody saved in between; where the form asks for that, only if it validates."""
    entry = await _entry(visit, form)
    if entry.problems:
        return entry.unread()
    return await _saved(entry, form)


async def validate_edit(visit: Visit, form: Form) -> Response:
    """Validate what is stored with what was typed, without saving it."""
    entry = await _entry(visit, form)
    if entry.problems:
        return entry.unread()
    return await entry.validated(f"/datasources/{entry.base['id']}/validate", {"changes": entry.changes})


async def settle(visit: Visit, form: Form) -> Response:
    """Take of two changes what was chosen, and save that; where a secret has to be typed anew, show the form first."""
    base, theirs = (_of_path(visit, _object(form, name)) for name in ("base", "theirs"))
    mine = _object(form, "mine")
    if not all(map(is_typed_in, mine.values())):
        raise FormError(_INCOMPLETE)
    entry = await stored_entry(visit, theirs)
    conflict = Conflict.of(entry.fields, base, theirs, mine)
    values = {**entry.values, **conflict.taken(form)}
    entry = replace(entry, values={key: value for key, value in values.items() if value is not None})
    if conflict.needs_secrets(form):
        note = f"Your changes, on revision {theirs['revision']}. Type the secrets of them again, then save."
        return entry.page(note=note)
    return await _saved(entry, form)


async def _saved(entry: Entry, form: Form) -> Response:
    path, operations = f"/datasources/{entry.base['id']}", page_of(entry.visit.request).operations
    answer = await operations.ask(entry.visit, "PUT", path, query=verifying(form), document=entry.document)
    if answer.status == _CHANGED:
        return await _conflict(entry)
    return entry.done(f"/sources/{entry.base['id']}") if answer.is_ok else entry.refused(answer)


async def _conflict(entry: Entry) -> Response:
    """Show what the others changed beside what was typed."""
    theirs = await _stored(entry.visit)
    if theirs["state"] not in _MENDABLE:
        return _left_alone(entry.visit, theirs)
    return Conflict.of(entry.fields, entry.base, theirs, typed_in(entry)).page(entry)


async def _entry(visit: Visit, form: Form) -> Entry:
    """Return the form as it was posted, with what it began with."""
    return (await stored_entry(visit, _of_path(visit, _object(form, "base")))).with_form(form)


async def _stored(visit: Visit) -> Document:
    return await page_of(visit.request).operations.read(visit, f"/datasources/{visit.request.path_params['source_id']}")


def _left_alone(visit: Visit, base: Document) -> Response:
    """Say why a data source cannot be edited."""
    state = base["state"]
    title = f"{base['name']} cannot be edited: {STATES.get(state, state)}"
    return problem(visit, 409, title, CODES[state].remedy if state in CODES else title, state)


def _object(form: Form, name: str) -> Document:
    """Read a JSON object that a form carries.

    Raises:
        FormError: It carries none.
    """
    try:
        return strict_json.parse_object(form.get(name).encode("utf-8", "surrogatepass"))
    except MalformedJSONError:
        raise FormError(_INCOMPLETE) from None


def _of_path(visit: Visit, base: Document) -> Document:
    """Hold what a form carries to the data source of its address.

    Raises:
        FormError: It is about another one.
    """
    is_whole = "name" in base and all(isinstance(base.get(name), kind) for name, kind in _CARRIED.items())
    if base.get("id") != visit.request.path_params["source_id"] or not is_whole:
        raise FormError("The form is about another data source. Reload the page and send it again.")
    return base
