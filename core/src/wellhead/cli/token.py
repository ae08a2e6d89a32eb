"""`wellhead token`: issue, list and revoke the tokens of a service for several users."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from wellhead import logs
from wellhead.access.audit import Audit
from wellhead.access.issued import IssuedToken, issue
from wellhead.access.policy import Role
from wellhead.access.principal import Principal, is_user_name, is_workspace_name
from wellhead.access.token_store import TokenStore
from wellhead.cli import views
from wellhead.cli.session import AsJson, ConfigFile, told
from wellhead.cli.writing import print_json, say
from wellhead.errors import InputError, InputProblem, SettingsError, StorageIOError
from wellhead.parts import audit_log
from wellhead.settings import load_settings

app = typer.Typer(
    name="token",
    help="Issue, list and revoke the tokens of a service for several users.",
    no_args_is_help=True,
    add_completion=False,
)

Root = Annotated[Path | None, typer.Option("--root", metavar="DIR", help="The directory of the workspaces.")]
_LIFETIME = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=3660)


@app.command()
def create(  # noqa: PLR0917  # options of the command line, which come by name
    user: Annotated[str, typer.Option("--user", help="Who it is for.")],
    role: Annotated[Role, typer.Option("--role", help="What the user may do.")],
    workspace: Annotated[
        str | None, typer.Option("--workspace", "-w", metavar="NAME", help="Where; the user's own if left out.")
    ] = None,
    expires: Annotated[str, typer.Option("--expires", help="How long it is good for: 90s, 15m, 12h, 30d.")] = "30d",
    root: Root = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Issue a token. It is shown once, and only its hash is kept."""
    with told(as_json), _store(root, config) as (store, audit):
        principal = Principal(user, user if workspace is None else workspace, role)
        _check(principal, is_own=workspace is None)
        token, kept = issue(principal, _lifetime(expires))
        with audit.doing("create_token", **_facts(kept)):
            store.add(kept)
    if as_json:
        print_json({"token": token, **kept.as_document()})
    else:
        say(f"{token}\n\nKeep it now: it is not shown again. Its id is {kept.id}.")


@app.command("list")
def list_(root: Root = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the tokens, without what is secret of them."""
    with told(as_json), _store(root, config) as (store, _):
        tokens = store.read()
    if as_json:
        print_json({"items": [token.as_document() for token in tokens]})
    else:
        views.show_tokens(tokens)


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token's id, as `list` shows it.")],
    root: Root = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a token. Running services refuse it within two seconds."""
    with (
        told(as_json),
        _store(root, config) as (store, audit),
        audit.doing("revoke_token", **_facts_of(token_id, store)),
    ):
        store.remove(token_id)
    if as_json:
        print_json({"id": token_id})
    else:
        say(f"Revoked {token_id}.")


@contextmanager
def _store(root: Path | None, config: Path | None) -> Iterator[tuple[TokenStore, Audit]]:
    settings = load_settings(config, root=root)
    logs.configure(settings.log_level)
    if settings.root is None:
        raise SettingsError("Name the directory of the workspaces: --root DIR, or WELLHEAD_ROOT.")
    if not settings.root.is_dir():
        raise SettingsError(f"The root {settings.root} is not a directory. Make it, or name another with --root.")
    log = audit_log(settings)
    try:
        yield TokenStore(settings.root.absolute()), Audit(log, "", is_required=settings.audit_required)
    finally:
        log.close()


def _facts_of(token_id: str, store: TokenStore) -> dict[str, Any]:
    with suppress(SettingsError, StorageIOError):  # it is revoked all the same
        return next((_facts(token) for token in store.read() if token.id == token_id), {})
    return {}


def _facts(token: IssuedToken) -> dict[str, Any]:
    """Return what the audit log has of a token; nothing that it could be used with."""
    whose = token.principal
    return {"id": token.id, "name": whose.user, "workspace": whose.workspace, "role": whose.role}


def _check(principal: Principal, *, is_own: bool) -> None:
    """Refuse names that cannot be.

    Raises:
        InputError: The name of the user or of the workspace.
    """
    problems = []
    if not is_user_name(principal.user):
        problems.append(InputProblem("/user", "name_syntax", "Must be 1 to 255 visible ASCII characters."))
    if not is_workspace_name(principal.workspace):
        rule = "Must be 1 to 63 small letters, digits and hyphens, and begin with no hyphen."
        hint = "The user's own has the user's name; name another with --workspace." if is_own else None
        problems.append(InputProblem("/workspace", "name_syntax", rule, hint))
    if problems:
        raise InputError(problems)


def _lifetime(text: str) -> timedelta:
    """Read how long a token is good for.

    Raises:
        InputError: It has another form, or is too long.
    """
    match = _LIFETIME.fullmatch(text)
    lifetime = timedelta() if match is None else timedelta(**{_UNITS[match[2]]: int(match[1])})
    if not timedelta() < lifetime <= _LONGEST:
        rule = "Must be a number and a unit, such as 90s, 15m, 12h or 30d, and at most 3660d."
        raise InputError([InputProblem("/expires", "bad_format", rule)])
    return lifetime
