"""Answers of problem details (RFC 9457)."""

from __future__ import annotations

import json

from fastapi import Response

from wellhead import problem_details
from wellhead.errors import WellheadError

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER = "1"


class HttpProblem(Exception):  # noqa: N818  # it becomes an answer of problem details
    """An answer that only HTTP knows: a status, a code of the catalogue, and headers."""

    def __init__(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = headers or {}


def answer_of(error: WellheadError | HttpProblem, request_id: str) -> Response:
    """Make the answer for an error.

    Args:
        error: What happened.
        request_id: The request's id, which is in the log too.
    """
    headers: dict[str, str] = {}
    if isinstance(error, HttpProblem):
        document, headers = problem_details.problem_document(error.status, error.code), error.headers
    else:
        document = problem_details.problem_of(error)
    status: int = document["status"]
    if status == 503:  # noqa: PLR2004  # Service Unavailable
        headers = {"Retry-After": _RETRY_AFTER, **headers}
    body = json.dumps({**document, "request_id": request_id}, ensure_ascii=False, separators=(",", ":"))
    return Response(body.encode("utf-8", errors="replace"), status, headers, media_type=MEDIA_TYPE)
