"""The rule that a model keeps secrets: in what it shows of itself, and in what it says where something is wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote

from pydantic import ValidationError

from wellhead.model.source import BASE_FIELDS, DataSourceConfig
from wellhead.plugins.registry import RegisteredType
from wellhead.testing.kit.outcomes import Finding
from wellhead.testing.kit.samples import Document, Secretive, secretive_documents
from wellhead.testing.kit.subject import Subject

_OTHER_VALUES = ("", "x", "no.such.example", -1, {"no": ["value"]}, None)


def spellings(needle: str) -> set[str]:
    """Return the ways in which a secret may be written: as it is, in a URL, in JSON, in base64, in hexadecimal."""
    data = needle.encode()
    return {
        needle,
        quote(needle, safe=""),
        json.dumps(needle)[1:-1],
        base64.b64encode(data).decode().rstrip("="),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
        data.hex(),
    }


def is_in(needle: str, text: str) -> bool:
    """Tell whether a secret is in a text, in whatever spelling."""
    return any(spelling in text for spelling in spellings(needle))


def check_model(subject: Subject) -> Iterator[Finding]:
    """Make models with a secret like no other text, and with mistakes beside it; look for it in all that is said."""
    for known in subject.types:
        leaks = {leak for found in secretive_documents(known) for leak in _leaks(known, found)}
        yield from (Finding(f"{known.name}.{place} is in {where}.") for place, where in sorted(leaks))


def _leaks(known: RegisteredType, found: Secretive) -> Iterator[tuple[str, str]]:
    for document in [found.document, *_with_mistakes(known, found)]:
        for where, text in _said(known, document):
            if is_in(found.needle, text):
                yield found.place, where


def _with_mistakes(known: RegisteredType, found: Secretive) -> Iterator[Document]:
    for name in known.model.model_fields:
        if name not in {*BASE_FIELDS, found.place}:
            yield from ({**found.document, name: value} for value in _OTHER_VALUES)


def _said(known: RegisteredType, document: Document) -> Iterator[tuple[str, str]]:
    """Go through the texts that come of a document: what the model shows, or what it says is wrong."""
    try:
        config = known.model.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        yield "the text of a validation error", f"{error} {error!r}"
        return
    except Exception as error:  # noqa: BLE001  # a model's own rules are foreign code
        yield "the text of an exception that a rule of the model raises", f"{error} {error!r}"
        return
    yield from _shown(config)


def _shown(config: DataSourceConfig) -> Iterator[tuple[str, str]]:
    yield "repr() of the model", repr(config)
    yield "str() of the model", str(config)
    yield "model_dump_json()", config.model_dump_json()
    yield "model_dump()", repr(config.model_dump())
