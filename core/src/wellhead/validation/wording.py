"""Making what a plugin says fit to be shown: without secrets, without control characters, and of bounded size."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wellhead.codes import CODES, Code
from wellhead.errors import CheckFailedError
from wellhead.model.check_code import CheckCode
from wellhead.model.result import Check, CheckStatus
from wellhead.secrets.redaction import REDACTED, Redactor

CORE_STEPS = frozenset(("secrets", "resolve", "connect", "tls", "validator"))
CORE_CHECKS = frozenset(("secrets", "validator"))
"""Checks that core adds itself: those of no validator."""
_CODE = re.compile(r"[a-z][a-z0-9]{0,19}(_[a-z0-9]{1,20}){0,4}")
_MAX_FIELDS = 20
_MAX_ITEMS = 200
_MAX_FACTS_CHARACTERS = 16_000
_MAX_LOG_LINE = 500
_MAX_INTEGER = 2**53 - 1


class Wording:
    """Makes the texts of one run of a validator fit to be shown."""

    def __init__(
        self,
        secrets: Iterable[str],
        *,
        fields: Iterable[str] = (),
        steps: Iterable[str] = (),
        codes: Mapping[str, CheckCode] | None = None,
    ) -> None:
        """Make the texts of one run fit to be shown.

        Args:
            secrets: The data source's secrets, in clear.
            fields: The names of its type's fields.
            steps: The names of its validator's steps. Like the fields' names they are known to everybody; a password
                that happens to be one of them is not taken out of them.
            codes: Codes of its type's own, and what they mean.
        """
        self._clean = Redactor(secrets).clean
        self._fields = frozenset(fields)
        self._known = CORE_STEPS | frozenset(steps)
        self._codes = dict(codes or {})
        self._characters_left = _MAX_FACTS_CHARACTERS

    def check(
        self,
        name: str,
        status: CheckStatus,
        code: str | None = None,
        *,
        message: str | None = None,
        hint: str | None = None,
        fields: Sequence[str] = (),
        seconds: float = 0.0,
    ) -> Check:
        """Make a check; what its code says in the catalogue stands in for a message or a hint that is left out."""
        if status == "passed":
            return Check(self.word(name), status, duration_ms=seconds * 1000)
        code = self._code(code)
        entry = self._entry(code) or CODES["check_failed"]  # for one that came without a text, and nobody knows
        return Check(
            name=self.word(name),
            status=status,
            code=code,
            message=self._clean(str(message)) if message and message != entry.title else entry.title,
            hint=self._clean(str(hint), limit=400) if hint and hint != entry.remedy else entry.remedy,
            fields=tuple(pointer for pointer in fields[:_MAX_FIELDS] if self._is_pointer(pointer)),
            duration_ms=seconds * 1000,
        )

    def title(self, code: str) -> str | None:
        """Return what a code means; None where nobody knows."""
        entry = self._entry(code)
        return None if entry is None else entry.title

    def failure(self, name: str, error: CheckFailedError) -> Check:
        """Make the check that a failure stands for which was raised outside a check."""
        fields = error.fields or ()
        return self.check(name, "failed", error.check_code, message=error.text, hint=error.hint, fields=fields)

    def word(self, name: str) -> str:
        """Return the name of a check or of a fact."""
        return name if name in self._known else self._clean(name, limit=50)

    def line(self, text: str) -> str:
        """Return a line for the operator's log."""
        return self._clean(text, limit=_MAX_LOG_LINE)

    def fact(self, value: Any) -> Any:
        """Return a fact as JSON: a text, a number, true, false, a list of texts; null for everything else.

        A number that is a secret, such as a PIN, is none that may be shown.
        """
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self._text(str(item)) for item in value[:_MAX_ITEMS] if self._characters_left > 0]
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float) and -_MAX_INTEGER <= value <= _MAX_INTEGER:
            return value if self._clean(str(value)) == str(value) else REDACTED
        return None

    def _text(self, value: str) -> str:
        text = self._clean(value)[: self._characters_left]  # cut after: half a secret would not be recognised
        self._characters_left -= len(text)
        return text

    def _entry(self, code: str) -> Code | CheckCode | None:
        return CODES.get(code) or self._codes.get(code)

    def _code(self, code: object) -> str:
        """Return a code that can be one: some authors will write a sentence there, or an exception's text."""
        if isinstance(code, str) and (self._entry(code) or (_CODE.fullmatch(code) and self._clean(code) == code)):
            return code
        return "check_failed"

    def _is_pointer(self, pointer: object) -> bool:
        if not isinstance(pointer, str) or not pointer.startswith("/"):
            return False
        field, _, below = pointer[1:].partition("/")
        return field in self._fields and self._clean(below) == below
