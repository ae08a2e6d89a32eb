"""What was typed in a form: values by key, and what could not be read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from wellhead import strict_json
from wellhead.errors import MalformedJSONError
from wellhead.ui.fields import Field
from wellhead.ui.forms import Form

How = Literal["keep", "value", "ref", "clear"]
Document = dict[str, Any]

_INTEGER = re.compile(r"[+-]?[0-9]{1,300}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?")
_FLAGS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed in a field and is no value of its kind. It is shown again as it was typed."""

    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Choice:
    """What is to become of a secret: kept, set to a value or a reference, or cleared. The value is never shown."""

    how: How
    value: str = ""
    reference: str = ""

    def as_json(self, facts: Any) -> Any:
        """Return what the API gets; None clears, and a secret that was never set stays so.

        Args:
            facts: What a read told of the secret.
        """
        if self.how == "keep":
            return facts
        if self.how == "clear" or (facts is None and not self.is_given):
            return None
        return {"ref": self.reference} if self.how == "ref" else self.value

    @property
    def is_given(self) -> bool:
        """Whether there is something that has to be sent."""
        return bool(self.value if self.how == "value" else self.reference if self.how == "ref" else self.how == "clear")


@dataclass(frozen=True, slots=True, repr=False)
class Hidden:
    """A JSON value with secrets in it, which is not shown again."""

    value: Any


@dataclass(frozen=True, slots=True)
class Reading:
    """What a form says.

    Attributes:
        values: The values by key, with `Choice` for secrets; fields that did not apply have none.
        problems: What could not be read, as the API writes problems.
    """

    values: Document
    problems: tuple[Mapping[str, Any], ...]


def read(fields: Iterable[Field], form: Form, base: Mapping[str, Any]) -> Reading:
    """Read a form.

    Args:
        fields: Its fields.
        form: What was posted.
        base: What the form began with; empty for a new data source.
    """
    reader = _Reader(form)
    return Reading(reader.values(fields, base), tuple(reader.problems))


class _Reader:
    def __init__(self, form: Form) -> None:
        self.form = form
        self.problems: list[Mapping[str, Any]] = []

    def values(self, fields: Iterable[Field], base: Mapping[str, Any]) -> Document:
        found = ((field.key, self._value(field, base.get(field.key))) for field in fields)
        return {key: value for key, value in found if value is not None}

    def _value(self, field: Field, base: Any) -> Any:
        """Return what was typed in a field; None if nothing was, or if the field did not apply."""
        form, name = self.form, field.name
        if field.kind in {"secret", "secret_lines"}:
            return self._choice(field) if form.has(f"{name}#how") else None
        if field.kind in {"map", "secrets"}:
            return self._rows(field) if form.has(f"{name}#rows") else None
        if field.kind == "group":
            return self._group(field, base)
        if field.kind == "variant":
            return self._variant(field, base)
        return self._plain(field, form.get(name)) if form.has(name) else None

    def _plain(self, field: Field, text: str) -> Any:
        if field.kind == "json":
            return self._json(field, text) if text.strip() else None
        if text == "":
            return "" if isinstance(field.default, str) and field.default and not field.required else None
        if field.kind in {"choice", "flag"}:
            known = {spelled(choice): choice for choice in (*field.choices, True, False)}
            return known.get(text, text) if text in known else text
        return scalar(text, field.types)

    def _json(self, field: Field, text: str) -> Any:
        try:
            value = strict_json.parse(text.encode("utf-8", "surrogatepass"))
        except MalformedJSONError as error:
            self._report(field.pointer, error.code, error.message)
            return Hidden(None) if field.has_secrets else Typed(text)
        return Hidden(value) if field.has_secrets else value

    def _choice(self, field: Field) -> Choice:
        form, name = self.form, field.name
        return _choice(form.get(f"{name}#how"), form.get(name), form.get(f"{name}#ref"))

    def _rows(self, field: Field) -> Document:
        """Read rows of key and value. One without either is none."""
        keys, values = self.form.all(f"{field.name}#key"), self.form.all(f"{field.name}#value")
        is_secret = field.kind == "secrets"
        hows = self.form.all(f"{field.name}#how") if is_secret else ["value"] * len(keys)
        rows: Document = {}
        for key, value, how in zip(keys, values, hows, strict=False):
            if not key and not value:
                continue
            if key in rows:
                self._report(field.pointer, "duplicate_key", "Two rows have the same key.")
            rows[key] = _choice(how, value, value) if is_secret else value
        return rows

    def _group(self, field: Field, base: Any) -> Document | None:
        """Read a nested model. One that may be left out is there if it says so, or if something new is typed in it."""
        if not self.form.has(f"{field.name}#is"):
            return None
        before = base if isinstance(base, Mapping) else {}
        values = self.values(field.fields, before)
        is_wanted = field.required or self.form.get(f"{field.name}#is") == "true"
        return values if is_wanted or (not before and not _is_blank(field.fields, values)) else None

    def _variant(self, field: Field, base: Any) -> Document | None:
        tag = self.form.get(f"{field.name}#as")
        if not tag:
            return None
        before = base if isinstance(base, Mapping) and base.get(field.tag) == tag else {}
        return {field.tag: tag, **self.values(field.variants.get(tag, ()), before)}

    def _report(self, pointer: str, code: str, message: str) -> None:
        self.problems.append({"pointer": pointer, "code": code, "message": message})


def scalar(text: str, types: frozenset[str]) -> Any:
    """Read a text as one of some JSON types; what is none of them stays a text, so that the API says what is wrong."""
    plain = text.strip()
    if "integer" in types and _INTEGER.fullmatch(plain):
        return int(plain)
    if "number" in types and _NUMBER.fullmatch(plain):
        return float(plain) if not _INTEGER.fullmatch(plain) else int(plain)
    if "boolean" in types and plain in _FLAGS:
        return _FLAGS[plain]
    return text


def as_typed(value: Any) -> str:
    """Write a value as a form for JSON has it."""
    if value is None:
        return ""
    return value.text if isinstance(value, Typed) else json.dumps(value, ensure_ascii=False, indent=2)


def spelled(value: Any) -> str:
    """Write a value as a form has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _choice(how: str, value: str, reference: str) -> Choice:
    """Read a choice; a value that was typed beside `keep` counts, as nobody types one for nothing."""
    if how == "ref":
        return Choice("ref", reference=reference.strip())
    if how == "clear":
        return Choice("clear")
    return Choice("value", value=value) if how == "value" or value else Choice("keep")


def _is_blank(fields: Iterable[Field], values: Mapping[str, Any]) -> bool:
    """Tell whether values are just what a blank form has."""
    known = {field.key: field for field in fields}
    return all(
        (not value if isinstance(value, Mapping) else value == known[key].default)
        or (isinstance(value, Choice) and not value.is_given)
        for key, value in values.items()
    )
