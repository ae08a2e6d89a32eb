"""From a document that somebody sent to a configuration: shorthands, echoes, merge patches and kept secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from wellhead import clock
from wellhead.errors import InputError, InputProblem, RevisionMismatchError
from wellhead.model.pointer import Path, from_pointer, place
from wellhead.model.problems import problems_of
from wellhead.model.shape import SECRET, Fields, Map, Node, Shape
from wellhead.model.source import SERVER_FIELDS, DataSourceConfig
from wellhead.storage.stored import StoredDataSource

Document = Mapping[str, Any]
_IGNORED = ("updated_at", "state", "health")
_UNSAVED_NAME = "unsaved"


def read_new(shape: Shape, document: Document, *, needs_name: bool = True) -> DataSourceConfig:
    """Read a document that describes a new data source.

    Args:
        shape: The shape of its type.
        document: What was sent.
        needs_name: False where a document without a name will do.

    Raises:
        InputError: It does not fit.
    """
    echoed = [name for name in SERVER_FIELDS if name not in _IGNORED and document.get(name) is not None]
    problems = [InputProblem(f"/{name}", "immutable", "Made by the server. Leave it out.") for name in echoed]
    given = {name: value for name, value in document.items() if name not in (*SERVER_FIELDS, *_IGNORED)}
    if not needs_name:
        given.setdefault("name", _UNSAVED_NAME)
    return _read(shape, _without_null_entries(shape.root, shape.model.expand_input(given)), problems)


def read_replacement(shape: Shape, stored: StoredDataSource, document: Document) -> DataSourceConfig:
    """Read a document that replaces a data source. Secrets that it leaves out are kept.

    Raises:
        InputError: It does not fit.
    """
    problems = _echo_problems(stored, document)
    given = {name: value for name, value in document.items() if name not in (*SERVER_FIELDS, *_IGNORED)}
    given.setdefault("type", stored.type)
    given = _without_null_entries(shape.root, shape.model.expand_input(given))
    _keep_secrets(shape.root, given, stored)
    return _read(shape, given | _server_fields(stored), problems)


def read_patch(shape: Shape, stored: StoredDataSource, patch: Document) -> DataSourceConfig:
    """Read a merge patch of a data source (RFC 7396). A secret is one value: it is replaced whole.

    Raises:
        InputError: The result does not fit.
    """
    problems = _echo_problems(stored, patch)
    given = {name: value for name, value in patch.items() if name not in (*SERVER_FIELDS, *_IGNORED)}
    current = {name: value for name, value in stored.as_document().items() if name not in (*SERVER_FIELDS, *_IGNORED)}
    merged = _merge(shape.root, current, shape.model.expand_input(given))
    return _read(shape, merged | _server_fields(stored), problems)


def check_echoed_revision(stored: StoredDataSource, document: Document) -> None:
    """Hold the revision that a document echoes from a read.

    Raises:
        RevisionMismatchError: Another one is stored.
    """
    revision = document.get("revision")
    if type(revision) is int and revision != stored.revision:
        raise RevisionMismatchError(stored=stored.revision or 0)


def _read(shape: Shape, document: dict[str, Any], problems: list[InputProblem]) -> DataSourceConfig:
    """Validate a document with the type's own model."""
    try:
        config = shape.model.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        problems = [*problems, *problems_of(error, document, shape)]
    if problems:
        raise InputError(problems)
    return config


def _server_fields(stored: StoredDataSource) -> dict[str, Any]:
    document = stored.as_document()
    return {name: document[name] for name in SERVER_FIELDS}


def _echo_problems(stored: StoredDataSource, document: Document) -> list[InputProblem]:
    """Compare what a document echoes of what the server made."""
    current = stored.as_document()
    message = "It cannot be changed. Leave it out, or send back what a read returned."
    problems = []
    for name in ("id", "type", "created_at"):
        echoed = document.get(name)
        if echoed is not None and echoed != current[name] and not _same_instant(echoed, current[name]):
            problems.append(InputProblem(f"/{name}", "immutable", message))
    revision = document.get("revision")
    if revision is not None and type(revision) is not int:
        problems.append(InputProblem("/revision", "wrong_type", "Must be an integer."))
    return problems


def _same_instant(one: Any, other: Any) -> bool:
    """Compare two instants, in whatever way a client wrote them."""
    try:
        return clock.from_text(one) == clock.from_text(other)
    except (TypeError, ValueError):
        return False


def _keep_secrets(root: Fields, document: dict[str, Any], stored: StoredDataSource) -> None:
    """Put the facts of stored secrets where the document leaves the secrets out.

    A key that is missing from a map that was sent is a removal; so is what lay in an object that was not sent.
    """
    for pointer, facts in stored.facts.items():
        path = from_pointer(pointer)
        if _is_left_out(root, document, path):
            place(document, path, facts.as_document())


def _is_left_out(node: Node, document: Any, path: Path) -> bool:
    first, *rest = path
    if not isinstance(document, Mapping):
        return False
    if isinstance(node, Map):
        return bool(rest) and first in document and _is_left_out(node.values, document[first], tuple(rest))
    if not isinstance(node, Fields) or first not in node.fields:
        return False
    below = node.fields[first]
    if first not in document:
        return below is SECRET or (isinstance(below, Map) and below.values is SECRET)
    return bool(rest) and _is_left_out(below, document[first], tuple(rest))


def _without_null_entries(node: Node, document: Any) -> Any:
    """Take entries of maps of secrets out that are null: that clears them."""
    if not isinstance(document, Mapping) or not isinstance(node, Fields | Map):
        return document
    return {name: value for name, value in _entries(node, document)}


def _entries(node: Fields | Map, document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        below = node.values if isinstance(node, Map) else node.fields.get(name)
        if isinstance(node, Map) and below is SECRET and value is None:
            continue
        yield name, value if below is None else _without_null_entries(below, value)


def _merge(node: Node | None, target: Any, patch: Any) -> Any:
    """Apply a merge patch (RFC 7396); null clears a secret, and removes everything else."""
    if not isinstance(patch, Mapping) or node is SECRET:
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        below = node.values if isinstance(node, Map) else node.fields.get(name) if isinstance(node, Fields) else None
        if value is None and not (below is SECRET and isinstance(node, Fields)):
            merged.pop(name, None)
        else:
            merged[name] = _merge(below, merged.get(name), value)
    return merged
