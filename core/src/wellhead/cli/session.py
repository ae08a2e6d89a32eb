"""What every command does: settings, parts, one piece of work, and errors that say what to do."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from wellhead import logs
from wellhead.assembly import Wellhead, assemble
from wellhead.cli.completion import source_names
from wellhead.cli.index_bar import IndexBar
from wellhead.errors import InputError, SettingsError, ValidationFailedError, WellheadError
from wellhead.model.texts import spelled
from wellhead.problem_details import problem_of
from wellhead.settings import load_settings

T = TypeVar("T")
EXIT_NO, EXIT_USAGE, EXIT_SETTINGS = 1, 2, 78

Name = Annotated[str, typer.Argument(metavar="NAME", help="The data source's name or id.", autocompletion=source_names)]
Workspace = Annotated[
    Path | None, typer.Option("--workspace", "-w", metavar="DIR", help="The workspace; this directory if left out.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A TOML file of settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the API would answer.")]

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

# A program that reads a table gets whole lines; only a terminal has a width.
_WIDTH = None if sys.stdout.isatty() else 240
out = Console(soft_wrap=True, highlight=False, width=_WIDTH)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def tamed(text: str) -> str:
    """Take out what would steer a terminal: a record that was edited by hand, or comes from others, can hold that."""
    return _STEERING.sub("\ufffd", text)


def write_whatever_the_encoding() -> None:
    """Let what a terminal cannot show come out escaped, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(document: Any) -> None:
    """Print a document to standard output: indented for a terminal, on one line for programs."""
    indent = 2 if sys.stdout.isatty() else None
    plain = sys.stdout.encoding.lower().replace("_", "-") != "utf-8"
    sys.stdout.write(json.dumps(document, ensure_ascii=plain, indent=indent) + "\n")


@contextmanager
def opened(workspace: Path | None, config: Path | None, **given: Any) -> Iterator[Wellhead]:
    """Make the parts from the settings, and give back what they hold at the end."""
    settings = load_settings(config, workspace=workspace, **given)
    logs.configure(settings.log_level, settings.log_format)
    wellhead = assemble(settings)
    bar = IndexBar(err)
    if sys.stderr.isatty():
        wellhead.store.watch_index(bar)
    try:
        yield wellhead
    finally:
        bar.close()
        wellhead.close()


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


def exit_code(error: WellheadError) -> int:
    """Return the exit code of an error."""
    if isinstance(error, SettingsError):
        return EXIT_SETTINGS
    return EXIT_USAGE if isinstance(error, InputError) else EXIT_NO


def tell(error: WellheadError) -> None:
    """Print an error for a person, with all that is wrong."""
    if isinstance(error, ValidationFailedError):
        err.print("Error: it does not validate, so nothing was saved:")
        for check in error.result["checks"]:
            if check["status"] in {"failed", "timeout"}:
                text = " ".join(part for part in (check["message"], check["hint"]) if part)
                err.print(f"  {check['name']}: {text}", markup=False)
        return
    if not isinstance(error, InputError):
        err.print(f"Error: {error.message}", markup=False)
        return
    err.print("Error: this does not fit, so nothing was done:")
    for problem in error.problems:
        name = problem.pointer.removeprefix("/").replace("/", ".") or "document"
        listed = ", ".join(map(spelled, problem.allowed or ()))
        allowed = f" Allowed: {listed}." if listed and listed not in problem.message else ""
        err.print(f"  {name}: {problem.message}{allowed}{' ' + problem.hint if problem.hint else ''}", markup=False)
