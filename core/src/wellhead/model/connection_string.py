"""Taking a connection string apart into fields: `scheme://user:password@host:port/database?option=value` (RFC 3986).

The parser is our own, and strict: what drivers read into such a string differs, and some of it (`passfile`, `service`,
several hosts) reaches for things of the machine that nobody meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from wellhead.errors import ConnectionStringError, InputProblem

CONNECTION_STRING = "connection_string"

_FORM = re.compile(
    r"""(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://
        (?:(?P<user>[^:@/?\#\s]*)(?::(?P<password>[^@/?\#\s]*))?@)?
        (?P<host>\[[0-9A-Fa-f:.]+\]|[^:@/?\#\s\[\],]*)
        (?::(?P<port>[0-9]{1,5}))?
        (?:/(?P<database>[^/?\#\s]*))?
        (?:\?(?P<query>[^\#\s]*))?""",
    re.VERBOSE,
)
Options = Mapping[str, str | tuple[str, Mapping[str, str]]]

_TLS_HINTS = {
    "prefer": "'prefer' falls back to clear text without a word: use 'require' or 'verify-full', or 'disable'.",
    "allow": "'allow' falls back to clear text without a word: use 'require' or 'verify-full', or 'disable'.",
    "preferred": "'PREFERRED' falls back to clear text without a word: use 'VERIFY_IDENTITY', or 'DISABLED'.",
}


def take_apart(document: Mapping[str, Any], *, schemes: tuple[str, ...], options: Options) -> dict[str, Any]:
    """Replace `connection_string` in a document by the fields that it stands for.

    Args:
        document: The document that was sent.
        schemes: The schemes that the type reads, such as `postgresql`.
        options: Keys of the query, each with the field that it stands for; where its values are written otherwise than
            the field's, also with what each of them, in upper case, stands for.

    Returns:
        A new document without `connection_string`.

    Raises:
        ConnectionStringError: It has another form, an unknown option, or disagrees with a field.
    """
    text = document[CONNECTION_STRING]
    found = _parse(text, schemes=schemes, options=options)
    rest = {name: value for name, value in document.items() if name != CONNECTION_STRING}
    conflicts = [
        InputProblem(f"/{name}", "connection_string_conflict", "The field disagrees with the connection string.")
        for name, value in found.items()
        if name in rest and not _same(name, rest[name], value)
    ]
    if conflicts:
        raise ConnectionStringError(conflicts)
    return found | rest


def _same(name: str, sent: Any, found: Any) -> bool:
    if name == "host" and isinstance(sent, str):
        return bool(sent.lower() == found.lower())
    return type(sent) is type(found) and sent == found


def _parse(text: Any, *, schemes: tuple[str, ...], options: Options) -> dict[str, Any]:
    form = f"{schemes[0]}://user:password@host:port/database"
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise _refused(f"Write it as {form}, with one host; percent-encode special characters in the password.")
    if match["scheme"].lower() not in schemes:
        raise _refused(f"It must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}.")
    fields: dict[str, Any] = {}
    for name, part in (("username", "user"), ("password", "password"), ("database", "database")):
        if match[part]:
            fields[name] = _decode(match[part])
    if match["host"]:
        fields["host"] = _decode(match["host"].strip("[]"))
    if match["port"]:
        fields["port"] = int(match["port"])
    for option in filter(None, (match["query"] or "").split("&")):
        name, value = _option(option, options)
        if name in fields:
            raise _refused("It says the same thing twice.")
        fields[name] = value
    return fields


def _option(option: str, options: Options) -> tuple[str, str]:
    """Read one `key=value` of the query; only keys that stand for a field are known."""
    key, _, value = option.partition("=")
    if key not in options:
        known = ", ".join(sorted(options)) or "none"
        raise _refused(f"It has an option that is not known; known options: {known}. Set the other fields by name.")
    stands_for = options[key]
    field, values = (stands_for, {}) if isinstance(stands_for, str) else stands_for
    if field == "tls_mode" and value.lower() in _TLS_HINTS:
        raise _refused(_TLS_HINTS[value.lower()])
    value = _decode(value)
    return field, values.get(value.upper(), value)


def _decode(text: str) -> str:
    """Undo percent-encoding."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise _refused("A percent sign must be written as %25.")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise _refused("A percent-encoded character is not UTF-8.") from None


def _refused(hint: str) -> ConnectionStringError:
    message = "The connection string cannot be taken apart."
    return ConnectionStringError([InputProblem(f"/{CONNECTION_STRING}", "connection_string", message, hint)])
