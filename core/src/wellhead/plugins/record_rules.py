"""The rules for what a type's record says beside its model: texts, codes, migrations, and examples."""

from __future__ import annotations

import inspect
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from wellhead.codes import CODES
from wellhead.errors import InputError, TypeRefusedError
from wellhead.model.check_code import CheckCode
from wellhead.model.extension import DataSourceType
from wellhead.model.shape import Shape

CODE_NAME = re.compile(r"[a-z][a-z0-9]{0,19}(_[a-z0-9]{1,20}){0,4}")
"""Up to five words: a code that is shown in a result looks like this."""
_MAX_ICON, _MAX_TITLE, _MAX_TEXT = 16, 200, 400
_MAX_EXAMPLES = 20
_MAX_SCHEMA_VERSION = 1000
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_JOINER = "\u200d"
"""Joins emoji; of all the characters that are not seen themselves, the one that a text of one line may have."""


def check_record(record: DataSourceType) -> None:
    """Hold the rules for the texts, the codes and the migrations of a record.

    Raises:
        TypeRefusedError: `record`, `check-code`, `error-code`, `schema-version` or `migrations`.
    """
    texts = (record.title, record.description, record.docs_url)
    if not all(text is None or _is_text(text, _MAX_TEXT * 5) for text in texts):
        raise TypeRefusedError("record", "DataSourceType: title, description and docs_url are texts of one line.")
    if record.docs_url is not None and not re.match("https?://", record.docs_url):
        raise TypeRefusedError("record", "DataSourceType: docs_url begins with https:// or http://.")
    if record.icon is not None and not _is_text(record.icon, _MAX_ICON):
        raise TypeRefusedError(
            "record", f"DataSourceType: icon is an emoji or a short text, of up to {_MAX_ICON} characters."
        )
    _check_codes(record.codes)
    _check_errors(record)
    _check_migrations(record.schema_version, record.migrations)


def check_examples(name: str, shape: Shape, given: object) -> tuple[dict[str, Any], ...]:
    """Hold the rule for examples: each is a configuration that the API takes.

    Returns:
        The examples, whole: with `name` and `type`.

    Raises:
        TypeRefusedError: `example`.
    """
    if not isinstance(given, list | tuple) or len(given) > _MAX_EXAMPLES:
        raise TypeRefusedError("example", f"DataSourceType: examples is a list of up to {_MAX_EXAMPLES} mappings.")
    return tuple(_example(name, shape, item, place) for place, item in enumerate(given, start=1))


def _example(name: str, shape: Shape, item: object, place: int) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise TypeRefusedError("example", f"Example {place} of '{name}' is no mapping of fields to values.")
    document = {"name": f"my-{name}", "type": name, **item}
    if document["type"] != name:
        raise TypeRefusedError("example", f"Example {place} of '{name}' is of another type.")
    try:
        shape.model.model_validate_json(json.dumps(shape.model.expand_input(document)), strict=True)
    except ValidationError as error:
        fields = sorted({str(each["loc"][0]) for each in error.errors(include_input=False) if each["loc"]})
        which = f": see {', '.join(fields)}" if fields else ""
        raise TypeRefusedError("example", f"Example {place} of '{name}' does not fit its model{which}.") from None
    except (InputError, TypeError, ValueError):
        raise TypeRefusedError("example", f"Example {place} of '{name}' is not what the API takes.") from None
    return document


def _check_codes(codes: object) -> None:
    if not isinstance(codes, Mapping):
        raise TypeRefusedError("check-code", "DataSourceType: codes is a mapping of codes to wellhead.CheckCode.")
    for name, code in codes.items():
        if not isinstance(name, str) or not CODE_NAME.fullmatch(name):
            raise TypeRefusedError("check-code", "A code is of up to five lower-case words, joined by '_': my_code.")
        if not isinstance(code, CheckCode) or not _has_texts(code):
            raise TypeRefusedError(
                "check-code",
                f"Code '{name}' needs wellhead.CheckCode(title, cause=…, remedy=…): texts of one line, the title "
                f"of up to {_MAX_TITLE} characters, the others of up to {_MAX_TEXT}.",
            )
        if name in CODES and not _is_cores(name, code):
            raise TypeRefusedError(
                "check-code", f"Core has a code '{name}' already. Use it as it is, or take another name for yours."
            )


def _has_texts(code: CheckCode) -> bool:
    return _is_text(code.title, _MAX_TITLE) and all(_is_text(text, _MAX_TEXT) for text in (code.cause, code.remedy))


def _is_cores(name: str, code: CheckCode) -> bool:
    """Tell whether a code says what core's says, as that of a type does from which core has taken it over."""
    cores = CODES[name]
    return (cores.kind, cores.title, cores.cause, cores.remedy) == ("check", code.title, code.cause, code.remedy)


def _check_errors(record: DataSourceType) -> None:
    if not isinstance(record.errors, Mapping):
        raise TypeRefusedError("record", "DataSourceType: errors is a mapping of texts to codes.")
    for name, code in record.errors.items():
        if not isinstance(name, str) or not isinstance(code, str):
            raise TypeRefusedError("record", "DataSourceType: errors is a mapping of texts to codes.")
        if code not in record.codes and not (code in CODES and CODES[code].kind == "check"):
            raise TypeRefusedError(
                "error-code",
                f"Nobody knows '{code}', which '{name}' is to mean. Use a code of the catalogue, or add it to `codes`.",
            )


def _check_migrations(schema_version: object, migrations: object) -> None:
    """Hold that there is one migration from each version of the schema to the next, and no other."""
    if type(schema_version) is not int or not 1 <= schema_version <= _MAX_SCHEMA_VERSION:
        raise TypeRefusedError(
            "schema-version", f"DataSourceType: schema_version is a whole number from 1 to {_MAX_SCHEMA_VERSION}."
        )
    if not isinstance(migrations, Mapping) or any(type(version) is not int for version in migrations):
        raise TypeRefusedError("migrations", "DataSourceType: migrations is a mapping of schema versions to functions.")
    wanted = set(range(1, schema_version))
    if missing := sorted(wanted - migrations.keys()):
        raise TypeRefusedError(
            "migrations",
            f"A migration from schema version {missing[0]} to {missing[0] + 1} is missing in `migrations`.",
        )
    if extra := sorted(migrations.keys() - wanted):
        raise TypeRefusedError(
            "migrations",
            f"`migrations` has one from schema version {extra[0]}, but schema_version is {schema_version}: "
            "take it out, or raise schema_version.",
        )
    for version, migration in migrations.items():
        if not callable(migration) or inspect.iscoroutinefunction(migration):
            raise TypeRefusedError("migrations", f"The migration from schema version {version} is no plain function.")


def _is_text(text: object, limit: int) -> bool:
    """Tell whether something is a text of one line, with something to see in it."""
    if not isinstance(text, str) or not 0 < len(text.strip()) <= len(text) <= limit:
        return False
    return all(character == _JOINER or unicodedata.category(character) not in _INVISIBLE for character in text)
