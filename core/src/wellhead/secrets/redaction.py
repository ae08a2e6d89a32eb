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


class Redactor:
    """Takes the secrets of one data source out of texts.

    A secret of fewer than four characters would take ordinary words apart, so it is looked for as a whole word only.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        spellings = {spelling for secret in secrets for spelling in _spellings(secret) if spelling}
        long = [re.escape(text) for text in sorted(spellings, key=len, reverse=True) if len(text) >= _MIN_LENGTH]
        short = [rf"\b{re.escape(text)}\b" for text in sorted(spellings) if len(text) < _MIN_LENGTH]
        self._pattern = re.compile("|".join(long + short), re.IGNORECASE) if spellings else None

    def clean(self, text: str, *, limit: int = 200) -> str:
        """Return a text without secrets and control characters, cut to a length.

        Args:
            text: Any text.
            limit: The most characters to return.
        """
        if self._pattern is not None:
            text = self._pattern.sub(REDACTED, text)
        printable = "".join(character for character in text if unicodedata.category(character)[0] != "C")
        return printable if len(printable) <= limit else printable[: limit - 1] + "…"


def _spellings(secret: str) -> set[str]:
    """Return the ways in which programs write a text into others."""
    data = secret.encode("utf-8", errors="replace")
    encoded = {base64.b64encode(data).decode().rstrip("="), base64.urlsafe_b64encode(data).decode().rstrip("=")}
    quoted = {quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace"), html.escape(secret)}
    written = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    return {secret, data.hex()} | encoded | quoted | written
