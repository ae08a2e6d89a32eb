"""The rule that a model judges any text in no time: the service waits for it, with all its users."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from wellhead.model.shape import flat
from wellhead.plugins.registry import RegisteredType
from wellhead.testing.kit.outcomes import Finding
from wellhead.testing.kit.samples import Document, examples_of
from wellhead.testing.kit.subject import Subject

LENGTH = 100_000
LIMIT_SECONDS = 1.0
_PIECES = ("a", "1", " ", "a1", "a.", "a@", "a,", "/", "%41", "-----BEGIN A-----", "-----BEGIN PRIVATE KEY-----")


def check_speed(subject: Subject) -> Iterator[Finding]:
    """Give long texts, which expressions that backtrack take for ever over, to each field that takes a text."""
    for known in subject.types:
        for example in examples_of(known)[:1]:
            for name, info in known.model.model_fields.items():
                parts = list(flat(info.annotation))
                if str in parts or name in known.shape.secret_fields():
                    subject.say(f"{known.name}.{name}, with a text of {LENGTH:,} characters")
                    yield from _slow(known, example, name)


def _slow(known: RegisteredType, example: Document, name: str) -> Iterator[Finding]:
    for text in _texts():
        took = _seconds_for(known, {**example, name: _placed(known, name, text)})
        if took > LIMIT_SECONDS:
            yield Finding(f"{known.name}.{name} takes {took:.1f} seconds over a text of {LENGTH:,} characters.")
            return


def _texts() -> Iterator[str]:
    for piece in _PIECES:
        text = piece * (LENGTH // len(piece))
        yield from (text, f"{text}!")


def _placed(known: RegisteredType, name: str, text: str) -> Any:
    """Put a text where the field has one: in a list, or in a map, if it is one of texts."""
    kind = next((item["type"] for item in known.parameters if item["name"] == name), "string")
    return {"array": [text], "object": {"X-Sample": text}}.get(kind, text)


def _seconds_for(known: RegisteredType, document: Mapping[str, Any]) -> float:
    content = json.dumps(document)
    started = time.process_time()
    with suppress(ValidationError):
        known.model.model_validate_json(content, strict=True)
    return time.process_time() - started
