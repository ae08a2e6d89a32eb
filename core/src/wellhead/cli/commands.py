"""The commands by their names. The module of a command is imported when that command is wanted, or all of them told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

_PLACES = {
    "serve": "serve:serve",
    "types": "sources:types",
    "list": "listing:list_",
    "show": "sources:show",
    "add": "add:add",
    "edit": "edit:edit",
    "validate": "validate:validate",
    "remove": "sources:remove",
    "history": "history:history",
    "rollback": "history:rollback",
    "migrate": "migrate:migrate",
    "audit": "audit:audit",
    "doctor": "doctor:doctor",
    "run": "run:run",
    "keys": "keys:app",
    "plugin": "plugin:app",
    "token": "token:app",
}
"""Where each command is, below `wellhead.cli`: a function, or an app with commands of its own."""
_PASSING_ON = {"run:run"}
"""Commands whose unknown options are those of another program."""


class Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.commands = _Loaded()  # type: ignore[assignment]  # nobody adds to them


class _Loaded(Mapping[str, Any]):
    """Commands, each imported when it is looked up."""

    def __getitem__(self, name: str) -> Any:
        return _load(_PLACES[name])

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


@cache
def _load(place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(f"wellhead.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    single = typer.Typer(add_completion=False)
    single.command(attribute.rstrip("_"), context_settings={"ignore_unknown_options": place in _PASSING_ON})(found)
    return typer.main.get_command(single)


def load_all() -> None:
    """Import the modules of all commands, for a process that is forked for each."""
    for place in _PLACES.values():
        _load(place)
