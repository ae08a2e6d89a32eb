"""Adding a data source: choosing its type, filling in its form, validating it, and saving it."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from wellhead.errors import InputError
from wellhead.ui import rendering
from wellhead.ui.entry import new_entry
from wellhead.ui.fields import CONNECTION_STRING
from wellhead.ui.forms import Form
from wellhead.ui.guarded import page_of, problem
from wellhead.ui.visits import Visit

_VERIFY = ("verify", "true")


async def choose_type(visit: Visit) -> Response:
    """Show the types that there are."""
    if not visit.may("write"):
        return not_permitted(visit)
    types = await page_of(visit.request).types.of(visit)
    broken = [item for item in types.items if item["state"] != "ready"]
    return rendering.page("choose_type.html", visit, types=types, broken=broken)


async def show_new(visit: Visit) -> Response:
    """Show the empty form of a type."""
    if not visit.may("write"):
        return not_permitted(visit)
    return (await new_entry(visit, visit.request.path_params["type_name"])).page()


async def create(visit: Visit, form: Form) -> Response:
    """Save a new data source; where the form asks for that, only if it validates."""
    entry = (await new_entry(visit, visit.request.path_params["type_name"])).with_form(form)
    if entry.problems:
        return entry.unread()
    operations = page_of(visit.request).operations
    answer = await operations.ask(visit, "POST", "/datasources", query=verifying(form), document=entry.document)
    return entry.done(f"/sources/{answer.document['id']}") if answer.is_ok else entry.refused(answer)


async def validate_new(visit: Visit, form: Form) -> Response:
    """Validate what was typed, without saving it."""
    entry = (await new_entry(visit, visit.request.path_params["type_name"])).with_form(form)
    if entry.problems:
        return entry.unread()
    return await entry.validated("/datasources/validate", entry.document)


async def take_apart(visit: Visit, form: Form) -> Response:
    """Tell a script which fields a connection string stands for. What is secret in it, the script has already."""
    # Not asked of the API: programs send the whole string. See docs/explanation/decisions/the-page-asks-the-api.md.
    known = page_of(visit.request).service.types.registry.find(visit.request.path_params["type_name"])
    typed = form.get(f"/{CONNECTION_STRING}")
    if known is None or not visit.may("write"):
        return JSONResponse({"message": "This cannot be done here."}, 404)
    try:
        found = known.model.expand_input({CONNECTION_STRING: typed})
    except InputError as error:
        return JSONResponse(
            {"message": " ".join(filter(None, (error.problems[0].message, error.problems[0].hint)))}, 422
        )
    secrets = known.shape.secret_fields()
    fields = {f"/{name}": value for name, value in found.items() if name not in secrets}
    return JSONResponse({"fields": fields, "secrets": [f"/{name}" for name in found if name in secrets]})


def verifying(form: Form) -> list[tuple[str, str]]:
    """Return the query that saves only what validates, if the form asks for that."""
    return [_VERIFY] if form.get("verify") else []


def not_permitted(visit: Visit) -> Response:
    """Say that the role only reads."""
    detail = (
        f"Your role is {visit.principal.role}. Ask an editor of the workspace {visit.principal.workspace} to do it."
    )
    return problem(visit, 403, "Your role does not permit this", detail, "forbidden")
