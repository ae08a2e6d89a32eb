"""What servers answer, and what is to be said about it. The driver is not needed for that."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import wellhead

BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,8000}=*")
"""What a token is made of (RFC 6750, 2.1)."""
JSON = re.compile(r"(application|text)/(.+\+)?json")
WELL_KNOWN = re.compile(
    r"application/([a-z.]{1,20}\+)?(json|xml|zip|pdf|octet-stream|x-ndjson)|text/(plain|html|csv|xml|event-stream)|none"
)
"""The content types that are told: in others a server could hide a text."""
OK, REDIRECTS, UNAUTHORIZED, FORBIDDEN, SERVER_FAULT = 200, range(300, 400), 401, 403, 500

Places = tuple[list[str], str | None]
"""Fields to look at, and a hint; the code's own remedy if None."""
LOGINS: dict[str, Places] = {
    "none": (
        ["/auth_type", "/secret_headers"],
        "The API asks for a login: set `auth_type` and its fields, or a header in `secret_headers`.",
    ),
    "basic": (["/username", "/password"], "Check `username` and `password`; copy the password anew."),
    "bearer": (["/token"], "Check `token`: it may have expired, and has no word Bearer before it."),
    "api_key": (
        ["/api_key", "/api_key_header"],
        "Check `api_key`, and that the API reads it from the header that `api_key_header` names.",
    ),
    "oauth2_client_credentials": (
        ["/scope", "/client_id"],
        "The token server gave a token, but it does not suffice: check `scope`, and what the client may do.",
    ),
}
"""By `auth_type`: where to look when the login is refused."""

STATUSES: dict[int, Places] = {
    400: (
        ["/url", "/health_path"],
        "The server does not take the request. Check both; a port with TLS needs `https:`.",
    ),
    404: (["/health_path", "/url"], "There is nothing at this path: check `health_path`, and the path in `url`."),
    405: (["/method"], "The path does not take this `method`: try the other one, or another `health_path`."),
    429: (["/url"], "The server limits how often it is called: try again later."),
    SERVER_FAULT: (["/url"], "The server has a fault or is being restarted: try again later, and look at its log."),
}
"""The same for other statuses; 500 stands for all above it."""

TOKEN_ERRORS: dict[str, Places] = {
    "invalid_client": (["/client_id", "/client_secret"], "Check both. The token server must take them as HTTP Basic."),
    "unauthorized_client": (["/client_id"], "At the token server, allow the client the grant client_credentials."),
    "unsupported_grant_type": (["/token_url"], "The token server does not know the grant client_credentials."),
    "invalid_scope": (["/scope"], "Check `scope`: the spelling, and that the client may have it."),
}
"""The same for the errors of a token server (RFC 6749, 5.2)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server has answered.

    Attributes:
        status: The HTTP status.
        content_type: Without parameters; `none` where the server does not tell.
        is_compressed: It is not looked at, because inflating it could take any amount of memory.
        is_too_large: It has more bytes, headers and all, than are read.
        body: What it consists of; None if it is not JSON, or was not looked at.
        seconds: How long it took from the request to the end of the headers.
    """

    status: int
    content_type: str
    is_compressed: bool
    is_too_large: bool
    body: bytes | None
    seconds: float

    def json(self) -> Any:
        """Read the body.

        Raises:
            CheckFailedError: `not_json`.
        """
        try:
            return json.loads(self.body or b"", parse_int=float)  # Python refuses an integer of 5,000 digits
        except (ValueError, RecursionError):
            raise wellhead.CheckFailedError("not_json") from None


def judge_status(status: int, config: wellhead.APIDataSource) -> None:
    """Compare the status of the API's answer with the expected one.

    Raises:
        CheckFailedError: `auth_failed`, `redirected` or `unexpected_status`.
    """
    if status == config.expected_status:
        return
    if status in {UNAUTHORIZED, FORBIDDEN}:
        fields, hint = LOGINS[config.auth_type]
        fields = [*fields, "/secret_headers"] if config.secret_headers and config.auth_type != "none" else fields
        raise wellhead.CheckFailedError("auth_failed", _refusal(status), hint=hint, fields=fields)
    if status in REDIRECTS:
        raise wellhead.CheckFailedError("redirected", fields=["/url"])
    fields, hint = STATUSES.get(min(status, SERVER_FAULT), (["/url", "/health_path", "/expected_status"], None))
    raise _unexpected(status, config.expected_status, hint=hint, fields=fields)


def judge_content(answer: Answer, context: wellhead.ValidationContext, *, wants_json: bool) -> None:
    """Look at what the answer says that it consists of, and whether that is true.

    Raises:
        CheckFailedError: `not_json`.
    """
    if wants_json and not JSON.fullmatch(answer.content_type):
        raise wellhead.CheckFailedError("not_json", fields=["/url", "/health_path", "/expected_json"])
    if answer.is_too_large:
        context.warn("response_too_large")
    elif answer.is_compressed:
        context.warn("response_compressed")
    elif answer.body is not None:
        answer.json()
    elif answer.content_type == "text/html":
        context.warn("web_page")


def token_of(answer: Answer) -> str:
    """Return the token that a token server has given (RFC 6749, 5.1).

    Raises:
        CheckFailedError: It gave none: `auth_failed`, `redirected`, `unexpected_status`, `not_json` or
            `token_unusable`.
    """
    found = answer.json() if answer.body is not None else {}
    found = found if isinstance(found, dict) else {}
    if answer.status != OK:
        error = found.get("error")
        if answer.status == UNAUTHORIZED:
            error = "invalid_client"
        if isinstance(error, str) and error in TOKEN_ERRORS:
            fields, hint = TOKEN_ERRORS[error]
            raise wellhead.CheckFailedError("auth_failed", _refusal(answer.status), hint=hint, fields=fields)
        if answer.status in REDIRECTS:
            raise wellhead.CheckFailedError("redirected")
        hint = "Check `token_url`; if it is right, look at the token server's log."
        raise _unexpected(answer.status, OK, hint=hint, fields=["/token_url"])
    token, kind = found.get("access_token"), found.get("token_type", "bearer")
    is_bearer = isinstance(kind, str) and kind.lower() == "bearer"
    if not is_bearer or not isinstance(token, str) or not BEARER_TOKEN.fullmatch(token):
        raise wellhead.CheckFailedError("token_unusable")
    return token


def _refusal(status: int) -> str:
    return f"The server refused the login, with status {status}."


def _unexpected(status: int, expected: int, *, hint: str | None, fields: list[str]) -> wellhead.CheckFailedError:
    message = f"The server answered with status {status} instead of {expected}."
    return wellhead.CheckFailedError("unexpected_status", message, hint=hint, fields=fields)
