"""Going back to a former revision of a data source, once it is seen what that changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from wellhead.ui import rendering
from wellhead.ui.asking import Answer, RefusedError
from wellhead.ui.forms import Form
from wellhead.ui.guarded import page_of, see
from wellhead.ui.revisions import changed_since, revisions_of
from wellhead.ui.source import condition_of, path_of, read_history, read_source
from wellhead.ui.visits import Visit

_NUMBER = re.compile("[0-9]{1,15}")
_CHANGED = 412
_SHOWN_HERE = frozenset((409, _CHANGED, 422))
_CHANGED_MEANWHILE = "It was changed meanwhile. Below is what going back changes now."


async def ask_rollback(visit: Visit) -> Response:
    """Ask whether to go back to a revision, and say what that changes."""
    return await _form(visit)


async def roll_back(visit: Visit, form: Form) -> Response:
    """Restore a revision, if the data source is as it was shown."""
    answer = await page_of(visit.request).operations.ask(
        visit,
        "POST",
        path_of(visit, "rollback"),
        document={"revision": _revision(visit)},
        headers=condition_of(form),
    )
    if answer.status in _SHOWN_HERE:
        return await _form(visit, answer)
    if not answer.is_ok:
        raise RefusedError(answer)
    return see(f"/sources/{visit.request.path_params['source_id']}?notice=rolled_back")


async def _form(visit: Visit, refused: Answer | None = None) -> Response:
    """Show the form; where going back was refused, with the reason."""
    source, history, number = await read_source(visit), await read_history(visit), _revision(visit)
    known = {made.number: made for made in revisions_of(source.document, history) if not made.is_current}
    return rendering.page(
        "rollback.html",
        visit,
        status=200 if refused is None else refused.status,
        source=source,
        number=number,
        revision=known.get(number),
        changes=changed_since(history, number),
        error=None if refused is None else _reason(refused.status, refused.document),
    )


def _reason(status: int, problem: Mapping[str, Any]) -> str:
    return _CHANGED_MEANWHILE if status == _CHANGED else str(problem["detail"])


def _revision(visit: Visit) -> int:
    """Return the number in the address; 0, which none has, where there is no number."""
    text: str = visit.request.path_params["revision"]
    return int(text) if _NUMBER.fullmatch(text) else 0
