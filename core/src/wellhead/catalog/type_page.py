"""The page of one type in Markdown, made from its model and its record: what a plugin's documentation would say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from wellhead.catalog.types import capabilities_of, examples_of
from wellhead.codes import CODES, Code
from wellhead.model.check_code import CheckCode
from wellhead.model.texts import spelled
from wellhead.plugins.registry import RegisteredType

_CONDITIONS = (("visible_when", "Only with"), ("required_when", "Required with"))
_CAPABILITIES = {
    "validate": "It can be validated.",
    "connection_string": "It takes a connection string in place of the fields.",
}


def type_page(found: RegisteredType) -> str:
    """Write the page of a type."""
    parts = [
        ("", _introduction(found)),
        ("Fields", parameter_table(found.parameters)),
        ("Secrets", _secrets(found)),
        ("Checks", _checks(found)),
        ("Codes", _codes(found)),
        ("Variables", _variables(found)),
        ("Examples", "\n\n".join(_block(example) for example in examples_of(found))),
    ]
    shown = [f"## {title}\n\n{text}" if title else text for title, text in parts if text]
    return "\n\n".join([f"# {found.title}", *shown]) + "\n"


def parameter_table(parameters: Iterable[Mapping[str, Any]]) -> str:
    """Write a table of parameters, a field a line."""
    rows = []
    for item in parameters:
        marks = [mark for mark in ("required", "secret", "harmless") if item[mark]]
        default = "" if item["default"] in (None, {}, "") else _code(json.dumps(item["default"], ensure_ascii=False))
        said = " ".join([item["description"] or "", *_values_and_conditions(item)])
        rows.append((_code(item["name"]), item["type"], ", ".join(marks), default, said.strip()))
    return table(("Field", "JSON type", "", "Default", "Meaning"), rows)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Write a table."""
    names = list(head)
    lines = [
        names,
        ["---"] * len(names),
        *([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows),
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _introduction(found: RegisteredType) -> str:
    """Say what it is, where it comes from, and what can be done with it."""
    origin = f", from {_code(found.distribution)} {found.version}" if found.distribution else ""
    said = [_CAPABILITIES[name] for name in capabilities_of(found)]
    said += [f"More is said at <{found.docs_url}>."] if found.docs_url else []
    return "\n\n".join(filter(None, [found.description, " ".join([f"Type {_code(found.name)}{origin}.", *said])]))


def _values_and_conditions(item: Mapping[str, Any]) -> Iterator[str]:
    """Say which values a field can have, and when it applies."""
    if item["enum"] and len(item["enum"]) > 1:
        yield f"One of {_listed(item['enum'])}."
    for key, word in _CONDITIONS:
        if item[key] and not (key == "visible_when" and item["required_when"]):
            yield f"{word} {', '.join(f'{_code(name)} {_listed(values)}' for name, values in item[key].items())}."


def _secrets(found: RegisteredType) -> str:
    stored = found.shape.secret_fields()
    secrets = [item["name"] for item in found.parameters if item["name"] in stored]
    if not secrets:
        return ""
    harmless = [item["name"] for item in found.parameters if item["harmless"]]
    but = f", but for {_listed(harmless)}," if harmless else ""
    return (
        f"{_listed(secrets)}: encrypted at rest, and never shown. Whoever changes another field{but} sends them again, "
        "because it may say where they go."
    )


def _checks(found: RegisteredType) -> str:
    """List the checks in their order, as far as the validator says what they are."""
    steps = tuple(getattr(found.validator, "steps", ()))
    if steps and found.shape.secret_fields():
        steps = ("secrets", *steps)
    return "\n".join(f"{place}. {_code(step)}" for place, step in enumerate(steps, start=1))


def _codes(found: RegisteredType) -> str:
    """Say what the codes mean that the type's record names: its own, and what its driver's errors become."""
    known: dict[str, Code | CheckCode] = {
        **{name: CODES[name] for name in found.errors.values() if name not in found.codes},
        **found.codes,
    }
    rows = ((_code(name), f"{code.title} {code.cause}", code.remedy) for name, code in known.items())
    listed = table(("Code", "What it means, and the likely cause", "What to do"), rows)
    return f"Besides those that every check can end with:\n\n{listed}" if known else ""


def _variables(found: RegisteredType) -> str:
    if not found.environment:
        return ""
    rows = ((_code(variable), _code(field)) for variable, field in found.environment.items())
    return f"{_code('wellhead run')} sets these for the type's own tools:\n\n{table(('Variable', 'From'), rows)}"


def _block(example: Mapping[str, Any]) -> str:
    return f"```json\n{json.dumps(example, ensure_ascii=False, indent=2)}\n```"


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(_code(spelled(value)) for value in values)


def _code(text: str) -> str:
    """Write a code span; around a text with a backtick, a longer one (CommonMark, 6.1)."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"
