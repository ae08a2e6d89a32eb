"""Reading requests strictly: ids, JSON bodies, and conditions."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from fastapi import Request

from wellhead import strict_json
from wellhead.api.problems import HttpProblem
from wellhead.catalog.reader import is_source_id
from wellhead.errors import DataSourceNotFoundError, InputError, InputProblem, RevisionMismatchError
from wellhead.model.problems import unknown_key
from wellhead.service import Service

MAX_BODY_BYTES = 256 * 1024
JSON_TYPES = ("application/json",)
PATCH_TYPES = ("application/json", "application/merge-patch+json")
_WEIGHT = re.compile(r"[01](\.[0-9]{0,3})?")
_LENGTH = re.compile(r"[0-9]{1,20}")
_ETAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')


def source_id_of(request: Request) -> str:
    """Return the id in the path.

    Raises:
        DataSourceNotFoundError: It is not a UUID in canonical form.
    """
    source_id: str = request.path_params["source_id"]
    if not is_source_id(source_id):
        raise DataSourceNotFoundError("There is no such data source.")
    return source_id


async def read_document(request: Request, accepted: tuple[str, ...] = JSON_TYPES) -> Any:
    """Read a body that is JSON. Whether it is an object is looked at by `object_in`, after query and conditions.

    Args:
        request: The request.
        accepted: The media types that will do.

    Raises:
        HttpProblem: 415 for another media type, 413 for more than 256 KiB, 408 where it is too long in coming.
        MalformedJSONError: It is not JSON.
    """
    _check_media_type(request, accepted)
    return strict_json.parse(await _read_body(request))


async def read_optional_document(request: Request) -> Any:
    """Read a body that may be left out.

    Raises:
        HttpProblem: As `read_document`.
        MalformedJSONError: As `read_document`.
    """
    try:
        body = await _read_body(request)
    except HttpProblem:
        _check_media_type(request, JSON_TYPES)  # which comes before the size
        raise
    if not body:
        return {}
    _check_media_type(request, JSON_TYPES)
    return strict_json.parse(body)


def object_in(body: Any) -> dict[str, Any]:
    """Return a body that is an object.

    Raises:
        InputError: It is something else.
    """
    if not isinstance(body, dict):
        raise InputError([InputProblem("", "wrong_type", "Must be an object.")])
    return body


def expected_revision(request: Request, stored: int | None, *, is_required: bool = False) -> int | None:
    """Return the revision that `If-Match` asks for (RFC 9110, 13.1.1); None if there is no such condition.

    Args:
        request: The request.
        stored: The revision that is stored; None if it cannot be told.
        is_required: Refuse a request that has no condition (RFC 6585, 3).

    Raises:
        RevisionMismatchError: It asks for another one than is stored.
        HttpProblem: There is no condition (428).
    """
    values = request.headers.getlist("if-match")
    if not values and is_required:
        raise HttpProblem(428, "precondition_required")
    if not values or [value.strip() for value in values] == ["*"]:
        return None
    tags = [match for value in values for match in _ETAG.finditer(value)]
    if stored is None or not any(match[1] is None and match[2] == str(stored) for match in tags):
        quoted = " If-Match had no ETag, which is written in quotation marks." if not tags else ""
        raise RevisionMismatchError(stored=stored or 0, more=quoted)
    return stored


def prefers(request: Request, media_type: str, other: str) -> bool:
    """Tell whether a media type is asked for by name, and not less than another (RFC 9110, 12.5.1)."""
    weights: dict[str, float] = {}
    for item in ",".join(request.headers.getlist("accept")).split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        weights[name] = float(weight) if _WEIGHT.fullmatch(weight) else 0
    return weights.get(media_type, 0) > 0 and weights[media_type] >= weights.get(other, 0)


def changes_in(body: Any) -> dict[str, Any]:
    """Return the changes in the body of a validation.

    Raises:
        InputError: They are no object, or the body is none or has other members.
    """
    changes = refuse_members(body, ("changes",)).get("changes", {})
    if not isinstance(changes, dict):
        raise InputError([InputProblem("/changes", "wrong_type", "Must be an object.")])
    return changes


def refuse_members(body: Any, known: Sequence[str]) -> dict[str, Any]:
    """Return a body that is an object, and has no members besides those that are known.

    Raises:
        InputError: It is something else, or has others: `unknown_field` at each of them.
    """
    found = object_in(body)
    unknown = [unknown_key(key, known) for key in found if key not in known]
    if unknown:
        raise InputError(unknown)
    return found


def revision_in(body: Any) -> int:
    """Return the revision in the body of a rollback.

    Raises:
        InputError: There is none, it is no positive integer, or the body is no object or has other members.
    """
    body = object_in(body)
    problems = [unknown_key(key, ["revision"]) for key in body if key != "revision"]
    revision = body.get("revision")
    if revision is None:
        problems.append(InputProblem("/revision", "required", "The field is required."))
    elif type(revision) is not int:
        problems.append(InputProblem("/revision", "wrong_type", "Must be an integer."))
    elif revision < 1:
        problems.append(InputProblem("/revision", "out_of_range", "Must be 1 or more."))
    if problems:
        raise InputError(problems)
    return int(body["revision"])


def _check_media_type(request: Request, accepted: tuple[str, ...]) -> None:
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if media_type.strip().lower() not in accepted or charset not in {"", "charset=utf-8"}:
        raise HttpProblem(415, "unsupported_media_type", {"Accept": ", ".join(accepted)})


async def _read_body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    if not _LENGTH.fullmatch(declared) or int(declared) > MAX_BODY_BYTES:
        raise HttpProblem(413, "body_too_large")
    service: Service = request.app.state.service
    try:
        async with asyncio.timeout(service.settings.body_timeout):
            return await _read_stream(request)
    except TimeoutError:
        # What has not come yet would be taken for the next request, so this connection ends (RFC 9110, 15.5.9).
        raise HttpProblem(408, "body_timeout", {"Connection": "close"}) from None


async def _read_stream(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise HttpProblem(413, "body_too_large")
        chunks.append(chunk)
    return b"".join(chunks)
