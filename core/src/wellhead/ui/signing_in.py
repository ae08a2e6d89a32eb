"""Signing in, with a token or with the code that was printed at the start, and signing out."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from wellhead.access.principal import Principal
from wellhead.access.tickets import Ticket
from wellhead.errors import StorageIOError
from wellhead.ui import rendering
from wellhead.ui.forms import Form, FormError, read_form
from wellhead.ui.guarded import not_understood, page_of, problem, see
from wellhead.ui.routes import SIGN_IN
from wellhead.ui.visits import Visit, cookie_name, end_session, is_from_here, set_session, visit_of

_TOO_OLD = "This address was used already, or is too old. Sign in with the token."
_WRONG = "This token is not known, or it is over."


async def show_sign_in(request: Request) -> Response:
    """Show the form for the token; or take the code in the address, which is good for once."""
    page, code = page_of(request), request.query_params.get("code")
    if code is not None and _is_ahead(request):
        return _form(request, status=503)
    ticket = Ticket.from_text(code or "")
    token = None if ticket is None else page.tickets.redeem(ticket)
    principal = None if token is None else await page.service.authenticator.principal_of(token.encode())
    if token is not None and principal is not None:
        return await _signed_in(request, token, principal)
    if await visit_of(request, page.tickets, page.service.authenticator) is not None:
        return _go_on()
    return _form(request) if code is None else _form(request, _TOO_OLD, 403)


async def sign_in(request: Request) -> Response:
    """Take the token of the form."""
    page = page_of(request)
    try:
        form = await read_form(request, seconds=page.settings.body_timeout)
    except FormError as error:
        return not_understood(None, error)
    token = form.get("token").strip()
    if not is_from_here(request):
        return _form(request, "This form was sent by another page. Type the token in here.", 403)
    principal = await page.service.authenticator.principal_of(token.encode())
    return await _refused(request) if principal is None else await _signed_in(request, token, principal)


async def sign_out(visit: Visit, _form: Form) -> Response:
    """End the session, here and in the browser."""
    _forget(visit.request)
    response = see(SIGN_IN)
    end_session(response, visit.request)
    return response


async def _refused(request: Request) -> Response:
    """Say that the token is none; an address that sends too many of them has to wait."""
    page, address = page_of(request), request.client.host if request.client else None
    page.service.failed_logins.count(address)
    standing = await page.service.limits.take_failed_login(address)
    if standing is None or not standing.retry_after:
        return _form(request, _WRONG, 403)
    return _too_many(request, "Too many wrong tokens came from your address.", standing.retry_after)


async def _signed_in(request: Request, token: str, principal: Principal) -> Response:
    """Begin a session in place of the one that the browser has; each is a file, so that it counts as a change."""
    page = page_of(request)
    standing = await page.service.limits.take("write", principal)
    if standing is not None and standing.retry_after:
        return _too_many(request, "You signed in too often.", standing.retry_after)
    seconds, owner = page.settings.session_seconds, f"{principal.workspace} {principal.user}"
    try:
        ticket = await asyncio.to_thread(page.tickets.issue, token, "session", seconds=seconds, owner=owner)
    except StorageIOError as error:
        return problem(None, 500, "You cannot be signed in", error.message)
    _forget(request)
    response = _go_on()
    set_session(response, request, ticket, seconds=seconds)
    return response


def _forget(request: Request) -> None:
    """End the session that the browser has, if it has one."""
    ticket = Ticket.from_text(request.cookies.get(cookie_name(request), ""))
    if ticket is not None:
        page_of(request).tickets.end(ticket)


def _is_ahead(request: Request) -> bool:
    """Tell whether nobody has asked for the page yet: something looks at the address, or fetches it in advance."""
    return request.method == "HEAD" or "prefetch" in request.headers.get("sec-purpose", "")


def _too_many(request: Request, error: str, seconds: int) -> Response:
    response = _form(request, f"{error} Wait {seconds} seconds.", 429)
    response.headers["Retry-After"] = str(seconds)
    return response


def _go_on() -> Response:
    """Lead on by a page of ours: a cookie that is for this site alone goes with no redirect from another."""
    return rendering.page("signed_in.html")


def _form(request: Request, error: str | None = None, status: int = 200) -> Response:
    settings = page_of(request).settings
    token_file = settings.token_path if settings.root is None and settings.token is None else None
    return rendering.page("sign_in.html", status=status, error=error, token_file=token_file)
