"""What the operator chose: which plugins are used, and which one provides a type that several claim."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from wellhead.plugins.reports import PluginRefusedError

ALLOW, DENY, PREFER = "WELLHEAD_PLUGINS_ALLOW", "WELLHEAD_PLUGINS_DENY", "WELLHEAD_PLUGINS_PREFER"


def normalized(distribution: str) -> str:
    """Return the name of a distribution as it is compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


@dataclass(frozen=True, slots=True)
class PluginChoice:
    """Which plugins are used.

    Attributes:
        allow: The distributions that may be used; every one if there is none.
        deny: The distributions that are not used, whatever allows them.
        prefer: For a type that several claim, the distribution that provides it.
    """

    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    prefer: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, allow: Iterable[str], deny: Iterable[str], prefer: Iterable[str]) -> Self:
        """Read the settings' values, whose form the settings have checked; `prefer` is of `type=distribution`."""
        preferred = dict(rule.split("=", 1) for rule in prefer)
        return cls(
            frozenset(map(normalized, allow)),
            frozenset(map(normalized, deny)),
            {name: normalized(distribution) for name, distribution in preferred.items()},
        )

    def check(self, distribution: str) -> None:
        """Hold what was chosen for a distribution.

        Raises:
            PluginRefusedError: `disabled`: it is not to be used.
        """
        name = normalized(distribution)
        if name in self.deny:
            raise PluginRefusedError("disabled", f"{DENY} names it.", f"To use it, take {name} out of {DENY}.")
        if self.allow and name not in self.allow:
            raise PluginRefusedError("disabled", f"{ALLOW} does not name it.", f"To use it, add {name} to {ALLOW}.")

    def prefers(self, type_name: str, distribution: str) -> bool:
        """Tell whether a type is to come from a distribution."""
        return self.prefer.get(type_name) == normalized(distribution)
