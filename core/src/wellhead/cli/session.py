"""What every command does: settings, parts, one piece of work, and errors that say what to do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from wellhead import logs
from wellhead.assembled import Wellhead
from wellhead.assembly import assemble
from wellhead.cli.completion import source_names
from wellhead.cli.exit_codes import exit_code
from wellhead.cli.writing import print_json, warn
from wellhead.errors import InputError, ValidationFailedError, WellheadError
from wellhead.model.texts import spelled
from wellhead.problem_details import problem_of
from wellhead.settings import load_settings
from wellhead.storage.files.store import FileRecordStore

T = TypeVar("T")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The data source's name or id.", autocompletion=source_names)]
Workspace = Annotated[
    Path | None, typer.Option("--workspace", "-w", metavar="DIR", help="The workspace; this directory if left out.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A TOML file of settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the API would answer.")]


@contextmanager
def opened(workspace: Path | None, config: Path | None, **given: Any) -> Iterator[Wellhead]:
    """Make the parts from the settings, and give back what they hold at the end."""
    settings = load_settings(config, workspace=workspace, **given)
    logs.configure(settings.log_level, settings.log_format)
    wellhead = assemble(settings)
    with closing(wellhead), index_shown(wellhead.store):
        yield wellhead


@contextmanager
def index_shown(store: FileRecordStore) -> Iterator[None]:
    """Show a person how the making of an index goes on."""
    if not sys.stderr.isatty():
        yield
        return
    from wellhead.cli.index_bar import IndexBar  # noqa: PLC0415  # it draws, which takes long to load

    with closing(IndexBar()) as bar:
        store.watch_index(bar)
        yield


def work(
    workspace: Path | None,
    config: Path | None,
    as_json: bool,
    job: Callable[[Wellhead], Awaitable[T]],  # the option's value, passed on
) -> T:
    """Do one piece of work on a workspace; an error is told, and ends the command with its exit code."""
    with told(as_json), opened(workspace, config) as wellhead:
        return asyncio.run(_awaited(job(wellhead)))


async def _awaited(job: Awaitable[T]) -> T:
    return await job


@contextmanager
def told(as_json: bool = False) -> Iterator[None]:  # the option's value, passed on
    """Tell an error, and end the command: 78 for settings, 2 for input that does not fit, 1 for any other no."""
    try:
        yield
    except WellheadError as error:
        if as_json:
            print_json(problem_of(error))
        else:
            tell(error)
        raise typer.Exit(exit_code(error)) from None


def tell(error: WellheadError) -> None:
    """Print an error for a person, with all that is wrong."""
    if isinstance(error, ValidationFailedError):
        warn("Error: it does not validate, so nothing was saved:")
        for check in error.result["checks"]:
            if check["status"] in {"failed", "timeout"}:
                text = " ".join(part for part in (check["message"], check["hint"]) if part)
                warn(f"  {check['name']}: {text}")
        return
    if not isinstance(error, InputError):
        warn(f"Error: {error.message}")
        return
    warn("Error: this does not fit, so nothing was done:")
    for problem in error.problems:
        name = problem.pointer.removeprefix("/").replace("/", ".") or "document"
        listed = ", ".join(map(spelled, problem.allowed or ()))
        allowed = f" Allowed: {listed}." if listed and listed not in problem.message else ""
        warn(f"  {name}: {problem.message}{allowed}{' ' + problem.hint if problem.hint else ''}")
