"""A conflict: somebody saved while somebody else was typing. What each changed, and what is taken of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from starlette.responses import Response

from wellhead.ui import rendering
from wellhead.ui.documents import secrets_typed, shown_again, written
from wellhead.ui.entry import Entry, stored_values
from wellhead.ui.fields import Field
from wellhead.ui.forms import Form
from wellhead.ui.reading import Choice, Document, How

_SECRETS = frozenset(("secret", "secret_lines"))
_HOWS = get_args(How)


@dataclass(frozen=True, slots=True)
class Row:
    """One field that somebody changed.

    Attributes:
        field: The field.
        before: What both began with.
        theirs: What is stored now.
        mine: What was typed: `value`, or for a secret what was to become of it (`how`, `reference`); None if nothing
            was changed. `is_typed` says that there was a secret in it, which has to be typed again.
    """

    field: Field
    before: Any
    theirs: Any
    mine: Mapping[str, Any] | None

    @property
    def is_both(self) -> bool:
        """Whether both changed it."""
        return self.mine is not None and self.before != self.theirs

    def taken(self) -> Any:
        """Return what was typed, as a form has it."""
        mine = self.mine or {}
        if self.field.kind in _SECRETS:
            return Choice(mine.get("how", "keep"), reference=mine.get("reference", ""))
        return stored_values((self.field,), {self.field.key: mine.get("value")}).get(self.field.key)


@dataclass(frozen=True, slots=True)
class Conflict:
    """What two people changed.

    Attributes:
        base: The data source that both began with.
        theirs: The data source as it is stored now.
        rows: The fields that either changed, where they do not agree.
    """

    base: Document
    theirs: Document
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, fields: Iterable[Field], base: Document, theirs: Document, mine: Mapping[str, Any]) -> Conflict:
        """Compare.

        Args:
            fields: The fields of the form.
            base: The data source that both began with.
            theirs: The data source as it is stored now.
            mine: What was typed in each field that was changed, as `typed_in` says it.
        """
        rows = (Row(found, base.get(found.key), theirs.get(found.key), mine.get(found.key)) for found in fields)
        return cls(base, theirs, tuple(row for row in rows if _differs(row)))

    @property
    def mine_text(self) -> str:
        """What was typed, for the form to carry: no secret."""
        return json.dumps({row.field.key: row.mine for row in self.rows if row.mine is not None}, ensure_ascii=False)

    @property
    def base_text(self) -> str:
        """What both began with, for the form to carry."""
        return json.dumps(self.base, ensure_ascii=False)

    @property
    def theirs_text(self) -> str:
        """What is stored now, for the form to carry."""
        return json.dumps(self.theirs, ensure_ascii=False)

    def chosen(self, form: Form) -> list[Row]:
        """Return the rows of which what was typed is to be taken."""
        every = form.get("all")
        return [row for row in self.rows if row.mine and (every or form.get(f"take:{row.field.key}")) == "mine"]

    def taken(self, form: Form) -> Document:
        """Return what is taken of what was typed, by key; None where a field is to be empty."""
        return {row.field.key: row.taken() for row in self.chosen(form)}

    def needs_secrets(self, form: Form) -> bool:
        """Tell whether a secret has to be typed again for what is taken."""
        return any((row.mine or {}).get("is_typed") for row in self.chosen(form))

    def page(self, entry: Entry) -> Response:
        """Show what was changed, for a choice."""
        return rendering.page("conflict.html", entry.visit, status=412, conflict=self, entry=entry)


def typed_in(entry: Entry) -> Document:
    """Return what was changed in a form, by key, without the secrets that were typed."""
    values = shown_again(entry.fields, entry.values)
    document = written(entry.fields, values, entry.base)
    found: Document = {}
    for field in entry.fields:
        is_typed = secrets_typed((field,), entry.values)
        if field.kind in _SECRETS:
            choice = entry.values.get(field.key) or Choice("clear")
            if is_typed or (choice.is_given and choice.as_json(None) != entry.base.get(field.key, ())):
                found[field.key] = {"how": choice.how, "reference": choice.reference, "is_typed": is_typed}
        elif is_typed or document.get(field.key) != entry.base.get(field.key):
            found[field.key] = {"value": document.get(field.key), "is_typed": is_typed}
    return found


def is_typed_in(mine: Any) -> bool:
    """Tell whether a value has the form that `typed_in` gives to what was changed in a field."""
    if not isinstance(mine, Mapping) or not isinstance(mine.get("is_typed"), bool):
        return False
    is_choice = mine.get("how") in _HOWS and isinstance(mine.get("reference"), str)
    return "value" in mine or is_choice


def _differs(row: Row) -> bool:
    """Tell whether there is something to say about a field: somebody changed it, and not both in the same way."""
    if row.mine is None:
        return bool(row.before != row.theirs)
    return row.field.kind in _SECRETS or bool(row.mine.get("is_typed")) or row.mine.get("value") != row.theirs
