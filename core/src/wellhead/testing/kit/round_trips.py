"""The rule that what is saved comes back: through create, read and resolve."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from wellhead.errors import WellheadError
from wellhead.model.clear import in_clear
from wellhead.model.source import SERVER_FIELDS
from wellhead.plugins.registry import RegisteredType
from wellhead.testing.kit.opened import workspace_for
from wellhead.testing.kit.outcomes import Finding
from wellhead.testing.kit.samples import Document, examples_of, fits, problems_of, with_canaries
from wellhead.testing.kit.subject import Subject
from wellhead.workspace import Workspace

TEXTS: Mapping[str, str] = {
    "quotes": "a'b\"c`d",
    "percent signs": "50%25 %2F%s",
    "colons, slashes and an at sign": "a:b@c/d?e#f&g=h",
    "backslashes": "back\\slash\\n",
    "braces": "{a} ${b} <c>",
    "accents and emoji": "é ß 🗃️",
    "a text from right to left": "שלום עולם",
    "line breaks": "one\ntwo\ttab",
    "digits": "0123",
    "2,000 characters": "x" * 2000,
}


def check_round_trips(subject: Subject) -> Iterator[Finding]:
    """Save examples, and texts of all kinds in each field that takes them; read them, and resolve their secrets."""
    numbers = itertools.count()
    with workspace_for(subject) as (workspace, _):
        for known in subject.types:
            for what, document in _documents(known):
                subject.say(f"type '{known.name}' with {what}")
                name = f"trip-{next(numbers)}"
                yield from _trip(workspace, known, {**document, "name": name}, f"Type '{known.name}' with {what}")


def _documents(known: RegisteredType) -> Iterator[tuple[str, Document]]:
    examples = examples_of(known)
    yield from ((f"example {number}", example) for number, example in enumerate(examples, start=1))
    yield from ((f"a secret in {found.place}", found.document) for found in with_canaries(known))
    for example in examples[:1]:
        names = [item["name"] for item in known.parameters if item["type"] == "string" and not item["enum"]]
        for what, text in TEXTS.items():
            taking = [name for name in names if fits(known, {**example, name: text}, name)]
            whole = {**example, **dict.fromkeys(taking, text)}
            if not problems_of(known, whole):
                yield (what, whole)
            else:
                each = ((f"{what} in {name}", {**example, name: text}) for name in taking)
                yield from ((where, document) for where, document in each if not problems_of(known, document))


def _trip(workspace: Workspace, known: RegisteredType, document: Document, where: str) -> Iterator[Finding]:
    """Save a document, and compare what comes back with what the model made of it."""
    try:
        workspace.add(document)
        read, resolved = workspace.get(document["name"]), workspace.resolve(document["name"])
    except WellheadError as error:
        yield Finding(f"{where}: it does not come back ({error.code}).")
        return
    made = known.model.model_validate(known.model.expand_input(document), strict=False)
    wanted, secrets = _own(in_clear(made)), known.shape.secret_fields()
    for name in wanted:
        if name not in secrets and _own(read.model_dump(mode="json")).get(name) != wanted[name]:
            yield Finding(f"{where}: {name} is another one when it is read. A rule of the model changes it each time.")
        elif _own(in_clear(resolved)).get(name) != wanted[name]:
            yield Finding(f"{where}: {name} is another one when it is resolved. A rule of the model changes it.")


def _own(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in SERVER_FIELDS}
