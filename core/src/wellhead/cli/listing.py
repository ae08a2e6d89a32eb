"""`wellhead list`: what there is, all of it unless a limit is given."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer

from wellhead.catalog.listing import LABEL_FILTER, SORT_FIELDS, TEXT_FILTER, ListQuery
from wellhead.cli import views
from wellhead.cli.completion import type_names
from wellhead.cli.session import AsJson, ConfigFile, Workspace, told, work
from wellhead.cli.writing import print_json
from wellhead.errors import InputError, InputProblem
from wellhead.model.source import TYPE_NAME
from wellhead.storage.stored import STATES

_TYPE = re.compile(TYPE_NAME)


def list_(  # noqa: PLR0917  # options of the command line, which come by name
    workspace: Workspace = None,
    config: ConfigFile = None,
    kind: Annotated[
        list[str] | None, typer.Option("--type", help="Only these types.", autocompletion=type_names)
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="Only with all these labels: KEY or KEY:VALUE.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="Only these states.")] = None,
    text: Annotated[str | None, typer.Option("--q", help="A part of the name or the description.")] = None,
    sort: Annotated[str, typer.Option(help="Fields to sort by, '-' before one for descending.")] = "name",
    limit: Annotated[int | None, typer.Option(min=1, help="The most to list; all if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """List data sources."""
    with told(as_json):
        query = ListQuery(
            types=tuple(_matching("--type", _TYPE, item, "a type's name")[0] for item in kind or ()),
            labels=tuple(_label(item) for item in label or ()),
            text=None if text is None else _matching("--q", TEXT_FILTER, text, "3 to 200 characters")[0],
            states=_allowed("--state", tuple(state or ()), STATES),
            sort=_sort(sort),
            limit=sys.maxsize if limit is None else limit,
        )
    page = work(workspace, config, as_json, lambda wellhead: wellhead.catalog.list(query))
    if as_json:
        print_json(page.as_document())
    else:
        views.show_list(page.items, page.total, filtered=bool(kind or label or state or text is not None))


def _label(text: str) -> tuple[str, str | None]:
    match = _matching("--label", LABEL_FILTER, text, "KEY or KEY:VALUE")
    return match[1], match[2]


def _matching(option: str, pattern: re.Pattern[str], text: str, wanted: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise InputError([InputProblem(option, "bad_format", f"Must be {wanted}.")])
    return match


def _sort(text: str) -> tuple[tuple[str, bool], ...]:
    keys = tuple((part.removeprefix("-"), part.startswith("-")) for part in text.split(","))
    _allowed("--sort", tuple(name for name, _ in keys), SORT_FIELDS)
    return keys


def _allowed(option: str, values: tuple[str, ...], allowed: tuple[str, ...]) -> tuple[str, ...]:
    if not set(values) <= set(allowed):
        raise InputError([InputProblem(option, "not_allowed", "There is no such value.", allowed=allowed)])
    return values
