"""Answers of the API: what is in their bodies and headers."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from wellhead.api.answers import NDJSON, as_json, as_lines, as_saved, outcome_documents
from wellhead.catalog.outcomes import Outcome

pytestmark = pytest.mark.anyio


def test_a_document_is_written_short_and_as_utf_8() -> None:
    answer = as_json({"name": "Straße", "items": [1, None]})
    assert answer.body == '{"name":"Straße","items":[1,null]}'.encode()
    assert answer.headers["content-type"] == "application/json"


def test_what_was_saved_has_its_revision_as_its_etag() -> None:
    answer = as_saved(({"name": "n"}, 7), 201, {"Location": "/x"})
    assert (answer.status_code, answer.headers["etag"], answer.headers["location"]) == (201, '"7"', "/x")


async def test_a_stream_has_a_document_on_each_line_and_the_totals_on_the_last() -> None:
    async def outcomes() -> AsyncGenerator[Outcome, None]:
        for number in range(2):
            yield Outcome(str(number), "line\nbreak", "record_corrupt", None)

    answer: Any = as_lines(outcome_documents(outcomes()))
    lines = [json.loads(line) async for line in answer.body_iterator]
    assert answer.media_type == NDJSON
    assert [line.get("id") for line in lines] == ["0", "1", None]
    assert lines[-1] == {"totals": {"record_corrupt": 2}}
