"""Who visits the page: a browser with a session, which stands for a token."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from wellhead.access.authentication import Authenticator
from wellhead.access.policy import Permission
from wellhead.access.principal import Principal
from wellhead.access.tickets import Ticket, Tickets

_SAME_SITE = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True, repr=False)
class Visit:
    """One request of somebody who has signed in.

    Attributes:
        request: The request.
        principal: Who that is.
        token: The token that the session stands for.
        csrf: What each form that this browser posts must hold.
    """

    request: Request
    principal: Principal
    token: str
    csrf: str

    def may(self, permission: Permission) -> bool:
        """Tell whether the role permits something, so that what it does not permit need not be offered."""
        return self.principal.may(permission)

    def knows(self, csrf: str) -> bool:
        """Tell whether a form comes from a page that was made for this session."""
        return hmac.compare_digest(csrf.encode("utf-8", "replace"), self.csrf.encode())


async def visit_of(request: Request, tickets: Tickets, authenticator: Authenticator) -> Visit | None:
    """Return who sends a request; None if nobody has signed in, or if the token is none any more."""
    ticket = Ticket.from_text(request.cookies.get(cookie_name(request), ""))
    token = None if ticket is None else tickets.token_of(ticket, "session")
    if ticket is None or token is None:
        return None
    principal = await authenticator.principal_of(token.encode())
    return None if principal is None else Visit(request, principal, token, ticket.mark("csrf"))


def is_from_here(request: Request) -> bool:
    """Tell whether a browser sends a request because of a page of ours, as far as it says so (Fetch Metadata)."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    is_ours = origin is None or origin.partition("://")[2] == request.headers.get("host")
    return is_ours and site in _SAME_SITE


def cookie_name(request: Request) -> str:
    """Return the name of the cookie: one for each port, as browsers share cookies between the ports of a host."""
    prefix = "__Host-" if is_encrypted(request) else ""
    return f"{prefix}wellhead-{request.headers.get('host', '').rpartition(':')[2] if _has_port(request) else 'session'}"


def set_session(response: Response, request: Request, ticket: Ticket, *, seconds: int) -> None:
    """Give a browser its session: for this host alone, unknown to scripts, and never sent from other sites."""
    response.set_cookie(
        cookie_name(request),
        ticket.to_text(),
        max_age=seconds,
        httponly=True,
        samesite="strict",
        secure=is_encrypted(request),
    )


def end_session(response: Response, request: Request) -> None:
    """Take a browser's session from it."""
    response.delete_cookie(cookie_name(request), httponly=True, samesite="strict", secure=is_encrypted(request))


def is_encrypted(request: Request) -> bool:
    """Tell whether the browser reaches the service by HTTPS: its own, or a proxy's."""
    return request.app.state.service.settings.is_encrypted is True


def _has_port(request: Request) -> bool:
    return ":" in request.headers.get("host", "").rpartition("]")[2]
