"""Rules for texts: control characters, names, and the key by which names are compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic_core import PydanticCustomError

from wellhead.model.secret import Secret

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_BUT_BREAKS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_REFUSED_CATEGORIES = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
_JOINER = "\u200d"
_MAX_NAME = 100
_LABEL_KEY = re.compile(r"[A-Za-z0-9._/-]{1,63}")


def refuse_control_characters(value: Any, *, multi_line: bool) -> None:
    """Refuse control characters in every text inside a value, mapping keys included.

    Drivers put texts into their protocols as they are: a NUL in a database name adds a startup parameter of its own.

    Raises:
        PydanticCustomError: `control_character`.
    """
    pattern = _CONTROL_BUT_BREAKS if multi_line else _CONTROL
    if isinstance(value, Secret) and value.is_clear:
        value = value.reveal()
    if isinstance(value, str):
        if pattern.search(value):
            raise PydanticCustomError("control_character", "The text has a control character.")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            refuse_control_characters(key, multi_line=multi_line)
            refuse_control_characters(item, multi_line=multi_line)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            refuse_control_characters(item, multi_line=multi_line)


def check_name(name: str) -> str:
    """Check a data source's name.

    Raises:
        PydanticCustomError: `name_syntax`.
    """
    visible = all(_is_visible(name, place) for place in range(len(name)))
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
        return unicodedata.category(name[place + 1]) == "So"
    return unicodedata.category(name[place]) not in _REFUSED_CATEGORIES
