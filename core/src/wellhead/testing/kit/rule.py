"""What a rule for plugins is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wellhead.testing.kit.outcomes import Finding
from wellhead.testing.kit.subject import Subject


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule for plugins.

    Attributes:
        number: Its number, which it keeps for ever.
        name: A few words that name it.
        claim: What is true of a good plugin, in one sentence.
        remedy: What to do where it is not.
        check: Finds where it is broken.
        seconds: How long that may take, or each part of it that it tells of.
    """

    number: str
    name: str
    claim: str
    remedy: str
    check: Callable[[Subject], Iterator[Finding]]
    seconds: float = 10.0
