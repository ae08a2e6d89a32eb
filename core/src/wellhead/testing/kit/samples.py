"""Documents that a type takes: its examples, with all that is required filled in, secrets too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from wellhead.catalog.documents import read_new
from wellhead.catalog.types import example_of
from wellhead.errors import InputError, InputProblem
from wellhead.model.pointer import from_pointer
from wellhead.model.shape import SECRET, Fields, Map
from wellhead.plugins.registry import RegisteredType
from wellhead.testing import certificates

Document = dict[str, Any]
SAMPLE_TEXTS = ("sample", "https://example.com/", "/sample", "sample.txt", "127.0.0.1", "12", "2026-11-23")
_ROUNDS = 8


def problems_of(known: RegisteredType, document: Mapping[str, Any]) -> list[InputProblem]:
    """Return what is wrong with a document, as the API's create path says it."""
    try:
        read_new(known.shape, document)
    except InputError as error:
        return list(error.problems)
    return []


def lacking_in_example(known: RegisteredType) -> set[str]:
    """Return the fields that are missing in an example of a type, or wrong; secrets are in none."""
    example = (*known.examples, example_of(known))[0]
    wrong = {(*from_pointer(problem.pointer), "the whole")[0] for problem in problems_of(known, example)}
    return wrong - known.shape.secret_fields()


def examples_of(known: RegisteredType) -> list[Document]:
    """Return the documents to start from that fit: the type's own examples, or one made of those of its fields."""
    given = [dict(example) for example in known.examples] or [example_of(known)]
    return [document for example in given if (document := completed(known, example)) is not None]


def completed(known: RegisteredType, document: Mapping[str, Any]) -> Document | None:
    """Fill in what is required and can be made up; None if it does not fit then."""
    filled = dict(document)
    for _ in range(_ROUNDS):
        problems = problems_of(known, filled)
        if not problems:
            return filled
        for name in {from_pointer(problem.pointer)[0] for problem in problems if problem.pointer.count("/") == 1}:
            codes = {problem.code for problem in problems if problem.pointer == f"/{name}"}
            if "not_applicable" in codes:
                filled.pop(name, None)
            elif codes & {"required", "secret_required"} and (sample := _sample(known, filled, name)) is not None:
                filled[name] = sample
    return None


def _sample(known: RegisteredType, document: Mapping[str, Any], name: str) -> Any:
    parameter = next((item for item in known.parameters if item["name"] == name), None)
    if parameter is None:
        return None
    numbers = (parameter.get("minimum", 1), parameter.get("maximum", 1))
    certificate = _pair().certificate
    enum = parameter["enum"] or ()
    made_up: tuple[Any, ...] = (*_secret_values("sample"), *SAMPLE_TEXTS, certificate, *numbers, True, {}, [])
    candidates = (*parameter["examples"], *enum, *made_up)
    return next((value for value in candidates if fits(known, {**document, name: value}, name)), None)


def fits(known: RegisteredType, document: Mapping[str, Any], name: str) -> bool:
    """Tell whether nothing is wrong with one field of a document, whatever is with the others."""
    return all(from_pointer(problem.pointer)[:1] != (name,) for problem in problems_of(known, document))


@dataclass(frozen=True, slots=True)
class Secretive:
    """A document with a secret that is like no other text.

    Attributes:
        document: The document.
        place: The name of the field that the secret is in.
        needle: The secret, or the part of it that is to be looked for.
    """

    document: Document
    place: str
    needle: str


def with_canaries(known: RegisteredType) -> Iterator[Secretive]:
    """Go through the secret fields of a type, each in a document in which it is set and which the type takes."""
    done = set()
    for found in secretive_documents(known):
        if found.place not in done and not problems_of(known, found.document):
            done.add(found.place)
            yield found


def secretive_documents(known: RegisteredType) -> Iterator[Secretive]:
    """Go through the secret fields of a type, each with secrets of several forms; the type may refuse some."""
    for example in examples_of(known)[:1]:
        for name in sorted(known.shape.secret_fields()):
            document = _where_it_applies(known, example, name)
            for value, needle in _canaries(name):
                placed = _placed(known.shape.root.fields[name], document.get(name), value)
                if placed is not None:
                    whole = {**document, name: placed}
                    yield Secretive(completed(known, whole) or whole, name, needle)


def _where_it_applies(known: RegisteredType, example: Document, name: str) -> Document:
    """Change a document so that the condition of a field holds."""
    condition = known.model.conditions.get(name)
    when = (condition.visible_when or {}) if condition is not None else {}
    return {**example, **{other: allowed[0] for other, allowed in when.items()}}


def _placed(node: object, held: Any, value: str) -> Any:
    """Put a secret into the value of a field, where its shape has one."""
    if node is SECRET:
        return value
    if isinstance(node, Map):
        inner = _placed(node.values, None, value)
        return None if inner is None else {"X-Sample": inner}
    if isinstance(node, Fields):
        kept = dict(held) if isinstance(held, Mapping) else {}
        placed = {name: inner for name, below in node.fields.items() if (inner := _placed(below, None, value))}
        return {**kept, **placed} or None
    return None


def _canaries(name: str) -> Iterator[tuple[str, str]]:
    """Make secrets of several forms, each with what is to be looked for: not all fields take all."""
    plain = f"Canary-{name.replace('_', '-')}-7f3a91c2d4e8"
    yield plain, plain
    key = _pair().key
    yield key, key.splitlines()[1]
    yield "738291046517", "738291046517"


def _secret_values(text: str) -> tuple[str, str]:
    return text, _pair().key


@cache
def _pair() -> certificates.Pair:
    return certificates.self_signed("sample", "localhost")
