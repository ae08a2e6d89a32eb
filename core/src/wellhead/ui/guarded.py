"""Pages for those who have signed in, and forms that only pages of ours can post."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from wellhead.access.tickets import Tickets
from wellhead.catalog.reader import is_source_id
from wellhead.codes import CODES
from wellhead.service import Service
from wellhead.settings import Settings
from wellhead.ui import rendering
from wellhead.ui.asking import Answer, App, BrokenOffError, Operations, RefusedError
from wellhead.ui.forms import Form, FormError, read_form
from wellhead.ui.last_summaries import LastSummaries
from wellhead.ui.routes import SIGN_IN, Endpoint
from wellhead.ui.types import KnownTypes
from wellhead.ui.visits import Visit, end_session, is_from_here, visit_of

_SEE_OTHER = 303


@dataclass(frozen=True, slots=True)
class Page:
    """What all pages of one service have in common.

    Attributes:
        service: The service.
        tickets: The sessions.
        operations: The API.
        types: The types that are installed.
        summaries: How many data sources there are.
    """

    service: Service
    tickets: Tickets
    operations: Operations
    types: KnownTypes
    summaries: LastSummaries

    @classmethod
    def of(cls, service: Service, app: App) -> Page:
        """Make them for a service.

        Args:
            service: The service.
            app: The API, with all that a request passes on its way in (ASGI).
        """
        operations = Operations(app)
        tickets = Tickets(service.settings.sessions_path)
        return cls(service, tickets, operations, KnownTypes(operations), LastSummaries(operations))

    @property
    def settings(self) -> Settings:
        """The settings of the service."""
        return self.service.settings


def page_of(request: Request) -> Page:
    """Return what all pages have in common."""
    state = request.app.state
    if not hasattr(state, "page"):
        state.page = Page.of(state.service, state.gate)
    page: Page = state.page
    return page


def shown(view: Callable[[Visit], Coroutine[Any, Any, Response]]) -> Endpoint:
    """Make an endpoint of a page: it is shown to those who have signed in; others are asked to."""

    async def endpoint(request: Request) -> Response:
        visit = await signed_in(request)
        return visit if isinstance(visit, Response) else await answered(visit, view(visit))

    return endpoint


def posted(action: Callable[[Visit, Form], Coroutine[Any, Any, Response]]) -> Endpoint:
    """Make an endpoint of a form: it does something for those who have signed in, and who used a page of ours."""

    async def endpoint(request: Request) -> Response:
        visit = await signed_in(request)
        if isinstance(visit, Response):
            return visit
        try:
            form = await read_form(request, seconds=page_of(request).settings.body_timeout)
        except FormError as error:
            return not_understood(visit, error)
        if not is_from_here(request) or not visit.knows(form.get("csrf")):
            detail = "It was made before you signed in, or by another page. Go back, reload the page, and try again."
            return problem(visit, 403, "This form is not valid any more", detail)
        return await answered(visit, action(visit, form))

    return endpoint


def see(path: str) -> Response:
    """Lead a browser on to another page, once it has posted something."""
    return RedirectResponse(path, _SEE_OTHER)


def problem(visit: Visit | None, status: int, title: str, detail: str, code: str | None = None) -> Response:
    """Answer with a page about what went wrong."""
    return rendering.page("problem.html", visit, status=status, title=title, detail=detail, code=code)


async def show_defect(request: Request) -> Response:
    """Answer where something of ours failed; the log has more."""
    detail = f"Look for the request id {request.state.request_id} in the log of the service, and report it."
    return problem(None, 500, "Something went wrong inside the service", detail, "internal_error")


def not_understood(visit: Visit | None, error: FormError) -> Response:
    """Answer to what is no form."""
    return problem(visit, 400, "The form was not understood", str(error))


async def answered(visit: Visit, answer: Coroutine[Any, Any, Response]) -> Response:
    """Return what a page answers, or a page about why it does not."""
    source_id = visit.request.path_params.get("source_id")
    if source_id is not None and not is_source_id(source_id):
        answer.close()
        return problem(visit, 404, CODES["not_found"].title, CODES["not_found"].remedy, "not_found")
    try:
        return await answer
    except FormError as error:
        return not_understood(visit, error)
    except RefusedError as error:
        return _refused(visit, error.answer)
    except BrokenOffError:
        return problem(
            visit, 503, "It was broken off", "The service has ended or failed meanwhile. Try again in a moment."
        )


async def signed_in(request: Request) -> Visit | Response:
    """Return who sends a request; where nobody has signed in, an answer that asks to."""
    page = page_of(request)
    visit = await visit_of(request, page.tickets, page.service.authenticator)
    if visit is None:
        return _sign_in(request)
    request.state.user = visit.principal.user
    return visit


def _sign_in(request: Request) -> Response:
    """Ask to sign in; a script that asks for a part of a page is told so by the status."""
    if "x-part" in request.headers:
        return Response("Sign in again.", 401, media_type="text/plain")
    response = see(SIGN_IN)
    end_session(response, request)
    return response


def _refused(visit: Visit, answer: Answer) -> Response:
    """Show the problem that an operation answered with; without a token there is none but to sign in again."""
    if answer.status == 401:  # noqa: PLR2004  # Unauthorized
        return _sign_in(visit.request)
    found = answer.document
    response = problem(visit, answer.status, found["title"], found["detail"], found["code"])
    if "retry-after" in answer.headers:
        response.headers["Retry-After"] = answer.headers["retry-after"]
    return response
