"""What a person gives to `add` and `edit`: `--set`, `--unset`, `--secret-file`, `--secret-env`, `--from-file`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wellhead import strict_json
from wellhead.errors import InputError, InputProblem, MalformedJSONError
from wellhead.model.pointer import place

Parameters = Sequence[Mapping[str, Any]]
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def read_assignments(texts: Sequence[str], parameters: Parameters) -> dict[str, Any]:
    """Read `key=value` texts; the value is read as the parameter's type, `key.inner=value` sets an entry of a map.

    Raises:
        InputError: A text has another form, its value is of another type, or the key is a secret.
    """
    known = {parameter["name"]: parameter for parameter in parameters}
    document: dict[str, Any] = {}
    for text in texts:
        key, value = _split(text, "--set KEY=VALUE")
        name, *inner = key.split(".", 1)
        parameter = known.get(name, {})
        if parameter.get("secret"):
            hint = f"Use --secret-file {key}=PATH or --secret-env {key}=VARIABLE, or leave it out to be asked."
            raise _wrong(name, "Secrets are not taken from arguments, which other users can see.", hint)
        kind = "string" if inner else str(parameter.get("type", "string"))
        _put(document, (name, *inner), typed(name, value, kind))
    return document


def read_removals(keys: Sequence[str]) -> dict[str, Any]:
    """Read the keys of fields, or of entries of maps, that are to be taken away, as a merge patch.

    Raises:
        InputError: A map is named, and an entry of it.
    """
    document: dict[str, Any] = {}
    for key in keys:
        _put(document, tuple(key.split(".", 1)), None)
    return document


def read_secret_files(texts: Sequence[str]) -> dict[str, Any]:
    """Read secrets from files given as `key=path`; `-` is standard input. One line break at the end is left out.

    Raises:
        InputError: A text has another form, or the file cannot be read.
    """
    document: dict[str, Any] = {}
    for text in texts:
        key, path = _split(text, "--secret-file KEY=PATH")
        try:
            content = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise _wrong(key, f"The file {path} cannot be read as text.") from None
        _put(document, tuple(key.split(".", 1)), content.removesuffix("\n").removesuffix("\r"))
    return document


def read_secret_variables(texts: Sequence[str]) -> dict[str, Any]:
    """Read secrets from variables given as `key=NAME`.

    Raises:
        InputError: A text has another form, or the variable is not set.
    """
    document: dict[str, Any] = {}
    for text in texts:
        key, variable = _split(text, "--secret-env KEY=VARIABLE")
        if variable not in os.environ:
            raise _wrong(key, f"The variable {variable} is not set.")
        _put(document, tuple(key.split(".", 1)), os.environ[variable])
    return document


def read_file(path: Path | None) -> dict[str, Any]:
    """Read a JSON document; `-` is standard input.

    Raises:
        InputError: It cannot be read, or is not a JSON object.
    """
    if path is None:
        return {}
    try:
        text = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError:
        raise _wrong("--from-file", f"The file {path} cannot be read.") from None
    try:
        return strict_json.parse_object(text)
    except MalformedJSONError as error:
        raise _wrong("--from-file", error.problems[0].message) from None


def merged(*documents: Mapping[str, Any]) -> dict[str, Any]:
    """Merge documents; of a map that several have, the entries are put together."""
    result: dict[str, Any] = {}
    for document in documents:
        for name, value in document.items():
            both = isinstance(result.get(name), dict) and isinstance(value, dict)
            result[name] = {**result[name], **value} if both else value
    return result


def typed(name: str, text: str, kind: str) -> Any:
    """Read a text as a value of a JSON type.

    Raises:
        InputError: It is none.
    """
    if kind == "string":
        return text
    if kind == "boolean":
        if text.lower() not in _BOOLEANS:
            raise _wrong(name, "Must be true or false.")
        return _BOOLEANS[text.lower()]
    try:
        return strict_json.parse(text.encode("utf-8", errors="replace"))
    except MalformedJSONError:
        raise _wrong(name, f"Must be of type {kind}, written as JSON.") from None


def _put(document: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    try:
        place(document, path, value)
    except TypeError:
        raise _wrong(path[0], "It is given as one value and as a map with entries. Give one of the two.") from None


def _split(text: str, form: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise _wrong(form, f"Write it as {form}.")
    return key, value


def _wrong(name: str, message: str, hint: str | None = None) -> InputError:
    return InputError([InputProblem(f"/{name}" if not name.startswith("-") else name, "bad_format", message, hint)])
