"""The fields of a form, in what order they come, and what is in them at first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "text", "lines", "number", "choice", "flag", "secret", "secret_lines", "map", "secrets", "group", "variant", "json"
]
"""How a field is filled in.

One line, several lines, a number, one of some values, yes or no, a secret, a secret of several lines, a map of texts, a
map of secrets, fields of a nested model, one of several nested models, or JSON for everything else.
"""

CONNECTION_STRING = "connection_string"
SHORTCUT, ABOUT = "Shortcut", "About"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a form.

    Attributes:
        name: What its inputs are called; it differs from `pointer` inside one of several nested models.
        pointer: Where its value stands in the document (JSON Pointer).
        key: The last part of that.
        kind: How it is filled in.
        title: What it is called.
        description: What it is for; None if nothing is told.
        required: Whether it has to be filled in.
        default: Its value if it is left out; None if there is none.
        choices: The values that it may have, of a `choice`, and of a `flag` that may be left open.
        types: The JSON types of its value, of those that can be typed on one line.
        placeholder: What it shows while it is empty.
        group: The heading under which it stands.
        visible_when: Keys of its neighbours, each with the values for which it applies; None if it always does.
        required_when: The same, for which it has to be filled in.
        max_length: How many characters it may have.
        fields: The fields of a `group`.
        variants: The fields of each of several nested models, by the value of `tag`.
        tag: The key of the field that says which of them it is.
        has_secrets: Whether there are secrets in it.
    """

    name: str
    pointer: str
    key: str
    kind: Kind
    title: str
    description: str | None = None
    required: bool = False
    default: Any = None
    choices: tuple[Any, ...] = ()
    types: frozenset[str] = frozenset()
    placeholder: str | None = None
    group: str | None = None
    visible_when: Mapping[str, list[Any]] | None = None
    required_when: Mapping[str, list[Any]] | None = None
    max_length: int | None = None
    fields: tuple[Field, ...] = ()
    variants: Mapping[str, tuple[Field, ...]] = field(default_factory=dict)
    tag: str = ""
    has_secrets: bool = False

    @property
    def id(self) -> str:
        """What its element is called in the page."""
        return "field" + self.name.replace("/", "-").replace("#", ".")

    def inner(self, value: Any) -> tuple[Field, ...]:
        """Return the fields inside it that go with a value."""
        if self.kind != "variant":
            return self.fields
        tag = value.get(self.tag) if isinstance(value, Mapping) else None
        return self.variants.get(tag, ()) if isinstance(tag, str) else ()


def groups_of(fields: Iterable[Field], title: str) -> dict[str, list[Field]]:
    """Put fields under their headings, in the order in which these come first; a shortcut comes before all.

    Args:
        fields: The fields.
        title: The heading of those that have none.
    """
    groups: dict[str, list[Field]] = {}
    for found in sorted(fields, key=lambda found: found.group != SHORTCUT):
        groups.setdefault(found.group or title, []).append(found)
    return groups


def defaults_of(fields: Iterable[Field]) -> dict[str, Any]:
    """Return what is in the fields of an empty form."""
    return {found.key: found.default for found in fields if found.default is not None}


def walk(fields: Iterable[Field], document: Mapping[str, Any]) -> Iterator[Field]:
    """Go through fields and those inside them that go with a document."""
    for found in fields:
        yield found
        value = document.get(found.key)
        yield from walk(found.inner(value), value if isinstance(value, Mapping) else {})
