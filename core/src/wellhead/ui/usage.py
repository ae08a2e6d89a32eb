"""How to use a data source, ready to copy: by HTTP, in Python, and on the command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HEADER = '"Authorization: Bearer $WELLHEAD_TOKEN"'
_IDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_SECRETS_STAY = (
    "The API gives secrets to nobody. A program that needs them runs where the key is: ask whoever runs this service."
)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to use a data source.

    Attributes:
        title: What it is called.
        snippets: Each a note on what it does, and the text to copy.
        note: What else there is to know.
    """

    title: str
    snippets: Sequence[tuple[str, str]]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a data source is.

    Attributes:
        address: The address of the service, without a slash at its end.
        workspace: The directory of its workspace, where programs of its user can open that; None in server mode.
    """

    address: str
    workspace: Path | None


def ways_to_use(
    source: Mapping[str, Any], place: Place, *, secrets: Sequence[str] = (), may_validate: bool = True
) -> list[Way]:
    """Tell how to use a data source.

    Args:
        source: The data source as the API answers it.
        place: Where it is.
        secrets: The names of its fields that are secret.
        may_validate: Whether whoever asks may validate it.
    """
    ways = [_command_line(source, place.workspace), _python(source, place, secrets)] if place.workspace else []
    return [*ways, *([] if place.workspace else [_python_over_http(source, place)]), _curl(source, place, may_validate)]


def name_or_id(source: Mapping[str, Any]) -> str:
    """Return the name, as commands take it; the id where a name would be taken for an option, or for another's id."""
    name = str(source["name"] or "")
    fits = name and not name.startswith("-") and name.isprintable() and not _IDS.fullmatch(name)
    return name if fits else str(source["id"])


def _curl(source: Mapping[str, Any], place: Place, may_validate: bool) -> Way:  # of this module alone
    url = f"{place.address}/api/v1/datasources/{source['id']}"
    read = ("Read it; secrets are facts.", _lines(f"curl -sS -H {_HEADER}", shlex.quote(url)))
    validate = ("Validate it.", _lines(f"curl -sS -X POST -H {_HEADER}", shlex.quote(f"{url}/validate")))
    return Way("curl", [read, validate] if may_validate else [read], None if place.workspace else _SECRETS_STAY)


def _python(source: Mapping[str, Any], place: Place, secrets: Sequence[str]) -> Way:
    field = _first_field(source, secrets)
    shown = f"\nprint(source.{field})" if field is not None else ""
    secret = next((name for name in secrets if _is_set(source.get(name)) and _FIELD.fullmatch(name)), None)
    revealed = f"\n{secret} = source.{secret}.reveal()" if secret is not None else ""
    lines = (
        "import wellhead\n\n"
        f"with wellhead.open_workspace({str(place.workspace)!r}) as workspace:\n"
        f"    source = workspace.resolve({name_or_id(source)!r})\n"
        f"{shown}{revealed}"
    )
    return Way("Python", [("Its fields, with secrets in clear.", lines)], "Each use is written to the audit log.")


def _python_over_http(source: Mapping[str, Any], place: Place) -> Way:
    url = f"{place.address}/api/v1/datasources/{source['id']}"
    lines = (
        "import json\nimport os\nimport urllib.request\n\n"
        "request = urllib.request.Request(\n"
        f"    {url!r},\n"
        "    headers={'Authorization': f\"Bearer {os.environ['WELLHEAD_TOKEN']}\"},\n"
        ")\n"
        "with urllib.request.urlopen(request) as answer:\n"
        "    source = json.load(answer)\n\n"
        "print(source['name'])"
    )
    return Way("Python", [("Read it; secrets are facts.", lines)], _SECRETS_STAY)


def _command_line(source: Mapping[str, Any], workspace: Path | None) -> Way:
    name, where = shlex.quote(name_or_id(source)), f"--workspace {shlex.quote(str(workspace))}"
    field = _first_field(source, ()) or "name"
    example = shlex.quote(f'echo "$WELLHEAD_{field.upper()}"')
    return Way(
        "Command line",
        [
            ("Validate it.", _lines(f"wellhead validate {name}", where)),
            (
                "Run a command with its fields as variables, secrets in clear. Put yours in place of the last part.",
                _lines(f"wellhead run {name}", where, f"-- sh -c {example}"),
            ),
        ],
        "It works on the workspace itself, without this service.",
    )


def _lines(*parts: str) -> str:
    """Write a command over several lines, so that it is read in a narrow place."""
    return " \\\n  ".join(parts)


def _first_field(source: Mapping[str, Any], secrets: Sequence[str]) -> str | None:
    """Return the name of the first field that a reader would know the data source by."""
    likely = ("host", "path", "url", "database")
    fits = (name for name in likely if name not in secrets and isinstance(source.get(name), str))
    return next(fits, None)


def _is_set(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("is_set") is True
