"""The routes of the page. What answers to them needs no token: it asks for a session itself."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from wellhead.ui import (
    adding,
    audit,
    deleting,
    editing,
    listing,
    plugins,
    rolling_back,
    signing_in,
    source,
    summary,
    validating,
)
from wellhead.ui.guarded import SIGN_IN, Endpoint, posted, shown
from wellhead.ui.static_files import favicon, static_file


@dataclass(frozen=True, slots=True)
class Route:
    """One route.

    Attributes:
        method: The HTTP method.
        path: The path, with parameters in braces.
        name: What logs and metrics call it.
        endpoint: What answers.
    """

    method: str
    path: str
    name: str
    endpoint: Endpoint


_ROLLBACK = "/sources/{source_id}/rollback/{revision}"

ROUTES = (
    Route("GET", "/", "page.list", shown(listing.show_list)),
    Route("GET", SIGN_IN, "page.sign_in", signing_in.show_sign_in),
    Route("POST", SIGN_IN, "page.sign_in", signing_in.sign_in),
    Route("POST", "/sign-out", "page.sign_out", posted(signing_in.sign_out)),
    Route("POST", "/validate", "page.validate_many", posted(validating.validate_many)),
    Route("POST", "/sources/{source_id}/validate", "page.validate", posted(validating.validate_one)),
    Route("GET", "/sources/{source_id}", "page.source", shown(source.show_source)),
    Route("GET", "/sources/{source_id}/delete", "page.delete", shown(deleting.ask_deletion)),
    Route("POST", "/sources/{source_id}/delete", "page.delete", posted(deleting.delete)),
    Route("GET", _ROLLBACK, "page.rollback", shown(rolling_back.ask_rollback)),
    Route("POST", _ROLLBACK, "page.rollback", posted(rolling_back.roll_back)),
    Route("GET", "/summary", "page.summary", shown(summary.show_summary)),
    Route("GET", "/plugins", "page.plugins", shown(plugins.show_plugins)),
    Route("POST", "/plugins/reload", "page.reload", posted(plugins.reload)),
    Route("GET", "/plugins/{type_name}", "page.type", shown(plugins.show_type)),
    Route("GET", "/audit", "page.audit", shown(audit.show_audit)),
    Route("GET", "/add", "page.choose_type", shown(adding.choose_type)),
    Route("GET", "/add/{type_name}", "page.add", shown(adding.show_new)),
    Route("POST", "/add/{type_name}", "page.add", posted(adding.create)),
    Route("POST", "/add/{type_name}/validate", "page.validate_new", posted(adding.validate_new)),
    Route("POST", "/add/{type_name}/connection-string", "page.take_apart", posted(adding.take_apart)),
    Route("GET", "/sources/{source_id}/edit", "page.edit", shown(editing.show_edit)),
    Route("POST", "/sources/{source_id}/edit", "page.edit", posted(editing.save)),
    Route("POST", "/sources/{source_id}/edit/validate", "page.validate_edit", posted(editing.validate_edit)),
    Route("POST", "/sources/{source_id}/edit/settle", "page.settle", posted(editing.settle)),
    Route("GET", "/favicon.ico", "page.static", favicon),
    Route("GET", "/static/{version}/{name:path}", "page.static", static_file),
)


def is_page(request: Request) -> bool:
    """Tell whether a request was routed to the page."""
    return request.scope.get("endpoint") in _ENDPOINTS


_ENDPOINTS = frozenset(route.endpoint for route in ROUTES)
