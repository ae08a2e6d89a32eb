"""The questions that `add` asks on a terminal, and asks again where an answer did not fit."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import typer

from wellhead.cli.inputs import Parameters, typed
from wellhead.errors import InputError
from wellhead.model.pointer import from_pointer
from wellhead.model.texts import spelled

_NAME = {"name": "name", "title": "Name", "type": "string", "secret": False, "required": True}
_NAME_PARAMETER: Mapping[str, Any] = {**_NAME, "default": None, "enum": None}


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
        answered["name"] = _answer(_NAME_PARAMETER)
    if "connection_string" in answered:
        return answered
    for parameter in _to_ask(answered, parameters):
        value = _answer(parameter)
        if value != "":
            answered[parameter["name"]] = value
    if "tls_mode" in _names(parameters) - answered.keys() and _is_loopback(answered.get("host")):
        text = "The server is on this machine. Connect without TLS (tls_mode=disable)?"
        if typer.confirm(text, default=True, err=True):
            answered["tls_mode"] = "disable"
    return answered


def _names(parameters: Parameters) -> set[str]:
    return {parameter["name"] for parameter in parameters}


def can_ask(parameters: Parameters, pointers: Iterable[str]) -> bool:
    """Tell whether all that does not fit are fields that a question can be asked about."""
    known = {parameter["name"]: parameter for parameter in (_NAME_PARAMETER, *parameters)}
    paths = [from_pointer(pointer) for pointer in pointers]
    return all(len(path) == 1 and known.get(path[0], {}).get("type", "object") != "object" for path in paths)


def ask_again(document: Mapping[str, Any], parameters: Parameters, pointers: Iterable[str]) -> dict[str, Any]:
    """Ask for the fields that did not fit, and return the document with the new answers."""
    known = {parameter["name"]: parameter for parameter in (_NAME_PARAMETER, *parameters)}
    answered = dict(document)
    for name in dict.fromkeys(from_pointer(pointer)[0] for pointer in pointers):
        answered.pop(name, None)
        value = _answer(known[name])
        if value != "":
            answered[name] = value
    return answered


def _answer(parameter: Mapping[str, Any]) -> Any:
    """Ask for one field until the answer is of its type; a secret is not shown while it is typed."""

    def read(text: str) -> Any:
        try:
            return text if text == "" else typed(parameter["name"], text, parameter["type"])
        except InputError as error:
            raise typer.BadParameter(error.problems[0].message) from None

    if parameter["secret"]:
        text = typer.prompt(_label(parameter), default="", hide_input=True, show_default=False, err=True)
        return read(text)
    default = None if parameter["default"] is None else spelled(parameter["default"])
    if default is None and not parameter["required"] and not parameter.get("required_when"):
        return typer.prompt(_label(parameter), default="", show_default=False, value_proc=read, err=True)
    return typer.prompt(_label(parameter), default=default, value_proc=read, err=True)


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
    extra = "" if not parameter["enum"] else f" ({', '.join(map(spelled, parameter['enum']))})"
    optional = "" if parameter["required"] or parameter.get("required_when") else ", empty for none"
    hidden = f" (not shown{optional})" if parameter["secret"] else ""
    return f"{parameter['title']}{extra}{hidden}"


def _is_loopback(host: Any) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
