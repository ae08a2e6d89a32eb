"""`field`, by which an author describes a field once, and the field types that core knows."""

from __future__ import annotations

import codecs
import encodings
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from encodings import aliases
from functools import cache
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError, PydanticUndefined

from wellhead.model.addresses import check_host, check_url, check_url_path
from wellhead.model.markers import HARMLESS_KEY, MultiLine

Condition = Mapping[str, str | int | bool | Sequence[str | int | bool]]
"""Other fields' names, each with the value, or the values, that it must have."""

VISIBLE_KEY = "x-visible-when"
REQUIRED_KEY = "x-required-when"

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_CONNECTION_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_SECRET_HEADERS = re.compile(
    r"authorization|proxy-authorization|cookie|.*(api-?key|token|secret|password).*", re.IGNORECASE
)
_PEM_LINE = re.compile(r"-----(BEGIN|END) ([A-Z ]+)-----")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_BINARY_CODECS = frozenset({"undefined", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"})
_MAX_ENCODING = 40
_MAX_PATH = 1024


def field(
    default: Any = PydanticUndefined,
    *,
    default_factory: Callable[[], Any] | None = None,
    description: str | None = None,
    title: str | None = None,
    group: str | None = None,
    order: int | None = None,
    placeholder: str | None = None,
    examples: Sequence[Any] | None = None,
    harmless: bool = False,
    visible_when: Condition | None = None,
    required_when: Condition | None = None,
    **constraints: Any,
) -> Any:
    """Describe one field of a type, once for the API, its schema, the command line and the forms.

    Args:
        default: The value if none is sent; a field without one is required.
        default_factory: Makes the default, where it is a map or a list.
        description: One sentence for people who fill it in.
        title: A short name for forms; made from the field's name if left out.
        group: The heading under which forms show it.
        order: Its place among the fields, smaller first; as written if left out.
        placeholder: What an empty form field shows.
        examples: Values that are valid.
        harmless: The field has no say in where secrets go, so a change of it does not ask for them anew.
        visible_when: The field applies only while other fields have these values: `{"auth_type": "basic"}`, or
            `{"tls_mode": ["verify-ca", "verify-full"]}`. Else it must keep its default.
        required_when: As `visible_when`, and then the field is required.
        **constraints: What `pydantic.Field` takes: `ge`, `le`, `min_length`, `max_length`, `pattern` …

    Returns:
        A pydantic field.
    """
    shown: dict[str, Any] = {
        "x-group": group,
        "x-order": order,
        "x-placeholder": placeholder,
        HARMLESS_KEY: harmless or None,
        VISIBLE_KEY: _lists(visible_when or required_when),
        REQUIRED_KEY: _lists(required_when),
    }
    given = {"default": default} if default_factory is None else {"default_factory": default_factory}
    return Field(
        **given,
        description=description,
        title=title,
        examples=None if examples is None else list(examples),
        json_schema_extra={key: value for key, value in shown.items() if value is not None},
        **constraints,
    )


def _lists(condition: Condition | None) -> dict[str, list[Any]] | None:
    """Write a condition with lists only."""
    if condition is None:
        return None
    return {name: [value] if isinstance(value, str | int) else list(value) for name, value in condition.items()}


def check_path(path: str) -> str:
    """Check the path of a file: plain components only, none of them hidden or `..`.

    Raises:
        PydanticCustomError: `path_syntax`.
    """
    parts = path.removeprefix("/").split("/")
    plain = all(part and not part.startswith(".") and not part.startswith("~") for part in parts)
    if len(path) > _MAX_PATH or not plain or "\\" in path or _SCHEME.match(path):
        raise PydanticCustomError("path_syntax", "This path cannot be used.")
    return path


def check_header_name(name: str) -> str:
    """Check a header's name: a token (RFC 9110, 5.1) that does not steer the connection itself.

    Raises:
        PydanticCustomError: `header_name`.
    """
    if not _TOKEN.fullmatch(name) or name.lower() in _CONNECTION_HEADERS:
        raise PydanticCustomError("header_name", "This is not a header name that can be set.")
    return name


def check_plain_header_name(name: str) -> str:
    """Check the name of a header whose value is shown to everyone who may read the data source.

    Raises:
        PydanticCustomError: `header_name`, or `secret_header` where such a header usually holds a secret.
    """
    if _SECRET_HEADERS.fullmatch(check_header_name(name)):
        raise PydanticCustomError("secret_header", "A header that usually holds a secret is among the plain ones.")
    return name


def is_header_value(value: str) -> bool:
    """Tell whether a header can have this value."""
    return len(value) <= 4096 and _HEADER_VALUE.fullmatch(value) is not None  # noqa: PLR2004  # as in the schema


def check_header_value(value: str) -> str:
    """Check a header's value: visible ASCII and inner spaces.

    Raises:
        PydanticCustomError: `header_value`.
    """
    if not is_header_value(value):
        raise PydanticCustomError("header_value", "This header value cannot be sent.")
    return value


def check_encoding(name: str) -> str:
    """Check the name of a text encoding, as Python's codecs know it.

    Raises:
        PydanticCustomError: `unknown_encoding`.
    """
    codec = _codec_of(name) if len(name) <= _MAX_ENCODING else None
    if codec is None or codec.name.replace("-", "_") in _BINARY_CODECS:
        raise PydanticCustomError("unknown_encoding", "No text encoding has this name.")
    return name


def _codec_of(name: str) -> codecs.CodecInfo | None:
    """Look a codec up by its one spelling: Python remembers for ever every other, and every name that is none."""
    spelling = encodings.normalize_encoding(name).lower()
    if "\0" in name or _codec_names().isdisjoint((spelling, spelling.replace(".", "_"))):
        return None
    try:
        "".encode(spelling)
        return codecs.lookup(spelling)
    except (LookupError, ValueError, UnicodeError):
        return None


@cache
def _codec_names() -> frozenset[str]:
    return frozenset([*aliases.aliases, *(module.name for module in pkgutil.iter_modules(encodings.__path__))])


def _check_certificate(text: str) -> str:
    lines = list(_PEM_LINE.finditer(text))  # each is looked at once, whatever the text is
    is_whole = any(_is_block(begin, end) for begin, end in pairwise(lines))
    if not is_whole or not {line[2] for line in lines} <= {"CERTIFICATE", "TRUSTED CERTIFICATE"}:
        raise PydanticCustomError("pem_syntax", "This is not a certificate in PEM form.")
    return text


def _is_block(begin: re.Match[str], end: re.Match[str]) -> bool:
    """Tell whether two lines of a PEM text, one after the other, have a block between them."""
    return begin[1] == "BEGIN" and end[1] == "END" and begin[2] == end[2] and begin.end() < end.start()


def _schema(**keywords: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **keywords})


Host = Annotated[str, AfterValidator(check_host), _schema(minLength=1, maxLength=253)]
"""A host name or an IP address, in one canonical spelling."""

Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP port, 1 to 65535."""

Url = Annotated[str, AfterValidator(check_url), _schema(maxLength=2000, format="uri", pattern="^https?://")]
"""An http or https address without credentials or fragment (RFC 3986)."""

UrlPath = Annotated[str, AfterValidator(check_url_path), _schema(maxLength=1000, pattern="^/")]
"""A path, with its query if need be, that is put behind an address."""

FilePath = Annotated[str, AfterValidator(check_path), _schema(minLength=1, maxLength=1024)]
"""The path of a file, relative to the workspace, or absolute below a root that the settings list."""

HeaderName = Annotated[str, AfterValidator(check_header_name), _schema(minLength=1, maxLength=100)]
"""The name of a request header (RFC 9110)."""

PlainHeaderName = Annotated[str, AfterValidator(check_plain_header_name), _schema(minLength=1, maxLength=100)]
"""The name of a request header whose value is no secret."""

HeaderValue = Annotated[str, AfterValidator(check_header_value), _schema(minLength=1, maxLength=4096)]
"""The value of a request header: visible ASCII and inner spaces."""

Encoding = Annotated[str, AfterValidator(check_encoding), _schema(minLength=1, maxLength=40)]
"""The name of a text encoding, such as `utf-8` or `windows-1252`."""

CertificatePem = Annotated[str, MultiLine(), AfterValidator(_check_certificate), _schema(maxLength=32768)]
"""One or more certificates in PEM form (RFC 7468)."""
