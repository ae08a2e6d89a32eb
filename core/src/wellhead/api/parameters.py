"""The parameters of queries: each is declared once, here, for who reads a query and for the document."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import get_args

from wellhead import clock
from wellhead.api.cursors import MAX_CURSOR
from wellhead.api.query import Misfit, Parameter
from wellhead.catalog.listing import DEFAULT_LIMIT, LABEL_FILTER, MAX_LIMIT, SORT_FIELDS, TEXT_FILTER
from wellhead.model.result import ValidationStatus
from wellhead.model.source import TYPE_NAME
from wellhead.storage.stored import STATES

HEALTH = (*get_args(ValidationStatus), "none")


def _one_of(allowed: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise Misfit("The value is not one of those allowed.")
        return text

    return read


def _matching(pattern: str, wanted: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text, re.DOTALL):
            raise Misfit(f"Must be {wanted}.")
        return text

    return read


def _instant(text: str) -> datetime:
    try:
        return clock.from_text(text)
    except ValueError:
        raise Misfit("Must be an instant such as 2026-11-23T08:00:00Z; a plus sign is written %2B.") from None


def _limit(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise Misfit(f"Must be an integer from 1 to {MAX_LIMIT}.")
    return int(text)


def _label(text: str) -> tuple[str, str | None]:
    match = LABEL_FILTER.fullmatch(text)
    if match is None:
        raise Misfit("Must be a key, or key:value.")
    return match[1], match[2]


def _sort(text: str) -> tuple[tuple[str, bool], ...]:
    parts = [(part.removeprefix("-"), part.startswith("-")) for part in text.split(",")]
    names = [name for name, _ in parts]
    if not set(names) <= set(SORT_FIELDS) or len(set(names)) != len(names):
        raise Misfit("Must be a comma list of different fields, '-' before one for descending.")
    return tuple(parts)


_STRING = {"type": "string"}
_INSTANT = {"type": "string", "format": "date-time"}
_BOOLEAN = {"type": "boolean"}

FILTER_PARAMETERS = (
    Parameter(
        "type", _matching(TYPE_NAME, "a type's name"), {**_STRING, "pattern": TYPE_NAME}, "Any of these types.", True
    ),
    Parameter(
        "label",
        _label,
        {**_STRING, "pattern": f"^{LABEL_FILTER.pattern}$"},
        "All of these labels: `key` or `key:value`.",
        True,
    ),
    Parameter(
        "name", _matching(r".{1,100}", "a name"), {**_STRING, "minLength": 1, "maxLength": 100}, "Exactly this name."
    ),
    Parameter(
        "q",
        _matching(TEXT_FILTER.pattern, "3 to 200 characters"),
        {**_STRING, "minLength": 3, "maxLength": 200},
        "A part of the name or the description, in any case.",
    ),
    Parameter("state", _one_of(STATES), {**_STRING, "enum": list(STATES)}, "In this state.", allowed=STATES),
    Parameter(
        "health",
        _one_of(HEALTH),
        {**_STRING, "enum": list(HEALTH)},
        "With this status of the newest validation; `none`: not validated since the last change.",
        allowed=HEALTH,
    ),
    Parameter("created_after", _instant, _INSTANT, "Made at this instant or later."),
    Parameter("created_before", _instant, _INSTANT, "Made at this instant or earlier."),
    Parameter("updated_after", _instant, _INSTANT, "Last changed at this instant or later."),
    Parameter("updated_before", _instant, _INSTANT, "Last changed at this instant or earlier."),
)
_LIMIT = Parameter(
    "limit",
    _limit,
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    "The most items of a page.",
)
_CURSOR_TEXT = f"[A-Za-z0-9_-]{{1,{MAX_CURSOR}}}"
_CURSOR = Parameter(
    "cursor",
    _matching(_CURSOR_TEXT, "the `next` of an answer. Start again from the first page, without it"),
    {**_STRING, "pattern": f"^{_CURSOR_TEXT}$"},
    "Where the page begins: `next` of the page before.",
)
LIST_PARAMETERS = (
    *FILTER_PARAMETERS,
    Parameter(
        "sort",
        _sort,
        {**_STRING, "examples": ["-updated_at,name"]},
        "Fields to sort by, `-` before one for descending; then by name and id.",
        allowed=SORT_FIELDS,
    ),
    _LIMIT,
    _CURSOR,
)
_AUDITED = r"[\x20-\x7e]{1,255}"
AUDIT_PARAMETERS = (
    Parameter("user", _matching(_AUDITED, "a user's name"), {**_STRING, "minLength": 1}, "What this user did."),
    Parameter(
        "operation",
        _matching(r"[a-z_]{1,32}", "an operation, such as update"),
        {**_STRING, "pattern": "^[a-z_]{1,32}$"},
        "This operation, such as `create`, `update`, `delete`, `rollback`, `validate`, `resolve` or `run`.",
    ),
    Parameter(
        "data_source",
        _matching(r".{1,100}", "an id or a name"),
        {**_STRING, "minLength": 1, "maxLength": 100},
        "What was done to this data source: its id, or the name that it had then.",
    ),
    Parameter("from", _instant, _INSTANT, "At this instant or later."),
    Parameter("to", _instant, _INSTANT, "At this instant or earlier."),
    _LIMIT,
    _CURSOR,
)
VERIFY = Parameter(
    "verify", _one_of(("true", "false")), _BOOLEAN, "Save only what validates.", allowed=("true", "false")
)
FORCE = Parameter(
    "force", _one_of(("true", "false")), _BOOLEAN, "Delete a record that cannot be read.", allowed=("true", "false")
)


def timeout_parameter(maximum: float) -> Parameter:
    """Return the parameter for the seconds that a validation may take."""

    def read(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text) or not 0 < float(text) <= maximum:
            raise Misfit(f"Must be a number of seconds, more than 0 and at most {maximum:g}.")
        return float(text)

    schema = {"type": "number", "minimum": 0.001, "maximum": maximum}
    return Parameter("timeout", read, schema, "Seconds that the validation may take.")
