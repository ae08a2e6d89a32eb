"""`wellhead serve`: the REST API, for this machine or for several users."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from wellhead import logs
from wellhead.access.tickets import Tickets
from wellhead.api.serving.listener import listen, url_of
from wellhead.api.serving.supervisor import Supervisor
from wellhead.assembled import Wellhead
from wellhead.catalog.types import INSTALL_HINT
from wellhead.cli.serving import check_settings, notes
from wellhead.cli.session import AsJson, ConfigFile, Workspace, index_shown, told
from wellhead.cli.writing import print_json, say, warn
from wellhead.errors import SettingsError, StorageIOError
from wellhead.service import Service, make_service
from wellhead.settings import Settings, load_settings

_CODE_SECONDS = 3600
"""How long the printed address signs in, if nobody has used it."""


def serve(  # noqa: PLR0917  # options of the command line, which come by name
    workspace: Workspace = None,
    root: Annotated[
        Path | None, typer.Option("--root", metavar="DIR", help="Serve several users, their workspaces below DIR.")
    ] = None,
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="How many processes answer requests.")] = None,
    tls_certificate: Annotated[Path | None, typer.Option(metavar="FILE", help="The certificate, for HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="The certificate's private key.")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A reverse proxy in front speaks HTTPS to the users.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the REST API, for this machine or for several users."""
    paths = {"workspace": workspace, "root": root, "tls_certificate": tls_certificate, "tls_key": tls_key}
    given: dict[str, Any] = {name: str(path) for name, path in paths.items() if path is not None}
    given |= {name: value for name, value in {"host": host, "behind_proxy": behind_proxy or None}.items() if value}
    with told():
        settings = load_settings(config, **given, port=port, workers=workers)
        if workspace is not None and settings.root is not None:
            raise SettingsError("--workspace is for one user, and the root for several. Name one of them.")
        check_settings(settings)
        with _made(settings) as service:
            asyncio.run(service.check_start())
            token = service.token.read_or_make() if isinstance(service, Wellhead) else None
            for note in notes(settings):
                warn(f"Note: {note}")
            _run(service, token, {"config": None if config is None else str(config), **given}, as_json=as_json)


def _run(service: Service, token: str | None, given: dict[str, Any], *, as_json: bool) -> None:
    settings = service.settings
    listener = listen(settings.host, settings.port, for_others=settings.root is not None and settings.is_encrypted)
    url = url_of(listener, scheme="https" if settings.tls_certificate else "http")
    token_file = service.token.path if isinstance(service, Wellhead) else None

    def announce() -> None:
        if as_json:
            print_json({"url": url, "token_file": None if token_file is None else str(token_file)})
        else:
            _announce(url, token, token_file, service)
        sys.stdout.flush()

    if settings.workers > 1:
        for_workers = {**given, "workers": settings.workers}
        delay = settings.shutdown_delay
        raise typer.Exit(Supervisor(listener, settings.workers, for_workers, announce=announce, delay=delay).run())
    from wellhead.api.live import LiveApp  # noqa: PLC0415  # FastAPI is loaded for this command only
    from wellhead.api.serving import server  # noqa: PLC0415  # and so is uvicorn
    from wellhead.api.telemetry import tracing  # noqa: PLC0415

    server.run(LiveApp(service, tracing=tracing.from_environment()), listener, announce=announce)


@contextmanager
def _made(settings: Settings) -> Iterator[Service]:
    """Make what the service is made of, and give back what it holds at the end."""
    logs.configure(settings.log_level, settings.log_format)
    service = make_service(settings)
    with closing(service):
        if isinstance(service, Wellhead):
            with index_shown(service.store):
                yield service
        else:
            yield service


def _announce(url: str, token: str | None, token_file: Path | None, service: Service) -> None:
    """Say where the service is; the token itself is shown to a person only, not to a log."""
    settings = service.settings
    say(f"Wellhead is at {url}  (API: {url}/docs)")
    if token is not None and settings.page and sys.stdout.isatty():
        say(f"Page:        {page_address(url, token, settings)}")
    if token_file is not None:
        shown = f"{token}  (kept in {token_file})" if sys.stdout.isatty() else f"in {token_file}"
        say(f"Token:       {shown}")
    elif settings.token is not None:
        say("Token:       the one in WELLHEAD_TOKEN")
    if settings.root is None:
        say(f"Workspace:   {settings.workspace.absolute()}")
    else:
        say(f"Workspaces:  below {settings.root.absolute()}")
    names = ", ".join(service.types.registry.list_types())
    say(f"Types:       {names or INSTALL_HINT}")
    for report in service.types.reports:
        if report.state != "ready":
            say(f"Not used:    {report.distribution}: {report.reason} {report.remedy}")


def page_address(url: str, token: str, settings: Settings) -> str:
    """Return the address of the page with a code that signs in once, soon; without one, where none can be kept."""
    try:
        ticket = Tickets(settings.sessions_path).issue(token, "sign-in", seconds=_CODE_SECONDS)
    except StorageIOError:
        return f"{url}/"
    return f"{url}/sign-in?code={ticket.to_text()}"
