"""What a person gives to `add`: `--set`, `--secret-file`, `--secret-env`, `--from-file`, and answers to questions."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

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
        _put(document, (name, *inner), _typed(name, value, kind))
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


def ask(document: dict[str, Any], parameters: Parameters) -> dict[str, Any]:
    """Ask for what a type needs and was not given. Secrets are not shown while they are typed.

    Args:
        document: What was given.
        parameters: The type's parameters.

    Returns:
        The document with the answers.
    """
    answered = dict(document)
    if "name" not in answered:
        answered["name"] = typer.prompt("Name", err=True)
    if "connection_string" in answered:
        return answered
    for parameter in _to_ask(answered, parameters):
        name = parameter["name"]
        if parameter["secret"]:
            value = typer.prompt(_label(parameter), default="", hide_input=True, show_default=False, err=True)
        else:
            default = None if parameter["default"] is None else str(parameter["default"])
            value = typer.prompt(_label(parameter), default=default, err=True)
        if value != "":
            answered[name] = _typed(name, value, parameter["type"])
    if _is_loopback(answered.get("host")) and "tls_mode" not in answered:
        text = "The server is on this machine. Connect without TLS (tls_mode=disable)?"
        if typer.confirm(text, default=True, err=True):
            answered["tls_mode"] = "disable"
    return answered


def _to_ask(answered: Mapping[str, Any], parameters: Parameters) -> Iterator[Mapping[str, Any]]:
    """Go through the parameters to ask for; which these are can depend on answers before."""
    deciding = {name for parameter in parameters for name in parameter.get("required_when") or ()}
    defaults = {parameter["name"]: parameter["default"] for parameter in parameters}
    for parameter in parameters:
        values = {**defaults, **answered}
        needed = _holds(parameter.get("required_when"), values)
        optional_secret = parameter["name"] == "password" and parameter["secret"]
        shown = parameter["visible_when"] is None or _holds(parameter["visible_when"], values)
        wanted = parameter["required"] or needed or parameter["name"] in deciding or optional_secret
        if wanted and shown and parameter["name"] not in answered and parameter["type"] != "object":
            yield parameter


def _holds(condition: Mapping[str, Sequence[Any]] | None, values: Mapping[str, Any]) -> bool:
    return condition is not None and all(values.get(name) in allowed for name, allowed in condition.items())


def _label(parameter: Mapping[str, Any]) -> str:
    extra = "" if not parameter["enum"] else f" ({', '.join(str(value) for value in parameter['enum'])})"
    optional = "" if parameter["required"] or parameter.get("required_when") else ", empty for none"
    hidden = f" (not shown{optional})" if parameter["secret"] else ""
    return f"{parameter['title']}{extra}{hidden}"


def _is_loopback(host: Any) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _typed(name: str, text: str, kind: str) -> Any:
    """Read a text as a value of a JSON type."""
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
