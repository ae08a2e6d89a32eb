"""Rules for what a type says of its fields, and which of them are secret."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from wellhead.model.parameters import ABBREVIATIONS, title_of
from wellhead.model.shape import SECRET, Fields, Map, Node, flat
from wellhead.model.source import BASE_FIELDS
from wellhead.plugins.registry import RegisteredType
from wellhead.testing.kit.outcomes import Finding
from wellhead.testing.kit.samples import lacking_in_example
from wellhead.testing.kit.subject import Subject

_MAX_TITLE = 60
_LEAST_DESCRIPTION = 10
_SECRET_WORDS = frozenset(
    """
    password passwd passphrase pwd secret secrets token credential credentials key apikey pin
    """.split()  # noqa: SIM905  # it is read more easily
)
_PUBLIC_WORDS = frozenset(
    """
    public primary foreign partition sort header headers name names prefix id file path column field type url uri
    algorithm length size count fingerprint store alias endpoint
    """.split()  # noqa: SIM905  # it is read more easily
)


def check_titles(subject: Subject) -> Iterator[Finding]:
    """Find fields whose title is none for people."""
    for known in subject.types:
        for place, name, info in _fields_of(known):
            title = info.title or title_of(name)
            if lower := [word for word in title.split() if word.lower() in ABBREVIATIONS and not _has_capitals(word)]:
                yield Finding(
                    f"{place} is shown as '{title}': give it a title in which {lower[0].upper()} is in capitals."
                )
            elif "_" in title or len(title) > _MAX_TITLE or not title[:1].isupper() or title != title.strip():
                yield Finding(f"{place} is shown as '{title}': a title is a few words, the first with a capital.")


def check_descriptions(subject: Subject) -> Iterator[Finding]:
    """Find types and fields without a description."""
    for known in subject.types:
        if len(known.description or "") < _LEAST_DESCRIPTION:
            yield Finding(f"Type '{known.name}' has no description: write a docstring for {known.model.__name__}.")
        for place, name, info in _fields_of(known):
            said = (info.description or "").strip()
            if len(said) < _LEAST_DESCRIPTION or said.rstrip(".").lower() == title_of(name).lower():
                yield Finding(f"{place} has no description: say in one sentence what to write there.")


def check_examples(subject: Subject) -> Iterator[Finding]:
    """Find types of which there is no whole example: with secrets put in, the API would not take it."""
    for known in subject.types:
        if lacking := sorted(lacking_in_example(known)):
            named = ", ".join(lacking)
            yield Finding(f"Type '{known.name}' has no whole example: give examples to {named}, or to DataSourceType.")


def check_secret_names(subject: Subject) -> Iterator[Finding]:
    """Find fields that are named like a secret, and are none."""
    for known in subject.types:
        for place, name, info in _fields_of(known):
            if _sounds_secret(name) and _holds_text(info) and not _is_secret(known, place):
                yield Finding(f"{place} is named like a secret: make it wellhead.Secret, or give it another name.")


def list_harmless(subject: Subject) -> Iterator[Finding]:
    """List the fields that can be changed without sending the secrets anew."""
    for known in subject.types:
        harmless = [item["name"] for item in known.parameters if item["harmless"]]
        if harmless and known.shape.secret_fields():
            text = f"Type '{known.name}': whoever may change {', '.join(harmless)} keeps the stored secrets."
            yield Finding(text, is_defect=False)


def _sounds_secret(name: str) -> bool:
    words = set(name.lower().split("_"))
    return bool(words & _SECRET_WORDS) and not words & _PUBLIC_WORDS


def _holds_text(info: FieldInfo) -> bool:
    return any(part is str for part in flat(info.annotation))


def _is_secret(known: RegisteredType, place: str) -> bool:
    node: Node = known.shape.root
    for part in place.split(".")[1:]:
        node = node.values if isinstance(node, Map) else node
        if not isinstance(node, Fields) or part not in node.fields:
            return False
        node = node.fields[part]
    return node is SECRET or (isinstance(node, Map) and node.values is SECRET)


def _has_capitals(word: str) -> bool:
    return re.search("[A-Z].*[A-Z0-9]", word) is not None


def _fields_of(known: RegisteredType) -> Iterator[tuple[str, str, FieldInfo]]:
    """Go through a type's own fields and those of nested models: each with its place, its name and what it is."""
    for name, info in known.model.model_fields.items():
        if name not in BASE_FIELDS:
            yield from _with_nested(f"{known.name}.{name}", name, info)


def _with_nested(place: str, name: str, info: FieldInfo) -> Iterator[tuple[str, str, FieldInfo]]:
    yield place, name, info
    for item in flat(info.annotation):
        if isinstance(item, type) and issubclass(item, BaseModel):
            for inner, below in item.model_fields.items():
                yield from _with_nested(f"{place}.{inner}", inner, below)
