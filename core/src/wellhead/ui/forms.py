"""What a form posts: names and values, read as strictly as JSON is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl

from starlette.requests import Request

MAX_FORM_BYTES = 512 * 1024
"""A form of a data source that the API takes, with each byte of it escaped, and more."""

_MAX_FIELDS = 2000
_TYPE = "application/x-www-form-urlencoded"


class FormError(Exception):
    """What was posted is no form, or too long; the text says what to do."""


class Form:
    """The names and values of a form, in their order."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = tuple(pairs)

    def get(self, name: str, default: str = "") -> str:
        """Return the last value of a name."""
        return next((value for known, value in reversed(self.pairs) if known == name), default)

    def all(self, name: str) -> Sequence[str]:
        """Return all values of a name."""
        return [value for known, value in self.pairs if known == name]

    def has(self, name: str) -> bool:
        """Tell whether there is a value of a name."""
        return any(known == name for known, _ in self.pairs)


async def read_form(request: Request, *, seconds: float) -> Form:
    """Read a form in the body of a request.

    Args:
        request: The request.
        seconds: How long a browser may take to send it.

    Raises:
        FormError: It is none, too long, or too long in coming.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise FormError("This is not a form of this page.")
    try:
        async with asyncio.timeout(seconds):
            content = await _read(request)
        pairs = parse_qsl(content.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except TimeoutError:
        raise FormError("The form took too long to arrive. Send it again.") from None
    except ValueError:
        raise FormError("The form cannot be read. Reload the page and send it again.") from None
    return Form((name, value.replace("\r\n", "\n")) for name, value in pairs)


async def _read(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_FORM_BYTES:
            raise FormError("The form is too long.")
        chunks.append(chunk)
    return b"".join(chunks)
