"""Cursors: where a page begins, as a text that only this service can write, for one user and one list.

A cursor is the base64url of a signature and of where the page begins. Signed are that, the user, the workspace, and
what the list is of: its filters and its order. So a cursor is good for nothing but the list that it came from.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Any

from fastapi import Request

from wellhead import base64url
from wellhead.access.principal import Principal
from wellhead.access.signing import SIGNATURE_BYTES, Signer
from wellhead.errors import InputError, InputProblem

MAX_CURSOR = 1500
"""Characters that a cursor has at most; one in a list of names that people can send has 800."""

_WINDOW = -9  # raw deflate with the smallest window, which takes a tenth of the time that the usual one does


async def cursor_for(request: Request, about: str, place: Any) -> str:
    """Write a place in a list down, for whoever sends a request.

    Args:
        request: The request.
        about: What the list is of.
        place: The place, as JSON has it.
    """
    content = _packed(place)
    return base64url.encode(await _signer(request).sign(_signed(request, about, content)) + content)


async def place_in(request: Request, about: str, cursor: str) -> Any:
    """Return the place that a cursor names.

    Raises:
        InputError: It is none of this list that was given to whoever sends this request (`bad_cursor`).
    """
    try:
        data = base64url.decode(cursor)
    except ValueError:
        data = b""
    signature, content = data[:SIGNATURE_BYTES], data[SIGNATURE_BYTES:]
    if not await _signer(request).fits(_signed(request, about, content), signature):
        raise bad_cursor()
    return json.loads(zlib.decompress(content, wbits=_WINDOW).decode("utf-8", "surrogatepass"))


def bad_cursor() -> InputError:
    """Return the error for a cursor that is none, whatever the reason."""
    message = "The cursor does not belong to this list. Start again from the first page, without it."
    return InputError([InputProblem("cursor", "bad_cursor", message, in_query=True)])


def _signer(request: Request) -> Signer:
    signer: Signer = request.state.wellhead.signer
    return signer


def _signed(request: Request, about: str, content: bytes) -> bytes:
    """Return what is signed; of a length that is known, and then the content."""
    principal: Principal = request.state.principal
    whose = json.dumps([principal.workspace, principal.user, about]).encode("ascii")
    return hashlib.sha256(whose).digest() + content


def _packed(place: Any) -> bytes:
    """Pack a place: the key of a name of 100 characters may have 1,100 bytes."""
    text = json.dumps(place, ensure_ascii=False, separators=(",", ":"))
    return zlib.compress(text.encode("utf-8", "surrogatepass"), level=1, wbits=_WINDOW)
