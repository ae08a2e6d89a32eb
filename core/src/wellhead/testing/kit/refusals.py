"""The rule that a document which does not fit is refused, at the field that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wellhead.model.source import BASE_FIELDS
from wellhead.plugins.registry import RegisteredType
from wellhead.testing.kit.outcomes import Finding
from wellhead.testing.kit.samples import Document, examples_of, problems_of
from wellhead.testing.kit.subject import Subject

_UNKNOWN = "no_such_field"
_NO_OBJECT, _NO_TEXT = 12.5, {"no": ["value"]}


def check_refusals(subject: Subject) -> Iterator[Finding]:
    """Send each example with an unknown field, without each required field, and with values of other types."""
    for known in subject.types:
        for example in examples_of(known):
            yield from _missed(known, {**example, _UNKNOWN: "x"}, _UNKNOWN, "unknown_field", "an unknown field")
            for name, info in known.model.model_fields.items():
                if name in BASE_FIELDS:
                    continue
                if info.is_required() and name in example:
                    without = {other: value for other, value in example.items() if other != name}
                    yield from _missed(known, without, name, "required", f"without {name}")
                yield from _missed(known, {**example, name: _wrong(known, name)}, name, None, f"a wrong {name}")


def _wrong(known: RegisteredType, name: str) -> Any:
    kind = next(item["type"] for item in known.parameters if item["name"] == name)
    return _NO_OBJECT if kind in {"object", "array"} or name in known.shape.secret_fields() else _NO_TEXT


def _missed(known: RegisteredType, document: Document, name: str, code: str | None, what: str) -> Iterator[Finding]:
    """Find nothing where a document is refused at a field, with a code."""
    problems = problems_of(known, document)
    if not problems:
        yield Finding(f"Type '{known.name}' takes a document with {what}.")
    elif not any(_is_at(problem.pointer, name) and code in {None, problem.code} for problem in problems):
        said = ", ".join(f"{problem.code} at '{problem.pointer or '/'}'" for problem in problems)
        yield Finding(f"Type '{known.name}': {what} should be told at '/{name}', and not as {said}.")


def _is_at(pointer: str, name: str) -> bool:
    return pointer == f"/{name}" or pointer.startswith(f"/{name}/")
