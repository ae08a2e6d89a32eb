"""From a document that somebody sent to a configuration: shorthands, echoes, merge patches and kept secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from wellhead import clock
from wellhead.errors import InputError, InputProblem, RevisionMismatchError
from wellhead.model.connection_string import CONNECTION_STRING
from wellhead.model.pointer import Path, from_pointer, place
from wellhead.model.problems import problems_of
from wellhead.model.secret import SecretFacts
from wellhead.model.shape import SECRET, Fields, Map, Node, Shape
from wellhead.model.source import SERVER_FIELDS, DataSourceConfig
from wellhead.storage.stored import StoredDataSource

Document = Mapping[str, Any]
_IGNORED = ("updated_at", "state", "health")
_UNSAVED_NAME = "unsaved"
_PERHAPS_EXPANDED = ("required", "not_applicable")
"""What cannot be known of the other fields while a shorthand does not fit."""


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
    return _read(shape, _without_null_entries(shape.root, _expand(shape, given, problems)), problems)


def read_replacement(shape: Shape, stored: StoredDataSource, document: Document) -> DataSourceConfig:
    """Read a document that replaces a data source. It names its type; secrets that it leaves out are kept.

    Raises:
        InputError: It does not fit.
    """
    problems = _echo_problems(stored, document)
    if document.get("type") is None:
        problems.insert(0, InputProblem("/type", "required", "The field is required."))
    given = {name: value for name, value in document.items() if name not in (*SERVER_FIELDS, *_IGNORED)}
    given = _without_null_entries(shape.root, _expand(shape, given, problems)) | _fixed_fields(stored)
    kept = {
        pointer: facts
        for pointer, facts in stored.facts.items()
        if _is_left_out(shape.root, given, from_pointer(pointer))
    }
    config, more = _fitted(shape, _with_secrets(given, kept))
    # Where the document has another member of a union, that may have no place for a secret of the former one.
    strange = {problem.pointer for problem in more if problem.code == "unknown_field"} & kept.keys()
    if strange:
        remaining = {pointer: facts for pointer, facts in kept.items() if pointer not in strange}
        return _read(shape, _with_secrets(given, remaining), problems)
    return _accepted(config, [*problems, *more])


def read_patch(shape: Shape, stored: StoredDataSource, patch: Document) -> DataSourceConfig:
    """Read a merge patch of a data source (RFC 7396). A secret is one value: it is replaced whole.

    Raises:
        InputError: The result does not fit.
    """
    problems = _echo_problems(stored, patch)
    given = {name: value for name, value in patch.items() if name not in (*SERVER_FIELDS, *_IGNORED)}
    current = {name: value for name, value in stored.as_document().items() if name not in (*SERVER_FIELDS, *_IGNORED)}
    merged = _merge(shape.root, current, _expand(shape, given, problems)) | _fixed_fields(stored)
    config, more = _fitted(shape, merged)
    # Another member of a union may have no place for a secret of the former one, which null clears.
    cleared = [from_pointer(problem.pointer) for problem in more if problem.code == "unknown_field"]
    cleared = [path for path in cleared if shape.node_at(path) is SECRET and _take_null(merged, path)]
    return _read(shape, merged, problems) if cleared else _accepted(config, [*problems, *more])


def check_echoed_revision(stored: StoredDataSource, document: Document) -> None:
    """Hold the revision that a document echoes from a read.

    Raises:
        RevisionMismatchError: Another one is stored.
    """
    revision = document.get("revision")
    if type(revision) is int and revision != stored.revision:
        raise RevisionMismatchError(stored=stored.revision or 0)


def _expand(shape: Shape, given: dict[str, Any], problems: list[InputProblem]) -> dict[str, Any]:
    """Take shorthands apart; if one does not fit, tell that with all that is wrong besides."""
    try:
        return shape.model.expand_input(given)
    except InputError as error:
        rest = {name: value for name, value in given.items() if name != CONNECTION_STRING}
        besides = [problem for problem in _fitted(shape, rest)[1] if problem.code not in _PERHAPS_EXPANDED]
        raise InputError([*problems, *error.problems, *besides]) from None


def _read(shape: Shape, document: dict[str, Any], problems: list[InputProblem]) -> DataSourceConfig:
    """Validate a document with the type's own model."""
    config, more = _fitted(shape, document)
    return _accepted(config, [*problems, *more])


def _accepted(config: DataSourceConfig | None, problems: list[InputProblem]) -> DataSourceConfig:
    if config is None or problems:
        raise InputError(problems)
    return config


def _fitted(shape: Shape, document: dict[str, Any]) -> tuple[DataSourceConfig | None, list[InputProblem]]:
    """Return the configuration, or None and what is wrong."""
    try:
        return shape.model.model_validate_json(json.dumps(document), strict=True), []
    except ValidationError as error:
        return None, problems_of(error, document, shape)
    except Exception:  # noqa: BLE001  # a model's own rules are foreign code; what they raise may hold what was sent
        return None, [InputProblem("", "value_error", "The value breaks a rule of the type.")]


def _fixed_fields(stored: StoredDataSource) -> dict[str, Any]:
    """Return what no document changes; one that tries to has been told by then."""
    document = stored.as_document()
    return {name: document[name] for name in (*SERVER_FIELDS, "type")}


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


def _with_secrets(document: dict[str, Any], kept: Mapping[str, SecretFacts]) -> dict[str, Any]:
    """Return a copy of a document with the facts of secrets that it leaves out."""
    copy = deepcopy(document)
    for pointer, facts in kept.items():
        place(copy, from_pointer(pointer), facts.as_document())
    return copy


def _is_left_out(node: Node, document: Any, path: Path) -> bool:
    """Tell whether a document leaves out a secret, so that it is kept.

    A key that is missing from a map that was sent is a removal; so is what lay in an object that was not sent.
    """
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


def _take_null(document: Any, path: Path) -> bool:
    """Take a null out of nested objects; tell whether there was one."""
    *parents, last = path
    for part in parents:
        document = document.get(part, {})
    return last in document and document[last] is None and document.pop(last) is None


def _without_null_entries(node: Node, document: Any) -> Any:
    """Take entries of maps of secrets out that are null: that clears them."""
    if not isinstance(document, Mapping) or not isinstance(node, Fields | Map):
        return document
    return dict(_entries(node, document))


def _entries(node: Fields | Map, document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        below = node.values if isinstance(node, Map) else node.fields.get(name)
        if isinstance(node, Map) and below is SECRET and value is None:
            continue
        yield name, value if below is None else _without_null_entries(below, value)


def _merge(node: Node | None, target: Any, patch: Any) -> Any:
    """Apply a merge patch (RFC 7396); null clears a secret, and removes everything else.

    A null for a field that neither the model nor the target has stays, so that a misspelt name is told.
    """
    if not isinstance(patch, Mapping) or node is SECRET:
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        below = node.values if isinstance(node, Map) else node.fields.get(name) if isinstance(node, Fields) else None
        is_unknown = isinstance(node, Fields) and below is None and name not in merged
        if value is None and not is_unknown and not (below is SECRET and isinstance(node, Fields)):
            merged.pop(name, None)
        else:
            merged[name] = _merge(below, merged.get(name), value)
    return merged
