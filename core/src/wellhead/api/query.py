"""Reading queries strictly: every parameter is declared once, here, for the reader and for the document."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, get_args
from urllib.parse import parse_qsl

from fastapi import Request

from wellhead import clock
from wellhead.catalog.listing import DEFAULT_LIMIT, LABEL_FILTER, MAX_LIMIT, SORT_FIELDS, TEXT_FILTER, ListQuery
from wellhead.errors import InputError, InputProblem, MalformedJSONError
from wellhead.model.result import ValidationStatus
from wellhead.model.source import TYPE_NAME
from wellhead.storage.stored import STATES

MAX_QUERY_BYTES = 2048
HEALTH = (*get_args(ValidationStatus), "none")


class _Misfit(Exception):  # noqa: N818  # it becomes a problem of the query
    """A value does not fit; the text says what would."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter.

    Attributes:
        name: Its name.
        read: Reads its text, or raises `_Misfit`.
        schema: The JSON Schema of its value.
        description: What it does.
        repeats: Whether it may be given several times.
        allowed: Its values, where they can be listed.
    """

    name: str
    read: Callable[[str], Any]
    schema: Mapping[str, Any]
    description: str
    repeats: bool = False
    allowed: tuple[str, ...] | None = field(default=None)


def read_query(request: Request, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Read the query of a request.

    Returns:
        A mapping of names to values; of a parameter that may repeat, to a tuple of values.

    Raises:
        InputError: A parameter is unknown, given twice, or does not fit.
    """
    found: dict[str, Any] = {}
    if not request.scope["query_string"]:
        return found
    known = {parameter.name: parameter for parameter in parameters}
    problems = []
    for name, text in _pairs(request):
        parameter = known.get(name)
        if parameter is None:
            problems.append(
                _problem(name[:64], "unknown_parameter", "There is no such parameter.", tuple(sorted(known)))
            )
        elif name in found and not parameter.repeats:
            problems.append(_problem(name, "repeated_parameter", "It takes one value.", None))
        else:
            try:
                value = parameter.read(text)
            except _Misfit as misfit:
                problems.append(_problem(name, "bad_format", str(misfit), parameter.allowed))
                value = None
            found[name] = (*found.get(name, ()), value) if parameter.repeats else value
    if problems:
        raise InputError(problems)
    return found


def _pairs(request: Request) -> list[tuple[str, str]]:
    raw = request.scope["query_string"]
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except (UnicodeDecodeError, ValueError):
        raise MalformedJSONError("invalid_unicode", "The query is not percent-encoded UTF-8.") from None
    return pairs


def _problem(name: str, code: str, message: str, allowed: tuple[str, ...] | None) -> InputProblem:
    return InputProblem(name, code, message, allowed=allowed, in_query=True)


def _one_of(allowed: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise _Misfit("The value is not one of those allowed.")
        return text

    return read


def _matching(pattern: str, wanted: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text, re.DOTALL):
            raise _Misfit(f"Must be {wanted}.")
        return text

    return read


def _instant(text: str) -> datetime:
    try:
        return clock.from_text(text)
    except ValueError:
        raise _Misfit("Must be an instant such as 2026-11-23T08:00:00Z; a plus sign is written %2B.") from None


def _limit(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise _Misfit(f"Must be an integer from 1 to {MAX_LIMIT}.")
    return int(text)


def _label(text: str) -> tuple[str, str | None]:
    match = LABEL_FILTER.fullmatch(text)
    if match is None:
        raise _Misfit("Must be a key, or key:value.")
    return match[1], match[2]


def _sort(text: str) -> tuple[tuple[str, bool], ...]:
    parts = [(part.removeprefix("-"), part.startswith("-")) for part in text.split(",")]
    names = [name for name, _ in parts]
    if not set(names) <= set(SORT_FIELDS) or len(set(names)) != len(names):
        raise _Misfit("Must be a comma list of different fields, '-' before one for descending.")
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
    Parameter("state", _one_of(STATES), {**_STRING, "enum": list(STATES)}, "Any of these states.", True, STATES),
    Parameter(
        "health",
        _one_of(HEALTH),
        {**_STRING, "enum": list(HEALTH)},
        "Any of these statuses of the newest validation; `none`: not validated since the last change.",
        True,
        HEALTH,
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
    Parameter(
        "cursor",
        _matching(r"[A-Za-z0-9_-]{1,1500}", "the 'next' of an answer"),
        {**_STRING, "pattern": "^[A-Za-z0-9_-]{1,1500}$"},
        "Where the page begins: `next` of the page before.",
    ),
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
    Parameter(
        "cursor",
        _matching(r"[0-9a-f]{16}", "the 'next' of an answer"),
        {**_STRING, "pattern": "^[0-9a-f]{16}$"},
        "Where the page begins: `next` of the page before.",
    ),
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
            raise _Misfit(f"Must be a number of seconds, more than 0 and at most {maximum:g}.")
        return float(text)

    schema = {"type": "number", "exclusiveMinimum": 0, "maximum": maximum}
    return Parameter("timeout", read, schema, "Seconds that the validation may take.")


def list_query(request: Request) -> ListQuery:
    """Read the query of a list.

    Raises:
        InputError: A parameter is unknown, given twice, or does not fit.
    """
    given = read_query(request, LIST_PARAMETERS)
    return replace(
        filters_of(given),
        sort=given.get("sort", ()),
        limit=given.get("limit", DEFAULT_LIMIT),
        cursor=given.get("cursor"),
    )


def filters_of(given: Mapping[str, Any]) -> ListQuery:
    """Return the filters of a query that was read."""
    return ListQuery(
        types=given.get("type", ()),
        labels=given.get("label", ()),
        name=given.get("name"),
        text=given.get("q"),
        states=given.get("state", ()),
        health=given.get("health", ()),
        created=(given.get("created_after"), given.get("created_before")),
        updated=(given.get("updated_after"), given.get("updated_before")),
    )
