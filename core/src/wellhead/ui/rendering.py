"""Pages from templates: everything in them is escaped, and nothing runs that is not a file of the package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from starlette.responses import HTMLResponse, Response

from wellhead.model.secret import SecretFacts
from wellhead.ui import fields, reading, static_files, texts
from wellhead.ui.visits import Visit

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # the style sheet has its small pictures inside
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
"""The header fields that each page has; with no referrer at all, a browser would not say where a form comes from."""

HERE = "<!-- here -->"
"""What stands in a template where the rest of the page comes piece by piece."""


def page(
    template: str,
    visit: Visit | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **shown: Any,
) -> Response:
    """Answer with a page.

    Args:
        template: The name of its template.
        visit: Who sees it; None where nobody has signed in.
        status: The HTTP status.
        headers: More header fields.
        **shown: What it shows.
    """
    content = text_of(template, visit=visit, **shown)
    return HTMLResponse(content, status, {**HEADERS, **(headers or {})})


def text_of(template: str, **shown: Any) -> str:
    """Fill in a template: a page, or a part of one, whose name begins with `_`."""
    return str(_environment().get_template(template).render(**shown))


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415  # loaded with the first page
    from markupsafe import Markup  # noqa: PLC0415  # as above

    environment = Environment(
        loader=PackageLoader("wellhead.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared = {
        "static": f"/static/{static_files.version()}",
        "health": texts.HEALTH,
        "states": texts.STATES,
        "notices": texts.NOTICES,
    }
    environment.globals.update(shared)
    environment.filters.update(
        ago=texts.ago,
        exact=texts.exact,
        initials=texts.initials,
        milliseconds=texts.milliseconds,
        code=lambda text: Markup(texts.marked(text)),  # noqa: S704  # escaped there
    )
    environment.filters.update(spelled=reading.spelled, as_typed=reading.as_typed, in_short=texts.in_short)
    environment.tests["secret_facts"] = SecretFacts.is_document
    environment.globals["inner_defaults"] = fields.defaults_of
    environment.globals["ui"] = environment.get_template("_parts.html").module
    return environment
