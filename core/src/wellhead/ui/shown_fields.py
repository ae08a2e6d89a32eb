"""The fields of a data source as they are shown: by group, in the type's order, of secrets the facts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from wellhead.model.parameters import title_of
from wellhead.model.secret import SecretFacts
from wellhead.model.source import BASE_FIELDS

_OWN = frozenset((*BASE_FIELDS, "state", "health"))
_LONGEST_LINE = 160

Kind = Literal["text", "long", "secret"]


@dataclass(frozen=True, slots=True)
class Row:
    """One value.

    Attributes:
        title: What it is called.
        kind: `text`; `long` for what is shown when it is asked for; `secret` for facts.
        value: The text, or the facts.
        summary: What a long text is.
        is_default: Whether it is what the type takes where nothing is said.
    """

    title: str
    kind: Kind
    value: Any
    summary: str = ""
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class ShownFields:
    """All fields.

    Attributes:
        groups: Rows by the title of their group, which is empty for those of none, in the type's order.
        unset: The titles of fields that could be set, and are not.
    """

    groups: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    unset: Sequence[str] = ()


def fields_of(source: Mapping[str, Any], parameters: Sequence[Mapping[str, Any]]) -> ShownFields:
    """Return the fields of a data source.

    Args:
        source: The data source as the API answers it.
        parameters: The parameters of its type; none where the type is not there.
    """
    known = {parameter["name"] for parameter in parameters}
    strange = [_unknown(name) for name in source if name not in _OWN and name not in known]
    groups: dict[str, list[Row]] = {}
    unset = []
    for parameter in (*parameters, *strange):
        value = source.get(parameter["name"])
        if not _is_applicable(parameter, source) and value in (None, parameter["default"]):
            continue
        if rows := list(rows_of(parameter["title"], value, default=parameter["default"])):
            groups.setdefault(parameter["group"] or "", []).extend(rows)
        elif parameter["name"] in source:
            unset.append(parameter["title"])
    return ShownFields(groups, unset)


def rows_of(title: str, value: Any, *, default: Any = None) -> Iterator[Row]:
    """Yield a value as rows: none if it is not set, one for each entry of a map."""
    if value is None or value in ("", [], {}):
        return
    if SecretFacts.is_document(value):
        yield Row(title, "secret", value)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from rows_of(f"{title}: {name}", inner)
    else:
        text = _text(value)
        is_long = "\n" in text or len(text) > _LONGEST_LINE
        yield Row(title, "long" if is_long else "text", text, _summary(value, text), value == default)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        line = ", ".join(map(str, value))
        return line if len(line) <= _LONGEST_LINE else "\n".join(map(str, value))
    return json.dumps(value, ensure_ascii=False, indent=2)


def _summary(value: Any, text: str) -> str:
    if isinstance(value, list):
        return f"{len(value)} items"
    kind = "PEM" if text.startswith("-----BEGIN ") else "JSON" if text.lstrip()[:1] in {"{", "["} else "Text"
    count = len(text.splitlines())
    return f"{kind}, {count} lines" if count > 1 else f"{kind}, {len(text)} characters"


def _is_applicable(parameter: Mapping[str, Any], source: Mapping[str, Any]) -> bool:
    """Tell whether a field counts, with the values that the others have."""
    condition: Mapping[str, Sequence[Any]] = parameter["visible_when"] or {}
    return all(source.get(name) in values for name, values in condition.items())


def _unknown(name: str) -> dict[str, Any]:
    """Describe a field that no parameter of the type does."""
    return {"name": name, "title": title_of(name), "group": None, "default": None, "visible_when": None}
