"""The codes that a type adds to the catalogue: what each one means, why it happens and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CheckCode:
    """What a code of a type's own means. Whatever ends a check with the code need not say it again.

    Attributes:
        title: What it means, in one sentence of up to 200 characters; the message where a check says none.
        cause: Why it usually happens, for the type's documentation.
        remedy: What to do about it, in up to 400 characters; the hint where a check says none.
    """

    title: str
    cause: str
    remedy: str
