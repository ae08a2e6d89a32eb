"""Answers of the API: documents, data sources that were saved, and streams of one document a line (NDJSON)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import Response
from fastapi.responses import StreamingResponse

from wellhead.catalog.outcomes import Outcome, totals_of
from wellhead.catalog.writer import Finished
from wellhead.model.result import ValidationResult
from wellhead.validation.events import Event

NDJSON = "application/x-ndjson"
_JSON = (b"content-type", b"application/json")


def json_of(document: Any) -> bytes:
    """Write a document as it is sent."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def as_json(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with a document."""
    return Response(json_of(document), status, headers, media_type="application/json")


class Ready(Response):
    """A document that is there as bytes, with header fields as they are sent."""

    def __init__(self, content: bytes, *headers: tuple[bytes, bytes]) -> None:
        self.status_code = 200
        self.background = None
        self.body = content
        self.raw_headers = [(b"content-length", b"%d" % len(content)), _JSON, *headers]


def as_saved(finished: Finished, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with a data source that was saved, and its revision as its ETag."""
    document, revision = finished
    return as_json(document, status, {"ETag": f'"{revision}"', **(headers or {})})


def as_lines(documents: AsyncGenerator[dict[str, Any], None]) -> Response:
    """Answer with documents, each on a line of its own and sent as soon as it is there."""
    return StreamingResponse(_lines(documents), media_type=NDJSON)


async def event_documents(events: AsyncGenerator[Event, None]) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the checks of a validation, then its result, as the API shows them."""
    async with aclosing(events):
        async for event in events:
            yield {"result" if isinstance(event, ValidationResult) else "check": event.as_document()}


async def outcome_documents(outcomes: AsyncGenerator[Outcome, None]) -> AsyncGenerator[dict[str, Any], None]:
    """Yield what came of validating each of many data sources, then how often each status came."""
    seen = []
    async with aclosing(outcomes):
        async for outcome in outcomes:
            seen.append(outcome.status)
            yield outcome.as_document()
    yield {"totals": totals_of(seen)}


async def _lines(documents: AsyncGenerator[dict[str, Any], None]) -> AsyncIterator[bytes]:
    async with aclosing(documents):
        async for document in documents:
            yield json.dumps(document, ensure_ascii=False).encode("utf-8") + b"\n"
