"""The form of one data source: shown empty, filled in, or once more with what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from wellhead.ui import rendering
from wellhead.ui.asking import Answer, RefusedError, begun
from wellhead.ui.documents import READ_ONLY, created, difference, secrets_typed, shown_again, written
from wellhead.ui.fields import CONNECTION_STRING, Field, defaults_of, groups_of
from wellhead.ui.forms import Form
from wellhead.ui.guarded import page_of, see
from wellhead.ui.mistakes import NONE, Mistakes, Problem, mistakes_in, placed
from wellhead.ui.reading import Choice, Document, How, read
from wellhead.ui.type_fields import fields_of
from wellhead.ui.validating import check_lines
from wellhead.ui.visits import Visit

_NDJSON = "application/x-ndjson"
_UNPROCESSABLE = 422
_NO_FORM = frozenset((401, 403, 404))
_OBJECTS = frozenset(("map", "secrets", "group", "variant"))


@dataclass(frozen=True, slots=True)
class Entry:
    """The form of a data source, and what is in it.

    Attributes:
        visit: Who fills it in.
        type: The type, as `GET /datasources/types/{type}` answers.
        fields: Its fields.
        values: What is in them, by key.
        base: The data source that the form began with; empty for a new one.
        problems: What of it could not be read.
    """

    visit: Visit
    type: Mapping[str, Any]
    fields: tuple[Field, ...]
    values: Document
    base: Document
    problems: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_new(self) -> bool:
        """Whether it is about a data source that is not stored yet."""
        return not self.base

    @property
    def action(self) -> str:
        """Where the form is posted to."""
        return f"/add/{self.type['name']}" if self.is_new else f"/sources/{self.base['id']}/edit"

    @property
    def document(self) -> Document:
        """What the API gets."""
        if self.is_new:
            return created(self.fields, self.values, self.type["name"])
        echoed = {name: self.base[name] for name in ("id", "type", "revision")}
        return {**echoed, **written(self.fields, self.values, self._kept)}

    @property
    def changes(self) -> Document:
        """The merge patch of what was changed, for what is stored."""
        before = {key: value for key, value in self.base.items() if key not in READ_ONLY}
        after = {key: value for key, value in self.document.items() if key not in READ_ONLY}
        return {**difference(before, after), "revision": self.base["revision"]}

    @property
    def strays(self) -> list[str]:
        """The stored fields that the type does not have, where that is what is wrong with the data source."""
        known = self.type["schema"]["properties"]
        return [key for key in self.base if key not in known] if self.base.get("state") == "invalid" else []

    @property
    def base_text(self) -> str:
        """What the form began with, for the form to carry."""
        return json.dumps(self.base, ensure_ascii=False)

    def with_form(self, form: Form) -> Entry:
        """Return it with what was posted."""
        reading = read(self.fields, form, self.base)
        return replace(self, values=reading.values, problems=reading.problems)

    def page(self, mistakes: Mistakes = NONE, *, status: int = 200, note: str | None = None) -> Response:
        """Show it; of secrets that were typed, nothing."""
        values = shown_again(self.fields, self.values)
        return rendering.page(
            "edit.html",
            self.visit,
            status=status,
            entry=self,
            groups=groups_of(self.fields, self.type["title"]),
            values=values,
            mistakes=mistakes,
            note=note,
            has_lost_secrets=secrets_typed(self.fields, self.values),
        )

    def done(self, path: str) -> Response:
        """Lead on to another page; a script is told where that is."""
        return JSONResponse({"see": path}) if self._is_script else see(path)

    def refused(self, answer: Answer) -> Response:
        """Show what the API says is wrong.

        Raises:
            RefusedError: It is nothing that can be mended in the form.
        """
        if answer.status in _NO_FORM:
            raise RefusedError(answer)
        return self._wrong(mistakes_in(self.fields, self.values, answer), answer.status)

    def unread(self) -> Response:
        """Show what of the form could not be read."""
        return self._wrong(placed(self.fields, self.values, self.problems), _UNPROCESSABLE)

    async def validated(self, path: str, document: Document) -> Response:
        """Validate what was typed, without saving it. A script gets a line of JSON for each check."""
        lines = page_of(self.visit.request).operations.lines(self.visit, path, document=document)
        try:
            found = await begun(lines)
        except RefusedError as error:
            return self.refused(error.answer)
        if self._is_script:
            return StreamingResponse(check_lines(found), media_type=_NDJSON)
        *_, last = [line async for line in found]
        return self.page(Mistakes(result=last["result"]))

    @property
    def _is_script(self) -> bool:
        return "x-part" in self.visit.request.headers

    @property
    def _kept(self) -> Document:
        return {key: value for key, value in self.base.items() if key not in self.strays}

    def _wrong(self, mistakes: Mistakes, status: int) -> Response:
        """Show mistakes; a script puts them where they belong, so that nothing is typed twice."""
        if not self._is_script:
            return self.page(mistakes, status=status)
        parts = {
            "summary": rendering.text_of("_mistakes.html", mistakes=mistakes),
            "fields": {field.id: _errors(mistakes.at[field.name]) for field in mistakes.fields},
            "again": [found.id for found in mistakes.fields if mistakes.needs_secret(found)],
        }
        return JSONResponse(parts, status)


def _errors(found: Sequence[Problem]) -> str:
    return rendering.text_of("_errors.html", found=found)


async def new_entry(visit: Visit, type_name: str) -> Entry:
    """Return the form of a new data source, with the defaults.

    Raises:
        RefusedError: There is no such type.
    """
    detail = await _type(visit, type_name)
    fields = fields_of(detail)
    return Entry(visit, detail, fields, defaults_of(fields), {})


async def stored_entry(visit: Visit, base: Document) -> Entry:
    """Return the form of a stored data source.

    Raises:
        RefusedError: Its type cannot be read.
    """
    detail = await _type(visit, base["type"])
    fields = tuple(found for found in fields_of(detail) if found.key != CONNECTION_STRING)
    how: How = "value" if base["state"] == "secret_unavailable" else "keep"
    return Entry(visit, detail, fields, stored_values(fields, base, how=how), base)


def stored_values(fields: tuple[Field, ...], base: Mapping[str, Any], *, how: How = "keep") -> Document:
    """Return what a form shows of a data source.

    Args:
        fields: The fields of the form.
        base: The data source.
        how: What is to become of its secrets, of which the form knows only that they are set.
    """
    found = {field.key: _stored_value(field, base.get(field.key, field.default), how) for field in fields}
    return {key: value for key, value in found.items() if value is not None}


def _stored_value(field: Field, value: Any, how: How) -> Any:
    """Return what a form shows of one field; None for what does not fit it, and is typed anew."""
    if value is None or (field.kind in _OBJECTS and not isinstance(value, Mapping)):
        return None
    if field.kind in {"secret", "secret_lines"}:
        return Choice(how)
    if field.kind == "secrets":
        return {key: Choice(how) for key in value}
    if field.kind == "group":
        return stored_values(field.fields, value, how=how)
    if field.kind == "variant":
        return {field.tag: value.get(field.tag), **stored_values(field.inner(value), value, how=how)}
    return value


async def _type(visit: Visit, type_name: str) -> Mapping[str, Any]:
    return await page_of(visit.request).operations.read(visit, f"/datasources/types/{type_name}")
