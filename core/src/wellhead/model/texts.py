"""Rules for texts: control characters, names, and the key by which names are compared."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import fields as fields_of_dataclass
from dataclasses import is_dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from wellhead.model.markers import is_multi_line
from wellhead.model.secret import Secret

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_BUT_BREAKS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_REFUSED_CATEGORIES = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
_JOINER = "\u200d"
_EMOJI_PARTS = {"So", "Sk"}
_EMOJI_VARIANT = "\ufe0f"
_MAX_NAME = 100
_MAX_INTEGER = 2**53 - 1
_WITHOUT_TEXTS = frozenset((bool, datetime, UUID))
_LABEL_KEY = re.compile(r"[A-Za-z0-9._/-]{1,63}")


Location = tuple[str | int, ...]


def is_plainly_safe(value: Any) -> bool:
    """Tell at once of most values that they hold no control character and no unsafe number; False means: look closer.

    Every field of every model is looked at, so that this is worth a short way.
    """
    kind = type(value)
    if kind is str:
        return _CONTROL.search(value) is None
    if kind is int:
        return bool(-_MAX_INTEGER <= value <= _MAX_INTEGER)
    return value is None or kind in _WITHOUT_TEXTS or (kind is Secret and not value.is_clear)


def control_characters(value: Any, *, multi_line: bool) -> Iterator[Location]:
    """Find the texts inside a value that have control characters, keys of mappings included.

    Drivers put texts into their protocols as they are: a NUL in a database name adds a startup parameter of its own.

    Returns:
        The paths of these texts, inside the value.
    """
    if isinstance(value, Secret) and value.is_clear:
        value = value.reveal()
    pattern = _CONTROL_BUT_BREAKS if multi_line else _CONTROL
    if isinstance(value, str):
        yield from [()] if pattern.search(value) else []
    for name, item, may_break in _inside(value, multi_line=multi_line):
        if isinstance(name, str) and pattern.search(name):
            yield ()
        else:
            yield from ((name, *path) for path in control_characters(item, multi_line=may_break))


def unsafe_numbers(value: Any) -> Iterator[Location]:
    """Find the numbers inside a value that other programs cannot hold as they are (RFC 7493, 2.2): paths of them."""
    is_long = isinstance(value, int) and abs(value) > _MAX_INTEGER
    if is_long or (isinstance(value, float) and not math.isfinite(value)):
        yield ()
    for name, item, _ in _inside(value, multi_line=False):
        yield from ((name, *path) for path in unsafe_numbers(item))


def _inside(value: Any, *, multi_line: bool) -> Iterator[tuple[str | int, Any, bool]]:
    """Go through what a value holds: its name, itself, and whether its texts may have line breaks."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        yield from ((name, item, multi_line or is_multi_line(fields[name])) for name, item in value)
    elif isinstance(value, Mapping):
        yield from ((str(name), item, multi_line) for name, item in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((place, item, multi_line) for place, item in enumerate(value))
    elif is_dataclass(value) and not isinstance(value, type):
        yield from ((part.name, getattr(value, part.name), multi_line) for part in fields_of_dataclass(value))


def spelled(value: Any) -> str:
    """Write a value for people: a text as it is, everything else as JSON has it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def check_name(name: str) -> str:
    """Check a data source's name.

    Raises:
        PydanticCustomError: `name_syntax`.
    """
    visible = (name.isascii() and name.isprintable()) or all(_is_visible(name, place) for place in range(len(name)))
    if not 1 <= len(name) <= _MAX_NAME or name != name.strip() or not visible:
        raise PydanticCustomError("name_syntax", "The name cannot be used.")
    return name


@lru_cache(maxsize=100_000)
def name_key(name: str) -> str:
    """Return what two names are compared by: NFKC, then casefold, then NFKC again (UAX #15, #31)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def check_label_key(key: str) -> str:
    """Check a label's key.

    Raises:
        PydanticCustomError: `label_syntax`.
    """
    if not _LABEL_KEY.fullmatch(key):
        raise PydanticCustomError("label_syntax", "The label's key cannot be used.")
    return key


def _is_visible(name: str, place: int) -> bool:
    """Tell whether the character at a place may stand in a name: of the invisible ones, only the joiner in emoji."""
    if name[place] == _JOINER and 0 < place < len(name) - 1:
        before, after = name[place - 1], name[place + 1]
        joins_emoji = before == _EMOJI_VARIANT or unicodedata.category(before) in _EMOJI_PARTS
        return joins_emoji and unicodedata.category(after) == "So"
    return unicodedata.category(name[place]) not in _REFUSED_CATEGORIES
