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


class Redactor:
    """Takes the secrets of one data source out of texts.

    A secret of fewer than four characters would take ordinary words apart, so it is looked for as a whole word only.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        secrets = list(secrets)
        spellings = {spelling for secret in secrets for spelling in _spellings(secret) if spelling}
        long = [re.escape(text) for text in sorted(spellings, key=len, reverse=True) if len(text) >= _MIN_LENGTH]
        short = [rf"(?<!\w){re.escape(text)}(?!\w)" for text in sorted(spellings) if len(text) < _MIN_LENGTH]
        inside = [pattern for secret in secrets for pattern in _inside_base64(secret)]
        self._longest = max(map(len, spellings), default=0)
        self._pattern = re.compile("|".join(inside + long + short), re.IGNORECASE) if spellings else None

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
        return text if self._pattern is None else self._pattern.sub(REDACTED, text)


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
    """Return patterns of a secret inside the base64 of a longer text, such as `user:password`.

    They look for what the secret alone decides, and take the neighbouring characters with it. A secret that decides
    too few characters to be told from chance has no pattern.
    """
    patterns = set()
    data = secret.encode("utf-8", errors="replace")
    for offset in (0, 1, 2):
        first, last = -(-offset // 3) * 4, (offset + len(data)) // 3 * 4
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            inner = encode(bytes(offset) + data).decode()[first:last]
            if len(inner) >= _MIN_INNER:
                patterns.add(rf"[\w+/-]{{0,4}}{re.escape(inner)}[\w+/-]{{0,4}}")
    return patterns
