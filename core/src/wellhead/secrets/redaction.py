"""Keeping secrets out of texts that come from plugins, whatever way they are spelt."""

from __future__ import annotations

import base64
import html
import json
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
_MIN_LENGTH = 4
_MIN_INNER = 8
_MAX_TEXT = 20_000
_DOTS = str.maketrans({"\u0131": "i", "\u0130": "i"})  # the letters that `casefold` tells from `i`, and `re` does not


class Redactor:
    """Takes the secrets of one data source out of texts.

    A secret of fewer than four characters would take ordinary words apart, so it is looked for as a whole word only.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        secrets = list(secrets)
        spellings = {spelling for secret in secrets for spelling in _spellings(secret) if spelling}
        inside = [part for secret in secrets for part in _inside_base64(secret)]
        patterns = [(text, rf"[\w+/-]{{0,4}}{re.escape(text)}[\w+/-]{{0,4}}") for text in _to_find(inside)]
        patterns += [(text, _pattern(text)) for text in sorted(_to_find(spellings), key=len, reverse=True)]
        self._longest = max(map(len, spellings), default=0)
        self._patterns = [(_folded(text), pattern) for text, pattern in patterns]

    def clean(self, text: str, *, limit: int = 200) -> str:
        """Return a text without secrets and control characters, cut to a length.

        Args:
            text: Any text.
            limit: The most characters to return.
        """
        if len(text) > _MAX_TEXT:
            text = self._hide(text[:_MAX_TEXT])[: -self._longest or None]  # the cut may have left a part of a secret
        printable = self._hide(_printable(self._hide(text)))  # a character that is taken out may have split a secret
        return printable if len(printable) <= limit else printable[: limit - 1] + "…"

    def _hide(self, text: str) -> str:
        """Hide what is there. Only that is compiled: a pattern of all spellings of long secrets takes seconds."""
        folded = _folded(text)
        found = [pattern for part, pattern in self._patterns if part in folded]
        return re.sub("|".join(found), REDACTED, text, flags=re.IGNORECASE) if found else text


def _to_find(texts: Iterable[str]) -> list[str]:
    """Return the texts that can be in one that is looked at."""
    return [text for text in texts if len(text) <= _MAX_TEXT]


def _pattern(text: str) -> str:
    return re.escape(text) if len(text) >= _MIN_LENGTH else rf"(?<!\w){re.escape(text)}(?!\w)"


def _folded(text: str) -> str:
    """Return a text in which is found whatever `re.IGNORECASE` would find in the text."""
    return text.translate(_DOTS).casefold()


def _printable(text: str) -> str:
    return "".join(character for character in text if not _controls(unicodedata.category(character)))


def _controls(category: str) -> bool:
    """Tell whether characters of a category steer what shows them, or end a line."""
    return category[0] == "C" or category in {"Zl", "Zp"}


def _spellings(secret: str) -> set[str]:
    """Return the ways in which programs write a text into others."""
    data = secret.encode("utf-8", errors="replace")
    encoded = {base64.b64encode(data).decode().rstrip("="), base64.urlsafe_b64encode(data).decode().rstrip("=")}
    quoted = {quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace"), html.escape(secret)}
    written = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    return {secret, _printable(secret), data.hex()} | encoded | quoted | written


def _inside_base64(secret: str) -> set[str]:
    """Return what stands of a secret in the base64 of a longer text, such as `user:password`.

    It is what the secret alone decides; its neighbouring characters are hidden with it. A secret that decides too few
    characters to be told from chance has none.
    """
    parts = set()
    data = secret.encode("utf-8", errors="replace")
    for offset in (0, 1, 2):
        first, last = -(-offset // 3) * 4, (offset + len(data)) // 3 * 4
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            inner = encode(bytes(offset) + data).decode()[first:last]
            if len(inner) >= _MIN_INNER:
                parts.add(inner)
    return parts
