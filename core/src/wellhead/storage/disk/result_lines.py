"""The lines of a file with results, as Wellhead writes them. One that was edited to anything else is damaged.

Members that a newer version added are no damage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from wellhead import clock, strict_json
from wellhead.errors import MalformedJSONError
from wellhead.model.result import CheckStatus, ValidationStatus

_LARGEST = 2**53 - 1
_Fits = Callable[[Any], bool]


def read_result(line: bytes) -> dict[str, Any] | None:
    """Read a line that has a result; None if it is damaged."""
    return _read(line, _RESULT)


def read_summary_line(line: bytes) -> dict[str, Any] | None:
    """Read the first line, which sums up the newest result; None if it is damaged."""
    return _read(line, _SUMMARY)


def _read(line: bytes, members: Mapping[str, _Fits]) -> dict[str, Any] | None:
    try:
        document = strict_json.parse_object(line)
    except MalformedJSONError:
        return None
    return document if _object(members)(document) else None


def _object(members: Mapping[str, _Fits]) -> _Fits:
    def fits(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and value.keys() >= members.keys()
            and all(fits_member(value[name]) for name, fits_member in members.items())
        )

    return fits


def _list(fits: _Fits) -> _Fits:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _one_of(kind: Any) -> _Fits:
    allowed = get_args(kind)
    return lambda value: isinstance(value, str) and value in allowed


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_text_or_null(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_revision(value: Any) -> bool:
    return type(value) is int and 1 <= value <= _LARGEST


def _is_duration(value: Any) -> bool:
    return type(value) in {int, float} and 0 <= value <= _LARGEST


def _is_instant(value: Any) -> bool:
    try:
        return isinstance(value, str) and clock.from_text(value) is not None
    except ValueError:
        return False


_FINDING = {"code": _is_text_or_null, "message": _is_text_or_null, "check": _is_text, "fields": _list(_is_text)}
_CHECK = {
    "name": _is_text,
    "status": _one_of(CheckStatus),
    "code": _is_text_or_null,
    "message": _is_text_or_null,
    "hint": _is_text_or_null,
    "fields": _list(_is_text),
    "duration_ms": _is_duration,
}
_RESULT = {
    "success": _is_bool,
    "status": _one_of(ValidationStatus),
    "checks": _list(_object(_CHECK)),
    "errors": _list(_object(_FINDING)),
    "warnings": _list(_object(_FINDING)),
    "details": _is_object,
    "started_at": _is_instant,
    "duration_ms": _is_duration,
    "revision": _is_revision,
}
_SUMMARY = {
    "status": _one_of(ValidationStatus),
    "checked_at": _is_instant,
    "revision": _is_revision,
    "duration_ms": _is_duration,
}
