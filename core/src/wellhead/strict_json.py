"""JSON as Wellhead accepts it: RFC 8259, and of what parsers disagree about only what is safe (RFC 7493)."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from wellhead.errors import MalformedJSONError

MAX_DEPTH = 32
_MAX_DIGITS = 400
_CONTAINERS = frozenset((dict, list))
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(text: bytes) -> Any:
    """Parse one JSON document.

    A number with a fraction of zero is an integer, as JSON Schema has it: `5.0` is 5.

    Args:
        text: UTF-8 without a byte order mark.

    Returns:
        Dictionaries, lists, strings, integers, floats, booleans and None.

    Raises:
        MalformedJSONError: Not UTF-8, not JSON, a key twice in one object, NaN or an infinity, a number that is
            absurdly long, a lone surrogate, or nested deeper than 32 levels.
    """
    if text.startswith(b"\xef\xbb\xbf"):
        raise MalformedJSONError("malformed_json", "The text begins with a byte order mark; send UTF-8 without one.")
    try:
        decoded = text.decode("utf-8", errors="strict")
    except UnicodeDecodeError:
        raise MalformedJSONError("invalid_unicode", "The text is not UTF-8.") from None
    try:
        document = _DECODER.decode(decoded)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise MalformedJSONError("malformed_json", f"The text is not JSON: see {where}.") from None
    except RecursionError:
        raise _too_deep() from None
    _check(document, 1, has_escapes="\\u" in decoded)
    return document


def parse_object(text: bytes) -> dict[str, Any]:
    """Parse one JSON document that must be an object.

    Raises:
        MalformedJSONError: As `parse`, or the document is not an object.
    """
    document = parse(text)
    if not isinstance(document, dict):
        raise MalformedJSONError("malformed_json", "A JSON object is expected: {…}.")
    return document


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedJSONError("duplicate_key", "An object has the same key twice.")
    return result


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise MalformedJSONError("absurd_number", f"A number has more than {_MAX_DIGITS} digits.")
    return int(digits)


def _number(digits: str) -> int | float:
    if len(digits) > _MAX_DIGITS:
        raise MalformedJSONError("absurd_number", f"A number has more than {_MAX_DIGITS} digits.")
    value = float(digits)
    if not math.isfinite(value):
        raise MalformedJSONError("absurd_number", "A number is too large to be held.")
    return int(value) if value.is_integer() and abs(value) <= 2**53 else value


def _constant(_name: str) -> NoReturn:
    raise MalformedJSONError("absurd_number", "NaN and infinities are not JSON.")


def _too_deep() -> MalformedJSONError:
    return MalformedJSONError("nested_too_deep", f"The document is nested deeper than {MAX_DEPTH} levels.")


def _check(node: Any, depth: int, *, has_escapes: bool) -> None:
    """Refuse what the parser lets pass; a lone surrogate can only come from an escape."""
    if isinstance(node, dict | list):
        if depth > MAX_DEPTH:
            raise _too_deep()
        children: Any = node
        if isinstance(node, dict):
            children = [*node, *node.values()] if has_escapes else node.values()
        for child in children:
            # Most of what a document holds needs no second look, and a call for each would be half of the work.
            if has_escapes or type(child) in _CONTAINERS:
                _check(child, depth + 1, has_escapes=has_escapes)
    elif isinstance(node, str) and has_escapes and _SURROGATE.search(node):
        raise MalformedJSONError("invalid_unicode", "A string has a lone surrogate.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_number, parse_constant=_constant, strict=True
)
