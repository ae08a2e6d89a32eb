"""What is installed: types that can be used, plugins that cannot with what mends them, and each type's fields."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from wellhead.ui import rendering
from wellhead.ui.asking import RefusedError
from wellhead.ui.forms import Form
from wellhead.ui.guarded import page_of
from wellhead.ui.types import Types
from wellhead.ui.visits import Visit

Item = Mapping[str, Any]

SEARCHED_FROM = 8
"""Of so many types the page has a field to search them."""
CAPABILITIES = {"validate": "can be validated", "connection_string": "takes a connection string"}
STATES = {
    "broken": "Broken",
    "conflict": "In conflict",
    "incompatible": "Incompatible",
    "disabled": "Disabled",
}
_WORST_FIRST = tuple(STATES)
_COMMAND = re.compile(r"(?:(?P<before>.*): )?(?P<command>(?:pip|wellhead) [^.]\S*(?: \S+)*)", re.DOTALL)


_SETTING = re.compile(r"WELLHEAD_[A-Z_]+(?:=[^\s,]+)?")


@dataclass(frozen=True, slots=True)
class Remedy:
    """What mends something.

    Attributes:
        text: It in words, with backticks around a setting; empty where the command says all.
        command: What can be copied and run; None if there is no such thing.
    """

    text: str
    command: str | None

    @classmethod
    def of(cls, text: str) -> Remedy:
        """Find the command in a remedy, which is at its end."""
        found = _COMMAND.fullmatch(text)
        before = text if found is None else f"{found['before']}:" if found["before"] else ""
        return cls(_SETTING.sub(r"`\g<0>`", before), None if found is None else found["command"])


@dataclass(frozen=True, slots=True)
class Plugins:
    """The plugins as the page shows them.

    Attributes:
        ready: The types that can be used.
        bad: What cannot be used, the worst first.
        restarts: What is used as it was before it was changed: distribution, reason and remedy.
    """

    ready: Sequence[Item]
    bad: Sequence[Item]
    restarts: Sequence[Item]

    @classmethod
    def of(cls, items: Sequence[Item], restarts: Sequence[Item] | None = None) -> Plugins:
        """Sort what the API lists.

        Args:
            items: Types and plugins.
            restarts: What needs a restart, where the API has said it; else it is what is ready with a reason.
        """
        ready = [item for item in items if item["state"] == "ready"]
        bad = [item for item in items if item["state"] != "ready"]
        noted = {item["distribution"]: item for item in ready if item["reason"]}
        bad.sort(key=lambda item: (_WORST_FIRST.index(item["state"]), item["name"]))
        ready.sort(key=lambda item: item["title"].casefold())
        return cls(ready, bad, list(noted.values()) if restarts is None else restarts)


async def show_plugins(visit: Visit) -> Response:
    """Show what is installed."""
    types = await page_of(visit.request).types.of(visit)
    return _page("plugins.html", visit, types, Plugins.of(types.items))


async def reload(visit: Visit, _form: Form) -> Response:
    """Look for plugins that were installed or removed, and show what there is now.

    This app goes on with the types that it has: what is shown is what the reload has answered.
    """
    answer = await page_of(visit.request).operations.ask(visit, "POST", "/plugins/reload")
    if not answer.is_ok:
        raise RefusedError(answer)
    found = answer.document
    types = Types(tuple(found["items"]))
    is_part = visit.request.headers.get("x-part") == "plugins"
    template = "_plugins.html" if is_part else "plugins.html"
    return _page(template, visit, types, Plugins.of(found["items"], found["needs_restart"]), changes=found)


async def show_type(visit: Visit) -> Response:
    """Show one type: its fields, examples, codes and schema."""
    page, name = page_of(visit.request), visit.request.path_params["type_name"]
    types = await page.types.of(visit)
    found = await page.operations.read(visit, f"/datasources/types/{name}")
    return rendering.page("type.html", visit, types=types, type=found, capabilities=CAPABILITIES, pretty=pretty)


def pretty(value: Any) -> str:
    """Write a value as JSON, for reading."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _page(
    template: str, visit: Visit, types: Types, plugins: Plugins, *, changes: Mapping[str, Any] | None = None
) -> Response:
    return rendering.page(
        template,
        visit,
        types=types,
        plugins=plugins,
        changes=changes,
        remedy_of=Remedy.of,
        plugin_states=STATES,
        capabilities=CAPABILITIES,
        is_searched=len(plugins.ready) >= SEARCHED_FROM,
    )
