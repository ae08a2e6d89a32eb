"""Parsing JSON strictly, and saying where a fault is and what to do, without a word of what is there."""

from __future__ import annotations

import io
import itertools
import json
import math
import re
from typing import Any, Final, NamedTuple, NoReturn

import wellhead
from wellhead_files.reading import MAX_COLUMNS_SHOWN

HEAD_RECORDS = 1000

_SPACE = " \t\r\n"
_MAX_DIGITS = 400
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u(?P<lone>[dD][89a-fA-F])|.)", re.DOTALL)
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_ADVICE: Final = {
    "Extra data": "Another document begins there: if the file has one on each line, set 'format' to jsonl.",
    "Expecting property name enclosed in double quotes": "Keys stand in double quotes, and no comma follows the last.",
    "Expecting ':' delimiter": "A colon is missing between a key and its value.",
    "Expecting ',' delimiter": "A comma or a closing bracket is missing before that.",
    "Unterminated string starting at": "A text that begins there is never closed: the file may be cut off.",
    "Invalid control character at": "A line break or a tab in a text is written \\n or \\t.",
    "Invalid \\escape": "A backslash in a text is written \\\\.",
    "Illegal trailing comma before end of object": "No comma follows the last key.",
    "Illegal trailing comma before end of array": "No comma follows the last value.",
}
"""What to do about a fault, by what Python's parser calls it."""


class Findings(NamedTuple):
    """What a file holds: the kind of document, and of its first records how many, their keys, and what is odd."""

    document: str
    records_checked: int
    columns: list[str]
    oddity: str | None
    has_duplicate_keys: bool


class Decoder:
    """Parses JSON strictly (RFC 8259), and remembers whether an object had a key twice.

    Only the structure is kept: of a number it is checked that it can be held.
    """

    def __init__(self) -> None:
        self.has_duplicate_keys = False
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=_check_number,
            parse_float=_check_number,
            parse_constant=_refuse_constant,
        )

    def decode(self, text: str) -> Any:
        """Parse one document.

        Raises:
            json.JSONDecodeError: A syntax error.
            CheckFailedError: `json_not_portable`, or `file_not_json` for NaN and infinities.
        """
        try:
            document = self._decoder.decode(text)
        except RecursionError:
            raise _not_portable("It is nested hundreds of levels deep.") from None
        if "\\u" in text and any(escape["lone"] for escape in _ESCAPE.finditer(text)):
            raise _not_portable("An escape (\\u…) stands for half a character.")
        return document

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) < len(pairs):
            self.has_duplicate_keys = True
        return result


def _check_number(digits: str) -> int:
    if len(digits) > _MAX_DIGITS or not math.isfinite(float(digits)):
        raise _not_portable("A number is too large, or has hundreds of digits.")
    return 0


def _refuse_constant(_name: str) -> NoReturn:
    raise wellhead.CheckFailedError("file_not_json", hint="NaN and infinities are not JSON: write null.")


def _not_portable(hint: str) -> wellhead.CheckFailedError:
    return wellhead.CheckFailedError("json_not_portable", hint=hint, fields=["/path"])


def check_document(text: str, pointer: str) -> Findings:
    """Check a document, and the records that the pointer leads to."""
    decoder = Decoder()
    try:
        document = decoder.decode(text)
    except json.JSONDecodeError as error:
        raise wellhead.CheckFailedError("file_not_json", hint=_hint(error, text)) from None
    return _findings(_kind(document), find_records(document, pointer)[:HEAD_RECORDS], decoder)


def check_beginning(text: str, pointer: str) -> str:
    """Check of a large document that it begins as it should, and return its kind."""
    if not _begins_json(text):
        raise wellhead.CheckFailedError("file_not_json", hint="It does not begin with [ or {." + _csv_hint(text))
    first = text.lstrip(_SPACE)[0]
    if first == "{" and not pointer:
        hint = "The document is no array. If the file has an object on each line, set 'format' to jsonl."
        raise wellhead.CheckFailedError("pointer_not_found", hint=hint, fields=["/records_pointer", "/format"])
    return "array" if first == "[" else "object"


def _begins_json(text: str) -> bool:
    return text.lstrip(_SPACE).startswith(("[", "{"))


def _csv_hint(text: str) -> str:
    """Return a hint where a file that is no JSON has a first line with several values."""
    line = text.lstrip(_SPACE).partition("\n")[0]
    if not any(delimiter in line for delimiter in ",;\t|"):
        return ""
    return " If it has rows of values, make a data source of type csv for it."


def _hint(error: json.JSONDecodeError, text: str) -> str:
    """Say where a fault is, and what is often behind it."""
    place = f"See line {error.lineno}, column {error.colno}."
    end = len(text.rstrip(_SPACE))
    if error.pos >= end:
        return f"{place} The document ends there before it is closed: it was cut off, or is still being written."
    if not _begins_json(text) and not text[: error.pos].strip(_SPACE):
        return place + _csv_hint(text)
    return f"{place} {_ADVICE.get(error.msg, '')}".rstrip()


def find_records(document: Any, pointer: str) -> list[Any]:
    """Follow a JSON Pointer (RFC 6901) to an array."""
    found = document
    for place, token in enumerate(pointer.split("/")[1:], start=1):
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and _INDEX.fullmatch(key) and int(key) < len(found):
            found = found[int(key)]
        else:
            raise wellhead.CheckFailedError(
                "pointer_not_found", f"Part {place} of 'records_pointer' leads nowhere.", fields=["/records_pointer"]
            )
    if isinstance(found, list):
        return found
    hint = None
    if isinstance(found, dict):
        arrays: list[str] = [
            key for key, value in found.items() if isinstance(value, list) and _PLAIN_KEY.fullmatch(key)
        ]
        if arrays:
            hint = f"An array is at {pointer}/{arrays[0]}."
        elif not pointer:
            hint = "If the file has an object on each line, set 'format' to jsonl."
    raise wellhead.CheckFailedError(
        "pointer_not_found",
        f"'records_pointer' leads to something else than an array: {_kind(found)}.",
        hint=hint,
        fields=["/records_pointer"],
    )


def check_lines(text: str) -> Findings:
    """Check the first lines: each is an object. A line is ended by LF only, for strings may have other breaks."""
    decoder = Decoder()
    records: list[Any] = []
    for number, line in enumerate(itertools.islice(io.StringIO(text, newline="\n"), HEAD_RECORDS), start=1):
        if not line.strip(" \t\r\n"):
            continue
        try:
            record: Any = decoder.decode(line)
        except json.JSONDecodeError:
            record = None
        except wellhead.CheckFailedError as error:
            raise wellhead.CheckFailedError(error.check_code, hint=f"Line {number}: {error.hint}") from None
        if not isinstance(record, dict):
            hint = f"Line {number} is not a JSON object."
            if not records:
                hint += " If the file is one document, set 'format' to json." if _begins_json(line) else _csv_hint(line)
            raise wellhead.CheckFailedError("file_not_json", hint=hint)
        records.append(record)
    return _findings("lines", records, decoder)


def _findings(document: str, records: list[Any], decoder: Decoder) -> Findings:
    keys = dict.fromkeys(key for record in records if isinstance(record, dict) for key in record)
    odd = ((number, record) for number, record in enumerate(records, start=1) if not isinstance(record, dict))
    oddity = next((f"Record {number} is no object: {_kind(record)}." for number, record in odd), None)
    columns = list(itertools.islice(keys, MAX_COLUMNS_SHOWN))
    return Findings(document, len(records), columns, oddity, decoder.has_duplicate_keys)


def _kind(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
