"""Reading queries strictly, by the parameters that they may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request

from wellhead.errors import InputError, InputProblem, MalformedJSONError

MAX_QUERY_BYTES = 2048


class Misfit(Exception):  # noqa: N818  # it becomes a problem of the query
    """A value does not fit; the text says what would."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter.

    Attributes:
        name: Its name.
        read: Reads its text, or raises `Misfit`.
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
            except Misfit as misfit:
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
