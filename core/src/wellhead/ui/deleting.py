"""Deleting a data source, once its name was typed."""

from __future__ import annotations

from starlette.responses import Response

from wellhead.ui import rendering
from wellhead.ui.asking import RefusedError
from wellhead.ui.forms import Form
from wellhead.ui.guarded import page_of, see
from wellhead.ui.source import Source, condition_of, path_of, read_history, read_source
from wellhead.ui.visits import Visit

_CHANGED, _UNPROCESSABLE = 412, 422
_WRONG_NAME = "This is not the name. Type it as it is written above."
_CHANGED_MEANWHILE = "It was changed meanwhile. Look at it again, and type the name if it may still go."


async def ask_deletion(visit: Visit) -> Response:
    """Ask whether a data source may go, and say what goes with it."""
    return await _form(visit, await read_source(visit))


async def delete(visit: Visit, form: Form) -> Response:
    """Delete a data source, if its name was typed, and if it is as it was shown."""
    source = await read_source(visit)
    if form.get("name").strip() != source.name.strip():
        return await _form(visit, source, status=_UNPROCESSABLE, error=_WRONG_NAME)
    answer = await page_of(visit.request).operations.ask(
        visit,
        "DELETE",
        path_of(visit),
        query=[("force", "true")] if source.standing.needs_force else (),
        headers=condition_of(form),
    )
    if answer.status == _CHANGED:
        return await _form(visit, await read_source(visit), status=_CHANGED, error=_CHANGED_MEANWHILE)
    if not answer.is_ok:
        raise RefusedError(answer)
    return see("/?notice=deleted")


async def _form(visit: Visit, source: Source, *, status: int = 200, error: str | None = None) -> Response:
    history = await read_history(visit)
    return rendering.page("delete.html", visit, status=status, source=source, kept=len(history), error=error)
